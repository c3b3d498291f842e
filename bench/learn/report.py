"""The results as tables on the page: python -m bench.learn.report."""

import json
import statistics
from pathlib import Path

from bench.machine import sentence
from bench.page import PAGE, rewrite

RESULTS = Path("bench/results/learn.json")


def report():
    """Rewrite the marked part of the page."""
    rewrite("learn", text(json.loads(RESULTS.read_text(encoding="utf-8"))), PAGE)


def text(found):
    """The whole marked part."""
    return "\n\n".join([sentence(found["machine"]), steps_table(found), targets(found)])


def typical(rounds, what):
    return statistics.median(one[what] for one in rounds)


def steps_seconds(fits, cpu=""):
    """What is not the model library's own fit."""
    return statistics.median(one[f"{cpu}seconds"] - one[f"own_{cpu}seconds"] for one in fits)


def peak(subject):
    return max(one["peak_mb"] for phase in ("fit", "score") for one in subject[phase])


def steps_table(found):
    lines = [
        "| seven steps, 50 columns | fit, s | of it scikit-learn's own, s | score, s | peak in fit, MB | peak in all, MB |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for name, title in (("ours", "**veredito**"), ("fklearn", f"fklearn {found['fklearn_version']}")):
        fits, scores = found[name]["fit"], found[name]["score"]
        cells = (
            f"{typical(fits, 'seconds'):.2f}",
            f"{typical(fits, 'own_seconds'):.2f}",
            f"{typical(scores, 'seconds'):.2f}",
            f"{max(one['peak_mb'] for one in fits):,.0f}",
            f"{peak(found[name]):,.0f}",
        )
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def ratios(found):
    """What was aimed at, measured: description, ratio, aim."""
    ours, theirs, boosted = found["ours"], found["fklearn"], found["boosted"]
    fit = f"fit {found['rows_fit']:,} rows, without scikit-learn's own: times faster"
    score = f"score {found['rows_score']:,} rows: times faster"
    within = [one / other for one, other in zip(boosted["model"], boosted["library"], strict=True)]
    return [
        (fit, steps_seconds(theirs["fit"]) / steps_seconds(ours["fit"]), ">= 10"),
        (score, typical(theirs["score"], "seconds") / typical(ours["score"], "seconds"), ">= 10"),
        ("peak memory of it all, of fklearn's", peak(ours) / peak(theirs), "<= 0.33"),
        (
            f"`model(table)`, LightGBM, {boosted['rows']:,} rows: of its own `predict` on a matrix",
            statistics.median(within),
            "<= 1.25",
        ),
    ]


def targets(found):
    rows = [f"| {what} | {value:.2f} | {aim} |" for what, value, aim in ratios(found)]
    return "\n".join(["| what | measured | aim |", "|---|--:|--:|", *rows])


if __name__ == "__main__":
    report()
