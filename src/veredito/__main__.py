"""``python -m veredito``: the command line."""

from veredito.cli import main

main()
