"""LPIPS' own network: weights from a file, in the form of torchvision's."""

import importlib.util

import numpy as np
import pytest
import torch
from torch.nn import functional

from sklearn_sparsevae import DictionaryLearningVAE, metrics
from sklearn_sparsevae.perceptual import vgg

CONVOLUTIONS = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)  # VGG16's layers
AFTER_POOLING = (5, 10, 17, 24)


@pytest.fixture
def vgg_file(tmp_path, monkeypatch):
    """Random weights in the form of torchvision's, and heads in that of LPIPS."""
    generator = torch.Generator().manual_seed(0)
    widths = [3, *(w for stage in vgg._STAGES for w in stage)]
    body = {"classifier.0.bias": torch.zeros(2)}
    for number, n_in, n_out in zip(CONVOLUTIONS, widths, widths[1:], strict=False):
        weight = torch.randn(n_out, n_in, 3, 3, generator=generator) / n_in**0.5 / 2
        body[f"features.{number}.weight"] = weight
        body[f"features.{number}.bias"] = torch.randn(n_out, generator=generator)
    heads = {
        f"lin{i}.model.1.weight": torch.full((1, stage[-1], 1, 1), float(i))
        for i, stage in enumerate(vgg._STAGES)
    }
    package = tmp_path / "torchmetrics"
    (package / vgg._HEADS).parent.mkdir(parents=True)
    torch.save(heads, package / vgg._HEADS)
    spec = importlib.util.spec_from_file_location("t", package / "__init__.py")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    vgg.load_lpips.cache_clear()
    torch.save(body, tmp_path / "vgg16.pth")
    return tmp_path / "vgg16.pth"


def maps_by_hand(body, images):
    """Every convolution, activation and pooling of VGG16, one after the other."""
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    deviation = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    x, found = (images - mean) / deviation, []
    for number in CONVOLUTIONS:
        if number in AFTER_POOLING:
            found.append(x)
            x = functional.max_pool2d(x, 2)
        weight, bias = (body[f"features.{number}.{k}"] for k in ("weight", "bias"))
        x = functional.conv2d(x, weight, bias, padding=1).relu()
    return [*found, x]


def test_local_weights_make_the_network_of_lpips(vgg_file):
    network = vgg.load_lpips(str(vgg_file))
    images = torch.rand(2, 3, 18, 33, generator=torch.Generator().manual_seed(0))
    maps = network(images)
    torch.testing.assert_close(maps, maps_by_hand(torch.load(vgg_file), images))
    assert [w.unique().tolist() for w in network.channel_weights] == [
        [float(i)] for i in range(5)
    ]


def test_the_metric_takes_the_path_of_the_weights(vgg_file, rng):
    photos, others = rng.random((2, 3, 16, 16, 3))
    values = metrics.lpips(photos, others, network=str(vgg_file), per_image=True)
    network = vgg.load_lpips(str(vgg_file))
    expected = metrics.lpips(photos, others, network=network, per_image=True)
    np.testing.assert_array_equal(values, expected)
    assert values.shape == (3,) and values.min() > 0
    with pytest.raises(ValueError, match="at least 16x16 pixels, got 8x16"):
        metrics.lpips(photos[:, :8], others[:, :8], network=str(vgg_file))


def test_an_estimator_takes_the_path_of_the_weights(vgg_file, rng):
    model = DictionaryLearningVAE(
        n_components=8,
        n_nonzero_coefs=2,
        n_downsamples=1,
        backbone_params={"width": 4},
        max_epochs=1,
        perceptual_weight=0.5,
        perceptual_network=str(vgg_file),
        random_state=0,
    )
    photos = rng.random((4, 16, 16, 3), dtype=np.float32)
    assert model.fit(photos).history_["train_perceptual"][0] > 0


def test_without_the_extra_the_error_names_it(monkeypatch):
    vgg.load_lpips.cache_clear()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"LPIPS.*sklearn-sparsevae\[metrics\]"):
        vgg.load_lpips()


def test_other_weights_are_refused(vgg_file, tmp_path):
    torch.save({"features.0.weight": torch.zeros(1)}, tmp_path / "other.pth")
    message = r"other\.pth holds 1 entries \(features.0.weight.*torchvision's weights"
    with pytest.raises(ValueError, match=message):
        vgg.load_lpips(str(tmp_path / "other.pth"))
