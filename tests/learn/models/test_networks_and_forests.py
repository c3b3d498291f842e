"""Neural networks, and isolation forests."""

import sys

import numpy as np
import polars as pl
import pytest
from sklearn.ensemble import IsolationForest
from tests.learn.cases import payments
from tests.learn.model_cases import needs

from veredito import learn
from veredito.errors import LearnerError, MissingExtraError
from veredito.model import load, save

PAYMENTS = payments()
NUMBERS = ["age", "other", "amount"]
X = PAYMENTS.select(NUMBERS).cast(pl.Float64).to_numpy()


class TestIsolationForest:
    def test_it_gives_the_librarys_own_scores(self):
        found = learn.isolation_forest(NUMBERS)(PAYMENTS).table["prediction"].to_numpy()

        assert np.array_equal(found, -IsolationForest(random_state=0).fit(X).score_samples(X))

    def test_it_needs_no_outcome_and_says_what_it_was_given(self):
        log = learn.isolation_forest(NUMBERS, params={"n_estimators": 3}, weight="mcc")(
            PAYMENTS.with_columns(mcc=1.0)
        ).log

        assert log["params"]["params"] == {"n_estimators": 3}

    def test_the_weight_is_no_feature(self):
        with pytest.raises(LearnerError, match="'age' is a feature and the weight"):
            learn.isolation_forest(NUMBERS, weight="age")

    def test_an_unknown_parameter_is_an_error(self):
        with pytest.raises(LearnerError, match=r"scikit-learn says.*'trees'"):
            learn.isolation_forest(NUMBERS, params={"trees": 3})(PAYMENTS)


@needs("keras")
class TestKeras:
    def test_it_trains_what_keras_trains(self):
        """The same seed, rows and network give the same weights as Keras asked directly."""
        import keras

        step = learn.keras_regressor(NUMBERS, target="loss", network=(3,), epochs=1, batch_size=64)(
            PAYMENTS
        ).step

        keras.utils.set_random_seed(0)
        layers = [keras.Input((3,)), keras.layers.Dense(3, activation="relu"), keras.layers.Dense(1)]
        model = keras.Sequential(layers)
        model.compile(keras.optimizers.Adam(1e-3), loss="mean_squared_error")
        rows = X.astype(np.float32)
        model.fit(rows, PAYMENTS["loss"].to_numpy().astype(np.float32), batch_size=64, epochs=1, verbose=0)
        assert all(map(np.array_equal, step.weights, model.get_weights()))
        assert np.array_equal(step.predict(X), model.predict_on_batch(rows))

    def test_several_classes_have_a_share_each(self):
        table = learn.keras_classifier(["age", "other"], target="grade", network=(), epochs=1)(PAYMENTS).table

        shares = table.select("prediction_a", "prediction_b", "prediction_c").to_numpy()
        assert np.allclose(shares.sum(axis=1), 1, atol=1e-5)

    def test_a_network_of_dense_layers_serves_without_tensorflow(self, tmp_path, monkeypatch):
        """Plain numpy is faster, agrees, and is chosen; then Keras is not even imported."""
        step = learn.keras_classifier(NUMBERS, target="fraud", network=(8, 4), epochs=1)(PAYMENTS).step
        save(step, tmp_path / "model", sample=PAYMENTS)
        monkeypatch.setitem(sys.modules, "keras", None)
        monkeypatch.setitem(sys.modules, "tensorflow", None)

        model = load(tmp_path / "model")

        assert model.manifest.engines == ["numpy"]
        expected = step(PAYMENTS)["prediction"].to_numpy()
        assert np.allclose(model(PAYMENTS)["prediction"].to_numpy(), expected, rtol=1e-5)

    def test_a_network_of_ones_own(self):
        """A function makes any network; what numpy does not know is left to Keras."""

        def network(width, outputs):
            import keras

            seen = keras.Input((width,))
            hidden = keras.layers.Dense(3, activation="gelu")(keras.layers.BatchNormalization()(seen))
            return keras.Model(seen, keras.layers.Dense(outputs, activation="sigmoid")(hidden))

        step = learn.keras_classifier(NUMBERS, target="fraud", network=network, epochs=1)(PAYMENTS).step

        assert list(step.engines()) == ["native"]
        assert step(PAYMENTS)["prediction"].is_between(0, 1).all()

    def test_a_layer_that_holds_code_is_refused_when_it_is_fitted(self):
        """Reading a model runs nothing, so such a model could not be read back."""

        def network(width, outputs):
            import keras

            layers = [keras.Input((width,)), keras.layers.Lambda(lambda x: x), keras.layers.Dense(outputs)]
            return keras.Sequential(layers)

        with pytest.raises(LearnerError, match=r"(?s)Keras says.*Lambda"):
            learn.keras_regressor(NUMBERS, target="loss", network=network, epochs=1)(PAYMENTS)

    def test_the_callers_random_numbers_go_on_as_they_were(self):
        """Seeding a network is nobody else's affair."""
        np.random.seed(7)  # noqa: NPY002 - the state that Keras seeds
        expected = np.random.random()  # noqa: NPY002
        np.random.seed(7)  # noqa: NPY002

        learn.keras_regressor(["age"], target="loss", network=(), epochs=1)(PAYMENTS)

        assert np.random.random() == expected  # noqa: NPY002

    def test_settings_without_sense_are_named_together(self):
        with pytest.raises(LearnerError, match=r"(?s)epochs is 0.*early_stopping needs rows to watch"):
            learn.keras_regressor(["age"], target="loss", epochs=0, early_stopping=2)


def test_keras_that_is_not_installed_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", None)

    with pytest.raises(MissingExtraError, match=r"pip install 'veredito\[keras\]'"):
        learn.keras_regressor(["age"], target="loss")(PAYMENTS)
