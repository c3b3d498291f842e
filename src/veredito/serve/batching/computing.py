"""Rows of several callers through one call of a model, and to each what is theirs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any, TypeAlias

import msgspec

from veredito.errors import OutputError
from veredito.serve.stages import Stages

Predict: TypeAlias = Callable[[list[Any], Stages], Sequence[Any]]
"""Rows to as many results, in order; it adds its own times to the stages."""


class Computed(msgspec.Struct):
    """What a caller's rows came to.

    Attributes:
        rows: the results, in order.
        stages: where the time of the whole batch went: everyone in it waited for that.
        batch_rows: how many rows were computed together.
        seconds: how long that took.
    """

    rows: list[Any]
    stages: Stages
    batch_rows: int
    seconds: float


def compute(predict: Predict, groups: Sequence[Sequence[Any]]) -> list[Computed | Exception]:
    """The results of each group of rows, or what went wrong with it.

    When the groups fail together, each is tried alone, so that only those fail that fail alone.
    """
    if len(groups) > 1:
        together = _attempt(predict, [row for group in groups for row in group])
        if isinstance(together, Computed):
            results = iter(together.rows)
            return [
                Computed(
                    [next(results) for _ in group], together.stages, together.batch_rows, together.seconds
                )
                for group in groups
            ]
    return [_attempt(predict, list(group)) for group in groups]


def _attempt(predict: Predict, rows: list[Any]) -> Computed | Exception:
    stages, begun = Stages(), perf_counter()
    try:
        results = list(predict(rows, stages))
    except BaseException as error:  # noqa: BLE001 - it belongs to a caller, and must not end the thread or the loop
        return _raisable(error)
    if len(results) != len(rows):
        return OutputError(f"the model answered {len(results)} rows for {len(rows)}")
    return Computed(results, stages, len(rows), perf_counter() - begun)


def _raisable(error: BaseException) -> Exception:
    """An error that a future can carry: what would stop a thread or a loop becomes an `OutputError`."""
    if isinstance(error, Exception) and not isinstance(error, StopIteration):
        return error
    wrapped = OutputError(f"the model stopped with {type(error).__name__}")
    wrapped.__cause__ = error
    return wrapped
