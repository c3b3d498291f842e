"""``veredito profile``: where a request's time goes, stage by stage and step by step."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from veredito.serve.assemble import Service
    from veredito.serve.profiling import Profile, StepCost

_console = Console(soft_wrap=True, highlight=False)


def profile(
    config: Path, *, requests: Path | None = None, count: int = 1000, out: Path = Path("profile.svg")
) -> int:
    """Show where a request's time goes, in tables and as a picture.

    For decisions: as the service's own record has it. For models: requests are made in this process, with the
    rows that prove the model; each step is timed too, and one that makes a table for every row is marked.

    Parameters
    ----------
    config
        The service's TOML file.
    requests
        A file with the rows to send to the model instead, one JSON object a line; the service has one model.
    count
        How many requests, and how many of the record's last decisions.
    out
        The picture's file.
    """
    from veredito.serve.assemble import Role, assemble
    from veredito.serve.profiling import picture

    service = assemble(config, role=Role.DECISION)
    service.keys = None  # the one who asks is this process
    profiles = _of_the_record(service, count)
    for name in service.predictors:
        of_requests, steps = asyncio.run(_of_the_model(service, name, requests, count))
        profiles.append(of_requests)
        _print_steps(name, steps)
    for each in profiles:
        _print(each)
    out.write_text(picture(profiles), encoding="utf-8")
    _console.print(str(out), markup=False)
    return 0


def _of_the_record(service: Service, count: int) -> list[Profile]:
    from veredito.errors import RecordError
    from veredito.record import tools
    from veredito.serve.profiling import recorded

    if service.config.record is None:
        return []
    try:
        found = recorded(tools.tail(service.folder / service.config.record.folder, count))
    except RecordError:
        return []  # nothing was recorded yet
    return [found] if found is not None else []


async def _of_the_model(
    service: Service, name: str, requests: Path | None, count: int
) -> tuple[Profile, list[StepCost]]:
    from veredito.errors import ConfigError, Problem
    from veredito.serve.app import App
    from veredito.serve.loading import parity_rows
    from veredito.serve.profiling import requested, step_costs

    predictor = service.predictors[name]
    model = predictor.model
    rows = parity_rows(service.folder / service.config.models[name].artifact, model)
    if requests is not None:
        bodies, title = _lines(requests, service), f"rows of {requests.name} to model {name}"
    elif predictor.in_schema is not model.in_schema:
        hint = "give requests with --requests, one JSON object a line"
        raise ConfigError(Problem(f"[models.{name}].in_schema", "is not that of the model's rows", hint=hint))
    else:
        bodies, title = [msgspec.json.encode(row) for row in rows], f"rows to model {name}"
    app = App(service, url="")
    sent = list(itertools.islice(itertools.cycle(bodies), count))
    return await requested(app, f"/v1/predict/{name}", sent, title), step_costs(model, rows)


def _lines(path: Path, service: Service) -> list[bytes]:
    from veredito.errors import ConfigError, Problem

    if len(service.predictors) != 1:
        what = f"there are {len(service.predictors)} models, and the rows are one model's"
        raise ConfigError(Problem("requests", what))
    try:
        lines = [line for line in path.read_bytes().splitlines() if line.strip()]
    except OSError as error:
        raise ConfigError(Problem(str(path), f"cannot be read: {error.strerror}")) from None
    if not lines:
        raise ConfigError(Problem(str(path), "has no row", hint="write one JSON object a line"))
    return lines


def _print(profile: Profile) -> None:
    table = Table(title=f"{profile.requests:,} {profile.title}", title_justify="left")
    for column in ("stage", "p50, µs", "p99, µs", "share"):
        table.add_column(column, justify="left" if column == "stage" else "right")
    for share in profile.shares:
        table.add_row(share.stage, f"{share.p50_us:.1f}", f"{share.p99_us:.1f}", f"{share.part:.0%}")
    _console.print(table)


def _print_steps(name: str, steps: Sequence[StepCost]) -> None:
    table = Table(title=f"the steps of model {name}, one row", title_justify="left")
    table.add_column("step")
    table.add_column("p50, µs", justify="right")
    table.add_column("")
    for step in steps:
        table.add_row(step.step, f"{step.row_us:.1f}", "a table for every row" if step.table_only else "")
    _console.print(table)
