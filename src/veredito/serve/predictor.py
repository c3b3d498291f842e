"""A model behind its five stages: in-schema ▸ in-adapter ▸ model ▸ out-adapter ▸ out-schema.

Each stage is a function, timed, and replaceable from the config; by default the schemas are the model's own and
the adapters are the row plan's. One object in, one object out; an array of n in, an array of n out.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from time import perf_counter
from typing import Any, TypeAlias

import msgspec

from veredito.errors import InputError, OutputError, Problem, VereditoError
from veredito.learn.block import Block
from veredito.model import Model
from veredito.schema import Schema
from veredito.serve.answer import Answering, Told
from veredito.serve.stages import Stages

Adapter: TypeAlias = Callable[[Any], Any]
"""One row to one row: a struct or a mapping, in and out."""

_SPACE = b" \t\r\n"


class Adapters(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in a model's stages instead of the default.

    Attributes:
        in_schema: of the rows that are sent; the model's own by default.
        in_adapter: makes the model's row from a sent one; the sent row itself by default.
        out_adapter: makes the answer from the model's; the model's answer itself by default.
        out_schema: of the answers; the model's own by default.
        told: which of the answer's fields the caller gets.
    """

    in_schema: Schema | None = None
    in_adapter: Adapter | None = None
    out_adapter: Adapter | None = None
    out_schema: Schema | None = None
    told: Told = Told()


class Predictor:
    """Answers rows with predictions.

    Args:
        model: a loaded model.
        rows_max: most rows in one request.
        adapters: what replaces a default stage.

    Raises:
        SchemaError: the adapters' schemas do not fit the model.

    Attributes:
        in_schema: of the rows that it takes.
        out_schema: of the answers that it gives.
        answering: what of an answer the caller gets, and how it is written.
    """

    def __init__(self, model: Model, rows_max: int, adapters: Adapters | None = None) -> None:
        adapters = adapters or Adapters()
        self.model, self.rows_max = model, rows_max
        self.in_schema = adapters.in_schema or model.in_schema
        self.out_schema = adapters.out_schema or model.out_schema
        self.answering = Answering(self.out_schema, adapters.told)
        self._adapt_in = _each(adapters.in_adapter, "in_adapter")
        self._adapt_out = _each(adapters.out_adapter, "out_adapter")
        # The row plan checks its own answers as it makes them; only what an adapter made is checked again.
        made_elsewhere = adapters.out_adapter is not None or adapters.out_schema is not None
        self._check_out = functools.partial(_fitting, self.out_schema) if made_elsewhere else None

    def rows(self, body: bytes, stages: Stages) -> tuple[list[Any], bool]:
        """The in-schema: the rows of a body, and whether they came as an array.

        Raises:
            InputError: rows do not fit the in-schema, or are too many.
        """
        begun = perf_counter()
        many = body.lstrip(_SPACE)[:1] == b"["
        rows = self._many(body) if many else [self.in_schema.decode(body)]
        stages.add("in_schema", perf_counter() - begun)
        return rows, many

    def predict(self, rows: list[Any], stages: Stages) -> list[Any]:
        """Predictions for rows, in order; each a struct of the out-schema.

        Args:
            rows: structs of the in-schema, or mappings with its names.
            stages: the times are added here.

        Raises:
            InputError: a mapping does not fit the model's schema.
            OutputError: the model or an adapter failed, or gave what the out-schema does not allow.
        """
        plan = self.model.rows
        t0 = perf_counter()
        block = plan.fill(rows) if self._adapt_in is None else self._filled(self._adapt_in(rows))
        t1 = perf_counter()
        plan.score(block)
        t2 = perf_counter()
        outputs = plan.outputs(block)
        if self._adapt_out:
            outputs = self._adapt_out(outputs)
        t3 = perf_counter()
        if len(outputs) != len(rows):
            raise OutputError(f"model '{self.model.name}' answered {len(outputs)} rows for {len(rows)}")
        stages.add("in_adapter", t1 - t0)
        stages.add("model", t2 - t1)
        stages.add("out_adapter", t3 - t2)
        if self._check_out:
            outputs = [self._check_out(output) for output in outputs]
            stages.add("out_schema", perf_counter() - t3)
        return outputs

    def encoded(self, outputs: list[Any], stages: Stages, *, many: bool) -> bytes:
        """The out-schema's JSON: an object, or an array of them."""
        begun = perf_counter()
        answered = self.answering.encode(outputs if many else outputs[0])
        stages.add("out_schema", perf_counter() - begun)
        return answered

    def _filled(self, rows: list[Any]) -> Block:
        try:
            return self.model.rows.fill(rows)
        except InputError as error:  # what was sent did fit: it is the adapter that broke it
            raise OutputError(f"the in_adapter's row does not fit the model: {_listed(error)}") from error

    def _many(self, body: bytes) -> list[Any]:
        rows = self.in_schema.decode_many(body)
        if not rows:
            raise InputError(Problem("body", "an empty array", hint="send at least one row"))
        if len(rows) > self.rows_max:
            raise InputError(Problem("body", f"more than {self.rows_max} rows", hint="split the request"))
        return rows


def _each(adapter: Adapter | None, stage: str) -> Callable[[list[Any]], list[Any]] | None:
    """An adapter of rows, one by one, whose failures say which stage broke."""
    if adapter is None:
        return None

    def adapted(rows: list[Any]) -> list[Any]:
        try:
            return [adapter(row) for row in rows]
        except VereditoError:
            raise
        except Exception as error:
            # A user's function may raise anything, and its words may hold values: they stay in the cause.
            raise OutputError(f"the {stage} failed: {type(error).__name__}") from error

    return adapted


def _listed(error: InputError) -> str:
    return "; ".join(map(str, error.problems))


def _fitting(schema: Schema, output: Any) -> Any:
    """The output as a struct of the schema."""
    row = msgspec.structs.asdict(output) if isinstance(output, msgspec.Struct) else output
    try:
        return schema.convert(row)
    except InputError as error:
        raise OutputError(f"an output does not fit: {_listed(error)}") from None
    except (AttributeError, TypeError):
        raise OutputError(f"the out_adapter gave a {type(output).__name__}, not a mapping") from None
