"""Looking into a record's folder from outside, whether or not a service is writing to it.

Only `repair()` changes anything, and it takes the outbox's lock first.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from veredito.errors import RecordError
from veredito.record.accounts import SinkAccounts
from veredito.record.outbox import cursor as cursors
from veredito.record.outbox.cursor import Cursor
from veredito.record.outbox.disk import Disk
from veredito.record.outbox.identity import identity
from veredito.record.outbox.lock import lock_folder
from veredito.record.outbox.recovery import Damage, Walk, inspect, recover, walks
from veredito.record.outbox.segments import list_segments
from veredito.record.record import DecisionRecord, decode, encode
from veredito.record.sinks import parquet, tables


class OutboxStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One worker's outbox, as its files tell.

    Args:
        worker: whose it is.
        recorded: records ever committed.
        oldest: the first record still in the outbox.
        segments: how many files.
        bytes: their size.
        sinks: the cursors.
        problems: cursors that cannot be read.
    """

    worker: str
    recorded: int
    oldest: int
    segments: int
    bytes: int
    sinks: dict[str, SinkAccounts]
    problems: list[str] = []


def status(folder: str | Path) -> list[OutboxStatus]:
    """The accounts of every outbox in a record's folder. Reads the last segment of each.

    Raises:
        RecordError: there is no outbox.
    """
    return [_status(path) for path in _outboxes(folder)]


def _outboxes(folder: str | Path) -> list[Path]:
    found = sorted(path for path in (Path(folder) / "outbox").glob("*") if path.is_dir())
    if not found:
        raise RecordError(f"{folder} holds no outbox: give the folder that [record].folder names")
    return found


def _status(outbox: Path) -> OutboxStatus:
    segments = list_segments(outbox)
    found, problems = _cursors(outbox)
    furthest = max((cursor.sequence for cursor in found), default=0)
    recorded = max(inspect(Walk(segments[-1])).next if segments else 0, furthest)
    sinks = {
        cursor.sink: SinkAccounts(
            delivered=cursor.delivered,
            waiting=recorded - cursor.sequence,
            before=cursor.before,
            duplicates=cursor.duplicates,
            rejected=cursor.rejected,
            damaged=cursor.damaged,
        )
        for cursor in found
    }
    return OutboxStatus(
        worker=outbox.name,
        recorded=recorded,
        oldest=segments[0].first if segments else recorded,
        segments=len(segments),
        bytes=sum(segment.path.stat().st_size for segment in segments),
        sinks=sinks,
        problems=problems,
    )


def _cursors(outbox: Path) -> tuple[list[Cursor], list[str]]:
    found, problems = [], []
    for path in sorted(outbox.glob(f"*{cursors.SUFFIX}")):
        try:
            cursor = cursors.load(path.name.removesuffix(cursors.SUFFIX), outbox)
        except RecordError as error:
            problems.append(str(error))
        else:
            found += [cursor] if cursor else []
    return found, problems


def read(folder: str | Path, table: str | Path | None = None) -> Iterator[DecisionRecord]:
    """Every record that a folder still has, each id once: the table's first, then the outboxes'.

    Args:
        folder: the record's folder.
        table: where the Parquet table lies, if not inside it.

    Raises:
        RecordError: a row of the table is not a record.
    """
    seen: set[str] = set()
    for payload in _payloads(Path(folder), Path(table) if table else Path(folder) / "parquet"):
        record = decode(payload)
        if record.decision_id not in seen:
            seen.add(record.decision_id)
            yield record


def _payloads(folder: Path, table: Path) -> Iterator[bytes]:
    for path in sorted(table.rglob("*.parquet")):
        yield from tables.payloads_of(path)
    for outbox in sorted((folder / "outbox").glob("*")):
        for walk in walks(list_segments(outbox)):
            yield from (item.payload for item in walk if not isinstance(item, Damage))


def tail(folder: str | Path, count: int = 10) -> list[DecisionRecord]:
    """The records committed last, oldest first, of all the folder's outboxes.

    Those that were delivered and whose segment is gone are in the table, not here.
    """
    latest: list[DecisionRecord] = []
    for outbox in _outboxes(folder):
        mine: list[DecisionRecord] = []
        for walk in reversed(list(walks(list_segments(outbox)))):
            found = [decode(item.payload) for item in walk if not isinstance(item, Damage)]
            mine = found + mine
            if len(mine) >= count:
                break
        latest += mine[-count:]
    return sorted(latest, key=lambda record: record.answered_at)[-count:]


def verify(folder: str | Path, table: str | Path | None = None) -> list[str]:
    """Everything that is not as it should be, in words; empty where all is well.

    Reads every segment, cursor and the ids of the table. While a service runs, what it is writing at this
    moment may show as an unfinished write.
    """
    findings: list[str] = []
    for outbox in _outboxes(folder):
        for walk in walks(list_segments(outbox)):
            content = inspect(walk)
            findings += [str(damage) for damage in content.damages]
            if content.torn:
                findings.append(f"{walk.segment.path.name}: {content.torn} bytes of an unfinished write")
        findings += _cursors(outbox)[1]
    findings += _table_findings(Path(table) if table else Path(folder) / "parquet")
    return findings


def _table_findings(table: Path) -> list[str]:
    seen: set[str] = set()
    findings = []
    for path in sorted(table.rglob("*.parquet")):
        try:
            ids = tables.ids_of(path)
        except (OSError, ValueError) as error:
            findings.append(f"{path.name}: not readable: {error}")
            continue
        again = seen.intersection(ids)
        if again or len(set(ids)) < len(ids):
            findings.append(
                f"{path.name}: {len(again) or len(ids) - len(set(ids))} ids are in the table twice"
            )
        seen.update(ids)
    return findings


def repair(folder: str | Path, table: str | Path | None = None) -> list[str]:
    """Make every outbox of a folder usable; returns what was done. The service must be stopped.

    Unfinished writes are cut. A damaged cursor is set to the oldest record that the outbox still has: its
    sink gets those again, and the table's own file names keep it from holding any twice.

    Raises:
        RecordError: a service has an outbox open.
        OSError: the disk does not allow it.
    """
    done: list[str] = []
    for outbox in _outboxes(folder):
        lock = lock_folder(outbox)
        try:
            done += _repair(outbox, Path(table) if table else Path(folder) / "parquet")
        finally:
            os.close(lock)
    return done


def _repair(outbox: Path, table: Path) -> list[str]:
    disk, done = Disk(), []
    recovered = recover(outbox, disk)
    if recovered.cut:
        done.append(f"outbox {outbox.name}: cut {recovered.cut} bytes of an unfinished write")
    oldest = recovered.segments[0].first if recovered.segments else recovered.committed
    for path in sorted(outbox.glob(f"*{cursors.SUFFIX}")):
        sink = path.name.removesuffix(cursors.SUFFIX)
        try:
            cursors.load(sink, outbox)
        except RecordError:
            # A file of the table that began before the oldest record was confirmed, or that would be here.
            files = parquet.list_files(table, identity(outbox, disk))
            confirmed = [file.next for file in files if file.first < oldest]
            start = max([oldest, *confirmed]) if sink == parquet.ParquetSink.name else oldest
            cursors.save(Cursor(sink=sink, sequence=start, before=start), outbox, disk)
            done.append(f"outbox {outbox.name}: sink {sink} begins again at record {start}")
    return done


def export(folder: str | Path, to: str | Path, table: str | Path | None = None) -> int:
    """Write every record as a line of JSON, each id once; returns how many.

    Raises:
        RecordError: a row of the table is not a record.
        OSError: the file cannot be written.
    """
    count = 0
    with Path(to).open("wb") as file:
        for record in read(folder, table):
            file.write(encode(record) + b"\n")
            count += 1
    return count
