"""Train the one model, and store it so that every peer can compute the same.

python -m bench.serving.prepare writes .tools/bench/: model/ (ours), and for the peers model.txt (LightGBM's own
text), state.json (what the steps learned), rows.json (requests) and answers.json (what each must be answered).
"""

import json
from pathlib import Path

from bench.serving.rows import NAMES, NUMBERS, TEXTS, columns, requests
from bench.serving.steps import OUTPUTS, STORE, Scorer

ROWS = 20_000
REQUESTS = 1_000
SAMPLE = 200  # rows that prove the artifact when it is loaded
COUNTED, LABELLED = TEXTS[:3], TEXTS[3:]
PARAMETERS = {
    "num_leaves": 63,
    "learning_rate": 0.05,
    "min_data_in_leaf": 20,
    "num_threads": 2,
    "seed": 7,
}


def prepare(folder=STORE, rows=ROWS, trees=300, count=REQUESTS):
    """Train and store, unless it is there already; gives the folder."""
    folder = Path(folder)
    asked = {"rows": rows, "trees": trees, "requests": count, "parameters": PARAMETERS}
    done = folder / "prepared.json"
    if done.exists() and json.loads(done.read_text()) == asked and _loads(folder / "model"):
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    step = _trained(folder / "model", rows, trees)
    (folder / "model.txt").write_text(step.children[6].text)
    _write(folder / "state.json", state_of(step))
    sent = requests(count)
    _write(folder / "rows.json", sent)
    _write(folder / "answers.json", Scorer(folder)(sent))
    _write(done, asked)
    return folder


def _loads(folder):
    """Whether the artifact is still one: its format, or a library's version, may have changed since."""
    from veredito import model as vm
    from veredito.errors import ArtifactError

    try:
        vm.load(folder)
    except ArtifactError:
        return False
    return True


def _trained(folder, rows, trees):
    """The pipeline, fitted and saved: what the peers are given is read from it."""
    import polars as pl

    from veredito import model as vm

    table = pl.DataFrame(columns(rows, seed=3))
    step, _, log = learner(trees)(table)
    vm.save(
        step, folder, sample=table.sample(SAMPLE, seed=0), name="card", outputs=OUTPUTS, log=log, replace=True
    )
    return step


def learner(trees):
    """Six steps, LightGBM, and two steps that are fitted on rows that the trees have not seen."""
    from veredito import learn

    held_out = learn.on(fraction=0.2)
    return learn.pipeline(
        learn.imputer(NUMBERS, strategy="median"),
        learn.capper(NUMBERS),
        learn.floorer(NUMBERS),
        learn.standard_scaler(NUMBERS),
        learn.count_encoder(COUNTED),
        learn.label_encoder(LABELLED),
        learn.lightgbm_classifier(NAMES, target="target", num_trees=trees, params=PARAMETERS),
        learn.isotonic_calibrator(target="target", on=held_out),
        learn.ecdf(on=held_out),
    )


def state_of(step):
    """What the fitted steps learned, as plain numbers."""
    imputer, capper, floorer, scaler, counts, labels, _, isotonic, ecdf = step.children
    return {
        "median": imputer.fills.tolist(),
        "cap": capper.high.tolist(),
        "floor": floorer.low.tolist(),
        "shift": scaler.shift.tolist(),
        "factor": scaler.factor.tolist(),
        "codes": _codes(counts) | _codes(labels),
        "unseen": dict.fromkeys(COUNTED, 1.0) | dict.fromkeys(LABELLED),
        "isotonic_x": isotonic.scores.tolist(),
        "isotonic_y": isotonic.values.tolist(),
        "ecdf_values": ecdf.scores.tolist(),
        "ecdf_ranks": ecdf.ranks.tolist(),
    }


def _codes(encoder):
    return {
        name: dict(zip(lookup.keys, lookup.values.tolist(), strict=True))
        for name, lookup in encoder.lookups.items()
    }


def _write(path, content):
    path.write_text(json.dumps(content))


if __name__ == "__main__":
    print(prepare())
