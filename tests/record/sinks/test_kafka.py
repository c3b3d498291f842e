"""The topic: every record is a message, in the order of its entity."""

import msgspec
import pytest
from tests.record.conftest import make_record
from tests.record.sinks.delivering import append, expected_orders, ids, once, orders, random_text, recording

from veredito.errors import ConfigError
from veredito.record import KafkaSettings
from veredito.record.record import decode

pytestmark = pytest.mark.timeout(300)  # the first test may have to fetch Kafka


def test_a_record_is_a_message_with_its_entity_as_key_and_headers(tmp_path, broker, topic):
    """Value the record's JSON; headers the id to take it once by, the form's version and the media type."""
    record = make_record(key="card-1")
    with recording(tmp_path, broker.servers, topic) as recorder:
        append(recorder, [record])
        assert recorder.drain(30)

    (message,) = broker.messages(topic)
    assert message.key == "card-1"
    assert message.headers == {
        "id": record.decision_id,
        "format": "1",
        "content-type": "application/json",
    }
    assert decode(message.value).inputs["amount"] == record.inputs["amount"]


def test_msgpack_by_config(tmp_path, broker, topic):
    """The same record, in the other form."""
    record = make_record()
    with recording(tmp_path, broker.servers, topic, format="msgpack") as recorder:
        append(recorder, [record])
        assert recorder.drain(30)

    (message,) = broker.messages(topic)
    assert message.headers["content-type"] == "application/msgpack"
    assert msgspec.msgpack.decode(message.value)["decision_id"] == record.decision_id


def test_a_record_without_an_entity_has_no_key(tmp_path, broker, topic):
    """Such messages are spread over the partitions."""
    with recording(tmp_path, broker.servers, topic) as recorder:
        append(recorder, [make_record(key=None)])
        assert recorder.drain(30)

    assert broker.messages(topic)[0].key is None


def test_messages_of_one_key_stay_in_order_and_all_are_counted(tmp_path, broker, topic):
    """Five thousand over three partitions: each key in order, each id once, the accounts even."""
    records = [make_record(i) for i in range(5_000)]
    with recording(tmp_path, broker.servers, topic, batch_records_max=700) as recorder:
        append(recorder, records)
        assert recorder.drain(60)
        accounts = recorder.accounts()

    messages = broker.messages(topic)
    assert len(messages) == len(set(ids(messages))) == 5_000
    assert orders(messages) == expected_orders(records)
    assert len({message.partition for message in messages}) > 1
    assert accounts.balanced
    assert (accounts.sinks["kafka"].delivered, accounts.sinks["kafka"].waiting) == (5_000, 0)


@pytest.mark.parametrize("name", ["acks", "enable.idempotence", "message.timeout.ms", "bootstrap.servers"])
def test_what_the_guarantees_rest_on_cannot_be_set(name):
    """It is said when the config is read."""
    with pytest.raises(ValueError, match=f"{name} cannot be set"):
        KafkaSettings(servers="127.0.0.1:1", topic="t", properties={name: 0})


def test_a_property_that_the_library_does_not_know_is_said_at_start(tmp_path):
    """Not at the first batch, in a thread."""
    with (
        pytest.raises(ConfigError, match=r"\[record.kafka\].properties: No such configuration property"),
        recording(tmp_path, "127.0.0.1:1", "t", {"compresion": "zstd"}),
    ):
        pass


def test_a_message_that_the_topic_never_takes_is_rejected_alone(tmp_path, broker):
    """The broker refuses it with all that shared its request; they are delivered, in order, it is kept."""
    topic = broker.make_topic("small-messages", max_message_bytes=20_000)
    records = [make_record(i, error=random_text(40_000) if i == 150 else None) for i in range(300)]
    with recording(tmp_path, broker.servers, topic) as recorder:
        append(recorder, records)
        assert recorder.drain(60)
        accounts = recorder.accounts()

    large = records.pop(150)
    assert orders(broker.messages(topic)) == expected_orders(records)
    (kept,) = tmp_path.rglob("rejected/kafka-*.jsonl")
    assert large.decision_id in kept.read_text()
    assert (accounts.sinks["kafka"].delivered, accounts.sinks["kafka"].rejected) == (299, 1)
    assert accounts.balanced


def test_a_message_over_the_librarys_own_limit_is_rejected_without_a_try(tmp_path, broker, topic):
    """It never leaves the machine, and holds nobody up."""
    records = [make_record(0), make_record(1, error=random_text(40_000)), make_record(2)]
    with recording(tmp_path, broker.servers, topic, {"message.max.bytes": 20_000}) as recorder:
        append(recorder, records)
        assert recorder.drain(60)
        accounts = recorder.accounts()

    assert ids(broker.messages(topic)) == [records[0].decision_id, records[2].decision_id]
    assert (accounts.sinks["kafka"].rejected, accounts.sinks["kafka"].failures) == (1, 0)


def test_requests_over_the_topics_limit_become_smaller(tmp_path, broker):
    """When each message fits and a request of many does not, nothing is rejected, and it is learned."""
    topic = broker.make_topic("small-requests", max_message_bytes=100_000)
    records = [make_record(i, error=random_text(2_000)) for i in range(600)]
    properties = {"compression.type": "none", "linger.ms": 50}
    with recording(tmp_path, broker.servers, topic, properties, batch_records_max=150) as recorder:
        append(recorder, records)
        assert recorder.drain(60)
        accounts = recorder.accounts()

    messages = broker.messages(topic)
    assert orders(messages) == expected_orders(records)
    assert accounts.sinks["kafka"].rejected == 0
    assert ids(messages[-100:]) == ids(once(messages[-100:]))
