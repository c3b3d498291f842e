"""The six steps, the calibration and the ecdf in numpy, from the fitted state in JSON.

Every peer but FastAPI + pandas runs this: it is what a team writes that has left data frames behind, so the
peers are compared by what they add, not by a slow model. LightGBM is called as its documentation shows,
`Booster.predict`, on one thread.
"""

import json
import os
from pathlib import Path

import numpy as np

from bench.serving.rows import NAMES, NUMBERS, TEXTS

STORE = Path(os.environ.get("BENCH_STORE", ".tools/bench"))
OUTPUTS = ("prediction", "calibrated", "prediction_ecdf")


class Steps:
    """The fitted state, and the arithmetic that it is for."""

    def __init__(self, folder=STORE):
        state = json.loads((Path(folder) / "state.json").read_text())
        for name in ("median", "cap", "floor", "shift", "factor"):
            setattr(self, name, np.array(state[name]))
        self.codes = [state["codes"][name] for name in TEXTS]
        self.unseen = [_number(state["unseen"][name]) for name in TEXTS]
        self.knots, self.levels = np.array(state["isotonic_x"]), np.array(state["isotonic_y"])
        self.sorted, self.ranks = np.array(state["ecdf_values"]), np.array(state["ecdf_ranks"])

    def fill(self, rows):
        """Dictionaries to the matrix that the model reads: imputed, capped, floored, scaled, encoded."""
        matrix = np.array(
            [[row[name] for name in NUMBERS] + [np.nan] * len(TEXTS) for row in rows], dtype=np.float64
        )
        self.change(matrix[:, : len(NUMBERS)])
        for slot, (name, codes, unseen) in enumerate(
            zip(TEXTS, self.codes, self.unseen, strict=True), len(NUMBERS)
        ):
            matrix[:, slot] = [np.nan if row[name] is None else codes.get(row[name], unseen) for row in rows]
        return matrix

    def change(self, numbers):
        """Impute, cap, floor and scale, in place."""
        np.copyto(numbers, self.median, where=np.isnan(numbers))
        np.minimum(numbers, self.cap, out=numbers)
        np.maximum(numbers, self.floor, out=numbers)
        np.subtract(numbers, self.shift, out=numbers)
        np.multiply(numbers, self.factor, out=numbers)

    def after(self, predictions):
        """Calibrated probabilities and ecdf ranks."""
        calibrated = np.interp(predictions, self.knots, self.levels)
        return calibrated, self.ranks[np.searchsorted(self.sorted, predictions, side="right")]


class Scorer:
    """Rows in, answers out, as dictionaries."""

    def __init__(self, folder=STORE):
        import lightgbm

        self.steps = Steps(folder)
        self.booster = lightgbm.Booster(model_file=str(Path(folder) / "model.txt"))
        if self.booster.num_feature() != len(NAMES):
            raise ValueError(
                f"the model has {self.booster.num_feature()} features, the rows have {len(NAMES)}"
            )

    def __call__(self, rows):
        predictions = self.booster.predict(self.steps.fill(rows), num_threads=1)
        columns = (predictions, *self.steps.after(predictions))
        return [
            dict(zip(OUTPUTS, values, strict=True))
            for values in zip(*(column.tolist() for column in columns), strict=True)
        ]


def _number(value):
    return np.nan if value is None else value
