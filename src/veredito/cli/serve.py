"""``veredito serve``: answer requests until told to stop."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Literal


def serve(
    config: Path,
    *,
    role: Literal["decision", "model"] = "decision",
    log_level: Literal["debug", "info", "warning", "error"] = "info",
) -> int:
    """Serve what a config describes.

    Parameters
    ----------
    config
        The service's TOML file.
    role
        The whole decision, or its models alone.
    log_level
        How much to log, to standard error.
    """
    from veredito.serve.assemble import Role, assemble
    from veredito.serve.lifecycle import serve as serve_service

    logging.basicConfig(level=log_level.upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s")
    service = assemble(config, role=Role(role))
    for warning in service.warnings:
        logging.getLogger("veredito.serve").warning("%s", warning)
    serve_service(service, config)
    return 0
