"""Exported graphs compute what the estimators do, in onnxruntime and numpy alone."""

import json

import numpy as np
import pytest
from sklearn.datasets import load_digits, load_sample_image

import sklearn_sparsevae
from sklearn_sparsevae import (
    VQVAE,
    ClosedLoopVAE,
    DictionaryLearningVAE,
    GaussianVAE,
    SparseCodingVAE,
    SpikeSlabVAE,
    export_onnx,
)

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

# What the page lists as working.
TABLE = {
    "pursuit": SparseCodingVAE(48),
    "pursuit, DCT": SparseCodingVAE(40, dictionary="dct"),
    "pursuit, structured": SparseCodingVAE(48, threshold="structured"),
    "soft": SparseCodingVAE(48, shrinkage="soft"),
    "soft, atom, free S": SparseCodingVAE(
        48, shrinkage="soft", threshold="atom", coupled=False
    ),
    "soft, vector": SparseCodingVAE(48, shrinkage="soft", threshold="vector"),
    "soft, structured": SparseCodingVAE(48, shrinkage="soft", threshold="structured"),
    "OLS": DictionaryLearningVAE(32),
    "OMP, patches of sites": DictionaryLearningVAE(32, selection="omp", patch_size=2),
    "OLS, light": DictionaryLearningVAE(32, backbone="light"),
    "VQ": VQVAE(32),
    "residual VQ, vqgan": VQVAE(32, n_quantizers=3, backbone="vqgan"),
    "Gaussian": GaussianVAE(8),
    "Gaussian, two levels": GaussianVAE(8, n_levels=2),
    "spikes": SpikeSlabVAE(32),
    "learned thresholds": SpikeSlabVAE(32, prior="threshold"),
    "closed loop": ClosedLoopVAE((8, 16), latent_dim=16),
}


@pytest.fixture(scope="module")
def photos():
    """48 cut-outs of a photo, of 24 x 20 pixels: not a whole number of sites."""
    photo = load_sample_image("flower.jpg")
    rows, columns = range(0, 400, 50), range(0, 600, 100)
    return np.stack([photo[i : i + 24, j : j + 20] for i in rows for j in columns])


def exported(model, path, **options):
    export_onnx(model, path, **options)
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def dense(codes):
    return codes.toarray() if hasattr(codes, "toarray") else codes


def differences(model, session, images, given):
    """Largest differences of images and codes where the support is the same.

    And the share of sites where it is not, with how much that costs: the squared error
    of the graph's reconstructions, relative to the model's.
    """
    reconstruction, codes = session.run(None, {"images": given})
    n = len(images)
    wanted = dense(model.transform(images)).reshape(codes.shape)
    flipped = ((codes != 0) != (wanted != 0)).any(-1)
    of_codes = np.abs(codes - wanted).max(-1)[~flipped].max()
    expected = model.reconstruct(images)
    error = np.abs(reconstruction - expected).reshape(n, -1).max(1)
    # A site that differs is seen by its neighbours: whole images are left out.
    agree = ~flipped.reshape(n, -1).any(1)
    cost = np.square(reconstruction - given).sum() / np.square(expected - given).sum()
    return error[agree].max(), of_codes, flipped.mean(), cost


@pytest.mark.parametrize("name", TABLE)
def test_graph_computes_what_the_model_does(name, photos, tmp_path):
    model = TABLE[name].set_params(max_epochs=1, random_state=0)
    if not isinstance(model, ClosedLoopVAE):
        model.set_params(n_downsamples=3 if model.backbone == "vqgan" else 2)
    model.fit(photos)
    session = exported(model, tmp_path / "model.onnx")
    for n in (1, 48):
        images = photos[:n]
        given = images.astype(np.float32) / 255
        of_images, of_codes, flipped, cost = differences(model, session, images, given)
        # Atoms that nearly depend on one another share what they code by rounding.
        nearly_dependent = isinstance(model, DictionaryLearningVAE)
        assert of_images < (1e-3 if nearly_dependent else 1e-4)
        assert of_codes < (0.05 if nearly_dependent else 1e-4)
        # Pixels are whole numbers and the atoms of a DCT symmetric: there are ties.
        assert flipped <= (0.05 if "DCT" in name else 0.01)
        assert cost == pytest.approx(1, abs=0.01)


def test_greyscale_of_another_size_in_a_range_of_its_own(photos, tmp_path):
    grey = photos[..., 1].astype(np.float32)
    model = VQVAE(16, max_epochs=1, value_range=(0, 255), random_state=0).fit(grey)
    path = tmp_path / "model.onnx"
    session = exported(model, path, image_size=(12, 16), outputs="reconstruction")
    (output,) = session.run(None, {"images": grey[:5, :12, :16]})
    assert output.shape == (5, 12, 16) and output.max() > 10
    np.testing.assert_allclose(output, model.reconstruct(grey[:5, :12, :16]), atol=0.02)
    kept = session.get_modelmeta().custom_metadata_map
    assert json.loads(kept["value_range"]) == [0, 255]
    assert json.loads(kept["image_shape"]) == [12, 16, 1]
    assert json.loads(kept["grid_shape"]) == [3, 4]
    assert json.loads(kept["parameters"])["n_components"] == 16
    assert kept["estimator"] == "VQVAE"
    assert kept["sklearn_sparsevae_version"] == sklearn_sparsevae.__version__
    assert [p.name for p in tmp_path.iterdir()] == ["model.onnx"]
    assert str(sklearn_sparsevae.__path__[0]).encode() not in path.read_bytes()


def test_vectors_stay_rows_of_any_range(tmp_path):
    rows = load_digits().data.astype(np.float32)[:200]
    model = DictionaryLearningVAE(32, max_epochs=1, random_state=0).fit(rows)
    session = exported(model, tmp_path / "model.onnx")
    of_images, of_codes, flipped, _ = differences(model, session, rows, rows)
    # Numbers are up to 16.
    assert of_images < 1e-3 and of_codes < 0.05 and flipped <= 0.01


def test_what_cannot_be_traced_is_named(photos, tmp_path, monkeypatch):
    model = VQVAE(16, max_epochs=1, n_downsamples=2, random_state=0).fit(photos)

    def branching(latents):
        return latents if latents.sum() > 0 else -latents

    monkeypatch.setattr(model.net_.module_.bottleneck, "to_rows", branching)
    with pytest.raises(RuntimeError, match="This VQVAE cannot be written as an ONNX"):
        exported(model, tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())
