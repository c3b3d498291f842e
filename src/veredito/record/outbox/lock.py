"""One process at a time writes an outbox."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from veredito.errors import RecordError


def lock_folder(folder: Path) -> int:
    """Take an outbox for this process; the lock ends with the descriptor, or with the process.

    Raises:
        RecordError: another process has it.
    """
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        message = (
            f"the outbox {folder} is open in another process: stop it, or give each worker a name of its own"
        )
        raise RecordError(message) from None
    return descriptor
