"""Each image metric against a formula written out."""

import functools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose
from scipy import ndimage

from sklearn_sparsevae import metrics
from sklearn_sparsevae.metrics._images import peak_psnr, peak_ssim


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
        (
            np.zeros((1, 16, 16), int),
            np.zeros((1, 16, 16)),
            "expected unsigned integers",
        ),
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


# ---- ranges, lists, and what is no image ---------------------------------------------

GREY = np.full((2, 16, 16), 0.5)


def first_channels(images):
    """A feature network that needs no weights."""
    return [images]


def means(images):
    return images.mean((2, 3))


EVERY = {
    "psnr": metrics.psnr,
    "ssim": metrics.ssim,
    "lpips": functools.partial(metrics.lpips, network=first_channels),
    "fid": functools.partial(metrics.fid, network=means),
}
every = pytest.mark.parametrize("name", EVERY)


def number(result):
    return result.fid if isinstance(result, tuple) else result


@every
@pytest.mark.parametrize("dtype", [np.uint16, np.uint32, np.uint64])
def test_unsigned_integers_span_their_dtype(rng, name, dtype):
    true, pred = rng.integers(0, 256, (2, 7, 16, 12, 3), dtype=np.uint8)
    factor = dtype(np.iinfo(dtype).max // 255)
    wide = true.astype(dtype) * factor, pred.astype(dtype) * factor
    expected = number(EVERY[name](true, pred))
    assert_allclose(number(EVERY[name](*wide)), expected, rtol=1e-5)
    assert_allclose(number(EVERY[name](true, wide[1])), expected, rtol=1e-5)
    assert_allclose(number(EVERY[name](*wide, data_range=7.0)), expected, rtol=1e-5)
    mixed = [true[0], *(true[1:] / 255)]  # bytes and floats
    assert_allclose(number(EVERY[name](mixed, pred)), expected, rtol=1e-5)


@pytest.mark.parametrize("name", ["psnr", "ssim", "lpips"])
def test_images_of_different_sizes_are_compared_one_by_one(rng, name):
    shapes = [(16, 12, 3), (16, 12, 3), (11, 20, 3), (16, 12, 3)]
    true = [rng.random(shape) for shape in shapes]
    pred = [rng.random(shape) for shape in shapes]
    each = [EVERY[name](a[None], b[None]) for a, b in zip(true, pred, strict=True)]
    assert_allclose(EVERY[name](true, pred, per_image=True), each, rtol=1e-5)
    assert_allclose(EVERY[name](true, pred), np.mean(each), rtol=1e-5)
    assert_allclose(EVERY[name](tuple(true), pred), np.mean(each), rtol=1e-5)


def test_sets_of_images_of_different_sizes_have_a_distance(rng):
    wide, tall = rng.random((7, 8, 12, 3)), rng.random((5, 12, 8, 3))
    other = rng.random((9, 8, 12, 3))
    turned = [*wide, *tall.swapaxes(1, 2)]  # what `means` gives does not see it
    ours = EVERY["fid"]([*wide, *tall], other)
    assert_allclose(ours.fid, EVERY["fid"](turned, other).fid, rtol=1e-5)
    assert (ours.n_true, ours.n_pred) == (12, 9)


@every
@pytest.mark.parametrize("data_range", [0, -1, np.inf, -np.inf, np.nan, 10**400])
def test_a_range_that_is_none_is_refused(name, data_range):
    with pytest.raises(ValueError, match="data_range=.*; expected a positive"):
        EVERY[name](GREY, GREY, data_range=data_range)


@every
@pytest.mark.parametrize("data_range", ["1", True, None, 1j, (0, 1), [1.0]])
def test_a_range_that_is_no_number_is_refused(name, data_range):
    with pytest.raises(TypeError, match="data_range=.*; expected a positive"):
        EVERY[name](GREY, GREY, data_range=data_range)


NO_IMAGES = {
    "masked": (np.ma.masked_array(GREY, GREY > 1), "as a masked array"),
    "masked in a list": ([GREY[0], np.ma.masked_array(GREY[0])], r"\[1\] as a masked"),
    "signed": (GREY.astype(np.int16), "type int16; expected unsigned integers"),
    "booleans": (GREY > 0, "type bool; expected unsigned integers"),
    "complex": (GREY * 1j, "type complex128; expected unsigned integers"),
    "objects": (GREY.astype(object), "type object; expected unsigned integers"),
    "strings": (GREY.astype(str), "type <U32; expected unsigned integers"),
    "ragged": ([[[0.1, 0.2], [0.3]]], "in lists of different lengths"),
    "NaN": (np.where(np.eye(16), np.nan, GREY), "with NaN"),
    "infinity": (np.where(np.eye(16), np.inf, GREY), "with NaN, infinite"),
    "far too large": (np.where(np.eye(16), 1e300, GREY), "unbounded values"),
    "one number": (0.5, r"shape \(\)"),
    "a word": ("photo.png", r"shape \(\)"),
    "nothing": (None, r"shape \(\)"),
    "no images": (GREY[:0], r"shape \(0, 16, 16\)"),
    "an empty list": ([], r"shape \[\]"),
    "no pixels": (GREY[:, :0], r"shape \(2, 0, 16\)"),
    "one image": (GREY[0], r"shape \(16, 16\)"),
    "numbers": ([0.5, 0.5], r"shape \[\(\), \(\)\]"),
}


@every
@pytest.mark.parametrize("kind", NO_IMAGES)
@pytest.mark.parametrize("argument", ["y_true", "y_pred"])
def test_what_is_no_image_is_refused_by_name(name, kind, argument):
    images, message = NO_IMAGES[kind]
    if (name, kind) == ("psnr", "one image"):
        pytest.skip("rows of features, to psnr")
    given = {"y_true": GREY, "y_pred": GREY} | {argument: images}
    with pytest.raises(ValueError, match=f"{argument}.*{message}|W.*at least 11"):
        EVERY[name](**given)


@pytest.mark.parametrize("name", ["psnr", "ssim", "lpips"])
@pytest.mark.parametrize(
    "other",
    [GREY[:1], GREY[:, 1:], GREY[..., None], [GREY[0], GREY[1, 1:]], [GREY[0]]],
)
def test_other_shapes_are_refused_with_both_named(name, other):
    for one, two in ((GREY, other), (other, GREY)):
        with pytest.raises(ValueError, match=r"y_true of shape .* and y_pred of shape"):
            EVERY[name](one, two)


def test_tensors_and_lazy_sequences_are_images(rng):
    torch = pytest.importorskip("torch")
    true, pred = rng.random((2, 3, 8, 9, 3))

    class Lazy:
        def __len__(self):
            return len(true)

        def __getitem__(self, i):
            return true[i]

    expected = metrics.psnr(true, pred)
    assert metrics.psnr(Lazy(), pred) == expected
    assert metrics.psnr(torch.from_numpy(true).requires_grad_(), pred) == expected


@given(st.floats(1e-250, 1e250), st.floats(1e-3, 1.0))
def test_scale_does_not_change_a_metric(scale, share):
    true = np.linspace(0, 1, 12 * 12).reshape(1, 12, 12)
    pred = true * share
    for score in (metrics.psnr, metrics.ssim):
        scaled = score(true * scale, pred * scale, data_range=scale)
        assert_allclose(scaled, score(true, pred), rtol=1e-6)


def test_the_peak_of_a_fit_may_be_exceeded(rng):
    true, pred = rng.normal(size=(2, 3, 12, 13)) * 5
    with pytest.raises(ValueError, match="span at most data_range=2"):
        metrics.psnr(true, pred, data_range=2)
    expected = [psnr_by_hand(a, b, 2.0) for a, b in zip(true, pred, strict=True)]
    assert_allclose(peak_psnr(true, pred, 2.0), expected)
    assert_allclose(peak_psnr(list(true), list(pred[:, :]), 2.0), expected)
    cut = [true[0], true[1, :4]], [pred[0], pred[1, :4]]
    expected[1] = psnr_by_hand(true[1, :4], pred[1, :4], 2.0)
    assert_allclose(peak_psnr(*cut, 2.0), expected[:2])
    assert (peak_psnr(true, true, 1e-3) == 100).all()
    whole = np.ptp(true)
    assert_allclose(
        peak_ssim(true, pred, whole),
        metrics.ssim(true, pred, data_range=whole, per_image=True),
    )
