"""Where a model works best: at once, on the loop in batches, or in a thread. Measured, not believed."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any, Literal, TypeAlias

Place: TypeAlias = Literal["inline", "loop", "thread"]

# A batch on the loop costs a caller a future and a turn of the loop, about 8 µs; less gain is none.
_GAIN_SECONDS_MIN = 8e-6
# A row that holds the loop for longer keeps every other caller waiting, whatever it gains.
_LOOP_SECONDS_MAX = 1e-3
_BATCH_ROWS, _RUNS = 16, 3  # about what gathers while some tens of callers wait


def place_of(row_seconds: float, batched_row_seconds: float) -> Place:
    """Where a model works best.

    Args:
        row_seconds: the time for a row alone.
        batched_row_seconds: the time for a row of a batch.

    Example:
        >>> place_of(10e-6, 8e-6), place_of(90e-6, 45e-6), place_of(5e-3, 1e-4)
        ('inline', 'loop', 'thread')
    """
    if row_seconds > _LOOP_SECONDS_MAX:
        return "thread"
    return "loop" if row_seconds - batched_row_seconds >= _GAIN_SECONDS_MIN else "inline"


def measured(predict: Callable[[list[Any]], object], rows: Sequence[Any]) -> tuple[float, float]:
    """The time for a row alone and for a row of a batch, in seconds: the best of a few runs.

    The best, because whatever else the machine does at that moment only ever makes it longer.

    Args:
        predict: what is to be timed; warm.
        rows: as many as there are, at least one; repeated to fill a batch.
    """
    batch = [rows[i % len(rows)] for i in range(_BATCH_ROWS)]
    alone = [min(_seconds(predict, [row]) for _ in range(_RUNS)) for row in batch]
    together = min(_seconds(predict, batch) for _ in range(_RUNS)) / _BATCH_ROWS
    return statistics.median(alone), together


def _seconds(predict: Callable[[list[Any]], object], rows: list[Any]) -> float:
    begun = perf_counter()
    predict(rows)
    return perf_counter() - begun
