"""The results as a table, beside what was aimed at."""

from bench.machine import sentence


def text(results):
    """The marked part of the page."""
    durable, queued = (results["acknowledge"][name] for name in ("durable", "queued"))
    rows = [
        ("durable: added to a decision at 2,000/s, p50 / p99 ms", pair(durable, "{:.2f}"), "≤ 1 / ≤ 5"),
        ("queued: added to a decision at 2,000/s, p50 / p99 ms", pair(queued, "{:.3f}"), "≤ 0.020 / -"),
        *[row for sink in ("parquet", "kafka") if sink in results for row in drained(sink, results)],
        (
            f"opening an outbox of {results['fill']['bytes'] / 2**30:.1f} GiB, s",
            f"{results['parquet']['open_seconds']:.2f}",
            "< 10 at 1 GB",
        ),
    ]
    lines = ["| what | measured | aim |", "|---|--:|--:|"]
    lines += [f"| {what} | {measured} | {aim} |" for what, measured, aim in rows]
    return sentence(results["machine"]) + "\n\n" + "\n".join(lines)


def pair(numbers, form):
    return " / ".join(form.format(numbers[name]) for name in ("p50_ms", "p99_ms"))


def drained(sink, results):
    numbers = results[sink]
    size = results["fill"]["bytes"] / results["fill"]["records"]
    what = f"{sink}: {numbers['records']:,} records of {size / 1000:.1f} KB"
    memory = f"{numbers['mb_first_tenth']:.0f} / {numbers['mb_peak']:.0f}"
    return [
        (f"{what}, records/s on one core", f"{numbers['per_second']:,.0f}", "≥ 5,000"),
        (f"{sink}: processor time a record, µs", f"{numbers['cpu_us_per_record']:.0f}", "-"),
        (f"{sink}: MB resident, peak in the first tenth / in all", memory, "no growth"),
    ]
