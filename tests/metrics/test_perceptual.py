"""LPIPS and FLIP of arrays: what they are given, and what they make of it."""

import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_sparsevae import metrics


def colors(images):
    """A network that sees the colors of the pixels."""
    return [images]


def lpips(*args, **kwargs):
    return metrics.lpips(*args, network=colors, **kwargs)


def flip(*args, **kwargs):
    pytest.importorskip("flip_evaluator")
    return metrics.flip(*args, **kwargs)


def fid(*args, **kwargs):
    return metrics.fid(*args, network=lambda x: x.mean((2, 3)), **kwargs)


@pytest.fixture
def photos(rng):
    """Two sets of three photos, 8 bits."""
    return rng.integers(0, 256, (2, 3, 17, 14, 3), dtype=np.uint8)


# ---- what both do -------------------------------------------------------------------


@pytest.mark.parametrize("score", [lpips, flip])
def test_type_and_range_do_not_change_a_distance(photos, score):
    expected = score(*photos, per_image=True)
    floats = photos / 255
    for given in (floats, floats.astype(np.float32), (photos[0], floats[1])):
        assert_allclose(score(*given, per_image=True), expected, rtol=1e-4)
    wide = score(*photos.astype(float), data_range=255, per_image=True)
    assert_allclose(wide, expected, rtol=1e-5)


@pytest.mark.parametrize("score", [lpips, flip])
def test_distance_is_per_image_and_then_averaged(photos, score):
    values = score(*photos, per_image=True)
    alone = [score(true[None], pred[None]) for true, pred in zip(*photos)]
    assert_allclose(values, alone, rtol=1e-6)
    assert values.shape == (3,) and values.min() > 0
    assert score(*photos) == pytest.approx(values.mean(), rel=1e-12)
    assert score(photos[0], photos[0]) == 0.0


@pytest.mark.parametrize("score", [lpips, flip])
def test_grey_is_shown_as_rgb(photos, score):
    grey = photos[..., :1]
    expected = score(*np.repeat(grey, 3, axis=-1), per_image=True)
    assert_array_equal(score(*grey, per_image=True), expected)
    assert_array_equal(score(*grey[..., 0], per_image=True), expected)


@pytest.mark.parametrize("score", [lpips, flip])
def test_reconstructions_are_clipped(photos, score):
    true, pred = photos / 255
    wild = 3 * pred - 1
    assert score(true, wild) == score(true, wild.clip(0, 1))


@pytest.mark.parametrize("score", [lpips, flip])
def test_many_images_are_taken_in_batches(rng, score):
    true, pred = rng.random((2, 70, 4, 3), dtype=np.float32)
    values = score(true, pred, per_image=True)
    parts = [score(true[i::7], pred[i::7], per_image=True) for i in range(7)]
    assert_allclose(np.stack(parts, axis=1).ravel(), values, rtol=1e-5)


@pytest.mark.parametrize(("shape", "most"), [((70, 4, 4), 32), ((3, 512, 400), 1)])
def test_networks_are_shown_a_bounded_number_of_pixels(shape, most):
    seen = []

    def network(images):
        seen.append(len(images))
        return [images]

    metrics.lpips(np.zeros(shape), np.zeros(shape), network=network)
    assert max(seen) == most and sum(seen) == 2 * shape[0]


@pytest.mark.parametrize("score", [lpips, flip, fid])
@pytest.mark.parametrize(
    ("true", "pred", "message"),
    [
        (np.zeros((2, 4, 4), int), np.zeros((2, 4, 4)), "expected unsigned integers"),
        (np.zeros((2, 4, 4)), np.full((2, 4, 4), np.nan), "y_pred with NaN"),
        (np.full((2, 4, 4), 255.0), np.zeros((2, 4, 4)), "from 255 to 255; expected"),
        (np.full((2, 4, 4), -0.5), np.zeros((2, 4, 4)), "from -0.5 to -0.5; expected"),
        (np.zeros((2, 4, 4, 2)), np.zeros((2, 4, 4, 2)), "with 1 or 3 channels"),
        (np.zeros((0, 4, 4)), np.zeros((0, 4, 4)), "at least one"),
        (
            np.zeros((2, 48)),
            np.zeros((2, 48)),
            r"\(2, 48\); expected \(n_images, H, W\)",
        ),
    ],
)
def test_bad_images_are_refused(score, true, pred, message):
    with pytest.raises(ValueError, match=message):
        score(true, pred)


@pytest.mark.parametrize("score", [lpips, flip])
def test_images_of_different_shapes_are_refused(score):
    with pytest.raises(ValueError, match="expected the same shape"):
        score(np.zeros((1, 16, 16)), np.zeros((1, 16, 15)))


@pytest.mark.parametrize("score", [lpips, flip, fid])
def test_data_range_must_be_positive(score):
    with pytest.raises(ValueError, match="data_range=0; expected a positive"):
        score(np.zeros((2, 4, 4)), np.zeros((2, 4, 4)), data_range=0)


# ---- FLIP ---------------------------------------------------------------------------


def test_maps_have_the_values_as_their_means(photos):
    values, maps = flip(*photos, return_maps=True, per_image=True)
    assert maps.shape == (3, 17, 14) and maps.dtype == np.float32
    assert 0 <= maps.min() <= maps.max() <= 1
    assert_allclose(maps.mean(axis=(1, 2)), values, rtol=1e-5)
    assert flip(*photos, return_maps=True)[0] == flip(*photos)


def test_flip_is_what_the_evaluator_says_of_sRGB(photos):
    evaluate = pytest.importorskip("flip_evaluator").evaluate
    true, pred = (photos / 255).astype(np.float32)
    means = [
        evaluate(a, b, "LDR", parameters={"ppd": 30})[1] for a, b in zip(true, pred)
    ]
    values = flip(*photos, pixels_per_degree=30, per_image=True)
    assert_allclose(values, means, rtol=1e-5)


def test_blue_and_green_are_the_farthest_colors():
    """FLIP's scale ends with them."""
    blue, green = np.zeros((2, 1, 8, 8, 3))
    blue[..., 2] = green[..., 1] = 1
    assert flip(blue, green) == pytest.approx(1)
    assert 0 < flip(blue, blue / 2) < 1


def test_a_change_is_seen_where_it_is():
    true = np.full((1, 64, 64), 0.5)
    pred = true.copy()
    pred[0, :4, :4] = 1
    _, maps = flip(true, pred, return_maps=True)
    assert maps[0, :4, :4].min() > 0.1
    assert maps[0, 32:, 32:].max() < 1e-3


def test_noise_is_seen_less_from_farther_away(photos):
    values = [flip(*photos, pixels_per_degree=ppd) for ppd in (20, 67, 200)]
    assert values[0] > values[1] > values[2]


@pytest.mark.parametrize("ppd", [0, -3.0, np.inf, np.nan])
def test_pixels_per_degree_are_positive(photos, ppd):
    with pytest.raises(ValueError, match="pixels_per_degree=.* from 1 to"):
        metrics.flip(*photos, pixels_per_degree=ppd)


def test_without_the_extra_the_error_names_it(photos, monkeypatch):
    monkeypatch.setitem(sys.modules, "flip_evaluator", None)
    with pytest.raises(ImportError, match=r"FLIP.*sklearn-sparsevae\[metrics\]"):
        metrics.flip(*photos)
