"""``veredito serve``: answer requests until told to stop."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Literal


def serve(config: Path, *, log_level: Literal["debug", "info", "warning", "error"] = "info") -> int:
    """Serve what a config describes.

    Parameters
    ----------
    config
        The service's TOML file.
    log_level
        How much to log, to standard error.
    """
    import uvloop

    from veredito.serve.assemble import assemble
    from veredito.serve.lifecycle import serve as serve_service

    logging.basicConfig(level=log_level.upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s")
    service = assemble(config)
    for warning in service.warnings:
        logging.getLogger("veredito.serve").warning("%s", warning)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve_service(service))
    return 0
