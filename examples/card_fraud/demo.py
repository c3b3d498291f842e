"""The whole job on one machine: payments, a trained model, a running service, and what came of it.

Simulates (or reads) card payments, trains on a week, starts the company's other services and the decision
service as processes, sends the payments of the days that follow over HTTP, and reports.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import json
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import train
from company import Company, NotReadyError, company, free_port
from features import Transaction, events_of, offline_features
from picture import draw
from report import make_report, print_report, records_of, stage_seconds
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from send import Answer, Report, send
from simulate import World, simulate

HERE = Path(__file__).parent
MARK = ".demo"  # in a folder that may be emptied
IN_FLIGHT = 8  # enough to keep two cores busy; more would measure the queue


@dataclass(frozen=True)
class Demo:
    """What the demo works on.

    Args:
        folder: a project of its own: config, code, model, records, report.
        table: all payments with their features.
        weeks: which days are for what; the events sent begin with the test week.
        events: how many are sent.
    """

    folder: Path
    table: pl.DataFrame
    weeks: train.Weeks
    events: int

    @property
    def start(self) -> dt.datetime:
        """The first moment of the days whose events are sent."""
        return dt.datetime.combine(self.weeks.test, dt.time(), dt.UTC)

    @property
    def stream(self) -> pl.DataFrame:
        """The events that are sent, with features and labels."""
        return self.table.filter(pl.col("at") >= self.start).head(self.events)


def main() -> int:
    """Run the demo; 0 if there is a record for every answer."""
    arguments, console = _arguments(), Console()
    folder = arguments.out.resolve()
    try:
        _make_folder(folder)
        seconds: dict[str, float] = {}
        with _timed(console, seconds, "payments"):
            table = offline_features(_payments(arguments.transactions))
            demo = Demo(folder, table, train.Weeks.earliest(table), arguments.events)
        with _timed(console, seconds, "training"):
            metrics = _train(demo)
            urls = _write_project(demo)
        with company(folder) as processes:
            return _run(demo, processes, urls, console, seconds, metrics, keep=arguments.keep)
    except (FileExistsError, NotReadyError, train.TooShortError) as error:
        console.print(str(error), style="red", markup=False)
        return 1
    except KeyboardInterrupt:
        console.print("stopped, and everything it started")
        return 130


def _make_folder(folder: Path) -> None:
    """An empty folder; what an earlier demo left there goes, and nobody else's files."""
    if folder.exists() and any(folder.iterdir()) and not (folder / MARK).exists():
        raise FileExistsError(f"{folder} holds something other than a demo; name another folder with --out")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / MARK).touch()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--transactions", type=Path, help="a Parquet file of payments; simulated if not given"
    )
    parser.add_argument("--events", type=int, default=8_000, help="how many payments to send")
    parser.add_argument("--keep", action="store_true", help="leave the service running at the end")
    parser.add_argument(
        "--out", type=Path, default=Path("var/demo"), help="the folder to work in; emptied first"
    )
    return parser.parse_args()


class _timed:  # noqa: N801 - reads as a word
    """Say what is going on, and note how long it took."""

    def __init__(self, console: Console, seconds: dict[str, float], what: str) -> None:
        self._seconds, self._what = seconds, what
        self._status = console.status(f"{what} ...")

    def __enter__(self) -> None:
        self._status.start()
        self._begun = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self._status.stop()
        self._seconds[self._what] = round(time.perf_counter() - self._begun, 2)


def _payments(path: Path | None) -> pl.DataFrame:
    return events_of(simulate(World()) if path is None else pl.read_parquet(path))


def _train(demo: Demo) -> dict[str, float]:
    step, metrics, log = train.fit(demo.table, demo.weeks)
    train.save(step, demo.table, demo.weeks, demo.folder / "models" / "fraud", metrics, log)
    return metrics


def _write_project(demo: Demo) -> dict[str, str]:
    """The service's folder: the example's files, free ports, and the history up to the first event."""
    for name in ("features.py", "policy.py"):
        shutil.copy(HERE / name, demo.folder)
    service, others = (f"127.0.0.1:{free_port()}" for _ in range(2))
    config = (HERE / "service.toml").read_text(encoding="utf-8")
    for written, resolved in (
        ("port = 8080", f"port = {service.rpartition(':')[2]}"),
        ("127.0.0.1:9001", others),
    ):
        if written not in config:
            raise ValueError(f"service.toml no longer says '{written}'")
        config = config.replace(written, resolved)
    (demo.folder / "service.toml").write_text(config, encoding="utf-8")
    history = demo.table.filter(pl.col("at") < demo.start, pl.col("at") > demo.start - train.HISTORY)
    known = pl.col("fraud") * (pl.col("at") <= demo.start - train.DELAY)
    (demo.folder / "var").mkdir()
    columns = [*Transaction.__struct_fields__]
    history.select(*columns, fraud=known).write_parquet(demo.folder / "var" / "history.parquet")
    return {"service": f"http://{service}", "others": f"http://{others}"}


def _run(
    demo: Demo, processes: Company, urls: dict[str, str], console: Console,
    seconds: dict[str, float], metrics: dict[str, float], *, keep: bool,
) -> int:  # fmt: skip
    with _timed(console, seconds, "start"):
        port = urls["others"].rpartition(":")[2]
        command = [HERE / "services.py", "--port", port]
        processes.start("services", command, cwd=demo.folder, ready=f"{urls['others']}/livez")
        _start_service(demo, processes, urls)
    begun = time.perf_counter()
    answers = _send(demo, urls["service"], console)
    seconds["sending"] = round(time.perf_counter() - begun, 2)
    stages = stage_seconds(urls["service"])
    with _timed(console, seconds, "stop"):
        processes.stop("service")
    records = records_of(demo.folder / "var" / "record")
    report = make_report(demo.stream, answers, records, stages=stages, metrics=metrics, seconds=seconds)
    (demo.folder / "report.json").write_text(json.dumps(report, indent=2), encoding="utf-8")
    draw(report, demo.stream, answers, demo.folder / "report.png")
    print_report(report, console)
    console.print(f"in {demo.folder}: report.json, report.png, service.toml, the model and the records")
    if keep:
        _start_service(demo, processes, urls)
        _say_how_to_ask(demo, urls["service"], processes.leave(), console)
    return 0 if report["answers"] == report["records"] else 1


def _start_service(demo: Demo, processes: Company, urls: dict[str, str]) -> None:
    command = ["-m", "veredito", "serve", "service.toml"]
    processes.start("service", command, cwd=demo.folder, ready=f"{urls['service']}/readyz")


def _send(demo: Demo, url: str, console: Console) -> list[Answer]:
    rows = demo.stream.select(Transaction.__struct_fields__).iter_rows(named=True)
    events = [Transaction(**row) for row in rows]
    reported = demo.table.filter(pl.col("fraud") == 1, pl.col("at") > demo.start - train.DELAY)
    frauds = [Report(*row) for row in reported.select("transaction_id", "at").iter_rows()]
    columns = (TextColumn("deciding"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("deciding", total=len(events))
        sending = send(url, events, frauds, in_flight=IN_FLIGHT, sent=lambda: progress.advance(task))
        return asyncio.run(sending)


def _say_how_to_ask(demo: Demo, url: str, ids: dict[str, int], console: Console) -> None:
    row: dict[str, Any] = demo.stream.select(Transaction.__struct_fields__).row(-1, named=True)
    row |= {"transaction_id": row["transaction_id"] + 1_000_000, "amount": 199.0}
    body = msgspec.json.encode(Transaction(**row)).decode()
    console.print("the service is running on; ask it:", highlight=False)
    print(f"curl -s {url}/v1/decide -d '{body}'")
    print(f"kill {' '.join(map(str, ids.values()))}   # to stop it")


if __name__ == "__main__":
    sys.exit(main())
