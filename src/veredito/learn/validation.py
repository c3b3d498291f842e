"""Validation: fit a learner on each fold of a split, and measure it on each of the fold's test sets."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from typing import Any, TypeAlias

import polars as pl

from veredito.errors import LearnerError, Problem

from .frames import adopt
from .learner import Learner
from .metrics import Function, Measure, Metric
from .splits import Fold

Splitter: TypeAlias = Callable[[pl.DataFrame], Sequence[Fold]]
Measurable: TypeAlias = Metric | Callable[[pl.DataFrame], float | None]

_SCHEMA = {
    "fold": pl.Int64,
    "training": pl.String,
    "test": pl.String,
    "train_rows": pl.Int64,
    "test_rows": pl.Int64,
    "metric": pl.String,
    "value": pl.Float64,
    "note": pl.String,
}


def validate(
    learner: Learner,
    table: Any,
    split: Splitter,
    metrics: Measurable | Sequence[Measurable],
    *,
    drop_empty: bool = False,
    threads: int | None = None,
    progress: bool = True,
) -> pl.DataFrame:
    """Fit on each fold, measure on each test set. Folds run in parallel, in threads.

    Args:
        learner: what to fit; the training rows of a fold are all it ever sees.
        table: a Polars or a pandas `DataFrame`; it is not changed.
        split: one of `veredito.learn.splits`, or a function of a table that gives folds.
        metrics: one of `veredito.learn.metrics` or several, or functions of a scored table.
        drop_empty: leave out training and test sets without rows, and list them with a note, instead of
            refusing the split.
        threads: how many folds to fit at once; as many as there are cores, if not given.
        progress: show a progress bar, in terminals and notebooks.

    Returns:
        A row a fold, test set and metric, in this order: fold (from 0), training (its name), test (its name),
        train_rows, test_rows, metric, value (null where undefined), note (why).

    Raises:
        LearnerError: there are no folds, or empty ones that were not to be dropped; two metrics have the same
            name; a fold cannot be fitted; predictions are missing. Every fold's problems are named.

    Example:
        >>> from veredito import learn
        >>> table = pl.DataFrame({"fraud": [0, 1] * 10, "prediction": [0.1, 0.9] * 10})
        >>> found = learn.validate(
        ...     learn.ecdf(), table, learn.splits.k_fold(2), learn.metrics.precision_at_k("fraud", k=3)
        ... )
        >>> found["value"].to_list()
        [1.0, 1.0]
    """
    frame, _ = adopt(table, "validate")
    measured = metrics_of("validate", metrics)
    folds = list(split(frame))
    _check_folds(folds, drop_empty=drop_empty)
    rows: dict[int, list[dict[str, Any]]] = {}
    problems: dict[int, Sequence[Problem]] = {}
    with ThreadPoolExecutor(min(threads or os.cpu_count() or 1, len(folds))) as pool, _bar(progress) as bar:
        futures = {
            pool.submit(_fold_rows, learner, frame, i, fold, measured): i for i, fold in enumerate(folds)
        }
        for future in bar.track(as_completed(futures), total=len(folds), description="folds"):
            _collect(future, futures[future], rows, problems, pool)
    if problems:
        raise LearnerError([problem for i in sorted(problems) for problem in problems[i]])
    return pl.DataFrame([row for i in sorted(rows) for row in rows[i]], schema=_SCHEMA)


def metrics_of(place: str, metrics: Measurable | Sequence[Measurable]) -> list[Metric]:
    """One metric or several as a list, functions among them made metrics; all of different names."""
    given = list(metrics) if isinstance(metrics, Iterable) else [metrics]
    made = [metric if isinstance(metric, Metric) else Function(function=metric) for metric in given]
    names = [metric.name for metric in made]
    problems = [
        Problem(place, f"two metrics are named '{name}'", hint="measure them one after the other")
        for name in sorted({name for name in names if names.count(name) > 1})
    ]
    if not made:
        problems.append(Problem(place, "there are no metrics", hint="give at least one"))
    if problems:
        raise LearnerError(problems)
    return made


def _check_folds(folds: Sequence[Fold], *, drop_empty: bool) -> None:
    problems = [] if folds else [Problem("validate", "the split has no folds", hint="look at its limits")]
    for i, fold in enumerate(folds):
        hint = "look at the split's limits, or drop empty ones with drop_empty=True"
        if not len(fold.train):
            problems.append(Problem(f"fold {i} ({fold.name})", "has no rows to train on", hint=hint))
        if not fold.tests:
            problems.append(Problem(f"fold {i} ({fold.name})", "has no test set", hint=hint))
        problems += [
            Problem(f"fold {i} ({fold.name})", f"test set '{test.name}' has no rows", hint=hint)
            for test in fold.tests
            if not len(test.rows)
        ]
    if problems and not (drop_empty and folds):
        raise LearnerError(problems)


def _collect(
    future: Future[list[dict[str, Any]]],
    i: int,
    rows: dict[int, list[dict[str, Any]]],
    problems: dict[int, Sequence[Problem]],
    pool: ThreadPoolExecutor,
) -> None:
    """A fold's rows, or its problems; any other error ends it all, once the folds under way are done."""
    try:
        rows[i] = future.result()
    except LearnerError as error:
        problems[i] = [Problem(f"fold {i}: {p.place}", p.what, p.available, p.hint) for p in error.problems]
    except BaseException as error:
        error.add_note(f"in fold {i}")
        pool.shutdown(wait=False, cancel_futures=True)
        raise


def _fold_rows(
    learner: Learner, table: pl.DataFrame, i: int, fold: Fold, metrics: list[Metric]
) -> list[dict[str, Any]]:
    """The rows of one fold: fit once, score every test set, take every measure."""
    if not len(fold.train):
        return [
            _dropped(i, fold, test.name, len(test.rows), "no rows to train on") for test in fold.tests
        ] or [_dropped(i, fold, None, 0, "no rows to train on")]
    if not fold.tests:
        return [_dropped(i, fold, None, 0, "no test set")]
    full = [test for test in fold.tests if len(test.rows)]
    step = learner(table[fold.train]).step if full else None
    rows = []
    for test in fold.tests:
        if step is None or not len(test.rows):
            rows.append(_dropped(i, fold, test.name, 0, "no rows to test on"))
            continue
        scored = step(table[test.rows])
        for metric in metrics:
            measure = metric.measure(scored)
            rows.append(_row(i, fold, test.name, len(test.rows), metric.name, measure))
    return rows


def _dropped(i: int, fold: Fold, test: str | None, test_rows: int, why: str) -> dict[str, Any]:
    return _row(i, fold, test, test_rows, None, Measure(None, f"dropped: {why}"))


def _row(
    i: int, fold: Fold, test: str | None, test_rows: int, metric: str | None, measure: Measure
) -> dict[str, Any]:
    values = (i, fold.name, test, len(fold.train), test_rows, metric, measure.value, measure.note)
    return dict(zip(_SCHEMA, values, strict=True))


def _bar(progress: bool) -> Any:  # noqa: FBT001 - private, and handed through
    """A bar on standard error where somebody can see it move."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    seen = progress and (console.is_terminal or console.is_jupyter)
    return Progress(console=console, disable=not seen, transient=True)
