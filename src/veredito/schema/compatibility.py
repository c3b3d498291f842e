"""Compatibility: whether rows that fit one schema still fit another."""

from __future__ import annotations

from veredito.errors import Problem
from veredito.schema.field import Field
from veredito.schema.schema import Schema

_WIDER = {("int", "float")}  # every value of the first kind is a value of the second


def breaking_changes(old: Schema, new: Schema) -> list[Problem]:
    """What could make a row that fits `old` be refused by `new`; empty if nothing can.

    Example:
        >>> old = Schema("P", [Field("amount", "float")])
        >>> new = Schema("P", [Field("amount", "float", minimum=0.0), Field("country", "text")])
        >>> [str(problem) for problem in breaking_changes(old, new)]
        ['P.amount: the minimum rose to 0.0', 'P.country: a new required field']
    """
    problems = [
        Problem(f"{new.name}.{field.name}", "removed, and unknown fields are refused")
        for field in old
        if field.name not in new
    ]
    for field in new:
        whats = (
            _narrowed(old[field.name], field)
            if field.name in old
            else ["a new required field"] * field.required
        )
        problems += [Problem(f"{new.name}.{field.name}", what) for what in whats]
    return problems


def _narrowed(old: Field, new: Field) -> list[str]:
    whats = []
    if old.kind != new.kind and (old.kind, new.kind) not in _WIDER:
        whats.append(f"changed from {old.kind} to {new.kind}")
    if old.nullable and not new.nullable:
        whats.append("may no longer be missing")
    elif not old.required and new.required:
        whats.append("may no longer be absent")
    if new.minimum is not None and (old.minimum is None or old.minimum < new.minimum):
        whats.append(f"the minimum rose to {new.minimum}")
    if new.maximum is not None and (old.maximum is None or old.maximum > new.maximum):
        whats.append(f"the maximum fell to {new.maximum}")
    if new.length_max is not None and (old.length_max is None or old.length_max > new.length_max):
        whats.append(f"the longest text fell to {new.length_max}")
    if new.categories is not None:
        gone = [] if old.categories is None else [c for c in old.categories if c not in new.categories]
        if old.categories is None or gone:
            whats.append(f"categories no longer allowed: {', '.join(gone) or 'any but the listed'}")
    return whats
