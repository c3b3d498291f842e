"""Settings: all that is wrong with a config table, at once."""

from typing import Annotated, Literal

import msgspec

from veredito.schema import read_settings


class Limit(msgspec.Struct):
    rows: Annotated[int, msgspec.Meta(ge=1)] = 10


class Settings(msgspec.Struct):
    name: str
    mode: Literal["fast", "safe"] = "safe"
    limit: Limit | None = None
    limits: dict[str, Limit] = msgspec.field(default_factory=dict)

    def __post_init__(self):
        if self.name == self.mode:
            message = "name and mode must differ"
            raise ValueError(message)


def texts(table):
    return [str(problem) for problem in read_settings(Settings, table, "[x]")[1]]


def test_good_settings_are_read():
    """A table that fits becomes the struct."""
    settings, problems = read_settings(Settings, {"name": "a", "limits": {"b": {"rows": 2}}}, "[x]")

    assert problems == []
    assert settings == Settings(name="a", limits={"b": Limit(2)})


def test_all_problems_are_said_at_once():
    """Unknown, missing, ill-typed and out-of-bound values, nested ones too, with their places."""
    assert texts({"nam": "a", "mode": "quick", "limit": {"rows": 0}, "limits": {"b": {"row": 2}}}) == [
        "[x].nam: unknown key; available: name, mode, limit, limits. Hint: did you mean 'name'?",
        "[x].name: is required",
        "[x].mode: invalid enum value 'quick'",
        "[x.limit].rows: expected `int` >= 1",
        "[x.limits.b].row: unknown key; available: rows. Hint: did you mean 'rows'?",
    ]


def test_a_rule_over_the_whole_table_is_a_problem_too():
    """What `__post_init__` refuses is said with the table's place."""
    assert texts({"name": "safe"}) == ["[x]: name and mode must differ"]


def test_a_table_must_be_a_table():
    """A scalar where a table belongs is named."""
    assert texts({"name": "a", "limit": 3}) == ["[x.limit]: must be a table"]
