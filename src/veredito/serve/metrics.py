"""Metrics: counted where things happen, exposed by prometheus-client.

Observing is an index and two additions, because it happens a dozen times in a request that takes a few
hundred microseconds; the types, the names' rules and the text format are the library's.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

import msgspec
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from veredito.serve.stages import Stages

# From 10 µs, where a stage of ours lives, to 10 s, where only a mistake does.
BOUNDS_SECONDS = (
    0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005,
    0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
)  # fmt: skip

Labels = tuple[str, ...]
L = TypeVar("L", bound=Labels)


class Histogram(msgspec.Struct):
    """How long something took, by bucket.

    Example:
        >>> histogram = Histogram()
        >>> histogram.observe(0.0003)
        >>> histogram.counts[5]
        1
    """

    counts: list[int] = msgspec.field(default_factory=lambda: [0] * (len(BOUNDS_SECONDS) + 1))
    sum_seconds: float = 0.0

    def observe(self, seconds: float) -> None:
        """Count one duration."""
        self.counts[bisect_left(BOUNDS_SECONDS, seconds)] += 1
        self.sum_seconds += seconds

    def add(self, other: Histogram) -> None:
        """Count what another histogram counted."""
        self.counts = [mine + theirs for mine, theirs in zip(self.counts, other.counts, strict=True)]
        self.sum_seconds += other.sum_seconds

    def buckets(self) -> list[tuple[str, float]]:
        """Upper bound to cumulative count, as Prometheus wants them."""
        total, buckets = 0, []
        for bound, count in zip([*map(str, BOUNDS_SECONDS), "+Inf"], self.counts, strict=True):
            total += count
            buckets.append((bound, float(total)))
        return buckets


class Counts(msgspec.Struct):
    """Everything that one process counts. Labels are bounded: actions, stages, codes; never ids.

    Attributes:
        requests: time to an answer by path and status.
        stages: time by stage.
        decisions: by action and source.
        rejected: requests refused, by reason.
        batches: batches that models computed, by model.
        batch_rows: rows in them, by model.
        outcomes: how effects' values came to be, by node and outcome.
        in_flight: requests being answered now.
    """

    requests: dict[tuple[str, str], Histogram] = msgspec.field(default_factory=dict)
    stages: dict[tuple[str], Histogram] = msgspec.field(default_factory=dict)
    decisions: dict[tuple[str, str], int] = msgspec.field(default_factory=dict)
    rejected: dict[tuple[str], int] = msgspec.field(default_factory=dict)
    batches: dict[tuple[str], int] = msgspec.field(default_factory=dict)
    batch_rows: dict[tuple[str], int] = msgspec.field(default_factory=dict)
    outcomes: dict[tuple[str, str], int] = msgspec.field(default_factory=dict)
    in_flight: int = 0


class Metrics(Collector):
    """What a service counts, and how it is exposed."""

    def __init__(self) -> None:
        self.counts = Counts()
        self._by_stage: dict[str, Histogram] = {}
        self._exposed: Sequence[Counts] = (self.counts,)
        self._more: list[Callable[[], Iterable[Metric]]] = []
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def request(self, path: str, status: int, seconds: float) -> None:
        """Count an answer."""
        _histogram_of(self.counts.requests, (path, str(status))).observe(seconds)

    def stages(self, stages: Stages) -> None:
        """Count the times of all stages of one answer."""
        # The body of `Histogram.observe`, because this happens seven times a request.
        histograms = self._by_stage
        for stage, seconds in stages.seconds.items():
            histogram = histograms.get(stage)
            if histogram is None:
                histogram = histograms[stage] = _histogram_of(self.counts.stages, (stage,))
            histogram.counts[bisect_left(BOUNDS_SECONDS, seconds)] += 1
            histogram.sum_seconds += seconds

    def decision(self, action: str, source: str) -> None:
        """Count a decision."""
        _count(self.counts.decisions, (action, source))

    def reject(self, reason: str) -> None:
        """Count a refusal."""
        _count(self.counts.rejected, (reason,))

    def batch(self, model: str, rows: int) -> None:
        """Count a batch that a model computed."""
        _count(self.counts.batches, (model,))
        _count(self.counts.batch_rows, (model,), rows)

    def outcome(self, node: str, outcome: str) -> None:
        """Count how an effect's value came to be."""
        _count(self.counts.outcomes, (node, outcome))

    def add(self, collect: Callable[[], Iterable[Metric]]) -> None:
        """Expose what another part counts, such as the record's accounts."""
        self._more.append(collect)

    def exposition(self, counts: Sequence[Counts] | None = None) -> bytes:
        """The metrics in Prometheus' text format.

        Args:
            counts: of several processes, to be added up; this one's own by default.
        """
        self._exposed = (self.counts,) if counts is None else counts
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """What prometheus-client asks a collector for."""
        all_counts = self._exposed
        yield _histograms(
            "request", "Time from the last byte of a request to its answer.", ("path", "status"),
            [counts.requests for counts in all_counts],
        )  # fmt: skip
        yield _histograms(
            "stage", "Time in one stage of an answer.", ("stage",), [c.stages for c in all_counts]
        )
        yield _counter(
            "decisions", "Decisions by action and by who took them.", ("action", "source"),
            [counts.decisions for counts in all_counts],
        )  # fmt: skip
        yield _counter(
            "rejected", "Requests refused.", ("reason",), [counts.rejected for counts in all_counts]
        )
        yield _counter("batches", "Batches computed.", ("model",), [c.batches for c in all_counts])
        yield _counter("batch_rows", "Rows in those batches.", ("model",), [c.batch_rows for c in all_counts])
        yield _counter(
            "node_outcomes", "How the values of effects came to be.", ("node", "outcome"),
            [counts.outcomes for counts in all_counts],
        )  # fmt: skip
        in_flight = sum(counts.in_flight for counts in all_counts)
        yield GaugeMetricFamily("veredito_in_flight", "Requests being answered.", value=in_flight)
        for collect in self._more:
            yield from collect()


def _histogram_of(histograms: dict[L, Histogram], labels: L) -> Histogram:
    histogram = histograms.get(labels)
    if histogram is None:
        histogram = histograms[labels] = Histogram()
    return histogram


def _count(counters: dict[L, int], labels: L, number: int = 1) -> None:
    counters[labels] = counters.get(labels, 0) + number


def _histograms(
    name: str, text: str, labels: Labels, several: Sequence[Mapping[L, Histogram]]
) -> HistogramMetricFamily:
    total: dict[L, Histogram] = {}
    for histograms in several:
        for key, histogram in list(histograms.items()):
            _histogram_of(total, key).add(histogram)
    family = HistogramMetricFamily(f"veredito_{name}_duration_seconds", text, labels=labels)
    for key, histogram in total.items():
        family.add_metric(key, histogram.buckets(), histogram.sum_seconds)
    return family


def _counter(name: str, text: str, labels: Labels, several: Sequence[Mapping[L, int]]) -> CounterMetricFamily:
    total: dict[L, int] = {}
    for counters in several:
        for key, value in list(counters.items()):
            total[key] = total.get(key, 0) + value
    family = CounterMetricFamily(f"veredito_{name}", text, labels=labels)
    for key, value in total.items():
        family.add_metric(key, value)
    return family
