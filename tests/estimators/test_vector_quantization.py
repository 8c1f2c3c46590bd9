"""What only VQVAE promises: the code of a site is the nearest of a codebook."""

import re

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV

from sklearn_sparsevae import VQVAE


@pytest.fixture
def estimator():
    return VQVAE


def quantized(rows, codebook, n_quantizers):
    """Counts of the nearest codes, level after level."""
    counts = np.zeros((len(rows), len(codebook)), np.float32)
    for _ in range(n_quantizers):
        nearest = cdist(rows, codebook).argmin(1)
        counts[np.arange(len(rows)), nearest] += 1
        rows = rows - codebook[nearest]
    return counts


@pytest.mark.parametrize("n_quantizers", [1, 3])
@pytest.mark.parametrize("codebook_update", ["ema", "gradient"])
def test_codes_are_counts_of_all_levels(images, tiny, n_quantizers, codebook_update):
    model = tiny(n_quantizers=n_quantizers, codebook_update=codebook_update)
    codes = model.fit(images).transform(images)
    assert (codes.data >= 1).all() and (codes.data == codes.data.round()).all()
    np.testing.assert_array_equal(codes.sites().sum(axis=1), n_quantizers)
    if n_quantizers == 1:  # one-hot
        assert (codes.data == 1).all()
        np.testing.assert_array_equal(np.diff(codes.sites().indptr), 1)
    terms = {"train_reconstruction", "train_commitment"}
    by_gradient = codebook_update == "gradient"
    assert terms <= set(model.history_)
    assert ("train_codebook" in model.history_) == by_gradient


def test_a_code_that_comes_twice_counts_twice(tiny):
    X = np.array([[4.0, 0.0], [2.0, 0.0], [0.0, 4.0], [0.0, 2.0]])
    model = tiny(
        n_components=2,
        n_quantizers=2,
        backbone="identity",
        backbone_params=None,
        max_epochs=0,
    ).fit(X)
    atoms = model.net_.module_.bottleneck.atoms
    atoms.data.copy_(2 * atoms.new_tensor(np.eye(2)))
    codes = model.transform(X[[0, 2]])
    np.testing.assert_array_equal(codes.toarray(), [[2, 0], [0, 2]])
    np.testing.assert_array_equal(model.inverse_transform(codes), X[[0, 2]])


@pytest.mark.parametrize("max_epochs", [0, 2])
@pytest.mark.parametrize("codebook_update", ["ema", "gradient"])
@pytest.mark.parametrize("shape", [(60, 7), (10, 2, 3, 7)])
def test_given_latents_of_any_range_are_coded_as_they_are(
    rng, tiny, max_epochs, codebook_update, shape
):
    X = (50 * rng.standard_normal(shape) + 200).astype(np.float32)
    model = tiny(
        backbone="identity",
        backbone_params=None,
        max_epochs=max_epochs,
        codebook_update=codebook_update,
        n_quantizers=2,
    ).fit(X)
    expected = quantized(X.reshape(-1, 7), model.components_, 2)
    np.testing.assert_array_equal(model.transform(X).sites().toarray(), expected)
    decoded = model.reconstruct(X).reshape(-1, 7)
    np.testing.assert_allclose(decoded, expected @ model.components_, rtol=1e-4)


def test_untrained_model_quantises_patches(images, tiny, patches_of):
    model = tiny(max_epochs=0).fit(images)
    basis = model.net_.module_.backbone.basis.numpy()
    expected = quantized(patches_of(images - 0.5, 4) @ basis.T, model.components_, 1)
    codes = model.transform(images).sites().toarray()
    np.testing.assert_array_equal(codes, expected)
    patches = np.clip(expected @ model.components_ @ basis + 0.5, 0, 1)
    reconstructed = patches_of(model.reconstruct(images), 4)
    np.testing.assert_allclose(reconstructed, patches, atol=1e-5)


def test_more_codes_than_patches_reconstruct_them_all(images, tiny):
    X = images[:2, :8, :8]  # 8 patches
    model = tiny(max_epochs=0, n_components=24).fit(X)
    np.testing.assert_allclose(model.reconstruct(X), X, atol=1e-5)


def test_patches_of_latents_make_coarser_sites(images, tiny):
    X = images[:, :13, :10]
    model = tiny(patch_size=2, n_quantizers=2).fit(X)
    codes = model.transform(X)
    assert codes.grid_shape == (2, 2) and model.components_.shape == (24, 48 * 4)
    back = model.inverse_transform(codes)
    assert back.shape == X.shape
    np.testing.assert_allclose(back, model.reconstruct(X), atol=1e-5)
    assert model.atoms_as_images().shape == (24, 8, 8, 3)


def test_quality_rises_with_codes_and_levels():
    digits = (load_digits().images[:300] / 16).astype(np.float32)

    def score(n_components, n_quantizers):
        model = VQVAE(
            n_components,
            n_quantizers=n_quantizers,
            backbone_params={"width": 8},
            max_epochs=1,
            random_state=0,
        )
        return model.fit(digits).score(digits)

    by_codes = [score(k, 1) for k in (8, 32, 128)]
    by_levels = [score(64, n) for n in (1, 2, 4)]
    assert np.diff(by_codes).min() > 0.5
    assert np.diff(by_levels).min() > 0.2


def test_training_improves_on_the_start(images, tiny):
    start, end = (
        tiny(max_epochs=n, lr=0.003).fit(images).score(images) for n in (0, 30)
    )
    assert end > start + 0.1


def test_grid_search_over_the_number_of_levels(images, tiny):
    grid = {"n_quantizers": [1, 4]}
    search = GridSearchCV(tiny(max_epochs=0, n_components=64), grid, cv=2).fit(images)
    assert search.best_params_ == {"n_quantizers": 4}
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_more_levels_than_codes(images, tiny):
    model = tiny(n_components=3, n_quantizers=5).fit(images)
    codes = model.transform(images)
    np.testing.assert_array_equal(codes.sites().sum(axis=1), 5)
    np.testing.assert_allclose(
        model.inverse_transform(codes), model.reconstruct(images), atol=1e-5
    )


# ---- other quantizers, codebooks and gradients --------------------------------------


def test_a_grid_has_the_product_of_its_levels(images, tiny):
    model = tiny(quantizer="fsq", levels=(4, 3, 2)).fit(images)
    codes = model.transform(images)
    assert codes.n_atoms == len(model.components_) == 24
    assert (codes.data == 1).all() and (np.diff(codes.sites().indptr) == 1).all()
    assert "train_commitment" not in model.history_
    back = model.inverse_transform(codes)
    np.testing.assert_allclose(back, model.reconstruct(images), atol=1e-5)


def test_a_finer_grid_starts_with_a_smaller_error(images):
    rows = images.reshape(-1, 3)
    same = {"max_epochs": 0, "backbone": "identity", "random_state": 0}
    errors = []
    for levels in ((2, 2, 2), (4, 4, 4), (16, 16, 16)):
        model = VQVAE(quantizer="fsq", levels=levels, **same).fit(rows)
        errors.append(((model.reconstruct(rows) - rows) ** 2).sum(1).mean())
    assert rows.var(axis=0).sum() > errors[0] > 2 * errors[1] > 4 * errors[2]


@pytest.mark.parametrize(
    "params, named",
    [
        ({"quantizer": "fsq", "n_quantizers": 2}, "n_quantizers=2"),
        ({"quantizer": "fsq", "codebook_update": "ema"}, "codebook_update='ema'"),
        ({"quantizer": "fsq", "gradient": "rotation"}, "gradient='rotation'"),
        ({"quantizer": "fsq", "codebook": "linear"}, "codebook='linear'"),
        ({"codebook": "linear", "codebook_update": "ema"}, "codebook_update='ema'"),
        ({"quantizer": "fsq", "levels": ()}, "levels is empty"),
        ({"quantizer": "fsq", "levels": (2,) * 49}, "codes; expected at most"),
        ({"quantizer": "fsq", "levels": (8, 1)}, "levels=1; expected at least 2"),
    ],
)
def test_settings_that_make_no_sense_together_are_refused(images, tiny, params, named):
    with pytest.raises(ValueError, match=re.escape(named)):
        tiny(**params).fit(images)


def test_a_level_that_is_no_whole_number_is_refused(images, tiny):
    with pytest.raises(TypeError, match="Got levels=2.5; expected an integer"):
        tiny(quantizer="fsq", levels=(8, 2.5)).fit(images)


def test_codes_of_a_linear_codebook_move_together(images):
    """Only the matrix is trained, and components are its products."""
    model = VQVAE(64, codebook="linear", max_epochs=2, random_state=0, n_downsamples=2)
    codes = model.fit(images).transform(images)
    module = model.net_.module_.bottleneck
    expected = (module.atoms @ module.transform).detach().numpy()
    np.testing.assert_allclose(model.components_, expected, rtol=1e-6)
    assert not module.atoms.requires_grad
    eye = np.eye(len(module.transform))
    assert abs(module.transform.detach().numpy() - eye).max() > 1e-4
    assert codes.n_atoms == 64
