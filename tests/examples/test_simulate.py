"""The simulated world: seeded, ordered, with the frauds that it promises."""

import dataclasses
import subprocess
import sys

import polars as pl
import pytest
import simulate as module
from polars.testing import assert_frame_equal
from simulate import LARGE_AMOUNT, World, simulate

SMALL = World(customers=300, terminals=800, days=40, radius=10.0)


@pytest.fixture(scope="module")
def table():
    return simulate(SMALL)


def test_the_same_seed_gives_the_same_table(table):
    """A world is its seed: two runs agree in every cell."""
    assert_frame_equal(simulate(SMALL), table)


def test_another_seed_gives_another_table(table):
    """The seed is used."""
    assert not simulate(dataclasses.replace(SMALL, seed=1)).equals(table)


def test_payments_are_in_order_of_time_and_numbered_so(table):
    """Identifiers rise with time, so a reader may replay the table from top to bottom."""
    assert table["TX_DATETIME"].is_sorted()
    assert table["TRANSACTION_ID"].to_list() == list(range(table.height))


def test_every_kind_of_fraud_occurs_and_most_payments_are_honest(table):
    """All three thieves are at work, and fraud stays the exception."""
    assert set(table["TX_FRAUD_SCENARIO"].unique()) == {0, 1, 2, 3}
    assert 0.001 < table["TX_FRAUD"].mean() < 0.2
    assert table.filter(pl.col("TX_FRAUD") != (pl.col("TX_FRAUD_SCENARIO") > 0)).is_empty()


def test_no_large_amount_is_honest(table):
    """The first kind of fraud is what a single rule can find."""
    assert table.filter(pl.col("TX_AMOUNT") > LARGE_AMOUNT, pl.col("TX_FRAUD") == 0).is_empty()


def test_amounts_are_whole_cents_and_never_negative(table):
    """Money has cents; a payment is not a refund."""
    cents = table["TX_AMOUNT"] * 100

    assert table["TX_AMOUNT"].min() >= 0
    assert (cents - cents.round()).abs().max() < 1e-6


def test_most_payments_are_made_by_day(table):
    """Times are centred on noon."""
    assert table["TX_DATETIME"].dt.hour().is_between(6, 17).mean() > 0.6


def test_a_compromised_terminal_has_only_frauds_while_it_lasts(table):
    """Thieves who hold a terminal take every payment there, day after day, and in time they go."""
    frauds = table.filter(TX_FRAUD_SCENARIO=2).select("TERMINAL_ID", "TX_TIME_DAYS").unique()
    there = table.join(frauds, on=["TERMINAL_ID", "TX_TIME_DAYS"])

    assert there["TX_FRAUD"].min() == 1


def test_nobody_within_reach_means_no_payments():
    """A customer without a terminal nearby pays nowhere, and breaks nothing."""
    lonely = simulate(World(customers=20, terminals=3, days=5, radius=1.0))

    assert lonely.height < 20 * 5 * 4


def test_the_command_writes_the_table_that_the_function_gives(tmp_path):
    """The command line and the function are one."""
    out = tmp_path / "payments.parquet"
    command = [sys.executable, module.__file__, out, "--customers", "40", "--terminals", "200"]
    ran = subprocess.run([*command, "--days", "3", "--seed", "5"], capture_output=True, text=True)

    assert ran.returncode == 0, ran.stderr
    assert_frame_equal(pl.read_parquet(out), simulate(World(customers=40, terminals=200, days=3, seed=5)))
