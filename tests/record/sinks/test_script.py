"""scripts/kafka, where no broker is needed to see what it says."""

import os
import shutil
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


def test_what_is_fetched_is_told_and_nothing_else(tmp_path):
    """Others read the output: what Maven has to say goes elsewhere."""
    script = tmp_path / "scripts" / "kafka"
    script.parent.mkdir()
    for name in (SCRIPT, SCRIPT.with_name("kafka.pom.xml")):
        shutil.copy(name, script.parent)
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, body in (
        ("java", "exit 0"),
        ("mvn", 'echo noise; for a; do mkdir -p "${a#-DoutputDirectory=}"; done'),
    ):
        (programs / name).write_text(f"#!/bin/sh\ncd {tmp_path}\n{body}\n")
        (programs / name).chmod(0o755)
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"

    done = subprocess.run([script, "fetch"], capture_output=True, text=True, env=os.environ | {"PATH": path})

    assert (done.returncode, "noise" in done.stderr) == (0, True)
    assert Path(done.stdout.strip()).parent == tmp_path / ".tools"
