"""Train the one model, and store it so that every peer can compute the same.

python -m bench.serving.prepare writes .tools/bench/: model.txt (LightGBM's own text), state.json (what the
steps learned), rows.json (requests) and answers.json (what each of them must be answered).
"""

import json
from pathlib import Path

import numpy as np

from bench.serving.rows import NAMES, NUMBERS, TEXTS, columns, requests
from bench.serving.steps import STORE, Scorer, Steps

ROWS = 20_000
REQUESTS = 1_000
COUNTED, LABELLED = TEXTS[:3], TEXTS[3:]
PARAMETERS = {
    "objective": "binary",
    "num_leaves": 63,
    "learning_rate": 0.05,
    "min_data_in_leaf": 20,
    "num_threads": 2,
    "seed": 7,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
}


def prepare(folder=STORE, rows=ROWS, trees=300, count=REQUESTS):
    """Train and store, unless it is there already; gives the folder."""
    folder = Path(folder)
    asked = {"rows": rows, "trees": trees, "requests": count, "parameters": PARAMETERS}
    done = folder / "prepared.json"
    if done.exists() and json.loads(done.read_text()) == asked:
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    table = columns(rows, seed=3)
    _write(folder / "state.json", _before_the_model(table))
    _train(folder, table, trees)
    sent = requests(count)
    _write(folder / "rows.json", sent)
    _write(folder / "answers.json", Scorer(folder)(sent))
    _write(done, asked)
    return folder


def _before_the_model(table):
    numbers = np.array([table[name] for name in NUMBERS], dtype=np.float64)
    median, cap, floor = np.nanmedian(numbers, axis=1), np.nanmax(numbers, axis=1), np.nanmin(numbers, axis=1)
    imputed = np.where(np.isnan(numbers), median[:, None], numbers)
    return {
        "median": median.tolist(),
        "cap": cap.tolist(),
        "floor": floor.tolist(),
        "mean": imputed.mean(axis=1).tolist(),
        "deviation": imputed.std(axis=1).tolist(),
        "codes": {name: _codes(table[name], counted=name in COUNTED) for name in TEXTS},
        "unseen": {name: 1.0 if name in COUNTED else None for name in TEXTS},
        "isotonic_x": [0.0, 1.0],
        "isotonic_y": [0.0, 1.0],
        "ecdf_values": [],
        "ecdf_ranks": [0.0],
    }


def _codes(values, *, counted):
    seen = [value for value in values if value is not None]
    distinct, counts = np.unique(seen, return_counts=True)
    numbers = counts if counted else range(len(distinct))
    return {str(value): float(number) for value, number in zip(distinct, numbers, strict=True)}


def _train(folder, table, trees):
    import lightgbm
    from sklearn.isotonic import IsotonicRegression

    target = np.array(table["target"])
    rows = [
        dict(zip(NAMES, values, strict=True)) for values in zip(*(table[name] for name in NAMES), strict=True)
    ]
    matrix = Steps(folder).fill(rows)
    held_out = len(rows) // 5  # calibrated on rows that the trees have not seen
    data = lightgbm.Dataset(matrix[held_out:], target[held_out:], feature_name=NAMES)
    booster = lightgbm.train(PARAMETERS, data, num_boost_round=trees)
    booster.save_model(str(folder / "model.txt"))
    scores = booster.predict(matrix[:held_out])
    calibrator = IsotonicRegression(out_of_bounds="clip").fit(scores, target[:held_out])
    values = np.unique(scores)
    below = np.searchsorted(np.sort(scores), values, side="right")
    state = json.loads((folder / "state.json").read_text())
    state["isotonic_x"], state["isotonic_y"] = (
        calibrator.X_thresholds_.tolist(),
        calibrator.y_thresholds_.tolist(),
    )
    state["ecdf_values"], state["ecdf_ranks"] = values.tolist(), [0.0, *(below * 1000 / held_out).tolist()]
    _write(folder / "state.json", state)


def _write(path, content):
    path.write_text(json.dumps(content))


if __name__ == "__main__":
    print(prepare())
