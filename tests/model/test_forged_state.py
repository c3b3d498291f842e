"""State that somebody wrote who can also write hashes to match: a model or a refusal, and no code is run."""

import contextlib
import functools
import pickle
import shutil
import tempfile
import warnings
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.model.artifacts import forge

from veredito import learn, model
from veredito.errors import ArtifactError, MissingExtraError


class TestForgedState:
    """What somebody writes who can also write hashes to match."""

    @pytest.mark.parametrize(
        "name",
        [
            "pickle:loads",
            "_pickle:loads",
            "builtins:exec",
            "os:system",
            "pickle:Unpickler",
            "cloudpickle:loads",
            "nowhere:f",
        ],
    )
    def test_a_function_that_would_run_what_is_in_an_array_is_not_called(self, tmp_path, name):
        """The payload waits in the parity rows; no function of Python's own is reached, by any name."""
        made = tmp_path / "made-by-the-payload"
        code = f"import pathlib; pathlib.Path({str(made)!r}).touch() #".encode()
        if "loads" in name or "Unpickler" in name:
            code = pickle.dumps(_Payload(str(made)), protocol=0)
        code += b" " * (-len(code) % 8)
        values = np.frombuffer(code, dtype=float)
        table = pl.DataFrame({"x": np.resize(values, max(64, len(values)))})
        model.save(learn.column_function(np.sqrt, columns=["x"])(table).step, tmp_path / "m", sample=table)
        state = (tmp_path / "m" / "state.json").read_bytes()
        assert b"numpy:sqrt" in state
        forge(tmp_path / "m", {"state.json": state.replace(b"numpy:sqrt", name.encode())})

        with pytest.raises(
            ArtifactError, match=r"function '.*' is|cannot be imported|cannot be saved|a row cannot"
        ):
            model.load(tmp_path / "m")

        assert not made.exists()

    def test_an_expression_that_calls_python_is_not_read(self, tmp_path):
        """Polars would unpickle the function in it."""
        made = tmp_path / "made-by-the-payload"
        table = pl.DataFrame({"x": [1.0, 2.0]})
        model.save(learn.expression(pl.col("x") * 2)(table).step, tmp_path / "m", sample=table)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            calling = pl.col("x").map_batches(functools.partial(_touch, str(made)), return_dtype=pl.Float64)
            text = calling.meta.serialize(format="json")
        state = msgspec.json.decode((tmp_path / "m" / "state.json").read_bytes())
        state["params"]["expressions"] = [text]
        forge(tmp_path / "m", {"state.json": msgspec.json.encode(state)})

        with pytest.raises(ArtifactError, match="calls code outside Polars"):
            model.load(tmp_path / "m")

        assert not made.exists()

    @settings(max_examples=150)
    @given(data=st.data())
    def test_any_other_state_is_a_model_or_an_error(self, original, data):
        """A value of the state or of the manifest replaced by another: never anything but a refusal in words."""
        with tempfile.TemporaryDirectory() as beside:
            folder = shutil.copytree(original, Path(beside) / "fraud")
            state = msgspec.json.decode((folder / "state.json").read_bytes())
            _replace_one(data, state)
            forge(folder, {"state.json": msgspec.json.encode(state)})

            with contextlib.suppress(ArtifactError, MissingExtraError):
                assert model.load(folder).name == "fraud"


class _Payload:
    def __init__(self, made):
        self.made = made

    def __reduce__(self):
        return Path.touch, (Path(self.made),)


def _touch(made, series):
    Path(made).touch()
    return series


def _places(value):
    """Every (container, key) in nested JSON."""
    items = (
        list(value.items())
        if isinstance(value, dict)
        else list(enumerate(value))
        if isinstance(value, list)
        else []
    )
    for key, inner in items:
        yield value, key
        yield from _places(inner)


ODD = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.floats(), st.sampled_from(["", "amount", "$array", "capper", "pipeline"]),
    st.just([]), st.just({}), st.builds(lambda i: {"$array": i}, st.integers(-2, 40)), st.just({"$step": {}}),
    st.just({"$text": "state.json"}), st.just({"$pairs": [[[], 1]]}), st.just({"$float": "nan"}),
)  # fmt: skip


def _replace_one(data, state):
    places = [(holder, key) for holder, key in _places(state) if holder is not state or key != "kind"]
    holder, key = places[data.draw(st.integers(0, len(places) - 1), label="place")]
    if data.draw(st.booleans(), label="remove"):
        del holder[key]
    else:
        holder[key] = data.draw(ODD, label="value")
