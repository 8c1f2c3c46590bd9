"""What degradations do to images: how much, where, and the same for the same seed."""

import functools
import pickle
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy.ndimage import gaussian_filter
from scipy.signal import convolve2d
from skimage.restoration import inpaint_biharmonic
from skimage.util import random_noise
from sklearn.datasets import load_sample_image

from sklearn_sparsevae import degrade
from sklearn_sparsevae.degrade import (
    bicubic_downsample,
    blur,
    gaussian_noise,
    poisson_gaussian_noise,
    poisson_noise,
    random_mask,
    salt_and_pepper,
    speckle,
    square_mask,
)

ALL = {
    "gaussian_noise": functools.partial(gaussian_noise, sigma=30),
    "speckle": functools.partial(speckle, sigma=60),
    "poisson_noise": functools.partial(poisson_noise, peak=20),
    "poisson_gaussian_noise": functools.partial(
        poisson_gaussian_noise, gain=10, sigma=4
    ),
    "salt_and_pepper": functools.partial(salt_and_pepper, fraction=0.2),
    "square_mask": functools.partial(square_mask, size=5),
    "random_mask": functools.partial(random_mask, fraction=0.3),
    "bicubic_downsample": functools.partial(bicubic_downsample, factor=2),
    "blur": functools.partial(blur, kernel=1.5),
}
every = pytest.mark.parametrize("name", ALL)
at_random = pytest.mark.parametrize(
    "name", [n for n in ALL if n not in ("bicubic_downsample", "blur")]
)


@pytest.fixture(scope="module")
def photos():
    photo = load_sample_image("china.jpg")
    return np.stack([photo[i : i + 16, i : i + 21] for i in (0, 150, 300)])


def in_dtype(photos, dtype, value_range=(0, 1)):
    low, high = value_range
    unit = photos / 255
    if np.dtype(dtype).kind == "u":
        return photos.astype(dtype) * dtype(np.iinfo(dtype).max // 255)
    return (unit * (high - low) + low).astype(dtype)


def test_nobody_forgets_a_function():
    assert set(ALL) == set(degrade.__all__)


# ---- of all of them -----------------------------------------------------------------


@every
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint64, np.float32, float])
def test_shape_dtype_and_range_stay_and_the_input_too(photos, name, dtype):
    X = in_dtype(photos, dtype)
    before = X.copy()
    spoilt = ALL[name](X, random_state=0)
    assert spoilt.shape == X.shape and spoilt.dtype == dtype
    white = np.iinfo(dtype).max if np.dtype(dtype).kind == "u" else 1
    assert 0 <= spoilt.min() and white / 2 < spoilt.max() <= white
    assert not np.array_equal(spoilt, X)
    np.testing.assert_array_equal(X, before)


@every
def test_bytes_are_the_floats_that_they_stand_for(photos, name):
    of_bytes = ALL[name](photos, random_state=0)
    of_floats = ALL[name](photos / 255, random_state=0)
    np.testing.assert_array_equal(of_bytes, np.rint(of_floats * 255))
    deep = ALL[name](in_dtype(photos, np.uint16), random_state=0)
    np.testing.assert_array_equal(deep, np.rint(of_floats * 65535))


@every
def test_units_are_those_of_the_range(photos, name):
    unit = ALL[name](photos / 255, random_state=0)
    X = in_dtype(photos, np.float64, (-1, 3))
    spoilt = ALL[name](X, value_range=(-1, 3), random_state=0)
    np.testing.assert_allclose(spoilt, unit * 4 - 1, atol=1e-12)


@every
@pytest.mark.parametrize("dtype", [np.uint16, np.int16, np.int64])
def test_integers_may_span_less_than_their_dtype(photos, name, dtype):
    twelve_bits = np.rint(photos / 255 * 4095).astype(dtype)
    spoilt = ALL[name](twelve_bits, value_range=(0, 4095), random_state=0)
    unit = ALL[name](twelve_bits / 4095, random_state=0)
    assert spoilt.dtype == dtype
    np.testing.assert_array_equal(spoilt, np.rint(unit * 4095))


def test_a_range_beyond_the_dtype_does_not_wrap_around(photos):
    wide = {"value_range": (-100, 400), "random_state": 0}
    as_floats = gaussian_noise(photos.astype(float), 200, **wide)
    assert as_floats.min() < 0 and as_floats.max() > 255
    expected = np.clip(np.rint(as_floats), 0, 255)
    np.testing.assert_array_equal(gaussian_noise(photos, 200, **wide), expected)


@every
def test_a_list_of_photos_is_degraded_as_the_array_of_them_is(photos, name):
    expected = ALL[name](photos, random_state=0)
    np.testing.assert_array_equal(ALL[name](list(photos), random_state=0), expected)
    sizes = [photos[0], photos[1, :9], photos[2, :, :8, 0]]
    spoilt = ALL[name](sizes, random_state=0)
    assert [a.shape for a in spoilt] == [a.shape for a in sizes]
    np.testing.assert_array_equal(spoilt[0], expected[0])


@every
def test_grey_images_may_have_an_axis_of_channels_or_none(photos, name):
    grey = photos[..., 0]
    with_axis = ALL[name](grey[..., None], random_state=0)
    np.testing.assert_array_equal(ALL[name](grey, random_state=0), with_axis[..., 0])


@at_random
def test_one_seed_one_result_and_images_differ(photos, name):
    same = np.repeat(photos[:1], 8, axis=0)
    first, again, other = (ALL[name](same, random_state=s) for s in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert len(np.unique(first.reshape(8, -1), axis=0)) > 1
    state = np.random.RandomState(0)
    np.testing.assert_array_equal(ALL[name](same, random_state=state), first)
    assert not np.array_equal(ALL[name](same, random_state=state), first)


@every
def test_it_can_be_pickled_as_a_parameter(photos, name):
    copy = pickle.loads(pickle.dumps(ALL[name]))
    np.testing.assert_array_equal(
        copy(photos, random_state=3), ALL[name](photos, random_state=3)
    )


GREY = np.full((2, 8, 8, 3), 0.5)
NO_IMAGES = {
    "rows": (np.zeros((3, 12)), ValueError, r"shape \(3, 12\).*list of photos"),
    "a number": (0.5, ValueError, r"shape \(\)"),
    "nothing": (None, ValueError, r"shape \(\)"),
    "five axes": (GREY[None], ValueError, r"shape \(1, 2, 8, 8, 3\)"),
    "no images": (GREY[:0], ValueError, r"shape \(0, 8, 8, 3\)"),
    "no pixels": (GREY[:, :0], ValueError, r"shape \(2, 0, 8, 3\)"),
    "an empty list": ([], ValueError, "no images"),
    "no photo in a list": ([GREY[0], GREY], ValueError, r"images\[1\] of shape"),
    "ragged": ([[[0.1, 0.2], [0.3]]], ValueError, r"images\[0\] in lists"),
    "masked": (np.ma.masked_array(GREY), ValueError, "images as a masked array"),
    "masked photo": (
        [np.ma.masked_array(GREY[0])],
        ValueError,
        r"images\[0\] as a mask",
    ),
    "NaN": (np.where(np.eye(8)[..., None], np.nan, GREY), ValueError, "finite ones"),
    "infinity": (np.where(np.eye(8)[..., None], np.inf, GREY), ValueError, "finite"),
    "too bright": (GREY * 2.1, ValueError, r"values in \[1.05, 1.05\]; .*\[0, 1\]"),
    "too dark": (GREY - 0.6, ValueError, r"in \[-0.1, -0.1\].*value_range="),
    "bytes as floats": ([GREY[0] * 255], ValueError, r"images\[0\] with values"),
    "signed": (np.zeros((1, 8, 8), np.int64), TypeError, "dtype int64.*value_range="),
    "booleans": (GREY > 0, TypeError, "dtype bool"),
    "complex": (GREY * 1j, TypeError, "dtype complex128"),
    "objects": (GREY.astype(object), TypeError, "dtype object"),
    "strings": (GREY.astype(str), TypeError, "dtype <U32"),
}


@every
@pytest.mark.parametrize("kind", NO_IMAGES)
def test_what_are_no_images_is_refused(name, kind):
    images, error, message = NO_IMAGES[kind]
    with pytest.raises(error, match=message):
        ALL[name](images)


@every
@pytest.mark.parametrize(
    "value_range",
    [
        (0, 0),
        (1, 0),
        (0, np.inf),
        (-np.inf, 0),
        (0, np.nan),
        (0, 1e300),
        (0, 1e-300),
        (0,),
        (0, 1, 2),
        "01",
        (False, True),
        (None, 1),
        1,
        {0, 1},
    ],
)
def test_a_range_that_is_none_is_refused(name, value_range):
    with pytest.raises(ValueError, match="value_range=.*; expected None or a pair"):
        ALL[name](GREY, value_range=value_range)


@at_random
@pytest.mark.parametrize("seed", [-1, 2**32, 1.5, "0", np.random.default_rng(0)])
def test_a_seed_that_is_none_is_refused(name, seed):
    with pytest.raises(ValueError, match="random_state=.*; expected None"):
        ALL[name](GREY, random_state=seed)


@pytest.mark.parametrize(
    "function",
    [
        *(poisson_noise, salt_and_pepper, speckle),
        *(square_mask, random_mask, bicubic_downsample),
    ],
)
@pytest.mark.parametrize("value", ["2", True, None, 1j, [1.0], np.ones(3)])
def test_amounts_that_are_no_numbers_are_refused(function, value):
    with pytest.raises(TypeError, match=r"=.*; expected (a number|an integer)"):
        function(GREY, value)


@pytest.mark.parametrize(
    ("function", "value"),
    [
        (gaussian_noise, -1),
        (gaussian_noise, np.nan),
        (gaussian_noise, np.inf),
        (speckle, 1e300),
        (speckle, -0.1),
        (square_mask, 0),
        (square_mask, 17),
        (square_mask, -3),
        (random_mask, 1.1),
        (random_mask, -0.1),
        (random_mask, np.nan),
        (bicubic_downsample, 0.5),
        (bicubic_downsample, np.inf),
        (bicubic_downsample, 10**400),
        (poisson_noise, 0),
        (poisson_noise, 1e12),
        (salt_and_pepper, 1.5),
        (blur, -1),
        (blur, 1e9),
    ],
)
def test_amounts_out_of_range_are_refused(photos, function, value):
    with pytest.raises(ValueError, match=re.escape(f"={value}; expected")):
        function(photos, value)


# ---- noise --------------------------------------------------------------------------


@pytest.mark.parametrize("sigma", [5, 20])
def test_noise_has_the_deviation_asked_for(sigma):
    grey = np.full((4, 100, 100), 128, np.uint8)
    noise = gaussian_noise(grey, sigma, random_state=0).astype(float) - 128
    # Rounding to whole numbers adds a variance of 1/12.
    assert noise.var() == pytest.approx(sigma**2 + 1 / 12, rel=0.03)
    assert abs(noise.mean()) < 4 * sigma / np.sqrt(noise.size)
    neighbours = np.mean(noise[:, 1:] * noise[:, :-1]) / sigma**2
    assert abs(neighbours) < 4 / np.sqrt(noise.size)


def test_variance_of_speckle_is_proportional_to_the_signal():
    levels = np.array([0.0, 0.16, 0.36, 0.64])
    grey = np.broadcast_to(levels[:, None, None], (4, 150, 150))
    noise = speckle(grey, sigma=20, random_state=0) - grey
    assert not noise[0].any()
    np.testing.assert_allclose(
        noise[1:].std(axis=(1, 2)) * 255, 20 * np.sqrt(levels[1:]), rtol=0.03
    )


@pytest.mark.parametrize("function", [gaussian_noise, speckle])
def test_no_noise_changes_nothing(photos, function):
    np.testing.assert_array_equal(function(photos, 0), photos)


@pytest.mark.parametrize("function", [gaussian_noise, speckle])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
def test_noise_may_be_left_as_it_is(photos, function, dtype):
    X = in_dtype(photos, dtype)
    noisy = function(X, 60, clip=False, random_state=0)
    assert noisy.dtype == (dtype if np.dtype(dtype).kind == "f" else np.float32)
    assert noisy.max() > 1
    if function is gaussian_noise:
        assert noisy.min() < 0
        assert np.std(noisy - photos / 255) == pytest.approx(60 / 255, rel=0.05)
    clipped = function(photos / 255, 60, random_state=0)
    np.testing.assert_allclose(np.clip(noisy, 0, 1), clipped, atol=1e-5)
    in_a_list = function(list(X), 60, clip=False, random_state=0)
    np.testing.assert_array_equal(in_a_list, noisy)


@pytest.mark.parametrize("function", [gaussian_noise, speckle])
def test_noise_that_is_left_is_in_the_units_of_a_range_that_is_given(photos, function):
    deep = np.rint(photos / 255 * 4095).astype(np.uint16)
    noise = {"sigma": 60, "clip": False, "random_state": 0}
    noisy = function(deep, value_range=(0, 4095), **noise)
    unit = function(deep / 4095, **noise)
    assert noisy.dtype == np.float32
    np.testing.assert_allclose(noisy, unit * 4095, rtol=1e-5, atol=1e-2)
    span = photos / 255 * 4 - 1
    np.testing.assert_allclose(
        function(span, value_range=(-1, 3), **noise),
        function(photos / 255, **noise) * 4 - 1,
        atol=1e-12,
    )


@pytest.mark.parametrize("function", [gaussian_noise, speckle])
def test_clipping_is_said_by_true_or_false(function):
    with pytest.raises(TypeError, match="clip='no'; expected True or False"):
        function(GREY, 20, clip="no")


@pytest.mark.parametrize("value", ["2", True, None, 1j, [[1.0]], []])
def test_a_sigma_is_a_number_or_one_for_each_channel(value):
    with pytest.raises(TypeError, match=r"sigma=.*; expected a number, or one for"):
        gaussian_noise(GREY, value)
    with pytest.raises(TypeError, match=r"gain=.*; expected a number, or one for each"):
        poisson_gaussian_noise(GREY, value, 0)


def test_each_channel_may_have_a_sigma_of_its_own():
    grey = np.full((1, 150, 150, 3), 0.5)
    noise = gaussian_noise(grey, [0, 5, 20], clip=False, random_state=0) - grey
    deviations = noise.std((0, 1, 2)) * 255
    np.testing.assert_allclose(deviations, [0, 5, 20], rtol=0.03)
    for sigma, n in ([1, 2], 2), (np.ones(4), 4):
        with pytest.raises(ValueError, match=f"sigma of {n} numbers for images of 3"):
            gaussian_noise(grey, sigma)
    for same in (7, [7], [7, 7, 7]):
        np.testing.assert_array_equal(
            gaussian_noise(grey, same, random_state=0),
            gaussian_noise(grey, 7, random_state=0),
        )


@pytest.mark.parametrize("peak", [1, 30])
def test_photons_are_counted(peak):
    levels = np.array([0.0, 0.1, 0.5, 1.0])
    grey = np.broadcast_to(levels[:, None, None], (4, 150, 150))
    noisy = poisson_noise(grey, peak, clip=False, random_state=0)
    np.testing.assert_allclose(noisy * peak, np.round(noisy * peak), atol=1e-9)
    np.testing.assert_allclose(noisy.mean((1, 2)), levels, rtol=0.05)
    np.testing.assert_allclose(noisy.var((1, 2)), levels / peak, rtol=0.05)


def test_counts_are_those_of_scikit_image():
    # There the peak is the number of levels that an image has.
    image = np.tile(np.arange(256) / 255, (1, 64, 1))
    ours = poisson_noise(image, 256, random_state=0)
    theirs = random_noise(image[0], "poisson", rng=0)
    assert ours.std() == pytest.approx(theirs.std(), rel=0.01)
    assert (ours - image).std() == pytest.approx((theirs - image).std(), rel=0.05)


@pytest.mark.parametrize("sigma", [0, 6])
def test_a_camera_adds_what_it_reads_to_what_it_counts(sigma):
    levels = np.array([0.0, 0.2, 0.6])
    grey = np.broadcast_to(levels[:, None, None, None], (3, 150, 150, 2))
    noisy = poisson_gaussian_noise(grey, [3, 9], sigma, clip=False, random_state=0)
    variance = (255 * noisy).var((1, 2))
    expected = 255 * levels[:, None] * [3, 9] + sigma**2
    np.testing.assert_allclose(variance, expected, rtol=0.05)
    if not sigma:
        as_counts = poisson_noise(grey[..., 0], 255 / 3, clip=False, random_state=0)
        alone = poisson_gaussian_noise(grey[..., 0], 3, 0, clip=False, random_state=0)
        np.testing.assert_allclose(alone[0], as_counts[0], atol=1e-12)


def test_salt_is_as_likely_as_pepper():
    grey = np.full((1, 200, 200, 2), 0.5)
    noisy = salt_and_pepper(grey, 0.3, random_state=0)
    assert set(np.unique(noisy)) == {0, 0.5, 1}
    theirs = random_noise(grey[0], "s&p", amount=0.3, rng=0)
    for value in (0, 0.5, 1):
        share = np.mean(noisy == value)
        assert share == pytest.approx(np.mean(theirs == value), abs=0.01)
    assert not np.array_equal(noisy[..., 0], noisy[..., 1])
    np.testing.assert_array_equal(salt_and_pepper(grey, 0), grey)


# ---- masks --------------------------------------------------------------------------


@given(st.floats(0, 1), st.integers(1, 9), st.integers(1, 9))
def test_a_random_mask_hides_its_share_of_whole_pixels(fraction, height, width):
    white = np.ones((3, height, width, 2))
    hidden = random_mask(white, fraction, random_state=0) == 0
    np.testing.assert_array_equal(hidden[..., 0], hidden[..., 1])
    expected = round(fraction * height * width)
    assert (hidden[..., 0].sum(axis=(1, 2)) == expected).all()


@given(st.integers(1, 6), st.integers(6, 9), st.integers(6, 9))
def test_a_square_mask_hides_one_square(size, height, width):
    for hidden in square_mask(np.ones((3, height, width)), size, random_state=0) == 0:
        rows, columns = np.nonzero(hidden)
        assert hidden.sum() == size**2
        assert np.ptp(rows) == np.ptp(columns) == size - 1


def test_squares_reach_every_corner():
    white = np.ones((300, 3, 4))
    hidden = square_mask(white, 2, random_state=0) == 0
    corners = {tuple(np.argwhere(mask)[0]) for mask in hidden}
    assert corners == {(top, left) for top in range(2) for left in range(3)}


@pytest.mark.parametrize("shape", [(9, 12), (8, 5)])
@pytest.mark.parametrize("size", [1, 4, 5])
def test_a_square_in_the_middle_leaves_as_much_on_both_sides(shape, size):
    white = np.ones((2, *shape))
    first, other = (
        square_mask(white, size, centered=True, random_state=seed) for seed in (0, 1)
    )
    np.testing.assert_array_equal(first, other)
    assert (first == 0).sum() == 2 * size**2
    for axis, length in enumerate(shape):
        places = np.argwhere(first[0] == 0)[:, axis]
        before, after = places.min(), length - 1 - places.max()
        assert 0 <= after - before <= 1


@pytest.mark.parametrize("name", ["square_mask", "random_mask"])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_masks_touch_nothing_else_and_a_second_time_nothing(photos, name, dtype):
    X = in_dtype(photos, dtype)
    once = ALL[name](X, random_state=0)
    hidden = ALL[name](np.ones_like(X), random_state=0) == 0
    np.testing.assert_array_equal(once, np.where(hidden, 0, X))
    np.testing.assert_array_equal(ALL[name](once, random_state=0), once)


# ---- fewer pixels -------------------------------------------------------------------


@pytest.mark.parametrize("factor", [2, 3, 4, 1.5])
def test_resizing_is_what_pillow_calls_bicubic(photos, factor):
    height, width = photos.shape[1:3]
    small = (int(np.ceil(width / factor)), int(np.ceil(height / factor)))
    spoilt = bicubic_downsample(photos / 255, factor)
    for image, ours in zip(photos / 255, spoilt, strict=True):
        for channel in range(3):
            plane = Image.fromarray(image[..., channel].astype(np.float32))
            down = plane.resize(small, Image.Resampling.BICUBIC)
            back = np.asarray(down.resize((width, height), Image.Resampling.BICUBIC))
            np.testing.assert_allclose(
                ours[..., channel], np.clip(back, 0, 1), atol=1e-5
            )


def test_the_size_of_now_changes_nothing(photos):
    np.testing.assert_array_equal(bicubic_downsample(photos, 1), photos)


@given(st.floats(0, 1), st.floats(1, 12))
def test_even_images_stay(level, factor):
    even = np.full((1, 7, 10), level)
    np.testing.assert_allclose(bicubic_downsample(even, factor), even, atol=1e-12)


def test_more_is_lost_the_smaller_the_image_was(photos):
    errors = [
        np.mean((bicubic_downsample(photos / 255, f) - photos / 255) ** 2)
        for f in (2, 4, 8)
    ]
    assert errors == sorted(errors) and errors[0] > 0


# ---- blur ---------------------------------------------------------------------------

KERNEL = np.array([[0, 1, 2], [0, 3, 8]])


@pytest.mark.parametrize("kernel", [KERNEL, KERNEL[:, :1] + 1, KERNEL[:1], [[2]]])
def test_a_kernel_is_convolved_with_and_keeps_the_brightness(photos, kernel):
    unit, (rows, columns) = photos / 255, np.shape(kernel)
    blurred = blur(unit, kernel)
    # The mirror image beyond the borders, the middle of the kernel at the pixel.
    ends = [(n - 1 - n // 2, n // 2) for n in (rows, columns)]
    for ours, image in zip(blurred, unit, strict=True):
        for channel in range(3):
            padded = np.pad(image[..., channel], ends, mode="symmetric")
            wanted = convolve2d(padded, kernel / np.sum(kernel), mode="valid")
            np.testing.assert_allclose(ours[..., channel], wanted, atol=1e-12)


def test_a_number_is_the_deviation_of_a_gaussian(photos):
    wanted = gaussian_filter(photos / 255, (0, 1.5, 1.5, 0), mode="reflect")
    np.testing.assert_allclose(blur(photos / 255, 1.5), wanted, atol=1e-12)
    np.testing.assert_array_equal(blur(photos, 0), photos)


@pytest.mark.parametrize(
    ("kernel", "error", "message"),
    [
        (np.zeros((3, 3)), ValueError, "sum 0; expected"),
        (-np.ones((3, 3)), ValueError, "sum -9; expected"),
        (np.full((3, 3), np.nan), ValueError, "sum nan; expected"),
        (np.ones(3), ValueError, r"shape \(3,\); expected"),
        (np.ones((0, 3)), ValueError, r"shape \(0, 3\); expected"),
        ("gaussian", TypeError, "kernel='gaussian'; expected"),
        (True, TypeError, "kernel=True; expected"),
        (None, TypeError, "kernel=None; expected"),
    ],
)
def test_a_kernel_that_is_none_is_refused(photos, kernel, error, message):
    with pytest.raises(error, match=message):
        blur(photos, kernel)


# ---- what stands in for missing pixels ----------------------------------------------

MASKS = {
    "square": functools.partial(square_mask, size=7),
    "random": functools.partial(random_mask, fraction=0.5),
}


@pytest.mark.parametrize("name", MASKS)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_biharmonic_filling_is_that_of_scikit_image(photos, name, dtype):
    X = in_dtype(photos, dtype)
    missing = (MASKS[name](np.ones(X.shape), random_state=3) == 0).all(-1)
    filled = MASKS[name](X, fill="biharmonic", random_state=3)
    np.testing.assert_array_equal(filled[~missing], X[~missing])
    for image, mask, known in zip(filled / X.max(), missing, X / X.max(), strict=True):
        wanted = inpaint_biharmonic(known, mask, channel_axis=-1)
        np.testing.assert_allclose(image, wanted, atol=1.01 / 255)


@pytest.mark.parametrize("fraction", [0.0, 1.0])
@pytest.mark.parametrize("shape", [(1, 9, 9), (2, 1, 1, 3), (1, 5, 1)])
def test_nothing_or_everything_may_be_missing(fraction, shape):
    images = np.full(shape, 0.3)
    filled = random_mask(images, fraction, fill="biharmonic", random_state=0)
    np.testing.assert_array_equal(filled, images * (1 - fraction))


@pytest.mark.parametrize("mask", [square_mask, random_mask])
def test_an_unknown_fill_is_refused(mask):
    with pytest.raises(ValueError, match=r"fill='white'; expected one of \['biharm"):
        mask(np.zeros((1, 4, 4, 3)), 1, fill="white")


def test_a_square_has_a_whole_side():
    with pytest.raises(TypeError, match="size=2.0; expected an integer"):
        square_mask(GREY, 2.0)


@pytest.mark.parametrize("mask", [square_mask, random_mask])
@pytest.mark.parametrize("fill", [["black"], None, 0])
def test_a_fill_that_is_no_word_is_refused(mask, fill):
    with pytest.raises(ValueError, match="fill=.*; expected one of"):
        mask(GREY, 1, fill=fill)
