"""Where the time of one answer goes, stage by stage."""

from __future__ import annotations

STAGES = (
    "in_schema",
    "waiting",
    "fetching",
    "in_adapter",
    "model",
    "out_adapter",
    "policy",
    "out_schema",
    "record",
)
STAGES_INPUT = "_stages"  # a request's stage times travel through its graph under this name


class Stages:
    """The stage times of one request, in seconds; a stage that repeats adds up.

    `waiting` is the time in the queue of a model's batches. `fetching` is what is left of the graph's time when the stages inside it are taken out: waiting for
    effects, and the pure nodes between them.

    Example:
        >>> stages = Stages()
        >>> stages.add("model", 0.0002)
        >>> stages.fetching(0.0012)
        >>> stages.microseconds()
        {'model': 200.0, 'fetching': 1000.0}
    """

    __slots__ = ("seconds",)

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def add(self, stage: str, seconds: float) -> None:
        """Count time into a stage."""
        self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds

    def fetching(self, run_seconds: float) -> None:
        """Count what a run of the graph spent outside the stages inside it."""
        inside = sum(
            self.seconds.get(stage, 0.0) for stage in ("in_adapter", "model", "out_adapter", "policy")
        )
        self.add("fetching", max(0.0, run_seconds - inside))

    def microseconds(self) -> dict[str, float]:
        """Stage to microseconds, to a tenth."""
        return {stage: round(seconds * 1e6, 1) for stage, seconds in self.seconds.items()}

    def server_timing(self) -> bytes:
        """The stages as a ``Server-Timing`` header's value, in milliseconds."""
        return ", ".join(
            f"{stage};dur={seconds * 1e3:.3f}" for stage, seconds in self.seconds.items()
        ).encode("ascii")
