"""Recipes are what the papers say: sizes, losses and start, and they train."""

import copy
import pickle
import re

import numpy as np
import pytest
import torch
from sklearn.datasets import load_sample_image
from torch import nn
from torch.nn.utils import clip_grad_norm_

import sklearn_sparsevae
from sklearn_sparsevae import (
    VQVAE,
    DictionaryLearningVAE,
    GaussianVAE,
    SparseCodingVAE,
    recipes,
)
from sklearn_sparsevae.backbones import BACKBONES, IdentityBackbone
from sklearn_sparsevae.bottlenecks.spike_priors import LearnedThreshold
from sklearn_sparsevae.degrade import gaussian_noise
from sklearn_sparsevae.metrics import psnr
from sklearn_sparsevae.perceptual.distance import PerceptualDistance
from sklearn_sparsevae.sparse import ista
from sklearn_sparsevae.training import batching, callbacks

# The table at the top of the module: which class each is for.
ESTIMATORS = {
    name: getattr(sklearn_sparsevae, estimator)
    for name, estimator in re.findall(
        r"^``(\w+)``.*`~sklearn_sparsevae\.(\w+)`", recipes.__doc__, re.MULTILINE
    )
}

# Sizes that are a second's; nothing here changes what is computed.
SMALL = {"n_components": 24, "max_epochs": 1, "batch_size": 2, "random_state": 0}
LASERS = {**SMALL, "backbone_params": {"width": 16, "hidden": 8}}
VQGAN = {**SMALL, "backbone_params": {"width": 32}, "latent_dim": 16, "crop_size": None}
SMALLER = {
    "SC_VAE": VQGAN,
    "SSC_VAE": VQGAN,
    "DL_VAE": LASERS,
    "DL_GAN": {**LASERS, "adversarial_start": 0},
    "VQ_VAE": LASERS,
    "VQ_GAN": {**LASERS, "adversarial_start": 0},
    "RQ_VAE": VQGAN,
    "VSC": {**SMALL, "backbone_params": {"width": 16}},
    "VSCLT": {**SMALL, "backbone_params": {"width": 16}},
}
# All but our own, which is for every autoencoder.
PAPERS = [name for name in recipes.__all__ if name != "RESTORATION"]
every_recipe = pytest.mark.parametrize("name", PAPERS)


class Features(nn.Module):
    """Stands for the network of LPIPS, whose weights would have to be downloaded."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(3, 4, 3, 2, 1)

    def forward(self, images):
        return [self.layer(images)]


@pytest.fixture
def network():
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        return Features()


def images_of(name, rng, n=4):
    """Rows for VSC, one site for VSCLT, some sites for the others."""
    if name == "VSC":
        return rng.random((20, 70))
    side = 64 if name in ("VSCLT", "RQ_VAE") else 32
    return rng.random((n, side, side, 3)).astype(np.float32)


def small(name, network=None, **params):
    recipe = getattr(recipes, name)
    if "perceptual_weight" in recipe:
        params["perceptual_network"] = network
    return ESTIMATORS[name](**{**recipe, **SMALLER[name], **params})


def test_the_table_of_the_module_has_every_recipe():
    assert sorted(ESTIMATORS) == sorted(PAPERS) == sorted(SMALLER)


@every_recipe
def test_parameters_are_those_of_the_estimator(name):
    model = ESTIMATORS[name](**getattr(recipes, name))
    model._validate_params()
    assert getattr(recipes, name).items() <= model.get_params().items()


@pytest.fixture
def norms(monkeypatch):
    """Lengths of all gradients, and the most that they may be."""
    found = []

    def clip(parameters, limit):
        found.append((float(clip_grad_norm_(parameters, limit)), limit))
        return found[-1][0]

    monkeypatch.setattr(callbacks, "clip_grad_norm_", clip)
    return found


@every_recipe
def test_every_recipe_trains_and_clips_no_gradient(name, rng, network, norms):
    model = small(name, network).fit(images_of(name, rng))
    epoch = {name: value for name, (value,) in model.history_.items()}
    losses = {k: v for k, v in epoch.items() if k.startswith("train_")}
    assert all(np.isfinite(v) for v in losses.values()) and len(losses) > 4
    assert ("train_discriminator" in epoch) == (name in ("DL_GAN", "VQ_GAN", "RQ_VAE"))
    assert ("train_perceptual" in epoch) == (network is model.perceptual_network)
    assert norms and all(0 < norm < limit / 1e3 for norm, limit in norms)


@every_recipe
def test_recipes_cannot_be_changed_by_accident(name):
    recipe = getattr(recipes, name)
    before = copy.deepcopy(dict(recipe))
    with pytest.raises(TypeError):
        recipe["max_epochs"] = 1
    with pytest.raises(TypeError):
        del recipe["max_epochs"]
    model = ESTIMATORS[name](**recipe)
    model.backbone_params["width"] = recipe["backbone_params"]["width"] = 1
    assert recipe == before and {**recipe} == before
    assert pickle.loads(pickle.dumps(recipe)) == recipe
    assert repr(recipe) == repr(before)


def seen(model, X):
    """Return what a fitted model makes of images: output, latents, codes."""
    module, batch = model.net_.module_.eval(), torch.from_numpy(X)
    with torch.no_grad():
        out = module(batch)
        latents = module.latents(batch.permute(0, 3, 1, 2))
    return out["images"].permute(0, 2, 3, 1), latents, out


def frozen(name, rng, network=None, **params):
    """Fit a recipe on one batch, at a rate at which nothing moves."""
    X = images_of(name, rng)
    given = {"lr": 1e-12, "batch_size": len(X), "early_stopping": False, **params}
    return small(name, network, **given).fit(X), X


def test_the_loss_of_sc_vae_is_equations_3_to_5(rng):
    model, X = frozen("SC_VAE", rng)
    output, latents, out = seen(model, X)
    output, latents, codes = (t.double() for t in (output, latents, out["codes"]))
    atoms, alpha = torch.from_numpy(model.components_).double(), recipes.SC_VAE["alpha"]
    n_sites = codes.shape[1] * codes.shape[2]
    assert n_sites == 16 and codes.any()
    terms = {"reconstruction": 0, "latent": 0, "sparsity": 0}
    for i in range(len(X)):
        error = output[i] - torch.from_numpy(X[i]).double()
        terms["reconstruction"] += error.square().sum()
        for row in range(codes.shape[1]):
            for column in range(codes.shape[2]):
                z, e = codes[i, row, column], latents[i, :, row, column]
                terms["latent"] += (e - z @ atoms).square().sum() / n_sites
                terms["sparsity"] += alpha * z.abs().sum() / n_sites
    terms["loss"] = sum(terms.values())
    for name, term in terms.items():
        expected = float(term) / len(X) / (2 * n_sites)
        assert model.history_[f"train_{name}"][0] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("name", ["SC_VAE", "SSC_VAE"])
def test_the_untrained_rollout_is_ista(name, rng):
    model, X = frozen(name, rng, max_epochs=0)
    _, latents, out = seen(model, X)
    rows = latents.permute(0, 2, 3, 1).flatten(0, 2)
    atoms = torch.from_numpy(model.components_)
    expected = ista(rows, atoms, recipes.SC_VAE["alpha"], 16, momentum=False)
    codes = out["codes"].flatten(0, 2)
    assert 0 < (codes != 0).float().mean() < 0.7
    torch.testing.assert_close(codes, expected, rtol=1e-3, atol=1e-4)


def bottleneck_of(name):
    """The bottleneck of a recipe in its full size."""
    recipe = getattr(recipes, name)
    model, latents = ESTIMATORS[name](**recipe), IdentityBackbone(recipe["latent_dim"])
    return model._make_bottleneck(latents)


def test_sc_vae_trains_w_e_s_and_theta_and_nothing_else():
    bottleneck = bottleneck_of("SC_VAE")
    trained = {n: p.shape for n, p in bottleneck.named_parameters() if p.requires_grad}
    assert sorted(map(tuple, trained.values())) == [(512,), (512, 256), (512, 512)]


def test_the_controller_of_ssc_vae_has_the_parameters_of_table_4():
    n, k, width = 256, 512, 256
    convolution = 9 * n * k + k
    block = 9 * k * width + width * k  # without biases
    attention = 2 * k * (k // 16) + 9 * 2
    derived = convolution + 2 * block + attention
    ours = sum(p.numel() for p in bottleneck_of("SSC_VAE").thresholds.parameters())
    assert derived == pytest.approx(22.95e6 - 19.12e6, rel=0.01)
    assert ours == pytest.approx(22.95e6 - 19.12e6, rel=0.01)
    assert ours == pytest.approx(derived, rel=0.001)


@pytest.mark.parametrize("name", ["DL_VAE", "DL_GAN", "VQ_VAE", "VQ_GAN"])
def test_blocks_of_lasers_have_128_hidden_units(name):
    recipe = getattr(recipes, name)
    sizes = recipe["n_downsamples"], recipe["latent_dim"]
    backbone = BACKBONES[recipe["backbone"]](3, *sizes, **recipe["backbone_params"])
    blocks = [m.body for m in backbone.modules() if hasattr(m, "body")]
    assert len(blocks) == 4
    for _, first, _, last in blocks:
        assert (first.in_channels, first.out_channels, last.out_channels) == (128,) * 3


@pytest.mark.parametrize(
    ("name", "parts", "pixels", "perceptual"),
    [("DL_VAE", 2, 0.5, 0.5), ("VQ_VAE", 2, 0.5, 0.5), ("RQ_VAE", 4, 1, 1)],
)
def test_losses_with_a_commitment_are_the_printed_ones(
    name, parts, pixels, perceptual, rng, network
):
    """LASERS' Eqs. 6 and 13 (3), and RQ-VAE's, of which ours is so many parts."""
    still = {"decay": 1 - 1e-9} if "decay" in getattr(recipes, name) else {}
    model, X = frozen(name, rng, network, adversarial_weight=0.0, **still)
    output, latents, out = seen(model, X)
    target = torch.from_numpy(X)
    n_sites = latents.shape[2] * latents.shape[3]
    images = [t.permute(0, 3, 1, 2) for t in (output, target)]
    with torch.no_grad():
        decoded = model.net_.module_.bottleneck.decode(out["codes"])
        distance = PerceptualDistance(network)(*images)
    squared = (output - target).square().sum((1, 2, 3))
    seen_error = pixels * squared + perceptual * X[0].size * distance
    commitment = 0.25 * (latents - decoded).square().sum((1, 2, 3))
    history, part = model.history_, 1 / (parts * n_sites)
    ours = history["train_reconstruction"][0] + history["train_perceptual"][0]
    assert ours == pytest.approx(part * float(seen_error.mean()), rel=1e-4)
    ours = history["train_commitment"][0]
    assert ours == pytest.approx(part * float(commitment.mean()), rel=1e-3)
    assert ours > 0


def test_the_prior_of_vsclt_is_that_of_the_code():
    recipe = recipes.VSCLT
    distance = LearnedThreshold(1, recipe["sparsity"]).distance
    assert distance == pytest.approx(0.25 / 0.1)
    # Half the squared error and c KL, as multiples of the mean squared error.
    weight = recipe["beta"] * recipe["noise_variance"] / (64 * 64 * 3 / 2)
    assert weight == pytest.approx(1e-4)


def test_epochs_of_vsc_are_the_iterations_of_the_code():
    n_batches = 60_000 / recipes.VSC["batch_size"]
    assert recipes.VSC["max_epochs"] == round(100_000 / n_batches)
    assert recipes.VSC["beta_warmup"] == round(5_000 / n_batches)


AUTOENCODERS = [DictionaryLearningVAE, SparseCodingVAE, VQVAE, GaussianVAE]


@pytest.mark.parametrize("cls", AUTOENCODERS)
def test_every_autoencoder_takes_the_recipe_of_restoration(cls):
    model = cls(**recipes.RESTORATION, target="y", n_workers=0)
    model._validate_params()
    assert recipes.RESTORATION.items() <= model.get_params().items()


@pytest.mark.parametrize("cls", AUTOENCODERS[:2])
def test_the_recipe_of_restoration_restores(cls, monkeypatch):
    """A few steps of a thin network already take away some of the noise."""
    monkeypatch.setattr(batching, "_MIN_CROPS", 480)
    photo = load_sample_image("china.jpg")[:384, :384] / 255
    clean = photo.reshape(6, 64, 6, 64, 3).swapaxes(1, 2).reshape(-1, 64, 64, 3)
    noisy = gaussian_noise(clean, 30, random_state=0)
    less = {"backbone_params": {"width": 16}, "crop_size": 24, "max_epochs": 1}
    model = cls(**{**recipes.RESTORATION, **less}, target="y", random_state=0)
    model.fit(noisy[:24], clean[:24])
    gain = model.score(noisy[24:], clean[24:]) - psnr(clean[24:], noisy[24:])
    assert gain > 1.5
