"""What a config names in the user's modules: ``module`` or ``module:name``."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import TypeVar

from veredito.errors import ConfigError, DefinitionError, Problem, did_you_mean

T = TypeVar("T")


def module(name: str) -> ModuleType:
    """A module.

    Raises:
        ConfigError: it cannot be imported; its own error is told.
    """
    try:
        return importlib.import_module(name)
    except DefinitionError:
        raise
    except Exception as error:
        # A user's module may fail in any way while it is imported; each is a problem of the config's place.
        raise ConfigError(Problem("", f"cannot import '{name}': {type(error).__name__}: {error}")) from error


def attribute(reference: str, kind: type[T]) -> T:
    """An attribute of a module, of one kind.

    Args:
        reference: ``module:name``.
        kind: what it must be an instance of.

    Raises:
        ConfigError: it is not written so, cannot be imported, is not there, or is something else.
    """
    module_name, _, name = reference.partition(":")
    if not name:
        raise ConfigError(Problem("", f"'{reference}' names no attribute", hint="write it as module:name"))
    found_in = module(module_name)
    if not hasattr(found_in, name):
        known = tuple(
            n for n, value in vars(found_in).items() if isinstance(value, kind) and not n.startswith("_")
        )
        hint = did_you_mean(name, known)
        raise ConfigError(Problem("", f"module '{module_name}' has no '{name}'", available=known, hint=hint))
    found = getattr(found_in, name)
    if not isinstance(found, kind):
        raise ConfigError(Problem("", f"'{reference}' is a {type(found).__name__}, not a {kind.__name__}"))
    return found
