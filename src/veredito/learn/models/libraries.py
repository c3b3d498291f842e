"""Asking other libraries: importing them where they are used, and saying their complaints as our own."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from veredito.errors import LearnerError, MissingExtraError, Problem


def library(module: str, distribution: str, extra: str) -> Any:
    """An optional library's module.

    Args:
        module: what is imported.
        distribution: what is installed.
        extra: the extra of veredito that installs it.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        raise MissingExtraError(distribution, extra, purpose="this model") from None


@contextmanager
def asking(place: str, name: str, *complaints: type[Exception]) -> Iterator[None]:
    """Say what a library complains of while it is configured or fitted as an error of the learner.

    Raises:
        LearnerError: the library raised one of `complaints`.
    """
    try:
        yield
    except complaints as error:
        said = str(error).split("Stack trace:")[0].strip()
        hint = "look at 'params' and at the values of the features"
        raise LearnerError(Problem(place, f"{name} says: {said}", hint=hint)) from error


@contextmanager
def refusing(place: str, name: str, *warned: str) -> Iterator[None]:
    """Make warnings of a library that hold one of these texts errors; pass the others on.

    Raises:
        LearnerError: there was one.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for warning in caught:
        said = str(warning.message)
        if any(text in said for text in warned):
            raise LearnerError(Problem(place, f"{name} says: {' '.join(said.split())}", hint="see 'params'"))
    for warning in caught:
        warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
