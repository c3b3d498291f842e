"""The endpoints of one model: ``POST /v1/predict`` and the inference protocol's, over the same five stages."""

from __future__ import annotations

import asyncio
import functools
from time import monotonic, perf_counter
from typing import Any

from veredito.errors import DeadlineError
from veredito.serve import http, oip
from veredito.serve.batching import Batcher, Limits, LoopBatcher, Place, ThreadBatcher
from veredito.serve.metrics import Metrics
from veredito.serve.predictor import Predictor
from veredito.serve.stages import Stages

_MODEL_STAGES = ("in_adapter", "model", "out_adapter")


class Predicting:
    """Answers for one model.

    Args:
        name: the model's, in paths.
        predictor: its stages.
        place: where it works.
        limits: of batches; a request with more rows than a batch may have is answered in parts.
        deadline_ms: the longest time to an answer.
        metrics: where to count.
    """

    def __init__(
        self,
        name: str,
        predictor: Predictor,
        *,
        place: Place,
        limits: Limits,
        deadline_ms: float,
        metrics: Metrics,
    ) -> None:
        self.name, self.predictor = name, predictor
        self._rows_at_once = limits.batch_rows_max
        self._deadline_ms, self._metrics = deadline_ms, metrics
        self._batcher = _batcher(place, predictor, limits, functools.partial(metrics.batch, name))

    async def __call__(self, call: http.Call) -> bytes:
        """One object's answer, or an array's.

        Raises:
            InputError: rows, or a header, do not fit.
            OutputError: the model gave what its out-schema does not allow.
            DeadlineError: the model was not done by the deadline.
            OverloadedError: too many rows wait for the model.
        """
        predictor, stages = self.predictor, call.stages
        deadline = http.deadline(call, self._deadline_ms)
        rows, many = predictor.rows(call.body, stages)
        outputs = await self.predict(rows, stages, deadline)
        answered = predictor.encoded(outputs, stages, many=many)
        self._metrics.stages(stages)
        return answered

    async def infer(self, call: http.Call) -> bytes:
        """The same, as the inference protocol has it; raises likewise."""
        deadline = http.deadline(call, self._deadline_ms)
        begun = perf_counter()
        request, wanted, rows = oip.read(self.predictor, call.body)
        call.stages.add("in_schema", perf_counter() - begun)
        outputs = await self.predict(rows, call.stages, deadline)
        begun = perf_counter()
        answered = oip.write(self.name, self.predictor, request, wanted, outputs)
        call.stages.add("out_schema", perf_counter() - begun)
        self._metrics.stages(call.stages)
        return answered

    async def predict(self, rows: list[Any], stages: Stages, deadline: float) -> list[Any]:
        """Outputs for rows; after each full batch others have a turn."""
        if len(rows) <= self._rows_at_once:
            return await self._part(rows, stages, deadline)
        outputs: list[Any] = []
        for start in range(0, len(rows), self._rows_at_once):
            outputs += await self._part(rows[start : start + self._rows_at_once], stages, deadline)
            await asyncio.sleep(0)
        return outputs

    def close(self) -> None:
        """Finish the batch that is being computed."""
        if self._batcher is not None:
            self._batcher.close()

    async def _part(self, rows: list[Any], stages: Stages, deadline: float) -> list[Any]:
        if monotonic() >= deadline:
            raise DeadlineError("the deadline passed before the model was asked")
        if self._batcher is None:
            return self.predictor.predict(rows, stages)
        begun = perf_counter()
        computed = await self._batcher.submit(rows, deadline)
        spent = computed.stages.seconds
        for stage, seconds in spent.items():
            stages.add(stage, seconds)
        stages.add("waiting", max(0.0, perf_counter() - begun - sum(spent.values())))
        return computed.rows


def _batcher(place: Place, predictor: Predictor, limits: Limits, observe: Any) -> Batcher | None:
    match place:
        case "inline":
            return None
        case "loop":
            return LoopBatcher(predictor.predict, limits, observe)
        case "thread":
            return ThreadBatcher(predictor.predict, limits, observe)
