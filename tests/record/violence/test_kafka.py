"""Service and broker killed in turn under load: every answer is in the topic, and once by id."""

import random
import signal

import pytest
from tests.record.violence import checks
from tests.record.violence.load import Load
from tests.record.violence.project import make_project

from veredito.record import tools
from veredito.testing.service import running_service


@pytest.mark.torture
def test_no_answer_is_lost_to_kills_of_service_and_broker(tmp_path, broker, topic):
    """At least once in Kafka, once by id there, once in Parquet; the formula holds for both sinks."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    moments = random.Random(seed)
    kafka = f'\n[record.kafka]\nservers = "{broker.servers}"\ntopic = "{topic}"\n'
    config = make_project(tmp_path, parquet=kafka)
    acknowledged, sent = {}, set()
    for victim in ("service", "broker", "both", "service"):
        with running_service(config) as service, Load(service.url, max(sent, default=-1) + 1) as load:
            load.wait_for(moments.randint(1, 300))
            if victim != "service":
                broker.kill()
            load.wait_for(len(load.acknowledged) + moments.randint(1, 300))
            if victim != "broker":
                service.signal(signal.SIGKILL)
            load.stop()
        acknowledged |= load.acknowledged
        sent |= load.sent
        broker.start()
    with running_service(config):
        while any(
            sink.waiting for outbox in tools.status(tmp_path / "record") for sink in outbox.sinks.values()
        ):
            pass  # the test's own limit of time says when to give up

    records = checks.records_of(tmp_path / "record")
    assert set(records) == {message.headers["id"] for message in broker.messages(topic)}
    checks.assert_nothing_lost(tmp_path / "record", acknowledged)
    checks.assert_once_in_table(tmp_path / "record", acknowledged)
    checks.assert_nothing_invented(tmp_path / "record", sent, set())
    checks.assert_accounts(tmp_path / "record")
