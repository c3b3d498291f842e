"""The table: typed columns that any engine reads, each record exactly once whatever fails in between."""

import datetime as dt
import errno
import threading
from collections import Counter

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from tests.record.conftest import LAYOUT, NOW, make_record
from tests.record.faults import FaultyDisk

from veredito.errors import ConfigError
from veredito.record import ParquetSettings, RecordLayout
from veredito.record.outbox import cursor as cursors
from veredito.record.outbox.cursor import Cursor
from veredito.record.outbox.disk import Disk
from veredito.record.outbox.frames import Entry
from veredito.record.outbox.reader import Batch
from veredito.record.record import encode
from veredito.record.sinks.parquet import ParquetSink
from veredito.schema import Field, Schema
from veredito.testing import VirtualClock

HOUR = dt.timedelta(hours=1)


class Table:
    """A sink fed by hand, as its runner feeds it."""

    def __init__(self, folder, *, disk=None, layout=LAYOUT, outbox="0", now=NOW, **settings):
        self.folder = folder / "table"
        self.outbox = folder / "outbox" / outbox
        self.outbox.mkdir(parents=True, exist_ok=True)
        self.disk = disk or Disk()
        self.clock = VirtualClock(now.timestamp() - VirtualClock().time())
        self.sink = ParquetSink(
            self.folder,
            layout.columns(),
            ParquetSettings(**settings),
            outbox=self.outbox,
            disk=self.disk,
            clock=self.clock,
        )
        self.cursor = cursors.load("parquet", self.outbox) or Cursor(sink="parquet")
        self.sink.open(self.cursor.sequence, threading.Event())

    def deliver(self, records):
        first = self.cursor.sequence
        payloads = [record if isinstance(record, bytes) else encode(record) for record in records]
        entries = [Entry(number, payload) for number, payload in enumerate(payloads, first)]
        delivery = self.sink.deliver(Batch(first, first + len(entries), entries, 0))
        self.confirm(len(entries))
        return delivery

    def confirm(self, count):
        cursor = self.cursor.advance(delivered=count, duplicates=0, rejected=0, damaged=0)
        cursors.save(cursor, self.outbox, self.disk)
        self.cursor = cursor

    def tidy(self):
        """When the files have been left alone for a while."""
        self.clock.advance(60)
        self.sink.tidy()

    def files(self):
        return sorted(self.folder.rglob("*.parquet"))

    def ids(self):
        return pl.read_parquet(self.files(), columns=["decision_id"])["decision_id"].to_list()


def later(hours=0, **changes):
    return make_record(answered_at=NOW + hours * HOUR, **changes)


@pytest.fixture
def table(tmp_path):
    return Table(tmp_path)


@pytest.fixture
def written(table):
    """Sixty records over three hours, one of them before ten o'clock."""
    records = [
        make_record(i, answered_at=NOW - 2 * HOUR + i % 3 * HOUR, score=float(i), error=None)
        for i in range(60)
    ]
    table.deliver(records[:30])
    table.deliver(records[30:])
    return table


class TestReaders:
    """The same answers from each, with what each does by default for hive partitions."""

    def test_duckdb(self, written):
        sql = f"""SELECT date, count(*), sum(input_amount), max(answered_at)
            FROM read_parquet('{written.folder}/**/*.parquet', hive_partitioning = true)
            WHERE action = 'approve' AND hour IN (8, 9) GROUP BY ALL"""

        assert duckdb.sql(sql).fetchall() == [(NOW.date(), 40, 1160.0, NOW - HOUR)]

    def test_no_name_needs_quotes(self, written):
        """Every column, as it is written, in SQL."""
        names = ", ".join(pq.read_schema(written.files()[0]).names)

        assert len(duckdb.sql(f"SELECT {names} FROM read_parquet('{written.files()[0]}')").fetchall()) == 10

    def test_polars(self, written):
        table = pl.scan_parquet(written.folder, hive_partitioning=True)

        counted = table.filter(pl.col("hour") == 9).select(pl.len(), pl.col("input_amount").sum()).collect()
        assert counted.row(0) == (20, 590.0)
        assert table.collect_schema()["answered_at"] == pl.Datetime("us", "UTC")

    def test_pyarrow_dataset(self, written):
        table = ds.dataset(written.folder, partitioning="hive")

        rows = table.to_table(columns=["input_amount"], filter=ds.field("hour") == 9)
        assert (len(rows), sum(rows["input_amount"].to_pylist())) == (20, 590.0)

    def test_only_what_spark_reads_is_used(self, written):
        """Encodings, types and compression that Spark's vectorised reader has had for years; names without dots."""
        for path in written.files():
            file = pq.ParquetFile(path)
            group = file.metadata.row_group(0)
            chunks = [group.column(number) for number in range(group.num_columns)]
            assert {chunk.compression for chunk in chunks} == {"ZSTD"}
            assert {encoding for chunk in chunks for encoding in chunk.encodings} <= {
                "PLAIN",
                "RLE",
                "RLE_DICTIONARY",
                "PLAIN_DICTIONARY",
            }
            assert {chunk.physical_type for chunk in chunks} <= {"BYTE_ARRAY", "DOUBLE", "INT64", "BOOLEAN"}
            assert all(name.replace("_", "").isalnum() for name in file.schema_arrow.names)
            timestamps = [t for t in file.schema_arrow.types if pa.types.is_timestamp(t)]
            assert set(timestamps) == {pa.timestamp("us", "UTC")}


class TestColumns:
    """Each field that a schema names has its kind, and what does not fit is null there."""

    def test_each_field_has_its_kind(self, written):
        schema = pq.read_schema(written.files()[0])

        assert [
            schema.field(name).type for name in ("input_card", "input_amount", "input_at", "input_items")
        ] == [
            pa.string(),
            pa.float64(),
            pa.timestamp("us", "UTC"),
            pa.int64(),
        ]
        assert schema.field("feature_known").type == pa.bool_()
        assert schema.field("reasons").type == pa.list_(pa.string())

    def test_the_whole_record_is_there_too(self, table):
        """Byte for byte, with what no column has."""
        record = make_record(values={"velocity": [1, 2]})
        table.deliver([record])

        row = pq.read_table(table.files()[0]).to_pylist()[0]
        assert row["record"].encode() == encode(record)
        assert row["values"] == '{"velocity":[1,2]}'

    @pytest.mark.parametrize(
        ("inputs", "column", "value"),
        [
            ({"amount": "much"}, "input_amount", None),
            ({"amount": 3}, "input_amount", 3.0),
            ({"amount": None}, "input_amount", None),
            ({}, "input_amount", None),
            ({"items": 2**70}, "input_items", None),
            ({"items": 2.0}, "input_items", 2),
            ({"items": True}, "input_items", None),
            ({"at": "yesterday"}, "input_at", None),
            ({"at": "2018-06-01T12:30:00+02:00"}, "input_at", NOW),
            ({"card": 4000}, "input_card", None),
        ],
    )
    def test_what_does_not_fit_is_null(self, table, inputs, column, value):
        """In its own column; the neighbours and the other records have theirs."""
        table.deliver([make_record(1), make_record(inputs={"card": "c", **inputs}), make_record(2)])

        rows = pq.read_table(table.files()[0])
        assert rows[column].to_pylist()[1] == value
        assert rows["score"].to_pylist() == [0.5, 0.5, 0.5]
        assert rows["input_amount"].to_pylist()[::2] == [1.0, 2.0]

    @pytest.mark.parametrize(
        "values", [{"customer": None}, {"customer": [1]}, {"customer": {"age": "old"}}, {}]
    )
    def test_an_effects_value_of_another_form_is_null(self, table, values):
        """An effect that failed has none."""
        table.deliver([make_record(), make_record(values=values)])

        assert pq.read_table(table.files()[0])["value_customer_age"].to_pylist() == [40, None]

    @pytest.mark.parametrize(
        "body", [b"", b"{}", b"[]", b"\xff", b'{"decision_id":"x"}', b'{"inputs":{"card":']
    )
    def test_what_is_no_record_is_rejected_and_holds_nobody_up(self, table, body):
        delivery = table.deliver([make_record(), body, make_record()])

        assert [entry.payload for entry, _ in delivery.rejected] == [body]
        assert len(table.ids()) == 2

    def test_a_record_of_a_newer_form_is_read(self, table):
        """Fields it does not know are passed over, and are in the whole record."""
        body = encode(make_record()).replace(b'{"format":1', b'{"mood":"good","format":9')
        table.deliver([body])

        row = pq.read_table(table.files()[0]).to_pylist()[0]
        assert (row["format"], '"mood":"good"' in row["record"]) == (9, True)

    def test_two_fields_for_one_column_are_said_at_start(self):
        """Upper and lower case are the same to SQL."""
        layout = RecordLayout(Schema("T", [Field("card", "text"), Field("Card", "text")]))

        with pytest.raises(ConfigError, match=r"column input_card would hold inputs.card and inputs.Card"):
            layout.columns()


def test_an_id_is_once_in_a_file(table):
    """Delivered twice in a batch, it is one row, and counted."""
    record = make_record()
    delivery = table.deliver([record, make_record(), record])

    assert delivery.duplicates == 1
    assert len(table.ids()) == 2


def test_a_new_column_is_null_in_older_rows(tmp_path):
    """A service's next version records one feature more: engines unite the files, compaction too."""
    grown = RecordLayout(
        Schema("Transaction", [*LAYOUT.inputs.fields, Field("channel", "text", nullable=True)]),
        LAYOUT.features,
        LAYOUT.outputs,
        LAYOUT.values,
    )
    Table(tmp_path).deliver([make_record(1), make_record(2)])
    table = Table(tmp_path, layout=grown)
    table.deliver([make_record(inputs={"card": "c", "amount": 3.0, "channel": "web"})])
    expected = [None, None, "web"]

    files = f"read_parquet('{table.folder}/**/*.parquet', union_by_name = true)"
    united = duckdb.sql(f"SELECT input_channel FROM {files} ORDER BY input_amount").fetchall()
    assert [row[0] for row in united] == expected
    newest = pq.read_schema(table.files()[-1])
    dataset = ds.dataset(table.folder, schema=newest).to_table().sort_by("input_amount")
    assert dataset["input_channel"].to_pylist() == expected
    lazy = pl.concat([pl.scan_parquet(path) for path in table.files()], how="diagonal")
    assert lazy.sort("input_amount").collect()["input_channel"].to_list() == expected

    table.clock.advance(3 * 3600)
    table.tidy()
    (merged,) = table.files()
    assert pq.read_table(merged).sort_by("input_amount")["input_channel"].to_pylist() == expected


class TestCompaction:
    """The small files of an hour that is over become one."""

    def test_an_hour_that_is_over_becomes_one_file(self, tmp_path):
        table = Table(tmp_path)
        for _ in range(4):
            table.deliver([later(0), later(1)])
        before = sorted(table.ids())
        table.clock.advance(2 * 3600)
        for _ in range(3):
            table.tidy()

        assert len(table.files()) == 2
        assert sorted(table.ids()) == before

    def test_the_current_hour_is_left_alone(self, table):
        for _ in range(3):
            table.deliver([later(0)])
        table.tidy()

        assert len(table.files()) == 3

    def test_an_old_hour_that_still_grows_is_left_alone(self, tmp_path):
        """A backlog's hours are over long before: merging after each of its files would never end."""
        table = Table(tmp_path, now=NOW + 5 * HOUR)
        for _ in range(3):
            table.deliver([later(0)])
            table.sink.tidy()

        assert len(table.files()) == 3

    def test_late_records_are_merged_too(self, tmp_path):
        """An hour that was merged has another file, and is merged again."""
        table = Table(tmp_path, now=NOW + 5 * HOUR)
        for _ in range(3):
            table.deliver([later(0)])
            table.tidy()

        assert len(table.files()) == 1
        assert len(table.ids()) == 3

    def test_an_id_that_came_twice_is_once_in_the_merged_file(self, tmp_path):
        record = make_record()
        table = Table(tmp_path, now=NOW + 5 * HOUR)
        table.deliver([record, make_record()])
        table.deliver([make_record(), record])
        table.tidy()

        assert len(table.files()) == 1
        assert max(Counter(table.ids()).values()) == 1
        assert len(table.ids()) == 3

    def test_columns_that_changed_their_type_stay_apart(self, tmp_path):
        """A service whose field became another kind: both files stay as they are."""
        other = RecordLayout(Schema("Transaction", [Field("card", "int"), Field("amount", "float")]))
        Table(tmp_path).deliver([make_record()])
        table = Table(tmp_path, layout=other, now=NOW + 5 * HOUR)
        table.deliver([make_record()])
        table.tidy()

        assert len(table.files()) == 2

    def test_compact_false_leaves_all_files(self, tmp_path):
        table = Table(tmp_path, now=NOW + 5 * HOUR, compact=False)
        table.deliver([later()])
        table.deliver([later()])
        table.tidy()

        assert len(table.files()) == 2

    def test_a_removal_that_failed_is_made_up_for(self, tmp_path):
        """The merged file is there and an old one could not be removed: the next time no record is lost."""
        disk = FaultyDisk()
        table = Table(tmp_path, disk=disk, now=NOW + 5 * HOUR)
        for _ in range(3):
            table.deliver([later()])
        disk.fail("remove")
        with pytest.raises(OSError, match="Input/output"):
            table.tidy()
        table.clock.advance(3600)
        table.tidy()

        assert len(table.files()) == 1
        assert len(set(table.ids())) == len(table.ids()) == 3

    def test_a_file_that_cannot_be_read_is_left_and_holds_nobody_up(self, tmp_path):
        """It is an error once in a while, and deliveries and other hours go on."""
        table = Table(tmp_path, now=NOW + 5 * HOUR)
        for _ in range(2):
            table.deliver([later(0), later(1)])
        table.files()[0].write_bytes(b"PAR1 rotten PAR1")
        with pytest.raises((OSError, ValueError)):
            table.tidy()
        for _ in range(3):
            table.tidy()

        assert len(table.files()) == 3


class TestFailures:
    """A disk that fails costs time; each record is in the table exactly once."""

    @pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC])
    @pytest.mark.parametrize("operation", ["publish", "sync_folder"])
    def test_a_failed_file_is_written_again(self, tmp_path, operation, error):
        """And its half is not left behind to fill the disk."""
        disk = FaultyDisk()
        table = Table(tmp_path, disk=disk)
        records = [later(0), later(1)]
        disk.fail(operation, after=1, error=error)
        with pytest.raises(OSError, match=r"Input/output|No space"):
            table.deliver(records)
        assert not list(table.folder.rglob(".*"))
        table.deliver(records)

        assert sorted(table.ids()) == sorted(record.decision_id for record in records)

    def test_death_at_every_step_loses_and_doubles_nothing(self, tmp_path):
        """The machine stops after the n-th operation on the disk, for each n, and starts again."""
        deaths = 0
        for step in range(1, 200):
            folder = tmp_path / str(step)
            records = [later(hours) for _ in range(2) for hours in (0, 1)]
            died = run_until_death(folder, records, DyingDisk(step))
            run_until_death(folder, records, Disk())
            ids = Table(folder).ids()
            assert Counter(ids) == Counter(record.decision_id for record in records), f"death at step {step}"
            deaths += died
            if not died:
                break
        assert deaths > 20

    def test_another_outbox_beside_the_table_takes_nothing_away(self, tmp_path):
        """A new outbox counts from 0 again: the files of the old one are not its own."""
        old = Table(tmp_path)
        old.deliver([make_record(i) for i in range(5)])
        new = Table(tmp_path / "new machine")
        new.sink = ParquetSink(old.folder, LAYOUT.columns(), ParquetSettings(), outbox=new.outbox)
        new.sink.open(0, threading.Event())
        new.deliver([make_record(i) for i in range(3)])

        assert len(old.ids()) == 8


class DyingDisk(Disk):
    """Does so many operations, and then never another: what a process leaves that was killed there."""

    def __init__(self, steps):
        self._steps = steps

    def __getattribute__(self, name):
        if not name.startswith("_"):
            if not self._steps:
                raise OSError(errno.EIO, "dead")
            self._steps -= 1
        return super().__getattribute__(name)


def run_until_death(folder, records, disk):
    """Deliver what the cursor has not passed, in batches of two, compacting between; whether it died."""
    try:
        table = Table(folder, disk=disk, now=NOW + 5 * HOUR)
        while left := records[table.cursor.sequence :]:
            table.deliver(left[:2])
        table.tidy()
    except OSError:
        return True
    return False
