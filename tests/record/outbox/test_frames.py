"""The framing, as a pure function of bytes: whatever happens to them, no wrong record comes out."""

from hypothesis import given
from hypothesis import strategies as st

from veredito.record.outbox import frames
from veredito.record.outbox.frames import Entry

payloads = st.lists(st.binary(max_size=60), max_size=8)
firsts = st.integers(0, 2**63)


def entries_of(first, payloads):
    return [Entry(first + i, payload) for i, payload in enumerate(payloads)]


def sound_entries(data):
    """Every sound frame, however far apart."""
    found, offset = [], 0
    while offset is not None:
        scan = frames.scan(data, offset)
        found += scan.entries
        offset = None if scan.stop == "end" else frames.resume(data, scan.consumed)
    return found


@given(firsts, payloads, st.integers(0, 100))
def test_what_is_written_is_read(first, payloads, zeros):
    """All frames come back in order, and the zeros of a segment that is not full are its end."""
    scan = frames.scan(frames.encode(first, payloads) + bytes(zeros))

    assert scan.entries == entries_of(first, payloads)
    assert scan.stop == ("end" if zeros else "more")


@given(firsts, payloads, st.data())
def test_a_cut_leaves_a_prefix(first, payloads, data):
    """A write that was cut anywhere gives its first frames, whole, and nothing else."""
    whole = frames.encode(first, payloads)
    cut = data.draw(st.integers(0, len(whole)))
    found = frames.scan(whole[:cut])

    assert found.entries == entries_of(first, payloads)[: len(found.entries)]
    assert found.consumed == len(frames.encode(first, payloads[: len(found.entries)]))


@given(firsts, payloads.filter(bool), st.data())
def test_a_flipped_bit_costs_one_record_at_most(first, payloads, data):
    """The frame that it hits is passed over; all others are found."""
    whole = bytearray(frames.encode(first, payloads))
    position = data.draw(st.integers(0, len(whole) - 1))
    whole[position] ^= 1 << data.draw(st.integers(0, 7))
    expected = entries_of(first, payloads)
    found = sound_entries(bytes(whole))

    assert [entry for entry in found if entry not in expected] == []
    assert len(found) == len(expected) - 1


@given(st.binary(max_size=300), st.integers(0, 300))
def test_any_bytes_are_read_without_fault(data, offset):
    """Garbage has no frames, and raises nothing."""
    scan = frames.scan(data, min(offset, len(data)))
    frames.resume(data, min(offset, len(data)))

    assert scan.entries == []


@given(firsts, st.binary(max_size=60))
def test_a_header_says_where_a_segment_begins(first, rest):
    """A header is sound for its own beginning only."""
    data = frames.header(first) + rest

    assert frames.header_fault(data, first) is None
    assert frames.header_fault(data, first + 1) is not None
    assert frames.header_fault(data[: frames.HEADER.size - 1], first) is not None


@given(firsts, st.integers(0, 8 * (frames.HEADER.size - 8) - 1))
def test_a_flipped_bit_in_a_header_is_noticed(first, bit):
    """All but its unused last bytes is covered by the checksum."""
    data = bytearray(frames.header(first))
    data[bit // 8] ^= 1 << bit % 8

    assert frames.header_fault(bytes(data), first) is not None
