"""The command line: one file a verb."""

from __future__ import annotations

import sys

import cyclopts

from veredito import __version__
from veredito.errors import VereditoError

app = cyclopts.App(name="veredito", version=__version__, help="Real-time automated decisions.")
# The words of the list are here, so that the list needs none of the modules.
_VERBS = {
    "check": "List all that is wrong with a config and with what it names.",
    "serve": "Serve what a config describes.",
    "graph": "Draw a service's decision graph; with an event, where its time went.",
    "profile": "Show where the time of a service's requests goes.",
    "model": "Look into saved models; verify and compare them.",
    "record": "Look into recorded decisions; check, repair and export them.",
}
_GROUPS = {"model", "record"}  # with verbs of their own
for _verb, _words in _VERBS.items():
    _target = "app" if _verb in _GROUPS else _verb
    app.command(f"veredito.cli.{_verb}:{_target}", name=_verb, help=_words)


def main() -> None:
    """Run the command line; a mistake of the user's is told in words, not in a traceback."""
    try:
        app()
    except VereditoError as error:
        print(error, file=sys.stderr)  # noqa: T201 - this is what a command line does
        sys.exit(2)
