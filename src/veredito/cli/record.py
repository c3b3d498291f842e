"""``veredito record``: look into what was recorded, check it, mend it, take it elsewhere."""

from __future__ import annotations

from pathlib import Path

import cyclopts
import msgspec
from rich.console import Console
from rich.table import Table

app = cyclopts.App(name="record", help="Look into recorded decisions; check, repair and export them.")
_console = Console(soft_wrap=True, highlight=False)


@app.command
def status(folder: Path, *, json: bool = False) -> int:
    """Show what was recorded, and how far each sink is.

    Parameters
    ----------
    folder
        The record's folder, as `[record].folder` names it.
    json
        Print JSON instead of a table.
    """
    from veredito.record import tools

    outboxes = tools.status(folder)
    if json:
        _console.print(str(msgspec.json.encode(outboxes), "utf-8"), markup=False)
        return 0
    table = Table(
        "worker", "sink", "recorded", "= before", "+ delivered", "+ waiting", "+ rejected", "+ damaged"
    )
    for outbox in outboxes:
        for name, sink in outbox.sinks.items():
            parts = (sink.before, sink.delivered, sink.waiting, sink.rejected, sink.damaged)
            table.add_row(outbox.worker, name, *map(str, (outbox.recorded, *parts)))
        if not outbox.sinks:
            table.add_row(outbox.worker, "none yet", str(outbox.recorded))
    _console.print(table)
    problems = [problem for outbox in outboxes for problem in outbox.problems]
    for problem in problems:
        _console.print(problem, markup=False)
    return 1 if problems else 0


@app.command
def tail(folder: Path, *, count: int = 10) -> None:
    """Print the records committed last, one JSON object a line.

    Parameters
    ----------
    folder
        The record's folder.
    count
        How many.
    """
    from veredito.record import tools
    from veredito.record.record import encode

    for record in tools.tail(folder, count):
        _console.print(str(encode(record), "utf-8"), markup=False)


@app.command
def verify(folder: Path, *, table: Path | None = None) -> int:
    """Read every segment, cursor and table file, and say what is wrong; the exit code is 1 if anything is.

    Parameters
    ----------
    folder
        The record's folder.
    table
        The Parquet table's folder, if it is not inside.
    """
    from veredito.record import tools

    findings = tools.verify(folder, table)
    for finding in findings or ["everything is as it should be"]:
        _console.print(finding, markup=False)
    return 1 if findings else 0


@app.command
def repair(folder: Path, *, table: Path | None = None) -> None:
    """Make a damaged outbox usable again. Stop the service first.

    Parameters
    ----------
    folder
        The record's folder.
    table
        The Parquet table's folder, if it is not inside.
    """
    from veredito.record import tools

    for line in tools.repair(folder, table) or ["nothing needed repair"]:
        _console.print(line, markup=False)


@app.command
def export(folder: Path, to: Path, *, table: Path | None = None) -> None:
    """Write every record as a line of JSON, each id once.

    Parameters
    ----------
    folder
        The record's folder.
    to
        The file to write.
    table
        The Parquet table's folder, if it is not inside.
    """
    from veredito.record import tools

    _console.print(f"{tools.export(folder, to, table)} records", markup=False)
