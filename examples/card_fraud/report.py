"""What came of the demo: from answers, labels, records and metrics to one readable report."""

from __future__ import annotations

import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
from features import FEATURES
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console
from rich.table import Table
from send import Answer

STAGES = ("in_schema", "fetching", "in_adapter", "model", "out_adapter", "policy", "out_schema", "record")
CAUGHT = ("decline", "review")


def stage_seconds(url: str) -> dict[str, float]:
    """How long each stage took in all, by the service's own metrics."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=5) as response:  # noqa: S310 - our own http URL
        families = text_string_to_metric_families(response.read().decode())
    return {
        sample.labels["stage"]: sample.value
        for family in families
        for sample in family.samples
        if sample.name == "veredito_stage_duration_seconds_sum"
    }


def records_of(folder: Path) -> pl.DataFrame:
    """The decision records on disk."""
    files = sorted(folder.rglob("*.parquet"))
    if not files:
        return pl.DataFrame(schema={"decision_id": pl.String})
    return pl.concat([pl.read_parquet(path) for path in files], how="diagonal_relaxed")


def make_report(
    events: pl.DataFrame, answers: Sequence[Answer], records: pl.DataFrame, *,
    stages: dict[str, float], metrics: dict[str, float], seconds: dict[str, float],
) -> dict[str, Any]:  # fmt: skip
    """All the numbers.

    Args:
        events: the events sent, with their labels.
        answers: what came back, in the same order.
        records: what the service wrote down.
        stages: seconds by stage.
        metrics: of the model, on its test week.
        seconds: how long each part of the demo took.
    """
    given = decided(events, answers)
    return {
        "answers": given.height,
        "records": records.height,
        "records_match_answers": set(records["decision_id"]) == set(given["decision_id"]),
        "features": _features(events, records),
        "not_answered": len(answers) - given.height,
        "decisions": _counts(given, "action"),
        "sources": _counts(given, "source"),
        "pre_policy_share": _share(given["source"] == "pre_policy"),
        "fraud": _fraud(given),
        "latency_ms": _latency([answer.latency_ms for answer in answers if answer.status == 200]),
        "answers_per_second": round(given.height / seconds["sending"], 1),
        "stages": _stages(stages, given.height),
        "model": {name: round(value, 4) for name, value in metrics.items()},
        "seconds": seconds,
    }


def decided(events: pl.DataFrame, answers: Sequence[Answer]) -> pl.DataFrame:
    """The events that were answered, each with its decision."""
    rows = [{"transaction_id": a.transaction_id} | a.decision for a in answers if a.status == 200]
    schema = {"transaction_id": pl.Int64, "decision_id": pl.String, "action": pl.String, "source": pl.String}
    decisions = pl.DataFrame(rows, schema=schema | {"score": pl.Float64})
    return events.select("transaction_id", "at", "amount", "fraud").join(decisions, on="transaction_id")


def _features(events: pl.DataFrame, records: pl.DataFrame) -> dict[str, int]:
    """How many recorded rows of features there are, and how many differ from the table's, in any bit."""
    names = [name for name in FEATURES if f"feature_{name}" in records.columns]
    if not names:
        return {"rows": 0, "different": 0}
    recorded = records.filter(pl.col("source") == "policy").select(
        transaction_id="input_transaction_id", **{f"_{name}": f"feature_{name}" for name in names}
    )
    rows = recorded.join(events, on="transaction_id", how="left")
    equal = pl.all_horizontal(pl.col(f"_{name}").eq_missing(pl.col(name)) for name in names)
    return {"rows": rows.height, "different": rows.filter(~equal).height}


def _counts(given: pl.DataFrame, column: str) -> dict[str, int]:
    counts = given[column].value_counts(sort=True)
    return dict(counts.iter_rows())


def _share(where: pl.Series) -> float:
    return round(float(where.mean() or 0.0), 4)  # type: ignore[arg-type]  # of booleans, a number


def _fraud(given: pl.DataFrame) -> dict[str, Any]:
    frauds = given.filter(fraud=1)
    stopped = frauds.filter(pl.col("action").is_in(CAUGHT))
    honest = given.filter(fraud=0)
    money, saved = float(frauds["amount"].sum()), float(stopped["amount"].sum())
    return {
        "events": frauds.height,
        "events_caught": stopped.height,
        "events_caught_share": round(stopped.height / max(1, frauds.height), 4),
        "amount": round(money, 2),
        "amount_caught": round(saved, 2),
        "amount_caught_share": round(saved / max(1e-9, money), 4),
        "honest_events": honest.height,
        "honest_events_stopped": honest.filter(pl.col("action").is_in(CAUGHT)).height,
    }


def _latency(values: Sequence[float]) -> dict[str, float]:
    latencies = pl.Series(values, dtype=pl.Float64)
    quantiles = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
    return {name: round(latencies.quantile(q, "linear") or 0.0, 2) for name, q in quantiles.items()}


def _stages(seconds: dict[str, float], answers: int) -> dict[str, dict[str, float]]:
    total = sum(seconds.values()) or 1.0
    known = [stage for stage in STAGES if stage in seconds] + sorted(set(seconds) - set(STAGES))
    return {
        stage: {
            "mean_us": round(seconds[stage] / max(1, answers) * 1e6, 1),
            "share": round(seconds[stage] / total, 4),
        }
        for stage in known
    }


def print_report(report: dict[str, Any], console: Console) -> None:
    """The report, for a terminal."""
    fraud, latency = report["fraud"], report["latency_ms"]
    table = Table(title="card payments, decided", show_header=False, title_justify="left")
    table.add_column(style="bold")
    table.add_column()
    decisions = ", ".join(f"{action} {count:,}" for action, count in report["decisions"].items())
    equal = "equal" if report["records_match_answers"] else "[red]NOT EQUAL[/red]"
    model = report["model"]
    table.add_row("decisions", decisions)
    table.add_row(
        "by the pre-policy", f"{report['pre_policy_share']:.1%} of the answers, without asking anybody"
    )
    table.add_row(
        "fraud caught",
        f"{fraud['events_caught']} of {fraud['events']} events ({fraud['events_caught_share']:.0%}), "
        f"{fraud['amount_caught']:,.0f} of {fraud['amount']:,.0f} in money ({fraud['amount_caught_share']:.0%})",
    )
    table.add_row("honest ones stopped", f"{fraud['honest_events_stopped']} of {fraud['honest_events']:,}")
    table.add_row(
        "answer in",
        f"p50 {latency['p50']:.1f} ms, p95 {latency['p95']:.1f} ms, p99 {latency['p99']:.1f} ms, "
        f"at {report['answers_per_second']:,.0f} a second",
    )
    table.add_row("of which", _stage_lines(report["stages"]))
    table.add_row("answers and records", f"{report['answers']:,} and {report['records']:,}: {equal}")
    features = report["features"]
    table.add_row(
        "features as in the table",
        f"{features['rows'] - features['different']:,} of {features['rows']:,} rows, to the bit",
    )
    if report["not_answered"]:
        table.add_row("not answered", f"[red]{report['not_answered']}[/red]")
    table.add_row(
        "model, test week",
        ", ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in model.items()),
    )
    table.add_row(
        "the demo took", ", ".join(f"{what} {took:.1f} s" for what, took in report["seconds"].items())
    )
    console.print(table)


def _stage_lines(stages: dict[str, dict[str, float]]) -> str:
    parts = [
        f"{name.replace('_', '-')} {stage['share']:.1%} ({stage['mean_us']:,.0f} µs)"
        for name, stage in stages.items()
    ]
    return "\n".join(", ".join(parts[i : i + 4]) for i in range(0, len(parts), 4))
