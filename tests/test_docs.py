"""The documents say what is there: every setting, every endpoint, every command; and their examples run."""

import re
from pathlib import Path

import msgspec
import pytest

from veredito.record import KafkaSettings, ParquetSettings, RecordSettings, SensitiveField
from veredito.serve import config
from veredito.serve.stages import STAGES

ROOT = Path(__file__).parents[1]

SETTINGS = {
    config.ServiceSettings: "service.md",
    config.DecisionSettings: "service.md",
    config.FallbackSettings: "service.md",
    config.ModelSettings: "service.md",
    config.AuthSettings: "service.md",
    RecordSettings: "record.md",
    ParquetSettings: "record.md",
    KafkaSettings: "record.md",
    SensitiveField: "record.md",
}


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda settings: settings.__name__)
def test_every_setting_is_documented(settings):
    """A key of the config has its place in its room's page."""
    page = (ROOT / "docs" / SETTINGS[settings]).read_text(encoding="utf-8")

    missing = [
        field.name
        for field in msgspec.structs.fields(settings)
        if f"`{field.name}`" not in page and field.name not in page
    ]

    assert missing == []


def test_every_stage_is_documented():
    """A stage that is measured is named where metrics are."""
    page = (ROOT / "docs" / "service.md").read_text(encoding="utf-8")

    assert [stage for stage in STAGES if f"`{stage}`" not in page] == []


PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")])
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if BLOCK.search(page.read_text(encoding="utf-8"))],
    ids=lambda p: p.name,
)
def test_examples_run(page, tmp_path, monkeypatch):
    """The Python of a page runs from top to bottom as one program; what a reader need not see is in a comment."""
    monkeypatch.chdir(tmp_path)
    text, names = page.read_text(encoding="utf-8"), {"__name__": page.stem}
    for block in BLOCK.finditer(text):
        above = text.count("\n", 0, block.start(1))  # so that a traceback names the page's own line

        exec(compile("\n" * above + block[1], page, "exec"), names)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_between_pages_lead_somewhere(page):
    """A relative link names a file that exists."""
    text = page.read_text(encoding="utf-8")
    targets = [part.partition(")")[0].partition("#")[0] for part in text.split("](")[1:]]
    relative = [target for target in targets if target and "://" not in target]

    assert [target for target in relative if not (page.parent / target).exists()] == []
