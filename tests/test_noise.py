"""What is said of noise, held against noise that was put in."""

import numpy as np
import pytest
from scipy import stats
from scipy.ndimage import convolve, gaussian_filter
from skimage.restoration import estimate_sigma as wavelet_sigma
from sklearn.datasets import load_sample_image

from sklearn_sparsevae.degrade import gaussian_noise, poisson_gaussian_noise
from sklearn_sparsevae.noise import (
    anscombe,
    estimate_gain,
    estimate_sigma,
    inverse_anscombe,
    noise_correlation,
)


@pytest.fixture(scope="module")
def photo():
    return load_sample_image("china.jpg")[:320, :480] / 255


# ---- estimate_sigma -----------------------------------------------------------------


@pytest.mark.parametrize("sigma", [5, 15, 25, 50])
@pytest.mark.parametrize("clip", [False, True])
def test_sigma_of_a_photo_is_found_within_a_few_percent(photo, sigma, clip):
    noisy = gaussian_noise(photo[None], sigma, clip=clip, random_state=0)
    found = estimate_sigma(noisy)
    assert found.shape == (1, 3)
    np.testing.assert_allclose(found, sigma, rtol=0.06)


def test_photos_without_noise_have_next_to_none(photo):
    flower = load_sample_image("flower.jpg") / 255
    for clean in (photo, flower):
        assert (estimate_sigma(clean[None]) < 1.5).all()


def test_texture_is_no_noise(photo):
    textured = photo[190:, :, 1]  # trees and water
    noisy = gaussian_noise(textured[None], 5, clip=False, random_state=0)
    ours = estimate_sigma(noisy).item() / 5
    assert abs(ours - 1) < 0.1 < abs(wavelet_sigma(noisy[0]) * 255 / 5 - 1)


def test_each_channel_has_a_sigma_of_its_own(photo):
    rng, sigmas = np.random.RandomState(0), np.array([4, 12, 40])
    noisy = photo + rng.normal(size=photo.shape) * sigmas / 255
    found = estimate_sigma(noisy[None])
    np.testing.assert_allclose(found, [sigmas], rtol=0.06)
    alone = [estimate_sigma(noisy[None, ..., c]).item() for c in range(3)]
    np.testing.assert_array_equal(found, [alone])


@pytest.mark.parametrize("level", [-0.3, 0.0, 0.1, 0.8, 1.0, 1.2])
def test_clipped_regions_do_not_drag_it_down(level):
    photo = np.linspace(0, 1, 200) * np.ones((200, 1))
    photo[:, :100] = level
    noisy = np.clip(photo + np.random.RandomState(0).normal(0, 0.1, photo.shape), 0, 1)
    as_bytes = np.rint(noisy * 255).astype(np.uint8)
    assert estimate_sigma(as_bytes[None]).item() == pytest.approx(25.5, rel=0.08)


@pytest.mark.parametrize("side", [32, 48])
def test_small_images_will_do(side):
    even = np.full((20, side, side), 0.5)
    found = estimate_sigma(gaussian_noise(even, 20, random_state=0))
    assert found.shape == (20, 1)
    np.testing.assert_allclose(found, 20, rtol=0.12)
    assert found.mean() == pytest.approx(20, rel=0.02)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_units_are_those_of_degrade(photo, dtype):
    white = np.iinfo(dtype).max if np.dtype(dtype).kind == "u" else 1
    X = (photo[None, 100:180, :80] * white).astype(dtype)
    noisy = gaussian_noise(X, 20, random_state=0)
    expected = estimate_sigma(noisy / white)
    np.testing.assert_allclose(estimate_sigma(noisy), expected, rtol=1e-4)
    twelve = {"value_range": (-100, 4095)}
    span = noisy / white * 4195 - 100
    np.testing.assert_allclose(estimate_sigma(span, **twelve), expected, rtol=1e-3)


def test_noise_beyond_the_range_is_left_in(photo):
    noisy = gaussian_noise(photo[None], 120, clip=False, random_state=0)
    np.testing.assert_allclose(estimate_sigma(noisy), 120, rtol=0.06)


def test_photos_of_several_sizes_are_taken_one_by_one(photo):
    noisy = gaussian_noise(photo[None, 99:199, :120], 20, random_state=0)[0]
    several = [noisy, noisy[:50], noisy[:, :90]]
    each = np.concatenate([estimate_sigma(p[None]) for p in several])
    np.testing.assert_array_equal(estimate_sigma(several), each)


@pytest.mark.parametrize("level", [0.0, 0.3, 1.0])
def test_even_images_have_no_noise(level):
    assert estimate_sigma(np.full((1, 16, 16), level)).item() == 0
    halves = np.repeat([level, 1 - level], 8) * np.ones((16, 1))
    assert estimate_sigma(halves[None]).item() == 0


WRONG = {
    "too small": (np.zeros((1, 7, 9)), ValueError, "7x9 pixels; expected sides of 8"),
    "bytes as floats": (
        np.full((1, 9, 9), 99.0),
        ValueError,
        r"mean of 99; expected images of which most lies in \[0, 1\].*value_range=",
    ),
    "NaN": (np.full((1, 9, 9), np.nan), ValueError, "NaN or infinity"),
    "signed": (np.zeros((1, 9, 9), int), TypeError, "dtype int64.*value_range="),
    "one photo": (np.zeros((9, 9)), ValueError, r"shape \(9, 9\).*photo\[None\]"),
    "none": ([], ValueError, "Got no images"),
    "unlike": (
        [np.zeros((9, 9, 3)), np.zeros((9, 9))],
        ValueError,
        r"images\[0\] of 3 channels and images\[1\] of 1",
    ),
}


@pytest.mark.parametrize("function", [estimate_sigma, estimate_gain, noise_correlation])
@pytest.mark.parametrize("kind", WRONG)
def test_what_has_no_blocks_of_noise_is_refused(function, kind):
    images, error, message = WRONG[kind]
    with pytest.raises(error, match=message):
        function(images)


# ---- anscombe and back --------------------------------------------------------------


@pytest.mark.parametrize("sigma", [0, 5])
@pytest.mark.parametrize("photons", [4, 20, 200])
def test_noise_has_a_deviation_of_one_after_it(sigma, photons):
    even = np.full((1, 200, 200), 0.5)
    gain = 127.5 / photons
    noisy = poisson_gaussian_noise(even, gain, sigma, clip=False, random_state=0)
    assert anscombe(noisy, gain, sigma).std() == pytest.approx(1, rel=0.05)


def test_it_is_anscombe_for_counts_and_grows_with_the_signal():
    counts = np.arange(0, 100.0).reshape(1, 10, 10)
    stabilized = anscombe(counts, gain=1 * 255 / 100, value_range=(0, 100))
    np.testing.assert_allclose(stabilized, 2 * np.sqrt(counts + 3 / 8), rtol=1e-6)
    assert stabilized.dtype == np.float64


def _expected_stabilized(photons, sigma):
    """E[f(z)] of z = Poisson(photons) + sigma n, by summation over both."""
    counts = np.arange(0, photons + 12 * np.sqrt(photons) + 25)
    steps = np.linspace(-6, 6, 241)
    z = counts[:, None] + sigma * steps
    f = 2 * np.sqrt(np.maximum(z + 3 / 8 + sigma**2, 0))
    weights = stats.norm.pdf(steps) / stats.norm.pdf(steps).sum()
    return float(stats.poisson.pmf(counts, photons) @ f @ weights)


@pytest.mark.parametrize("sigma", [0, 0.5, 2])
@pytest.mark.parametrize("photons", [1, 3, 10, 60])
def test_the_way_back_has_no_bias(sigma, photons):
    mean = np.full((1, 1, 1), _expected_stabilized(photons, sigma))
    gain = 2.5
    back = inverse_anscombe(mean, gain, sigma * gain).item() * 255 / gain
    assert back == pytest.approx(photons, abs=0.06 + 0.04 * sigma)
    algebraic = mean.item() ** 2 / 4 - 3 / 8 - sigma**2
    assert abs(back - photons) < abs(algebraic - photons)


def test_each_channel_may_have_a_gain_and_a_sigma_of_its_own(photo):
    gain, sigma = [1, 4, 9], [0, 2, 8]
    stabilized = anscombe(photo[None], gain, sigma)
    back = inverse_anscombe(stabilized, gain, sigma)
    for c in range(3):
        alone = anscombe(photo[None, ..., c], gain[c], sigma[c])
        np.testing.assert_array_equal(stabilized[..., c], alone)
        back_alone = inverse_anscombe(alone, gain[c], sigma[c])
        np.testing.assert_array_equal(back[..., c], back_alone)
    with pytest.raises(ValueError, match="gain of 2 numbers for images of 3 channels"):
        anscombe(photo[None], gain[:2])


def test_units_and_layouts_of_the_transform_are_those_of_degrade(photo):
    wanted = anscombe(photo[None], 3, 2)
    as_bytes = np.rint(photo[None] * 255).astype(np.uint8)
    stabilized = anscombe(as_bytes, 3, 2)
    assert stabilized.dtype == np.float32
    np.testing.assert_allclose(stabilized, wanted, rtol=1e-5)
    span = anscombe(photo[None] * 4 - 1, 3, 2, value_range=(-1, 3))
    np.testing.assert_allclose(span, wanted, rtol=1e-9)
    unit = inverse_anscombe(wanted, 3, 2)
    back = inverse_anscombe(wanted, 3, 2, value_range=(-1, 3))
    np.testing.assert_allclose(back, unit * 4 - 1, atol=1e-9)
    several = anscombe([photo, photo[:50, :, 0]], 3, 2)
    np.testing.assert_array_equal(several[0], wanted[0])
    assert several[1].shape == (50, 480)
    backs = inverse_anscombe(several, 3, 2)
    np.testing.assert_array_equal(backs[1], unit[0, :50, :, 0])


def test_less_than_no_photon_is_none():
    dark = np.array([[[-5.0, 0.0, 0.5]]])
    np.testing.assert_allclose(inverse_anscombe(dark, 3), 0, atol=1e-12)
    assert anscombe(np.array([[[-0.9, 0.5, 0.5]]]), 30).min() == 0


@pytest.mark.parametrize("function", [anscombe, inverse_anscombe])
@pytest.mark.parametrize(
    ("amounts", "error"),
    [
        ({"gain": 0}, ValueError),
        ({"gain": -1}, ValueError),
        ({"gain": [1, np.nan, 1]}, ValueError),
        ({"gain": "1"}, TypeError),
        ({"gain": [[1.0]]}, TypeError),
        ({"gain": 1, "sigma": -1}, ValueError),
        ({"gain": 1, "sigma": None}, TypeError),
    ],
)
def test_gains_and_sigmas_that_are_none_are_refused(function, amounts, error):
    with pytest.raises(error, match="Got (gain|sigma)=.*; expected"):
        function(np.full((1, 4, 4, 3), 0.5), **amounts)


# ---- estimate_gain ------------------------------------------------------------------


@pytest.mark.parametrize(("gain", "sigma"), [(1, 5), (4, 0.5), (10, 3)])
@pytest.mark.parametrize("clip", [False, True])
def test_the_gain_of_a_camera_is_found_in_its_photos(photo, gain, sigma, clip):
    photo = gaussian_filter(photo, (2, 2, 0))  # which has even places at all levels
    noisy = poisson_gaussian_noise(photo[None], gain, sigma, clip=clip, random_state=0)
    found, read_noise = estimate_gain(noisy)
    assert found.shape == read_noise.shape == (3,)
    levels = np.array([20, 80, 160])[:, None]
    variance = found * levels + read_noise**2
    wanted = gain * levels + sigma**2
    np.testing.assert_allclose(np.sqrt(variance / wanted), 1, rtol=0, atol=0.12)
    np.testing.assert_allclose(found, gain, rtol=0.15)


def test_white_noise_does_not_grow_with_the_signal(photo):
    noisy = gaussian_noise([photo, photo[::-1]], 10, clip=False, random_state=0)
    gain, sigma = estimate_gain(noisy)
    assert (gain < 0.15).all()
    np.testing.assert_allclose(sigma, 10, rtol=0.1)


def test_gain_and_its_transform_agree(photo):
    photo = gaussian_filter(photo, (2, 2, 0))
    noisy = poisson_gaussian_noise(photo[None], 5, 4, clip=False, random_state=0)
    sigma = estimate_sigma(anscombe(noisy, *estimate_gain(noisy)), value_range=(0, 255))
    np.testing.assert_allclose(sigma, 1, rtol=0.06)


# ---- noise_correlation --------------------------------------------------------------


@pytest.mark.parametrize("sigma", [5, 25])
def test_white_noise_on_a_textured_photo_is_not_correlated(photo, sigma):
    noisy = gaussian_noise(photo[None], sigma, clip=False, random_state=0)
    found = noise_correlation(noisy)
    assert found.shape == (1, 3, 2)
    assert abs(found).max() < 0.12


def test_noise_of_rows_is_told_from_that_of_columns(photo):
    noise = np.random.RandomState(0).normal(0, 0.1, photo.shape)
    rows = noise_correlation((photo + gaussian_filter(noise, (0, 0.6, 0)))[None])[0]
    assert rows[:, 1].min() > 0.2 > 0.12 > abs(rows[:, 0]).max()
    columns = noise_correlation((photo + gaussian_filter(noise, (0.6, 0, 0)))[None])[0]
    assert columns[:, 0].min() > 0.2 > 0.12 > abs(columns[:, 1]).max()


def test_noise_of_demosaiced_photos_and_residuals_is_correlated(photo):
    green = np.indices(photo.shape[:2]).sum(0) % 2 == 0
    around = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]]) / 4
    noise = np.random.RandomState(0).normal(0, 0.1, green.shape)
    for measured in (noise, photo[..., 1] + noise):
        filled = np.where(green, measured, convolve(measured * green, around))
        assert noise_correlation(filled[None]).min() > 0.25


@pytest.mark.parametrize("correlation", [-0.3, 0.2, 0.4])
def test_the_number_is_the_correlation_of_neighbours(correlation):
    # x + k y next to it: k / (1 + k**2) is the correlation.
    k = (1 - np.sqrt(1 - 4 * correlation**2)) / (2 * correlation)
    noise = np.random.RandomState(0).normal(0, 0.1, (300, 301))
    both = noise[:, 1:] + k * noise[:, :-1]
    found = noise_correlation(both[None])[0, 0]
    np.testing.assert_allclose(found, [0, correlation], atol=0.04)


def test_even_images_have_no_correlation():
    assert not noise_correlation(np.full((1, 16, 16, 2), 0.5)).any()
