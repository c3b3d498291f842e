"""fklearn 4.2: the same steps, fitted by its own learners on the same table; runs in its own environment.

python -m bench.row.fklearn_subject ROWS prints {"us": median of one row, JSON bytes to JSON bytes}.
"""

import json
import statistics
import sys
from time import perf_counter_ns

import pandas as pd
from fklearn.training.calibration import isotonic_calibration_learner
from fklearn.training.classification import lgbm_classification_learner
from fklearn.training.imputation import imputer
from fklearn.training.pipeline import build_pipeline
from fklearn.training.transformation import (
    capper,
    count_categorizer,
    ecdfer,
    floorer,
    label_categorizer,
    standard_scaler,
)

from bench.serving.rows import NAMES, NUMBERS, TEXTS, columns
from bench.serving.steps import STORE

ROWS, TREES, WARM_UP = 20_000, 300, 5
PARAMETERS = {"num_leaves": 63, "min_data_in_leaf": 20, "num_threads": 1, "seed": 7, "verbosity": -1}


def fitted():
    """The prediction function that fklearn's pipeline gives."""
    learner = build_pipeline(
        imputer(columns_to_impute=NUMBERS, impute_strategy="median"),
        capper(columns_to_cap=NUMBERS),
        floorer(columns_to_floor=NUMBERS),
        standard_scaler(columns_to_scale=NUMBERS),
        count_categorizer(columns_to_categorize=TEXTS[:3], replace_unseen=1),
        label_categorizer(columns_to_categorize=TEXTS[3:]),
        lgbm_classification_learner(
            features=NAMES, target="target", learning_rate=0.05, num_estimators=TREES, extra_params=PARAMETERS,
            encode_extra_cols=False,
        ),
        isotonic_calibration_learner(target_column="target", output_column="calibrated"),
        ecdfer(),
    )  # fmt: skip
    return learner(pd.DataFrame(columns(ROWS, seed=3)))[0]


def answer(predict, body):
    """A request's body to the answer's; one row with a missing number has no numeric type of its own."""
    frame = pd.DataFrame([json.loads(body)]).astype(dict.fromkeys(NUMBERS, float))
    scored = predict(frame)[["prediction", "calibrated", "prediction_ecdf"]]
    return json.dumps(scored.iloc[0].to_dict()).encode()


def main(rows):
    predict = fitted()
    bodies = [json.dumps(row).encode() for row in json.loads((STORE / "rows.json").read_text())[:rows]]
    taken = []
    for body in [*bodies[:WARM_UP], *bodies]:
        begun = perf_counter_ns()
        answer(predict, body)
        taken.append(perf_counter_ns() - begun)
    print(json.dumps({"us": statistics.median(taken[WARM_UP:]) / 1_000}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
