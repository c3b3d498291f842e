"""The outbox: the durable local log from which the sinks are fed."""
