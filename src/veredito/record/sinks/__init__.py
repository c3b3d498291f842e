"""Sinks: where records are delivered to, each at its own pace."""
