"""Every learner that is shipped, once or more, on one table of card payments."""

import numpy as np
import polars as pl
import pytest
from tests.learn.model_cases import AFTER, MODELS, REASONS, marks

from veredito import learn


def payments(rows=400, seed=0):
    rng = np.random.default_rng(seed)
    amount = np.round(rng.lognormal(3, 1.2, rows), 2)
    age = rng.integers(18, 90, rows)
    risky = rng.random(rows) < 1 / (1 + np.exp(3 - amount / 40))
    table = pl.DataFrame(
        {
            "amount": amount,
            "age": age,
            "tenure": rng.normal(10, 4, rows),
            "merchant": rng.choice(
                ["air", "bar", "cafe", "deli", "eats"], rows, p=[0.5, 0.3, 0.15, 0.04, 0.01]
            ),
            "country": rng.choice(["BR", "PT", "US"], rows),
            "mcc": rng.choice([5411, 5812, 4111], rows),
            "weekend": rng.random(rows) < 0.3,
            "prediction": np.round(rng.random(rows), 3),
            "other": rng.random(rows),
            "fraud": risky.astype(int),
            "loss": amount * risky,
            "grade": rng.choice(["a", "b", "c"], rows),
            "at": pl.datetime_range(
                pl.datetime(2018, 4, 1), pl.datetime(2018, 6, 30), f"{90 * 86400 // rows}s", eager=True
            )[:rows],
        }
    )
    holes = {name: pl.Series(rng.random(rows) < 0.1) for name in ("tenure", "merchant", "mcc", "weekend")}
    return table.with_columns(
        [pl.when(hole).then(None).otherwise(pl.col(name)).alias(name) for name, hole in holes.items()]
    )


def strange(table):
    """The same columns with values that no training table had."""
    n = table.height
    return table.with_columns(
        amount=pl.Series([np.inf, -np.inf, None, np.nan, 0.0, -1.0, 1e300, 5e-324] * n)[:n],
        tenure=pl.Series([None, np.nan, -5.0, np.inf, -np.inf] * n)[:n],
        merchant=pl.Series([None, "zoo", "air", "", "bar"] * n)[:n],
        country=pl.Series(["PT", None, "FR"] * n)[:n],
        mcc=pl.Series([None, 1, 5411, -7] * n)[:n],
        prediction=pl.Series([None, np.nan, -1.0, 0.0, 0.5, 1.0, 2.0, np.inf, -np.inf] * n)[:n],
    )


CASES = {
    "imputer_mean": learn.imputer(["amount", "tenure"]),
    "imputer_median": learn.imputer(["age", "tenure"], strategy="median"),
    "imputer_most_frequent": learn.imputer(["mcc", "merchant", "weekend"], strategy="most_frequent"),
    "imputer_constant": learn.imputer(["age", "mcc", "amount"], strategy="constant", value=-999),
    "imputer_text": learn.imputer(["merchant", "country"], strategy="constant", value="none"),
    "missing_flags": learn.missing_flags(["tenure", "merchant", "age"]),
    "capper": learn.capper(["amount", "age", "mcc"], bounds={"age": 60}),
    "floorer": learn.floorer(["tenure", "age"], bounds={"tenure": 2.5}),
    "clip": learn.clip(["amount", "age"], low=20, high=50.5),
    "selector": learn.selector(["amount", "merchant", "at"]),
    "dropper": learn.dropper(["amount", "merchant"]),
    "rename": learn.rename({"amount": "value", "merchant": "shop"}),
    "value_mapper": learn.value_mapper(
        {"mcc": {5411: 1, 5812: 2.0}, "merchant": {"air": "bar", None: "none"}, "age": {20: None}}
    ),
    "value_mapper_missing": learn.value_mapper(
        {"mcc": {5411: "food", None: "?"}, "merchant": {"air": 1.5, "zoo": 2}, "country": {"BR": "BR"}},
        unseen="missing",
    ),
    "truncate_categories": learn.truncate_categories(["merchant", "country"], share=0.1),
    "truncate_numbers": learn.truncate_categories(["mcc", "age"], share=0.02, replacement=-1),
    "label_encoder": learn.label_encoder(["merchant", "mcc", "weekend"], unseen=-99),
    "label_encoder_kept": learn.label_encoder(["merchant"], keep_as="merchant_text"),
    "count_encoder": learn.count_encoder(["merchant", "country", "mcc"], keep_as={"mcc": "mcc_raw"}),
    "frequency_encoder": learn.frequency_encoder(["merchant", "mcc"]),
    "rank_encoder": learn.rank_encoder(["merchant", "mcc"], unseen=0.5),
    "target_encoder": learn.target_encoder(["merchant", "mcc"], target="fraud", smoothing=10),
    "target_encoder_held": learn.target_encoder(
        ["merchant"], target="loss", on=learn.on(column="country", value="BR"), keep_as="m"
    ),
    "one_hot": learn.one_hot(["merchant", "mcc"]),
    "one_hot_all": learn.one_hot(["merchant", "mcc"], keep=True, missing=True, unseen=True, drop_first=True),
    "quantile_binner": learn.quantile_binner(["amount", "tenure"], bins=5),
    "quantile_binner_left": learn.quantile_binner(
        ["age", "amount"], bins=4, closed="left", keep_as={"age": "years"}
    ),
    "binner": learn.binner(["amount", "age"], edges=[0, 20, 50]),
    "standard_scaler": learn.standard_scaler(["amount", "tenure", "age"]),
    "min_max_scaler": learn.min_max_scaler(["amount", "tenure"]),
    "calendar": learn.calendar(
        "at", parts=["year", "month", "day", "weekday", "hour", "minute", "second"], offset_hours=-3
    ),
    "cyclic_time": learn.cyclic_time("at", periods=["hour", "day", "week", "year"]),
    "column_function": learn.column_function(np.hypot, columns=["amount", "tenure"], into="length"),
    "expression": learn.expression(
        [
            (pl.col("amount") / pl.col("age")).alias("ratio"),
            pl.col("at").dt.hour().alias("hour"),
            (pl.col("merchant") + "!").alias("loud"),
            (pl.col("age") // 7).alias("sevens"),
        ]
    ),
    "ecdf": learn.ecdf(),
    "ecdf_descending": learn.ecdf(descending=True, scale=100),
    "discrete_ecdf": learn.discrete_ecdf(scale=50),
    "discrete_ecdf_up": learn.discrete_ecdf(scale=50, rounding="up", descending=True),
    "isotonic": learn.isotonic_calibrator(target="fraud"),
    "isotonic_weighted": learn.isotonic_calibrator(target="fraud", weight="age"),
    "lightgbm_classifier": learn.lightgbm_classifier(
        ["amount", "age", "tenure", "merchant", "weekend", "at"], target="fraud", num_trees=15
    ),
    "lightgbm_multiclass": learn.lightgbm_classifier(
        ["amount", "country"], target="grade", num_trees=5, weight="age"
    ),
    "lightgbm_regressor": learn.lightgbm_regressor(
        ["amount", "age"],
        target="loss",
        num_trees=15,
        validation=learn.on(fraction=0.2, name="validation"),
        early_stopping=3,
    ),
    **MODELS,
    **AFTER,
    **REASONS,
    "pipeline_with_a_column_of_its_own": learn.pipeline(
        learn.column_function(np.hypot, columns=["amount", "age"], into="length"),
        learn.ecdf(prediction="length", into="rank"),
        learn.dropper(["length"]),
    ),
    "side_by_side": learn.side_by_side(
        learn.capper(["amount"], bounds={"amount": 20}),
        learn.ecdf(prediction="amount", into="rank"),
        learn.pipeline(learn.label_encoder(["merchant"]), learn.missing_flags(["merchant", "tenure"])),
        learn.one_hot(["country"]),
    ),
    "per_segment": learn.per_segment(
        learn.pipeline(
            learn.capper(["amount"]),
            learn.target_encoder(["merchant"], target="fraud"),
            learn.lightgbm_classifier(["amount", "merchant"], target="fraud", num_trees=4),
            learn.ecdf(on=learn.on(fraction=0.3)),
        ),
        by="country",
    ),
    "per_segment_of_numbers": learn.per_segment(
        learn.side_by_side(
            learn.one_hot(["merchant"], keep=True),
            learn.imputer(["tenure", "country"], strategy="most_frequent"),
        ),
        by="mcc",
        rows_min=30,
        otherwise="missing",
    ),
    "when_missing": learn.when_missing(
        ["tenure", "merchant"],
        then=learn.pipeline(
            learn.standard_scaler(["age"]),
            learn.lightgbm_regressor(["amount", "age"], target="loss", num_trees=4, into="p"),
            learn.dropper(["country"]),
        ),
        otherwise=learn.pipeline(
            learn.lightgbm_regressor(["amount", "tenure", "merchant"], target="loss", num_trees=4, into="p"),
            learn.truncate_categories(["merchant"], share=0.1),
        ),
    ),
    "pipeline": learn.pipeline(
        learn.imputer(["tenure"]),
        learn.capper(["amount", "tenure"]),
        learn.lightgbm_classifier(["amount", "tenure", "merchant"], target="fraud", num_trees=10, into="p"),
        learn.isotonic_calibrator(target="fraud", prediction="p", on=learn.on(fraction=0.3)),
        learn.pipeline(learn.ecdf(prediction="p", into="rank", on=learn.on(fraction=0.3))),
    ),
}

PARAMETERS = [pytest.param(case, marks=marks(case)) for case in CASES]
"""The cases for `parametrize`: those whose library is not installed are skipped."""
