"""Engines run plans. All of them pass one suite; `serial` is the reference."""

from __future__ import annotations

from collections.abc import Callable

from veredito.graph.engines import serial, threads
from veredito.graph.run import Run

ENGINES: dict[str, Callable[..., Run]] = {"serial": serial.run, "threads": threads.run}

__all__ = ["ENGINES"]
