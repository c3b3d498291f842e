"""The recorder: what is acknowledged is on the disk, and reaches the sinks."""

import asyncio
import warnings

import pyarrow.parquet as pq
import pytest
from tests.record.conftest import LAYOUT, NOW, make_record, make_settings

from veredito.errors import ConfigError, OverloadedError, RecordError
from veredito.record import ParquetSettings, Recorder, RecordSettings, SensitiveField
from veredito.record.outbox.recovery import Walk
from veredito.record.outbox.segments import list_segments
from veredito.record.record import decode, encode
from veredito.record.recorder import outbox_folder, table_folder


def append(recorder, records):
    async def all_of_them():
        return await asyncio.gather(*(recorder.append(record) for record in records))

    return asyncio.run(all_of_them())


def in_outbox(settings):
    segments = list_segments(outbox_folder(settings.folder))
    return [decode(entry.payload) for segment in segments for entry in Walk(segment)]


def in_table(settings):
    return pq.read_table(table_folder(settings))


def test_a_durable_append_returns_when_the_record_is_on_the_disk(settings):
    """After append() the outbox's files hold the record, whatever happens next."""
    record = make_record()
    with Recorder.open(settings, LAYOUT) as recorder:
        assert append(recorder, [record]) == [True]

        assert in_outbox(settings) == [decode(encode(record))]


def test_every_record_reaches_the_table_once_in_typed_columns(settings):
    """After drain() the Parquet table has one row a record, partitioned by date and hour."""
    records = [make_record(i) for i in range(300)]
    with Recorder.open(settings, LAYOUT) as recorder:
        append(recorder, records)
        assert recorder.drain(10)

        accounts = recorder.accounts()
    table = in_table(settings)
    assert sorted(table["decision_id"].to_pylist()) == sorted(record.decision_id for record in records)
    assert accounts.recorded == accounts.sinks["parquet"].delivered == 300
    assert accounts.balanced
    row = table.slice(0, 1).to_pylist()[0]
    assert (row["input_at"], row["feature_known"], row["output_fraud_prediction"]) == (NOW, True, 0.5)
    assert (row["value_customer_age"], row["reasons"], str(row["date"]), row["hour"]) == (
        40,
        ["low risk"],
        "2018-06-01",
        10,
    )
    assert decode(row["record"].encode()).decision_id == row["decision_id"]


def test_the_accounts_go_on_after_a_restart(settings):
    """Counts are the outbox's, not the process's: the formula holds over restarts."""
    for _ in range(3):
        with Recorder.open(settings, LAYOUT) as recorder:
            append(recorder, [make_record(i) for i in range(10)])
    with Recorder.open(settings, LAYOUT) as recorder:
        accounts = recorder.accounts()

    assert (accounts.answered, accounts.recorded, accounts.sinks["parquet"].delivered) == (30, 30, 30)
    assert accounts.balanced


def test_queued_records_are_committed_before_close_returns(tmp_path):
    """With `queued` append() does not wait, and an orderly stop loses nothing."""
    settings = make_settings(tmp_path, acknowledge="queued")
    with Recorder.open(settings, LAYOUT) as recorder:
        for i in range(500):
            recorder.append_nowait(make_record(i))

    assert len(in_table(settings)) == 500


def test_what_is_delivered_leaves_the_outbox(settings):
    """Segments go when every sink has them; the last stays, because it carries the numbering."""
    with Recorder.open(settings, LAYOUT) as recorder:
        append(recorder, [make_record(i) for i in range(1000)])
        assert recorder.drain(10)

        assert len(list_segments(outbox_folder(settings.folder))) == 1


@pytest.mark.parametrize(("on_full", "counted"), [("refuse", 0), ("count", 1)])
def test_a_full_queue_is_a_declared_policy(tmp_path, on_full, counted):
    """Beyond queue_bytes_max a decision is refused, or answered and counted."""
    settings = make_settings(tmp_path, queue_bytes_max=10, on_full=on_full, acknowledge="queued")
    with Recorder.open(settings, LAYOUT) as recorder:
        if on_full == "refuse":
            with pytest.raises(OverloadedError, match="queue_bytes_max"):
                recorder.append_nowait(make_record())
        else:
            assert recorder.append_nowait(make_record()) is False

        accounts = recorder.accounts()
    assert (accounts.unrecorded, accounts.refused) == (counted, 1 - counted)
    assert accounts.balanced


def test_a_record_that_fits_in_no_segment_is_refused(settings):
    """A record larger than a segment is an error of its own, not a stuck queue."""
    with Recorder.open(settings, LAYOUT) as recorder, pytest.raises(RecordError, match="does not fit"):
        recorder.append_nowait(make_record(error="x" * 70_000))


def test_one_process_writes_an_outbox(settings):
    """A second recorder on the same outbox is refused; another worker's is fine."""
    with Recorder.open(settings, LAYOUT):
        with pytest.raises(RecordError, match="open in another process"):
            Recorder.open(settings, LAYOUT)
        with Recorder.open(settings, LAYOUT, worker="1") as other:
            append(other, [make_record()])

    assert len(in_table(settings)) == 1


def test_a_recorder_without_sinks_is_refused(tmp_path):
    """Nobody would ever empty the outbox."""
    settings = RecordSettings(folder=str(tmp_path), parquet=ParquetSettings(enabled=False))
    with pytest.raises(ConfigError, match="no sink"):
        Recorder.open(settings, LAYOUT)


def test_a_closed_recorder_refuses(settings):
    """append() after close() says so."""
    recorder = Recorder.open(settings, LAYOUT)
    recorder.close()
    assert recorder.close() is True

    with pytest.raises(RecordError, match="closed"):
        recorder.append_nowait(make_record())


def test_a_forgotten_recorder_warns(settings):
    """Garbage collection of an open recorder is a ResourceWarning."""
    recorder = Recorder.open(settings, LAYOUT)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        recorder.__del__()
    recorder.close()

    assert [str(warning.message) for warning in caught] == ["a Recorder was not closed"]


def test_a_cancelled_caller_keeps_its_record(settings):
    """Whoever stops waiting gave the record away already."""

    async def cancelled():
        task = asyncio.create_task(recorder.append(make_record()))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with Recorder.open(settings, LAYOUT) as recorder:
        asyncio.run(cancelled())

    assert len(in_table(settings)) == 1


def test_sensitive_fields_never_reach_the_disk(tmp_path, monkeypatch):
    """Left out or hashed before anything is written, at every depth and in the table's columns."""
    monkeypatch.setenv("VEREDITO_SENSITIVE_KEY", "0123456789abcdef")
    fields = [
        SensitiveField(name="card", keep="hash"),
        SensitiveField(name="age"),
        SensitiveField(name="key", keep="hash"),
    ]
    settings = make_settings(tmp_path, sensitive=fields)
    with Recorder.open(settings, LAYOUT) as recorder:
        append(recorder, [make_record(key="4000-1", inputs={"card": "4000-1", "amount": 1.0, "at": NOW})])

        assert all(b"4000-1" not in path.read_bytes() for path in tmp_path.rglob("*.segment"))
    row = in_table(settings).to_pylist()[0]
    assert row["input_card"] == row["key"]
    assert len(row["key"]) == 64
    assert "value_customer_age" not in row


def test_hashing_without_a_key_is_said_at_start(tmp_path, monkeypatch):
    """No key, no hash, no service."""
    monkeypatch.delenv("VEREDITO_SENSITIVE_KEY", raising=False)
    settings = make_settings(tmp_path, sensitive=[SensitiveField(name="card", keep="hash")])

    with pytest.raises(ConfigError, match="VEREDITO_SENSITIVE_KEY"):
        Recorder.open(settings, LAYOUT)
