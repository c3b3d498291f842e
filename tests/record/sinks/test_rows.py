"""Any bytes at all: a record is read or refused, and never stops those beside it."""

import contextlib

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st
from tests.record.conftest import LAYOUT, make_record

from veredito.errors import RecordError
from veredito.record.record import encode
from veredito.record.sinks.rows import RowReader

READER = RowReader(LAYOUT.columns())
SOUND = encode(make_record(1))
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | st.datetimes().map(str),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def table_with(payload):
    """A table of this payload, if it is a record, between two sound ones."""
    rows = [READER.read(SOUND)]
    with contextlib.suppress(RecordError):
        rows.append(READER.read(payload))
    return READER.table([*rows, READER.read(SOUND)])


@given(st.data())
def test_fields_of_any_form_are_read_or_null(data):
    """Whatever a field holds, the table is made, and the whole record is in it."""
    record = msgspec.json.decode(SOUND)
    name = data.draw(st.sampled_from([name for name in record if name not in {"decision_id", "answered_at"}]))
    inside = data.draw(st.sampled_from(["card", "amount", "at", "items", "known", "fraud", "customer"]))
    value = data.draw(ANYTHING)
    record[name] = {inside: value} if data.draw(st.booleans()) else value
    payload = msgspec.json.encode(record)
    table = table_with(payload)

    assert table["input_amount"].to_pylist()[:: len(table) - 1] == [1.0, 1.0]
    assert len(table) == 2 or table["record"][1].as_py().encode() == payload


@given(st.integers(0, len(SOUND) - 1), st.binary(max_size=3))
@example(SOUND.index(b'"answered_at":"') + 15, b"9999")
def test_damaged_bytes_are_read_or_refused(position, patch):
    """A few bytes changed anywhere."""
    table = table_with(SOUND[:position] + patch + SOUND[position + len(patch) :])

    assert table["input_amount"].to_pylist()[:: len(table) - 1] == [1.0, 1.0]
