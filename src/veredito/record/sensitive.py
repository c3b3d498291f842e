"""Sensitive fields: left out or hashed, before anything is written."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

import msgspec

from veredito.errors import ConfigError, Problem
from veredito.record.record import DecisionRecord, encode_any, writable
from veredito.record.settings import RecordSettings, SensitiveField

Keep: TypeAlias = Literal["nothing", "hash"]

_KEY_BYTES_MIN = 16  # a shorter key can be found by trying


class Mask:
    """Hides the declared fields of any nested data.

    A declaration holds at every depth, and for dotted names by their last part: a rule that read
    ``transaction.card`` shows no card either.

    Args:
        fields: the declarations.
        key: of the hash.
        entity: the event's field that the record's `key` repeats, if any.
        event_time: the one that its `at` repeats.

    Attributes:
        keep: how each declared name is hidden, in the event and all that is made from it.
        own: likewise for the record's own fields.

    Example:
        >>> mask = Mask([SensitiveField(name="card"), SensitiveField(name="mail", keep="hash")], b"k" * 16)
        >>> sorted(mask.data({"card": "4000", "amount": 1.0, "mail": "a@b"}))
        ['amount', 'mail']
    """

    def __init__(
        self,
        fields: Sequence[SensitiveField],
        key: bytes = b"",
        *,
        entity: str | None = None,
        event_time: str | None = None,
    ) -> None:
        self.keep: dict[str, Keep] = {field.name: field.keep for field in fields}
        # The record's own fields that repeat one of the event's: hidden under either name.
        repeats = {"key": entity, "at": event_time, "score": None}
        keeps = {own: self.keep.get(own) or self.keep.get(name or "") for own, name in repeats.items()}
        self.own: dict[str, Keep] = {own: keep for own, keep in keeps.items() if keep is not None}
        self._key = key

    @classmethod
    def of(
        cls, settings: RecordSettings, *, entity: str | None = None, event_time: str | None = None
    ) -> Mask:
        """The mask that the settings declare.

        Args:
            settings: the ``[record]`` table.
            entity: the event's field that the record's `key` repeats.
            event_time: the one that its `at` repeats.

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
        return cls(settings.sensitive, key, entity=entity, event_time=event_time)

    def __bool__(self) -> bool:
        return bool(self.keep)

    def record(self, record: DecisionRecord) -> DecisionRecord:
        """The record without what must not be kept."""
        if not self.keep:
            return record
        hashes_key = self.own.get("key") == "hash" and record.key is not None
        return msgspec.structs.replace(
            record,
            key=self.hash(record.key) if hashes_key else None if "key" in self.own else record.key,
            at=None if "at" in self.own else record.at,  # a hash is no time
            score=None if "score" in self.own else record.score,
            inputs=self._part(record.inputs),
            values=self._part(record.values),
            features=self._part(record.features),
            outputs=self._part(record.outputs),
            rules=[msgspec.structs.replace(rule, read=self._part(rule.read)) for rule in record.rules],
        )

    def _part(self, part: dict[str, Any]) -> dict[str, Any]:
        hidden: dict[str, Any] = self.data(writable(part))
        return hidden

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
        # A number and its text are one value: the record's `key` is the text of the event's field.
        data = value.encode() if isinstance(value, str) else encode_any(value)
        return hmac.new(self._key, data, hashlib.sha256).hexdigest()


_NOTHING = object()
