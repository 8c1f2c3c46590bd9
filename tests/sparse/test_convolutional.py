"""Convolutional sparse coding against the same problem as a dense matrix."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import Lasso

from sklearn_sparsevae.sparse import (
    analyze,
    convolutional_fista,
    largest_curvature,
    power_start,
    synthesize,
)

CASES = [(1, (5, 4)), (2, (6, 6)), (2, (7, 5)), (2, (4, 9)), (3, (7, 8))]


def random_kernels(rng, n_kernels=4, n_channels=2, side=3):
    kernels = rng.standard_normal((n_kernels, n_channels, side, side))
    kernels /= np.sqrt((kernels**2).sum((1, 2, 3), keepdims=True))
    return torch.from_numpy(kernels)


def dense_matrix(kernels, stride, size):
    """Synthesis as a matrix (pixels, maps), kernel by kernel put where it stands."""
    kernels = kernels.numpy()
    n_kernels, n_channels, side, _ = kernels.shape
    border, (height, width) = side // 2, size
    columns = []
    for kernel in kernels:
        for row in range(0, height, stride):
            for column in range(0, width, stride):
                shape = (n_channels, height + 2 * border, width + 2 * border)
                image = np.zeros(shape)
                image[:, row : row + side, column : column + side] = kernel
                inner = image[:, border : border + height, border : border + width]
                columns.append(inner.ravel())
    return np.stack(columns, axis=1)


@pytest.mark.parametrize("side", [1, 3, 5])
@pytest.mark.parametrize("stride, size", CASES)
def test_synthesis_and_analysis_are_a_matrix_and_its_transpose(stride, size, side, rng):
    kernels = random_kernels(rng, side=side)
    matrix = dense_matrix(kernels, stride, size)
    grid = [-(-length // stride) for length in size]
    maps = torch.from_numpy(rng.standard_normal((1, 4, *grid)))
    image = torch.from_numpy(rng.standard_normal((1, 2, *size)))
    built = synthesize(maps, kernels, stride, size)
    np.testing.assert_allclose(built.ravel(), matrix @ maps.numpy().ravel(), atol=1e-12)
    products = analyze(image, kernels, stride)
    assert products.shape == maps.shape
    np.testing.assert_allclose(
        products.ravel(), matrix.T @ image.numpy().ravel(), atol=1e-12
    )


@pytest.mark.parametrize("alpha", [0.05, 0.5])
@pytest.mark.parametrize("stride, size", CASES)
def test_converges_to_the_non_negative_lasso(stride, size, alpha, rng):
    kernels = random_kernels(rng)
    image = torch.from_numpy(rng.standard_normal((1, 2, *size)))
    maps = convolutional_fista(image, kernels, alpha, 3000, stride).numpy()
    signal = image.numpy().ravel()
    lasso = Lasso(
        alpha / len(signal),
        fit_intercept=False,
        positive=True,
        tol=1e-12,
        max_iter=10**6,
    ).fit(dense_matrix(kernels, stride, size), signal)
    np.testing.assert_allclose(maps.ravel(), lasso.coef_, atol=1e-5)
    assert (maps == 0).sum() > 0 and maps.min() == 0


@pytest.mark.parametrize("stride, size", CASES)
def test_power_iteration_finds_the_spectral_norm(stride, size, rng):
    kernels = random_kernels(rng)
    start = power_start((2, *size)).double()
    curvature, vector = largest_curvature(kernels, stride, start, 5000, 1e-13)
    norm = np.linalg.norm(dense_matrix(kernels, stride, size), 2)
    assert curvature == pytest.approx(norm**2, rel=1e-6)
    quick, _ = largest_curvature(kernels, stride, start)
    assert 0.95 * norm**2 < quick <= norm**2 * (1 + 1e-9)
    again, _ = largest_curvature(kernels, stride, vector, 2)
    assert again == pytest.approx(norm**2, rel=1e-6)


@given(
    seed=st.integers(0, 2**16),
    stride=st.integers(1, 3),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    alpha=st.floats(0, 2),
)
def test_energy_falls_below_that_of_no_code(seed, stride, height, width, alpha):
    rng = np.random.default_rng(seed)
    kernels = random_kernels(rng)
    images = torch.from_numpy(rng.standard_normal((2, 2, height, width)))
    energies = []
    for n_steps in (1, 5, 200):
        maps = convolutional_fista(images, kernels, alpha, n_steps, stride)
        assert maps.shape[2:] == (-(-height // stride), -(-width // stride))
        assert maps.min() >= 0
        rest = images - synthesize(maps, kernels, stride, images.shape[2:])
        energies.append(float(rest.square().sum() / 2 + alpha * maps.sum()))
    assert energies[-1] <= energies[0] + 1e-9
    assert energies[0] <= float(images.square().sum() / 2) + 1e-9


def test_a_penalty_above_all_products_leaves_nothing(rng):
    kernels = random_kernels(rng)
    images = torch.from_numpy(rng.standard_normal((2, 2, 6, 6)))
    largest = float(analyze(images, kernels, 2).max())
    assert not convolutional_fista(images, kernels, 1.001 * largest, 50, 2).any()
    assert convolutional_fista(images, kernels, 0.9 * largest, 50, 2).any()


def test_gradients_are_those_of_finite_differences(rng):
    kernels = random_kernels(rng, n_kernels=2, n_channels=1).requires_grad_()
    images = torch.from_numpy(rng.standard_normal((1, 1, 4, 5))).requires_grad_()

    def code(images, kernels):
        return convolutional_fista(images, kernels, 0.1, 3, 2, curvature=3.0)

    assert torch.autograd.gradcheck(code, (images, kernels))


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"kernels": torch.ones(3, 1, 3, 3)}, "do not fit kernels"),
        ({"kernels": torch.ones(3, 2, 3, 1)}, "do not fit kernels"),
        ({"images": torch.ones(2, 4, 4)}, "do not fit kernels"),
        ({"kernels": torch.ones(3, 2, 2, 2)}, "odd side, got 2"),
        ({"n_steps": 0}, "n_steps must be at least 1, got 0"),
        ({"alpha": -1}, "alpha must be non-negative, got -1"),
    ],
)
def test_what_does_not_fit_is_refused(changes, message):
    arguments = {
        "images": torch.ones(1, 2, 4, 4),
        "kernels": torch.ones(3, 2, 3, 3),
        "alpha": 0.1,
        "n_steps": 2,
    }
    with pytest.raises(ValueError, match=message):
        convolutional_fista(**(arguments | changes))
