"""What is wrong with the ``[record]`` table, before anything is opened."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator

from veredito.errors import ConfigError, DefinitionError, Problem
from veredito.record.sensitive import Mask
from veredito.record.settings import RecordSettings
from veredito.record.sinks import custom


def check(settings: RecordSettings) -> None:
    """Say what `Recorder.open()` would say of the settings, all at once, without touching disk or network.

    Raises:
        ConfigError: no key for the hash of sensitive fields, a property that Kafka's library does not know, a
            missing library, or a sink of the config that cannot be made.
    """
    problems: list[Problem] = []
    for part in _parts(settings):
        try:
            part()
        except DefinitionError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)


def _parts(settings: RecordSettings) -> Iterator[Callable[[], object]]:
    """What is made of the settings, each by itself."""
    yield functools.partial(Mask.of, settings)
    if settings.kafka is not None:
        from veredito.record.sinks.kafka import KafkaSink

        yield functools.partial(KafkaSink, settings.kafka)
    for name, table in settings.sinks.items():
        yield functools.partial(custom.build, name, table)
