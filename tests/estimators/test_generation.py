"""Interpolation and traversal: new images from the codes of given ones."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from sklearn.decomposition import PCA

from sklearn_sparsevae import (
    VQVAE,
    DictionaryLearningVAE,
    GaussianVAE,
    SparseCodes,
    SparseCodingVAE,
)
from sklearn_sparsevae.estimators._generation import GenerationMixin
from sklearn_sparsevae.images import InputSpec, Photos


class LinearCodes(GenerationMixin, PCA):
    """Dense codes, whose images can be computed by hand."""

    def _open(self, X, name="X"):
        return X if isinstance(X, Photos) else InputSpec().open(X)

    def _codes_of(self, photos):
        return self.transform(photos.floats())

    def _decode_rows(self, codes, rows=None):
        assert rows is None  # photos have no condition
        return self.inverse_transform(codes)


def dense(codes):
    return codes.toarray() if sparse.issparse(codes) else codes


def recorded(model):
    """Let a model decode, and keep the codes that it decodes."""
    codes, decode = [], model._decode_rows
    model._decode_rows = lambda X, *rows: codes.append(X) or decode(X, *rows)
    return codes


@pytest.fixture
def fitted(images, tiny):
    return tiny().fit(images)


# ---- interpolation ------------------------------------------------------------------


def test_both_ends_are_the_reconstructions(images, fitted):
    A, B = images[:3], images[5:8]
    ways = fitted.interpolate(A, B, n_steps=4)
    assert ways.shape == (3, 4, 16, 16, 3) and ways.dtype == np.float32
    assert_allclose(ways[:, 0], fitted.reconstruct(A), atol=1e-5)
    assert_allclose(ways[:, -1], fitted.reconstruct(B), atol=1e-5)


def test_what_is_between_is_decoded_from_mixed_codes(images, fitted):
    A, B = images[:2], images[5:7]
    ways = fitted.interpolate(A, B, n_steps=5)
    a, b = (dense(fitted.transform(X)) for X in (A, B))
    middle = fitted.inverse_transform(0.25 * a + 0.75 * b)
    assert_allclose(ways[:, 3], middle, atol=1e-5)


def test_a_way_and_its_reverse_are_the_same_images(images, fitted):
    there = fitted.interpolate(images[:2], images[2:4], n_steps=3)
    back = fitted.interpolate(images[2:4], images[:2], n_steps=3)
    assert_allclose(there, back[:, ::-1], atol=1e-5)


@pytest.mark.parametrize("estimator", [DictionaryLearningVAE])
def test_photos_of_another_size_than_in_the_fit(rng, fitted):
    A, B = rng.random((2, 1, 23, 9, 3), dtype=np.float32)
    assert fitted.interpolate(A, B, n_steps=2).shape == (1, 2, 23, 9, 3)


@pytest.mark.parametrize("estimator", [DictionaryLearningVAE, SparseCodingVAE])
def test_sparse_codes_stay_sparse(images, fitted):
    codes = recorded(fitted)
    fitted.interpolate(images[:2], images[2:4], n_steps=3)
    assert len(codes) == 2
    a, b = fitted.transform(images[:2]), fitted.transform(images[2:4])
    for i, way in enumerate(codes):
        assert isinstance(way, SparseCodes) and way.grid_shape == (4, 4)
        assert way.n_mean_atoms == a.n_mean_atoms
        assert way.has_canonical_format and way.indices.dtype == np.int32
        union = np.union1d(a[[i]].indices, b[[i]].indices)
        assert set(way[[1]].indices) <= set(union)
        assert way[[0]].nnz == a[[i]].nnz and way[[2]].nnz == b[[i]].nnz


def test_dense_codes_mix_as_their_images_do(rng):
    X = rng.normal(size=(20, 6))
    model = LinearCodes(4).fit(X)
    ways = model.interpolate(X[:3], X[3:6], n_steps=6)
    a, b = (model.inverse_transform(model.transform(x)) for x in (X[:3], X[3:6]))
    weights = np.linspace(0, 1, 6)[:, None]
    expected = (1 - weights) * a[:, None] + weights * b[:, None]
    assert_allclose(ways, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("estimator", [VQVAE])
def test_ends_that_do_not_match_are_refused(images, fitted):
    with pytest.raises(ValueError, match="expected as many images, of the same size"):
        fitted.interpolate(images[:2], images[:3])
    tall, wide = images[:1, :, :8], images[:1, :8]
    with pytest.raises(ValueError, match="of the same size"):
        fitted.interpolate(tall, wide)
    with pytest.raises(ValueError, match="n_steps=1; expected at least 2"):
        fitted.interpolate(images[:1], images[1:2], n_steps=1)


@pytest.mark.parametrize("estimator", [VQVAE])
def test_photos_of_different_sizes_are_refused(images, fitted):
    X = [images[0], images[1, :8]]
    for act, name in (
        (lambda: fitted.interpolate(X, images[:2]), "A"),
        (lambda: fitted.interpolate(images[:2], X), "B"),
        (lambda: fitted.traverse(X, [0], [1.0]), "X"),
    ):
        with pytest.raises(ValueError, match=f"{name} holds photos of different sizes"):
            act()


@pytest.mark.parametrize("estimator", [GaussianVAE])
def test_tables_for_others_do_not_matter_here(images, fitted):
    pytest.importorskip("pandas")
    ways = fitted.interpolate(images[:2], images[2:4], n_steps=3)
    strips = fitted.traverse(images[:2], [3], [1.0])
    fitted.set_output(transform="pandas")
    assert hasattr(fitted.transform(images[:2]), "columns")
    found = fitted.interpolate(images[:2], images[2:4], n_steps=3)
    np.testing.assert_array_equal(found, ways)
    np.testing.assert_array_equal(fitted.traverse(images[:2], [3], [1.0]), strips)


# ---- traversal ----------------------------------------------------------------------


def test_traversal_decodes_what_it_sets(images, fitted):
    X, components, values = images[:2], [0, 7, 23], [-1.0, 0.0, 0.5]
    strips = fitted.traverse(X, components, values)
    assert strips.shape == (2, 3, 3, 16, 16, 3) and strips.dtype == np.float32
    codes = fitted.transform(X)
    n_components = getattr(codes, "n_atoms", codes.shape[1])
    codes = dense(codes)
    for i, component in enumerate(components):
        for k, value in enumerate(values):
            changed = codes.copy()
            changed.reshape(2, -1, n_components)[:, :, component] = value
            expected = fitted.inverse_transform(changed)
            assert_allclose(strips[:, i, k], expected, atol=1e-5)


@pytest.mark.parametrize("estimator", [DictionaryLearningVAE, VQVAE])
def test_the_present_value_gives_the_reconstruction(images, fitted):
    codes = dense(fitted.transform(images[:1])).reshape(4, 4, -1)
    row, column, atom = np.argwhere(codes)[5]
    present = codes[row, column, atom]
    values, sites = [present, present + 1], [(row, column)]
    strip = fitted.traverse(images[:1], [atom], values, sites=sites)[0, 0]
    assert_allclose(strip[:1], fitted.reconstruct(images[:1]), atol=1e-5)
    assert np.abs(strip[1] - strip[0]).max() > 1e-3


@pytest.mark.parametrize("estimator", [DictionaryLearningVAE])
def test_only_the_sites_named_are_set(images, fitted):
    codes = recorded(fitted)
    fitted.traverse(images[:2], [3], [2.0, 0.0], sites=[(0, 1), (3, 2), (0, 1)])
    assert len(codes) == 2
    for i, code in enumerate(codes):
        expected = dense(fitted.transform(images[i : i + 1]))
        expected = np.repeat(expected.reshape(1, 4, 4, -1), 2, axis=0)
        expected[:, [0, 3], [1, 2], 3] = [[2.0], [0.0]]
        assert isinstance(code, SparseCodes) and code.has_canonical_format
        assert code.nnz == np.count_nonzero(expected)
        # The network of a batch of two rounds otherwise than that of one.
        assert_allclose(dense(code), expected.reshape(2, -1), rtol=1e-5, atol=1e-6)


def test_a_column_of_a_dense_code_moves_along_its_axis(rng):
    X = rng.normal(size=(20, 6))
    model = LinearCodes(4).fit(X)
    strips = model.traverse(X[:2], [1], [-1.0, 2.0])
    moved = np.broadcast_to(3 * model.components_[1], (2, 6))
    assert_allclose(strips[:, 0, 1] - strips[:, 0, 0], moved, rtol=1e-6, atol=1e-6)
    with pytest.raises(ValueError, match="Got sites for dense codes"):
        model.traverse(X, [0], [1.0], sites=[(0, 0)])


@pytest.mark.parametrize("estimator", [VQVAE])
def test_layouts_are_those_of_the_input(images, tiny):
    grey = images.mean(-1)
    assert tiny().fit(grey).traverse(grey[:1], [0], [1.0]).shape == (1, 1, 1, 16, 16)
    rows = grey.reshape(12, -1)
    model = tiny(image_shape=(16, 16)).fit(rows)
    assert model.interpolate(rows[:2], rows[2:4], n_steps=3).shape == (2, 3, 256)


@pytest.mark.parametrize("estimator", [VQVAE])
def test_what_is_not_there_cannot_be_set(images, fitted):
    for component in (-1, 24, 1.5):
        with pytest.raises(ValueError, match=f"component {component}; expected an int"):
            fitted.traverse(images, [component], [0.0])
    for site in ((4, 0), (0, -1)):
        with pytest.raises(ValueError, match=r"expected \(row, column\) on the grid"):
            fitted.traverse(images, [0], [0.0], sites=[site])
    for components, values in (([], [0.0]), ([0], [])):
        with pytest.raises(ValueError, match="expected at least one of each"):
            fitted.traverse(images, components, values)
