"""``[models.NAME]``: the artifact loaded and verified, its stages assembled, and where it is to work."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from types import FunctionType
from typing import Any

import msgspec

from veredito import model as vm
from veredito.errors import ConfigError, OutputError, Problem, did_you_mean
from veredito.model.parity import PARITY, read_parity
from veredito.schema import Schema
from veredito.serve.answer import Told
from veredito.serve.batching import Limits, Place, measured, place_of
from veredito.serve.config import ModelSettings
from veredito.serve.importing import attribute
from veredito.serve.predictor import Adapters, Predictor

log = logging.getLogger("veredito.serve")


class Loaded(msgspec.Struct, frozen=True):
    """A model, ready to be asked.

    Attributes:
        predictor: its stages.
        place: where it works.
        limits: of its batches.
    """

    predictor: Predictor
    place: Place
    limits: Limits


def load(name: str, settings: ModelSettings, folder: Path, rows_max: int) -> Loaded:
    """The model that a config describes.

    Args:
        name: as in ``[models.NAME]``.
        settings: its table.
        folder: the config's; paths start there.
        rows_max: most rows in one request.

    Raises:
        DefinitionError: the artifact cannot be used, or something that replaces a stage does not fit.
    """
    key = folder / settings.public_key if settings.public_key else None
    artifact = folder / settings.artifact
    adapters = _adapters(settings)  # first: a module of the user's may define steps that the artifact has
    model = vm.load(artifact, require_signature=key)
    if problems := _gaps(adapters, model):
        raise ConfigError(problems)
    limits = Limits(settings.batch_rows_max, settings.batch_ms_max / 1e3, settings.waiting_rows_max)
    place = _place(name, settings, model, parity_rows(artifact, model))
    return Loaded(Predictor(model, rows_max, adapters), place, limits)


def parity_rows(artifact: Path, model: vm.Model) -> list[Any]:
    """The rows that prove a model and that it answers, as structs of its in-schema: real ones, and edge cases."""
    table = read_parity((artifact / PARITY).read_bytes(), model.rows).select(model.in_schema.names)
    fitting = [row for row in table.to_dicts() if not model.in_schema.check(row)]
    return [row for row in map(model.in_schema.convert, fitting) if _answerable(model, row)]


def _adapters(settings: ModelSettings) -> Adapters:
    parts: dict[str, Any] = {}
    problems: list[Problem] = []

    def attempt(stage: str, make: Callable[[str], Any]) -> None:
        reference = getattr(settings, stage)
        try:
            parts[stage] = None if reference is None else make(reference)
        except ConfigError as error:
            problems.extend(Problem(stage, p.what, p.available, p.hint) for p in error.problems)

    for stage in ("in_schema", "out_schema"):
        attempt(stage, lambda reference: Schema.of(attribute(reference, type)))
    for stage in ("in_adapter", "out_adapter"):
        attempt(stage, lambda reference: attribute(reference, FunctionType))
    if problems:
        raise ConfigError(problems)
    return Adapters(told=Told(tuple(settings.record_only), settings.record_key), **parts)


def _gaps(adapters: Adapters, model: vm.Model) -> list[Problem]:
    """What schemas of the user's own leave open where no adapter stands between."""
    problems = []
    if adapters.in_schema is not None and adapters.in_adapter is None:
        needed = [field.name for field in model.in_schema if field.required]
        problems += _absent("in_schema", "in_adapter", needed, adapters.in_schema.names)
        problems += _absent("in_schema", "in_adapter", adapters.in_schema.names, model.in_schema.names)
    if adapters.out_schema is not None and adapters.out_adapter is None:
        needed = [field.name for field in adapters.out_schema if field.required]
        problems += _absent("out_schema", "out_adapter", needed, model.out_schema.names)
    return problems


def _absent(stage: str, adapter: str, needed: Any, available: tuple[str, ...]) -> list[Problem]:
    return [
        Problem(
            stage,
            f"'{name}' is on one side of the model and not on the other",
            available,
            did_you_mean(name, available) or f"give an {adapter} that makes it",
        )
        for name in needed
        if name not in available
    ]


def _place(name: str, settings: ModelSettings, model: vm.Model, rows: list[Any]) -> Place:
    if settings.batching != "auto":
        return settings.batching
    if not rows:
        return "thread"  # nothing is known of it, and a slow one there harms nobody
    alone, together = measured(model.rows, rows)
    place = place_of(alone, together)
    log.info(
        "model %s works in place '%s': a row takes %.0f µs alone, %.0f µs in a batch",
        name, place, alone * 1e6, together * 1e6,
    )  # fmt: skip
    return place


def _answerable(model: vm.Model, row: Any) -> bool:
    try:
        model.rows([row])
    except OutputError:
        return False  # an edge row may have no answer that the out-schema allows
    return True
