"""Looking into a record's folder, checking and mending it."""

import asyncio
import json

import pytest
from tests.record.conftest import LAYOUT, make_record, make_settings

from veredito.cli import record as cli
from veredito.errors import RecordError
from veredito.record import ParquetSettings, Recorder, tools
from veredito.record.recorder import outbox_folder, table_folder


def write(settings, count, first=0):
    async def append_all(recorder):
        records = [make_record(i) for i in range(first, first + count)]
        await asyncio.gather(*map(recorder.append, records))
        return [record.decision_id for record in records]

    with Recorder.open(settings, LAYOUT) as recorder:
        return asyncio.run(append_all(recorder))


@pytest.fixture
def written(settings):
    return settings, write(settings, 300)


def test_status_tells_the_accounts_from_the_files(written):
    """No running service is needed to know how far each sink is."""
    settings, _ = written
    (outbox,) = tools.status(settings.folder)

    assert (outbox.recorded, outbox.sinks["parquet"].delivered, outbox.sinks["parquet"].waiting) == (
        300,
        300,
        0,
    )


def test_a_folder_without_an_outbox_is_an_error(tmp_path):
    """A mistyped folder is said, not shown as empty."""
    with pytest.raises(RecordError, match="holds no outbox"):
        tools.status(tmp_path)


def test_read_and_export_give_each_record_once(written, tmp_path):
    """The table and the outbox overlap; ids do not."""
    settings, ids = written
    count = tools.export(settings.folder, tmp_path / "all.jsonl")

    lines = (tmp_path / "all.jsonl").read_text().splitlines()
    assert count == 300
    assert sorted(json.loads(line)["decision_id"] for line in lines) == sorted(ids)


def test_tail_gives_the_last_committed(written):
    """The newest records, oldest first."""
    settings, ids = written

    assert [record.decision_id for record in tools.tail(settings.folder, 5)] == ids[-5:]


def test_verify_finds_a_flipped_byte(written):
    """A frame whose checksum fails is named with what was lost."""
    settings, _ = written
    assert tools.verify(settings.folder) == []
    segment = max(outbox_folder(settings.folder).glob("*.segment"))
    data = bytearray(segment.read_bytes())
    data[200] ^= 1
    segment.write_bytes(data)

    (finding,) = tools.verify(settings.folder)
    assert "1 records lost" in finding


def test_repair_restores_a_damaged_cursor_without_doubling(written):
    """The sink begins again where the outbox can follow; the table still holds every id once."""
    settings, ids = written
    cursor = outbox_folder(settings.folder) / "parquet.cursor"
    cursor.write_bytes(b"garbage")
    with pytest.raises(RecordError, match="veredito record repair"):
        Recorder.open(settings, LAYOUT)

    assert "begins again" in tools.repair(settings.folder)[0]
    more = write(settings, 50, first=300)
    assert sorted(record.decision_id for record in tools.read(settings.folder)) == sorted(ids + more)
    assert tools.verify(settings.folder) == []


def test_repair_needs_the_service_to_be_stopped(settings):
    """It would cut what is being written."""
    with Recorder.open(settings, LAYOUT), pytest.raises(RecordError, match="another process"):
        tools.repair(settings.folder)


def test_a_table_elsewhere_is_found(tmp_path):
    """Where the config puts the table, the tools look when told."""
    parquet = ParquetSettings(folder=str(tmp_path / "lake"), gather_seconds=0.05)
    settings = make_settings(tmp_path / "r", parquet=parquet)
    write(settings, 3)

    assert table_folder(settings) == tmp_path / "lake"
    assert len(list(tools.read(settings.folder, tmp_path / "lake"))) == 3


@pytest.mark.parametrize("verb", [["status"], ["status", "--json"], ["tail"], ["verify"], ["repair"]])
def test_the_command_line_shows_it(written, capsys, verb):
    """Each verb prints what its function found."""
    settings, _ = written
    with pytest.raises(SystemExit) as exit_info:
        cli.app([*verb, settings.folder])

    assert exit_info.value.code == 0
    assert capsys.readouterr().out.strip()
