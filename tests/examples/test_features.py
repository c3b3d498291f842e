"""Features: the same numbers from the table and from the events, and nothing from the future."""

import datetime as dt
import tomllib
from pathlib import Path

import features as module
import polars as pl
import pytest
from features import FEATURES, Transaction, applicable, events_of, features, offline_features
from polars.testing import assert_frame_equal
from simulate import World, simulate

from veredito import sources
from veredito.graph import Graph

LABEL_DELAY = dt.timedelta(days=7)
WORLD = World(customers=120, terminals=150, days=50, radius=15.0, seed=3)


@pytest.fixture(scope="module")
def config():
    return tomllib.loads((Path(module.__file__).parent / "service.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def events():
    return events_of(simulate(WORLD))


def velocity(config, **more):
    return sources.open(
        "velocity", {k: v for k, v in config["sources"]["velocity"].items() if k != "seed"} | more
    )


def online_features(source, events):
    """The rows as the service makes them: each event observed, then read; labels as they become known."""
    rows, unlabelled = [], []
    for row in events.iter_rows(named=True):
        fraud = row.pop("fraud")
        event = Transaction(**row)
        while unlabelled and unlabelled[0][0] <= event.at - LABEL_DELAY:
            source.label(unlabelled.pop(0)[1], True)
        source.observe(event)
        rows.append(features(event, source.read(event)))
        if fraud:
            unlabelled.append((event.at, event.transaction_id))
    return rows


def test_online_and_offline_features_are_equal(config, events):
    """Sent in order through the service's windows, every event has the numbers that the table gives."""
    offline = offline_features(events).select(FEATURES)

    online = online_features(velocity(config), events)

    assert_frame_equal(pl.DataFrame(online, schema=offline.schema), offline, check_exact=True)
    assert offline["terminal_share_30d"].max() > 0, "there is something to agree about"


def test_online_features_after_a_seed_are_equal_too(config, events, tmp_path):
    """A service that starts in the middle, with the past from a file, goes on with the same numbers."""
    start = events["at"][0] + dt.timedelta(days=45)
    past, future = events.filter(pl.col("at") < start), events.filter(pl.col("at") >= start)
    known = pl.col("fraud") * (pl.col("at") <= start - LABEL_DELAY)
    source = velocity(config)
    source.seed(past.with_columns(fraud=known))
    for at, number in past.filter(fraud=1).select("at", "transaction_id").iter_rows():
        source.label(number, at <= start + dt.timedelta(days=5) - LABEL_DELAY)
    offline = offline_features(events).filter(pl.col("at") >= start).select(FEATURES)

    online = online_features(source, future)

    assert_frame_equal(pl.DataFrame(online, schema=offline.schema), offline, check_exact=True)


def test_what_happens_later_changes_nothing(events):
    """An event's features are the same whether or not the table goes on after it."""
    cut = events.head(events.height // 2)

    assert_frame_equal(offline_features(cut), offline_features(events).head(cut.height), check_exact=True)


def test_a_fraud_counts_only_after_the_label_delay(events):
    """The last seven days' frauds are unknown: taking their labels away changes no feature."""
    end = events["at"][-1]
    unknown = events.with_columns(fraud=pl.col("fraud") * (pl.col("at") <= end - LABEL_DELAY))
    last = offline_features(events).tail(1).select(FEATURES)

    assert_frame_equal(offline_features(unknown).tail(1).select(FEATURES), last)


def test_rows_and_their_order_stay(events):
    """Features add columns: same rows, same order."""
    assert_frame_equal(offline_features(events).select(events.columns), events)


def test_events_of_a_table_are_in_order_of_time(events):
    """The table may come in any order."""
    shuffled = simulate(WORLD).sample(fraction=1.0, shuffle=True, seed=0)

    assert_frame_equal(events_of(shuffled), events)


def test_night_and_weekend_are_of_utc():
    """A caller's offset from UTC moves no feature: the table that the model learnt from is in UTC."""
    here = dt.datetime(
        2018, 6, 2, 1, tzinfo=dt.timezone(dt.timedelta(hours=8))
    )  # Saturday here, Friday 17 h UTC
    row = features(Transaction(transaction_id=1, at=here, customer_id=1, terminal_id=1, amount=1.0), {})

    assert (row["is_night"], row["is_weekend"]) == (False, False)


@pytest.mark.parametrize(
    ("amount", "count", "share", "asks_the_model"),
    [
        (5.0, 50, 0.0, False),
        (50.0, 50, 0.0, True),
        (5.0, 4, 0.0, True),
        (5.0, 0, None, True),
        (5.0, 50, 0.1, True),
    ],
)
def test_the_pre_policy_lets_only_small_payments_at_known_clean_terminals_pass(
    amount, count, share, asks_the_model
):
    """Anything large, anywhere unknown, or anywhere with frauds goes to the model."""
    event = Transaction(
        transaction_id=1,
        at=dt.datetime(2018, 6, 1, tzinfo=dt.UTC),
        customer_id=1,
        terminal_id=1,
        amount=amount,
    )

    assert applicable(event, {"terminal_count_30d": count, "terminal_share_30d": share}) is asks_the_model


def test_the_features_are_a_graph(config):
    """Every name that a node asks for is there: an input, a node or a configured source."""
    graph = Graph.of(module, sources=tuple(config["sources"]))

    assert {"features", "applicable", "customer", "card", "terminal", "device"} <= set(graph.nodes)


def test_the_pre_policy_needs_no_other_service(config):
    """What is decided by the pre-policy costs no request to anybody."""
    plan = Graph.of(module, sources=tuple(config["sources"])).plan("applicable")
    event = Transaction(
        transaction_id=1, at=dt.datetime(2018, 6, 1, tzinfo=dt.UTC), customer_id=1, terminal_id=1, amount=5.0
    )

    run = plan.run({"transaction": event}, {"velocity": velocity(config)})

    assert run.value is True
    assert {name for name, outcome in run.outcomes.items() if outcome.kind == "fresh"} <= {
        "transaction", "history", "applicable"
    }  # fmt: skip


def test_the_sources_of_the_config_are_in_order(config):
    """Every ``[sources.*]`` of the example passes the check."""
    assert [
        problem for name, table in config["sources"].items() for problem in sources.check(name, table)
    ] == []
