"""scripts/kafka, where no broker is needed to see what it says."""

import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "scripts" / "kafka"


def run(*arguments):
    return subprocess.run([SCRIPT, *arguments], capture_output=True, text=True)


@pytest.mark.parametrize("verb", ["wait", "status", "stop", "kill"])
def test_a_folder_without_a_broker_is_said(tmp_path, verb):
    """And how to make one."""
    done = run(verb, tmp_path)

    assert done.returncode == 1
    assert f"scripts/kafka start {tmp_path}" in done.stderr


def test_a_stale_process_number_is_nobodys(tmp_path):
    """A number that another process was given meanwhile is left alone."""
    (tmp_path / "server.properties").write_text("advertised.listeners=PLAINTEXT://127.0.0.1:1\n")
    bystander = subprocess.Popen(["sleep", "60"])
    try:
        (tmp_path / "pid").write_text(str(bystander.pid))
        assert run("kill", tmp_path).returncode == 0
        assert run("status", tmp_path).returncode == 1

        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_anything_else_shows_what_there_is():
    done = run("restart", "x")

    assert done.returncode == 1
    assert "scripts/kafka start FOLDER" in done.stderr
