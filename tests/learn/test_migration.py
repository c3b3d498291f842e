"""What a team already has: it scores tables, and is never taken for something that can be saved."""

import pickle

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from veredito import learn
from veredito import model as vm
from veredito.errors import ArtifactError, LearnerError

pd = pytest.importorskip("pandas")

TABLE = pl.DataFrame({"x": [1.0, 5.0, None, 9.0], "shop": ["a", None, "b", "a"], "y": [0, 1, 0, 1]})


def predict_fn(df):
    """What an fklearn learner gives: a function of the table, with its training inside."""
    return df.assign(x=df["x"].fillna(5.0), prediction=df["x"].fillna(5.0) / 10).drop(columns="y")


class Scorer:
    """An object with scikit-learn's methods and attributes."""

    feature_names_in_ = np.array(["x"], dtype=object)
    classes_ = np.array([0, 1])

    def predict(self, frame):
        return (frame["x"] > 4).astype(int)

    def predict_proba(self, frame):
        high = frame["x"].fillna(0).to_numpy() / 10
        return np.column_stack([1 - high, high])


class Plain:
    """An estimator of the older kind: no names, no probabilities."""

    def predict(self, matrix):
        return matrix[:, 0] * 2


def pickled(tmp_path, thing):
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(thing))
    return path


class TestFromFklearn:
    def test_it_scores_tables_as_the_function_does(self):
        """And what it read only is given back as it came."""
        step, table, _log = learn.from_fklearn(predict_fn)(TABLE)

        assert table.columns == ["x", "shop", "prediction"]
        assert table["prediction"].to_list() == [0.1, 0.5, 0.5, 0.9]
        assert table["shop"].to_list() == ["a", None, "b", "a"]
        assert (step.writes, step.drops) == (("x", "prediction"), ("y",))
        assert_frame_equal(step(TABLE), table)

    def test_it_is_marked_as_what_it_is(self):
        """In the log, and where it is printed."""
        step, _table, log = learn.from_fklearn(predict_fn)(TABLE)

        assert log["foreign"].startswith("from_fklearn(")
        assert log["notes"] == [f"{log['foreign']}: wrapped as it is; table only, not saved"]
        assert repr(step) == f"Foreign({log['foreign']}: table only, not saved)"

    def test_learners_can_follow_it(self):
        """A team keeps its model, and puts a calibration and a rank behind it."""
        learner = learn.pipeline(
            learn.from_fklearn(predict_fn, columns=["x", "y"]), learn.ecdf(), learn.count_encoder(["shop"])
        )

        step, table, _log = learner(TABLE)

        assert table["prediction_ecdf"].to_list() == [250.0, 750.0, 750.0, 1000.0]
        assert_frame_equal(step(TABLE), table)

    def test_pandas_tables_stay_pandas(self):
        """As with any learner, with their index."""
        table = TABLE.to_pandas().set_axis([7, 8, 9, 10])

        scored = learn.from_fklearn(predict_fn)(table).table

        assert isinstance(scored, pd.DataFrame)
        assert scored.index.tolist() == [7, 8, 9, 10]

    def test_saving_says_what_to_do_instead(self, tmp_path):
        """Alone or within a pipeline; no folder is left."""
        for learner in (
            learn.from_fklearn(predict_fn),
            learn.pipeline(learn.from_fklearn(predict_fn), learn.ecdf()),
        ):
            step = learner(TABLE).step
            with pytest.raises(
                ArtifactError, match=r"from_fklearn\(.*predict_fn\).*train the same steps with veredito"
            ):
                vm.save(step, tmp_path / "model", sample=TABLE)
        assert list(tmp_path.iterdir()) == []
        with pytest.raises(ArtifactError, match="is code and not data, and is never saved"):
            step.children[0].params()

    @pytest.mark.parametrize(
        ("function", "match"),
        [
            (lambda df: df.iloc[:2], "the same 4 rows in their order, and gave a DataFrame of 2 rows"),
            (lambda df: df.sort_values("x", ascending=False), "in their order"),
            (lambda _: None, "gave a NoneType"),
        ],
    )
    def test_other_rows_than_were_given_are_an_error(self, function, match):
        """A predict function that filters or sorts would move scores to other rows."""
        with pytest.raises(LearnerError, match=match):
            learn.from_fklearn(function)(TABLE)

    def test_the_triple_itself_is_refused_with_a_hint(self):
        """The commonest slip."""
        with pytest.raises(LearnerError, match="give the first of them"):
            learn.from_fklearn((predict_fn, TABLE, {}))

    def test_a_column_that_it_was_to_be_shown_is_missing(self):
        """Named, before it is called."""
        with pytest.raises(LearnerError, match="column 'z' is missing"):
            learn.from_fklearn(predict_fn, columns=["z"])(TABLE)


class TestFromPickle:
    def test_a_function(self, tmp_path):
        """As from_fklearn does; the log says which file it was."""
        learner = learn.from_pickle(pickled(tmp_path, predict_fn), trusted=True)

        _step, table, log = learner(TABLE)

        assert table["prediction"].to_list() == [0.1, 0.5, 0.5, 0.9]
        assert log["foreign"].startswith("from_pickle(model.pkl, sha256 ")

    def test_an_estimator_with_probabilities(self, tmp_path):
        """The second class's, for the columns it was fitted on."""
        table = learn.from_pickle(pickled(tmp_path, Scorer()), trusted=True, into="score")(TABLE).table

        assert table["score"].to_list() == [0.1, 0.5, 0.0, 0.9]

    def test_an_estimator_without_names(self, tmp_path):
        """It needs to be told which columns to read."""
        path = pickled(tmp_path, Plain())

        table = learn.from_pickle(path, trusted=True, columns=["y"])(TABLE).table

        assert table["prediction"].to_list() == [0, 2, 0, 2]
        with pytest.raises(LearnerError, match=r"give columns=\[...\]"):
            learn.from_pickle(path, trusted=True)(TABLE)

    def test_nothing_is_read_without_trust(self, tmp_path):
        """The file may be anything: this one would leave a mark."""
        mark = tmp_path / "mark"

        class Evil:
            def __reduce__(self):
                return (mark.touch, ())

        path = pickled(tmp_path, Evil())

        for trusted in (False, 1, "yes"):
            with pytest.raises(LearnerError, match="set trusted=True, if you know who wrote the file"):
                learn.from_pickle(path, trusted=trusted)
        assert not mark.exists()

    def test_what_cannot_be_read_says_why(self, tmp_path):
        """With what is missing."""
        path = tmp_path / "model.pkl"
        path.write_bytes(b"cnowhere\nthing\n.")

        with pytest.raises(LearnerError, match=r"No module named 'nowhere'.*install what it was made with"):
            learn.from_pickle(path, trusted=True)(TABLE)

    def test_what_is_no_model_is_refused(self, tmp_path):
        """A dictionary scores nothing."""
        with pytest.raises(LearnerError, match="holds a dict, which is neither"):
            learn.from_pickle(pickled(tmp_path, {}), trusted=True)(TABLE)

    def test_a_file_that_is_not_there(self, tmp_path):
        """Said at build."""
        with pytest.raises(LearnerError, match="there is no file"):
            learn.from_pickle(tmp_path / "none.pkl", trusted=True)
