"""The demo's report as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from report import CAUGHT, decided
from send import Answer

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, PALE = "#1f2933", "#9aa5b1"
COLOURS = {"approve": "#3c9d8f", "review": "#e9a23b", "decline": "#c8553d"}


def draw(report: dict[str, Any], events: pl.DataFrame, answers: Sequence[Answer], path: Path) -> None:
    """Draw four panels: how long answers take, where the time goes, what was decided, what it saved.

    Args:
        report: from `make_report`.
        events: the events sent, with their labels.
        answers: what came back.
        path: the PNG file to write.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    style = {
        "font.size": 10, "text.color": INK, "axes.labelcolor": INK, "xtick.color": INK, "ytick.color": INK,
        "axes.edgecolor": PALE, "axes.spines.top": False, "axes.spines.right": False,
        "axes.titlesize": 12, "axes.titleweight": "bold", "axes.titlelocation": "left",
    }  # fmt: skip
    with mpl.rc_context(style):
        figure = Figure(figsize=(12, 8), layout="constrained", dpi=120)
        panels = figure.subplots(2, 2)
        given = decided(events, answers)
        _answer_times(panels[0, 0], report, [a.latency_ms for a in answers if a.status == 200])
        _stage_times(panels[0, 1], report)
        _decisions(panels[1, 0], given)
        _money(panels[1, 1], given)
        figure.suptitle(
            f"{report['answers']:,} card payments decided, {report['records']:,} recorded",
            fontsize=15,
            x=0.01,
            ha="left",
        )
        figure.savefig(path)


def _answer_times(axes: Axes, report: dict[str, Any], latencies: list[float]) -> None:
    edges = np.geomspace(min(latencies), max(latencies), 60)
    axes.hist(latencies, bins=edges, color=COLOURS["approve"], alpha=0.85)
    axes.set_xscale("log")
    top = axes.get_ylim()[1] * 1.08
    axes.set_ylim(top=top)
    for number, name in enumerate(("p50", "p95", "p99")):
        value = report["latency_ms"][name]
        axes.axvline(value, color=INK, linewidth=1, linestyle=":")
        plain = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}  # readable where it crosses a line
        axes.text(value * 1.04, top * (0.94 - 0.09 * number), f"{name}  {value:.1f} ms", bbox=plain)
    ticks = [
        tick for tick in (1, 2, 5, 10, 20, 50, 100, 200, 500) if min(latencies) <= tick <= max(latencies)
    ]
    axes.set_xticks(ticks, [f"{tick}" for tick in ticks])
    axes.minorticks_off()
    axes.set(title="How long an answer takes", xlabel="milliseconds, as the caller sees it", ylabel="answers")


def _stage_times(axes: Axes, report: dict[str, Any]) -> None:
    stages = {name: stage["mean_us"] for name, stage in report["stages"].items()}
    names = list(reversed(stages))
    bars = axes.barh(
        [n.replace("_", "-") for n in names], [max(stages[n], 0.1) for n in names], color=COLOURS["review"]
    )
    axes.bar_label(bars, [f" {stages[n]:,.0f} µs · {report['stages'][n]['share']:.1%}" for n in names])
    axes.set_xscale("log")
    axes.set_xlim(right=max(stages.values()) * 12)
    axes.set(title="Where the time goes, a mean answer", xlabel="microseconds, log scale")


def _decisions(axes: Axes, given: pl.DataFrame) -> None:
    hours = given.with_columns(hour=pl.col("at").dt.truncate("1h"))
    scored = hours.filter(pl.col("score").is_not_null())
    for fraud, colour, size, label in ((0, PALE, 3, "honest"), (1, COLOURS["decline"], 16, "fraud")):
        part = scored.filter(fraud=fraud)
        axes.scatter(
            part["at"].to_numpy(), part["score"].to_numpy(), s=size, color=colour, label=label, linewidths=0
        )
    axes.legend(
        frameon=False, loc="lower right", bbox_to_anchor=(1, 1), ncols=2, markerscale=1.5, borderaxespad=0
    )
    axes.set(title="The model's ranks", ylabel="rank, 0 to 1000", ylim=(-20, 1030))
    _days(axes)


def _money(axes: Axes, given: pl.DataFrame) -> None:
    frauds = given.filter(fraud=1).sort("at")
    saved = frauds["amount"] * frauds["action"].is_in(CAUGHT)
    times = pl.concat([given["at"].head(1), frauds["at"], given["at"].tail(1)]).to_numpy()
    shades = (
        ("lost", frauds["amount"], COLOURS["decline"], 0.35),
        ("caught", saved, COLOURS["approve"], 1.0),
    )
    for label, amounts, colour, alpha in shades:
        sums = np.concatenate([[0.0], amounts.cum_sum(), [amounts.sum()]])
        axes.fill_between(times, sums, color=colour, alpha=alpha, step="post", label=label, linewidth=0)
    axes.legend(frameon=False, loc="upper left")
    axes.set(title="Fraud in money, caught and lost", ylabel="sum of amounts")
    _days(axes)


def _days(axes: Axes) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(maxticks=7)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
