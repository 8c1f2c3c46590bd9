"""What is said of noise, held against noise that was put in."""

import numpy as np
import pytest
from skimage.restoration import estimate_sigma as wavelet_sigma
from sklearn.datasets import load_sample_image

from sklearn_sparsevae.degrade import gaussian_noise
from sklearn_sparsevae.noise import estimate_sigma


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
    X = (photo[None, :200, :200] * white).astype(dtype)
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
    noisy = gaussian_noise(photo[None], 20, clip=False, random_state=0)[0]
    several = [noisy, noisy[:100], noisy[:, :90]]
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
        r"median of 99; expected images of which most lies in \[0, 1\].*value_range=",
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


@pytest.mark.parametrize("kind", WRONG)
def test_what_has_no_sigma_is_refused(kind):
    images, error, message = WRONG[kind]
    with pytest.raises(error, match=message):
        estimate_sigma(images)
