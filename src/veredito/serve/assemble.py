"""Assembly: from a config file to a service that can start. All that is wrong is said here, together.

Each part is built on its own, and its problems are collected; only when every part stands are they joined
into one graph. Nothing is connected to and no thread is started before `Service.start()`.
"""

from __future__ import annotations

import enum
import functools
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import TypeVar

import msgspec

from veredito import __version__
from veredito import graph as vg
from veredito import sources as vs
from veredito.decide import Policy
from veredito.errors import ConfigError, DefinitionError, Problem, did_you_mean
from veredito.record import Recorder, RecordLayout, RecordSettings
from veredito.record.check import check as check_record
from veredito.record.idempotency import IdempotencyStore
from veredito.schema import Schema
from veredito.serve import deciding, loading, wiring
from veredito.serve.auth import Keys, read_keys
from veredito.serve.config import Config, DecisionSettings, config_hash, read_config
from veredito.serve.decider import About, Decider, recorded_features
from veredito.serve.importing import attribute, module
from veredito.serve.predictor import Predictor
from veredito.types import Source

T = TypeVar("T")


class Service:
    """Everything a config file assembles to.

    Attributes:
        config: as read.
        folder: the config file's; relative paths start there.
        predictors: model name to its five stages.
        batching: model name to where it works, and the limits of its batches.
        decider: decides on events; `None` where there are models alone.
        inputs: the schema of an event, where there is a decider.
        sources: by name; opened by `start()`.
        recorder: where records go; opened by `start()`.
        idempotency: the answers kept under idempotency keys; likewise.
        keys: the API keys let in; `None` lets everyone in.
        warnings: what is allowed, and worth saying aloud.
    """

    def __init__(
        self,
        config: Config,
        folder: Path,
        models: Mapping[str, loading.Loaded],
        sources: Mapping[str, Source],
        *,
        decider: Decider | None,
        inputs: Schema | None,
        graph: vg.Graph | None,
        keys: Keys | None,
        warnings: Iterable[str] = (),
    ) -> None:
        self.config, self.folder = config, folder
        self.predictors = {name: model.predictor for name, model in models.items()}
        self.batching = {name: (model.place, model.limits) for name, model in models.items()}
        self.sources = sources
        self.decider, self.inputs, self.graph, self.keys = decider, inputs, graph, keys
        self.warnings = tuple(warnings)
        self.recorder: Recorder | None = None
        self.idempotency: IdempotencyStore | None = None

    async def start(self) -> None:
        """Open the sources and the record; what was opened is closed again if one of them fails."""
        try:
            for source in self.sources.values():
                await source.start()
            if self.config.record is not None and self.inputs is not None:
                settings = _anchored(self.config.record, self.folder)
                self.idempotency = IdempotencyStore(settings.folder, deciding.answer)
                self.recorder = Recorder.open(settings, self._layout(self.inputs))
        except BaseException:
            await self.aclose()
            raise

    async def aclose(self) -> None:
        """Close the record first, so that every decision is safe, then the sources."""
        recorder, self.recorder = self.recorder, None
        idempotency, self.idempotency = self.idempotency, None
        try:
            if recorder is not None:
                recorder.close(self.config.service.stop_seconds)
            if idempotency is not None:
                idempotency.close()
        finally:
            for source in self.sources.values():
                await source.aclose()

    def _layout(self, inputs: Schema) -> RecordLayout:
        about = self.decider.about if self.decider is not None else None
        rows = about.features if about is not None else {}
        return RecordLayout(
            inputs=inputs,
            features=recorded_features(
                {name: (rows[name], predictor.in_schema) for name, predictor in self.predictors.items()}
            ),
            outputs={name: predictor.out_schema for name, predictor in self.predictors.items()},
            entity=about.key if about is not None else None,
            event_time=about.event_time if about is not None else None,
        )


def _anchored(settings: RecordSettings, folder: Path) -> RecordSettings:
    """The settings with their folders made absolute; an absolute one stays."""
    parquet = settings.parquet
    if parquet.folder:
        parquet = msgspec.structs.replace(parquet, folder=str(folder / parquet.folder))
    return msgspec.structs.replace(settings, folder=str(folder / settings.folder), parquet=parquet)


class _Problems:
    """Collects problems, so that one part's faults do not hide another's."""

    def __init__(self) -> None:
        self.found: list[Problem] = []

    def attempt(self, place: str, build: Callable[[], T]) -> T | None:
        try:
            return build()
        except DefinitionError as error:
            self.found += [
                Problem(_join(place, p.place), p.what, p.available, p.hint) for p in error.problems
            ]
            return None


def _join(place: str, inner: str) -> str:
    if not inner or inner.startswith("["):
        return inner or place
    return f"{place}: {inner}"


class Role(enum.Enum):
    """What of a config is served: the whole decision, or its models alone."""

    DECISION = "decision"
    MODEL = "model"


def assemble(
    path: Path, environment: Mapping[str, str] | None = None, *, role: Role = Role.DECISION
) -> Service:
    """The service that a config file describes, checked and not yet started.

    Args:
        path: the TOML file.
        environment: variables that override it; the process's own by default.
        role: with `Role.MODEL` the decision, its sources and its record are left out.

    Raises:
        ConfigError: there are problems, in the file or in what it names; all are listed.
    """
    config, folder = read_config(path, environment), path.resolve().parent
    if role is Role.MODEL:
        config = _models_alone(config)
    problems = _Problems()
    auth = config.auth
    keys = problems.attempt("[auth]", lambda: read_keys(auth, folder)) if auth is not None else None
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    # The decision's modules come first, because they may define steps that a model has.
    parts = _decision_parts(config.decision, problems) if config.decision else None
    models = _models(config, folder, problems)
    for name, table in config.sources.items():
        problems.found += vs.check(name, table)
    if (record := config.record) is not None:
        problems.attempt("[record]", lambda: check_record(record))
    sources = {} if problems.found else {n: vs.open(n, t, folder=folder) for n, t in config.sources.items()}
    decider, inputs, graph = None, None, None
    if config.decision is not None and parts is not None and not problems.found:
        settings, inputs = config.decision, parts.inputs
        predictors = {name: model.predictor for name, model in models.items()}
        built = problems.attempt("[decision]", lambda: _decider(config, settings, parts, predictors, sources))
        decider, graph = built if built is not None else (None, None)
    if problems.found:
        raise ConfigError(problems.found, title=f"{path.name} is invalid")
    return Service(
        config, folder, models, sources, decider=decider, inputs=inputs, graph=graph, keys=keys,
        warnings=_warnings(config, keys, decider),
    )  # fmt: skip


def _models_alone(config: Config) -> Config:
    if not config.models:
        raise ConfigError(
            Problem("[models]", "there is no model to serve", hint="add [models.NAME] artifact = ...")
        )
    return Config(service=config.service, models=config.models, auth=config.auth)


def _warnings(config: Config, keys: Keys | None, decider: Decider | None) -> list[str]:
    warnings = []
    if keys is None and config.service.host not in {"127.0.0.1", "::1", "localhost"}:
        warnings.append(f"no [auth]: everyone who reaches {config.service.host} may ask")
    if config.decision is not None and config.record is None:
        warnings.append("no [record]: decisions are answered and forgotten")
    if decider is not None:
        warnings += map(str, decider.plan.warnings)
    return warnings


def _models(config: Config, folder: Path, problems: _Problems) -> dict[str, loading.Loaded]:
    models = {}
    rows_max = config.service.batch_rows_max
    for name, settings in config.models.items():
        load = functools.partial(loading.load, name, settings, folder, rows_max)
        model = problems.attempt(f"[models.{name}]", load)
        if model is not None:
            models[name] = model
        if config.decision is not None and settings.features is None:
            problems.found.append(
                Problem(f"[models.{name}].features", "is required where there is a [decision]")
            )
    return models


class _Parts(msgspec.Struct, frozen=True):
    """What a [decision] names, imported."""

    nodes: ModuleType
    event: type[msgspec.Struct]
    inputs: Schema
    policy: Policy


def _decision_parts(settings: DecisionSettings, problems: _Problems) -> _Parts | None:
    nodes = problems.attempt("[decision].graph", lambda: module(settings.graph))
    event = problems.attempt("[decision].inputs", lambda: attribute(settings.inputs, type))
    policy = problems.attempt("[decision].policy", lambda: attribute(settings.policy, Policy))
    inputs = problems.attempt("[decision].inputs", lambda: Schema.of(event)) if event else None
    if inputs is not None:
        for part in ("key", "event_time"):
            name = getattr(settings, part)
            if name is not None and name not in inputs:
                hint = did_you_mean(name, inputs.names)
                problems.found.append(Problem(f"[decision].{part}", f"no field '{name}'", inputs.names, hint))
    if nodes is None or event is None or inputs is None or policy is None:
        return None
    return _Parts(nodes, event, inputs, policy)


def _decider(
    config: Config,
    settings: DecisionSettings,
    parts: _Parts,
    predictors: Mapping[str, Predictor],
    sources: Mapping[str, Source],
) -> tuple[Decider, vg.Graph]:
    rows = {name: str(config.models[name].features) for name in predictors}
    name = wiring.input_node(parts.nodes, parts.event)
    graph = wiring.decision_graph(
        parts.nodes,
        predictors={name: (predictors[name], rows[name]) for name in predictors},
        policy=parts.policy,
        pre_policy=settings.pre_policy,
        sources=tuple(sources),
    )
    about = About(
        service=config.service.name,
        service_version=__version__,
        config_hash=config_hash(config),
        policy_version=parts.policy.version,
        models={name: predictor.model.version for name, predictor in predictors.items()},
        inputs=name,
        features=rows,
        effects=wiring.effects(graph),
        key=settings.key,
        event_time=settings.event_time,
    )
    plan = graph.plan(wiring.DECISION, deadline_ms=config.service.deadline_ms)
    return Decider(plan, about, settings.fallback, sources), graph
