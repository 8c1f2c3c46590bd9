"""The spectral embedding of scenes beside the eigenvectors of the whole affinity."""

import numpy as np
import pytest
from scipy import sparse
from scipy.linalg import eigh, subspace_angles

from sklearn_sparsevae.segmentation._normalized_cut import spectral_embedding

# Rows, features, components: more rows and more features, small (dense) and large.
SHAPES = [(30, 8, 3), (8, 30, 3), (400, 230, 4), (230, 400, 4), (5, 4, 9), (300, 2, 5)]


def rows(n, n_features, seed=0):
    rng = np.random.RandomState(seed)
    centres = rng.randn(3, n_features)
    return centres[rng.randint(3, size=n)] + 0.5 * rng.randn(n, n_features)


def normalized_affinity(X):
    """``D^-1/2 A D^-1/2`` with ``A = (1 + cos) / 2``, row by row."""
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    affinity = (1 + unit @ unit.T) / 2
    scale = 1 / np.sqrt(affinity.sum(axis=1))
    return scale[:, None] * affinity * scale


@pytest.mark.parametrize("as_kind", [np.asarray, sparse.csr_array, sparse.csr_matrix])
@pytest.mark.parametrize(("n", "n_features", "k"), SHAPES)
def test_rows_are_those_of_the_leading_eigenvectors(n, n_features, k, as_kind):
    X = rows(n, n_features)
    embedding = spectral_embedding(as_kind(X), k)
    k = min(k, n, n_features + 1)
    assert embedding.shape == (n, k)
    values, vectors = eigh(normalized_affinity(X))
    vectors = vectors[:, -k:]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    # The products of rows do not know the signs, nor the order, of the eigenvectors.
    np.testing.assert_allclose(embedding @ embedding.T, vectors @ vectors.T, atol=1e-6)


def test_kinds_of_rows_give_the_same_embedding():
    X = rows(400, 230) * (np.random.RandomState(1).rand(400, 230) < 0.2)
    dense, csr = (
        spectral_embedding(kind(X), 3) for kind in (np.array, sparse.csr_array)
    )
    assert subspace_angles(dense, csr).max() < 1e-6


@pytest.mark.parametrize(
    "X",
    [np.eye(300), np.repeat(np.eye(3), 100, axis=0), np.tile(np.eye(250), (2, 1))],
    ids=["all alike", "three kinds", "pairs"],
)
def test_eigenvalues_that_coincide_do_no_harm(X):
    embedding = spectral_embedding(sparse.csr_array(X), 3)
    np.testing.assert_allclose(np.linalg.norm(embedding, axis=1), 1)


def test_rows_of_three_kinds_fall_into_three_points():
    X = np.repeat(np.eye(3, 210), 100, axis=0)
    embedding = spectral_embedding(sparse.csr_array(X), 3).reshape(3, 100, 3)
    np.testing.assert_allclose(np.ptp(embedding, axis=1), 0, atol=1e-8)
    np.testing.assert_allclose(
        embedding[:, 0] @ embedding[:, 0].T, np.eye(3), atol=1e-6
    )


def test_scale_of_rows_and_order_of_features_do_not_matter():
    X = rows(400, 230)
    scaled = X[:, ::-1] * np.linspace(0.1, 9, 400)[:, None]
    embeddings = [spectral_embedding(x, 3) for x in (X, scaled)]
    first, second = (e @ e.T for e in embeddings)
    np.testing.assert_allclose(first, second, atol=1e-8)
