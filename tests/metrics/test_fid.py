"""The distance of two sets against formulas for normal distributions."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import linalg

from sklearn_sparsevae import metrics

seeds = st.integers(0, 2**31)


def pixels(images):
    """A network that sees every pixel of grey images."""
    return images[:, 0].flatten(1).double()


def fid_of_rows(true, pred):
    """FID whose features are the given rows."""
    sets = [rows.astype(np.float32)[:, None] for rows in (true, pred)]
    return metrics.fid(*sets, network=pixels).fid


def rows_of(seed, n, n_features):
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(n_features, n_features))
    rows = rng.normal(size=(n, n_features)) @ mixing + rng.normal(size=n_features)
    return (rows - rows.min()) / np.ptp(rows)


@given(seeds, st.integers(1, 6))
def test_fid_is_the_formula_with_a_matrix_root(seed, n_features):
    true, pred = rows_of(seed, 30, n_features), rows_of(seed + 1, 40, n_features)
    c, c_pred = (np.atleast_2d(np.cov(rows.T)) for rows in (true, pred))
    root = linalg.sqrtm(c @ c_pred).real
    shift = np.sum((true.mean(0) - pred.mean(0)) ** 2)
    expected = shift + np.trace(c + c_pred - 2 * root)
    assert_allclose(fid_of_rows(true, pred), expected, rtol=1e-4, atol=1e-6)


def test_fid_of_independent_features_is_a_sum_over_them():
    """Columns of a Hadamard matrix are uncorrelated, so variances are all there is."""
    signs = linalg.hadamard(8)[:, 1:5].astype(float)
    deviations = np.array([0.1, 0.2, 0.3, 0.4]), np.array([0.4, 0.05, 0.3, 0.1])
    means = 0.5, np.array([0.5, 0.4, 0.45, 0.6])
    true, pred = (m + d * signs for m, d in zip(means, deviations))
    expected = np.sum((means[0] - means[1]) ** 2)
    expected += np.sum((deviations[0] - deviations[1]) ** 2) * 8 / 7
    assert_allclose(fid_of_rows(true, pred), expected, rtol=1e-5)


@pytest.mark.filterwarnings("ignore:FID of:UserWarning")
@pytest.mark.parametrize(("n", "n_features"), [(60, 8), (8, 60)])
def test_fid_of_shifted_and_of_shrunk_sets(n, n_features):
    """Closed forms that hold for singular covariances, too."""
    rows = 0.5 * rows_of(0, n, n_features)
    assert fid_of_rows(rows, rows) < 1e-12
    shifted = fid_of_rows(rows, rows + 0.25)
    assert_allclose(shifted, n_features * 0.25**2, rtol=1e-5)
    half = np.sum(rows.mean(0) ** 2) / 4 + rows.var(0, ddof=1).sum() / 4
    assert_allclose(fid_of_rows(rows, rows / 2), half, rtol=1e-5)


@pytest.mark.filterwarnings("ignore:FID of:UserWarning")
@given(seeds, st.integers(2, 12), st.integers(2, 12))
def test_fid_is_symmetric_and_ignores_the_order(seed, n_true, n_pred):
    true, pred = rows_of(seed, n_true, 5), rows_of(seed + 1, n_pred, 5)
    value = fid_of_rows(true, pred)
    assert value >= 0
    assert_allclose(fid_of_rows(pred[::-1], true), value, rtol=1e-6, atol=1e-12)


def test_counts_are_stated_and_the_whole_sets_are_seen(rng):
    seen = []

    def network(images):
        seen.append(len(images))
        return images.mean((2, 3))

    result = metrics.fid(
        rng.random((70, 6, 5)), rng.random((40, 7, 4)), network=network
    )
    assert (result.n_true, result.n_pred) == (70, 40)
    assert sum(seen) == 110 and max(seen) <= 32


def test_type_and_range_do_not_change_fid(rng):
    true, pred = rng.integers(0, 256, (2, 20, 2, 2), dtype=np.uint8)
    expected = metrics.fid(true / 255, pred / 255, network=pixels)
    assert_allclose(metrics.fid(true, pred, network=pixels), expected)
    wide = [x.astype(float) for x in (true, pred)]
    assert_allclose(metrics.fid(*wide, network=pixels, data_range=255), expected)


def test_few_images_are_warned_of(rng):
    sets = rng.random((2, 5, 2, 2))
    with pytest.warns(UserWarning, match="FID of 5 and 4 images with 4 features"):
        metrics.fid(sets[0], sets[1, :4], network=pixels)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        metrics.fid(*sets, network=pixels)


def test_sets_that_have_no_covariance_are_refused(rng):
    with pytest.raises(ValueError, match="1 and 2 images; expected at least two"):
        metrics.fid(rng.random((1, 2, 2)), rng.random((2, 2, 2)), network=pixels)


def test_modules_are_used_in_evaluation_mode(rng):
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Dropout(0.5)).train()
    photos = rng.random((30, 1, 2))
    assert metrics.fid(photos, photos, network=network).fid < 1e-9
    assert network.training
