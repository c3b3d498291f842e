"""How a branch reads the value of its test."""

from __future__ import annotations

from typing import Any

from veredito.graph.shape import Question


def verdict(question: Question, value: Any) -> bool:
    """Whether a branch's question is answered with yes.

    Raises:
        TypeError: the value of a condition is not a boolean; a condition never picks an arm by accident.
    """
    if question.mode == "truthy":
        return bool(value)
    if question.mode == "falsy":
        return not value
    if value is True or value is False:
        return bool(value)
    if type(value).__module__ == "numpy" and type(value).__name__ in {"bool", "bool_"}:
        return bool(value)
    raise TypeError(f"a condition must be True or False, and this one is a {type(value).__name__}")
