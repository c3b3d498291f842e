"""The accounts: what became of every decision, as a formula that can be checked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from prometheus_client.core import Metric


class SinkAccounts(msgspec.Struct, frozen=True, kw_only=True):
    """One sink's part: ``recorded = before + delivered + waiting + rejected + damaged``."""

    delivered: int
    waiting: int
    before: int = 0
    duplicates: int = 0
    rejected: int = 0
    damaged: int = 0
    failures: int = 0
    last_error: str = ""


class Accounts(msgspec.Struct, frozen=True, kw_only=True):
    """What became of every decision since the outbox began.

    Args:
        answered: decisions given to the recorder and not refused by it.
        recorded: those on the disk.
        queued: those on their way there.
        unrecorded: answered although the disk did not take them (``on_full = "count"``, or ``queued``);
            since the start of the process.
        refused: decisions that were not answered because the disk did not take them; likewise.
        sinks: by name.
        outbox_bytes: the space the outbox takes.
        disk_errors: failed writes and syncs, since the start of the process.

    Example:
        >>> sink = SinkAccounts(delivered=7, waiting=3)
        >>> Accounts(answered=10, recorded=10, queued=0, unrecorded=0, refused=0, sinks={"kafka": sink}, outbox_bytes=0, disk_errors=0).balanced
        True
    """

    answered: int
    recorded: int
    queued: int
    unrecorded: int
    refused: int
    sinks: dict[str, SinkAccounts]
    outbox_bytes: int
    disk_errors: int

    @property
    def balanced(self) -> bool:
        """Whether the formula holds: ``answered = recorded + queued + unrecorded``, and each sink's."""
        return self.answered == self.recorded + self.queued + self.unrecorded and all(
            self.recorded == sink.before + sink.delivered + sink.waiting + sink.rejected + sink.damaged
            for sink in self.sinks.values()
        )


_OF_ALL = {
    "answered": "Decisions given to the recorder and not refused by it.",
    "recorded": "Decisions on the disk.",
    "queued": "Decisions on their way to the disk.",
    "unrecorded": "Decisions answered although the disk did not take them.",
    "refused": "Decisions refused because the disk did not take them.",
    "outbox_bytes": "Space the outbox takes.",
    "disk_errors": "Failed writes and syncs of the outbox.",
}
_OF_SINK = {
    "delivered": "Records durable at the sink.",
    "waiting": "Records in the outbox that the sink has not confirmed.",
    "before": "Records that had left the outbox when the sink was added.",
    "duplicates": "Delivered records whose id was delivered already.",
    "rejected": "Records the sink can never take; kept in the folder `rejected`.",
    "damaged": "Records the disk lost before the sink had them.",
    "failures": "Failed attempts of the sink.",
}


def metrics(accounts: Accounts) -> Iterator[Metric]:
    """The accounts as Prometheus gauges ``veredito_record_*``, for a custom collector."""
    from prometheus_client.core import GaugeMetricFamily

    for name, words in _OF_ALL.items():
        yield GaugeMetricFamily(f"veredito_record_{name}", words, value=getattr(accounts, name))
    for name, words in _OF_SINK.items():
        family = GaugeMetricFamily(f"veredito_record_sink_{name}", words, labels=["sink"])
        for sink, part in accounts.sinks.items():
            family.add_metric([sink], getattr(part, name))
        yield family
