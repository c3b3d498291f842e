"""The command line: one file a verb."""

from __future__ import annotations

import sys

import cyclopts

from veredito import __version__
from veredito.errors import VereditoError

app = cyclopts.App(name="veredito", version=__version__, help="Real-time automated decisions.")
app.command("veredito.cli.check:check")
app.command("veredito.cli.serve:serve")
app.command("veredito.cli.graph:graph")
app.command("veredito.cli.model:app", name="model")
app.command("veredito.cli.profile:profile")
app.command("veredito.cli.record:app", name="record")


def main() -> None:
    """Run the command line; a mistake of the user's is told in words, not in a traceback."""
    try:
        app()
    except VereditoError as error:
        print(error, file=sys.stderr)  # noqa: T201 - this is what a command line does
        sys.exit(2)
