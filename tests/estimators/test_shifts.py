"""Reconstructions averaged over shifts of the grid of sites."""

import numpy as np
import pytest

from sklearn_sparsevae import VQVAE, GaussianVAE, SparseCodingVAE
from sklearn_sparsevae.training.inference import grid_shifts


@pytest.mark.parametrize("side", [1, 2, 3, 4, 6, 8])
def test_shifts_are_all_those_of_a_site_from_none_on(side):
    shifts = grid_shifts(side, 1000)
    assert shifts[0] == (0, 0)
    assert sorted(shifts) == [(y, x) for y in range(side) for x in range(side)]
    assert all(grid_shifts(side, n) == shifts[:n] for n in (1, 2, 3, 4))


def test_few_shifts_are_spread_over_a_site():
    assert grid_shifts(8, 2) == [(0, 0), (4, 4)]
    assert sorted(grid_shifts(8, 4)) == [(0, 0), (0, 4), (4, 0), (4, 4)]
    quarters = [(y, x) for y in range(0, 8, 2) for x in range(0, 8, 2)]
    assert sorted(grid_shifts(8, 16)) == quarters


@pytest.mark.parametrize("shape", [(16, 20), (13, 9), (2, 3)])
@pytest.mark.parametrize("n_shifts", [1, 3, 9])
def test_a_mean_of_shifted_images(n_shifts, shape):
    """Shift by hand, with rows and columns repeated: what is cut away at the end."""
    X = np.random.RandomState(0).random_sample((30, 12, 12))
    model = VQVAE(16, n_downsamples=1, max_epochs=2, random_state=0).fit(X)
    images = np.random.RandomState(1).random_sample((3, *shape))
    by_hand = []
    for down, right in [(0, 0), (1, 1), (0, 1), (1, 0)][:n_shifts]:
        padded = np.pad(images, ((0, 0), (down, 0), (right, 0)), mode="edge")
        by_hand.append(model.reconstruct(padded)[:, down:, right:])
    restored = model.reconstruct(images, n_shifts=n_shifts)
    np.testing.assert_allclose(restored, np.mean(by_hand, axis=0), atol=1e-6)
    tiled = model.reconstruct(images, n_shifts=n_shifts, tile=64)
    np.testing.assert_allclose(tiled, restored, atol=1e-6)
    photos = [images[0], images[1]]
    for one, expected in zip(
        model.reconstruct(photos, n_shifts=n_shifts), restored, strict=False
    ):
        np.testing.assert_allclose(one, expected, atol=1e-6)


def test_averaging_takes_noise_away():
    """Blocks show where sites end, and differ from shift to shift."""
    rows, columns = np.mgrid[:32, :32] / 32
    clean = np.stack([(rows + k * columns) / (k + 1) for k in (0.5, 1, 2, 3)])
    noisy = np.clip(clean + np.random.RandomState(0).normal(0, 0.1, clean.shape), 0, 1)
    model = SparseCodingVAE(
        24, n_downsamples=2, alpha=0.2, target="y", max_epochs=0, random_state=0
    ).fit(noisy, clean)
    errors = [
        np.mean((model.reconstruct(noisy, n_shifts=n) - clean) ** 2) for n in (1, 4, 16)
    ]
    assert errors[1] < 0.9 * errors[0] and errors[2] < errors[1]


def test_what_a_condition_says_counts_for_all_shifts():
    X, labels = np.random.RandomState(0).random_sample((20, 8, 8)), np.arange(20) % 2
    model = GaussianVAE(3, n_downsamples=1, max_epochs=1, random_state=0)
    model.fit(X, condition=labels)
    shifted = model.reconstruct(X, condition=labels, n_shifts=4)
    assert shifted.shape == X.shape
    other = model.reconstruct(X, condition=1 - labels, n_shifts=4)
    assert np.abs(shifted - model.reconstruct(X, condition=labels)).max() > 1e-4
    assert np.isfinite(other).all()


@pytest.mark.parametrize(("n_shifts", "error"), [(0, ValueError), (2.0, TypeError)])
def test_shifts_are_counted(n_shifts, error):
    X = np.zeros((5, 8, 8))
    model = VQVAE(2, n_downsamples=1, max_epochs=0, random_state=0).fit(X)
    with pytest.raises(error, match="n_shifts"):
        model.reconstruct(X, n_shifts=n_shifts)
