"""A fit that was interrupted goes on as if it had not been, and nothing else does."""

import functools
import warnings

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from skorch.callbacks import (
    Callback,
)

from sklearn_sparsevae import (
    VQVAE,
    ClosedLoopVAE,
    CodePrior,
    DictionaryLearningVAE,
    GaussianVAE,
    SparseCodingVAE,
    SpikeSlabVAE,
)
from sklearn_sparsevae.degrade import gaussian_noise
from tests.histories import assert_same_history

SMALL = {
    "n_components": 12,
    "n_downsamples": 1,
    "backbone_params": {"width": 8},
    "max_epochs": 3,
    "batch_size": 4,
    "random_state": 0,
    "device": "cpu",
}
NOISE = functools.partial(gaussian_noise, sigma=0.1)

CASES = {
    "SparseCodingVAE": SparseCodingVAE(**SMALL, n_rollout_steps=3),
    "soft thresholds": SparseCodingVAE(**SMALL, shrinkage="soft", n_rollout_steps=3),
    "gradient": DictionaryLearningVAE(**SMALL, n_nonzero_coefs=2),
    "online": DictionaryLearningVAE(
        **SMALL, n_nonzero_coefs=2, dictionary_update="online"
    ),
    "VQVAE": VQVAE(**SMALL),
    "averages": VQVAE(**SMALL, codebook_update="ema", n_quantizers=2),
    "GaussianVAE": GaussianVAE(**SMALL, beta_warmup=2),
    "SpikeSlabVAE": SpikeSlabVAE(**SMALL, sparsity=0.2, beta_warmup=2),
    "adversarial": VQVAE(**SMALL, adversarial_weight=0.5, adversarial_start=1),
    "early stopping": SparseCodingVAE(
        **{**SMALL, "max_epochs": 5, "lr": 1e-30},
        early_stopping=True,
        n_epochs_no_change=2,
    ),
    "degraded": SparseCodingVAE(**SMALL, degrade=NOISE, n_rollout_steps=3),
    "crops": VQVAE(**SMALL).set_params(crop_size=6, batch_size=256),
    "dropout": CodePrior(width=8, n_layers=1, n_heads=2, max_epochs=3, random_state=0),
    "closed loop": ClosedLoopVAE(
        n_components=4, latent_dim=6, max_epochs=3, batch_size=4, random_state=0
    ),
}


class Stop(Callback):
    """Interrupts a training at the first batch of an epoch."""

    def __init__(self, epoch, error=KeyboardInterrupt):
        self.epoch, self.error = epoch, error

    def on_batch_begin(self, net, training=False, **kwargs):
        if len(net.history) == self.epoch:
            raise self.error


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    coarse = rng.random((12, 2, 2, 3))
    return np.round(255 * np.kron(coarse, np.ones((1, 4, 4, 1)))).astype(np.uint8)


@pytest.fixture(scope="module")
def data_of(images):
    """Return what an estimator is fitted on."""
    codes = VQVAE(**SMALL).set_params(max_epochs=0).fit_transform(images)
    return lambda model: codes if isinstance(model, CodePrior) else images


@pytest.fixture(autouse=True)
def one_thread():
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)


def interrupt(model, X, epoch, error=KeyboardInterrupt):
    """Fit up to an epoch, which does not end."""
    model = clone(model).set_params(callbacks=[Stop(epoch, error)])
    with warnings.catch_warnings(), pytest.raises(error):
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X)


def assert_same(found, expected):
    """Check weights, history and what the module is besides, bit for bit."""
    modules = found.net_.module_, expected.net_.module_
    weights = [module.state_dict() for module in modules]
    assert weights[0].keys() == weights[1].keys()
    assert [k for k, v in weights[0].items() if not torch.equal(v, weights[1][k])] == []
    numbers = [
        [
            {k: v for k, v in vars(part).items() if isinstance(v, int | float | str)}
            for part in module.modules()
        ]
        for module in modules
    ]
    assert numbers[0] == numbers[1]
    assert_same_history(found.history_, expected.history_)


# ---- going on -----------------------------------------------------------------------


@pytest.mark.parametrize("name", CASES)
def test_a_fit_goes_on_as_if_it_had_not_been_interrupted(name, data_of, tmp_path):
    model, X = CASES[name], data_of(CASES[name])
    expected = clone(model).fit(X)
    kept = clone(model).set_params(checkpoint=tmp_path)
    for epoch in (2, 3):
        interrupt(kept, X, epoch)
    resumed = clone(kept).fit(X)
    assert_same(resumed, expected)
    again = clone(kept).set_params(callbacks=[Stop(1), Stop(2), Stop(3)]).fit(X)
    assert_same(again, expected)
    if name == "early stopping":
        assert resumed.n_epochs_ == 3
