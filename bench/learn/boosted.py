"""LightGBM behind a table, against its own `predict` on a ready matrix: python -m bench.learn.boosted ROWS ROUNDS.

The library alone is not asked to turn columns into a matrix; the model is, and must keep within a quarter more.
"""

import json
import sys
import time

import lightgbm
import numpy as np

from bench.learn.columns import NUMBERS, TARGET
from bench.learn.data import table
from veredito import learn
from veredito.learn.arrays import matrix

TREES, LEAVES, TRAINING_ROWS = 200, 31, 50_000


def main(rows, rounds):
    learner = learn.lightgbm_classifier(
        NUMBERS, target=TARGET, num_trees=TREES, params={"num_leaves": LEAVES}
    )
    model = learner(table(TRAINING_ROWS, seed=3)).step
    new = table(rows, seed=4)
    ready = matrix(new, NUMBERS)
    booster = lightgbm.Booster(model_str=next(v for v in model.state().values() if isinstance(v, str)))
    same = np.array_equal(model(new)["prediction"].to_numpy(), booster.predict(ready))
    if not same:
        raise SystemExit("the model does not give the library's numbers")
    times = {"model": [], "library": []}
    for _ in range(rounds):
        times["library"].append(seconds(lambda: booster.predict(ready)))
        times["model"].append(seconds(lambda: model(new)))
    json.dump({"rows": rows, "features": len(NUMBERS), "trees": TREES} | times, sys.stdout)


def seconds(call):
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
