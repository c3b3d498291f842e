"""What a team already has, for the while until it is trained again: a function of pandas tables, or a pickle.

It takes part in pipelines, validation and plots, as a table form only. It is code and not data, so it is never
saved into an artifact and never serves rows: trying to says so, and what to do instead.
"""

from __future__ import annotations

import dataclasses
import hashlib
import pickle
from abc import abstractmethod
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

import polars as pl

from veredito.errors import ArtifactError, LearnerError, Problem
from veredito.learn.arrays import Want
from veredito.learn.block import Layout
from veredito.learn.learner import Fit, Learner, names_of, settle
from veredito.learn.models.model_learner import class_name, output_names
from veredito.learn.preview import Preview
from veredito.learn.step import Step

PandasFunction = Callable[[Any], Any]
"""A pandas table to the same rows in the same order, with columns added, changed or dropped."""

_INSTEAD = "train the same steps with veredito.learn, and save those; docs/from_fklearn.md shows how"


class Foreign(Step, kind="foreign"):
    """Somebody else's function of pandas tables. Table only: it cannot serve rows, and cannot be saved."""

    title: str
    columns: tuple[str, ...]
    made: tuple[str, ...]
    dropped: tuple[str, ...]
    function: PandasFunction

    table_only = True

    @property
    def needs(self) -> dict[str, Want]:
        """The columns that the function is shown."""
        return dict.fromkeys(self.columns, "any")

    @property
    def writes(self) -> tuple[str, ...]:
        """What it added or changed in training."""
        return self.made

    @property
    def drops(self) -> tuple[str, ...]:
        """What it left out in training."""
        return self.dropped

    @property
    def log_state(self) -> dict[str, Any]:
        """What it is; there is nothing to look into."""
        return {"foreign": self.title}

    def apply(self, table: pl.DataFrame) -> pl.DataFrame:
        """The columns as pandas, the function, and what it made as Polars."""
        made = called(self.function, self.title, table.select(self.columns))
        absent = [name for name in self.made if name not in made.columns]
        if absent:
            what = f"did not make '{absent[0]}', as it did in training"
            raise LearnerError(Problem(self.title, what, tuple(map(str, made.columns))))
        written = pl.from_pandas(made.loc[:, list(self.made)])
        return table.with_columns(written.get_columns()).drop(self.dropped, strict=False)

    def bind(self, layout: Layout) -> NoReturn:  # noqa: ARG002 - refused, whatever the layout
        """There is no row form.

        Raises:
            ArtifactError: always.
        """
        raise ArtifactError(
            Problem(self.title, "has a table form only, and cannot serve rows", hint=_INSTEAD)
        )

    def params(self) -> NoReturn:
        """It is code, and is not written into an artifact.

        Raises:
            ArtifactError: always.
        """
        raise ArtifactError(Problem(self.title, "is code and not data, and is never saved", hint=_INSTEAD))

    def __repr__(self) -> str:
        return f"Foreign({self.title}: table only, not saved)"


def called(function: PandasFunction, title: str, table: pl.DataFrame) -> Any:
    """What the function makes of a table, as pandas.

    Raises:
        LearnerError: pandas is not there, or the result is no pandas table of the same rows.
    """
    try:
        given = table.to_pandas()
    except ImportError as error:
        raise LearnerError(Problem(title, "needs pandas", hint="pip install pandas")) from error
    index = given.index
    made = function(given)
    if type(made).__name__ != "DataFrame" or not index.equals(getattr(made, "index", None)):
        what = f"must give a pandas table of the same {table.height} rows in their order, and gave {_shape(made)}"
        raise LearnerError(Problem(title, what))
    return made


def _shape(made: Any) -> str:
    rows = f" of {len(made)} rows" if hasattr(made, "__len__") else ""
    return f"a {type(made).__name__}{rows}"


class _Wrapped(Learner):
    """What both kinds share: nothing is learned but what the function writes."""

    @abstractmethod
    def _columns(self) -> tuple[str, ...] | None:
        """The columns to show it; all, if `None`."""

    @abstractmethod
    def _title(self) -> str:
        """How errors call it."""

    @abstractmethod
    def _function(self) -> PandasFunction:
        """What is called."""

    def check(self, preview: Preview) -> None:
        """The columns it is shown must be there; what it makes is known only when it is called."""
        preview.need(tuple(preview.columns))
        preview.need(self._columns() or ())
        preview.make_any()

    def fit(self, table: pl.DataFrame) -> Fit:
        """Call it once, to see what it writes."""
        columns = self._columns() or tuple(table.columns)
        function, title = self._function(), self._title()
        given = table.select(columns)
        made = called(function, title, given)
        before = given.to_pandas()
        written = tuple(
            name for name in made.columns if name not in before.columns or not made[name].equals(before[name])
        )
        dropped = tuple(name for name in columns if name not in made.columns)
        note = f"{title}: wrapped as it is; table only, not saved"
        return Fit(Foreign(title, columns, written, dropped, function), (note,), extra={"foreign": title})


class from_fklearn(_Wrapped):
    """Wraps a predict function that fklearn made: a pandas table in, the same rows with more columns out.

    Args:
        predict_fn: the first of the three things that calling an fklearn learner gives.
        columns: the columns to show it; all of the table, if not given.

    Example:
        >>> def predict_fn(df):  # what an fklearn learner gives
        ...     return df.assign(prediction=df["x"] / 10)
        >>> step, table, log = from_fklearn(predict_fn)(pl.DataFrame({"x": [1, 5]}))
        >>> table["prediction"].to_list()
        [0.1, 0.5]
    """

    predict_fn: PandasFunction
    _: dataclasses.KW_ONLY
    columns: Sequence[str] | None = None

    def __post_init__(self) -> None:
        given: Any = self.predict_fn
        if not callable(given):
            hint = "an fklearn learner gives (predict_fn, table, log): give the first of them"
            raise LearnerError(Problem(self.kind, f"{_shape(given)} cannot be called", hint=hint))
        if self.columns is not None:
            settle(self, columns=names_of(self.kind, "columns", self.columns))

    def _columns(self) -> tuple[str, ...] | None:
        return None if self.columns is None else tuple(self.columns)

    def _title(self) -> str:
        function = self.predict_fn
        name = f"{getattr(function, '__module__', '?')}.{getattr(function, '__qualname__', '?')}"
        return f"from_fklearn({name})"

    def _function(self) -> PandasFunction:
        return self.predict_fn


class from_pickle(_Wrapped):
    """Wraps what is in a pickle: a function of pandas tables, or an estimator with scikit-learn's methods.

    Reading a pickle runs whatever code is in it. Do that only with files that you or your team wrote.

    Args:
        path: the file.
        trusted: must be `True`: you know who wrote it.
        columns: the columns to show it: all of the table for a function, those it was fitted on for an
            estimator, if not given.
        into: an estimator's prediction: the probability of the second of two classes where it gives
            probabilities; one ``<into>_<class>`` for each of several classes.
    """

    path: str | Path
    _: dataclasses.KW_ONLY
    trusted: bool = False
    columns: Sequence[str] | None = None
    into: str = "prediction"

    def __post_init__(self) -> None:
        problems = []
        if self.trusted is not True:
            hint = "set trusted=True, if you know who wrote the file"
            problems.append(Problem(self.kind, "reading a pickle runs the code in it", hint=hint))
        if not Path(self.path).is_file():
            problems.append(Problem(self.kind, f"there is no file '{self.path}'"))
        if problems:
            raise LearnerError(problems)
        if self.columns is not None:
            settle(self, columns=names_of(self.kind, "columns", self.columns))

    @cached_property
    def _read(self) -> tuple[Any, str]:
        """What is in the file, and its SHA-256."""
        data = Path(self.path).read_bytes()
        try:
            return pickle.loads(data), hashlib.sha256(data).hexdigest()  # noqa: S301 - trusted, says the caller
        except Exception as error:  # it is code, and may raise anything
            hint = "install what it was made with, in the versions it was made with"
            what = f"cannot be read ({type(error).__name__}: {error})"
            raise LearnerError(Problem(f"{self.kind}({Path(self.path).name})", what, hint=hint)) from error

    def check(self, preview: Preview) -> None:
        """It must be something that can be called or asked, and its columns must be there."""
        inside = self._read[0]
        if not callable(inside) and not hasattr(inside, "predict"):
            what = f"holds a {type(inside).__name__}, which is neither a function nor an estimator"
            preview.wrong(what, hint="pickle the predict function itself")
        elif hasattr(inside, "predict") and self._columns() is None:
            preview.wrong(
                "the estimator does not say which columns it was fitted on", hint="give columns=[...]"
            )
        else:
            super().check(preview)

    def _columns(self) -> tuple[str, ...] | None:
        if self.columns is not None:
            return tuple(self.columns)
        names = getattr(self._read[0], "feature_names_in_", None)
        return None if names is None else tuple(map(str, names))

    def _title(self) -> str:
        return f"from_pickle({Path(self.path).name}, sha256 {self._read[1][:12]})"

    def _function(self) -> PandasFunction:
        inside = self._read[0]
        return _scorer(inside, self.into) if hasattr(inside, "predict") else inside


def _scorer(estimator: Any, into: str) -> PandasFunction:
    named, proba = hasattr(estimator, "feature_names_in_"), hasattr(estimator, "predict_proba")

    def score(frame: Any) -> Any:
        features = frame if named else frame.to_numpy()
        if not proba:
            return frame.assign(**{into: estimator.predict(features)})
        found = estimator.predict_proba(features)
        names = output_names(into, [class_name(value) for value in estimator.classes_.tolist()])
        columns = [found[:, 1]] if len(names) == 1 else list(found.T)
        return frame.assign(**dict(zip(names, columns, strict=True)))

    return score
