"""The lake: a Parquet table in hive partitions, one typed column a field, exactly once by id.

A file's name says which records it covers. A crash between a file's rename and the cursor's leaves files that
begin at or after the cursor: they are removed when the sink opens, and written again. So the table never
holds a record twice, and the cursor never passes one that is not in it.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

from veredito.errors import RecordError
from veredito.record.layout import Column
from veredito.record.outbox.disk import Disk
from veredito.record.outbox.frames import Entry
from veredito.record.outbox.identity import identity
from veredito.record.outbox.reader import Batch
from veredito.record.settings import ParquetSettings
from veredito.record.sinks import tables
from veredito.record.sinks.rows import Row, RowReader
from veredito.record.sinks.sink import Delivery, Gathering
from veredito.types import Clock, SystemClock

_COMPACTED_ROWS_MAX = 500_000  # of a compacted file; bounds the ids held while it is made
_COMPACTED_BYTES_MAX = 2**30  # of its rows, as they are in memory; bounds the time that takes
_GRACE_SECONDS = 300.0  # an hour is over for compaction when so much of the next has passed
_QUIET_SECONDS = 60.0  # without a new file: a backlog's hours are over while they still grow
_AGAIN_SECONDS = 600.0  # after an hour could not be compacted
log = logging.getLogger("veredito.record")


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Covered:
    """A file of the table: which outbox's records from `first` up to `next` it may hold."""

    first: int
    next: int
    outbox: str
    path: Path

    @classmethod
    def at(cls, path: Path) -> Covered | None:
        """What a file's name says; `None` for a file that is not ours."""
        outbox, _, numbers = path.stem.partition("-")
        first, _, following = numbers.partition("-")
        if not (first.isdigit() and following.isdigit()):
            return None
        return cls(int(first), int(following), outbox, path)

    def within(self, other: Covered) -> bool:
        """Whether another file of the partition was made from this one."""
        return self != other and other.first <= self.first and self.next <= other.next


def list_files(folder: Path, outbox: str) -> list[Covered]:
    """An outbox's files in a folder and the partitions inside, in order."""
    found = (Covered.at(path) for path in folder.rglob("*.parquet"))
    return sorted(file for file in found if file is not None and file.outbox == outbox)


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
        outbox: the folder of the outbox that feeds it; a table may be written from several.
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
        outbox: Path,
        disk: Disk | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._folder, self._reader, self._settings = folder, RowReader(columns), settings
        self._outbox, self._disk, self._clock = outbox, disk or Disk(), clock or SystemClock()
        self._identity = ""
        self._written: dict[
            Path, float
        ] = {}  # partitions that may hold several files; from when to look there
        self.gathering = Gathering(settings.rows_max, seconds=settings.gather_seconds)

    def open(self, sequence: int, stopping: threading.Event) -> None:  # noqa: ARG002 - a local disk has no long waits
        """Remove what a crash left."""
        self._identity = identity(self._outbox, self._disk)
        self._disk.make_folder(self._folder)
        for temporary in self._folder.rglob(f".{self._identity}-*.tmp"):
            self._disk.remove(temporary)
        files = list_files(self._folder, self._identity)
        remains = remains_of(files, sequence)
        for file in remains:
            self._disk.remove(file.path)
        for folder in {file.path.parent for file in remains}:
            self._disk.sync_folder(folder)
        self._written = {file.path.parent: self._clock.monotonic() for file in files}

    def deliver(self, batch: Batch) -> Delivery:
        """Write one file for each hour that the batch touches."""
        hours: dict[int, list[Row]] = defaultdict(list)
        seen: set[str] = set()
        rejected: list[tuple[Entry, str]] = []
        for entry in batch.entries:
            try:
                row = self._reader.read(entry.payload)
            except RecordError as error:
                rejected.append((entry, str(error)))
                continue
            if row.decision_id not in seen:
                seen.add(row.decision_id)
                hours[row.hour].append(row)
        for hour, rows in hours.items():
            path = self._path(self._partition(hour), batch.first, batch.next)
            self._write(path, functools.partial(tables.write, self._reader.table(rows)))
        return Delivery(len(batch.entries) - len(seen) - len(rejected), tuple(rejected))

    def tidy(self) -> None:
        """Make one file of the small ones of an hour that is over.

        Raises:
            OSError: the disk fails. The hour is tried again later, other hours before.
            ValueError: a file cannot be read; likewise.
        """
        if not self._settings.compact:
            return
        now = self._clock.monotonic()
        over = (folder for folder, since in self._written.items() if since <= now and self._over(folder))
        if (folder := min(over, default=None)) is not None:
            self._written[folder] = now + _AGAIN_SECONDS
            self._compact(folder)
            del self._written[folder]

    def close(self) -> None:
        """Nothing is held open between batches."""

    def _partition(self, hour: int) -> Path:
        at = dt.datetime.fromtimestamp(3600 * hour, dt.UTC)
        return self._folder / f"date={at:%Y-%m-%d}" / f"hour={at:%H}"

    def _path(self, folder: Path, first: int, following: int) -> Path:
        return folder / f"{self._identity}-{first:020d}-{following:020d}.parquet"

    def _write(self, path: Path, content: Callable[[Path], None]) -> None:
        """Give a file its name once its content is on the disk; leave nothing of one that failed."""
        self._disk.make_folder(path.parent)
        temporary = path.with_name(f".{path.name}.tmp")
        try:
            content(temporary)
            self._disk.publish(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)  # a full disk is not to be filled with its half
            raise
        self._written[path.parent] = self._clock.monotonic() + _QUIET_SECONDS

    def _over(self, folder: Path) -> bool:
        day, hour = folder.parent.name.partition("=")[2], folder.name.partition("=")[2]
        begin = dt.datetime.strptime(f"{day} {hour} +0000", "%Y-%m-%d %H %z")
        return self._clock.time() > begin.timestamp() + 3600 + _GRACE_SECONDS

    def _compact(self, folder: Path) -> None:
        for group in _groups(list_files(folder, self._identity)):
            try:
                path = self._path(folder, group[0].first, group[-1].next)
                self._write(path, functools.partial(tables.merge, [file.path for file in group]))
            except tables.DifferentTypesError as error:
                log.info("files of %s keep their own types: %s", folder, error)
                continue
            for file in group:
                if (
                    file.path != path
                ):  # where an old file could not be removed the last time, it is among them
                    self._disk.remove(file.path)
            self._disk.sync_folder(folder)


def _groups(files: list[Covered]) -> list[list[Covered]]:
    """Neighbouring files whose rows together make a file of bounded size; those that are large already part them.

    A merged file's name covers all between its first and its last: none of them may be left out.
    """
    groups: list[list[Covered]] = [[]]
    rows = size = 0
    for file in files:
        more_rows, more_bytes = tables.rows_and_bytes_of(file.path)
        rows, size = rows + more_rows, size + more_bytes
        if rows > _COMPACTED_ROWS_MAX or size > _COMPACTED_BYTES_MAX or 2 * more_bytes > _COMPACTED_BYTES_MAX:
            groups.append([])
            rows, size = more_rows, more_bytes
        groups[-1].append(file)
    return [group for group in groups if len(group) > 1]
