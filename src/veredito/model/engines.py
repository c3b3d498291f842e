"""Choosing how a model is computed when it serves: by parity first, then by the clock.

Every model step has a ``native`` engine, its library's own call, and may have others. Each is given the rows
that the model meets, and rows made to catch it out: missing, infinite, and on and beside every split
threshold, where rounding decides. An engine that differs is out, however fast.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import polars as pl

from veredito.errors import ArtifactError, MissingExtraError
from veredito.learn.block import Matrix
from veredito.learn.models.model_step import ModelStep, Predict
from veredito.learn.step import Step
from veredito.model.manifest import Measured, models_of
from veredito.model.parity import difference
from veredito.model.rowplan import RowPlan
from veredito.schema import Schema

TOLERANCES = {"onnx": 1e-5}
"""How far an engine may be from native, relative; bit for bit where it is not named here. ONNX adds trees in float32."""

_SPLITS_MAX = 2_000
_RUNS, _CALLS = 5, 40  # the best of some medians: other processes share the machine


def tolerance_of(step: Step) -> float:
    """The greatest relative difference that parity allows a tree of steps: that of its least exact model."""
    return max(
        (max(model.tolerance, TOLERANCES.get(model.engine, 0.0)) for model in models_of(step)), default=0.0
    )


def choose_engines(
    step: Step, sample: pl.DataFrame, inputs: Schema, outputs: Schema
) -> tuple[Step, list[Measured]]:
    """The same steps, each model with the fastest engine that agrees with its native one.

    Args:
        step: the fitted steps.
        sample: rows that the models are compared on, beside generated ones.
        inputs: the schema of rows.
        outputs: the schema of answers.

    Returns:
        The steps, and what was measured, for the manifest.
    """
    models = models_of(step)
    if all(len(model.engines()) == 1 for model in models):
        return step, [Measured(_label(model), model.engine, chosen=True) for model in models]
    met = _matrices_met(step, sample, inputs, outputs)
    measured: list[Measured] = []
    chosen: list[str] = []
    for model, features in zip(models, met, strict=True):
        found = _measure(model, features)
        best = min((m for m in found if not m.refused), key=lambda m: m.one_row_us or 0.0)
        measured += [_with_choice(m, m is best) for m in found]
        chosen.append(best.engine)
    return with_engines(step, chosen), measured


def with_engines(step: Step, engines: list[str]) -> Step:
    """The same steps with these engines, one a model, in the order of `models_of`."""
    waiting = iter(engines)
    return _mapped(step, lambda model: _restored(model, engine=next(waiting)))


def available_engines(step: Step) -> tuple[Step, list[str]]:
    """The same steps, with native engines where the chosen one's library is not there; and what was changed."""
    notes: list[str] = []

    def usable(model: ModelStep) -> ModelStep:
        try:
            _ = model.predict
        except (MissingExtraError, ArtifactError) as error:
            if model.engine == "native":
                raise
            notes.append(
                f"{_label(model)}: engine '{model.engine}' is not available, native serves ({error})"
            )
            return _restored(model, engine="native")
        return model

    return _mapped(step, usable), notes


def _label(model: ModelStep) -> str:
    return f"{model.kind} ▸ {', '.join(model.outputs)}"


def _with_choice(measured: Measured, chosen: bool) -> Measured:  # noqa: FBT001 - the field's own name says it
    return Measured(
        measured.step, measured.engine, measured.one_row_us, measured.difference, measured.refused, chosen
    )


def _restored(model: ModelStep, **changed: Any) -> ModelStep:
    return type(model).restore(model.params() | changed, model.state())


def _mapped(step: Step, change: Callable[[ModelStep], ModelStep]) -> Step:
    """The tree with every model step changed; steps lie in the state of other steps."""
    if isinstance(step, ModelStep):
        return change(step)
    if not step.children:
        return step
    return type(step).restore(step.params(), _mapped_value(step.state(), change))


def _mapped_value(value: Any, change: Callable[[ModelStep], ModelStep]) -> Any:
    if isinstance(value, Step):
        return _mapped(value, change)
    if isinstance(value, list | tuple):
        return [_mapped_value(item, change) for item in value]
    if isinstance(value, Mapping):
        return {key: _mapped_value(item, change) for key, item in value.items()}
    return value


def _matrices_met(step: Step, sample: pl.DataFrame, inputs: Schema, outputs: Schema) -> list[Matrix]:
    """The feature matrix that each model is given when the sample goes through the row plan."""
    seen: list[list[Matrix]] = []

    def listening(model: ModelStep) -> ModelStep:
        copy, kept = _restored(model, engine="native"), []
        native = model.engines()["native"]()

        def predict(features: Matrix) -> Matrix:
            kept.append(np.array(features))
            return native(features)

        # `predict` is what a cached property would hold: the copy listens without being another class of step.
        copy.__dict__["predict"] = predict
        seen.append(kept)
        return copy

    plan = RowPlan(_mapped(step, listening), inputs, outputs)
    plan.score(plan.fill(sample.select(inputs.names).to_dicts()))
    widths = [len(model.features) for model in models_of(step)]
    return [np.concatenate(kept) if kept else np.zeros((1, k)) for kept, k in zip(seen, widths, strict=True)]


def _measure(model: ModelStep, features: Matrix) -> list[Measured]:
    rows = np.concatenate([features, edge_rows(features, model.split_points())])
    native = model.engines()["native"]()
    rows = _answerable(native, rows)
    truth = np.asarray(native(rows), dtype=float)
    found = []
    for name, make in model.engines().items():
        allowed = max(model.tolerance, TOLERANCES.get(name, 0.0))
        try:
            predict = make()
            off = max(_distance(truth, predict(rows)), _distance(truth, _one_by_one(predict, rows)))
        except Exception as error:  # noqa: BLE001 - an engine that cannot answer is out, whatever it says
            found.append(Measured(_label(model), name, refused=f"{type(error).__name__}: {error}"))
            continue
        if off > allowed and name != "native":
            what = f"differs from native by {off:.2g}, and {allowed:.2g} is allowed"
            found.append(Measured(_label(model), name, difference=min(off, 1e308), refused=what))
        else:
            found.append(
                Measured(_label(model), name, round(_one_row_us(predict, features), 1), min(off, 1e308))
            )
    return found


def edge_rows(features: Matrix, splits: list[tuple[int, float]]) -> Matrix:
    """Rows like the first, each with one feature missing, infinite, or on or beside a threshold.

    Args:
        features: shape (rows, features), at least one row.
        splits: (feature, threshold).
    """
    width = features.shape[1]
    every = max(1, len(splits) // _SPLITS_MAX)
    cases = [(j, value) for j in range(width) for value in (np.nan, np.inf, -np.inf)]
    for j, threshold in splits[::every]:
        short = float(np.float32(threshold))  # where a float32 engine rounds to
        cases += [
            (j, v)
            for v in (threshold, np.nextafter(threshold, np.inf), np.nextafter(threshold, -np.inf), short)
        ]
    rows = features[np.arange(len(cases)) % len(features)]
    rows[np.arange(len(cases)), [j for j, _ in cases]] = [value for _, value in cases]
    return np.concatenate([rows, np.full((1, width), np.nan)])


def _answerable(native: Predict, rows: Matrix) -> Matrix:
    """The rows that the library itself answers: some take no infinity, and refuse all rows for one."""
    try:
        native(rows)
    except ValueError:
        return rows[np.isfinite(rows).all(axis=1)]
    return rows


def _one_by_one(predict: Predict, rows: Matrix) -> Matrix:
    return np.concatenate([np.atleast_1d(predict(rows[i : i + 1])) for i in range(0, len(rows), 7)])


def _distance(truth: Matrix, found: Any) -> float:
    found = np.asarray(found, dtype=float)
    if len(found) != len(truth):  # the one-by-one pass takes every seventh row
        truth = truth[::7]
    return float(difference(truth, found.reshape(truth.shape)).max())


def _one_row_us(predict: Predict, features: Matrix) -> float:
    rows = [features[i : i + 1] for i in range(min(len(features), _CALLS))]
    medians = []
    for _ in range(_RUNS):
        taken = []
        for row in rows:
            started = time.perf_counter_ns()
            predict(row)
            taken.append(time.perf_counter_ns() - started)
        medians.append(statistics.median(taken) / 1_000)
    return min(medians)
