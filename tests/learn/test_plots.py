"""Plots: what they show is what the numbers say, and they are figures of nobody else's."""

import datetime as dt
import sys

import numpy as np
import polars as pl
import pytest

from veredito import learn
from veredito.errors import LearnerError, MissingExtraError

matplotlib = pytest.importorskip("matplotlib")

PNG = b"\x89PNG\r\n\x1a\n"
ROWS = 400


def scored(seed=0):
    rng = np.random.default_rng(seed)
    probability = rng.beta(1, 6, ROWS)
    return pl.DataFrame(
        {
            "fraud": (rng.random(ROWS) < probability).astype(int),
            "prediction": probability,
            "other": rng.random(ROWS),
            "day": [dt.date(2018, 4, 1) + dt.timedelta(days=i % 90) for i in range(ROWS)],
        }
    )


SCORED = scored()


def validated():
    metrics = [
        learn.metrics.precision_at_k("fraud", prediction="prediction_ecdf", k=10),
        learn.metrics.recall_at_k("fraud", prediction="prediction_ecdf", k=10),
    ]
    return learn.validate(learn.ecdf(), SCORED, learn.splits.stability_curve("day", "2018-04-30"), metrics)


PLOTS = {
    "calibration": lambda: learn.plots.calibration(SCORED, "fraud", ["prediction", "other"]),
    "calibration_mass": lambda: learn.plots.calibration(SCORED, "fraud", equal="mass"),
    "precision_recall": lambda: learn.plots.precision_recall(SCORED, "fraud", ["prediction", "other"]),
    "score_distribution": lambda: learn.plots.score_distribution(SCORED, "fraud"),
    "stability": lambda: learn.plots.stability(validated()),
}


@pytest.mark.parametrize("plot", PLOTS)
class TestEveryPlot:
    def test_it_is_saved_as_a_png(self, plot, tmp_path):
        """By matplotlib's own `savefig`; nothing warns on the way."""
        figure = PLOTS[plot]()

        figure.savefig(tmp_path / "plot.png")

        assert (tmp_path / "plot.png").read_bytes().startswith(PNG)

    def test_notebooks_show_it(self, plot):
        """They ask for this method of whatever a cell ends with."""
        assert PLOTS[plot]()._repr_png_().startswith(PNG)

    def test_it_says_what_its_axes_are(self, plot):
        """Labels, and a legend where there are several things."""
        axes = PLOTS[plot]().axes

        assert axes[-1].get_xlabel()
        assert all(panel.get_ylabel() for panel in axes)
        assert axes[0].get_legend() is not None


def test_calibration_shows_the_bins():
    """A point a bin, at its mean prediction and its share of frauds."""
    axes = learn.plots.calibration(SCORED, "fraud", bins=4).axes[0]
    bins = learn.metrics.calibration_bins(SCORED["fraud"].to_numpy(), SCORED["prediction"].to_numpy(), 4)

    points = axes.containers[0].lines[0].get_xydata()

    assert points.tolist() == bins.select("predicted", "observed").to_numpy().tolist()


def test_precision_recall_has_the_average_precision_of_the_metric():
    """The legend's number is scikit-learn's."""
    pytest.importorskip("sklearn")
    axes = learn.plots.precision_recall(SCORED, "fraud", "prediction").axes[0]
    expected = learn.metrics.average_precision("fraud")(SCORED)

    assert axes.get_legend().get_texts()[0].get_text() == f"prediction: AP {expected:.3f}"


def test_stability_has_a_panel_a_metric_and_a_point_a_test_set():
    """In the order of time, from zero, so that small changes look small."""
    figure = learn.plots.stability(validated())

    assert [axes.get_ylabel() for axes in figure.axes] == ["precision_at_k(10)", "recall_at_k(10)"]
    assert [label.get_text() for label in figure.axes[1].get_xticklabels()] == ["2018-05-01", "2018-06-01"]
    assert all(axes.get_ylim()[0] == 0 for axes in figure.axes)


def test_pandas_tables_are_taken():
    """As everywhere."""
    pytest.importorskip("pandas")

    assert learn.plots.score_distribution(SCORED.to_pandas(), "fraud").axes


def test_pyplot_is_left_alone():
    """A figure that pyplot knows of is never freed, and plots may be drawn by threads."""
    plots = sys.modules.get("matplotlib.pyplot")
    before = plots.get_fignums() if plots else []

    PLOTS["calibration"]()

    assert (plots.get_fignums() if plots else []) == before


@pytest.mark.parametrize(
    ("plot", "match"),
    [
        (lambda: learn.plots.calibration(SCORED, "fruad"), "did you mean 'fraud'"),
        (lambda: learn.plots.precision_recall(SCORED.with_columns(fraud=0), "fraud"), "no row has fraud = 1"),
        (lambda: learn.plots.score_distribution(SCORED[:0], "fraud"), "the table has no rows"),
        (
            lambda: learn.plots.calibration(
                SCORED.with_columns(prediction=pl.lit(None, dtype=pl.Float64)), "fraud"
            ),
            "is missing or NaN in 400 rows",
        ),
        (lambda: learn.plots.stability(SCORED), r"column 'fold' is missing.*learn.validate"),
        (lambda: learn.plots.stability(validated().with_columns(value=None)), "no metric has a value"),
    ],
)
def test_what_cannot_be_plotted_is_said(plot, match):
    """With the column and the fix."""
    with pytest.raises(LearnerError, match=match):
        plot()


def test_without_matplotlib_it_says_what_to_install(monkeypatch):
    """The extra is named."""
    learn.plots._figure_class.cache_clear()
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)

    with pytest.raises(MissingExtraError, match=r"pip install 'veredito\[plots\]'"):
        learn.plots.calibration(SCORED, "fraud")
    learn.plots._figure_class.cache_clear()
