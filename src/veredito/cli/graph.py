"""``veredito graph``: the decision as a picture, and one run of it as a waterfall."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from veredito.graph.trace import Trace
    from veredito.serve.assemble import Service


def graph(config: Path, *, out: Path = Path(), event: Path | None = None) -> int:
    """Draw a service's decision graph: `graph.svg` and `graph.mmd`; with an event, `waterfall.svg` too.

    Parameters
    ----------
    config
        The service's TOML file.
    out
        The folder to write to.
    event
        A JSON file with one event. It is decided once, against the real sources and without a record; the
        pictures then show what ran, what it waited for, and the critical path.
    """
    from veredito.errors import ConfigError, Problem
    from veredito.graph.draw import mermaid, svg, waterfall
    from veredito.serve.assemble import assemble

    service = assemble(config)
    if service.graph is None or service.decider is None:
        raise ConfigError(Problem("[decision]", "there is none, hence no graph"))
    trace = asyncio.run(_decided(service, event.read_bytes())) if event is not None else None
    plan = service.decider.plan
    pictures = {"graph.svg": svg(plan, trace), "graph.mmd": mermaid(plan)}
    if trace is not None:
        pictures["waterfall.svg"] = waterfall(trace)
    out.mkdir(parents=True, exist_ok=True)
    for name, picture in pictures.items():
        (out / name).write_text(picture, encoding="utf-8")
        Console(soft_wrap=True, highlight=False).print(str(out / name), markup=False)
    return 0


async def _decided(service: Service, body: bytes) -> Trace:
    if service.decider is None or service.inputs is None:
        raise AssertionError("asked for a decision where there is none")
    row = service.inputs.decode(body)
    try:
        for source in service.sources.values():
            await source.start()
        return await service.decider.rehearse(row)
    finally:
        await service.aclose()
