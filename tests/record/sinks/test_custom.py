"""A sink of one's own, as the docs show it."""

import asyncio
import json
import re
import sys
from pathlib import Path

import msgspec
import pytest
from tests.record.conftest import LAYOUT, make_record, make_settings

from veredito.errors import ConfigError
from veredito.record import ParquetSettings, Recorder, RecordSettings

PAGE = Path(__file__).parents[3] / "docs" / "sinks.md"


@pytest.fixture
def my_sinks(tmp_path, monkeypatch):
    """The page's own code, as a module that a config can name."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    more = """

class Failing(Lines):
    tries = 0

    def deliver(self, batch):
        Failing.tries += 1
        if Failing.tries < 3:
            raise ConnectionError("not yet")
        return super().deliver(batch)


class Picky(Lines):
    def deliver(self, batch):
        return Delivery(rejected=tuple((entry, "not this one") for entry in batch.entries))


class Nothing:
    def __init__(self, name):
        self.name = name


thing = 3
"""
    (tmp_path / "my_sinks.py").write_text(code + more)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    sys.modules.pop("my_sinks", None)


def record_some(settings, count=50):
    async def append_all(recorder):
        await asyncio.gather(*(recorder.append(make_record(i)) for i in range(count)))

    with Recorder.open(settings, LAYOUT) as recorder:
        asyncio.run(append_all(recorder))
        assert recorder.drain(20)
        return recorder.accounts()


def settings_with(folder, kind, **arguments):
    sinks = {"lines": {"kind": kind, "path": str(folder / "out.jsonl"), **arguments}}
    return make_settings(folder / "record", sinks=sinks)


@pytest.mark.parametrize("kind", ["my_sinks:Lines", "my_sinks:Failing"])
def test_it_gets_every_record_beside_the_table(my_sinks, kind):
    """With a cursor and accounts of its own, and again after it failed."""
    accounts = record_some(settings_with(my_sinks, kind))

    lines = (my_sinks / "out.jsonl").read_text().splitlines()
    assert [json.loads(line)["inputs"]["amount"] for line in lines] == list(range(50))
    assert accounts.balanced
    assert {name: sink.delivered for name, sink in accounts.sinks.items()} == {"parquet": 50, "lines": 50}


def test_what_it_rejects_is_kept(my_sinks):
    accounts = record_some(settings_with(my_sinks, "my_sinks:Picky"), 3)

    assert accounts.sinks["lines"].rejected == 3
    assert len(list(my_sinks.rglob("rejected/lines-*.jsonl"))) == 3


def test_it_may_be_the_only_one(my_sinks):
    settings = msgspec.structs.replace(
        settings_with(my_sinks, "my_sinks:Lines"), parquet=ParquetSettings(enabled=False)
    )

    assert list(record_some(settings, 3).sinks) == ["lines"]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({}, "kind: is missing"),
        ({"kind": "my_sinks"}, "kind: is missing"),
        ({"kind": "my_sinks:Line"}, "cannot be imported"),
        ({"kind": "no_such_module:Lines"}, "cannot be imported"),
        ({"kind": "my_sinks:thing"}, "is no class"),
        ({"kind": "my_sinks:Lines", "pth": "x"}, "does not take these keys: .*available: path"),
        ({"kind": "my_sinks:Nothing"}, "makes no sink of this name"),
    ],
)
def test_what_is_wrong_with_it_is_said_at_start(my_sinks, table, message):
    settings = make_settings(my_sinks / "record", sinks={"lines": table})

    with pytest.raises(ConfigError, match=rf"\[record.sinks.lines\].*{message}"):
        Recorder.open(settings, LAYOUT)


def test_its_name_is_a_files_name():
    """The cursor's."""
    with pytest.raises(msgspec.ValidationError, match="matching regex"):
        msgspec.convert({"folder": "x", "sinks": {"a/b": {"kind": "m:C"}}}, RecordSettings)
