"""The history of a training is a dict of columns."""

import numpy as np
import pandas
import pytest
from skorch.callbacks import Callback

from sklearn_sparsevae import VQVAE, ClosedLoopVAE, CodePrior
from sklearn_sparsevae.training.history import as_arrays
from tests.histories import assert_same_history, epochs_with


class Notes(Callback):
    """Records what is no number, and a number now and then."""

    def on_epoch_end(self, net, **kwargs):
        epoch = len(net.history)
        net.history.record("note", f"after {epoch}")
        if epoch % 2:
            net.history.record("odd", epoch)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).random((30, 8, 8), dtype=np.float32)


def test_epochs_without_a_value_have_nan():
    rows = [{"a": 1, "b": 0.5, "c": True}, {"a": 2, "d": [1, 2]}, {"b": 2}]
    history = as_arrays([row | {"batches": [{}]} for row in rows])
    assert list(history) == ["a", "b", "c", "d"]
    np.testing.assert_array_equal(history["a"], [1, 2, np.nan])
    np.testing.assert_array_equal(history["b"], [0.5, np.nan, 2])
    np.testing.assert_array_equal(history["c"], [1, np.nan, np.nan])
    assert history["d"].dtype == object and history["d"][1] == [1, 2]


def test_whole_numbers_and_flags_stay_what_they_are():
    history = as_arrays([{"epoch": 1, "best": True}, {"epoch": 2, "best": False}])
    assert history["epoch"].dtype.kind == "i" and history["best"].dtype == bool
    assert as_arrays([]) == {}


def test_pandas_takes_it_and_it_goes_on(images):
    model = VQVAE(8, max_epochs=2, warm_start=True, callbacks=[Notes()])
    first = model.fit(images).history_
    model.fit(images).partial_fit(images)
    model.set_params(early_stopping=True, max_epochs=1).fit(images)
    table = pandas.DataFrame(model.history_)
    assert table["epoch"].tolist() == [1, 2, 3, 4, 5, 6]
    assert table["note"].tolist() == [f"after {i}" for i in range(1, 7)]
    np.testing.assert_array_equal(table["odd"], [1, np.nan, 3, np.nan, 5, np.nan])
    assert epochs_with(model.history_, ["valid_loss"]) == [False] * 5 + [True]
    known = {name: model.history_[name] for name in first}
    assert_same_history(known, first, 2)
    assert {len(column) for column in model.history_.values()} == {model.n_epochs_}


@pytest.mark.parametrize("early_stopping", [False, True])
def test_the_code_prior_and_the_closed_loop_have_one_too(images, early_stopping):
    codes = VQVAE(8, max_epochs=0).fit_transform(images)
    prior = CodePrior(width=8, max_epochs=2, early_stopping=early_stopping).fit(codes)
    loop = ClosedLoopVAE((8,), latent_dim=6, max_epochs=2).fit(images)
    for model in (prior, loop):
        table = pandas.DataFrame(model.history_)
        assert table["epoch"].tolist() == [1, 2] and (table["dur"] > 0).all()
        assert np.isfinite(table["train_loss"]).all()
    assert ("valid_loss" in prior.history_) == early_stopping
