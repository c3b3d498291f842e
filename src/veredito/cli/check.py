"""``veredito check``: everything wrong with a config, before anything runs."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from veredito.errors import ConfigError


def check(config: Path) -> int:
    """List all that is wrong with a config and with what it names; change and start nothing.

    Parameters
    ----------
    config
        The service's TOML file.
    """
    from veredito.serve.assemble import assemble

    console = Console(soft_wrap=True, highlight=False)
    try:
        service = assemble(config)
    except ConfigError as error:
        console.print(str(error), markup=False)
        return 1
    for warning in service.warnings:
        console.print(f"warning: {warning}", markup=False)
    parts = [
        f"{len(service.predictors)} model(s)",
        f"{len(service.sources)} source(s)",
        f"{len(service.graph.nodes)} nodes" if service.graph is not None else "no graph",
    ]
    console.print(f"{config.name} is good: {', '.join(parts)}", markup=False)
    return 0
