"""The lake: a Parquet table in hive partitions, one typed column a field, exactly once by id.

A file's name says which records it covers. A crash between a file's rename and the cursor's leaves files that
begin at or after the cursor: they are removed when the sink opens, and written again. So the table never
holds a record twice, and the cursor never passes one that is not in it.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import logging
import threading
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from veredito.errors import RecordError
from veredito.record.layout import Column
from veredito.record.outbox.disk import Disk
from veredito.record.outbox.frames import Entry
from veredito.record.outbox.reader import Batch
from veredito.record.record import DecisionRecord, decode
from veredito.record.settings import ParquetSettings
from veredito.record.sinks import tables
from veredito.record.sinks.sink import Delivery, Gathering
from veredito.types import Clock, SystemClock

if TYPE_CHECKING:
    import pyarrow as pa

_COMPACTED_ROWS_MAX = 500_000  # rows of a compacted file; bounds the memory of making one
_GRACE_SECONDS = 300.0  # an hour is over for compaction when so much of the next has passed
log = logging.getLogger("veredito.record")


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Covered:
    """A file of the table: which worker's records from `first` up to `next` it may hold."""

    first: int
    next: int
    worker: str
    path: Path

    @classmethod
    def at(cls, path: Path) -> Covered | None:
        """What a file's name says; `None` for a file that is not ours."""
        worker, _, numbers = path.stem.partition("-")
        first, _, following = numbers.partition("-")
        if not (first.isdigit() and following.isdigit()):
            return None
        return cls(int(first), int(following), worker, path)

    def within(self, other: Covered) -> bool:
        """Whether another file of the partition was made from this one."""
        return self != other and other.first <= self.first and self.next <= other.next


def list_files(folder: Path, worker: str) -> list[Covered]:
    """A worker's files in a folder and the partitions inside, in order."""
    found = (Covered.at(path) for path in folder.rglob("*.parquet"))
    return sorted(file for file in found if file is not None and file.worker == worker)


def remains_of(files: Iterable[Covered], sequence: int) -> list[Covered]:
    """The files that a crash left: not confirmed by the cursor, or merged into another already."""
    partitions: dict[Path, list[Covered]] = defaultdict(list)
    for file in files:
        partitions[file.path.parent].append(file)
    unconfirmed = [file for files in partitions.values() for file in files if file.first >= sequence]
    kept = [[file for file in files if file.first < sequence] for files in partitions.values()]
    merged = [file for files in kept for file in files if any(file.within(other) for other in files)]
    return unconfirmed + merged


class ParquetSink:
    """Writes batches as Parquet files.

    Args:
        folder: of the table.
        columns: what to read off a record.
        settings: sizes and times.
        worker: which outbox this is; a table may be written by several.
        disk: the file operations.
        clock: tells when an hour is over.
    """

    name = "parquet"

    def __init__(
        self,
        folder: Path,
        columns: list[Column],
        settings: ParquetSettings,
        *,
        worker: str = "0",
        disk: Disk | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._folder, self._columns, self._settings = folder, columns, settings
        self._worker, self._disk, self._clock = worker, disk or Disk(), clock or SystemClock()
        self._written: set[Path] = set()  # partitions that may hold more than one file
        self._next = 0
        self.gathering = Gathering(settings.rows_max, seconds=settings.gather_seconds)

    def open(self, sequence: int, stopping: threading.Event) -> None:  # noqa: ARG002 - a local disk has no long waits
        """Remove what a crash left."""
        self._disk.make_folder(self._folder)
        for temporary in self._folder.rglob(f".{self._worker}-*.tmp"):
            self._disk.remove(temporary)
        files = list_files(self._folder, self._worker)
        remains = remains_of(files, sequence)
        for file in remains:
            self._disk.remove(file.path)
        for folder in {file.path.parent for file in remains}:
            self._disk.sync_folder(folder)
        self._written = {file.path.parent for file in files}
        self._next = sequence

    def deliver(self, batch: Batch) -> Delivery:
        """Write one file for each hour that the batch touches."""
        rows: dict[Path, list[tuple[DecisionRecord, bytes]]] = defaultdict(list)
        seen: set[str] = set()
        rejected: list[tuple[Entry, str]] = []
        for entry in batch.entries:
            try:
                record = decode(entry.payload)
            except RecordError as error:
                rejected.append((entry, str(error)))
                continue
            if record.decision_id not in seen:
                seen.add(record.decision_id)
                rows[self._partition(record)].append((record, entry.payload))
        for folder, part in rows.items():
            self._write(tables.table_of(part, self._columns), self._path(folder, batch.first, batch.next))
        self._next = batch.next
        return Delivery(len(batch.entries) - len(seen) - len(rejected), tuple(rejected))

    def tidy(self) -> None:
        """Make one file of the small ones of an hour that is over."""
        if not self._settings.compact:
            return
        for folder in sorted(self._written):
            if self._over(folder):
                self._compact(folder)
                self._written.discard(folder)
                return

    def close(self) -> None:
        """Nothing is held open between batches."""

    def _partition(self, record: DecisionRecord) -> Path:
        at = record.answered_at.astimezone(dt.UTC)
        return self._folder / f"date={at:%Y-%m-%d}" / f"hour={at:%H}"

    def _path(self, folder: Path, first: int, following: int) -> Path:
        return folder / f"{self._worker}-{first:020d}-{following:020d}.parquet"

    def _write(self, table: pa.Table, path: Path) -> None:
        self._disk.make_folder(path.parent)
        temporary = path.with_name(f".{path.name}.tmp")
        tables.write(table, temporary)
        self._disk.publish(temporary, path)
        self._written.add(path.parent)

    def _over(self, folder: Path) -> bool:
        day, hour = folder.parent.name.partition("=")[2], folder.name.partition("=")[2]
        begin = dt.datetime.strptime(f"{day} {hour} +0000", "%Y-%m-%d %H %z")
        return self._clock.time() > begin.timestamp() + 3600 + _GRACE_SECONDS

    def _compact(self, folder: Path) -> None:
        for group in _groups(list_files(folder, self._worker)):
            try:
                table = tables.merged([file.path for file in group])
            except tables.DifferentTypesError as error:
                log.info("files of %s keep their own types: %s", folder, error)
                continue
            self._write(table, self._path(folder, group[0].first, group[-1].next))
            for file in group:
                self._disk.remove(file.path)
            self._disk.sync_folder(folder)


def _groups(files: list[Covered]) -> list[list[Covered]]:
    """Neighbouring files whose rows together make a file of bounded size; single ones are left out."""
    groups: list[list[Covered]] = [[]]
    rows = 0
    for file in files:
        more = tables.rows_of(file.path)
        if groups[-1] and rows + more > _COMPACTED_ROWS_MAX:
            groups.append([])
            rows = 0
        groups[-1].append(file)
        rows += more
    return [group for group in groups if len(group) > 1]
