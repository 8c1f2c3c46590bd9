"""The loss of the images: its scale, LPIPS' form, and networks of the user's own."""

import importlib.util
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from torch import nn

from sklearn_sparsevae import DictionaryLearningVAE
from sklearn_sparsevae.training import losses, lpips
from sklearn_sparsevae.training.losses import ImageLoss, PerceptualDistance

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
    distance = PerceptualDistance(TwoLayers())(output, target)
    terms = ImageLoss("mse", 0.3, TwoLayers())(output, target, 2 * 16)
    half_site = 0.5 * 3 * 2 * 2
    mixed = 0.7 * (output - target).square().mean() + 0.3 * distance
    assert set(terms) == {"reconstruction", "perceptual"}
    torch.testing.assert_close(sum(terms.values()), half_site * mixed)


# ---- distance -----------------------------------------------------------------------


@given(seeds)
def test_distance_is_zero_for_equal_images_and_symmetric(seed):
    distance = PerceptualDistance(TwoLayers())
    a, b = images_of(seed), images_of(seed + 1)
    assert distance(a, a).item() == 0
    assert distance(a, b).item() > 0
    torch.testing.assert_close(distance(a, b), distance(b, a))


@given(seeds, st.floats(0.5, 100))
def test_distance_ignores_the_length_of_features(seed, factor):
    """So doubling what one layer says changes nothing."""
    a, b = images_of(seed), images_of(seed + 1)
    plain = PerceptualDistance(lambda x: [x + 0.1])(a, b)
    scaled = PerceptualDistance(lambda x: [factor * (x + 0.1)])(a, b)
    torch.testing.assert_close(plain, scaled, rtol=1e-4, atol=1e-6)


def test_distance_by_hand_with_channel_weights():
    """Unit vectors at right angles differ by 1 in two channels, at half the sites."""

    class Network:
        channel_weights = [torch.tensor([3.0, 5.0])]

        def __call__(self, images):
            return [images[:, :2]]

    a = torch.zeros(1, 3, 2, 2)
    a[:, 0] = 7.0
    b = a.clone()
    b[:, :2, 0] = torch.tensor([0.0, 9.0])[:, None]
    distance = PerceptualDistance(Network())(a, b).item()
    assert distance == pytest.approx(0.5 * (3 + 5), rel=1e-5)


def test_grey_images_are_shown_as_three_equal_channels():
    distance = PerceptualDistance(TwoLayers())
    a, b = images_of(0, channels=1), images_of(1, channels=1)
    colour = distance(a.tile(1, 3, 1, 1), b.tile(1, 3, 1, 1))
    torch.testing.assert_close(distance(a, b), colour)


def test_network_is_copied_frozen_and_stays_in_evaluation_mode():
    network = TwoLayers().train()
    loss = ImageLoss("mse", 0.5, network).train()
    assert not any(p.requires_grad for p in loss.parameters())
    assert all(p.requires_grad for p in network.parameters()) and network.training
    a, b = images_of(0), images_of(1)
    torch.testing.assert_close(loss(a, b, 1), loss(a, b, 1))  # no dropout


def test_a_bare_tensor_of_features_is_refused():
    a = images_of(0)
    with pytest.raises(
        TypeError, match=r"tensor of shape \(2, 3, 8, 8\).*\[features\]"
    ):
        PerceptualDistance(lambda x: x)(a, a)


def test_features_of_nothing_leave_finite_gradients():
    output = torch.zeros(1, 3, 4, 4, requires_grad=True)
    PerceptualDistance(lambda x: [x])(output, images_of(0, side=4, n=1)).backward()
    assert output.grad.isfinite().all()


# ---- in the estimators --------------------------------------------------------------


def test_the_decoder_learns_from_the_network(photos):
    """What the network sees gets closer than by training on pixels."""

    def distance_after(**params):
        model = tiny(max_epochs=10, lr=0.01, **params).fit(photos)
        batch = torch.from_numpy(photos)
        with torch.no_grad():
            output = model.net_.module_(batch)["images"]
        return PerceptualDistance(TwoLayers())(output, batch.permute(0, 3, 1, 2)).item()

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
    for epoch in model.history_:
        for prefix in ("train", "valid"):
            names = ("reconstruction", "perceptual", "commitment", "codebook")
            total = sum(epoch[f"{prefix}_{name}"] for name in names)
            assert epoch[f"{prefix}_loss"] == pytest.approx(total, rel=1e-5)


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
    assert again.history_[-1]["train_perceptual"] > 0


def test_without_the_extra_the_error_names_it(photos, monkeypatch):
    lpips.load_lpips.cache_clear()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"perceptual_.*sklearn-sparsevae\[metrics\]"):
        tiny(perceptual_weight=0.5).fit(photos)


@pytest.fixture
def vgg_file(tmp_path, monkeypatch):
    """Random weights in the form of torchvision's, and heads in that of LPIPS."""
    generator = torch.Generator().manual_seed(0)
    widths = [3, *(w for stage in lpips._STAGES for w in stage)]
    numbers = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)  # of VGG16's layers
    body = {"classifier.0.bias": torch.zeros(2)}
    for number, n_in, n_out in zip(numbers, widths, widths[1:], strict=False):
        weight = torch.randn(n_out, n_in, 3, 3, generator=generator) / n_in**0.5 / 2
        body[f"features.{number}.weight"] = weight
        body[f"features.{number}.bias"] = torch.zeros(n_out)
    heads = {
        f"lin{i}.model.1.weight": torch.full((1, stage[-1], 1, 1), float(i))
        for i, stage in enumerate(lpips._STAGES)
    }
    package = tmp_path / "torchmetrics"
    (package / lpips._HEADS).parent.mkdir(parents=True)
    torch.save(heads, package / lpips._HEADS)
    spec = importlib.util.spec_from_file_location("t", package / "__init__.py")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    lpips.load_lpips.cache_clear()
    torch.save(body, tmp_path / "vgg16.pth")
    return tmp_path / "vgg16.pth"


def test_local_weights_make_the_network_of_lpips(vgg_file):
    network = lpips.load_lpips(str(vgg_file))
    body, images = torch.load(vgg_file), images_of(0, side=16, n=1)
    maps = network(images)
    assert [m.shape[1:] for m in maps] == [
        (stage[-1], 16 // 2**i, 16 // 2**i) for i, stage in enumerate(lpips._STAGES)
    ]
    # The first map by hand.
    x = (images - network.mean) / network.deviation
    for number in (0, 2):
        weight, bias = (body[f"features.{number}.{k}"] for k in ("weight", "bias"))
        x = torch.relu(torch.nn.functional.conv2d(x, weight, bias, padding=1))
    torch.testing.assert_close(maps[0], x)
    # The first stage's channels count 0 here, so that only the others are compared.
    distance = PerceptualDistance(network)
    assert distance(images, images) == 0 < distance(images, images_of(1, side=16, n=1))


def test_an_estimator_takes_the_path_of_the_weights(vgg_file):
    photos = np.random.default_rng(0).random((4, 16, 16, 3), dtype=np.float32)
    model = tiny(perceptual_weight=0.5, perceptual_network=str(vgg_file), max_epochs=1)
    assert model.fit(photos).history_[0]["train_perceptual"] > 0
    with pytest.raises(ValueError, match="at least 16 pixels a side, got 8x8"):
        model.fit(photos[:, :8, :8])


def test_other_weights_are_refused(vgg_file, tmp_path):
    torch.save({"features.0.weight": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(ValueError, match=r"other\.pth does not hold torchvision's"):
        lpips.load_lpips(str(tmp_path / "other.pth"))
    with pytest.raises(FileNotFoundError):
        lpips.load_lpips(str(tmp_path / "missing.pth"))


def test_images_of_other_than_one_or_three_channels_are_refused(photos):
    model = tiny(perceptual_weight=0.5, perceptual_network=TwoLayers())
    with pytest.raises(ValueError, match=r"=0.5 needs .* 1 or 3 channels, got .* 2"):
        model.fit(photos[..., :2])


def test_vectors_are_refused():
    with pytest.raises(
        ValueError, match=r"perceptual_weight=0.5 needs images.*vectors"
    ):
        tiny(perceptual_weight=0.5).fit(np.random.default_rng(0).random((8, 6)))
