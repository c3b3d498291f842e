"""A model behind its five stages: in-schema ▸ in-adapter ▸ model ▸ out-adapter ▸ out-schema.

One object in, one object out; an array of n in, an array of n out.
"""

from __future__ import annotations

from time import perf_counter
from typing import Any

import msgspec

from veredito.errors import InputError, OutputError, Problem
from veredito.model import Model
from veredito.serve.stages import Stages

_SPACE = b" \t\r\n"


class Predictor:
    """Answers JSON rows with JSON predictions.

    Args:
        model: a loaded model.
        rows_max: most rows in one request.
    """

    def __init__(self, model: Model, rows_max: int) -> None:
        self.model = model
        self.rows_max = rows_max
        self._encode = msgspec.json.Encoder().encode

    def answer(self, body: bytes, stages: Stages) -> bytes:
        """The answer's JSON.

        Raises:
            InputError: rows do not fit the in-schema, or are too many.
            OutputError: the model gave what its out-schema does not allow.
        """
        begun = perf_counter()
        many = body.lstrip(_SPACE)[:1] == b"["
        rows = self._rows(body) if many else [self.model.in_schema.decode(body)]
        stages.add("in_schema", perf_counter() - begun)
        outputs = self.predict(rows, stages)
        begun = perf_counter()
        encoded = self._encode(outputs if many else outputs[0])
        stages.add("out_schema", perf_counter() - begun)
        return encoded

    def predict(self, rows: list[Any], stages: Stages) -> list[Any]:
        """Predictions for rows, in order; each a struct of the out-schema.

        Raises:
            OutputError: the model gave what its out-schema does not allow.
        """
        plan = self.model.rows
        t0 = perf_counter()
        block = plan.fill(rows)
        t1 = perf_counter()
        plan.score(block)
        t2 = perf_counter()
        outputs = plan.outputs(block)
        t3 = perf_counter()
        if len(outputs) != len(rows):
            raise OutputError(f"model '{self.model.name}' answered {len(outputs)} rows for {len(rows)}")
        stages.add("in_adapter", t1 - t0)
        stages.add("model", t2 - t1)
        stages.add("out_adapter", t3 - t2)
        return outputs

    def _rows(self, body: bytes) -> list[Any]:
        rows = self.model.in_schema.decode_many(body)
        if not rows:
            raise InputError(Problem("body", "an empty array", hint="send at least one row"))
        if len(rows) > self.rows_max:
            raise InputError(Problem("body", f"more than {self.rows_max} rows", hint="split the request"))
        return rows
