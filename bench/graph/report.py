"""The results as tables in the docs: python -m bench.graph.report."""

import json
from pathlib import Path

from bench.machine import sentence
from bench.page import PAGE, rewrite

RESULTS = Path("bench/results")


def report():
    """Rewrite the graph's part of the page."""
    result, detail = (
        json.loads((RESULTS / f"{name}.json").read_text()) for name in ("graph", "graph_detail")
    )
    parts = [sentence(detail["machine"]), subjects_table(result, detail), aims_table(result, detail)]
    rewrite("graph", "\n\n".join(parts), PAGE)


def subjects_table(result, detail):
    """One row a figure, one column a subject."""
    ragged = detail["ragged_ms"]
    bounds = f"critical path {ragged['critical_path']:.1f} ms, layered {ragged['layered']:.1f} ms"
    rows = [
        ("CPU a run, nothing to wait for, 200 at a time, µs", result["cpu_us_per_run"], "{:,.0f}"),
        ("one run, every effect 100 ms (critical path 400 ms), ms", detail["alone_ms"], "{:,.1f}"),
        ("200 runs at a time, ms until the last answer", detail["concurrent_200_ms"], "{:,.1f}"),
        (f"one run, ragged latencies ({bounds}), ms", ragged, "{:,.1f}"),
        ("memory of a run in flight, KB", detail["memory_kb_per_run"], "{:,.1f}"),
    ]
    lines = [
        "| 32 effects in 4 layers of 8 | **veredito** | by hand, layered | Hamilton |",
        "|---|--:|--:|--:|",
    ]
    for what, figures, form in rows:
        cells = (form.format(figures[subject]) for subject in ("veredito", "by_hand", "hamilton"))
        lines.append(f"| {what} | {' | '.join(cells)} |")
    return "\n".join(lines)


def aims_table(result, detail):
    """What was aimed at beside what was measured."""
    cpu, wall, ragged = result["cpu_us_per_run"], result["wall_ms"], detail["ragged_ms"]
    rows = [
        ("CPU a run, x by hand", cpu["veredito"] / cpu["by_hand"], "<= 1"),
        ("CPU a run, x Hamilton", cpu["veredito"] / cpu["hamilton"], "<= 0.125"),
        ("one run, x the critical path", wall["alone"] / wall["critical_path"], "<= 1.02"),
        ("200 runs at a time, x by hand", wall["concurrent_200"] / wall["by_hand_200"], "<= 1"),
        ("one ragged run, x the critical path", ragged["veredito"] / ragged["critical_path"], "<= 1.02"),
        ("300 pure nodes, µs a node over the calls by hand", result["pure_node_us"], "<= 0.5"),
        ("10,000 nodes declared and checked, s", detail["build_ms"] / 1e3, "< 1"),
        ("the same, planned for a target, s", detail["plan_ms"] / 1e3, "-"),
    ]
    lines = ["| what | measured | aim |", "|---|--:|--:|"]
    return "\n".join([*lines, *(f"| {what} | {value:.3f} | {aim} |" for what, value, aim in rows)])


if __name__ == "__main__":
    report()
