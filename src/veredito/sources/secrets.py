"""Secrets: the config names an environment variable, and never holds the value."""

from __future__ import annotations

import os

from veredito.errors import ConfigError, Problem


def from_environment(place: str, variable: str) -> str:
    """The value of an environment variable that a config names.

    Raises:
        ConfigError: it is not set.
    """
    value = os.environ.get(variable)
    if value is None:
        raise ConfigError(Problem(place, f"the environment variable {variable} is not set"))
    return value
