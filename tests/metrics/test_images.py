"""Each image metric against a formula written out."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose
from scipy import ndimage

from sklearn_sparsevae import metrics


def psnr_by_hand(true, pred, data_range=1.0):
    """10 log10(peak^2 / MSE), pixel by pixel."""
    squares = [(a - b) ** 2 for a, b in zip(true.ravel(), pred.ravel())]
    return 10 * math.log10(data_range**2 / (sum(squares) / len(squares)))


def ssim_by_hand(true, pred):
    """Eq. 13 of Wang et al. with an explicit 11 by 11 Gaussian window."""
    offsets = np.arange(-5, 6)
    window = np.exp(-(offsets**2) / (2 * 1.5**2))
    window = np.outer(window, window) / window.sum() ** 2

    def mean(image):
        return ndimage.correlate(image, window)[5:-5, 5:-5]

    mu_t, mu_p = mean(true), mean(pred)
    var_t, var_p = mean(true**2) - mu_t**2, mean(pred**2) - mu_p**2
    cov = mean(true * pred) - mu_t * mu_p
    c1, c2 = 0.01**2, 0.03**2
    top = (2 * mu_t * mu_p + c1) * (2 * cov + c2)
    return (top / ((mu_t**2 + mu_p**2 + c1) * (var_t + var_p + c2))).mean()


@pytest.mark.parametrize("shape", [(3, 5, 4, 3), (3, 5, 4), (3, 7)])
def test_psnr_is_the_mean_over_images_of_the_formula(rng, shape):
    true, pred = rng.random(shape), rng.random(shape)
    expected = [psnr_by_hand(a, b) for a, b in zip(true, pred)]
    assert_allclose(metrics.psnr(true, pred, per_image=True), expected)
    assert_allclose(metrics.psnr(true, pred), np.mean(expected))


@pytest.mark.parametrize("score", [metrics.psnr, metrics.ssim])
def test_type_and_range_do_not_change_an_image_metric(rng, score):
    true, pred = rng.integers(0, 256, (2, 3, 16, 12, 3), dtype=np.uint8)
    expected = score(true / 255, pred / 255)
    assert_allclose(score(true, pred), expected)
    assert_allclose(score(true, pred / 255), expected)
    wide = score(true.astype(float), pred.astype(float), data_range=255)
    assert_allclose(wide, expected)
    assert_allclose(score(true, pred.astype(float), data_range=255), expected)
    single = (true / 255).astype(np.float32), (pred / 255).astype(np.float32)
    assert_allclose(score(*single), expected, rtol=1e-5)


@given(hnp.arrays(np.uint8, (2, 3, 4)), hnp.arrays(np.uint8, (2, 3, 4)))
def test_psnr_is_symmetric_bounded_and_above_the_pooled_one(true, pred):
    value = metrics.psnr(true, pred)
    assert 0 <= value <= 100
    assert value == metrics.psnr(pred, true)
    pooled = np.mean((true / 255 - pred / 255) ** 2)
    if pooled:
        assert value >= -10 * np.log10(pooled) - 1e-9 or value > 99


def test_psnr_of_identical_images_stays_finite(rng):
    photos = rng.random((2, 4, 4))
    assert metrics.psnr(photos, photos) == 100.0
    almost = metrics.psnr(photos, photos + 1e-7, per_image=True)
    assert_allclose(almost, 100.0)


@pytest.mark.parametrize("shape", [(2, 16, 13), (2, 16, 13, 3)])
def test_ssim_is_the_formula_with_a_gaussian_window(rng, shape):
    true = rng.random(shape)
    pred = np.clip(true + 0.2 * rng.normal(size=shape), 0, 1)
    planes = [np.moveaxis(x.reshape(2, 16, 13, -1), -1, 1) for x in (true, pred)]
    expected = [
        np.mean([ssim_by_hand(t, p) for t, p in zip(*image)]) for image in zip(*planes)
    ]
    assert_allclose(metrics.ssim(true, pred, per_image=True), expected, rtol=1e-6)
    assert_allclose(metrics.ssim(true, pred), np.mean(expected), rtol=1e-6)


@pytest.mark.parametrize("score", [metrics.psnr, metrics.ssim])
@pytest.mark.parametrize(
    ("true", "pred", "message"),
    [
        (np.zeros((1, 16, 16)), np.zeros((1, 16, 15)), "expected the same shape"),
        (np.zeros((0, 16, 16)), np.zeros((0, 16, 16)), "at least one value"),
        (np.zeros((1, 16, 16), int), np.zeros((1, 16, 16)), "expected uint8"),
        (np.zeros((1, 16, 16)), np.full((1, 16, 16), np.nan), "y_pred with NaN"),
        (np.full((1, 16, 16), np.inf), np.zeros((1, 16, 16)), "y_true with NaN"),
        (np.eye(16)[None] * 255.0, np.zeros((1, 16, 16)), "span at most data_range"),
    ],
)
def test_bad_images_are_refused(score, true, pred, message):
    if np.isinf(true).any():
        true = np.where(np.eye(16)[None] == 1, np.inf, 0.0)
    with pytest.raises(ValueError, match=message):
        score(true, pred)


def test_images_smaller_than_the_window_are_refused():
    with pytest.raises(ValueError, match="H and W of at least 11"):
        metrics.ssim(np.zeros((1, 10, 30)), np.zeros((1, 10, 30)))


def test_data_range_must_be_positive():
    with pytest.raises(ValueError, match="data_range=0; expected a positive"):
        metrics.psnr(np.zeros((1, 2)), np.zeros((1, 2)), data_range=0)
