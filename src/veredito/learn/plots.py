"""Plots of a scored table, by matplotlib: calibration, precision-recall, score distribution, stability over time.

Each gives a `matplotlib.figure.Figure` that no window or global state knows of: the last line of a notebook's
cell shows it, ``figure.savefig("calibration.png")`` saves it, and its axes can be changed further.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import polars as pl

from veredito.errors import LearnerError, MissingExtraError, Problem

from .arrays import array
from .block import Matrix
from .frames import adopt
from .metrics import calibration_bins
from .metrics.metric import column_problems

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_HONEST, _FRAUD, _GUIDE = "#1b4965", "#c1440e", "#999999"
_BINS = 50  # of a distribution: fine enough for a shape, coarse enough for some thousand rows


def calibration(
    table: Any,
    target: str,
    prediction: str | Sequence[str] = "prediction",
    *,
    bins: int = 10,
    equal: Literal["width", "mass"] = "width",
) -> Figure:
    """Whether probabilities are frequencies: the mean outcome against the mean prediction, bin by bin.

    The bars are 95 % Wilson intervals of the outcome.

    Args:
        table: rows with outcomes and predictions, a Polars or a pandas `DataFrame`.
        target: the column of outcomes, 0 or 1.
        prediction: one column of probabilities, or several to compare.
        bins: how many bins.
        equal: bins of equal ``width`` of probability, or of equal ``mass`` of rows, on logarithmic axes,
            which shows what almost all payments get where frauds are rare.

    Raises:
        LearnerError: a column is not there, or has a missing value.
        MissingExtraError: matplotlib is not installed.
    """
    frame, names = _checked("calibration", table, target, prediction)
    figure, axes = _figure()
    lowest = 1.0
    for name in names:
        found = calibration_bins(array(frame[target]), array(frame[name]), bins, equal)
        predicted, observed, rows = (array(found[part]) for part in ("predicted", "observed", "weight"))
        low, high = _wilson(observed, rows)
        spread = np.clip([observed - low, high - observed], 0.0, None)
        axes.errorbar(predicted, observed, yerr=spread, marker="o", markersize=4, capsize=2, label=name)
        lowest = min(lowest, *predicted[predicted > 0].tolist(), *observed[observed > 0].tolist())
    if equal == "mass":
        limits = (lowest / 2, 1.0)
        axes.set(xscale="log", yscale="log")
    else:
        limits = (0.0, 1.0)
    axes.plot(limits, limits, color=_GUIDE, linestyle="--", linewidth=1, label="perfect")
    axes.set(xlabel="mean prediction", ylabel=f"share with {target} = 1", title="Calibration")
    axes.set(xlim=limits, ylim=(limits[0], 1.02))
    axes.legend(frameon=False)
    return figure


def precision_recall(table: Any, target: str, prediction: str | Sequence[str] = "prediction") -> Figure:
    """Which precision comes with which recall, over all thresholds; the legend has the average precision.

    Args:
        table: rows with outcomes and predictions, a Polars or a pandas `DataFrame`.
        target: the column of outcomes, 0 or 1.
        prediction: one column of scores, or several to compare.

    Raises:
        LearnerError: a column is not there, has a missing value, or no outcome is 1.
        MissingExtraError: matplotlib is not installed.
    """
    frame, names = _checked("precision_recall", table, target, prediction)
    outcomes = array(frame[target]) > 0
    if not outcomes.any():
        hint = "plot rows with at least one"
        raise LearnerError(Problem("precision_recall", f"no row has {target} = 1", hint=hint))
    figure, axes = _figure()
    for name in names:
        precision, recall = _curve(outcomes, array(frame[name]))
        average = float(np.sum(np.diff(recall, prepend=0.0) * precision))
        axes.step([0.0, *recall], [precision[0], *precision], where="pre", label=f"{name}: AP {average:.3f}")
    axes.axhline(
        outcomes.mean(), color=_GUIDE, linestyle="--", linewidth=1, label=f"at random: {outcomes.mean():.3f}"
    )
    axes.set(xlabel="recall", ylabel="precision", title="Precision and recall", xlim=(0, 1), ylim=(0, 1.02))
    axes.legend(frameon=False)
    return figure


def score_distribution(table: Any, target: str, prediction: str = "prediction") -> Figure:
    """How the scores of both classes are spread: each one's share of rows, on a logarithmic axis.

    Args:
        table: rows with outcomes and predictions, a Polars or a pandas `DataFrame`.
        target: the column of outcomes, 0 or 1.
        prediction: the column of scores.

    Raises:
        LearnerError: a column is not there, or has a missing value.
        MissingExtraError: matplotlib is not installed.
    """
    frame, (name,) = _checked("score_distribution", table, target, [prediction])
    outcomes, scores = array(frame[target]) > 0, array(frame[name])
    edges = np.histogram_bin_edges(scores[np.isfinite(scores)], _BINS).tolist()
    figure, axes = _figure()
    for mine, color, value in ((~outcomes, _HONEST, 0), (outcomes, _FRAUD, 1)):
        label = f"{target} = {value}: {mine.sum():,} rows"
        share = np.full(mine.sum(), 1.0 / max(1, mine.sum()))
        axes.hist(
            scores[mine], edges, weights=share, histtype="stepfilled", alpha=0.55, color=color, label=label
        )
    axes.set(xlabel=name, ylabel="share of the class's rows", title="Score distribution", yscale="log")
    axes.legend(frameon=False)
    return figure


def stability(found: pl.DataFrame) -> Figure:
    """How metrics hold over time: a panel a metric, a line a training set, a point a test set.

    Args:
        found: what `validate` gave; with `stability_curve` the test sets are periods, in order.

    Raises:
        LearnerError: it is not of that form, or no metric in it has a value.
        MissingExtraError: matplotlib is not installed.
    """
    needed = ("fold", "training", "test", "metric", "value")
    absent = [name for name in needed if name not in found.columns]
    if absent:
        hint = "give the table that learn.validate(...) returns"
        raise LearnerError(
            [Problem("stability", f"column '{name}' is missing", hint=hint) for name in absent]
        )
    measured = found.drop_nulls("value")
    if measured.is_empty():
        raise LearnerError(Problem("stability", "no metric has a value", hint="look at the table's notes"))
    metrics = measured["metric"].unique(maintain_order=True).to_list()
    tests = {name: place for place, name in enumerate(measured["test"].unique(maintain_order=True))}
    figure, panels = _panels(len(metrics))
    for metric, axes in zip(metrics, panels, strict=True):
        mine = measured.filter(pl.col("metric") == metric)
        for (_, training), fold in mine.group_by("fold", "training", maintain_order=True):
            axes.plot([tests[name] for name in fold["test"]], fold["value"], marker="o", label=str(training))
        axes.set(ylabel=metric, ylim=_room(array(mine["value"])))
    panels[0].legend(title="trained", frameon=False, fontsize="small", loc="best")
    panels[-1].set_xticks(range(len(tests)), list(tests), rotation=30, ha="right")
    panels[-1].set_xlabel("test")
    figure.suptitle("Stability over time")
    return figure


def _room(values: Matrix) -> tuple[float, float]:
    """Limits that show small changes as small: from zero where values are shares, with air above."""
    low, high = float(values.min()), float(values.max())
    margin = 0.08 * (max(high, 0.0) - min(low, 0.0) or 1.0)
    return min(0.0, low - margin if low < 0 else 0.0), max(0.0, high + margin)


def _checked(
    place: str, table: Any, target: str, prediction: str | Sequence[str]
) -> tuple[pl.DataFrame, list[str]]:
    frame, _ = adopt(table, place)
    names = [prediction] if isinstance(prediction, str) else list(prediction)
    problems = column_problems(place, (target, *names), frame)
    if frame.is_empty():
        problems.append(Problem(place, "the table has no rows"))
    if problems:
        raise LearnerError(problems)
    return frame, names


def _curve(outcomes: Any, scores: Matrix) -> tuple[Matrix, Matrix]:
    """Precision and recall at every distinct score, from the highest down."""
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), scores.size - 1)
    hits = np.cumsum(outcomes[order])[ends]
    return hits / (ends + 1.0), hits / hits[-1]


def _wilson(share: Matrix, rows: Matrix, z: float = 1.96) -> tuple[Matrix, Matrix]:
    """The interval of a share (Wilson, 1927), which does not collapse where nothing or all was observed."""
    middle = (share + z * z / (2 * rows)) / (1 + z * z / rows)
    half = z * np.sqrt(share * (1 - share) / rows + z * z / (4 * rows * rows)) / (1 + z * z / rows)
    return middle - half, middle + half


@cache
def _figure_class() -> type[Figure]:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("matplotlib", "plots", purpose="drawing") from error

    class Shown(Figure):
        """A figure that notebooks show without pyplot, which would keep every figure alive."""

        def _repr_png_(self) -> bytes:
            sink = io.BytesIO()
            self.savefig(sink, format="png")
            return sink.getvalue()

    return Shown


def _panels(count: int) -> tuple[Figure, list[Axes]]:
    figure = _figure_class()(figsize=(7.0, 1.6 + 2.6 * count), dpi=110, layout="constrained")
    panels = figure.subplots(count, 1, sharex=True, squeeze=False)[:, 0].tolist()
    for axes in panels:
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(visible=True, color="#e6e6e6", linewidth=0.6)
        axes.set_axisbelow(True)
    return figure, panels


def _figure() -> tuple[Figure, Axes]:
    figure, (axes,) = _panels(1)
    figure.set_size_inches(6.4, 4.6)
    return figure, axes
