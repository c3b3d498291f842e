"""The topic while its broker dies, hangs, crawls and refuses: nothing lost, nothing claimed, order kept."""

import time

import pytest
from tests.record.conftest import make_record
from tests.record.sinks.delivering import (
    Load,
    append,
    expected_orders,
    ids,
    kafka_of,
    orders,
    recording,
    wait_for,
)

pytestmark = pytest.mark.timeout(300)


def assert_all_there(broker, topic, records, recorder):
    """Each acknowledged record once by id and in its entity's order; the accounts even."""
    accounts = recorder.accounts()
    assert orders(broker.messages(topic)) == expected_orders(records)
    assert accounts.balanced
    assert accounts.sinks["kafka"].delivered == len(records) == accounts.recorded
    assert accounts.sinks["kafka"].rejected == 0


def kill_and_restart(broker, topic, recorder, load):
    """Kill it under load; what the accounts call delivered is there when it is back."""
    broker.kill()
    wait_for(lambda: kafka_of(recorder).waiting > 200)
    delivered = kafka_of(recorder).delivered
    broker.start()
    there = set(ids(broker.messages(topic)))
    assert {record.decision_id for record in load.records[:delivered]} <= there


def test_the_broker_killed_under_load_loses_nothing(tmp_path, broker, topic):
    """Kill -9 in the middle, decisions going on, and a restart."""
    with recording(tmp_path, broker.servers, topic) as recorder:
        with Load(recorder) as load:
            wait_for(lambda: kafka_of(recorder).delivered > 500)
            kill_and_restart(broker, topic, recorder, load)
        assert recorder.drain(60)

        assert_all_there(broker, topic, load.records, recorder)


@pytest.mark.torture
@pytest.mark.timeout(1200)
def test_the_broker_killed_again_and_again(tmp_path, broker, topic):
    """Ten kills under load."""
    with recording(tmp_path, broker.servers, topic) as recorder:
        with Load(recorder) as load:
            for _ in range(10):
                delivered = kafka_of(recorder).delivered
                wait_for(lambda: kafka_of(recorder).delivered > delivered + 500)  # noqa: B023
                kill_and_restart(broker, topic, recorder, load)
        assert recorder.drain(120)

        assert_all_there(broker, topic, load.records, recorder)


@pytest.mark.torture
@pytest.mark.timeout(600)
def test_the_broker_down_for_a_minute(tmp_path, broker, topic):
    """Decisions are recorded meanwhile, and delivered afterwards."""
    with recording(tmp_path, broker.servers, topic) as recorder:
        with Load(recorder) as load:
            broker.kill()
            until = time.monotonic() + 60
            wait_for(lambda: time.monotonic() > until, 90)
            assert kafka_of(recorder).failures > 0
            broker.start()
        assert recorder.drain(180)

        assert_all_there(broker, topic, load.records, recorder)


def test_a_service_that_stops_while_the_broker_is_gone_delivers_after_its_restart(tmp_path, broker, topic):
    """What was not confirmed stays in the outbox; over the restart each id is there once by id."""
    records = [make_record(i) for i in range(600)]
    with recording(tmp_path, broker.proxied, topic) as recorder:
        append(recorder, records[:300])
        assert recorder.drain(60)
        broker.proxy.refuse()
        append(recorder, records[300:])
        assert not recorder.drain(0.2)
        assert (kafka_of(recorder).delivered, kafka_of(recorder).waiting) == (300, 300)

    broker.proxy.heal()
    with recording(tmp_path, broker.proxied, topic) as recorder:
        assert recorder.drain(60)

        assert_all_there(broker, topic, records, recorder)


def test_a_slow_broker_gets_everything_once(tmp_path, broker, topic):
    """A fifth of a second on each way costs time, and nothing else."""
    records = [make_record(i) for i in range(1_000)]
    broker.proxy.delay_seconds = 0.2
    with recording(tmp_path, broker.proxied, topic) as recorder:
        append(recorder, records)
        assert recorder.drain(90)

        assert_all_there(broker, topic, records, recorder)
    assert len(broker.messages(topic)) == 1_000


def test_a_broker_that_does_not_answer_shows_in_the_accounts(tmp_path, broker, topic):
    """It accepts and is silent: the records wait, the accounts say why, and go on when it does."""
    records = [make_record(i) for i in range(300)]
    with recording(tmp_path, broker.proxied, topic, patience_seconds=0.3) as recorder:
        append(recorder, records[:100])
        assert recorder.drain(60)
        broker.proxy.stall()
        append(recorder, records[100:])
        wait_for(lambda: kafka_of(recorder).failures)
        troubled = kafka_of(recorder)
        broker.proxy.heal()
        assert recorder.drain(90)

        assert (troubled.delivered, troubled.waiting) == (100, 200)
        assert "unconfirmed" in troubled.last_error
        assert_all_there(broker, topic, records, recorder)
    assert len(broker.messages(topic)) == 300  # it waited for the same messages; nothing was sent twice


def test_a_broker_that_refuses_connections_is_waited_for(tmp_path, broker, topic):
    """From the start on, and with its records in the outbox."""
    records = [make_record(i) for i in range(300)]
    broker.proxy.refuse()
    with recording(tmp_path, broker.proxied, topic, patience_seconds=0.3) as recorder:
        append(recorder, records)
        wait_for(lambda: "Connection refused" in kafka_of(recorder).last_error)
        assert kafka_of(recorder).waiting == 300
        broker.proxy.heal()
        assert recorder.drain(60)

        assert_all_there(broker, topic, records, recorder)


def test_a_topic_that_is_made_later_gets_what_waited(tmp_path, broker):
    """An unknown topic is a failure that is said and tried again, not a loss."""
    records = [make_record(i) for i in range(100)]
    properties = {"topic.metadata.propagation.max.ms": 200, "topic.metadata.refresh.fast.interval.ms": 50}
    with recording(tmp_path, broker.servers, "made-later", properties) as recorder:
        append(recorder, records)
        wait_for(lambda: "Unknown topic" in kafka_of(recorder).last_error)
        assert kafka_of(recorder).waiting == 100
        broker.make_topic("made-later")
        assert recorder.drain(60)

        assert_all_there(broker, "made-later", records, recorder)
