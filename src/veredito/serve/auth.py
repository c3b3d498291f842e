"""API keys: who may ask. Keys live in the environment or in a file, never in the config."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Iterable
from pathlib import Path

from veredito.errors import ConfigError, Problem
from veredito.serve.config import AuthSettings

_KEY_CHARACTERS_MIN = 16  # below that a key can be guessed


class Keys:
    """The keys that are let in, held as digests and compared in constant time.

    Raises:
        ConfigError: there is no key, or one is too short.

    Example:
        >>> Keys(["a-key-of-some-length"]).admits(b"a-key-of-some-length")
        True
    """

    def __init__(self, keys: Iterable[str]) -> None:
        keys = [key for key in (key.strip() for key in keys) if key]
        if not keys:
            raise ConfigError(
                Problem(
                    "[auth]", "there is no key", hint="put at least one into the variable or file it names"
                )
            )
        if any(len(key) < _KEY_CHARACTERS_MIN for key in keys):
            raise ConfigError(Problem("[auth]", f"a key is shorter than {_KEY_CHARACTERS_MIN} characters"))
        self._digests = [hashlib.sha256(key.encode()).digest() for key in keys]

    def admits(self, key: bytes) -> bool:
        """Whether the key is one of ours; takes the same time wherever they differ."""
        digest = hashlib.sha256(key).digest()
        return (
            sum(hmac.compare_digest(digest, known) for known in self._digests) > 0
        )  # all are compared, always


def read_keys(settings: AuthSettings, folder: Path) -> Keys:
    """The keys that ``[auth]`` names.

    Raises:
        ConfigError: the variable or the file is not there, or has no usable key.
    """
    if settings.keys_environment is not None:
        if settings.keys_environment not in os.environ:
            raise ConfigError(Problem("[auth].keys_environment", f"{settings.keys_environment} is not set"))
        return Keys(os.environ[settings.keys_environment].split(","))
    path = folder / str(settings.keys_file)
    try:
        return Keys(path.read_text(encoding="utf-8").splitlines())
    except OSError as error:
        raise ConfigError(Problem("[auth].keys_file", f"cannot be read: {error.strerror}")) from None
