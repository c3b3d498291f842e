"""The recorder: what a service calls with each decision."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
import types
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from veredito.errors import ConfigError, OverloadedError, Problem, RecordError
from veredito.record.accounts import Accounts, SinkAccounts
from veredito.record.layout import RecordLayout
from veredito.record.outbox import cursor as cursors
from veredito.record.outbox.disk import Disk
from veredito.record.outbox.lock import lock_folder
from veredito.record.outbox.recovery import Recovered, recover
from veredito.record.outbox.segments import Segments
from veredito.record.outbox.writer import Writer
from veredito.record.record import DecisionRecord, encode
from veredito.record.sensitive import Mask
from veredito.record.settings import RecordSettings
from veredito.record.sinks import custom
from veredito.record.sinks.runner import Runner
from veredito.record.sinks.sink import Sink

log = logging.getLogger("veredito.record")

# The sinks' threads share the interpreter with the loop that answers. At Python's own 5 ms a decision could wait
# so long for each of them, at every turn.
_SWITCH_SECONDS = 0.0005


def outbox_folder(folder: str | Path, worker: str = "0") -> Path:
    """Where a worker's outbox lies inside the record's folder."""
    return Path(folder) / "outbox" / worker


def table_folder(settings: RecordSettings) -> Path:
    """Where the Parquet table lies."""
    return Path(settings.parquet.folder or Path(settings.folder) / "parquet")


class Recorder:
    """Records decisions durably and delivers them to the sinks. Open it with `Recorder.open()`.

    `append()` belongs to an event loop's thread; everything else is done by threads of the recorder's own.
    """

    def __init__(
        self, settings: RecordSettings, folder: Path, disk: Disk, recovered: Recovered, lock: int, mask: Mask
    ) -> None:
        self.settings, self.recovered = settings, recovered
        self._lock, self._mask = lock, mask
        self._segments = Segments(
            folder,
            disk,
            recovered.segments,
            recovered.committed,
            segment_bytes=settings.segment_bytes,
            bytes_max=settings.outbox_bytes_max,
        )
        self._writer = Writer(
            self._segments, on_full=settings.on_full, queue_bytes_max=settings.queue_bytes_max
        )
        self._folder = folder
        self._runners: list[Runner] = []
        self._overflowed = 0  # turned away at the queue, by policy
        self._open = True

    @classmethod
    def open(
        cls,
        settings: RecordSettings,
        layout: RecordLayout,
        *,
        worker: str = "0",
        sinks: Sequence[Sink] = (),
        disk: Disk | None = None,
    ) -> Recorder:
        """Recover the outbox, and start writing and delivering.

        Args:
            settings: the ``[record]`` table.
            layout: the schemas that give the table its columns.
            worker: which of several processes of a service this is; each has its own outbox.
            sinks: more sinks than those the settings name.
            disk: the file operations; replaceable in tests.

        Raises:
            ConfigError: no sink, two sinks of one name, a sink of the config that cannot be made, a worker's name that is no file name, or no key for
                the hash of sensitive fields.
            MissingExtraError: a sink's library is not installed.
            RecordError: another process has the outbox open, or a cursor is damaged.
            OSError: the folder cannot be used.
        """
        disk = disk or Disk()
        mask = Mask.of(settings, entity=layout.entity, event_time=layout.event_time)
        every = [*_sinks_of(settings, layout, mask, worker, disk), *sinks]
        _check(every, worker)
        folder = outbox_folder(settings.folder, worker)
        disk.make_folder(folder)
        lock = lock_folder(folder)
        try:
            recovered = recover(folder, disk, at_least=cursors.furthest(folder))
            _tell(recovered)
            recorder = cls(settings, folder, disk, recovered, lock, mask)
            recorder._start(every)
        except BaseException:
            os.close(lock)
            raise
        return recorder

    def _start(self, sinks: Sequence[Sink]) -> None:
        self._runners = [Runner(sink, self._segments, self._folder, self._release) for sink in sinks]
        sys.setswitchinterval(min(_SWITCH_SECONDS, sys.getswitchinterval()))
        self._writer.start()
        for runner in self._runners:
            runner.start()

    async def append(self, record: DecisionRecord) -> bool:
        """Record a decision; with ``acknowledge = "durable"`` returns when it is on the disk.

        Returns:
            Whether it is recorded; `False` only with ``on_full = "count"``, where the decision is answered
            although the disk did not take it.

        Raises:
            OverloadedError: there is no room, and the policy is to refuse.
            RecordError: the disk fails, and the policy is to refuse; or the record cannot be written at all.
        """
        if self.settings.acknowledge == "queued":
            return self.append_nowait(record)
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        return await done if self._put(record, done) else False

    def append_nowait(self, record: DecisionRecord) -> bool:
        """Hand a record to the writer without waiting for the disk. Raises and returns as `append()`."""
        return self._put(record, None)

    def _put(self, record: DecisionRecord, done: asyncio.Future[bool] | None) -> bool:
        if not self._open:
            raise RecordError("the recorder is closed")
        payload = encode(self._mask.record(record) if self._mask else record)
        if not self._segments.fits(payload):
            raise RecordError(
                f"a record of {len(payload)} bytes does not fit in a segment of {self.settings.segment_bytes}"
            )
        if self._writer.put(payload, done):
            return True
        self._overflowed += 1
        if self.settings.on_full == "refuse":
            raise OverloadedError(
                f"the decision cannot be recorded: queue_bytes_max = {self.settings.queue_bytes_max} is reached",
                retry_after_seconds=1.0,
            )
        return False

    def accounts(self) -> Accounts:
        """What became of every decision. The parts are read one after the other while others move them."""
        writer, segments = self._writer, self._segments
        sinks = {runner.sink.name: runner.cursor for runner in self._runners}
        counted = self.settings.on_full == "count"
        recorded, queued = segments.committed, writer.queued
        unrecorded = writer.unrecorded + (self._overflowed if counted else 0)
        return Accounts(
            answered=recorded + queued + unrecorded,
            recorded=recorded,
            queued=queued,
            unrecorded=unrecorded,
            refused=writer.refused + (0 if counted else self._overflowed),
            sinks={
                runner.sink.name: SinkAccounts(
                    delivered=cursor.delivered,
                    waiting=recorded - cursor.sequence,
                    before=cursor.before,
                    duplicates=cursor.duplicates,
                    rejected=cursor.rejected,
                    damaged=cursor.damaged,
                    failures=runner.failures,
                    last_error=runner.last_error,
                )
                for runner, cursor in zip(self._runners, sinks.values(), strict=True)
            },
            outbox_bytes=segments.size_bytes,
            disk_errors=writer.disk_errors,
        )

    def drain(self, timeout_seconds: float) -> bool:
        """Deliver what is committed now to every sink; returns whether that was done in time."""
        until = time.monotonic() + timeout_seconds
        for runner in self._runners:
            runner.hurry()
        return all(runner.drain(until) for runner in self._runners)

    def close(self, timeout_seconds: float = 10.0) -> bool:
        """Commit what is queued, deliver what can be delivered in time, stop. Safe to call twice.

        Returns:
            Whether every sink has everything; what it has not stays in the outbox for the next start.
        """
        if not self._open:
            return True
        self._open = False
        until = time.monotonic() + timeout_seconds
        self._writer.close(timeout_seconds)
        delivered = self.drain(max(0.0, until - time.monotonic()))
        for runner in self._runners:
            runner.stop(max(5.0, until - time.monotonic()))
        os.close(self._lock)
        return delivered

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: types.TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_open", False):
            warnings.warn("a Recorder was not closed", ResourceWarning, stacklevel=1, source=self)

    def _release(self) -> None:
        self._segments.release(min(runner.cursor.sequence for runner in self._runners))


def _tell(recovered: Recovered) -> None:
    if recovered.cut:
        log.warning("the outbox ended in %d bytes of an unfinished write; they are cut", recovered.cut)
    for damage in recovered.damages:
        log.error("the outbox is damaged: %s", damage)


def _sinks_of(
    settings: RecordSettings, layout: RecordLayout, mask: Mask, worker: str, disk: Disk
) -> list[Sink]:
    sinks: list[Sink] = []
    if settings.parquet.enabled:
        from veredito.record.sinks.parquet import ParquetSink

        columns = layout.columns(mask)
        outbox = outbox_folder(settings.folder, worker)
        sinks.append(ParquetSink(table_folder(settings), columns, settings.parquet, outbox=outbox, disk=disk))
    if settings.kafka is not None:
        from veredito.record.sinks.kafka import KafkaSink

        sinks.append(KafkaSink(settings.kafka))
    return [*sinks, *(custom.build(name, table) for name, table in settings.sinks.items())]


def _check(sinks: Sequence[Sink], worker: str) -> None:
    names = [sink.name for sink in sinks]
    problems = []
    if not sinks:
        problems.append(Problem("[record]", "no sink", hint="enable parquet, or name a kafka topic"))
    if len(set(names)) < len(names):
        problems.append(Problem("[record]", f"two sinks of one name among {', '.join(names)}"))
    if not worker.isalnum():
        problems.append(Problem("worker", "must be letters and digits: it is part of file names"))
    if problems:
        raise ConfigError(problems)
