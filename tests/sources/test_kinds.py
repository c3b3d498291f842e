"""Every kind of source: checked alike, opened alike, closed alike."""

import subprocess
import sys

import pytest

from veredito import sources
from veredito.errors import ConfigError, MissingExtraError
from veredito.types import Source

VALID = {
    "http": {"url": "http://host/{key}"},
    "postgres": {"url": "postgresql://host/db", "query": "select $1"},
    "redis": {"url": "redis://host/0"},
    "table": {"path": "people.csv", "key": "id"},
    "windows": {
        "event": "id",
        "at": "at",
        "views": {"card": {"key": "card", "days": [1], "measures": ["count"]}},
    },
}


def test_every_kind_is_tested_here():
    """A new kind joins the tests."""
    assert set(VALID) == set(sources.KINDS)


@pytest.mark.parametrize("kind", sources.KINDS)
def test_a_source_is_opened_from_its_table(kind):
    """What passes the check opens, and is a source."""
    table = {"kind": kind} | VALID[kind]

    assert sources.check("it", table) == []
    assert isinstance(sources.open("it", table), Source)


@pytest.mark.parametrize("kind", sources.KINDS)
def test_an_unknown_key_is_a_mistake_with_a_hint(kind):
    """No option is accepted and ignored."""
    known = next(iter(VALID[kind]))
    problems = sources.check("it", {"kind": kind, f"{known}s": 1} | VALID[kind])

    assert [(p.place, p.what, p.hint) for p in problems] == [
        (f"[sources.it].{known}s", "unknown key", f"did you mean '{known}'?")
    ]


@pytest.mark.parametrize("kind", sources.KINDS)
def test_everything_missing_is_said_at_once(kind):
    """An empty table is told each key that it needs."""
    problems = sources.check("it", {"kind": kind})

    assert {problem.place.strip("[]").split(".")[2].strip("]") for problem in problems} == set(VALID[kind])


def test_an_unknown_kind_is_refused_with_the_known_ones():
    """Opening what does not check raises what the check says."""
    with pytest.raises(ConfigError, match=r"\[sources.it\].kind: unknown kind; available: http, .*'redis'"):
        sources.open("it", {"kind": "rediss"})
    with pytest.raises(ConfigError, match="kind: is required"):
        sources.open("it", {})


@pytest.mark.parametrize(("kind", "library"), [("redis", "redis"), ("postgres", "asyncpg")])
def test_a_library_that_is_not_installed_is_named_with_its_install_command(kind, library, monkeypatch):
    """Optional libraries are asked for only by the sources that need them."""
    monkeypatch.setitem(sys.modules, library, None)

    with pytest.raises(MissingExtraError, match=rf"pip install 'veredito\[{kind}\]'"):
        sources.open("it", {"kind": kind} | VALID[kind])


def test_importing_the_room_loads_no_library():
    """A service loads only what its own sources use."""
    code = "import sys, veredito.sources; print([m for m in ('aiohttp', 'redis', 'asyncpg', 'polars') if m in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert ran.stdout.strip() == "[]", ran.stderr
