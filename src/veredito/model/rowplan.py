"""The row plan: a model's steps on 1..N rows, without a data frame.

It is bound once. The features of the model lie side by side in the block, so that the model reads them as a
view; rows come in and answers go out by generated code.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from veredito.errors import OutputError, Problem, SchemaError, did_you_mean
from veredito.learn.block import Block, Layout
from veredito.learn.models.model_step import ModelStep
from veredito.learn.step import Step, walk
from veredito.model.fill import InAdapter, outputs_function
from veredito.schema import Schema


class RowPlan:
    """A model bound to its schemas. Safe to share between threads: rows never share a buffer.

    Args:
        step: the fitted steps.
        inputs: the schema of rows.
        outputs: the schema of answers.
        name: how the model is called in errors.

    Raises:
        SchemaError: the schemas do not fit what the steps read and write; every problem is named.

    Example:
        >>> import polars as pl
        >>> from veredito import learn
        >>> from veredito.schema import Field, Schema
        >>> step, _, _ = learn.imputer(["age"])(pl.DataFrame({"age": [20.0, None, 40.0]}))
        >>> rows = RowPlan(step, Schema("In", [Field("age", "float", nullable=True)]), Schema("Out", [Field("age", "float")]))
        >>> rows([{"age": None}, {"age": 21.0}])
        [Out(age=30.0), Out(age=21.0)]
    """

    def __init__(self, step: Step, inputs: Schema, outputs: Schema, *, name: str = "model") -> None:
        self.inputs, self.outputs_schema, self.name = inputs, outputs, name
        problems = _input_problems(step, inputs)
        if problems:
            raise SchemaError(problems)
        begin, layout = _layout(step, inputs), _layout(step, inputs)
        self._kernel = step.bind(layout)
        problems = _output_problems(layout, outputs)
        if problems:
            raise SchemaError(problems)
        self.layout = layout
        self._fill = InAdapter(inputs, begin, layout.width, layout.texts_width)
        self._outputs = outputs_function(outputs, layout, name)

    def fill(self, rows: Sequence[Any]) -> Block:
        """The in-adapter: a block of rows.

        Args:
            rows: structs of the in-schema, or mappings; all of one sort.

        Raises:
            InputError: a value is not of its field's kind; every such field of every row is named.
        """
        return self._fill(rows)

    def score(self, block: Block) -> None:
        """The model: every step, in place.

        Raises:
            OutputError: a step failed, or a model gave the wrong number or kind of values.
        """
        try:
            self._kernel(block)
        except Exception as error:
            # Any library may raise anything here. Its own words may hold values, so they stay in the cause.
            raise OutputError(f"model '{self.name}' failed: {type(error).__name__}") from error

    def outputs(self, block: Block) -> list[Any]:
        """The out-adapter: an answer for each row, as structs of the out-schema.

        Raises:
            OutputError: a value is missing, not finite, or not what the out-schema allows.
        """
        return self._outputs(block)

    def __call__(self, rows: Sequence[Any]) -> list[Any]:
        """Answers for rows: as many, in the same order.

        Raises:
            InputError: as `fill`.
            OutputError: as `score` and `outputs`.
        """
        block = self._fill(rows)
        self.score(block)
        return self._outputs(block)

    def __repr__(self) -> str:
        return (
            f"RowPlan {self.name}: {len(self.inputs)} fields ▸ {self.layout.width} numbers and"
            f" {self.layout.texts_width} texts ▸ {', '.join(self.outputs_schema.names)}"
        )


def _layout(step: Step, inputs: Schema) -> Layout:
    read = [field for field in inputs if field.name in step.needs]
    numbers = [field.name for field in read if field.kind != "text"]
    texts = [field.name for field in read if field.kind == "text"]
    return Layout(numbers, texts, reserved=_reserved(step))


def _reserved(step: Step) -> tuple[str, ...]:
    """The features of the widest model: they are to lie side by side."""
    models = [part for part in walk(step) if isinstance(part, ModelStep)]
    return max((model.features for model in models), key=len, default=())


def _input_problems(step: Step, inputs: Schema) -> list[Problem]:
    problems = []
    for name, want in step.needs.items():
        if name not in inputs:
            hint = did_you_mean(name, inputs.names)
            problems.append(Problem(f"{inputs.name}.{name}", "the model reads it", inputs.names, hint))
        elif (inputs[name].kind == "text") != (want == "text") and want != "any":
            what = f"is {inputs[name].kind}, and the model reads a {want}"
            problems.append(Problem(f"{inputs.name}.{name}", what))
    return problems


def _output_problems(layout: Layout, outputs: Schema) -> list[Problem]:
    problems = []
    if not len(outputs):
        hint = "name the outputs that are to be answered"
        problems.append(Problem(outputs.name, "has no fields: nothing would be answered", hint=hint))
    for field in outputs:
        kind = layout.names.get(field.name)
        if kind is None:
            hint = did_you_mean(field.name, layout.names)
            what = "no step writes it"
            problems.append(Problem(f"{outputs.name}.{field.name}", what, tuple(layout.names), hint))
        elif (kind == "text") != (field.kind == "text"):
            problems.append(
                Problem(f"{outputs.name}.{field.name}", f"is {field.kind}, and the model writes a {kind}")
            )
    return problems
