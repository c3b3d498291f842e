"""An outbox's own name: what was made from it can be told from what another outbox's records became."""

from __future__ import annotations

import secrets
from pathlib import Path

from veredito.record.outbox.disk import Disk


def identity(folder: Path, disk: Disk) -> str:
    """The name of the outbox in a folder: the worker's and a number drawn once, when the outbox began.

    Sequence numbers begin at 0 in every outbox. Without a name of its own, a second one beside an older table
    (another machine's, or after the folder was lost) would take that table's files for its own.
    """
    path = folder / "identity"
    if not path.exists():
        disk.save(path, f"{folder.name}_{secrets.token_hex(4)}".encode())
    return path.read_text(encoding="ascii")
