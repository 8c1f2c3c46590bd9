"""Data with nothing to learn, or of any scale: a fit, or a refusal in words."""

import functools

import numpy as np
import pytest

from sklearn_sparsevae import (
    VQVAE,
    ClosedLoopVAE,
    DictionaryLearningVAE,
    GaussianVAE,
    SparseCodes,
    SparseCodingVAE,
    SpikeSlabVAE,
)

K = 8
sparse, learned = SparseCodingVAE, DictionaryLearningVAE
slab, quantized = SpikeSlabVAE, VQVAE
#: Every way in which a bottleneck starts and trains its atoms.
MODELS = {
    "scalar": functools.partial(sparse, K, threshold="scalar"),
    "vector": functools.partial(sparse, K, threshold="vector"),
    "structured": functools.partial(sparse, K, threshold="structured"),
    "ols": functools.partial(learned, K, n_nonzero_coefs=3),
    "omp": functools.partial(learned, K, n_nonzero_coefs=3, selection="omp"),
    "online": functools.partial(learned, K, dictionary_update="online"),
    "vq": functools.partial(quantized, K),
    "averages": functools.partial(quantized, K, codebook_update="ema"),
    "residual": functools.partial(quantized, K, n_quantizers=4),
    "residual averages": functools.partial(
        quantized, K, n_quantizers=4, codebook_update="ema"
    ),
    "linear": functools.partial(quantized, K, codebook="linear", gradient="rotation"),
    "grid": functools.partial(quantized, quantizer="fsq", levels=(4, 2)),
    "gaussian": functools.partial(GaussianVAE, K),
    "two levels": functools.partial(GaussianVAE, K, n_levels=2),
    "slab": functools.partial(slab, K),
    "threshold": functools.partial(slab, K, prior="threshold"),
    "pseudo": functools.partial(slab, K, n_pseudo_inputs=3),
}
RUN = {"max_epochs": 1, "batch_size": 2, "random_state": 0, "device": "cpu"}
every_model = pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)


def poor_images():
    black = np.zeros((4, 8, 8, 3), np.float32)
    halves, unequal = black.copy(), black.copy()
    halves[:, :, 4:], unequal[2:] = 1, 1
    noise = np.random.default_rng(0).random(black.shape, dtype=np.float32)
    return {
        "black": black,
        "white": black + 1,
        "halves": halves,
        "half of them": unequal,
        "one site": noise[:1, :4, :4],
        "one black site": black[:1, :4, :4],
        "duplicates": noise[:1].repeat(4, axis=0),
        "barely different": black + 0.5 + 1e-7 * noise,
        "bytes": np.full((3, 8, 8), 255, np.uint8),
    }


def numbers(codes):
    return codes.data if isinstance(codes, SparseCodes) else codes


def check_finite(model, X):
    """Atoms, codes and what they decode to are finite; return the last."""
    assert np.isfinite(model.components_).all()
    codes = model.transform(X)
    assert np.isfinite(numbers(codes)).all()
    back = model.reconstruct(X)
    assert np.isfinite(back).all() and back.shape == X.shape
    assert np.isfinite(model.inverse_transform(codes)).all()
    return back


@every_model
def test_images_with_nothing_to_learn(make):
    for name, X in poor_images().items():
        model = make(n_downsamples=2, latent_dim=8, **RUN)
        model.set_params(backbone_params={"width": 8}).fit(X)
        check_finite(model, X)
        if name in ("black", "white", "barely different", "bytes"):
            assert model.score(X) > 20, name


@pytest.mark.parametrize("name", ["black", "half of them"])
@pytest.mark.parametrize("model", ["structured", "ols", "residual", "gaussian", "slab"])
def test_networks_that_start_at_random(model, name):
    X, params = poor_images()[name], {"backbone_params": {"width": 8}, **RUN}
    check_finite(MODELS[model](backbone="light", n_downsamples=2, **params).fit(X), X)


@every_model
@pytest.mark.parametrize("max_epochs", [0, 1])
def test_latents_of_any_scale(make, max_epochs):
    rows = np.random.default_rng(0).standard_normal((4, 2, 2, 12)).astype(np.float32)
    mixed = np.concatenate([1e-20 * rows, 1e20 * rows])
    scales = (0.0, 1e-38, 1e-30, 1e10, 1e19, 1e30)
    for X in (*(np.float32(scale) * rows for scale in scales), mixed, 1e-30 + 0 * rows):
        X = X.astype(np.float32)
        model = make(backbone="identity", **(RUN | {"max_epochs": max_epochs}))
        try:
            model.fit(X)
        except (FloatingPointError, ValueError) as error:
            # Squares overflow in the loss; that is said, and only there.
            assert np.abs(X).max() > 1e9 and "scale" in str(error)
            continue
        check_finite(model, X)


@every_model
def test_vectors_of_any_scale(make):
    rows = np.random.default_rng(0).standard_normal((6, 12)).astype(np.float32)
    for scale in (0.0, 1e-30, 1e19):
        for X in (scale * rows, scale * rows[:1], scale + 0 * rows):
            X = X.astype(np.float32)
            model = make(latent_dim=8, **RUN)
            try:
                model.fit(X)
            except (FloatingPointError, ValueError) as error:
                assert np.abs(X).max() > 1e9 and "scale" in str(error)
                continue
            check_finite(model, X)


@pytest.mark.parametrize("name", poor_images())
@pytest.mark.parametrize("latent_dim", [2, 64])
def test_closed_loop(name, latent_dim):
    X = poor_images()[name]
    for n_images in {1, len(X)}:
        part = X[:n_images]
        model = ClosedLoopVAE((6, 5), latent_dim=latent_dim, **RUN).fit(part)
        features = model.transform(part)
        np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, rtol=1e-5)
        assert np.isfinite(model.reconstruct(part)).all()
        assert np.isfinite(model.score(part))
