"""What only SpikeSlabVAE promises: exact zeros, an evidence bound that rises, draws."""

import math

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.utils._param_validation import InvalidParameterError

from sklearn_sparsevae import SpikeSlabVAE
from sklearn_sparsevae.training.autoencoder import channels_first

both_priors = pytest.mark.parametrize("prior", ["spike_slab", "threshold"])


@pytest.fixture
def estimator():
    return SpikeSlabVAE


@pytest.fixture(scope="module")
def digits():
    return (load_digits().images[:250] / 16).astype(np.float32)


def share_of(codes, n_means):
    """Share of non-zeros, without the dimensions that are always on."""
    sites = codes.sites().toarray()[:, n_means:]
    return float((sites != 0).mean())


# ---- codes --------------------------------------------------------------------------


@both_priors
@pytest.mark.parametrize("sparsity", [0.05, 0.25])
def test_codes_have_about_the_share_of_the_prior(digits, tiny, prior, sparsity):
    start, end = (
        tiny(prior=prior, sparsity=sparsity, max_epochs=n, batch_size=32, lr=0.003).fit(
            digits
        )
        for n in (0, 3)
    )
    assert share_of(start.transform(digits), 1) == pytest.approx(sparsity, rel=0.05)
    share = share_of(end.transform(digits), 1)
    assert 0.5 * sparsity < share < 2 * sparsity
    assert end.history_["train_nonzeros"][-1] == pytest.approx(1 + 23 * share, rel=0.2)


@both_priors
def test_untrained_model_thresholds_patches_in_a_basis(images, tiny, prior, patches_of):
    model = tiny(prior=prior, max_epochs=0, n_components=48).fit(images)
    basis = model.net_.module_.backbone.basis.numpy()
    latents = patches_of(images - 0.5, 4) @ basis.T
    responses = latents @ model.components_.T
    codes = model.transform(images).sites().toarray()
    np.testing.assert_allclose(codes[:, :3], latents[:, :3], atol=1e-5)
    on = codes[:, 3:] != 0
    sizes = np.abs(responses[:, 3:])
    assert sizes[on].min() > sizes[~on].max() * (1 - 1e-5)
    if prior == "spike_slab":
        np.testing.assert_allclose(codes[:, 3:][on], responses[:, 3:][on], atol=1e-5)
    else:  # one shrinkage and one factor for all
        line = np.polyfit(sizes[on], np.abs(codes[:, 3:][on]), 1)
        np.testing.assert_allclose(
            np.polyval(line, sizes[on]), np.abs(codes[:, 3:][on]), atol=1e-4
        )


@both_priors
def test_codes_do_not_depend_on_chance(images, tiny, prior):
    model = tiny(prior=prior).fit(images)
    codes = [model.transform(images).toarray() for _ in range(2)]
    np.testing.assert_array_equal(*codes)


# ---- training -----------------------------------------------------------------------


def evidence_bound(model, images, n_draws=4):
    """Monte Carlo estimate of the evidence lower bound, in nats an image."""
    module = model.net_.module_.train()
    bottleneck = module.bottleneck
    bottleneck.distribution.sharpness = 1e12  # spikes that are on or off
    c, batch = bottleneck.c, torch.from_numpy(images)[..., None]
    n_sites, n_numbers = 4, batch[0].numel()
    total = 0.0
    with torch.random.fork_rng([]), torch.no_grad():
        torch.manual_seed(0)
        for _ in range(n_draws):
            out = module(batch)
            error = (out["images"] - channels_first(batch)).pow(2).sum() / len(batch)
            nats = n_sites * sum(out["losses"].values()) / c
            total -= float(error / (2 * c) + nats)
    module.eval()
    return total / n_draws - n_numbers / 2 * math.log(2 * math.pi * float(c))


@both_priors
def test_training_raises_the_evidence_bound(digits, tiny, prior):
    bounds = []
    for max_epochs in (0, 10):
        model = tiny(prior=prior, max_epochs=max_epochs, batch_size=20, lr=0.003)
        bounds.append(evidence_bound(model.fit(digits[:200]), digits[200:]))
    assert np.isfinite(bounds).all()
    assert bounds[1] > bounds[0] + 3


def test_history_has_the_terms_of_the_divergence(images, tiny):
    for params, terms in (
        ({}, {"values", "spikes"}),
        ({"n_pseudo_inputs": 3}, {"values", "spikes", "share"}),
        ({"prior": "threshold"}, {"values", "thresholds"}),
    ):
        epoch = {n: v for n, (v,) in tiny(**params).fit(images).history_.items()}
        found = {n.removeprefix("train_kl_") for n in epoch if n.startswith("train_kl")}
        assert found == terms
        parts = [epoch[f"train_kl_{name}"] for name in terms]
        assert min(parts) > -1e-6
        total = epoch["train_reconstruction"] + sum(parts)
        assert epoch["train_loss"] == pytest.approx(total, rel=1e-4)


def test_a_warm_up_starts_without_the_divergence(images, tiny):
    model = tiny(beta_warmup=2, max_epochs=4, batch_size=12).fit(images)
    warm = tiny(max_epochs=4, batch_size=12).fit(images)
    parts, full = (m.history_["train_kl_values"] for m in (model, warm))
    assert parts[0] == 0
    assert parts[1] == pytest.approx(0.5 * full[1], rel=0.2)
    assert parts[2] == pytest.approx(full[2], rel=0.3)


def random_configuration(rng):
    """Parameters and data that have little in common from one time to the next."""
    prior = rng.choice(["spike_slab", "threshold"])
    n_pseudo = int(rng.choice([0, 0, 4])) if prior == "spike_slab" else 0
    params = {
        "prior": prior,
        "n_components": int(rng.integers(4, 60)),
        "sparsity": float(10 ** rng.uniform(-2.5, -0.1)),
        "beta": float(rng.choice([0.0, 0.1, 1.0, 10.0])),
        "beta_warmup": int(rng.integers(0, 3)),
        "lr": float(10 ** rng.uniform(-4, -1.3)),
        "noise_variance": rng.choice([None, 1e-5, 1e-2, 1.0]),
        "n_pseudo_inputs": n_pseudo,
        "max_epochs": 2,
    }
    kind = rng.choice(["vectors", "constant", "black", "noise"])
    if kind == "vectors":
        X = rng.standard_normal((40, 7)) ** 3 * 10 ** rng.uniform(-3, 3)
        return params | {"backbone": "identity", "backbone_params": None}, X
    X = rng.random((20, 8, 8, 3), dtype=np.float32)
    return params, {"constant": 0 * X + 0.7, "black": 0 * X, "noise": X}[kind]


@pytest.mark.parametrize("seed", range(20))
def test_training_is_finite_whatever_the_configuration(tiny, seed):
    params, X = random_configuration(np.random.default_rng(seed))
    model = tiny(**params).fit(X)
    assert np.isfinite(list(model.history_.values())).all()
    assert np.isfinite(model.transform(X).data).all()
    assert np.isfinite(model.reconstruct(X)).all()
    assert np.isfinite(model.sample(3, random_state=0)).all()


# ---- draws --------------------------------------------------------------------------


@both_priors
def test_samples_follow_their_random_state(images, tiny, prior):
    model = tiny(prior=prior).fit(images)
    state = torch.get_rng_state()
    one, same, other = (model.sample(5, random_state=s) for s in (0, 0, 1))
    assert torch.equal(state, torch.get_rng_state())
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)
    assert one.dtype == np.float32 and one.min() >= 0 and one.max() <= 1
    assert len(np.unique(one.reshape(5, -1), axis=0)) == 5
    assert model.sample().shape == (1, 16, 16, 3)


@pytest.mark.parametrize("n_pseudo_inputs", [0, 2])
def test_samples_have_the_layout_of_the_fit(images, tiny, n_pseudo_inputs):
    grey, flat = images.mean(-1), images.reshape(12, -1)
    for X, params in (
        (grey[:, :13, :10], {}),
        (flat, {"image_shape": (16, 16, 3)}),
        (flat[:, :20] * 7 - 3, {"backbone_params": None}),
    ):
        model = tiny(n_pseudo_inputs=n_pseudo_inputs, **params).fit(X)
        drawn = model.sample(4, random_state=0)
        assert drawn.shape == (4, *X.shape[1:]) and np.isfinite(drawn).all()


@both_priors
def test_samples_vary_as_the_data_do(prior, tiny):
    rng = np.random.default_rng(0)
    on = rng.random((3000, 6)) < 0.3
    X = 5 * on * rng.standard_normal((3000, 6)) @ np.linalg.qr(rng.random((6, 6)))[0]
    model = tiny(
        prior=prior,
        n_components=6,
        sparsity=0.3,
        backbone="identity",
        backbone_params=None,
        max_epochs=0,
    ).fit(X)
    drawn = model.sample(3000, random_state=0)
    assert 0.5 < drawn.std() / X.std() < 1.5
    fourth = np.mean(drawn**4) / np.mean(drawn**2) ** 2
    assert fourth > 3.5  # heavier tails than a normal distribution


# ---- bad input ----------------------------------------------------------------------


def test_samples_need_a_fitted_model_and_a_number(images, tiny):
    with pytest.raises(NotFittedError):
        tiny().sample()
    model = tiny(max_epochs=0).fit(images)
    with pytest.raises(ValueError, match="n_samples=0; expected at least 1"):
        model.sample(0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("prior", "horseshoe"),
        ("sparsity", 0),
        ("sparsity", 1),
        ("beta", -1),
        ("noise_variance", 0),
        ("n_pseudo_inputs", -1),
    ],
)
def test_parameters_outside_of_their_range(images, tiny, name, value):
    with pytest.raises(InvalidParameterError, match=f"'{name}' parameter"):
        tiny(**{name: value}).fit(images)


def test_pseudo_inputs_need_spikes(images, tiny):
    with pytest.raises(ValueError, match="n_pseudo_inputs=2.*prior='threshold'"):
        tiny(prior="threshold", n_pseudo_inputs=2).fit(images)
