"""The folder on disk: written whole or not at all, read only as its manifest says.

Nothing here knows what the files mean.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path

import msgspec

from veredito.errors import ArtifactError, Problem

MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
MANIFEST_BYTES_MAX = 64 << 20  # the manifest is parsed before any hash of it can be known
FILE_BYTES_MAX = 4 << 30  # a model that is larger does not fit the memory of a worker either
FILES_MAX = 1_000
_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


class FileEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file as the manifest lists it."""

    sha256: str
    size: int


def entry_of(data: bytes) -> FileEntry:
    """The entry of a file with this content."""
    return FileEntry(hashlib.sha256(data).hexdigest(), len(data))


def name_problem(name: str) -> Problem | None:
    """Why a name may not be a file of an artifact: it must lie in the folder itself, wherever that is."""
    if _SAFE_NAME.fullmatch(name) and name not in {MANIFEST, SIGNATURE}:
        return None
    hint = "an artifact's files lie in its folder, named by letters, digits, '.', '_' and '-'"
    return Problem(
        f"{MANIFEST}: files", f"{name[:60]!r} is not a file name that an artifact may have", hint=hint
    )


def write_folder(folder: Path, files: Mapping[str, bytes], *, replace: bool = False) -> None:
    """Write a folder so that it is there whole, or not at all, whatever happens meanwhile.

    Args:
        folder: where; its parent is made if needed.
        files: name to content.
        replace: whether a folder that is there may be replaced; the old one is there until the new one is.

    Raises:
        ArtifactError: the folder is there already, and `replace` was not asked for.
    """
    if folder.exists() and not replace and any(folder.iterdir()):
        hint = "save to a new folder, or pass replace=True"
        raise ArtifactError(Problem(str(folder), "is there already", hint=hint))
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        temporary.chmod(0o755)
        for name, data in files.items():
            _write(temporary / name, data)
        _sync_folder(temporary)
        _put(temporary, folder)
        _sync_folder(folder.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)  # after an exchange it holds what was replaced


def read_file(folder: Path, name: str, size_max: int) -> bytes:
    """The content of a regular file, at most `size_max` bytes.

    Raises:
        ArtifactError: it is missing, no regular file (a link is none), or too large.
    """
    place = str(folder / name)
    try:
        with os.fdopen(os.open(folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise ArtifactError(Problem(place, "is not a regular file"))
            if found.st_size > size_max:
                raise ArtifactError(Problem(place, f"is {found.st_size} bytes, and {size_max} are allowed"))
            return file.read()
    except FileNotFoundError:
        raise ArtifactError(Problem(place, "is missing", hint="copy the whole folder")) from None
    except OSError as error:
        what = "is a link" if error.errno == errno.ELOOP else f"cannot be read ({error.strerror})"
        raise ArtifactError(Problem(place, what)) from None


def read_listed(folder: Path, entries: Mapping[str, FileEntry]) -> dict[str, bytes]:
    """Every listed file, with its size and hash checked; and nothing else may lie in the folder.

    Raises:
        ArtifactError: names every file that is missing, changed, unexpected or too large.
    """
    problems = [problem for name in entries if (problem := name_problem(name))]
    if len(entries) > FILES_MAX:
        problems.append(Problem(MANIFEST, f"lists {len(entries)} files, and {FILES_MAX} are allowed"))
    if problems:
        raise ArtifactError(problems)
    known = {*entries, MANIFEST, SIGNATURE}
    problems += [
        Problem(str(folder / name), "is not listed in the manifest", hint="remove it")
        for name in sorted(path.name for path in folder.iterdir())
        if name not in known
    ]
    contents: dict[str, bytes] = {}
    for name, entry in entries.items():
        try:
            contents[name] = _verified(folder, name, entry)
        except ArtifactError as error:
            problems += error.problems
    if problems:
        raise ArtifactError(problems)
    return contents


def _verified(folder: Path, name: str, entry: FileEntry) -> bytes:
    data = read_file(folder, name, FILE_BYTES_MAX)
    place = str(folder / name)
    hint = "copy the folder again, or save the model again"
    if len(data) != entry.size:
        raise ArtifactError(Problem(place, f"has {len(data)} bytes instead of {entry.size}", hint=hint))
    if entry_of(data) != entry:
        raise ArtifactError(Problem(place, "is not what was saved: its SHA-256 differs", hint=hint))
    return data


def _write(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _put(temporary: Path, folder: Path) -> None:
    if not folder.exists() or not any(folder.iterdir()):
        temporary.rename(folder)
    elif not _exchange(temporary, folder):
        # No exchange on this system or file system: for a moment between the two there is no folder.
        old = temporary.with_name(f"{temporary.name}.old")
        folder.rename(old)
        temporary.rename(folder)
        shutil.rmtree(old, ignore_errors=True)


def _exchange(one: Path, other: Path) -> bool:
    rename = getattr(ctypes.CDLL(None), "renameat2", None)
    return rename is not None and not rename(
        _AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE
    )
