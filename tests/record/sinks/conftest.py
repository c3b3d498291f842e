"""One Kafka broker for the whole session, and a topic of its own for each test."""

import shutil

import pytest
from tests.sources.conftest import library, missing


@pytest.fixture(scope="session")
def session_broker(tmp_path_factory):
    library("confluent_kafka")
    for program in ("java", "mvn"):
        if shutil.which(program) is None:
            missing(f"{program} (Kafka's broker needs Java and Maven)")
    from tests.record.sinks.broker import Broker

    broker = Broker(tmp_path_factory.mktemp("kafka"))
    try:
        yield broker
    finally:
        broker.stop()


@pytest.fixture
def broker(session_broker):
    """The broker, up and untroubled, whatever the last test did to it."""
    session_broker.start()
    session_broker.proxy.heal()
    return session_broker


@pytest.fixture
def topic(broker, request):
    from tests.record.sinks.broker import topic_name

    return broker.make_topic(topic_name(request.node.name))
