"""Moments and calendar periods, as microseconds since the epoch, UTC."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from veredito.errors import Problem

Moment: TypeAlias = str | dt.date | dt.datetime
"""A date, a datetime, or either as ISO text."""

Micros: TypeAlias = NDArray[np.int64]

_DAY_US = 86_400_000_000
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def moment(given: Moment) -> tuple[int, int]:
    """The first and the last microsecond of a moment: a date is a day long."""
    value: Any = given
    if isinstance(given, str):
        value = dt.date.fromisoformat(given) if len(given) <= 10 else dt.datetime.fromisoformat(given)
    if isinstance(value, dt.datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=dt.UTC)
        at = (aware - _EPOCH) // dt.timedelta(microseconds=1)
        return at, at
    start = (value - _EPOCH.date()).days * _DAY_US
    return start, start + _DAY_US - 1


def moment_problems(place: str, given: Moment) -> list[Problem]:
    """What is wrong with a moment, if anything."""
    try:
        moment(given)
    except ValueError:
        hint = "write it as 2018-05-31 or 2018-05-31T12:00:00"
        return [Problem(place, f"'{given}' is no date or datetime", hint=hint)]
    return []


def periods(every: str, times: Micros, last_us: int) -> Iterator[tuple[int, int]]:
    """The calendar periods from that of the earliest time to that of `last_us`: first microsecond, next first."""
    if not times.size:
        return
    first = pl.Series([int(times.min())], dtype=pl.Datetime("us"))
    start = first.dt.truncate(every)
    following = start.dt.offset_by(every)
    while (at := start.dt.epoch("us").item()) <= last_us:
        yield at, following.dt.epoch("us").item()
        start, following = following, following.dt.offset_by(every)


def micros(length: dt.timedelta) -> int:
    """A length in microseconds."""
    return length // dt.timedelta(microseconds=1)


def shown(at_us: int) -> str:
    """A moment as ISO text, as a date where it is the first or the last microsecond of one."""
    moment = _EPOCH + dt.timedelta(microseconds=at_us)
    if at_us % _DAY_US in (0, _DAY_US - 1):
        return moment.date().isoformat()
    return moment.replace(tzinfo=None).isoformat()
