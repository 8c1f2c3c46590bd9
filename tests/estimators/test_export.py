"""What `export_onnx` refuses; docs/tests/test_onnx.py has what its graphs compute."""

import sys

import pytest
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline

from sklearn_sparsevae import (
    VQVAE,
    ClosedLoopVAE,
    CodePrior,
    GaussianVAE,
    SpectralSegmenter,
    export_onnx,
)

DIGITS = load_digits()
IMAGES = DIGITS.images[:20] / 16


@pytest.fixture(scope="module")
def model():
    return VQVAE(8, max_epochs=1).fit(IMAGES)


@pytest.mark.parametrize(
    "other", [None, CodePrior(), make_pipeline(VQVAE(), SpectralSegmenter())]
)
def test_only_autoencoders_are_exported(other, tmp_path):
    with pytest.raises(TypeError, match="expected a fitted autoencoder"):
        export_onnx(other, tmp_path / "model.onnx")


def test_the_model_has_to_be_fitted(tmp_path):
    with pytest.raises(NotFittedError, match="VQVAE"):
        export_onnx(VQVAE(), tmp_path / "model.onnx")


@pytest.mark.parametrize(
    "outputs",
    ["code", (), ["codes", "codes"], ("codes", "latents"), None, 3, [["codes"]]],
)
def test_outputs_are_named_once_each(model, outputs, tmp_path):
    with pytest.raises(ValueError, match="Got outputs=.*expected one or both"):
        export_onnx(model, tmp_path / "model.onnx", outputs=outputs)


@pytest.mark.parametrize("image_size", [8, (8,), (8, 8, 1), "88", (0, 8), (-8, 8)])
def test_size_is_height_and_width(model, image_size, tmp_path):
    with pytest.raises(ValueError, match="Got image_size="):
        export_onnx(model, tmp_path / "model.onnx", image_size=image_size)
    with pytest.raises(TypeError, match="Got image_size="):
        export_onnx(model, tmp_path / "model.onnx", image_size=(8.0, 8))


@pytest.mark.parametrize(
    ("model", "X"),
    [
        (ClosedLoopVAE((4, 8), latent_dim=4, max_epochs=1), IMAGES),
        (VQVAE(8, max_epochs=1), DIGITS.data[:20]),
        (VQVAE(8, max_epochs=1, image_shape=(8, 8)), IMAGES.reshape(20, 64)),
    ],
    ids=["closed loop", "vectors", "flat"],
)
def test_some_models_take_no_other_size(model, X, tmp_path):
    model.fit(X)
    with pytest.raises(ValueError, match="leave image_size out"):
        export_onnx(model, tmp_path / "model.onnx", image_size=(16, 16))


def test_conditions_have_no_input(tmp_path):
    model = GaussianVAE(4, max_epochs=1).fit(IMAGES, condition=DIGITS.target[:20])
    with pytest.raises(ValueError, match="GaussianVAE was fitted with a condition"):
        export_onnx(model, tmp_path / "model.onnx")


def test_without_the_extra_it_says_what_to_install(model, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(ImportError, match=r"pip install 'sklearn-sparsevae\[onnx\]'"):
        export_onnx(model, tmp_path / "model.onnx")
