"""Sinks that a user wrote, named in the config: ``[record.sinks.NAME]``."""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Mapping
from typing import Any

from veredito.errors import ConfigError, Problem
from veredito.record.sinks.sink import Sink


def build(name: str, table: Mapping[str, Any]) -> Sink:
    """The sink that a table of the config describes.

    Args:
        name: what stands after ``record.sinks``; the class gets it first.
        table: ``kind``, the class as ``module:Class``, and its keyword arguments.

    Raises:
        ConfigError: there is no such class, it does not take these arguments, or what it makes is no sink.
    """
    place = f"[record.sinks.{name}]"
    arguments = {key: value for key, value in table.items() if key != "kind"}
    made = _class(place, table.get("kind"))
    signature = inspect.signature(made)
    try:
        signature.bind(name, **arguments)
    except TypeError as error:
        takes = tuple(signature.parameters)[1:]
        raise ConfigError(
            Problem(place, f"{table['kind']} does not take these keys: {error}", takes)
        ) from None
    sink = made(name, **arguments)
    if not isinstance(sink, Sink) or sink.name != name:
        hint = "inherit from veredito.record.Sink; set self.name to the first argument, and self.gathering"
        raise ConfigError(Problem(place, f"{table['kind']} makes no sink of this name", hint=hint))
    return sink


def _class(place: str, kind: Any) -> Any:
    if not isinstance(kind, str) or ":" not in kind:
        raise ConfigError(Problem(f"{place}.kind", "is missing", hint='write it as kind = "module:Class"'))
    try:
        made = pkgutil.resolve_name(kind)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(Problem(f"{place}.kind", f"'{kind}' cannot be imported: {error}")) from error
    if not callable(made):
        raise ConfigError(Problem(f"{place}.kind", f"'{kind}' is no class"))
    return made
