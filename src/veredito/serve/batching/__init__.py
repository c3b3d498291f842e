"""Batching: rows that arrive while a model works form its next batch; an idle model never waits."""

from veredito.serve.batching.batcher import Batcher
from veredito.serve.batching.queue import Queue, Ticket

__all__ = ["Batcher", "Queue", "Ticket"]
