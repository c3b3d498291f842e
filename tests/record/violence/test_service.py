"""A real service under load, killed, stopped and starved: nothing that was told is lost."""

import json
import os
import random
import shutil
import signal
import subprocess
import urllib.request

import pytest
from tests.record.violence import checks
from tests.record.violence.load import Load
from tests.record.violence.project import event, make_project

from veredito.record import tools
from veredito.testing.service import running_service


def kill_often(folder, kills, seed):
    """Kill the service at random moments under load; returns what all callers were told."""
    config, moments = make_project(folder), random.Random(seed)
    acknowledged, sent, first = {}, set(), 0
    for _ in range(kills):
        with running_service(config) as service, Load(service.url, first) as load:
            load.wait_for(moments.randint(1, 400))
            service.signal(signal.SIGKILL)
            load.stop()
        acknowledged |= load.acknowledged
        sent |= load.sent
        first = max(sent) + 1
        checks.assert_nothing_lost(folder / "record", acknowledged)
    with running_service(config):
        pass  # recovers, delivers what waits, stops in order
    return acknowledged, sent


@pytest.mark.parametrize("kills", [2, pytest.param(20, marks=pytest.mark.torture)])
def test_no_answer_is_lost_to_kill_9(tmp_path, kills):
    """Whatever was acknowledged before the process vanished is in the outbox, and once in Parquet."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    acknowledged, sent = kill_often(tmp_path, kills, seed)

    checks.assert_nothing_lost(tmp_path / "record", acknowledged)
    checks.assert_once_in_table(tmp_path / "record", acknowledged)
    checks.assert_nothing_invented(tmp_path / "record", sent, set())
    checks.assert_accounts(tmp_path / "record")


def test_a_stop_under_load_answers_everything_accepted(tmp_path):
    """SIGTERM: what was accepted is answered and recorded; all of it has reached the table."""
    with running_service(make_project(tmp_path)) as service, Load(service.url) as load:
        load.wait_for(200)
        code = service.stop()
        load.stop()

    assert code == 0, service.log
    assert load.refused == {}
    checks.assert_nothing_lost(tmp_path / "record", load.acknowledged)
    checks.assert_once_in_table(tmp_path / "record", load.acknowledged)
    checks.assert_nothing_invented(tmp_path / "record", load.acknowledged.keys(), load.unknown)
    checks.assert_accounts(tmp_path / "record")


def test_a_key_is_decided_once_over_kill_9(tmp_path):
    """A caller that asks again after the crash, not knowing, has the first decision, or the only one."""
    config = make_project(tmp_path)
    with running_service(config) as service, Load(service.url, keyed=True) as load:
        load.wait_for(random.randint(20, 300))
        service.signal(signal.SIGKILL)
        load.stop()
    with running_service(config) as service:
        again = {number: ask(service.url, number) for number in [*load.acknowledged, *load.unknown]}

    assert {number: again[number] for number in load.acknowledged} == load.acknowledged
    checks.assert_nothing_lost(tmp_path / "record", again)
    checks.assert_nothing_invented(tmp_path / "record", again.keys(), set())
    checks.assert_accounts(tmp_path / "record")


@pytest.fixture
def small_disk(tmp_path):
    """A file system of half a megabyte at the record's folder; yields what makes it larger."""
    folder = tmp_path / "record"
    folder.mkdir()
    mounted = os.geteuid() == 0 and mount(["-t", "tmpfs", "-o", "size=512k", "tmpfs", folder]) == 0
    if not mounted:
        pytest.skip("a full disk needs the right to mount a tmpfs; FaultyDisk tests the rest")
    yield lambda: mount(["-o", "remount,size=32m", folder])
    subprocess.run(["umount", folder], check=True)


def mount(arguments):
    return subprocess.run(["mount", *arguments], capture_output=True).returncode


def test_a_full_disk_refuses_and_goes_on_when_there_is_room(tmp_path, small_disk):
    """What does not fit is refused with 503, nothing acknowledged is lost, and no restart is needed."""
    config = make_project(tmp_path, parquet="rows_max = 1000000")
    config.write_text(config.read_text().replace("gather_seconds = 0.2", "gather_seconds = 3600"))
    with running_service(config) as service, Load(service.url) as load:
        load.wait_until(lambda: len(load.refused) >= 200)
        before = len(load.acknowledged)
        small_disk()
        load.wait_until(lambda: len(load.acknowledged) >= before + 200)
        load.stop()
        assert service.stop() == 0

    assert set(load.refused.values()) == {503}
    checks.assert_nothing_lost(tmp_path / "record", load.acknowledged)
    checks.assert_once_in_table(tmp_path / "record", load.acknowledged)
    checks.assert_nothing_invented(tmp_path / "record", load.sent, load.refused.keys())
    checks.assert_accounts(tmp_path / "record")


def test_metrics_and_the_command_line_agree(tmp_path):
    """The formula holds in /metrics, and `veredito record status` tells the same from the files."""
    with running_service(make_project(tmp_path)) as service:
        with Load(service.url) as load:
            load.wait_for(100)
            load.stop()
        while not (counts := record_metrics(service.url))['sink_delivered{sink="parquet"}']:
            pass  # the table's first file is on its way
        (status,) = tools.status(tmp_path / "record")

    answers = len(load.acknowledged)
    assert answers == counts["answered"] == counts["recorded"] + counts["queued"] + counts["unrecorded"]
    parts = ("before", "delivered", "waiting", "rejected", "damaged")
    assert sum(counts[f'sink_{part}{{sink="parquet"}}'] for part in parts) == counts["recorded"]
    assert status.recorded == counts["recorded"]
    assert sum(getattr(status.sinks["parquet"], part) for part in parts) == status.recorded


def record_metrics(url):
    """The record's metrics by name, without the prefix that they share."""
    with urllib.request.urlopen(f"{url}/metrics") as reply:
        lines = [line.rpartition(" ") for line in reply.read().decode().splitlines()]
    prefix = "veredito_record_"
    return {name.removeprefix(prefix): float(value) for name, _, value in lines if name.startswith(prefix)}


def ask(url, number):
    """One keyed request, as `Load` makes them; its answer."""
    headers = {"content-type": "application/json", "idempotency-key": f"k{number}"}
    body = json.dumps(event(number)).encode()
    with urllib.request.urlopen(urllib.request.Request(f"{url}/v1/decide", body, headers)) as reply:
        return json.loads(reply.read())


@pytest.mark.torture
@pytest.mark.skipif(shutil.which("strace") is None, reason="errors of system calls are injected by strace")
@pytest.mark.parametrize("call", ["fdatasync", "pwrite64", "fallocate", "rename", "fsync"])
@pytest.mark.parametrize("when", ["1", "2", "3", "1+2", "2+5", "1+1"])
def test_errors_of_the_kernel_lose_nothing(tmp_path, call, when):
    """The n-th call fails with EIO in a running service, once or again and again, and then no more."""
    with running_service(make_project(tmp_path)) as service, Load(service.url) as load:
        load.wait_for(20)
        inject = f"inject={call}:error=EIO:when={when}"
        tracer = subprocess.Popen(
            ["strace", "-f", "-qq", "-o", "/dev/null", "-e", inject, "-p", str(service.pid)]
        )
        load.wait_for(400)
        tracer.terminate()
        tracer.wait(30)
        load.wait_for(len(load.acknowledged) + len(load.refused) + 100)
        load.stop()
        assert service.stop() == 0

    checks.assert_nothing_lost(tmp_path / "record", load.acknowledged)
    checks.assert_once_in_table(tmp_path / "record", load.acknowledged)
    checks.assert_nothing_invented(tmp_path / "record", load.sent, load.refused.keys())
    checks.assert_accounts(tmp_path / "record")
