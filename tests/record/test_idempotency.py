"""Idempotency keys: the same request twice is decided once, over restarts too."""

import asyncio

import pytest
from tests.record.faults import FaultyDisk

from veredito.errors import InputError, OverloadedError, RecordError
from veredito.record.idempotency import Conflict, IdempotencyStore, New, Replay, body_hash


class Clock:
    def __init__(self):
        self.now = 1_000_000.0

    def monotonic(self):
        return self.now

    def time(self):
        return self.now


def answer(store, key="k", body=b"{}", status=200, result=b"approve"):
    assert store.begin(key, body_hash(body)) == New()
    asyncio.run(store.finish(key, status, result))


def test_the_first_answer_is_given_again(tmp_path):
    """Same key, same body: the first status and body, even an error's."""
    with IdempotencyStore(tmp_path) as store:
        answer(store, status=500, result=b"broken")

        assert store.begin("k", body_hash(b"{}")) == Replay(500, b"broken")


def test_another_body_is_a_conflict(tmp_path):
    """A key stands for one body, while it is decided and afterwards."""
    with IdempotencyStore(tmp_path) as store:
        assert store.begin("k", "a") == New()
        assert store.begin("k", "b") == Conflict("other_body")
        asyncio.run(store.finish("k", 200, b""))

        assert store.begin("k", "b") == Conflict("other_body")


def test_a_second_request_meanwhile_is_a_conflict(tmp_path):
    """Two at once are not decided twice."""
    with IdempotencyStore(tmp_path) as store:
        assert store.begin("k", "a") == New()

        assert store.begin("k", "a") == Conflict("in_progress")


def test_an_abandoned_key_is_free(tmp_path):
    """A request that failed validation leaves no trace."""
    with IdempotencyStore(tmp_path) as store:
        store.begin("k", "a")
        store.abandon("k")

        assert store.begin("k", "b") == New()


def test_answers_survive_a_restart(tmp_path):
    """What was finished before a stop is replayed after it."""
    with IdempotencyStore(tmp_path) as store:
        answer(store)
    with IdempotencyStore(tmp_path) as store:
        assert store.begin("k", body_hash(b"{}")) == Replay(200, b"approve")


def test_answers_are_kept_24_hours(tmp_path):
    """A day later the key is new, and after a restart too."""
    clock = Clock()
    with IdempotencyStore(tmp_path, clock=clock) as store:
        answer(store)
        clock.now += 86_399
        assert isinstance(store.begin("k", body_hash(b"{}")), Replay)
        clock.now += 2
    with IdempotencyStore(tmp_path, clock=clock) as store:
        assert len(store) == 0
        assert store.begin("k", "b") == New()


def test_a_full_store_refuses_new_keys(tmp_path):
    """Forgetting an answer early would break the promise."""
    with IdempotencyStore(tmp_path, answers_max=1) as store:
        answer(store)
        with pytest.raises(OverloadedError, match="full"):
            store.begin("other", "a")

        assert isinstance(store.begin("k", body_hash(b"{}")), Replay)


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_a_key_has_a_length(tmp_path, key):
    """Between 1 and 255 characters."""
    with IdempotencyStore(tmp_path) as store, pytest.raises(InputError, match="1 to 255"):
        store.begin(key, "a")


def test_an_answer_that_the_disk_did_not_take_is_not_kept(tmp_path):
    """The caller learns of it, and the key is free again."""
    disk = FaultyDisk()
    with IdempotencyStore(tmp_path, disk=disk) as store:
        store.begin("k", "a")
        disk.fail("sync", times=100)
        with pytest.raises(RecordError):
            asyncio.run(store.finish("k", 200, b""))
        disk.heal()

        assert store.begin("k", "a") == New()
