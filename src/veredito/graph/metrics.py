"""What the graph counts beyond any one run, for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from veredito.graph.reaper import reaper
from veredito.graph.workers import workers

if TYPE_CHECKING:
    from prometheus_client.core import Metric


def metrics() -> Iterator[Metric]:
    """Effects that were given up, and worker threads, as ``veredito_effects_*``, for a custom collector.

    Example:
        >>> [family.name for family in metrics()][:2]
        ['veredito_effects_detached', 'veredito_effects_given_up']
    """
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    yield GaugeMetricFamily(
        "veredito_effects_detached", "Effects given up that have not ended yet.", value=reaper.detached
    )
    yield CounterMetricFamily(
        "veredito_effects_given_up", "Effects that were given up.", value=reaper.detached_total
    )
    yield CounterMetricFamily(
        "veredito_effects_refused",
        "Effects not started because too many given up had not ended.",
        value=reaper.refused_total,
    )
    yield GaugeMetricFamily(
        "veredito_effects_on_threads", "Blocking effects that run or wait for a thread.", value=workers.taken
    )
