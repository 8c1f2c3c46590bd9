"""What only DictionaryLearningVAE promises: at most so many atoms a site."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV

from sklearn_sparsevae import DictionaryLearningVAE
from sklearn_sparsevae.sparse import batch_omp


@pytest.fixture
def estimator():
    return DictionaryLearningVAE


def omp_codes(rows, atoms, n_nonzero_coefs, selection="ols"):
    indices, values = batch_omp(rows, atoms, n_nonzero_coefs, selection=selection)
    codes = np.zeros((len(rows), len(atoms)), np.float32)
    np.add.at(codes, (np.arange(len(rows))[:, None], indices), values)
    return codes


def sites(codes):
    return codes.sites().toarray()


# ---- sparsity -----------------------------------------------------------------------


@pytest.mark.parametrize("n_nonzero_coefs", [1, 4])
@pytest.mark.parametrize("selection", ["omp", "ols"])
@pytest.mark.parametrize("dictionary_update", ["gradient", "online"])
def test_no_site_has_more_atoms_and_atoms_have_unit_norm(
    images, tiny, n_nonzero_coefs, selection, dictionary_update
):
    model = tiny(
        n_nonzero_coefs=n_nonzero_coefs,
        selection=selection,
        dictionary_update=dictionary_update,
    ).fit(images)
    assert np.diff(model.transform(images).sites().indptr).max() == n_nonzero_coefs
    norms = np.linalg.norm(model.components_, axis=1)
    np.testing.assert_allclose(norms, 1, atol=1e-5)
    assert model.history_["train_nonzeros"][-1] <= n_nonzero_coefs


@pytest.mark.parametrize(
    ("params", "bound"), [({"n_components": 6}, 6), ({"latent_dim": 4}, 4)]
)
def test_more_non_zeros_than_there_can_be(images, tiny, params, bound):
    model = tiny(n_nonzero_coefs=99, **params).fit(images)
    codes = model.transform(images)
    assert np.diff(codes.sites().indptr).max() <= bound
    back = model.inverse_transform(codes)
    np.testing.assert_allclose(back, model.reconstruct(images), atol=1e-3)


def test_quality_rises_with_non_zeros_and_atoms():
    digits = (load_digits().images[:300] / 16).astype(np.float32)

    def score(n_nonzero_coefs, n_components):
        model = DictionaryLearningVAE(
            n_components,
            n_nonzero_coefs=n_nonzero_coefs,
            backbone_params={"width": 8},
            max_epochs=1,
            random_state=0,
        )
        return model.fit(digits).score(digits)

    by_non_zeros = [score(s, 32) for s in (1, 2, 4)]
    by_atoms = [score(2, k) for k in (16, 32, 96)]
    assert np.diff(by_non_zeros).min() > 1
    assert np.diff(by_atoms).min() > -0.1 and by_atoms[-1] > by_atoms[0] + 0.5


def test_a_penalty_gives_flat_sites_few_atoms_and_busy_ones_many(images, tiny):
    faint = images.copy()
    faint[:, :4] = 0.5 + 0.1 * (images[:, :4] - 0.5)  # the first row of sites
    model = tiny(n_nonzero_coefs=8, alpha=0.2, n_components=64).fit(faint)
    codes = model.transform(faint)
    numbers = np.diff(codes.sites().indptr).reshape(len(faint), *codes.grid_shape)
    assert numbers[:, 0].mean() < 0.5 * numbers[:, 1:].mean()
    assert 2 < numbers.max() <= 8
    atoms = model.components_
    for row in sites(codes)[:50]:
        used = np.flatnonzero(row)
        if len(used) == 0:
            continue
        whole = row @ atoms
        fits = [np.delete(used, i) for i in range(len(used))]
        without = [
            np.linalg.lstsq(atoms[fit].T, whole, rcond=None)[0] @ atoms[fit]
            for fit in fits
        ]
        # The last atom taken lowered the error by more than alpha ** 2.
        assert max(np.square(whole - x).sum() for x in without) > 0.2**2


# ---- the start is dictionary learning -----------------------------------------------


@pytest.mark.parametrize("selection", ["omp", "ols"])
def test_untrained_model_codes_patches_by_pursuit(images, tiny, patches_of, selection):
    model = tiny(max_epochs=0, selection=selection, n_components=64).fit(images)
    basis = model.net_.module_.backbone.basis.numpy()
    expected = omp_codes(
        patches_of(images - 0.5, 4) @ basis.T, model.components_, 3, selection
    )
    codes = sites(model.transform(images))
    np.testing.assert_allclose(codes, expected, atol=1e-4)
    patches = expected @ model.components_ @ basis + 0.5
    reconstructed = patches_of(model.reconstruct(images), 4)
    np.testing.assert_allclose(reconstructed, np.clip(patches, 0, 1), atol=1e-4)


@pytest.mark.parametrize("max_epochs", [0, 2])
@pytest.mark.parametrize("dictionary_update", ["gradient", "online"])
@pytest.mark.parametrize("shape", [(60, 7), (10, 2, 3, 7)])
def test_given_latents_of_any_range_are_coded_as_they_are(
    rng, tiny, max_epochs, dictionary_update, shape
):
    X = (50 * rng.standard_normal(shape) - 20).astype(np.float32)
    model = tiny(
        backbone="identity",
        backbone_params=None,
        max_epochs=max_epochs,
        dictionary_update=dictionary_update,
    ).fit(X)
    codes = sites(model.transform(X))
    expected = omp_codes(X.reshape(-1, 7), model.components_, 3)
    np.testing.assert_allclose(codes, expected, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(
        model.reconstruct(X).reshape(-1, 7), expected @ model.components_, atol=1e-2
    )


def test_training_improves_on_the_start(images, tiny):
    start, end = (
        tiny(max_epochs=n, lr=0.003).fit(images).score(images) for n in (0, 30)
    )
    assert end > start + 0.3


# ---- patches of latents -------------------------------------------------------------


@pytest.mark.parametrize("size", [(16, 16), (13, 10)])
def test_patches_of_latents_make_coarser_sites(images, tiny, size):
    X = images[:, : size[0], : size[1]]
    model = tiny(patch_size=2).fit(X)
    codes = model.transform(X)
    assert codes.grid_shape == (-(-size[0] // 8), -(-size[1] // 8))
    assert model.components_.shape == (24, 48 * 4)
    assert codes.shape[1] == len(model.get_feature_names_out())
    back = model.inverse_transform(codes)
    assert back.shape == X.shape
    np.testing.assert_allclose(back, model.reconstruct(X), atol=1e-4)
    plain = model.inverse_transform(codes.toarray())
    np.testing.assert_allclose(plain, back, atol=1e-5)
    assert model.atoms_as_images().shape == (24, 8, 8, 3)
    photo = np.resize(images, (1, 21, 34, 3))
    assert model.inverse_transform(model.transform(photo)).shape == photo.shape


def test_patches_of_given_latents_are_coded_as_their_numbers_are(rng, tiny, patches_of):
    X = (9 * rng.standard_normal((10, 4, 6, 5))).astype(np.float32)
    model = tiny(
        backbone="identity", backbone_params=None, patch_size=2, max_epochs=1
    ).fit(X)
    expected = omp_codes(patches_of(X, 2), model.components_, 3)
    codes = model.transform(X)
    assert codes.grid_shape == (2, 3)
    np.testing.assert_allclose(sites(codes), expected, rtol=1e-4, atol=1e-3)
    decoded = patches_of(model.reconstruct(X), 2)
    np.testing.assert_allclose(decoded, expected @ model.components_, atol=1e-3)


# ---- with scikit-learn --------------------------------------------------------------


def test_grid_search_over_the_number_of_non_zeros(images, tiny):
    grid = {"n_nonzero_coefs": [1, 2, 6]}
    search = GridSearchCV(tiny(max_epochs=0, n_components=40), grid, cv=2).fit(images)
    assert search.best_params_ == {"n_nonzero_coefs": 6}
    assert np.diff(search.cv_results_["mean_test_score"]).min() > 0
