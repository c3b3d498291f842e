"""The config: a TOML file, with the environment above it, read into settings.

Precedence: an environment variable ``VEREDITO__SERVICE__PORT=9000`` stands above ``[service] port`` in the
file. Paths in the file are relative to the file's folder, and so are the modules that it names. Secrets are
never in the file: it names the environment variable, or the file, that holds them.
"""

from __future__ import annotations

import hashlib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from veredito.decide import PrePolicy
from veredito.errors import ConfigError, Problem
from veredito.record import RecordSettings
from veredito.schema import read_settings
from veredito.sources import check

ENVIRONMENT_PREFIX = "VEREDITO__"

Positive = Annotated[int, msgspec.Meta(ge=1)]
Seconds = Annotated[float, msgspec.Meta(ge=0)]
Name = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,63}$")]


class ServiceSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[service]``: the process, its port and its limits.

    Attributes:
        name: what the service is called in records and metrics.
        host: the address to listen on.
        port: 0 takes a free one.
        deadline_ms: the longest time to an answer; a caller may ask for less, never for more.
        in_flight_max: requests being answered at once; one more is refused with 503. At 700 ms each, 512
            are about 700 answers a second before the first refusal.
        body_bytes_max: longest request body, 1 MiB: a thousand rows of a kilobyte.
        batch_rows_max: most rows in one `/v1/predict`.
        drain_seconds: how long to serve on after the stop signal, with `/readyz` already off.
        stop_seconds: how long to wait for requests in flight, and then for the record's sinks.
        workers: processes on the port, with ``--role model``. A decision service is one process: it owns the
            record and the windows; run several services to have more.
    """

    name: Name
    host: str = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 8080
    deadline_ms: Annotated[float, msgspec.Meta(gt=0)] = 1000.0
    in_flight_max: Positive = 512
    body_bytes_max: Positive = 1 << 20
    batch_rows_max: Positive = 1000
    drain_seconds: Seconds = 0.0
    stop_seconds: Seconds = 10.0
    workers: Positive = 1


class FallbackSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[decision] fallback``: what is decided when a decision cannot be made.

    Attributes:
        action: the action, in the policy's words.
        reason: why, for the person who asks.
    """

    action: str
    reason: str = "the decision could not be made in time"


class DecisionSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[decision]``: what `/v1/decide` decides, and how.

    Attributes:
        inputs: ``module:Struct``, the type of an event.
        graph: the module whose nodes are the features.
        policy: ``module:policy``.
        fallback: the decision when something fails that has no default.
        pre_policy: the cheap question that comes first.
        key: the event's field that names its entity; the key in Kafka.
        event_time: the event's field that says when it happened.
    """

    inputs: str
    graph: str
    policy: str
    fallback: FallbackSettings
    pre_policy: PrePolicy | None = None
    key: str | None = None
    event_time: str | None = None


class ModelSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[models.NAME]``: a model; its answer is the graph's node NAME.

    Attributes:
        artifact: the folder it was saved in.
        features: the node that gives its row; needed where there is a ``[decision]``.
        public_key: a file with the Ed25519 key that must have signed it.
        in_schema: ``module:Struct``, a row as it is sent; the model's own by default.
        in_adapter: ``module:function``, a sent row to the model's; by default it is one already.
        out_adapter: ``module:function``, the model's answer to the service's; by default it is one already.
        out_schema: ``module:Struct``, an answer; the model's own by default.
        record_only: fields of the answer that the record keeps and the caller does not get.
        record_key: a second key of ``/v1/predict``'s answer with just those, for a caller with its own record.
        batching: where it works: ``inline``, on the ``loop`` in batches, or in a ``thread``; measured at start
            by default.
        batch_rows_max: most rows it is given at once; 256 fill the processor's caches and not the loop's time.
        batch_ms_max: the longest a batch may take, as rows have taken lately.
        waiting_rows_max: most rows that may wait for it; one more is refused with 503.
    """

    artifact: str
    features: str | None = None
    public_key: str | None = None
    in_schema: str | None = None
    in_adapter: str | None = None
    out_adapter: str | None = None
    out_schema: str | None = None
    record_only: list[str] = []
    record_key: Name | None = None
    batching: Literal["auto", "inline", "loop", "thread"] = "auto"
    batch_rows_max: Positive = 256
    batch_ms_max: Annotated[float, msgspec.Meta(gt=0)] = 20.0
    waiting_rows_max: Positive = 4096


class AuthSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[auth]``: where the API keys are; exactly one of the two.

    Attributes:
        keys_environment: a variable with keys, comma separated.
        keys_file: a file with one key a line.
    """

    keys_environment: str | None = None
    keys_file: str | None = None

    def __post_init__(self) -> None:
        if (self.keys_environment is None) == (self.keys_file is None):
            message = "give either keys_environment or keys_file"
            raise ValueError(message)


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole config. ``[sources.*]`` is checked by the kind of each source."""

    service: ServiceSettings
    decision: DecisionSettings | None = None
    models: dict[str, ModelSettings] = msgspec.field(default_factory=dict)
    sources: dict[str, dict[str, Any]] = msgspec.field(default_factory=dict)
    record: RecordSettings | None = None
    auth: AuthSettings | None = None

    def __post_init__(self) -> None:
        if self.decision is None and not self.models:
            message = "nothing to serve: there is neither [decision] nor [models.NAME]"
            raise ValueError(message)


def read_config(path: Path, environment: Mapping[str, str] | None = None) -> Config:
    """Read a config file.

    Args:
        path: the TOML file.
        environment: variables to take overrides from; the process's own by default.

    Raises:
        ConfigError: the file cannot be read, is not TOML, or has problems; all are listed.
    """
    environment = os.environ if environment is None else environment
    table = _with_environment(_toml(path), environment)
    config, problems = read_settings(Config, table, "")
    if config is None:
        raise ConfigError([*problems, *_source_problems(table)], title=f"{path.name} is invalid")
    return config


def _source_problems(table: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with the sources of a config that cannot be read as a whole."""
    tables = table.get("sources")
    named = tables.items() if isinstance(tables, Mapping) else ()
    return [problem for name, inner in named if isinstance(inner, Mapping) for problem in check(name, inner)]


def config_hash(config: Config) -> str:
    """A short hash of the resolved config; it holds no secret, because the config holds none."""
    data = msgspec.json.encode(msgspec.to_builtins(config), order="sorted")
    return hashlib.sha256(data).hexdigest()[:12]


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        near = tuple(sorted(p.name for p in path.parent.glob("*.toml"))) if path.parent.is_dir() else ()
        raise ConfigError(Problem(str(path), "no such file", available=near)) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(Problem(path.name, f"cannot be read: {error}")) from None


def _with_environment(table: dict[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    for name in sorted(environment):
        if name.startswith(ENVIRONMENT_PREFIX):
            *folders, key = name.removeprefix(ENVIRONMENT_PREFIX).lower().split("__")
            _inner(table, folders)[key] = _value(environment[name])
    return table


def _inner(table: dict[str, Any], folders: list[str]) -> dict[str, Any]:
    for folder in folders:
        inner = table.setdefault(folder, {})
        if not isinstance(inner, dict):
            raise ConfigError(Problem(folder, "is not a table, and the environment sets a key in it"))
        table = inner
    return table


def _value(text: str) -> Any:
    """A variable's text as TOML would read it, and as text where it is not TOML."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
