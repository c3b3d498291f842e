"""Peers in virtual environments of their own, with pinned versions."""

import hashlib
import subprocess
import venv
from pathlib import Path

PEERS = Path(".tools/peers")
FKLEARN_PINS = Path(__file__).parent / "fklearn.txt"  # one environment for all that is measured beside it


def make_environment(name, pins):
    """A peer's environment, made once for each version of its pins; gives its Python.

    Args:
        name: its folder.
        pins: a requirements file with every package and its version.
    """
    folder = PEERS / name
    python, mark = folder / "bin" / "python", folder / ".made"
    digest = hashlib.sha256(pins.read_bytes()).hexdigest()
    if mark.exists() and mark.read_text() == digest:
        return python
    print(f"making {folder}", flush=True)
    if not python.exists():
        venv.EnvBuilder(with_pip=True, symlinks=True).create(folder)
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--no-deps", "--requirement", pins], check=True)
    mark.write_text(digest)
    return python
