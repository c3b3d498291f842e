"""The topic: every record is a message, in the order of its entity, whatever befalls the broker."""

import asyncio
import contextlib
from collections import defaultdict

import msgspec
import pytest
from tests.record.conftest import LAYOUT, make_record, make_settings

from veredito.record import KafkaSettings, ParquetSettings, Recorder
from veredito.record.record import decode

pytestmark = pytest.mark.timeout(300)  # the first test may have to fetch Kafka


@contextlib.contextmanager
def recording(folder, servers, topic, properties=None, **kafka):
    """A recorder whose only sink is the topic."""
    settings = make_settings(
        folder,
        outbox_bytes_max=2**26,
        segment_bytes=2**20,
        parquet=ParquetSettings(enabled=False),
        kafka=KafkaSettings(servers=servers, topic=topic, properties=properties or {}, **kafka),
    )
    recorder = Recorder.open(settings, LAYOUT)
    try:
        yield recorder
    finally:
        recorder.close(2)


def append(recorder, records):
    async def all_of_them():
        await asyncio.gather(*(recorder.append(record) for record in records))

    asyncio.run(all_of_them())
    return [record.decision_id for record in records]


def ids(messages):
    return [message.headers["id"] for message in messages]


def once(messages):
    """What a reader has who takes each id once, its first message."""
    return list({message.headers["id"]: message for message in reversed(messages)}.values())[::-1]


def orders(messages):
    """For each key the ids in the order of the log."""
    by_key = defaultdict(list)
    for message in once(messages):
        by_key[message.key].append(message.headers["id"])
    return by_key


def expected_orders(records):
    by_key = defaultdict(list)
    for record in records:
        by_key[record.key].append(record.decision_id)
    return by_key


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
