"""The broker that the sinks' tests use."""

from tests.record.sinks.conftest import broker, session_broker, topic  # noqa: F401 - fixtures
