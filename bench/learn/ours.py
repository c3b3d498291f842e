"""The seven steps here: python -m bench.learn.ours FOLDER ROUNDS. Prints JSON, and leaves its scores in the folder."""

import json
import sys
from pathlib import Path

import polars as pl
from sklearn.linear_model import LogisticRegression

from bench.learn.columns import CATEGORIES, COUNTED, HOT, MODEL, NUMBERS, PLACEHOLDER, TARGET, UNSEEN_COUNT
from bench.learn.measured import OwnFit, measured
from veredito import learn

FEATURES = [*NUMBERS, *COUNTED, *(f"{name}={i:04}" for name in HOT for i in range(CATEGORIES[name]))]
SEVEN_STEPS = learn.pipeline(
    learn.imputer(NUMBERS, strategy="constant", value=PLACEHOLDER),
    learn.capper(NUMBERS),
    learn.count_encoder(COUNTED, unseen=UNSEEN_COUNT),
    learn.one_hot(HOT),
    learn.standard_scaler([*NUMBERS, *COUNTED]),
    learn.logistic_regression(FEATURES, target=TARGET, params=MODEL),
    learn.ecdf(),
)


def main(folder, rounds):
    own = OwnFit(LogisticRegression)
    table = pl.read_parquet(folder / "fit.parquet")
    fits, scores = [], []
    for _ in range(rounds):
        (model, _, _), fit = measured(lambda: SEVEN_STEPS(table))
        fits.append(fit | own.taken())
    del table
    table = pl.read_parquet(folder / "score.parquet")
    for _ in range(rounds):
        scored, score = measured(lambda: model(table))
        scores.append(score)
        result = scored.select("prediction", "prediction_ecdf")
        del scored
    result.write_parquet(folder / "ours.parquet")
    json.dump({"fit": fits, "score": scores}, sys.stdout)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
