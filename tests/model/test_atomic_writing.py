"""A folder is there whole or not at all, whenever the process that writes it dies."""

import subprocess
import sys

import pytest
from tests.model.artifacts import SAMPLE, fitted, read

from veredito import model
from veredito.model.files import write_folder

OLD = {"manifest.json": b"old", "state.json": b"old state", "only-old.txt": b"1"}
NEW = {"manifest.json": b"new", "state.json": b"new state", "only-new.txt": b"2"}

# The writer dies at the n-th thing that it asks of the operating system, for every n until it lives.
WRITER = """
import ast, os, signal, sys
from pathlib import Path
from veredito.model.files import write_folder
folder, files = Path(sys.argv[1]), ast.literal_eval(sys.argv[2])
for deadly in range(1, 1000):
    child = os.fork()
    if not child:
        events = 0
        def hook(event, _):
            global events
            if event.partition(".")[0] in {"open", "os", "shutil", "tempfile", "ctypes"}:
                events += 1
                if events == deadly:
                    os.kill(os.getpid(), signal.SIGKILL)
        sys.addaudithook(hook)
        write_folder(folder, files, replace=True)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    found = {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else None
    print(os.waitstatus_to_exitcode(status), repr(found), flush=True)
    if not os.WIFSIGNALED(status):
        break
"""


def deaths(folder):
    """For each place to die: the exit code, and what is in the folder afterwards."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", WRITER, folder, repr(NEW)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    lines = [line.partition(" ") for line in done.stdout.splitlines()]
    return [(int(code), eval(found)) for code, _, found in lines]


class TestKilledWriter:
    def test_the_old_folder_stays_until_the_new_one_is_whole(self, tmp_path):
        """At no moment is there a mixture, or nothing."""
        write_folder(tmp_path / "m", OLD)

        found = deaths(tmp_path / "m")

        assert len(found) > 10
        assert [code for code, _ in found] == [-9] * (len(found) - 1) + [0]
        assert all(files in (OLD, NEW) for _, files in found)
        assert found[0][1] == OLD
        assert found[-1][1] == NEW

    def test_a_first_folder_is_not_there_until_it_is_whole(self, tmp_path):
        """Nobody loads half a model."""
        found = deaths(tmp_path / "m")

        assert all(files in (None, NEW) for _, files in found)
        assert found[0][1] is None
        assert found[-1][1] == NEW

    def test_what_dead_writers_left_is_in_nobodys_way(self, tmp_path):
        """The next one writes, and the folder has its files alone."""
        deaths(tmp_path / "m")

        write_folder(tmp_path / "m", OLD, replace=True)

        assert read(tmp_path / "m") == OLD


@pytest.mark.torture
def test_a_model_saved_and_killed_at_any_time_can_be_loaded(tmp_path):
    """The same with the whole of `save`, killed by the clock."""
    import time

    script = """
import sys
from tests.model.artifacts import SAMPLE, fitted
from veredito import model
steps = [fitted(cap=cap).step for cap in (150, 250)]
print("ready", flush=True)
while True:
    for step in steps:
        model.save(step, sys.argv[1], sample=SAMPLE, replace=True)
"""
    folder = tmp_path / "m"
    allowed = {
        model.save(fitted(cap=c).step, folder, sample=SAMPLE, replace=True).version for c in (150, 250)
    }
    for i in range(20):
        with subprocess.Popen([sys.executable, "-c", script, folder], stdout=subprocess.PIPE) as child:
            child.stdout.readline()
            time.sleep(0.02 + i * 0.013)
            child.kill()

        assert model.load(folder).version in allowed


class TestReplacing:
    def test_a_full_folder_is_not_replaced_unasked(self, tmp_path):
        """An empty one may be: it holds nobody's model."""
        from veredito.errors import ArtifactError

        (tmp_path / "m").mkdir()
        write_folder(tmp_path / "m", OLD)

        with pytest.raises(ArtifactError, match="is there already"):
            write_folder(tmp_path / "m", NEW)

        assert read(tmp_path / "m") == OLD

    def test_nothing_is_left_where_writing_fails(self, tmp_path):
        """An impossible name fails after the first file was written."""
        with pytest.raises(FileNotFoundError):
            write_folder(tmp_path / "m", {"a": b"1", "no/such/folder": b"2"})

        assert list(tmp_path.iterdir()) == []

    def test_parents_are_made(self, tmp_path):
        """And the folder can be read by others, such as the service's user."""
        write_folder(tmp_path / "deep" / "er" / "m", OLD)

        assert (tmp_path / "deep" / "er" / "m").stat().st_mode & 0o777 == 0o755
