"""Batching: rows that arrive while a model works form its next batch; an idle model never waits."""

from veredito.serve.batching.batcher import Batcher, LoopBatcher, ThreadBatcher
from veredito.serve.batching.computing import Computed
from veredito.serve.batching.place import Place, measured, place_of
from veredito.serve.batching.queue import Limits, Queue, Ticket

__all__ = [
    "Batcher",
    "Computed",
    "Limits",
    "LoopBatcher",
    "Place",
    "Queue",
    "ThreadBatcher",
    "Ticket",
    "measured",
    "place_of",
]
