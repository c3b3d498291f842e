"""Disks that fail on purpose, and one that remembers what a power cut would leave."""

import errno
import os
import threading

from veredito.record.outbox.disk import Disk


class FaultyDisk(Disk):
    """Fails named operations: the n-th from now, or so many times."""

    def __init__(self):
        self._plans = {}
        self._met = set()
        self.before_sync = lambda: None

    def met(self, operation):
        """Whether it ever failed."""
        return operation in self._met

    def fail(self, operation, *, after=0, times=1, error=errno.EIO):
        self._plans[operation] = [after, times, error]

    def heal(self):
        self._plans.clear()

    def _meet(self, operation):
        plan = self._plans.get(operation)
        if plan is None:
            return
        if plan[0] > 0:
            plan[0] -= 1
        elif plan[1] > 0:
            plan[1] -= 1
            self._met.add(operation)
            raise OSError(plan[2], os.strerror(plan[2]))

    def create(self, path, size):
        self._meet("create")
        return super().create(path, size)

    def write(self, descriptor, data, offset):
        self._meet("write")
        super().write(descriptor, data, offset)

    def sync(self, descriptor):
        self.before_sync()
        self._meet("sync")
        super().sync(descriptor)

    def truncate(self, path, size):
        self._meet("truncate")
        super().truncate(path, size)

    def publish(self, temporary, path):
        self._meet("publish")
        super().publish(temporary, path)

    def remove(self, path):
        self._meet("remove")
        super().remove(path)

    def sync_folder(self, folder):
        self._meet("sync_folder")
        super().sync_folder(folder)


class PowerCutDisk(Disk):
    """Remembers each file as of its last sync, and each name as of its folder's last sync.

    `cut()` puts that into another folder: what a machine finds when the power comes back, at its worst.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self._paths = {}  # descriptor -> path
        self._synced = {}  # path -> bytes
        self._named = {}  # path -> whether its name is durable

    def create(self, path, size):
        descriptor = super().create(path, size)
        with self._lock:
            self._paths[descriptor] = path
            self._synced[path] = b""
        return descriptor

    def sync(self, descriptor):
        super().sync(descriptor)
        with self._lock:
            path = self._paths[descriptor]
            self._synced[path] = path.read_bytes()

    def truncate(self, path, size):
        super().truncate(path, size)
        with self._lock:
            self._synced[path] = path.read_bytes()

    def publish(self, temporary, path):
        data = temporary.read_bytes()
        super().publish(temporary, path)  # until the folder is synced the old file may be what survives
        with self._lock:
            self._synced[path], self._named[path] = data, True

    def sync_folder(self, folder):
        super().sync_folder(folder)
        with self._lock:
            here = {path for path in self._synced if path.parent == folder}
            for path in here:
                self._named[path] = path.exists()

    def cut(self, root, target, chance=None):
        """Write what survived of `root` into `target`.

        Without `chance`, a `random.Random`, nothing survives that was not synced. With it, each 512 bytes of a
        file may have reached the medium or not: the torn writes of a real disk.
        """
        with self._lock:
            for path, data in self._synced.items():
                if self._named.get(path):
                    copy = target / path.relative_to(root)
                    copy.parent.mkdir(parents=True, exist_ok=True)
                    copy.write_bytes(_torn(data, _bytes_of(path), chance) if chance else data)


def _bytes_of(path):
    try:
        return path.read_bytes()
    except FileNotFoundError:  # removed: as far as is known the medium still has it
        return b""


def _torn(synced, current, chance):
    size = max(len(synced), len(current))
    parts = []
    for begin in range(0, size, 512):
        survivor = synced if chance.random() < 0.5 else current or synced
        parts.append(survivor[begin : begin + 512].ljust(min(512, size - begin), b"\0"))
    return b"".join(parts)
