"""Sensitive fields: left out or hashed, before anything is written."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Mapping
from typing import Any

import msgspec

from veredito.errors import ConfigError, Problem
from veredito.record.record import DecisionRecord, encode_any, plain
from veredito.record.settings import RecordSettings, SensitiveField

_KEY_BYTES_MIN = 16  # a shorter key can be found by trying


class Mask:
    """Hides the declared fields of any nested data.

    A declaration holds at every depth, and for dotted names by their last part: a rule that read
    ``transaction.card`` shows no card either.

    Args:
        fields: the declarations.
        key: of the hash.

    Example:
        >>> mask = Mask([SensitiveField(name="card"), SensitiveField(name="mail", keep="hash")], b"k" * 16)
        >>> sorted(mask.data({"card": "4000", "amount": 1.0, "mail": "a@b"}))
        ['amount', 'mail']
    """

    def __init__(self, fields: list[SensitiveField], key: bytes = b"") -> None:
        self.keep = {field.name: field.keep for field in fields}
        self._key = key

    @classmethod
    def of(cls, settings: RecordSettings) -> Mask:
        """The mask that the settings declare.

        Raises:
            ConfigError: a field is to be hashed, and there is no key or a short one.
        """
        key = os.environ.get(settings.sensitive_key_env, "").encode()
        hashed = [field.name for field in settings.sensitive if field.keep == "hash"]
        if hashed and len(key) < _KEY_BYTES_MIN:
            raise ConfigError(
                Problem(
                    "[record].sensitive",
                    f"hashing {', '.join(hashed)} needs a key of at least {_KEY_BYTES_MIN} bytes",
                    hint=f"set the environment variable {settings.sensitive_key_env}",
                )
            )
        return cls(list(settings.sensitive), key)

    def __bool__(self) -> bool:
        return bool(self.keep)

    def record(self, record: DecisionRecord) -> DecisionRecord:
        """The record without what must not be kept."""
        if not self.keep:
            return record
        data = msgspec.to_builtins(record, enc_hook=plain, str_keys=True)
        return msgspec.convert(self.data(data), DecisionRecord)

    def data(self, data: Any) -> Any:
        """Mappings and lists, at any depth, without what must not be kept: for logs as well."""
        if isinstance(data, Mapping):
            kept = ((name, self._kept(str(name), value)) for name, value in data.items())
            return {name: value for name, value in kept if value is not _NOTHING}
        return [self.data(item) for item in data] if isinstance(data, list | tuple) else data

    def _kept(self, name: str, value: Any) -> Any:
        keep = self.keep.get(name) or self.keep.get(name.rpartition(".")[2])
        if keep is None:
            return self.data(value)
        if keep == "nothing":
            return _NOTHING
        return None if value is None else self.hash(value)

    def hash(self, value: Any) -> str:
        """The keyed hash of a value: equal values have equal hashes, and nobody without the key can try."""
        return hmac.new(self._key, encode_any(value), hashlib.sha256).hexdigest()


_NOTHING = object()
