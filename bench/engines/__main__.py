"""Fit one model of each library, save it, and report what choosing its engine measured.

python -m bench engines [--quick]
"""

import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import polars as pl
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier

from bench.machine import machine, sentence
from bench.page import rewrite
from veredito import learn
from veredito.model import save

RESULT = Path("bench/results/engines.json")
FEATURES = [f"f{i}" for i in range(50)]


def table(rows):
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(rows, len(FEATURES)))
    odds = numbers[:, 0] + numbers[:, 1] * numbers[:, 2] + rng.logistic(size=rows)
    return pl.DataFrame(numbers, schema=FEATURES).with_columns(y=pl.Series((odds > 1).astype(int)))


def subjects(scale):
    trees, forest = 300 // scale, {"n_estimators": 100 // scale}
    given = {"target": "y"}
    yield "LightGBM", learn.lightgbm_classifier(FEATURES, num_trees=trees, params={"num_leaves": 63}, **given)
    yield "XGBoost", learn.xgboost_classifier(FEATURES, num_trees=trees, **given)
    yield "CatBoost", learn.catboost_classifier(FEATURES, num_trees=trees, **given)
    for name, estimator in (("random forest", RandomForestClassifier), ("extra trees", ExtraTreesClassifier)):
        yield name, learn.sklearn_classifier(FEATURES, estimator=estimator, params=forest, **given)
    yield "isolation forest", learn.isolation_forest(FEATURES, params=forest)
    yield "Keras", learn.keras_classifier(FEATURES, epochs=2, **given)


def measure(learner, data):
    step = learner(data).step
    with tempfile.TemporaryDirectory() as folder:
        manifest = save(step, Path(folder) / "model", sample=data[:64])
    return {
        one.engine: {
            "one_row_us": one.one_row_us,
            "difference": one.difference,
            "refused": one.refused,
            "chosen": one.chosen,
        }
        for one in manifest.measured
    }


def page(results):
    lines = [
        "| model | `native` | engine | its row | faster, times | differs by |",
        "|---|---:|---|---:|---:|---:|",
    ]
    for name, engines in results["engines"].items():
        native = engines["native"]["one_row_us"]
        for engine, found in engines.items():
            if engine != "native":
                lines.append(f"| {name} | {native:,.0f} µs | `{engine}` | {outcome(native, found)} |")
    scale = "A quick run: a tenth of the trees. " if results["quick"] else ""
    return "\n".join([*lines, "", scale + sentence(results["machine"])])


def outcome(native, found):
    if found["refused"]:
        return "refused | - | -"
    differs = f"{found['difference']:.0e}" if found["difference"] else "0"
    return f"{found['one_row_us']:,.0f} µs | {native / found['one_row_us']:.0f} | {differs}"


def main():
    quick = "--quick" in sys.argv
    data = table(500 if quick else 4_000)
    found = {}
    for name, learner in subjects(10 if quick else 1):
        print(name, flush=True)
        found[name] = measure(learner, data)
    results = {"machine": machine(), "quick": quick, "engines": found}
    RESULT.write_text(json.dumps(results, indent=1) + "\n")
    rewrite("engines", page(results))


if __name__ == "__main__":
    main()
