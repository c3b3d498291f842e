"""Idempotency keys: the same request twice is decided once, over restarts and crashes too."""

import asyncio

import pytest
from tests.record.conftest import LAYOUT, make_record, make_settings
from tests.record.faults import FaultyDisk

from veredito.errors import OverloadedError
from veredito.record import Recorder
from veredito.record.idempotency import Conflict, IdempotencyStore, New, Replay, recorded_key


class Clock:
    """A clock whose wall time may jump."""

    def __init__(self):
        self.wall, self.steady = 1_600_000_000.0, 50.0

    def pass_by(self, seconds):
        self.wall += seconds
        self.steady += seconds

    def monotonic(self):
        return self.steady

    def time(self):
        return self.wall


def told(record):
    return record.action.encode()


def open_store(folder, **settings):
    return IdempotencyStore(folder, told, **settings)


def key_of(key="k", body=b"{}"):
    return recorded_key(key.encode(), body)


def answer(store, key=None, status=200, result=b"approve"):
    key = key or key_of()
    assert store.begin(key) == New()
    store.finish(key, status, result)


def test_the_first_answer_is_given_again(tmp_path):
    """Same key, same body: the first status and body, even an error's."""
    with open_store(tmp_path) as store:
        answer(store, status=500, result=b"broken")

        assert store.begin(key_of()) == Replay(500, b"broken")


def test_another_body_is_a_conflict(tmp_path):
    """A key stands for one body, while it is decided and afterwards."""
    one, other = key_of(body=b"a"), key_of(body=b"b")
    with open_store(tmp_path) as store:
        assert store.begin(one) == New()
        assert store.begin(other) == Conflict("other_body")
        store.finish(one, 200, b"")

        assert store.begin(other) == Conflict("other_body")


def test_a_second_request_meanwhile_is_a_conflict(tmp_path):
    """Two at once are not decided twice."""
    with open_store(tmp_path) as store:
        assert store.begin(key_of()) == New()

        assert store.begin(key_of()) == Conflict("in_progress")


def test_an_abandoned_key_is_free(tmp_path):
    """A request that failed validation leaves no trace."""
    with open_store(tmp_path) as store:
        store.begin(key_of(body=b"a"))
        store.abandon(key_of(body=b"a"))

        assert store.begin(key_of(body=b"b")) == New()


def test_answers_survive_a_restart(tmp_path):
    """What was finished before a stop is replayed after it."""
    with open_store(tmp_path) as store:
        answer(store)
    with open_store(tmp_path) as store:
        assert store.begin(key_of()) == Replay(200, b"approve")


def test_a_decision_recorded_before_a_crash_is_not_made_again(tmp_path):
    """The process ended between the record and its answer: the answer is made from the record."""
    settings = make_settings(tmp_path)
    with Recorder.open(settings, LAYOUT) as recorder:
        record = make_record(action="decline", idempotency=key_of())
        asyncio.run(recorder.append(record))
    clock = Clock()
    clock.wall = record.answered_at.timestamp() + 60
    for _ in range(2):
        with open_store(tmp_path, clock=clock) as store:
            assert store.begin(key_of()) == Replay(200, b"decline")
            assert store.begin(key_of(body=b"other")) == Conflict("other_body")
            assert len(store) == 1


def test_a_record_older_than_the_time_to_keep_is_left_alone(tmp_path):
    """A day after, the key is new."""
    with Recorder.open(make_settings(tmp_path), LAYOUT) as recorder:
        record = make_record(idempotency=key_of())
        asyncio.run(recorder.append(record))
    clock = Clock()
    clock.wall = record.answered_at.timestamp() + 86_401
    with open_store(tmp_path, clock=clock) as store:
        assert store.begin(key_of()) == New()


def test_answers_are_kept_24_hours(tmp_path):
    """A day later the key is new, and after a restart too."""
    clock = Clock()
    with open_store(tmp_path, clock=clock) as store:
        answer(store)
        clock.pass_by(86_399)
        assert isinstance(store.begin(key_of()), Replay)
    with open_store(tmp_path, clock=clock) as store:
        assert isinstance(store.begin(key_of()), Replay)
        clock.pass_by(2)
        assert store.begin(key_of()) == New()
    with open_store(tmp_path, clock=clock) as store:
        assert len(store) == 0


@pytest.mark.parametrize("jump", [-10 * 86_400, 10 * 86_400])
def test_a_jump_of_the_clock_forgets_nothing(tmp_path, jump):
    """While the process lives, a day is a day, whatever the wall clock says."""
    clock = Clock()
    with open_store(tmp_path, clock=clock) as store:
        answer(store)
        clock.wall += jump
        clock.pass_by(86_399)
        assert isinstance(store.begin(key_of()), Replay)
        clock.pass_by(2)
        assert store.begin(key_of()) == New()


def test_a_clock_set_back_over_a_restart_keeps_answers_a_day_at_most(tmp_path):
    """An answer from the future is as young as one of now."""
    clock = Clock()
    with open_store(tmp_path, clock=clock) as store:
        answer(store)
    clock.wall -= 10 * 86_400
    with open_store(tmp_path, clock=clock) as store:
        assert isinstance(store.begin(key_of()), Replay)
        clock.pass_by(86_401)
        assert store.begin(key_of()) == New()


def test_a_full_store_refuses_new_keys(tmp_path):
    """Forgetting an answer early would break the promise."""
    with open_store(tmp_path, answers_max=1) as store:
        answer(store)
        with pytest.raises(OverloadedError, match="full"):
            store.begin(key_of("other"))

        assert isinstance(store.begin(key_of()), Replay)


def test_files_of_expired_answers_are_removed(tmp_path):
    """The store takes the space of a day, not of all days."""
    clock = Clock()
    for _ in range(5):
        with open_store(tmp_path, clock=clock) as store:
            answer(store)
            clock.pass_by(86_401)
    with open_store(tmp_path, clock=clock):
        assert len(list(tmp_path.rglob("idempotency/0/*.segment"))) <= 2


def test_a_failed_write_costs_nobody_the_answer(tmp_path):
    """It is tried again; the answer stands, now and after a restart."""
    disk = FaultyDisk()
    with open_store(tmp_path, disk=disk) as store:
        disk.fail("sync", times=1)
        answer(store)
        assert store.begin(key_of()) == Replay(200, b"approve")
    with open_store(tmp_path) as store:
        assert store.begin(key_of()) == Replay(200, b"approve")


def test_neither_key_nor_body_is_on_the_disk(tmp_path):
    """They may hold what is nobody's business."""
    with open_store(tmp_path) as store:
        answer(store, key_of("the-key-of-a-caller", b'{"card": "4000-9"}'))

    for path in tmp_path.rglob("*.segment"):
        assert b"the-key-of-a-caller" not in path.read_bytes()
        assert b"4000-9" not in path.read_bytes()
