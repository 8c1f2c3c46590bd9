"""The loss of the images: its scale, and networks of the user's own."""

import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from torch import nn

from sklearn_sparsevae import DictionaryLearningVAE
from sklearn_sparsevae.perceptual.distance import PerceptualDistance
from sklearn_sparsevae.training import losses
from sklearn_sparsevae.training.losses import ImageLoss

seeds = st.integers(0, 2**31)


class TwoLayers(nn.Module):
    """A feature network of two small convolutions, random but fixed."""

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng([]):
            torch.manual_seed(0)
            self.first = nn.Conv2d(3, 4, 3, 2, 1)
            self.second = nn.Conv2d(4, 5, 3, 2, 1)
        self.dropout = nn.Dropout(0.5)

    def forward(self, images):
        first = self.first(images)
        return [first, self.second(self.dropout(first).relu())]


def images_of(seed, channels=3, side=8, n=2):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(n, channels, side, side, generator=generator)


@pytest.fixture(scope="module")
def photos():
    return images_of(0, n=24).permute(0, 2, 3, 1).numpy()


def tiny(**params):
    defaults = {
        "n_components": 8,
        "n_nonzero_coefs": 2,
        "n_downsamples": 1,
        "backbone_params": {"width": 4},
        "max_epochs": 2,
        "batch_size": 8,
        "random_state": 0,
    }
    return DictionaryLearningVAE(**(defaults | params))


# ---- pixels -------------------------------------------------------------------------


@given(seeds)
def test_pixel_losses_are_half_sums_per_site(seed):
    output, target = images_of(seed), images_of(seed + 1)
    error = (output - target).double().numpy()
    for name, total in (("mse", np.sum(error**2)), ("l1", np.abs(error).sum())):
        terms = ImageLoss(name, 0.0, None)(output, target, 32)
        assert set(terms) == {"reconstruction"}
        assert terms["reconstruction"].item() == pytest.approx(0.5 * total / 32)


def test_squared_error_is_exact():
    """The default adds nothing that rounds."""
    output, target = images_of(0), images_of(1)
    expected = 0.5 * (output - target).pow(2).sum() / 32
    loss = ImageLoss("mse", 0.0, None)(output, target, 32)["reconstruction"]
    assert torch.equal(loss, expected)


@pytest.mark.parametrize("pixel_loss", losses.PIXEL_LOSSES)
def test_balance_depends_on_neither_size_nor_number_of_images(pixel_loss):
    """Four images side by side, or one after the other, cost a site the same."""
    loss = ImageLoss(pixel_loss, 0.5, lambda x: [x])
    output, target = images_of(0, n=1), images_of(1, n=1)
    once = loss(output, target, 16)
    larger = loss(output.tile(1, 1, 2, 2), target.tile(1, 1, 2, 2), 64)
    more = loss(output.tile(4, 1, 1, 1), target.tile(4, 1, 1, 1), 64)
    for other in (larger, more):
        torch.testing.assert_close(other, once)


def test_terms_are_the_means_of_equation_6_times_half_a_site():
    output, target = images_of(0), images_of(1)
    distance = PerceptualDistance(TwoLayers())(output, target).mean()
    terms = ImageLoss("mse", 0.3, TwoLayers())(output, target, 2 * 16)
    half_site = 0.5 * 3 * 2 * 2
    mixed = 0.7 * (output - target).square().mean() + 0.3 * distance
    assert set(terms) == {"reconstruction", "perceptual"}
    torch.testing.assert_close(sum(terms.values()), half_site * mixed)


def test_the_network_stays_frozen_when_the_loss_is_trained():
    network = TwoLayers().train()
    loss = ImageLoss("mse", 0.5, network).train()
    assert not any(p.requires_grad for p in loss.parameters())
    assert all(p.requires_grad for p in network.parameters()) and network.training
    a, b = images_of(0), images_of(1)
    torch.testing.assert_close(loss(a, b, 1), loss(a, b, 1))  # no dropout


# ---- in the estimators --------------------------------------------------------------


def test_the_decoder_learns_from_the_network(photos):
    """What the network sees gets closer than by training on pixels."""

    def distance_after(**params):
        model = tiny(max_epochs=10, lr=0.01, **params).fit(photos)
        batch = torch.from_numpy(photos)
        with torch.no_grad():
            output = model.net_.module_(batch)["images"]
        distance = PerceptualDistance(TwoLayers())
        return distance(output, batch.permute(0, 3, 1, 2)).mean().item()

    seen = distance_after(perceptual_weight=0.9, perceptual_network=TwoLayers())
    assert seen < 0.9 * distance_after()


def test_its_gradient_reaches_the_last_layer_of_the_decoder(photos):
    module = tiny(max_epochs=0).fit(photos).net_.module_
    batch = torch.from_numpy(photos)
    loss = ImageLoss("mse", 0.5, TwoLayers())
    output = module(batch)["images"]
    term = loss(output, batch.permute(0, 3, 1, 2), 24 * 16)["perceptual"]
    assert torch.autograd.grad(term, module.backbone.last_layer)[0].any()


def test_history_has_the_term_and_it_is_part_of_the_loss(photos):
    model = tiny(
        perceptual_weight=0.5,
        perceptual_network=TwoLayers(),
        early_stopping=True,
        validation_fraction=0.25,
    ).fit(photos)
    for prefix in ("train", "valid"):
        names = ("reconstruction", "perceptual", "commitment", "codebook")
        total = sum(model.history_[f"{prefix}_{name}"] for name in names)
        np.testing.assert_allclose(model.history_[f"{prefix}_loss"], total, rtol=1e-5)


def test_other_pixel_losses_train_other_models(photos):
    first, second = (tiny(pixel_loss=p).fit(photos) for p in losses.PIXEL_LOSSES)
    assert not np.array_equal(first.components_, second.components_)


def test_network_is_a_parameter_like_any_other_and_is_not_kept(photos):
    model = tiny(perceptual_weight=0.5, perceptual_network=TwoLayers())
    copy = clone(model)
    assert copy.perceptual_network is not model.perceptual_network
    again = pickle.loads(pickle.dumps(model.fit(photos)))
    np.testing.assert_array_equal(copy.fit(photos).components_, model.components_)
    np.testing.assert_array_equal(again.reconstruct(photos), model.reconstruct(photos))
    assert model.net_.criterion_ is None
    again.partial_fit(photos)
    assert again.history_["train_perceptual"][-1] > 0


def test_images_of_other_than_one_or_three_channels_are_refused(photos):
    model = tiny(perceptual_weight=0.5, perceptual_network=TwoLayers())
    with pytest.raises(ValueError, match=r"=0.5 needs .* 1 or 3 channels, got .* 2"):
        model.fit(photos[..., :2])


def test_vectors_are_refused():
    with pytest.raises(
        ValueError, match=r"perceptual_weight=0.5 needs images.*vectors"
    ):
        tiny(perceptual_weight=0.5).fit(np.random.default_rng(0).random((8, 6)))
