"""What must hold after any violence, whatever it was."""

from collections import Counter

import pyarrow.parquet as pq

from veredito.record import tools


def records_of(folder):
    """All that the outbox and the table have, by decision id."""
    return {record.decision_id: record for record in tools.read(folder)}


def assert_nothing_lost(folder, acknowledged):
    """Every answer that a caller has is recorded, as it was given."""
    records = records_of(folder)
    lost = [number for number, answer in acknowledged.items() if answer["decision_id"] not in records]
    assert lost == []
    for number, answer in acknowledged.items():
        record = records[answer["decision_id"]]
        assert record.inputs["payment_id"] == f"p{number}"
        assert (record.action, record.source, record.status) == (
            answer["action"],
            answer["source"],
            "answered",
        )


def assert_nothing_invented(folder, sent, refused):
    """No record of a decision that nobody asked for, or that its caller was refused; none twice."""
    decided = [r for r in records_of(folder).values() if r.status == "answered"]
    numbers = Counter(int(record.inputs["payment_id"][1:]) for record in decided)
    assert [number for number, count in numbers.items() if count > 1] == []
    assert numbers.keys() - sent == set()
    assert numbers.keys() & refused == set()


def assert_accounts(folder):
    """The formula holds, and every sink has everything. For a folder whose service has stopped in order."""
    for outbox in tools.status(folder):
        for sink in outbox.sinks.values():
            assert outbox.recorded == sink.before + sink.delivered + sink.waiting + sink.rejected
            assert (sink.waiting, sink.damaged, sink.rejected) == (0, 0, 0)
    assert tools.verify(folder) == []


def assert_once_in_table(folder, acknowledged):
    """Each decision is one row of the table."""
    ids = pq.read_table(folder / "parquet", columns=["decision_id"])["decision_id"].to_pylist()
    assert [i for i, count in Counter(ids).items() if count > 1] == []
    assert {answer["decision_id"] for answer in acknowledged.values()} - set(ids) == set()
