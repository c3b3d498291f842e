"""Train the fraud model on a week of payments, and test it on the week after next.

The week between is left out, as in life: its frauds are not reported yet when the model is trained. Features
look back 37 days (30, ended 7 days ago), so there must be that much history before. The week before the
training week calibrates: it turns scores into probabilities and ranks on payments the model has not seen.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from features import DAYS, FEATURES, LABEL_DELAY_DAYS, events_of, offline_features
from sklearn.metrics import average_precision_score, roc_auc_score

from veredito import learn
from veredito import model as vm

WEEK = dt.timedelta(days=7)
DELAY = dt.timedelta(days=LABEL_DELAY_DAYS)
HISTORY = dt.timedelta(days=30 + LABEL_DELAY_DAYS)
CARDS_A_DAY = 100  # as many as the investigators can look at

# Chosen on weeks of May, trained from the 8th and the 11th; the weeks of June were not looked at.
PARAMS = {
    "learning_rate": 0.05,
    "num_leaves": 8,
    "min_data_in_leaf": 60,
    "feature_fraction": 0.6,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "num_threads": 2,
}
TREES = 150

CALIBRATION = learn.on(column="part", value="calibration", name="calibration")

train = learn.pipeline(
    learn.imputer(
        [f"terminal_share_{days}d" for days in DAYS], strategy="constant", value=0.0
    ),  # no payments, no frauds
    learn.capper(["amount", "customer_mean_1d", "customer_mean_7d", "customer_mean_30d"]),
    learn.lightgbm_classifier(features=FEATURES, target="fraud", num_trees=TREES, params=PARAMS),
    learn.isotonic_calibrator(target="fraud", on=CALIBRATION),
    learn.ecdf(into="prediction_ecdf", on=CALIBRATION),
)
OUTPUTS = ("prediction", "calibrated", "prediction_ecdf")


class TooShortError(ValueError):
    """The table does not reach far enough back, or forward."""


@dataclass(frozen=True)
class Weeks:
    """Which days are for what.

    Args:
        training: the first day of the training week.
    """

    training: dt.date

    @property
    def calibration(self) -> dt.date:
        """The first day of the week before the training week."""
        return self.training - WEEK

    @property
    def test(self) -> dt.date:
        """The first day of the test week."""
        return self.training + WEEK + DELAY

    @classmethod
    def earliest(cls, table: pl.DataFrame) -> Weeks:
        """The first weeks with whole features, by a table's first day."""
        return cls(table["at"].min().date() + HISTORY + WEEK)  # type: ignore[union-attr]  # a time, by its dtype


def week(table: pl.DataFrame, first: dt.date) -> pl.DataFrame:
    """The rows of the seven days from `first`."""
    return table.filter(pl.col("at").dt.date().is_between(first, first + WEEK, closed="left"))


def training_table(table: pl.DataFrame, weeks: Weeks) -> pl.DataFrame:
    """The calibration and the training week, told apart by the column ``part``."""
    parts = {"calibration": weeks.calibration, "training": weeks.training}
    return pl.concat([week(table, first).with_columns(part=pl.lit(part)) for part, first in parts.items()])


def test_table(table: pl.DataFrame, weeks: Weeks) -> pl.DataFrame:
    """The test week without the customers whose fraud is known by the test day: their cards are blocked.

    Known are the frauds since the training week began, from 7 days after they happened.
    """
    frauds = table.filter(pl.col("fraud") == 1, pl.col("at").dt.date() >= weeks.training)
    first_fraud = frauds.group_by("customer_id").agg(_known=pl.col("at").dt.date().min() + DELAY)
    test = week(table, weeks.test).join(first_fraud, on="customer_id", how="left", maintain_order="left")
    return test.filter((pl.col("at").dt.date() < pl.col("_known")).fill_null(value=True)).drop("_known")


def card_precision(scored: pl.DataFrame, cards: int = CARDS_A_DAY) -> float:
    """Of the `cards` most suspicious cards of a day, the share with a fraud that day; the mean over days.

    A card whose fraud was found is blocked, and is not looked at again on later days.

    Args:
        scored: at, customer_id, fraud and prediction.
        cards: how many are looked at in a day.
    """
    found: list[int] = []
    precisions: list[float] = []
    for (_,), day in scored.group_by(pl.col("at").dt.date(), maintain_order=True):
        open_cards = day.filter(~pl.col("customer_id").is_in(found)).group_by(
            "customer_id", maintain_order=True
        )
        suspects = open_cards.agg(pl.col("prediction", "fraud").max())
        looked_at = suspects.sort("prediction", descending=True, maintain_order=True).head(cards)
        caught = looked_at.filter(fraud=1)["customer_id"].to_list()
        precisions.append(len(caught) / cards)
        found += caught
    return sum(precisions) / len(precisions)


def measure(scored: pl.DataFrame) -> dict[str, float]:
    """The three numbers that papers on this data report."""
    return {
        "roc_auc": float(roc_auc_score(scored["fraud"], scored["prediction"])),
        "average_precision": float(average_precision_score(scored["fraud"], scored["prediction"])),
        f"card_precision_{CARDS_A_DAY}": card_precision(scored),
    }


def fit(table: pl.DataFrame, weeks: Weeks) -> tuple[Any, dict[str, float], Any]:
    """Train on a week and test on the week after next.

    Args:
        table: as `offline_features` gives it.
        weeks: which days are for what.

    Returns:
        The fitted pipeline, its metrics on the test week, and the learners' log.

    Raises:
        TooShortError: the table does not reach from 37 days before the calibration week to the test week.
    """
    first, last = table["at"].min().date(), table["at"].max().date()  # type: ignore[union-attr]  # times, by their dtype
    if first > weeks.calibration - HISTORY or last < weeks.test:
        message = f"training in the week of {weeks.training} needs payments from {weeks.calibration - HISTORY} to {weeks.test}"
        raise TooShortError(message)
    step, _, log = train(training_table(table, weeks))
    return step, measure(step(test_table(table, weeks))), log


def save(
    step: Any, table: pl.DataFrame, weeks: Weeks, folder: Path, metrics: dict[str, float], log: Any
) -> None:
    """Write the model's folder, with a sample of training rows that prove it whenever it is loaded."""
    sample = week(table, weeks.training).select(FEATURES).sample(200, seed=0)
    vm.save(step, folder, sample=sample, name="fraud", outputs=OUTPUTS, metrics=metrics, log=log)


def main() -> None:
    """Train, print what the test weeks say, and save the last model."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "transactions", type=Path, nargs="?", default=os.environ.get("VEREDITO_TRANSACTIONS"),
        help="a Parquet file, as simulate.py writes them; VEREDITO_TRANSACTIONS if not given",
    )  # fmt: skip
    parser.add_argument("--training", type=dt.date.fromisoformat, help="first day of the training week")
    parser.add_argument("--weeks", type=int, default=1, help="how many training weeks, one after the other")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "models" / "fraud")
    arguments = parser.parse_args()
    if arguments.transactions is None:
        parser.error("which transactions? Make some with: python simulate.py var/payments.parquet")
    table = offline_features(events_of(pl.read_parquet(arguments.transactions)))
    first = Weeks(arguments.training) if arguments.training else Weeks.earliest(table)
    print("training week  test week     ROC-AUC  average precision  card precision@100")
    for number in range(arguments.weeks):
        weeks = Weeks(first.training + number * WEEK)
        step, metrics, log = fit(table, weeks)
        roc_auc, average_precision, precision = metrics.values()
        print(
            f"{weeks.training}     {weeks.test}    {roc_auc:7.3f}  {average_precision:17.3f}  {precision:18.3f}"
        )
    save(step, table, weeks, arguments.out, metrics, log)
    print(f"saved: {arguments.out}")


if __name__ == "__main__":
    main()
