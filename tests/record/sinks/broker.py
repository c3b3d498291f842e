"""A real Kafka broker for the tests, which can be killed, and what its topics hold."""

import dataclasses
import re
import subprocess
import time
from pathlib import Path

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from tests.record.sinks.proxy import Proxy

SCRIPT = Path(__file__).parents[3] / "scripts" / "kafka"


@dataclasses.dataclass(frozen=True)
class Sent:
    """A message as a reader of the topic sees it."""

    partition: int
    offset: int
    key: str | None
    headers: dict[str, str]
    value: bytes

    @classmethod
    def of(cls, message: Message):
        headers = {name: value.decode() for name, value in message.headers() or []}
        key = message.key()
        return cls(
            message.partition(), message.offset(), key and key.decode(), headers, message.value() or b""
        )


class Broker:
    """One broker with two doors: `servers`, and `proxied` behind a proxy that tests may trouble."""

    def __init__(self, folder):
        self.folder = folder
        self.proxy = Proxy()
        behind = self.proxy.free_port()
        self.proxied = f"127.0.0.1:{self.proxy.port}"
        self.servers = self._script(
            "start",
            "listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller},"
            f"PROXIED://127.0.0.1:{behind}",
            f"advertised.listeners=PLAINTEXT://127.0.0.1:{{port}},PROXIED://{self.proxied}",
            "inter.broker.listener.name=PLAINTEXT",
            "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,PROXIED:PLAINTEXT",
        )
        self.proxy.target = ("127.0.0.1", behind)
        self.admin = AdminClient({"bootstrap.servers": self.servers, "log_level": 0})

    def start(self):
        self._script("start")

    def kill(self):
        self._script("kill")

    def stop(self):
        self.proxy.close()
        self._script("stop")

    def _script(self, verb, *settings):
        done = subprocess.run([SCRIPT, verb, self.folder, *settings], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def make_topic(self, name, partitions=3, **config):
        settings = {key.replace("_", "."): str(value) for key, value in config.items()}
        made = self.admin.create_topics([NewTopic(name, partitions, 1, config=settings)])
        made[name].result(60)
        return name

    def messages(self, topic):
        """All that a topic holds, partition by partition, in the order of its log."""
        consumer = Consumer({"bootstrap.servers": self.servers, "group.id": "tests", "log_level": 0})
        try:
            partitions = consumer.list_topics(topic, 60).topics[topic].partitions
            ends = {number: self._end(consumer, TopicPartition(topic, number)) for number in partitions}
            left = {number for number, end in ends.items() if end}
            consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in left])
            found = []
            while left:
                for message in consumer.consume(1000, 1.0):
                    assert message.error() is None, message.error()
                    found.append(Sent.of(message))
                    if message.offset() + 1 == ends[message.partition()]:
                        left.discard(message.partition())
            return sorted(found, key=lambda sent: (sent.partition, sent.offset))
        finally:
            consumer.close()

    @staticmethod
    def _end(consumer, partition):
        """Where a partition's log ends; asked again while a broker that came back takes up its partitions."""
        until = time.monotonic() + 60
        while True:
            try:
                return consumer.get_watermark_offsets(partition, 10)[1]
            except KafkaException:
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)


def topic_name(text):
    """A name that a topic may have, out of a test's."""
    return re.sub(r"[^a-zA-Z0-9._-]", "-", text)[:200]
