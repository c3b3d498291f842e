"""The page on sources says what is there."""

from pathlib import Path

import msgspec
import pytest

from veredito import sources
from veredito.graph.resilience import Breaker, Cache, Hedge, Limit, Retry
from veredito.sources.http import HttpSettings
from veredito.sources.postgres import PostgresSettings
from veredito.sources.redis import RedisSettings
from veredito.sources.resilience import ResilienceSettings
from veredito.sources.table import TableSettings
from veredito.sources.windows import ViewSettings, WindowsSettings

SETTINGS = {
    "http": HttpSettings,
    "postgres": PostgresSettings,
    "redis": RedisSettings,
    "table": TableSettings,
    "windows": WindowsSettings,
}

PAGE = (Path(__file__).parents[2] / "docs" / "sources.md").read_text(encoding="utf-8")


def section(kind):
    return PAGE.partition(f"\n## {kind}\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize("kind", sources.KINDS)
def test_every_setting_of_a_kind_is_documented(kind):
    """A key that the config takes has its row in the kind's table, with its default."""
    elsewhere = {"kind", *ResilienceSettings.__struct_fields__}
    names = [field.name for field in msgspec.structs.fields(SETTINGS[kind]) if field.name not in elsewhere]

    assert [name for name in names if f"| `{name}` |" not in section(kind)] == []


def test_every_setting_of_a_view_is_documented():
    """The windows' views have their own table."""
    names = [field.name for field in msgspec.structs.fields(ViewSettings)]

    assert [name for name in names if f"| `{name}` |" not in section("windows")] == []


def test_every_policy_is_documented():
    """What goes into the table of any source that is asked over a network has a section of its own."""
    policies = {"retry": Retry, "hedge": Hedge, "breaker": Breaker, "limit": Limit, "cache": Cache}
    names = [*ResilienceSettings.__struct_fields__]
    names += [
        f"{policy}.{field}" for policy, struct in policies.items() for field in struct.__struct_fields__
    ]

    assert [name for name in names if f"| `{name}` |" not in section("Under stress")] == []
