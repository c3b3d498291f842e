"""Sources: what a decision fetches from, one file a kind, opened from ``[sources.NAME]`` of the config."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from veredito.errors import ConfigError, Problem, did_you_mean
from veredito.schema import read_settings
from veredito.types import Source

KINDS = ("http", "postgres", "redis", "table", "windows")


def check(name: str, table: Mapping[str, Any]) -> list[Problem]:
    """Everything that is wrong with a source's config; nothing is opened.

    Example:
        >>> [str(problem) for problem in check("crm", {"kind": "htpp"})]
        ["[sources.crm].kind: unknown kind; available: http, postgres, redis, table, windows. Hint: did you mean 'http'?"]
    """
    return _read(name, table)[2]


def open(name: str, table: Mapping[str, Any], *, folder: Path = Path()) -> Source:  # noqa: A001 - sources.open
    """The source that a config table describes; `start()` opens its connections.

    Args:
        name: as in the config.
        table: ``[sources.NAME]``, as TOML gives it.
        folder: what relative paths in it are relative to.

    Raises:
        ConfigError: the table has problems; all are named.
        MissingExtraError: the library that this kind needs is not installed.
    """
    make, settings, problems = _read(name, table)
    if make is None or settings is None:
        raise ConfigError(problems)
    return make(name, settings, folder)


def _read(
    name: str, table: Mapping[str, Any]
) -> tuple[Callable[..., Source] | None, msgspec.Struct | None, list[Problem]]:
    place, kind = f"[sources.{name}]", table.get("kind")
    if kind not in KINDS:
        what = "is required" if kind is None else "unknown kind"
        return None, None, [Problem(f"{place}.kind", what, KINDS, did_you_mean(str(kind), KINDS))]
    settings_type, make = _kind(str(kind))
    settings, problems = read_settings(settings_type, table, place)
    return make, settings, problems


def _kind(kind: str) -> tuple[type[msgspec.Struct], Callable[..., Source]]:
    """A kind's settings and source; imported here, so that a service loads only the libraries it uses."""
    from veredito.sources.resilience import guarded

    match kind:
        case "http":
            from veredito.sources.http import HttpSettings, HttpSource

            return HttpSettings, lambda name, settings, _: guarded(HttpSource(name, settings), settings)
        case "postgres":
            from veredito.sources.postgres import PostgresSettings, PostgresSource

            return PostgresSettings, lambda name, settings, _: guarded(
                PostgresSource(name, settings), settings
            )
        case "redis":
            from veredito.sources.redis import RedisSettings, RedisSource

            return RedisSettings, lambda name, settings, _: guarded(RedisSource(name, settings), settings)
        case "table":
            from veredito.sources.table import TableSettings, TableSource

            return TableSettings, TableSource
        case _:
            from veredito.sources.windows import WindowsSettings, WindowsSource

            return WindowsSettings, WindowsSource
