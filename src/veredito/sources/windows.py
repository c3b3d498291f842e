"""Windows: counts, sums, means and flagged shares over the last days, per key, by event time.

The events that the service accepts come in through `observe`, the labels that turn up later through `label`,
and `read` gives an event's row as of its own time. Everything is kept in this process, exact, and equal to
what `sum over (t - days, t]` gives on a table. A delayed window ends `delay_days` earlier, when labels have
had the time to come: (t - delay - days, t - delay].

What lies further back than any window reaches, and `late_days` more, is forgotten as time goes on.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import math
from collections import deque
from collections.abc import Iterable, Mapping
from operator import attrgetter, itemgetter
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
import polars as pl

from veredito.errors import ConfigError, InputError, Problem
from veredito.sources.series import LATEST, Held, Series
from veredito.types import Clock, SystemClock

DAY_US = 86_400 * 1_000_000
UNITS_MAX = 2**40  # largest amount in its smallest unit; eight million of them fit a running total
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)

Measure = Literal["count", "sum", "mean", "flagged", "share"]
Days = Annotated[int, msgspec.Meta(ge=1, le=3650)]


class ViewSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[sources.NAME.views.VIEW]``: windows per one key.

    Attributes:
        key: the event's field to group by.
        days: the windows' lengths.
        measures: what to give of each; `mean` and `share` are missing where there are no events.
        delay_days: how far back the windows end.
    """

    key: str
    days: Annotated[list[Days], msgspec.Meta(min_length=1)]
    measures: Annotated[list[Measure], msgspec.Meta(min_length=1)]
    delay_days: Annotated[int, msgspec.Meta(ge=0, le=3650)] = 0


class WindowsSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[sources.NAME]`` of kind ``windows``.

    Attributes:
        event: the event's field that identifies it; one seen before is not counted again.
        at: the field with its time.
        views: the windows, by name; a column is called ``VIEW_MEASURE_DAYSd``.
        amount: the field to sum.
        decimals: decimals of an amount that count; sums are exact in that unit.
        label: the column of the seed that flags events.
        seed: a Parquet file, or a folder of them, with the events to begin with.
        late_days: how late an event may come and still find whole windows.
        ahead_days: events further ahead of the clock are decided upon, but not remembered: one wrong date
            must not make the windows forget everything.
        events_max: most events kept; beyond it the earliest arrivals go. At about 400 bytes an event, two
            million are 800 MB.
    """

    kind: Literal["windows"] = "windows"
    event: str
    at: str
    views: Annotated[dict[str, ViewSettings], msgspec.Meta(min_length=1)]
    amount: str | None = None
    decimals: Annotated[int, msgspec.Meta(ge=0, le=6)] = 2
    label: str | None = None
    seed: str | None = None
    late_days: Annotated[int, msgspec.Meta(ge=0)] = 1
    ahead_days: Annotated[int, msgspec.Meta(ge=0)] = 1
    events_max: Annotated[int, msgspec.Meta(ge=1)] = 2_000_000

    def __post_init__(self) -> None:
        summed = {"sum", "mean"}
        if self.amount is None and any(summed & set(view.measures) for view in self.views.values()):
            message = "a view gives sums or means, and no 'amount' says of what"
            raise ValueError(message)


class _Seen(NamedTuple):
    """An event that is remembered."""

    time: int
    order: int
    keys: tuple[Any, ...]
    flagged: bool


class WindowsSource:
    """Event-time windows, in this process.

    Args:
        name: as in the config.
        settings: the config.
        folder: what a relative `seed` is relative to.
        clock: where the present comes from.

    Example:
        >>> import datetime as dt
        >>> view = ViewSettings(key="card", days=[1], measures=["count", "sum"])
        >>> source = WindowsSource("w", WindowsSettings(event="id", at="at", amount="amount", views={"card": view}))
        >>> noon = dt.datetime(2018, 6, 1, 12, tzinfo=dt.timezone.utc)
        >>> for hour in range(3):
        ...     event = {"id": hour, "at": noon + dt.timedelta(hours=hour), "card": "c", "amount": 0.1}
        ...     _ = source.observe(event)
        >>> source.read(event)
        {'card_count_1d': 3, 'card_sum_1d': 0.3}
    """

    def __init__(
        self, name: str, settings: WindowsSettings, folder: Path = Path(), clock: Clock | None = None
    ) -> None:
        self.name = name
        self.settings = settings
        self._seed_path = folder / settings.seed if settings.seed else None
        self._clock = clock or SystemClock()
        self._views = list(settings.views.items())
        self._series: list[dict[Any, Series]] = [{} for _ in self._views]
        self._events: dict[str, _Seen] = {}
        self._arrivals: deque[str] = deque()  # a dict finds its first entry slowly once many have left
        self._order = 0
        self._unit: int = 10**settings.decimals
        self._latest = -LATEST
        reach_days = max(view.delay_days + max(view.days) for view in settings.views.values())
        self._horizon = (reach_days + settings.late_days) * DAY_US
        self._counted = dict.fromkeys(
            ("observed", "duplicate", "too_late", "too_far_ahead", "expired", "evicted", "label_unknown"), 0
        )
        names = [settings.event, settings.at, *(view.key for _, view in self._views)]
        names += [settings.amount] if settings.amount else []
        self._fields, self._items = attrgetter(*names), itemgetter(*names)

    async def start(self) -> None:
        """Read the seed, if there is one.

        Raises:
            ConfigError: it cannot be read, or a column is missing.
        """
        if self._seed_path is not None:
            await asyncio.to_thread(self.seed, self._read_seed(self._seed_path))

    async def aclose(self) -> None:
        """Forget everything."""
        self._events.clear()
        self._arrivals.clear()
        for series in self._series:
            series.clear()

    def observe(self, event: Any) -> bool:
        """Remember an event.

        Args:
            event: a mapping or an object with the configured fields.

        Returns:
            Whether it is new and was remembered. One that was seen before, that is older than anything the
            windows still reach, or far ahead of the clock, is not; `statistics()` counts each.

        Raises:
            InputError: the amount cannot be summed exactly.
        """
        identity, time, keys, amount = self._parts(event)
        refused = self._refusal(identity, time)
        if refused:
            self._counted[refused] += 1
            return False
        self._order += 1
        for series, key in zip(self._series, keys, strict=True):
            if key is not None:
                series.setdefault(key, Series()).add(time, self._order, amount)
        self._events[identity] = _Seen(time, self._order, keys, flagged=False)
        self._arrivals.append(identity)
        self._counted["observed"] += 1
        self._latest = max(self._latest, time)
        self._forget()
        return True

    def label(self, event_id: Any, flag: bool) -> bool:  # noqa: FBT001 - the label is the value
        """Flag an event, or take the flag back.

        Args:
            event_id: as text or as the event has it: 7 and "7" are one.
            flag: what the event turned out to be.

        Returns:
            Whether the event is known; the labels of unknown ones are counted, and lost.
        """
        event_id = str(event_id)
        seen = self._events.get(event_id)
        if seen is None:
            self._counted["label_unknown"] += 1
            return False
        if seen.flagged != flag:
            for series, key in zip(self._series, seen.keys, strict=True):
                if key in series:
                    (series[key].flag if flag else series[key].unflag)(seen.time)
            self._events[event_id] = seen._replace(flagged=flag)
        return True

    def read(self, event: Any) -> dict[str, float | None]:
        """An event's windows, as of its own time and with itself if it was observed.

        Args:
            event: a mapping or an object with the configured fields.

        Returns:
            ``VIEW_MEASURE_DAYSd`` to number; missing (None) where the key is, and where a mean or a share
            is of nothing.
        """
        identity, time, keys, _ = self._parts(event)
        seen = self._events.get(identity)
        order = seen.order if seen is not None and seen.time == time else LATEST
        row: dict[str, float | None] = {}
        for (name, view), series, key in zip(self._views, self._series, keys, strict=True):
            self._read_view(row, name, view, series.get(key), time, order)
        return row

    def statistics(self) -> dict[str, int]:
        """How many events and keys are kept, against the limit, and what was turned away."""
        keys = sum(len(series) for series in self._series)
        return {
            "events": len(self._events), "events_max": self.settings.events_max, "keys": keys
        } | self._counted  # fmt: skip

    def _read_view(
        self, row: dict[str, float | None], name: str, view: ViewSettings, series: Series | None,
        time: int, order: int,
    ) -> None:  # fmt: skip
        until = time - view.delay_days * DAY_US
        for days in view.days:
            held = _NOTHING
            if series is not None:
                held = series.held(until - days * DAY_US, until, LATEST if view.delay_days else order)
            for measure in view.measures:
                row[f"{name}_{measure}_{days}d"] = self._measure(measure, held)

    def _measure(self, measure: Measure, held: Held) -> float | None:
        if measure == "count":
            return held.events
        if measure == "flagged":
            return held.flagged
        if measure == "sum":
            return held.total / self._unit
        if held.events == 0:
            return None
        return held.flagged / held.events if measure == "share" else held.total / (self._unit * held.events)

    def _parts(self, event: Any) -> tuple[str, int, tuple[Any, ...], int]:
        """Identity, time, one key a view, and the amount in its smallest unit."""
        parts = self._items(event) if isinstance(event, Mapping) else self._fields(event)
        identity, at, *keys = parts
        amount = self._units(keys.pop()) if self.settings.amount else 0
        return str(identity), (at - _EPOCH) // _MICROSECOND, tuple(keys), amount

    def _units(self, amount: float | None) -> int:
        if amount is None:
            return 0
        units = amount * self._unit + 0.5
        if not abs(units) <= UNITS_MAX:
            raise InputError(Problem(str(self.settings.amount), "too large to be summed exactly"))
        return math.floor(units)

    def _refusal(self, identity: str, time: int) -> str | None:
        if identity in self._events:
            return "duplicate"
        if time <= self._latest - self._horizon:
            return "too_late"
        now = int(self._clock.time() * 1_000_000)
        return "too_far_ahead" if time > now + self.settings.ahead_days * DAY_US else None

    def _forget(self) -> None:
        """Let go of the earliest arrivals: those out of reach, and those above the limit."""
        cutoff = self._latest - self._horizon
        while self._arrivals:
            expired = self._events[self._arrivals[0]].time <= cutoff
            if not expired and len(self._events) <= self.settings.events_max:
                return
            self._counted["expired" if expired else "evicted"] += 1
            oldest = self._events.pop(self._arrivals.popleft())
            for series, key in zip(self._series, oldest.keys, strict=True):
                if key is not None:
                    _take_out(series, key, oldest)

    def _read_seed(self, path: Path) -> pl.DataFrame:
        settings = self.settings
        wanted = [settings.event, settings.at, *(view.key for _, view in self._views)]
        wanted += [name for name in (settings.amount, settings.label) if name]
        try:
            table = pl.scan_parquet(path)
            missing = [name for name in dict.fromkeys(wanted) if name not in table.collect_schema()]
            if not missing:
                return table.select(list(dict.fromkeys(wanted))).collect()
            available = tuple(table.collect_schema().names())
        except (OSError, pl.exceptions.PolarsError) as error:
            raise ConfigError(Problem(f"[sources.{self.name}].seed", f"cannot be read: {error}")) from error
        raise ConfigError(
            [Problem(f"[sources.{self.name}].seed", f"has no column '{n}'", available) for n in missing]
        )

    def seed(self, table: pl.DataFrame) -> None:
        """Remember a table of past events at once, as `observe` and `label` would one by one; before any other event.

        Args:
            table: the configured columns; times without a zone are UTC; a missing label is no flag.
        """
        at = pl.col(self.settings.at).dt.cast_time_unit("us").cast(pl.Int64).alias("_time")
        table = table.unique(self.settings.event, keep="first", maintain_order=True)
        table = table.with_columns(at).sort("_time", maintain_order=True)
        if table.is_empty():
            return
        self._latest = max(self._latest, int(table["_time"][-1]))
        table = table.filter(pl.col("_time") > self._latest - self._horizon).tail(self.settings.events_max)
        table = table.with_row_index("_order", offset=self._order + 1)
        label, amount = self.settings.label, self.settings.amount
        flagged = pl.col(label).cast(pl.Boolean).fill_null(value=False) if label else pl.lit(value=False)
        units = (
            (pl.col(amount) * self._unit + 0.5).floor().fill_null(0).cast(pl.Int64) if amount else pl.lit(0)
        )
        table = table.with_columns(pl.col("_order").cast(pl.Int64), _flagged=flagged, _units=units)
        self._order += table.height
        self._remember(table)
        for series, (_, view) in zip(self._series, self._views, strict=True):
            series.update(_series_by_key(table, view.key))

    def _remember(self, table: pl.DataFrame) -> None:

        keys = zip(*(table[view.key].to_list() for _, view in self._views), strict=True)
        numbers = (table[name].to_list() for name in ("_time", "_order"))
        rows = zip(
            table[self.settings.event].cast(pl.String).to_list(),
            *numbers,
            keys,
            table["_flagged"].to_list(),
            strict=True,
        )
        for identity, time, order, key, flagged in rows:
            self._events[identity] = _Seen(time, order, key, flagged)
            self._arrivals.append(identity)
        self._counted["observed"] += table.height


_NOTHING = Held(0, 0, 0)


def _take_out(series: dict[Any, Series], key: Any, seen: _Seen) -> None:
    series[key].remove(seen.time, seen.order)
    if seen.flagged:
        series[key].unflag(seen.time)
    if not series[key]:
        del series[key]


def _series_by_key(table: pl.DataFrame, key: str) -> Iterable[tuple[Any, Series]]:
    """Each key with its series, from a table in order of time."""
    grouped = table.filter(pl.col(key).is_not_null()).group_by(key, maintain_order=True)
    columns = grouped.agg(
        "_time", "_order", pl.col("_units").cum_sum(), flagged=pl.col("_time").filter("_flagged")
    )
    for value, times, orders, totals, flagged in columns.iter_rows():
        series = Series()
        series.times.extend(times)
        series.orders.extend(orders)
        series.totals.extend(totals)
        series.flagged.extend(flagged)
        yield value, series
