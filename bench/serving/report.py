"""The results as a table and a plot in the docs: python -m bench.serving.report.

Only what is between the two marks in docs/benchmarks.md is rewritten.
"""

import json
from pathlib import Path

from bench.machine import sentence
from bench.page import PAGE, rewrite

PLOT = Path("docs/serving.svg")
RESULTS = Path("bench/results")
LABELS = {
    "veredito": "**veredito**",
    "limit": "the limit, by hand",
    "fastapi_pandas": "FastAPI + pandas",
    "bentoml": "BentoML",
    "litserve": "LitServe",
    "mlserver": "MLServer",
    "mlserver_endpoint": "MLServer, a bare endpoint in it",
    "ray_serve": "Ray Serve",
}
PINNED = {"fastapi_pandas": ("fastapi", "pandas"), "bentoml": ("bentoml",), "litserve": ("litserve",)}
PINNED |= {"mlserver": ("mlserver",), "mlserver_endpoint": ("mlserver",), "ray_serve": ("ray",)}


def report():
    """Rewrite the marked part of the page, and the plot."""
    serving = json.loads((RESULTS / "serving.json").read_text())
    service = json.loads((RESULTS / "service.json").read_text())
    rewrite("serving", text(serving, service), PAGE)
    plot(serving)


def text(serving, service):
    """The whole marked part."""
    parts = [
        sentence(service["machine"]),
        closed_table(serving, service),
        "![requests per second](serving.svg)",
    ]
    return "\n\n".join([*parts, *targets(serving, service), rest_table(service)])


def closed_table(serving, service):
    """Subjects against concurrency."""
    lines = [
        "| one worker | version | c=1: req/s | p50 / p99 ms | c=16: req/s | p50 / p99 ms | c=64: req/s | p50 / p99 ms |",
        "|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    beside = {name: facts["closed"] for name, facts in service.items() if "closed" in facts}
    for name, numbers in sorted({**serving, **beside}.items(), key=lambda item: -item[1]["c64"]["rps"]):
        cells = []
        for c in ("c1", "c16", "c64"):
            cells += [f"{numbers[c]['rps']:,.0f}", f"{numbers[c]['p50_ms']:.2f} / {numbers[c]['p99_ms']:.2f}"]
        lines.append(f"| {LABELS[name]} | {versions(name)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def versions(name):
    """What the pins say."""
    packages = PINNED.get(name)
    if packages is None:
        return "this one"
    home = {"mlserver_endpoint": "mlserver"}.get(name, name)
    lines = (Path(__file__).parent / "requirements" / f"{home}.txt").read_text().lower().splitlines()
    pinned = dict(line.split("==") for line in lines if "==" in line)
    return ", ".join(pinned[package] for package in packages)


def targets(serving, service):
    """What was aimed at beside what was measured; nothing where a subject is not measured."""
    if not {"veredito", "limit", "fastapi_pandas"} <= serving.keys():
        return []
    ours = serving["veredito"]["c64"]["rps"]
    peers = {
        name: numbers["c64"]["rps"] for name, numbers in serving.items() if name not in ("veredito", "limit")
    }
    best = max(peers, key=peers.get)
    rows = [
        (f"req/s at c=64, x {LABELS['limit']}", ours / serving["limit"]["c64"]["rps"], ">= 0.7"),
        (f"req/s at c=64, x the best peer ({LABELS[best]})", ours / peers[best], ">= 5"),
        ("req/s at c=64, x FastAPI + pandas", ours / peers["fastapi_pandas"], ">= 30"),
        *open_targets(service, best),
        *own_targets(service["veredito"]),
    ]
    lines = ["| what | measured | aim |", "|---|--:|--:|"]
    return ["\n".join([*lines, *(f"| {what} | {value:.2f} | {aim} |" for what, value, aim in rows)])]


def open_targets(service, best):
    theirs, ours = service[best].get("open_loop"), service["veredito"].get("open_loop")
    if theirs is None or ours is None:
        return []
    return [
        (
            f"open loop at {ours['rate']:.0f}/s: p50, x {LABELS[best]}",
            ours["p50_ms"] / theirs["p50_ms"],
            "<= 0.33",
        ),
        (
            f"open loop at {ours['rate']:.0f}/s: p99, x {LABELS[best]}",
            ours["p99_ms"] / theirs["p99_ms"],
            "<= 0.5",
        ),
    ]


def own_targets(own):
    return [
        (
            "one caller: rows/s in requests of 1,000 rows, x single rows",
            own["batch"]["x_single_rows"],
            ">= 5",
        ),
        ("the same, x single rows at c=64", own["batch"]["x_single_rows_c64"], ">= 5"),
        ("seconds from process start to ready", own["ready_s"], "< 2"),
        ("MB resident", own["rss_mb"], "< 250"),
    ]


def rest_table(service):
    """Readiness, memory, batches and the open loop."""
    lines = [
        "| one worker | ready, s | resident, MB | 1,000 rows in a request: rows/s | open loop: p50 / p99 ms |",
        "|---|--:|--:|--:|--:|",
    ]
    for name in (name for name in LABELS if name in service):
        facts = service[name]
        rows = f"{facts['batch']['rows_per_second']:,.0f}" if "batch" in facts else "-"
        loop = facts.get("open_loop")
        latency = f"{loop['p50_ms']:.2f} / {loop['p99_ms']:.2f} at {loop['rate']:.0f}/s" if loop else "-"
        latency += f", {loop['failed']} refused" if loop and loop["failed"] else ""
        lines.append(
            f"| {LABELS[name]} | {facts['ready_s']:.1f} | {facts['rss_mb']:.0f} | {rows} | {latency} |"
        )
    return "\n".join(lines)


def plot(serving):
    """Requests per second by subject and concurrency, on a logarithmic axis."""
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "serving"  # the same numbers give the same file
    import matplotlib.pyplot as plt

    names = sorted(serving, key=lambda name: serving[name]["c64"]["rps"])
    figure, axes = plt.subplots(figsize=(8, 0.55 * len(names) + 1.2), layout="constrained")
    for place, (key, shade) in enumerate((("c64", "#1b4965"), ("c16", "#5fa8d3"), ("c1", "#cae9ff"))):
        offsets = [row + 0.27 * (1 - place) for row in range(len(names))]
        bars = axes.barh(
            offsets, [serving[name][key]["rps"] for name in names], 0.26, color=shade, label=f"c={key[1:]}"
        )
        axes.bar_label(bars, fmt=lambda value: f"{value:,.0f}", padding=3, fontsize=7)
    axes.set(xscale="log", xlabel="requests per second, one worker (logarithmic)")
    axes.set_yticks(range(len(names)), [LABELS[name].strip("*") for name in names])
    axes.margins(x=0.12)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower right")
    figure.savefig(PLOT, metadata={"Date": None})
    plt.close(figure)


if __name__ == "__main__":
    report()
