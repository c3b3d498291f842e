"""Columns from a user's own function: which can be fitted, and which can be saved."""

import numpy as np
import polars as pl
import pytest

from veredito import learn
from veredito.errors import LearnerError

TABLE = pl.DataFrame({"x": [1.0, 4.0]})


def test_a_function_that_cannot_be_imported_is_fitted_and_logged_by_its_name():
    """In a notebook one tries things; only what is saved must be importable."""
    step, table, log = learn.column_function(lambda x: x + 1, columns=["x"])(TABLE)

    assert table["x"].to_list() == [2.0, 5.0]
    assert log["fitted"]["function"].endswith("<lambda>")
    with pytest.raises(
        LearnerError, match=r"<lambda> cannot be saved. Hint: define it at the top of a module"
    ):
        step.params()


def test_a_function_of_the_main_script_is_not_saved(monkeypatch):
    """Where the model is loaded, another script is the main one."""
    import __main__

    def double(x):
        return 2 * x

    double.__module__, double.__qualname__ = "__main__", "double"
    monkeypatch.setattr(__main__, "double", double, raising=False)
    step = learn.column_function(double, columns=["x"])(TABLE).step

    with pytest.raises(LearnerError, match=r"__main__.double cannot be saved"):
        step.params()


def test_a_function_of_a_module_is_saved_by_name():
    """And found again by it."""
    step = learn.column_function(np.sqrt, columns=["x"])(TABLE).step

    assert step.params()["function"] == "numpy:sqrt"
    assert type(step).restore(step.params(), step.state()) == step
