"""The subjects: how each is started, asked, and read. Their code and settings are in `peers/`."""

import dataclasses
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bench.environments import PEERS
from bench.serving.rows import NUMBERS, TEXTS
from bench.serving.steps import OUTPUTS, STORE

BESIDE = ("mlserver_endpoint",)  # measured and shown, and not one of the comparison's seven
REQUIREMENTS = Path(__file__).parent / "requirements"

CONFIG = """\
[service]
name = "bench"
port = {port}
in_flight_max = 1024
body_bytes_max = 4194304

[models.card]
artifact = "{artifact}"
"""


def flat(row):
    return json.dumps(row).encode()


def listed(row):
    return json.dumps({"rows": [row]}).encode()


def tensors(row):
    numbers, texts = [row[name] for name in NUMBERS], [row[name] for name in TEXTS]
    inputs = [
        {"name": "numbers", "shape": [1, len(numbers)], "datatype": "FP64", "data": numbers},
        {"name": "texts", "shape": [1, len(texts)], "datatype": "BYTES", "data": texts},
    ]
    return json.dumps({"inputs": inputs}).encode()


def outputs(answer):
    return tuple(answer[name] for name in OUTPUTS)


def outputs_of_tensors(answer):
    return outputs({tensor["name"]: tensor["data"][0] for tensor in answer["outputs"]})


@dataclasses.dataclass(frozen=True)
class Subject:
    """One server of the comparison.

    Args:
        name: as in the results.
        arguments: what follows the interpreter; `{port}` and `{config}` are filled in.
        home: the folder of its virtual environment, or None for the one that runs the benchmark.
        ready: the path that answers 200 when it can be asked.
        path: where rows are posted.
        environment: variables of its own.
        many: whether it takes an array of rows in one request.
        body: a row to its request.
        read: a parsed answer to the three outputs.
    """

    name: str
    arguments: tuple[str, ...]
    home: str | None = None
    ready: str = "/readyz"
    path: str = "/v1/predict"
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
    many: bool = False
    body: Callable[[dict], bytes] = flat
    read: Callable[[Any], tuple] = outputs

    @property
    def python(self):
        """The interpreter that it runs on."""
        return str((PEERS / self.home / "bin" / "python").absolute()) if self.home else sys.executable

    def command(self, port):
        """The whole command line; a config is written first where it has one."""
        config = STORE / "veredito.toml"
        if "{config}" in self.arguments:
            config.write_text(CONFIG.format(port=port, artifact=(STORE / "model").absolute()))
        return [self.python, *(argument.format(port=port, config=config) for argument in self.arguments)]

    def variables(self, port, more_ports):
        """The environment that it runs in: one thread a library, and where things are."""
        paths = [str(Path.cwd()), str(Path("src").absolute())] if self.home is None else [str(Path.cwd())]
        return {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(paths),
            "PORT": str(port),
            "MORE_PORTS": json.dumps(more_ports),
            "BENCH_STORE": str(STORE.absolute()),
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            **self.environment,
        }


def _peer(name):
    return ("-m", f"bench.serving.peers.{name}")


SUBJECTS = {
    subject.name: subject
    for subject in (
        Subject("veredito", ("-m", "veredito", "serve", "{config}"), many=True),
        Subject("limit", _peer("limit"), many=True),
        Subject("fastapi_pandas", _peer("fastapi_pandas"), "fastapi_pandas"),
        Subject(
            "bentoml",
            (
                "-m",
                "bentoml",
                "serve",
                "bench.serving.peers.bentoml_app:Card",
                "--host",
                "127.0.0.1",
                "--port",
                "{port}",
            ),
            "bentoml",
            environment={"BENTOML_DO_NOT_TRACK": "True"},
            body=listed,
            read=lambda answer: outputs(answer[0]),
        ),
        Subject("litserve", _peer("litserve_app"), "litserve", ready="/health"),
        Subject(
            "mlserver",
            _peer("mlserver_app"),
            "mlserver",
            ready="/v2/health/ready",
            path="/v2/models/card/infer",
            body=tensors,
            read=outputs_of_tensors,
        ),
        Subject("mlserver_endpoint", _peer("mlserver_app"), "mlserver", ready="/v2/health/ready"),
        Subject(
            "ray_serve",
            _peer("ray_app"),
            "ray_serve",
            ready="/-/healthz",
            environment={"RAY_SERVE_THROUGHPUT_OPTIMIZED": "1", "RAY_USAGE_STATS_ENABLED": "0"},
        ),
    )
}
