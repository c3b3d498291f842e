"""What changed from one saved model to another: steps, schemas, engines, libraries, metrics."""

from __future__ import annotations

import hashlib
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from veredito.learn.models.model_step import ModelStep
from veredito.learn.step import Step, same
from veredito.model.artifact import read_verified
from veredito.model.codec import StateReader
from veredito.model.manifest import Manifest
from veredito.schema import Schema, breaking_changes
from veredito.schema.forms import words

_SHOWN_CHARACTERS = 60


class Change(msgspec.Struct, frozen=True):
    """One thing that is not as it was.

    Args:
        part: ``model``, ``inputs``, ``outputs``, ``steps``, ``engines``, ``libraries`` or ``metrics``.
        place: which field, step, library or metric.
        what: what happened to it.
        before: how it was; empty if it was not there.
        after: how it is; empty if it is not there.
    """

    part: str
    place: str
    what: str
    before: str = ""
    after: str = ""


def changes(before: str | Path, after: str | Path) -> list[Change]:
    """What changed from one saved model to another. When they were saved, and how fast they were, is no change.

    Args:
        before: a model's folder.
        after: another's.

    Raises:
        ArtifactError: one of them is damaged, or holds a kind of step that is not known here.
    """
    (old, old_files), (new, new_files) = read_verified(Path(before)), read_verified(Path(after))
    old_step, new_step = StateReader(old_files).read(), StateReader(new_files).read()
    return [
        *_of_pairs("model", {"name": old.name}, {"name": new.name}),
        *_of_schemas("inputs", old.inputs, new.inputs),
        *_of_schemas("outputs", old.outputs, new.outputs),
        *_of_steps(old_step, new_step),
        *_of_pairs("engines", _engines(old_step), _engines(new_step)),
        *_of_pairs("libraries", old.libraries, new.libraries),
        *_of_pairs("metrics", old.metrics, new.metrics),
        *_of_pairs("model", _promise(old), _promise(new)),
    ]


def _promise(manifest: Manifest) -> dict[str, float]:
    return {"tolerance": manifest.tolerance}


def _of_pairs(part: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    for name in dict.fromkeys((*old, *new)):
        if name not in new:
            yield Change(part, name, "removed", before=_brief(old[name]))
        elif name not in old:
            yield Change(part, name, "added", after=_brief(new[name]))
        elif not same(old[name], new[name]):
            yield Change(part, name, "changed", _brief(old[name]), _brief(new[name]))


def _of_schemas(part: str, old_data: Mapping[str, Any], new_data: Mapping[str, Any]) -> Iterator[Change]:
    old, new = Schema.from_dict(old_data), Schema.from_dict(new_data)
    refused = {problem.place.partition(".")[2] for problem in breaking_changes(old, new)}
    said = "rows that fitted are refused" if part == "inputs" else "answers may be what they never were"
    for change in _of_pairs(part, {f.name: words(f) for f in old}, {f.name: words(f) for f in new}):
        breaks = change.place in refused
        yield msgspec.structs.replace(change, what=f"{change.what}: {said}" if breaks else change.what)


def _of_steps(old_step: Step, new_step: Step) -> Iterator[Change]:
    old, new = dict(_placed(old_step)), dict(_placed(new_step))
    for place in dict.fromkeys((*old, *new)):
        if place not in new:
            yield Change("steps", place, "removed", before=_brief(old[place]))
        elif place not in old:
            yield Change("steps", place, "added", after=_brief(new[place]))
        elif old[place].kind != new[place].kind:
            yield Change("steps", place, "is another kind", old[place].kind, new[place].kind)
        else:
            was, now = _own(old[place]), _own(new[place])
            for name in dict.fromkeys((*was, *now)):
                for where, one, other in _leaves(name, was.get(name), now.get(name)):
                    yield Change("steps", place, f"{where} changed", _brief(one), _brief(other))


def _placed(step: Step, place: str = "") -> Iterator[tuple[str, Step]]:
    """Every step with where it is, by the names of the pipelines around it."""
    yield place or step.kind, step
    names = getattr(step, "names", ())
    if len(names) != len(step.children):
        names = [f"{child.kind}[{i}]" for i, child in enumerate(step.children)]
    for name, child in zip(names, step.children, strict=True):
        yield from _placed(child, f"{place}.{name}" if place else str(name))


def _own(step: Step) -> dict[str, Any]:
    """What a step says of itself: not the steps in it, which have places of their own, nor its engine."""
    values = step.params() | step.state()
    left_out = {"names"} if step.children else set()
    if isinstance(step, ModelStep):
        left_out.add("engine")
    return {n: value for n, value in values.items() if n not in left_out and not _holds_steps(value)}


def _holds_steps(value: Any) -> bool:
    if isinstance(value, Mapping):
        value = list(value.values())
    return isinstance(value, Step) or (isinstance(value, list | tuple) and any(map(_holds_steps, value)))


def _engines(step: Step) -> dict[str, str]:
    return {place: part.engine for place, part in _placed(step) if isinstance(part, ModelStep)}


def _leaves(where: str, old: Any, new: Any) -> Iterator[tuple[str, Any, Any]]:
    """The innermost values that differ; of an array the first, with how many more there are."""
    if same(old, new):
        return
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in dict.fromkeys((*old, *new)):
            yield from _leaves(f"{where}[{key!r}]", old.get(key), new.get(key))
    elif isinstance(old, list | tuple) and isinstance(new, list | tuple) and len(old) == len(new):
        for i, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from _leaves(f"{where}[{i}]", one, other)
    elif isinstance(old, np.ndarray) and isinstance(new, np.ndarray) and old.shape == new.shape:
        differs = np.flatnonzero([not same(a, b) for a, b in zip(old.flat, new.flat, strict=True)])
        if differs.size:
            first, more = int(differs[0]), f" and {differs.size - 1} more" if differs.size > 1 else ""
            yield f"{where}[{first}]{more}", old.flat[first], new.flat[first]
        else:
            yield f"{where}'s type", str(old.dtype), str(new.dtype)
    else:
        yield where, old, new


def _brief(value: Any) -> str:
    """A value in a few words."""
    if isinstance(value, Step):
        return value.kind
    if isinstance(value, np.ndarray):
        return f"array of {' x '.join(map(str, value.shape))}"
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, str | bytes) and len(value) > _SHOWN_CHARACTERS:
        data = value.encode() if isinstance(value, str) else value
        return f"{len(data)} bytes, SHA-256 {hashlib.sha256(data).hexdigest()[:8]}…"
    if isinstance(value, str):
        return value
    return textwrap.shorten(repr(value), _SHOWN_CHARACTERS, placeholder=" …")
