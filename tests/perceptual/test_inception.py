"""The features of FID, with a stand-in for torch-fidelity, which tests do not need."""

import sys
import types

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_sparsevae import metrics
from sklearn_sparsevae.perceptual.inception import FeatureVectors, load_inception


class StandIn(nn.Module):
    """Takes 8 bits like torch-fidelity's network, and returns a tuple of features."""

    def __init__(self, name, features_list, feature_extractor_weights_path):
        super().__init__()
        assert features_list == ["2048"]
        self.scale = nn.Parameter(torch.ones(1))
        self.load_state_dict(torch.load(feature_extractor_weights_path))

    def forward(self, images):
        assert images.dtype == torch.uint8
        return (self.scale * images.flatten(1),)


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """File of weights for the stand-in, which multiply by two."""
    package = types.ModuleType("torch_fidelity")
    package.feature_extractor_inceptionv3 = types.SimpleNamespace(
        FeatureExtractorInceptionV3=StandIn,
        URL_INCEPTION_V3="https://example.org/w.pth",
    )
    monkeypatch.setitem(sys.modules, "torch_fidelity", package)
    load_inception.cache_clear()
    torch.save({"scale": torch.full((1,), 2.0)}, tmp_path / "w.pth")
    return tmp_path / "w.pth"


def test_inception_sees_images_rounded_to_8_bits(weights):
    levels = torch.arange(256).tile(3, 1)[None, :, None]
    network = FeatureVectors(str(weights))
    for images in (levels, levels - 0.4, levels + 0.4):
        features = network((images / 255).clamp(0, 1))
        torch.testing.assert_close(features, 2.0 * levels.flatten(1))


def test_the_metric_takes_the_path_of_the_weights(weights, rng):
    true, pred = rng.integers(0, 256, (2, 30, 1, 2, 3), dtype=np.uint8)
    by_path = metrics.fid(true, pred, network=str(weights))
    doubled = metrics.fid(true, pred, network=lambda x: (510 * x).flatten(1))
    np.testing.assert_allclose(by_path.fid, doubled.fid, rtol=1e-4)


def test_other_weights_are_refused(weights, tmp_path):
    torch.save({"wrong": torch.zeros(1)}, tmp_path / "other.pth")
    message = r"other\.pth holds 1 entries \(wrong, .*torch-fidelity's weights of Incep"
    with pytest.raises(ValueError, match=message):
        load_inception(str(tmp_path / "other.pth"))


def test_without_the_extra_the_error_names_it(monkeypatch):
    load_inception.cache_clear()
    monkeypatch.setitem(sys.modules, "torch_fidelity", None)
    with pytest.raises(ImportError, match=r"FID.*sklearn-sparsevae\[metrics\]"):
        load_inception()


@pytest.mark.parametrize(
    ("network", "came"),
    [(lambda x: x, r"torch.Size\(\[2, 3, 4, 4\]\)"), (lambda x: [x], "list")],
)
def test_features_of_another_shape_are_refused(network, came):
    with pytest.raises(TypeError, match=f"returned {came} for 2 images; expected a"):
        FeatureVectors(network)(torch.zeros(2, 3, 4, 4))
