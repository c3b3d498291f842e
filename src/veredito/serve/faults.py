"""Errors as the log may have them: where and why, and no value of a request."""

from __future__ import annotations

import traceback

from veredito.errors import VereditoError


def described(error: BaseException) -> str:
    """An error and its causes on one line: our own words, others' types, and where each was raised.

    What a library or a user's function says of an error may hold the values it failed on, so it is left out;
    at the log level ``debug`` the `stack()` is there.
    """
    parts = []
    cause: BaseException | None = error
    while cause is not None:
        words = str(cause) if isinstance(cause, VereditoError) else ""
        parts.append(f"{type(cause).__name__}{f': {words}' if words else ''}{_place(cause)}")
        cause = cause.__cause__
    return ", from ".join(parts)


def stack(error: BaseException) -> str:
    """Where an error comes from, call by call, as in a traceback, and without its message."""
    return "".join([*traceback.format_tb(error.__traceback__), type(error).__name__])


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f" (at {frames[-1].filename}:{frames[-1].lineno})" if frames else ""
