"""Denoiser: noise goes, what was there stays, whatever form images come in."""

import copy

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio

from sklearn_sparsevae import Denoiser, load, save
from sklearn_sparsevae.degrade import gaussian_noise, poisson_noise

SMALL = {"width": 16, "n_batches": 120, "max_epochs": 1, "lr": 0.004, "random_state": 0}


def scenes(n, side=48, channels=3, seed=0):
    """Discs of one colour on another, in [0, 1]."""
    rng = np.random.RandomState(seed)
    rows, columns = np.mgrid[:side, :side]
    images = np.empty((n, side, side, channels), np.float32)
    for image in images:
        image[:] = rng.uniform(0.1, 0.9, channels)
        for _ in range(3):
            row, column, radius = rng.uniform((0, 0, 4), (side, side, side / 3))
            inside = (rows - row) ** 2 + (columns - column) ** 2 < radius**2
            image[inside] = rng.uniform(0.1, 0.9, channels)
    return images


def noisy(images, sigma=25, seed=1):
    """Images with noise that is not clipped."""
    return gaussian_noise(images, sigma, clip=False, random_state=seed)


def psnr(clean, restored):
    """PSNR in dB of images in [0, 1]."""
    return peak_signal_noise_ratio(clean, restored, data_range=1)


@pytest.fixture(scope="module")
def denoiser():
    """A model of little training."""
    return Denoiser(**SMALL).fit(scenes(20))


@pytest.fixture(scope="module")
def untrained():
    """A model as it starts."""
    return Denoiser(width=8, max_epochs=0).fit(scenes(2))


def test_noise_goes(denoiser):
    clean = scenes(4, seed=5)
    spoilt = noisy(clean)
    before, after = psnr(clean, spoilt), psnr(clean, denoiser.transform(spoilt))
    assert after > before + 4


def test_score_is_the_psnr_of_what_is_restored(denoiser):
    clean = scenes(3, seed=5)
    spoilt = noisy(clean)
    restored = denoiser.transform(spoilt, sigma=25)
    expected = np.mean([psnr(*pair) for pair in zip(clean, restored, strict=True)])
    assert denoiser.score(spoilt, clean, sigma=25) == pytest.approx(expected, abs=1e-4)
    several = [list(spoilt), list(clean)]
    several[0][0], several[1][0] = spoilt[0, :40], clean[0, :40]
    assert np.isfinite(denoiser.score(*several))


@pytest.mark.parametrize("n_shifts", [1, 4])
@pytest.mark.parametrize("bottleneck", [None, "lista"])
def test_tiles_do_not_show(n_shifts, bottleneck):
    settings = SMALL | {"n_batches": 4, "width": 8}
    model = Denoiser(n_shifts=n_shifts, bottleneck=bottleneck, **settings)
    model.fit(scenes(2))
    spoilt = noisy(scenes(1, side=118, seed=3))[:, :, :101]
    whole = model.transform(spoilt, sigma=25, return_std=True)
    tiled = model.transform(spoilt, sigma=25, return_std=True, tile=20)
    np.testing.assert_allclose(tiled, whole, atol=2e-6)


@pytest.mark.parametrize("bottleneck", [None, "lista", "pursuit"])
def test_before_training_what_comes_in_comes_out(bottleneck):
    images = scenes(2, side=37)
    model = Denoiser(width=8, max_epochs=0, bottleneck=bottleneck).fit(images)
    np.testing.assert_allclose(model.transform(images, sigma=0), images, atol=1e-6)


def test_bytes_mean_what_floats_mean(denoiser):
    spoilt = (255 * np.clip(noisy(scenes(2, seed=7)), 0, 1)).round().astype(np.uint8)
    of_bytes = denoiser.transform(spoilt, sigma=25)
    of_floats = denoiser.transform(spoilt / np.float32(255), sigma=25)
    np.testing.assert_allclose(of_bytes, of_floats, atol=1e-5)


def test_a_range_of_its_own():
    clean = scenes(6, channels=1)[..., 0]
    settings = SMALL | {"n_batches": 10, "sigma": 20}
    unit = Denoiser(**settings).fit(clean)
    wide = Denoiser(value_range=(0, 4095), **settings).fit(4095 * clean)
    spoilt = noisy(clean)
    restored, deviation = unit.transform(spoilt, return_std=True)
    of_wide, deviation_of_wide = wide.transform(4095 * spoilt, return_std=True)
    assert restored.shape == clean.shape
    np.testing.assert_allclose(of_wide / 4095, restored, atol=1e-4)
    np.testing.assert_allclose(deviation_of_wide / 4095, deviation, atol=1e-4)


def test_photos_of_several_sizes_are_restored_one_by_one(denoiser):
    photos = [noisy(scenes(1, side=side))[0] for side in (33, 48, 40)]
    together = denoiser.transform(photos)
    assert [p.shape for p in together] == [p.shape for p in photos]
    for photo, restored in zip(photos, together, strict=True):
        alone = denoiser.transform(photo[None])[0]
        np.testing.assert_allclose(restored, alone, atol=1e-6)


@pytest.mark.parametrize("method", ["network", "patches"])
def test_fits_to_photos_of_several_sizes(method):
    photos = [scenes(1, side=side)[0] for side in (33, 48)]
    model = Denoiser(method=method, width=4, n_batches=1, max_epochs=1).fit(photos)
    restored = model.transform(photos, sigma=5)
    assert [p.shape for p in restored] == [p.shape for p in photos]


def test_an_image_does_not_depend_on_its_neighbours(denoiser):
    spoilt = noisy(scenes(3, seed=9))
    together = denoiser.transform(spoilt)
    for image, restored in zip(spoilt, together, strict=True):
        alone = denoiser.transform(image[None])[0]
        np.testing.assert_allclose(alone, restored, atol=1e-6)


def test_strength_of_each_channel(denoiser):
    clean = scenes(2, seed=11)
    spoilt = clean.copy()
    spoilt[..., 0] = noisy(clean[..., 0], sigma=40)
    told = denoiser.transform(spoilt, sigma=[40, 0, 0])
    apart = denoiser.transform(spoilt, sigma=[[40, 0, 0], [40, 0, 0]])
    np.testing.assert_array_equal(told, apart)
    assert psnr(clean, told) > psnr(clean, denoiser.transform(spoilt, sigma=5))


def test_errors_are_as_large_as_predicted(denoiser):
    clean = scenes(8, seed=13)
    for sigma in (15, 40):
        spoilt = noisy(clean, sigma)
        restored, deviation = denoiser.transform(spoilt, sigma, return_std=True)
        share = np.mean(np.abs(restored - clean) < 2 * deviation)
        assert 0.88 < share < 0.995


def test_more_noise_more_deviation(denoiser):
    clean = scenes(2, seed=13)
    weak, strong = (
        denoiser.transform(noisy(clean, sigma), sigma, return_std=True)[1].mean()
        for sigma in (10, 40)
    )
    assert weak < strong


def test_it_learns_from_noisy_photos():
    clean = scenes(20)
    model = Denoiser(clean=False, sigma=25, **SMALL).fit(noisy(clean, seed=2))
    test = scenes(4, seed=5)
    spoilt = noisy(test)
    assert psnr(test, model.transform(spoilt)) > psnr(test, spoilt) + 3


@pytest.mark.parametrize("gain", [255 / 20, "estimate"])
def test_it_learns_from_photos_with_poisson_noise(gain):
    spoilt = poisson_noise(scenes(20), peak=20, clip=False, random_state=0)
    model = Denoiser(clean=False, gain=gain, **SMALL).fit(spoilt)
    test = scenes(4, seed=5)
    spoilt = poisson_noise(test, peak=20, clip=False, random_state=1)
    restored = model.transform(spoilt)
    assert psnr(test, restored) > psnr(test, spoilt) + 3
    # Nothing was darkened or made brighter by the way there and back.
    assert restored.mean() == pytest.approx(test.mean(), abs=0.01)


def test_patches_need_no_training():
    clean = scenes(1, seed=5)
    spoilt = noisy(clean)
    model = Denoiser(method="patches", random_state=0).fit(spoilt)
    assert psnr(clean, model.transform(spoilt, sigma=25)) > psnr(clean, spoilt) + 5
    with pytest.raises(ValueError, match="return_std=True needs a network"):
        model.transform(spoilt, return_std=True)


@pytest.mark.parametrize("method", ["network", "patches"])
def test_poisson_noise_is_made_even(denoiser, method):
    clean = scenes(2, seed=5)
    spoilt = poisson_noise(clean, peak=30, clip=False, random_state=0)
    model = Denoiser(method=method, gain=255 / 30, **SMALL)
    if method == "network":
        model = copy.copy(denoiser).set_params(gain=255 / 30)
    else:
        model.fit(spoilt)
    restored = model.transform(spoilt)
    assert psnr(clean, restored) > psnr(clean, spoilt) + 4
    estimated = model.set_params(gain="estimate").transform(spoilt)
    assert psnr(clean, estimated) > psnr(clean, spoilt) + 2


def test_auto_takes_patches_for_few_noisy_photos():
    few = scenes(1, side=32)
    assert Denoiser(method="auto", clean=False).fit(few).method_ == "patches"
    settings = SMALL | {"n_batches": 1, "width": 4}
    assert Denoiser(method="auto", **settings).fit(few).method_ == "network"


@pytest.mark.parametrize(
    "model", [Denoiser(**SMALL | {"n_batches": 2}), Denoiser(method="patches")]
)
def test_files_keep_it(model, tmp_path):
    images = scenes(2, side=24)
    model.fit(images)
    save(model, tmp_path / "denoiser")
    again = load(tmp_path / "denoiser")
    assert again.method_ == model.method_
    expected = model.set_params(random_state=0).transform(noisy(images), sigma=25)
    given = again.set_params(random_state=0).transform(noisy(images), sigma=25)
    np.testing.assert_allclose(given, expected, atol=1e-6)


def test_same_seed_same_model():
    first, second = (
        Denoiser(**SMALL | {"n_batches": 3, "n_workers": n}).fit(scenes(3))
        for n in (0, 1)
    )
    spoilt = noisy(scenes(1))
    np.testing.assert_array_equal(first.transform(spoilt), second.transform(spoilt))


@pytest.mark.parametrize("sigma", [(5, 2), (1, 2, 3), (-1, 5), ("a", "b"), (0, 300)])
def test_sigma_is_a_pair_or_a_number(sigma):
    with pytest.raises(ValueError, match="sigma=.* must be a number from 0 to 255"):
        Denoiser(sigma=sigma).fit(scenes(1))


@pytest.mark.parametrize("sigma", [-1, [1, 2], np.nan, "much", np.ones((5, 3))])
def test_sigma_to_restore_fits_the_images(untrained, sigma):
    with pytest.raises(ValueError, match="one for each channel"):
        untrained.transform(scenes(2), sigma=sigma)


@pytest.mark.parametrize("factor", [255, 4095])
def test_floats_that_span_something_else_are_refused(untrained, factor):
    with pytest.raises(ValueError, match="say what the range is"):
        untrained.transform(factor * scenes(1))
    untrained.transform(noisy(scenes(1), sigma=250))  # strong noise is no mistake


def test_vectors_are_no_images():
    with pytest.raises(ValueError, match="expected images"):
        Denoiser().fit(np.random.RandomState(0).rand(5, 10))


def test_rows_that_are_images(untrained):
    images = scenes(2, side=20)
    model = Denoiser(width=8, max_epochs=0, image_shape=(20, 20, 3))
    rows = images.reshape(2, -1)
    restored = model.fit(rows).transform(rows, sigma=10)
    np.testing.assert_allclose(restored, rows, atol=1e-6)


def test_pairs_have_the_same_shapes(untrained):
    with pytest.raises(ValueError, match="expected the same"):
        untrained.score(scenes(2), scenes(2, side=40))
