"""Images that are freed of noise by the sparse codes of their own patches."""

import numpy as np
import pytest
import torch
from skimage import data
from skimage.restoration import denoise_wavelet

from sklearn_sparsevae.sparse import _patch_groups, denoise_patches
from sklearn_sparsevae.sparse._patches import add_patches, extract_patches


@pytest.fixture(scope="module")
def photo():
    return data.astronaut()[60:156, 170:266] / 255.0


def noise(photo, sigma, seed=0):
    return np.random.default_rng(seed).normal(0, 1, photo.shape) * sigma


def error(restored, clean):
    return np.sqrt(np.square(restored - clean).mean())


@pytest.mark.parametrize("sigma", [0.04, 0.1, 0.3])
@pytest.mark.parametrize("channels", [[0, 1, 2], [1], [0, 1, 2, 2, 1]])
def test_less_noise_than_wavelets_leave(photo, sigma, channels):
    clean = photo[..., channels]
    noisy = clean + noise(clean, sigma)
    wavelets = denoise_wavelet(
        noisy, sigma=sigma, wavelet="sym8", channel_axis=-1, rescale_sigma=True
    )
    assert error(denoise_patches(noisy, sigma), clean) < 0.95 * error(wavelets, clean)


def test_axes_of_groups_are_those_of_their_covariance(rng):
    # Factors as an eigendecomposition gives them, one group at a time.
    guide = rng.standard_normal((4, 12, 6)) * np.linspace(0, 4, 6)
    noisy = guide + rng.standard_normal(guide.shape)
    share = _patch_groups.NOISE_SHARE
    found = _patch_groups.shrink_in_own_axes(*map(torch.from_numpy, (noisy, guide)))
    for own, of, estimate in zip(noisy, guide, found.numpy(), strict=True):
        variances, axes = np.linalg.eigh(np.cov(of.T))
        factors = (variances / (variances + share)) ** 2
        mean = own.mean(0)
        expected = (own - mean) @ axes * factors @ axes.T + mean
        np.testing.assert_allclose(estimate, expected, atol=1e-9)


def test_the_most_similar_patches_are_found(rng, monkeypatch):
    monkeypatch.setattr(_patch_groups, "REACH", 3)
    guide = torch.from_numpy(rng.standard_normal((14, 11, 2)))
    rows, columns = torch.tensor([0, 3, 6, 11]), torch.tensor([0, 5, 8])
    members = _patch_groups.find_similar(guide, (rows, columns), 3, 7)
    patches = extract_patches(guide, 3)
    for at, found in zip(torch.cartesian_prod(rows, columns), members, strict=True):
        near = {
            i * 9 + j: float((patches[i, j] - patches[*at]).square().sum())
            for i in range(12)
            for j in range(9)
            if abs(i - at[0]) <= 3 and abs(j - at[1]) <= 3
        }
        assert set(found.tolist()) == set(sorted(near, key=near.get)[:7])


def test_patches_are_added_where_they_were_cut(rng):
    image = torch.from_numpy(rng.standard_normal((7, 9, 2)))
    total, count = torch.zeros_like(image), torch.zeros_like(image)
    patches = extract_patches(image, 3)
    add_patches(patches, 3, total)
    add_patches(torch.ones_like(patches), 3, count)
    torch.testing.assert_close(total / count, image)
    assert int(count[0, 0, 0]) == 1
    assert int(count[3, 4, 1]) == 9


def test_without_noise_nothing_changes(photo):
    small = photo[:24, :24]
    np.testing.assert_array_equal(denoise_patches(small, 0), small)
    assert error(denoise_patches(small, 1e-6), small) < 2e-6


def test_channels_without_noise_stay(photo):
    clean = photo[:32, :32]
    sigma = np.array([0.1, 0, 0.02])
    noisy = clean + noise(clean, sigma)
    restored = denoise_patches(noisy, sigma)
    np.testing.assert_array_equal(restored[..., 1], clean[..., 1])
    for channel in (0, 2):
        before = error(noisy[..., channel], clean[..., channel])
        assert error(restored[..., channel], clean[..., channel]) < 0.9 * before


def test_units_and_black_are_no_matter(photo):
    clean = photo[:32, :32]
    noisy = clean + noise(clean, 0.1)
    expected = denoise_patches(noisy, 0.1)
    for scale, shift in [(1, 20), (1, -0.5), (1e4, 0), (1e-9, 3e-9)]:
        restored = denoise_patches(noisy * scale + shift, 0.1 * scale)
        np.testing.assert_allclose((restored - shift) / scale, expected, atol=2e-3)


@pytest.mark.parametrize("shape", [(8, 8, 3), (9, 8, 1), (1, 1, 1), (1, 30, 2)])
@pytest.mark.parametrize("kind", ["constant", "noise", "black"])
def test_small_and_flat_images_have_an_answer(shape, kind):
    image = np.full(shape, 0.5)
    if kind == "noise":
        image += noise(image, 0.1)
    restored = denoise_patches(image * (kind != "black"), 0.1)
    assert restored.shape == shape
    assert np.isfinite(restored).all()
    if kind != "noise":
        np.testing.assert_allclose(restored, image * (kind != "black"), atol=1e-6)
    elif min(shape[:2]) >= 8:
        assert error(restored, 0.5) < 0.06


def test_seed_and_dtype_say_what_comes_out(photo):
    noisy = (photo + noise(photo, 0.1))[:24, :30].astype(np.float32)
    once = denoise_patches(noisy, 0.1, seed=1)
    np.testing.assert_array_equal(denoise_patches(noisy, 0.1, seed=1), once)
    assert once.dtype == np.float32
    tensor = denoise_patches(torch.from_numpy(noisy), [0.1, 0.1, 0.1], seed=1)
    np.testing.assert_array_equal(tensor.numpy(), once)


def test_tiles_do_not_show(photo, monkeypatch):
    noisy = photo[:40, :36, :1] + noise(photo[:40, :36, :1], 0.1)
    whole = denoise_patches(noisy, 0.1)
    monkeypatch.setattr(_patch_groups, "_TILE", 5)
    monkeypatch.setattr("sklearn_sparsevae.sparse.patch_denoising._TILE", 17)
    np.testing.assert_allclose(denoise_patches(noisy, 0.1), whole, atol=1e-4)


@pytest.mark.parametrize(
    ("sigma", "message"),
    [
        ([0.1, 0.1], "sigma has 2 numbers, but the image 3 channels"),
        (-0.1, "sigma must be non-negative"),
        ([0.1, 0.1, np.nan], "each number of sigma must be finite"),
        ("0.1", "sigma must be a number, or one for each channel"),
        (None, "sigma must be a number, or one for each channel"),
        (np.ones((3, 1)), "sigma must be a number, or one for each channel"),
    ],
)
def test_what_is_no_deviation_is_refused(photo, sigma, message):
    with pytest.raises((TypeError, ValueError), match=message):
        denoise_patches(photo, sigma)


def test_an_image_without_pixels_is_refused():
    with pytest.raises(ValueError, match="at least one pixel"):
        denoise_patches(np.ones((0, 4, 1)), 0.1)
