"""The seven steps in fklearn: python -m bench.learn.fklearn_side FOLDER ROUNDS, in its own environment.

Written as its documentation writes them. Prints JSON, and leaves its scores in the folder.
"""

import json
import sys
import warnings
from pathlib import Path

import pandas as pd
from fklearn.training.classification import logistic_classification_learner
from fklearn.training.imputation import placeholder_imputer
from fklearn.training.pipeline import build_pipeline
from fklearn.training.transformation import (
    capper,
    count_categorizer,
    ecdfer,
    onehot_categorizer,
    standard_scaler,
)
from sklearn.linear_model import LogisticRegression

from bench.learn.columns import COUNTED, HOT, MODEL, NUMBERS, PLACEHOLDER, TARGET, UNSEEN_COUNT
from bench.learn.measured import OwnFit, measured

SEVEN_STEPS = build_pipeline(
    placeholder_imputer(columns_to_impute=NUMBERS, placeholder_value=PLACEHOLDER),
    capper(columns_to_cap=NUMBERS),
    count_categorizer(columns_to_categorize=COUNTED, replace_unseen=UNSEEN_COUNT),
    onehot_categorizer(columns_to_categorize=HOT),
    standard_scaler(columns_to_scale=[*NUMBERS, *COUNTED]),
    logistic_classification_learner(features=[*NUMBERS, *COUNTED, *HOT], target=TARGET, params=MODEL),
    ecdfer(),
)


def main(folder, rounds):
    warnings.simplefilter("ignore", FutureWarning)  # scikit-learn's, of a parameter that fklearn sets
    own = OwnFit(LogisticRegression)
    table = pd.read_parquet(folder / "fit.parquet")
    fits, scores = [], []
    for _ in range(rounds):
        (model, _, _), fit = measured(lambda: SEVEN_STEPS(table))
        fits.append(fit | own.taken())
    del table
    table = pd.read_parquet(folder / "score.parquet")
    for _ in range(rounds):
        scored, score = measured(lambda: model(table))
        scores.append(score)
        result = scored[["prediction", "prediction_ecdf"]].reset_index(drop=True)
        del scored
    result.to_parquet(folder / "fklearn.parquet")
    json.dump({"fit": fits, "score": scores}, sys.stdout)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
