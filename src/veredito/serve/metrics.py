"""Metrics: counted where things happen, exposed by prometheus-client.

Observing is an index and two additions, because it happens a dozen times in a request that takes a few
hundred microseconds; the types, the names' rules and the text format are the library's.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

# From 10 µs, where a stage of ours lives, to 10 s, where only a mistake does.
BOUNDS_SECONDS = (
    0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005,
    0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
)  # fmt: skip

Labels = tuple[str, ...]


class Histogram:
    """How long something took, by bucket.

    Example:
        >>> histogram = Histogram()
        >>> histogram.observe(0.0003)
        >>> histogram.count
        1
    """

    __slots__ = ("counts", "sum_seconds")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_SECONDS) + 1)
        self.sum_seconds = 0.0

    def observe(self, seconds: float) -> None:
        """Count one duration."""
        self.counts[bisect_left(BOUNDS_SECONDS, seconds)] += 1
        self.sum_seconds += seconds

    @property
    def count(self) -> int:
        """How many durations were counted."""
        return sum(self.counts)

    def buckets(self) -> list[tuple[str, float]]:
        """Upper bound to cumulative count, as Prometheus wants them."""
        total, buckets = 0, []
        for bound, count in zip([*map(str, BOUNDS_SECONDS), "+Inf"], self.counts, strict=True):
            total += count
            buckets.append((bound, float(total)))
        return buckets


class Metrics(Collector):
    """Everything that one service counts.

    Labels are bounded: actions, sources, stages and status codes, never ids.
    """

    def __init__(self) -> None:
        self.requests: dict[Labels, Histogram] = defaultdict(Histogram)  # path, status
        self.stages: dict[Labels, Histogram] = defaultdict(Histogram)  # stage
        self.decisions: dict[Labels, int] = defaultdict(int)  # action, source
        self.rejected: dict[Labels, int] = defaultdict(int)  # reason
        self.outcomes: dict[Labels, int] = defaultdict(int)  # node, outcome
        self.in_flight = 0
        self._more: list[Callable[[], Iterable[Metric]]] = []
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def add(self, collect: Callable[[], Iterable[Metric]]) -> None:
        """Expose what another part counts, such as the record's accounts."""
        self._more.append(collect)

    def exposition(self) -> bytes:
        """The metrics in Prometheus' text format."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """What prometheus-client asks a collector for."""
        yield _histogram(
            "request",
            "Time from the last byte of a request to its answer.",
            ("path", "status"),
            self.requests,
        )
        yield _histogram("stage", "Time in one stage of an answer.", ("stage",), self.stages)
        yield _counter(
            "decisions", "Decisions by action and by who took them.", ("action", "source"), self.decisions
        )
        yield _counter("rejected", "Requests refused before any work.", ("reason",), self.rejected)
        yield _counter(
            "node_outcomes", "How the values of effects came to be.", ("node", "outcome"), self.outcomes
        )
        yield GaugeMetricFamily("veredito_in_flight", "Requests being answered.", value=self.in_flight)
        for collect in self._more:
            yield from collect()


def _histogram(
    name: str, text: str, labels: Labels, values: dict[Labels, Histogram]
) -> HistogramMetricFamily:
    family = HistogramMetricFamily(f"veredito_{name}_duration_seconds", text, labels=labels)
    for key, histogram in values.items():
        family.add_metric(key, histogram.buckets(), histogram.sum_seconds)
    return family


def _counter(name: str, text: str, labels: Labels, values: dict[Labels, int]) -> CounterMetricFamily:
    family = CounterMetricFamily(f"veredito_{name}", text, labels=labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family
