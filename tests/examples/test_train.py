"""Training: out of time, without the frauds that nobody could know of, and as good as what is published."""

import datetime as dt
import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from features import FEATURES, events_of, offline_features
from simulate import World, simulate
from train import OUTPUTS, WEEK, Weeks, card_precision, fit, test_table, training_table

pytest.importorskip("lightgbm")

WEEKS = Weeks(dt.date(2018, 5, 15))
test_table.__test__ = False  # it is called what it makes, and is no test


@pytest.fixture(scope="module")
def table():
    return offline_features(events_of(simulate(World(customers=600, terminals=1_200, radius=10.0))))


@pytest.fixture(scope="module")
def fitted(table):
    return fit(table, WEEKS)


def day(number, customer, fraud, prediction):
    at = dt.datetime(2018, 6, number, 12, tzinfo=dt.UTC)
    return {"at": at, "customer_id": customer, "fraud": fraud, "prediction": prediction}


def test_the_weeks_follow_each_other_with_the_delay_between(table):
    """Calibration, training, a week for the frauds to be reported, test."""
    assert Weeks.earliest(table) == WEEKS
    assert (WEEKS.calibration, WEEKS.test) == (dt.date(2018, 5, 8), dt.date(2018, 5, 29))


def test_training_sees_nothing_from_after_its_week(table):
    """The last training row is older than the first test row by the label delay."""
    trained = training_table(table, WEEKS)

    assert trained["at"].max().date() == WEEKS.training + WEEK - dt.timedelta(days=1)
    assert test_table(table, WEEKS)["at"].min().date() == WEEKS.test
    assert set(trained["part"]) == {"calibration", "training"}


def test_customers_with_a_known_fraud_are_not_tested(table):
    """From seven days after a fraud of theirs their cards are blocked; a fraud of yesterday is not known yet."""
    tested = test_table(table, WEEKS)
    frauds = table.filter(pl.col("fraud") == 1, pl.col("at").dt.date() >= WEEKS.training)
    first = frauds.group_by("customer_id").agg(first=pl.col("at").min().dt.date())
    joined = tested.join(first, on="customer_id")

    assert joined.filter(pl.col("at").dt.date() >= pl.col("first") + WEEK).is_empty()
    assert joined["fraud"].sum() == tested["fraud"].sum() > 0


def test_card_precision_counts_cards_and_blocks_those_it_found():
    """Two payments of one card count once; a card found on the first day gives its place to another."""
    first = [day(1, 1, 1, 0.9), day(1, 1, 0, 0.8), day(1, 2, 0, 0.7), day(1, 3, 1, 0.1)]
    second = [day(2, 1, 1, 0.9), day(2, 2, 0, 0.8), day(2, 3, 1, 0.7)]
    scored = pl.DataFrame([*first, *second])

    assert card_precision(scored, cards=2) == pytest.approx((1 / 2 + 1 / 2) / 2)


def test_the_model_ranks_frauds_above_the_rest(fitted):
    """On the simulated world, too, the test week is far better than chance."""
    _, metrics, _ = fitted

    assert metrics["roc_auc"] > 0.75
    assert metrics["average_precision"] > 0.3


def test_training_twice_gives_the_same_model(table, fitted):
    """Nothing of it is left to chance."""
    again, metrics, _ = fit(table, WEEKS)
    rows = table.tail(500).select(FEATURES)

    assert metrics == fitted[1]
    assert again(rows).equals(fitted[0](rows))


def test_probabilities_and_ranks_are_in_their_ranges(table, fitted):
    """What the policy compares: a probability, and a rank from 0 to 1000 that rises with the score."""
    scored = fitted[0](table.tail(2_000).select(FEATURES)).sort("prediction")

    assert set(OUTPUTS) <= set(scored.columns)
    assert scored["calibrated"].is_between(0, 1).all()
    assert scored["prediction_ecdf"].is_between(0, 1000).all()
    assert scored["prediction_ecdf"].is_sorted()
    assert scored["calibrated"].is_sorted()


def test_a_table_that_is_too_short_is_refused(table):
    """Features look back 37 days: without them the numbers would be of something else."""
    with pytest.raises(ValueError, match="needs payments from 2018-04-01 to 2018-05-29"):
        fit(table.filter(pl.col("at").dt.date() > dt.date(2018, 4, 1)), WEEKS)


@pytest.fixture(scope="module")
def published():
    path = os.environ.get("VEREDITO_TRANSACTIONS")
    if not path or not Path(path).is_file():
        pytest.skip("VEREDITO_TRANSACTIONS does not name a file of payments")
    return offline_features(events_of(pl.read_parquet(path)))


@pytest.mark.timeout(600)  # four trainings
def test_weeks_of_june_are_as_good_as_published(published):
    """Mean of June's four test weeks, against what is published for random forests and boosting."""
    starts = [dt.date(2018, 5, 18) + number * WEEK for number in range(4)]
    metrics = [fit(published, Weeks(start))[1] for start in starts]
    mean = {name: np.mean([week[name] for week in metrics]) for name in metrics[0]}

    assert mean["roc_auc"] >= 0.865
    assert mean["average_precision"] >= 0.645
    assert mean["card_precision_100"] >= 0.28
