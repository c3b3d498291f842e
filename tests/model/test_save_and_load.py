"""A model that was saved is the model that is loaded."""

import json
import subprocess
import sys
from typing import ClassVar

import msgspec
import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from tests.learn.cases import strange
from tests.model.artifacts import PAYMENTS, ROWS, SAMPLE, fitted, read

from veredito import learn, model
from veredito.errors import ArtifactError, InputError, SchemaError
from veredito.learn.step import Step
from veredito.schema import Field, Schema

OUTPUTS = ("prediction", "calibrated", "prediction_ecdf")


@pytest.fixture(scope="module")
def loaded(original):
    return model.load(original)


class TestLoadedModel:
    def test_its_tables_are_those_of_the_fitted_steps(self, loaded, trained):
        """Every bit of every column is the same, for rows like those of training and for strange ones."""
        for table in (PAYMENTS, strange(PAYMENTS)):
            assert_frame_equal(trained.step(table), loaded(table))

    def test_its_rows_are_those_of_its_tables(self, loaded):
        """One row, and many rows, give what the table gives."""
        table = loaded(SAMPLE).select(OUTPUTS).to_dicts()

        many = [msgspec.structs.asdict(answer) for answer in loaded.rows(ROWS)]
        singly = [msgspec.structs.asdict(loaded.rows([row])[0]) for row in ROWS]

        assert table == many == singly

    def test_it_knows_what_it_is(self, loaded, trained):
        """Name, schemas, metrics, log and libraries are those of the day it was saved."""
        assert loaded.name == "fraud"
        assert set(loaded.in_schema.names) == set(trained.step.reads)
        assert loaded.out_schema.names == OUTPUTS
        assert loaded.manifest.metrics == {"auc": 0.9}
        assert loaded.log["rows"] == PAYMENTS.height
        assert {"lightgbm", "polars", "veredito"} <= loaded.manifest.libraries.keys()
        assert loaded.manifest.tolerance == 0.0
        assert repr(loaded).startswith(f"Model fraud {loaded.version}: ")

    def test_rows_come_as_json_structs_or_mappings(self, loaded):
        """The same row is the same row however it came."""
        row = ROWS[0]
        struct = loaded.in_schema.decode(json.dumps(row).encode())

        assert loaded.rows([struct]) == loaded.rows([row])

    def test_no_rows_have_no_answers(self, loaded):
        """N in, N out, for N = 0 as well."""
        assert loaded.rows([]) == []

    def test_a_row_of_the_wrong_kind_is_the_callers_mistake(self, loaded):
        """Every such field is named, with its row, and no value is repeated."""
        with pytest.raises(InputError, match=r"\[1\]\.amount: must be a number") as caught:
            loaded.rows([ROWS[0], ROWS[1] | {"amount": "secret"}])

        assert "secret" not in str(caught.value)


class TestSaving:
    def test_the_same_model_is_the_same_version(self, trained, original, tmp_path):
        """The version says how the model answers, not when it was saved, how long it trained, or how good it is."""
        again = model.save(
            trained.step, tmp_path / "fraud", sample=SAMPLE, log={"seconds": 1.0}, metrics={"auc": 1}
        )

        assert again.version == model.load(original).version

    def test_another_model_is_another_version(self, original, tmp_path):
        """So does another bound of a step."""
        other = model.save(fitted(cap=150).step, tmp_path / "fraud", sample=SAMPLE)

        assert other.version != model.load(original).version

    def test_a_folder_that_is_there_stays_as_it_is(self, folder, trained):
        """Nobody's model is overwritten unasked."""
        before = read(folder)

        with pytest.raises(ArtifactError, match=r"is there already.*replace=True"):
            model.save(trained.step, folder, sample=SAMPLE)

        assert read(folder) == before

    def test_replacing_is_asked_for(self, folder):
        """The new model is whole, and nothing of the old one, nor of the work, is left."""
        saved = model.save(fitted(cap=150).step, folder, sample=SAMPLE, replace=True)

        assert model.load(folder).version == saved.version
        assert [path.name for path in folder.parent.iterdir()] == ["fraud"]

    def test_a_sample_without_a_column_is_refused(self, trained, tmp_path):
        """Every column that is missing is named."""
        with pytest.raises(ArtifactError, match=r"(?s)2 problems.*'amount'.*'merchant'"):
            model.save(trained.step, tmp_path / "m", sample=SAMPLE.drop("amount", "merchant"))

    def test_a_sample_without_rows_is_refused(self, trained, tmp_path):
        """No rows prove nothing."""
        with pytest.raises(ArtifactError, match="sample: has no rows"):
            model.save(trained.step, tmp_path / "m", sample=SAMPLE[:0])

    def test_a_log_that_is_no_json_is_refused(self, trained, tmp_path):
        """What cannot be written down, as it never ends, is said before anything is written."""
        log = {}
        log["itself"] = log

        with pytest.raises(ArtifactError, match="log: is no JSON"):
            model.save(trained.step, tmp_path / "m", sample=SAMPLE, log=log)

        assert list(tmp_path.iterdir()) == []

    def test_an_output_that_nobody_writes_is_refused(self, trained, tmp_path):
        """With the nearest name that somebody does."""
        with pytest.raises(SchemaError, match=r"no step writes it.*did you mean 'calibrated'"):
            model.save(
                trained.step,
                tmp_path / "m",
                sample=SAMPLE,
                outputs=Schema("Out", [Field("calibrate", "float")]),
            )

    def test_an_input_that_is_missing_from_the_schema_is_refused(self, trained, tmp_path):
        """So is one of the wrong kind."""
        fields = [Field("amount", "text"), Field("tenure", "float", nullable=True)]

        with pytest.raises(SchemaError, match=r"(?s)In\.amount: is text.*In\.merchant: the model reads it"):
            model.save(trained.step, tmp_path / "m", sample=SAMPLE, inputs=Schema("In", fields))

    def test_outputs_can_be_named(self, trained, tmp_path):
        """The answer has what the caller needs, and no more."""
        model.save(trained.step, tmp_path / "m", sample=SAMPLE, outputs=["prediction_ecdf", "merchant"])

        answer = model.load(tmp_path / "m").rows(ROWS[:1])[0]

        assert answer.__struct_fields__ == ("prediction_ecdf", "merchant")

    def test_a_model_without_an_answer_is_refused(self, tmp_path):
        """Steps that only take columns away answer nothing."""
        step = learn.dropper(["amount"])(PAYMENTS).step

        with pytest.raises(SchemaError, match=r"MOutput: has no fields: nothing would be answered"):
            model.save(step, tmp_path / "m", sample=PAYMENTS)

    def test_steps_without_a_model_can_be_saved(self, tmp_path):
        """Then all that they write is the answer."""
        step = learn.imputer(["tenure"])(PAYMENTS).step
        model.save(step, tmp_path / "m", sample=PAYMENTS.select("tenure"))

        assert model.load(tmp_path / "m").rows([{"tenure": 1.0}])[0].tenure == 1.0

    def test_state_that_is_no_data_cannot_be_saved(self, tmp_path):
        """An object would need code to come back."""

        class Sealed(learn.Step, kind="test_sealed"):
            inner: object

            needs: ClassVar = {"x": "number"}
            writes = ("x",)

            def apply(self, table):
                return table

            def bind(self, layout):
                return lambda block: None

        with pytest.raises(
            ArtifactError, match=r"step 'test_sealed': a object cannot be saved.*state is JSON"
        ):
            model.save(Sealed(object()), tmp_path / "m", sample=pl.DataFrame({"x": [1.0]}))

    def test_forms_that_do_not_agree_are_not_saved(self, tmp_path):
        """A step whose row form gives other numbers is found before anyone relies on it."""

        class TwoMinds(learn.Step, kind="test_two_minds"):
            needs: ClassVar = {"x": "number"}
            writes = ("x",)

            def apply(self, table):
                return table.with_columns(pl.col("x") * 0.1)

            def bind(self, layout):
                slot = layout.number("x")

                def kernel(block):
                    block.numbers[:, slot] /= 10

                return kernel

        with pytest.raises(ArtifactError, match=r"(?s)row form does not give.*output 'x': row 2 "):
            model.save(TwoMinds(), tmp_path / "m", sample=pl.DataFrame({"x": [0.0, 1.0, 3.0]}))

    def test_every_value_that_a_state_may_hold_comes_back(self, tmp_path):
        """Infinities, NaN, empty and large things, arrays of any shape, and mappings with any key."""

        class Holder(learn.Step, kind="test_holder"):
            held: dict = learn.step.fitted()

            needs: ClassVar = {"x": "number"}
            writes = ("x",)

            def apply(self, table):
                return table

            def bind(self, layout):
                return lambda block: None

        inner = learn.capper(["x"])(pl.DataFrame({"x": [1.0, 2.0]})).step
        held = {
            "floats": (float("inf"), float("-inf"), -0.0, 5e-324, 0.1),
            "large": 2**62,
            "text": "é\n\N{SNOWMAN}" * 3_000,
            "bytes": bytes(range(256)),
            "nothing": None,
            "keys": {1: "a", None: "b", ("x", 2.5): "c", "$step": "d"},
            "arrays": (
                np.zeros((0, 3)),
                np.arange(6).reshape(2, 3),
                np.array([True, False]),
                np.array([np.nan, -0.0]),
            ),
            "texts": np.array(["a", None, ""], dtype=object),
            "step": inner,
        }
        step = Holder(held)
        model.save(step, tmp_path / "m", sample=pl.DataFrame({"x": [1.0]}))

        again = model.load(tmp_path / "m").step

        assert isinstance(again, Step)
        assert again == step
        assert again.held["arrays"][3].tobytes() == held["arrays"][3].tobytes()
        assert not again.held["arrays"][1].flags.writeable


def test_loading_and_answering_imports_no_model_library_and_unpickles_nothing(original):
    """A worker is ready soon and stays small; and no byte of an artifact becomes code."""
    script = """
import sys
seen = []
sys.addaudithook(lambda event, _: seen.append(event) if event == "pickle.find_class" else None)
from veredito import model
fraud = model.load(sys.argv[1])
fraud.rows([{"amount": 1.0, "tenure": None, "merchant": "air"}])
assert not seen, "something was unpickled"
heavy = {"lightgbm", "sklearn", "pandas", "scipy", "matplotlib"} & {name.partition(".")[0] for name in sys.modules}
assert not heavy, heavy
"""
    done = subprocess.run([sys.executable, "-c", script, original], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
