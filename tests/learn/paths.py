"""Both executions of a step, side by side: the table form, and the row form at N rows and at one."""

import numpy as np
import polars as pl

from veredito.learn.rows import through_rows
from veredito.learn.step import step_of, walk


def assert_same(expected, found, name, tolerance=0.0):
    """The two columns hold the same values, to the last bit or within a tolerance; missing equals missing."""
    if expected.dtype == pl.String:
        assert expected.to_list() == found.to_list(), name
        return
    expected, found = (s.cast(pl.Float64).fill_null(float("nan")).to_numpy() for s in (expected, found))
    close = np.allclose(expected, found, rtol=tolerance, atol=0.0, equal_nan=True)
    assert close, (name, expected[:20], found[:20])


def assert_both_paths_agree(step, table):
    """The table form, the row form on all rows, and the row form row by row give the same."""
    tolerance = max(getattr(part, "tolerance", 0.0) for part in walk(step))
    from_table = step(table)
    at_once, singly = through_rows(step, table), through_rows(step, table, at_once=1)
    for name in at_once.columns:
        assert_same(from_table[name], at_once[name], name, tolerance)
        assert_same(from_table[name], singly[name], name, tolerance)
    assert set(at_once.columns) == {name for name in step.writes if name in from_table.columns}


def restored(step):
    """The step after its state went out and came back."""
    return step_of(step.kind).restore(step.params(), step.state())


def fit(learner, **columns):
    """Fit on a table of these columns."""
    return learner(pl.DataFrame(columns))
