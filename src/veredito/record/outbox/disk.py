"""The few file operations that durability rests on, in one place so that a test can fail each of them."""

from __future__ import annotations

import os
from pathlib import Path

_sync_data = getattr(os, "fdatasync", os.fsync)  # macOS has no fdatasync


class Disk:
    """The machine's own disk.

    Every method raises `OSError` when the operating system says so. A subclass may fail on purpose, or
    remember what was synced and what was not.
    """

    def create(self, path: Path, size: int) -> int:
        """Make a new file of `size` zero bytes, with its space allocated; returns a descriptor for writing."""
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o640)
        try:
            self.allocate(descriptor, size)
        except OSError:
            os.close(descriptor)
            path.unlink()
            raise
        return descriptor

    def allocate(self, descriptor: int, size: int) -> None:
        """Reserve space now, so that a full disk is met when a segment begins and not in its middle."""
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(descriptor, 0, size)
        else:
            os.ftruncate(descriptor, size)

    def write(self, descriptor: int, data: bytes, offset: int) -> None:
        """Write all of `data` at `offset`."""
        view = memoryview(data)
        while view:
            written = os.pwrite(descriptor, view, offset)
            view, offset = view[written:], offset + written

    def sync(self, descriptor: int) -> None:
        """Return when the file's bytes are on the medium."""
        _sync_data(descriptor)

    def truncate(self, path: Path, size: int) -> None:
        """Cut the file, and make the cut durable."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.ftruncate(descriptor, size)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def close(self, descriptor: int) -> None:
        """Close a descriptor."""
        os.close(descriptor)

    def remove(self, path: Path) -> None:
        """Remove a file; one that is gone already is no fault."""
        path.unlink(missing_ok=True)

    def sync_folder(self, folder: Path) -> None:
        """Return when the folder's names are on the medium."""
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def make_folder(self, folder: Path) -> None:
        """Make a folder and those above it, names durable."""
        missing = [path for path in (folder, *folder.parents) if not path.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        for path in reversed(missing):
            self.sync_folder(path.parent)

    def publish(self, temporary: Path, path: Path) -> None:
        """Sync a finished file and give it its name, in one step for all who look."""
        descriptor = os.open(temporary, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        temporary.replace(path)
        self.sync_folder(path.parent)

    def save(self, path: Path, data: bytes) -> None:
        """Replace a small file's content: a reader finds the old or the new, whole."""
        temporary = path.with_name(f".{path.name}.tmp")
        temporary.write_bytes(data)
        self.publish(temporary, path)
