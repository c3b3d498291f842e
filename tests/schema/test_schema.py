"""Schemas: what fits, what does not, and how it is said."""

import datetime as dt
import json
from typing import Annotated, Literal

import msgspec
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from veredito.errors import InputError, SchemaError
from veredito.schema import Field, Schema, breaking_changes


class Payment(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    amount: Annotated[float, msgspec.Meta(ge=0.0, le=1e6)]
    at: Annotated[dt.datetime, msgspec.Meta(tz=True)]
    items: int = 1
    channel: Literal["web", "shop"] | None = None
    note: Annotated[str, msgspec.Meta(max_length=5)] | None = None
    known: bool | None = None


schema = Schema.of(Payment)
GOOD = {"amount": 12.5, "at": "2018-06-01T10:00:00Z"}


def faults(call, *arguments):
    with pytest.raises(InputError) as caught:
        call(*arguments)
    return {problem.place: problem.what for problem in caught.value.problems}


class TestOf:
    def test_fields_come_from_the_struct(self):
        """A user's struct and the fields written by hand are the same schema."""
        by_hand = Schema(
            "Payment",
            [
                Field("amount", "float", minimum=0.0, maximum=1e6),
                Field("at", "timestamp"),
                Field("items", "int", default=1),
                Field("channel", "text", nullable=True, categories=("web", "shop")),
                Field("note", "text", nullable=True, length_max=5),
                Field("known", "bool", nullable=True),
            ],
        )

        assert schema == by_hand

    def test_rows_are_the_users_own_type(self):
        """Decoding gives the struct that the schema was made of."""
        assert isinstance(schema.decode(json.dumps(GOOD).encode()), Payment)

    def test_everything_that_is_not_flat_is_named_at_once(self):
        """Each unfit field has its own problem."""

        class Bad(msgspec.Struct):
            tags: list[str]
            naive: dt.datetime
            positive: Annotated[float, msgspec.Meta(gt=0)]
            half: float | None
            fine: int

        with pytest.raises(SchemaError) as caught:
            Schema.of(Bad)

        assert [problem.place for problem in caught.value.problems] == [
            "Bad",
            "Bad.tags",
            "Bad.naive",
            "Bad.positive",
            "Bad.half",
        ]

    def test_a_name_written_twice_is_refused(self):
        """Names differ."""
        with pytest.raises(SchemaError, match=r"S\.a: a name written twice"):
            Schema("S", [Field("a", "int"), Field("a", "text")])

    @pytest.mark.parametrize("name", ["card type", "class", "1st", "a;b", "a.b"])
    def test_a_name_that_no_row_could_carry_is_refused(self, name):
        """Rows are objects, and names become code: both need plain names."""
        with pytest.raises(SchemaError, match="cannot be an attribute"):
            _ = Schema("S", [Field(name, "int")]).struct


class TestField:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"kind": "flaot"}, "did you mean 'float'"),
            ({"kind": "text", "minimum": 1}, "bounds on a text field"),
            ({"kind": "int", "categories": ("a",)}, "categories or a length on a int field"),
            ({"kind": "int", "minimum": 2, "maximum": 1}, "minimum above maximum"),
            ({"kind": "int", "minimum": 2, "default": 1}, "the default must be at least 2"),
            ({"kind": "text", "categories": ()}, "an empty list of categories"),
        ],
    )
    def test_parts_that_contradict_each_other_are_refused(self, arguments, message):
        """A field that no value could fit is an error when it is made."""
        with pytest.raises(SchemaError, match=message):
            Field("f", **arguments)


class TestDecode:
    def test_every_fault_is_named_and_no_value_is_repeated(self):
        """One answer lists all that is wrong."""
        body = {
            "amount": -77.25,
            "items": "secret-1",
            "channel": "secret-2",
            "note": "secret-3",
            "chanel": "secret-4",
        }

        found = faults(schema.decode, json.dumps(body).encode())

        assert found == {
            "chanel": "unknown field",
            "amount": "must be at least 0.0",
            "at": "is required",
            "items": "must be an integer",
            "channel": "must be one of shop, web",
            "note": "must be at most 5 characters long",
        }
        with pytest.raises(InputError) as caught:
            schema.decode(json.dumps(body).encode())
        assert "secret" not in str(caught.value)
        assert "77" not in str(caught.value)

    @pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000, b'{"amount": 1.5, "at": 1'])
    def test_what_is_not_json_is_refused(self, body):
        """Broken JSON is a fault of the body."""
        assert set(faults(schema.decode, body)) == {"body"}

    @pytest.mark.parametrize("body", [b"[]", b"1", b"null", b'"x"'])
    def test_what_is_not_an_object_is_refused(self, body):
        """A row is a JSON object."""
        assert faults(schema.decode, body) == {"body": "must be a JSON object"}

    @pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity", b"1e999"])
    def test_a_number_that_is_not_finite_is_named(self, number):
        """What JSON does not have is a fault of its field, not of the whole body."""
        body = b'{"amount": ' + number + b', "at": "2018-06-01T10:00:00Z"}'

        assert faults(schema.decode, body) == {"amount": "must be finite"}

    def test_a_timestamp_needs_its_offset(self):
        """A local time is not a moment."""
        found = faults(schema.decode, json.dumps(GOOD | {"at": "2018-06-01T10:00:00"}).encode())

        assert "UTC offset" in found["at"]

    def test_rows_of_a_batch_are_numbered(self):
        """A fault of a batch names the row."""
        body = json.dumps([GOOD, GOOD | {"amount": "x"}, 3]).encode()

        assert faults(schema.decode_many, body) == {
            "[1].amount": "must be a number",
            "[2]": "must be a JSON object",
        }

    def test_a_long_batch_of_faults_is_cut(self):
        """The list of faults is bounded."""
        found = faults(schema.decode_many, json.dumps([{}] * 1000).encode())

        assert len(found) < 100
        assert found["body"].startswith("rows after")


values = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8),
    st.sampled_from(["web", "shop", "2018-06-01T10:00:00Z", "2018-06-01T10:00:00", "2018-06-01"]),
    st.lists(st.integers(), max_size=1),
)  # fmt: skip


@given(st.dictionaries(st.sampled_from([*schema.names, "other"]), values))
def test_the_fast_and_the_thorough_check_agree(row):
    """A mapping that `check()` accepts converts; what it refuses, msgspec refuses too, NaN apart."""
    body = msgspec.json.encode(row)  # NaN and infinity become null

    through_json = json.loads(body)
    try:
        schema.decode(body)
        accepted = True
    except InputError:
        accepted = False

    assert accepted == (schema.check(through_json) == [])


class TestForms:
    def test_a_schema_survives_its_data_form(self):
        """`from_dict(to_dict())` is the same schema, by way of JSON."""
        again = Schema.from_dict(json.loads(json.dumps(schema.to_dict())))

        assert again == schema
        assert again.decode(json.dumps(GOOD).encode()).amount == 12.5

    def test_json_schema_states_the_contract(self):
        """Bounds, categories, nulls and the refusal of unknown fields are in it."""
        form = schema.json_schema()

        assert form["required"] == ["amount", "at"]
        assert form["additionalProperties"] is False
        assert form["properties"]["amount"] == {"type": "number", "minimum": 0.0, "maximum": 1e6}
        assert form["properties"]["channel"] == {"type": ["string", "null"], "enum": ["shop", "web", None]}

    def test_tables_have_the_schemas_types(self):
        """A Polars table made with `polars()` gives the fields back."""
        table = pl.DataFrame(schema=schema.polars())

        kinds = [(field.name, field.kind) for field in Schema.of_table(table, "Payment")]

        assert kinds == [(field.name, field.kind) for field in schema]

    def test_arrow_and_polars_agree(self):
        """Both forms describe one table."""
        assert (
            pl.DataFrame(schema=schema.polars()).to_arrow().schema.field("at").type
            == schema.arrow().field("at").type
        )

    def test_convert_treats_nan_as_missing(self):
        """NaN in a nullable field is null; in another it is missing."""
        nullable = Schema("S", [Field("x", "float", nullable=True)])

        assert nullable.convert({"x": float("nan")}).x is None
        assert faults(Schema("S", [Field("x", "float")]).convert, {"x": float("nan")}) == {
            "x": "must not be missing"
        }


class TestCompatibility:
    def test_widening_breaks_nothing(self):
        """Whatever fitted before fits after."""
        old = Schema("S", [Field("a", "int", minimum=0), Field("b", "text", categories=("x",))])
        new = Schema(
            "S", [Field("a", "float"), Field("b", "text", nullable=True), Field("c", "int", nullable=True)]
        )

        assert breaking_changes(old, new) == []

    def test_narrowing_is_named(self):
        """Each way in which a row may be refused has a line."""
        old = Schema("S", [Field("a", "float"), Field("b", "text"), Field("c", "int", nullable=True)])
        new = Schema(
            "S", [Field("a", "int", maximum=3), Field("b", "text", categories=("x",)), Field("d", "int")]
        )

        assert [str(problem) for problem in breaking_changes(old, new)] == [
            "S.c: removed, and unknown fields are refused",
            "S.a: changed from float to int",
            "S.a: the maximum fell to 3",
            "S.b: categories no longer allowed: any but the listed",
            "S.d: a new required field",
        ]
