"""Windows give what counting over a table gives: exactly, late, twice or out of order."""

import asyncio
import datetime as dt
from dataclasses import dataclass

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from veredito import sources
from veredito.errors import ConfigError, InputError
from veredito.sources.windows import ViewSettings, WindowsSettings, WindowsSource

START = dt.datetime(2018, 4, 1, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class Event:
    id: int
    at: dt.datetime
    card: str | None
    shop: str | None
    amount: float


class Noon2020:
    """A clock that stands still, later than any event here."""

    def monotonic(self):
        return 0.0

    def time(self):
        return dt.datetime(2020, 1, 1, 12, tzinfo=dt.UTC).timestamp()


def settings(**more):
    views = {
        "card": ViewSettings(key="card", days=[1, 3], measures=["count", "sum", "mean"]),
        "shop": ViewSettings(key="shop", days=[1, 3], measures=["count", "flagged", "share"], delay_days=2),
    }
    return WindowsSettings(event="id", at="at", amount="amount", views=views, **more)


def windows(**more):
    return WindowsSource("w", settings(**more), clock=Noon2020())


def event(number, hours, card="c", shop="s", amount=1.0):
    return Event(number, START + dt.timedelta(hours=hours), card, shop, amount)


def counted(known, flagged, read):
    """The same numbers by counting: everything that `known` holds, in order of arrival."""
    row = {}
    mine = [e for e in known if e.card == read.card and e.card is not None and e.at <= read.at]
    later = {e.id for e in known[known.index(read) + 1 :]} if read in known else set()
    mine = [e for e in mine if not (e.at == read.at and e.id in later)]
    for days in (1, 3):
        held = [round(e.amount * 100) for e in mine if e.at > read.at - days * DAY]
        row[f"card_count_{days}d"] = len(held)
        row[f"card_sum_{days}d"] = sum(held) / 100
        row[f"card_mean_{days}d"] = sum(held) / (100 * len(held)) if held else None
    until = read.at - 2 * DAY
    for days in (1, 3):
        there = [e for e in known if e.shop == read.shop and e.shop is not None]
        held = [e.id in flagged for e in there if until - days * DAY < e.at <= until]
        row[f"shop_count_{days}d"] = len(held)
        row[f"shop_flagged_{days}d"] = sum(held)
        row[f"shop_share_{days}d"] = sum(held) / len(held) if held else None
    return row


EVENTS = st.lists(
    st.builds(
        event,
        number=st.integers(0, 40),
        hours=st.integers(0, 150),
        card=st.sampled_from(["a", "b", None]),
        shop=st.sampled_from(["x", "y", None]),
        amount=st.integers(0, 10_000).map(lambda cents: cents / 100),
    ),
    max_size=30,
)


def unique(events):
    return list({e.id: e for e in reversed(events)}.values())[::-1]


@given(events=EVENTS, flags=st.sets(st.integers(0, 40)))
def test_a_window_holds_what_counting_finds(events, flags):
    """Random times and keys, ties, duplicates, any order of arrival: the numbers of a count, to the bit."""
    source, known = windows(late_days=10), []
    for arrival in events:
        new = source.observe(arrival)
        assert new == (arrival.id not in {e.id for e in known})
        known += [arrival] if new else []
        assert source.read(known[-1]) == counted(known, set(), known[-1])
    labelled = {number for number in flags if source.label(number, True)}

    assert labelled == flags & {e.id for e in known}
    assert [source.read(e) for e in known] == [counted(known, labelled, e) for e in known]


@given(events=EVENTS, flags=st.sets(st.integers(0, 40)), split=st.integers(0, 30))
def test_a_seed_is_the_same_as_having_been_there(events, flags, split):
    """Events read from a table and then live ones leave the windows as if all had come live, in order."""
    events = sorted(unique(events), key=lambda e: e.at)
    live, seeded = windows(label="flag", late_days=10), windows(label="flag", late_days=10)
    for e in events:
        live.observe(e)
        live.label(e.id, e.id in flags)
    past = [vars(e) | {"flag": e.id in flags} for e in events[:split]]
    schema = {"id": pl.Int64, "at": pl.Datetime("us", "UTC"), "card": pl.String, "shop": pl.String}
    seeded.seed(pl.DataFrame(past, schema=schema | {"amount": pl.Float64, "flag": pl.Boolean}))
    for e in events[split:]:
        seeded.observe(e)
        seeded.label(e.id, e.id in flags)

    assert [seeded.read(e) for e in events] == [live.read(e) for e in events]
    assert seeded.statistics()["events"] == live.statistics()["events"]


@given(events=EVENTS)
def test_forgetting_changes_no_window_that_is_in_reach(events):
    """In order of time, what is out of every window's reach can go without anybody noticing."""
    forgetful, known = windows(late_days=0), []
    for arrival in sorted(unique(events), key=lambda e: e.at):
        forgetful.observe(arrival)
        forgetful.label(arrival.id, True)
        known.append(arrival)
        ids = {e.id for e in known}

        assert forgetful.read(arrival) == counted(known, ids, arrival)
    kept = [e for e in known if e.at > known[-1].at - 5 * DAY]
    assert forgetful.statistics()["events"] == len(kept)


def test_events_of_one_instant_see_those_that_came_before():
    """A later event of the same instant does not change what an earlier one reads, whenever it reads."""
    source = windows()
    first, second = event(1, 0), event(2, 0)
    source.observe(first)
    source.observe(second)

    assert source.read(first)["card_count_1d"] == 1
    assert source.read(second)["card_count_1d"] == 2


def test_an_event_that_was_not_observed_reads_what_others_left():
    """Reading does not need observing: the row is of all that is known up to that time."""
    source = windows()
    source.observe(event(1, 0))

    assert source.read(event(2, 1))["card_count_1d"] == 1
    assert source.read(event(2, 1, card="new"))["card_mean_1d"] is None


def test_a_window_is_open_at_its_far_end():
    """Exactly a day ago is out; a microsecond less is in."""
    source = windows()
    source.observe(event(1, 0))
    day = event(2, 24)
    almost = Event(3, day.at - dt.timedelta(microseconds=1), "c", "s", 1.0)

    assert source.read(day)["card_count_1d"] == 0
    assert source.read(almost)["card_count_1d"] == 1


def test_a_flag_can_be_taken_back_and_given_twice():
    """The last word on an event holds; saying it again changes nothing; an id may come as text."""
    source = windows()
    source.observe(event(1, 0))
    later = event(2, 49)
    for number, flag in ((1, True), ("1", True), (1, False), ("1", True)):
        assert source.label(number, flag)

    assert source.read(later)["shop_flagged_1d"] == 1
    assert source.label(1, False)
    assert source.read(later)["shop_flagged_1d"] == 0


def test_what_is_turned_away_is_counted():
    """Twice, too late, too far ahead, a label of nothing: each has its own count."""
    source = windows(late_days=0)
    source.observe(event(1, 24 * 10))

    assert not source.observe(event(1, 24 * 10))
    assert not source.observe(event(2, 24))
    assert not source.observe(Event(3, dt.datetime(2099, 1, 1, tzinfo=dt.UTC), "c", "s", 1.0))
    assert not source.label(99, True)
    counts = source.statistics()
    assert {name: counts[name] for name in ("observed", "duplicate", "too_late", "too_far_ahead")} == {
        "observed": 1, "duplicate": 1, "too_late": 1, "too_far_ahead": 1
    }  # fmt: skip
    assert counts["label_unknown"] == 1
    assert source.read(event(1, 24 * 10))["card_count_1d"] == 1


def test_memory_has_a_limit():
    """Above `events_max` the earliest arrivals go, and the count says so."""
    source = windows(events_max=3, late_days=10)
    for number, hours in enumerate([5, 1, 9, 3, 7]):
        source.observe(event(number, hours, amount=number))
        source.label(number, True)
    row = source.read(event(9, 10))

    assert (row["card_count_1d"], row["card_sum_1d"]) == (3, 2 + 3 + 4)
    assert source.statistics()["evicted"] == 2
    assert source.read(event(9, 9 + 48))["shop_flagged_1d"] == 3


def test_an_amount_that_cannot_be_summed_exactly_is_refused():
    """Nothing is remembered of it, and the message does not repeat it."""
    source = windows()

    with pytest.raises(InputError, match="amount: too large") as raised:
        source.observe(event(1, 0, amount=1e300))

    assert "e+" not in str(raised.value)
    assert source.statistics()["events"] == 0


def test_a_seed_file_is_read_at_the_start_and_forgotten_at_the_end(tmp_path):
    """A relative path is relative to the config's folder; times without a zone are UTC."""
    rows = [
        {"id": n, "at": START.replace(tzinfo=None), "card": "c", "shop": "s", "amount": 2.0} for n in (1, 2)
    ]
    pl.DataFrame(rows).write_parquet(tmp_path / "past.parquet")
    views = {"card": {"key": "card", "days": [1], "measures": ["sum"]}}
    table = {"kind": "windows", "event": "id", "at": "at", "amount": "amount", "views": views}
    source = sources.open("w", table | {"seed": "past.parquet"}, folder=tmp_path)
    asyncio.run(source.start())

    assert source.read(event(3, 1)) == {"card_sum_1d": 4.0}
    asyncio.run(source.aclose())
    assert source.statistics()["events"] == 0


def test_a_seed_without_the_columns_is_refused(tmp_path):
    """Every missing column is named, with those that are there."""
    pl.DataFrame({"id": [1], "when": [START]}).write_parquet(tmp_path / "past.parquet")
    source = WindowsSource("w", settings(seed="past.parquet"), tmp_path)

    with pytest.raises(ConfigError, match=r"(?s)no column 'at'.*available: id, when.*no column 'card'"):
        asyncio.run(source.start())


def test_a_seed_that_is_not_there_is_refused(tmp_path):
    """A service that should remember does not start with an empty memory."""
    source = WindowsSource("w", settings(seed="nowhere.parquet"), tmp_path)

    with pytest.raises(ConfigError, match=r"\[sources.w\].seed: cannot be read"):
        asyncio.run(source.start())


def test_a_config_without_an_amount_cannot_sum():
    """Sums of nothing are a mistake, found before anything runs."""
    views = {"card": {"key": "card", "days": [1], "measures": ["sum"]}}
    problems = sources.check("w", {"kind": "windows", "event": "id", "at": "at", "views": views})

    assert [str(problem) for problem in problems] == [
        "[sources.w]: a view gives sums or means, and no 'amount' says of what"
    ]
