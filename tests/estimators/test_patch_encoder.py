"""PatchEncoder: what codes of patches are by definition, and what features promise."""

import itertools
import pickle

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_sparsevae import PatchEncoder
from sklearn_sparsevae.training import patch_coding


@parametrize_with_checks([PatchEncoder(16), PatchEncoder(16, pool=None)])
def test_common_checks(estimator, check):
    check(estimator)


def make(**params):
    return PatchEncoder(
        **{"n_components": 12, "patch_size": 4, "random_state": 0} | params
    )


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    return rng.random((6, 11, 9, 3)).astype(np.float32)


def by_definition(model, image, stride, alpha, size=4):
    """Codes of all patches of one image, one patch after the other."""
    white = model._learned["whitening"]
    codes = []
    for i, j in itertools.product(
        range(0, image.shape[0] - size + 1, stride),
        range(0, image.shape[1] - size + 1, stride),
    ):
        patch = image[i : i + size, j : j + size].ravel().astype(np.float64)
        patch -= patch.mean()
        patch /= np.sqrt(patch.var() + model._learned["contrast_floor"] ** 2)
        products = model.components_ @ (white @ (patch - model._learned["mean"]))
        codes.append(np.sign(products) * np.maximum(abs(products) - alpha, 0))
    return np.ravel(codes)


@pytest.mark.parametrize(("stride", "alpha"), [(1, 0.5), (2, 0.0), (3, 1.2)])
def test_codes_are_soft_thresholds_of_white_patches(images, stride, alpha):
    model = make(stride=stride, alpha=alpha, pool=None).fit(images)
    codes = model.transform(images[:2])
    grid = -(-8 // stride), -(-6 // stride)
    assert codes.grid_shape == grid and codes.n_atoms == 12
    expected = [by_definition(model, image, stride, alpha) for image in images[:2]]
    np.testing.assert_allclose(codes.toarray(), expected, atol=1e-5)


@pytest.mark.parametrize("entries", [1, 12 * 6 * 3, 12 * 48 * 4, 2**20])
def test_pooled_codes_are_those_that_codes_pool_to(images, entries, monkeypatch):
    every, pooled = (make(pool=pool).fit(images) for pool in (None, (2, 3)))
    expected = every.transform(images).pool((2, 3))
    monkeypatch.setattr(patch_coding, "_BLOCK_ENTRIES", entries)
    found = pooled.transform(images)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected.toarray(), atol=1e-6)
    again = every.transform(images).pool((2, 3))
    np.testing.assert_allclose(again.toarray(), expected.toarray(), atol=1e-6)


def test_white_patches_are_white(images):
    learned = make().fit(images)._learned
    windows = np.lib.stride_tricks.sliding_window_view(images, (4, 4), axis=(1, 2))
    patches = windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, 48).astype(np.float64)
    patches -= patches.mean(1, keepdims=True)
    patches /= np.sqrt(patches.var(1, keepdims=True) + learned["contrast_floor"] ** 2)
    white = (patches - learned["mean"]) @ learned["whitening"]
    powers = np.linalg.eigvalsh(white.T @ white / len(white))
    assert powers[1:].min() > 0.5 and powers.max() < 1  # the mean is gone
    atoms = make().fit(images).components_
    np.testing.assert_allclose(np.linalg.norm(atoms, axis=1), 1, atol=1e-5)


def test_brightness_and_contrast_do_not_count(images):
    model = make().fit(images)
    model._learned["contrast_floor"] = 0.0
    codes = model.transform(images)
    other = model.transform(0.2 + 0.5 * images)
    np.testing.assert_allclose(other, codes, atol=1e-4)


def test_flat_images_have_finite_codes(images):
    flat = np.full_like(images, 0.3)
    for model in (make().fit(images), make().fit(flat)):
        assert np.isfinite(model.transform(flat)).all()


def test_sizes_may_differ(images):
    photos = [images[0], images[1, :8], images[2, :, :7]]
    model = make().fit(photos)
    codes = model.transform(photos)
    assert codes.shape == (3, 4 * 24)
    for row, photo in zip(codes, photos, strict=True):
        np.testing.assert_allclose(row, model.transform(photo[None])[0], atol=1e-6)
    grids = [c.grid_shape for c in make(pool=None).fit(photos).transform(photos)]
    assert grids == [(8, 6), (5, 6), (8, 4)]


@pytest.mark.parametrize("pool", [None, (2, 2)])
def test_names_of_columns(images, pool):
    model = make(pool=pool).fit(images)
    names = model.get_feature_names_out()
    assert len(names) == model.transform(images).shape[1]
    assert names[0] == "patchencoder0"


def test_layouts_hold_the_same_images(images):
    flat = images.reshape(6, -1)
    of_rows = make(image_shape=(11, 9, 3)).fit(flat).transform(flat)
    codes = make().fit(images).transform(images)
    np.testing.assert_array_equal(of_rows, codes)
    grey = make().fit(images[..., 0]).transform(images[..., 0])
    with_axis = make().fit(images[..., :1]).transform(images[..., :1])
    np.testing.assert_array_equal(grey, with_axis)


def test_parameters_that_are_set_anew_count_at_the_next_fit(images):
    model = make().fit(images)
    before = model.transform(images)
    model.set_params(pool=None, stride=3, alpha=2.0, patch_size=20, n_components=3)
    after = pickle.loads(pickle.dumps(model)).transform(images)
    np.testing.assert_array_equal(after, before)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"patch_size": 10}, "9 pixels.*patch_size=10"),
        ({"pool": (2, 7)}, "pool.*8 by 6 grid"),
        ({"pool": (2,)}, "pool=.*two positive integers"),
        ({"pool": (2, 0)}, "pool=.*two positive integers"),
        ({"pool": (2, 1.5)}, "pool=.*two positive integers"),
        ({"pool": "22"}, "'pool' parameter"),
        ({"alpha": -1}, "'alpha' parameter"),
        ({"device": "abacus"}, "device"),
    ],
)
def test_bad_parameters(images, params, message):
    with pytest.raises(ValueError, match=message):
        make(**params).fit(images)


def test_images_that_are_too_small_for_a_patch(images):
    with pytest.raises(ValueError, match="3 pixels.*patch_size=4"):
        make().fit(images).transform(images[:, :3])


def test_digits_are_told_apart_better_than_by_their_pixels():
    X, y = load_digits(return_X_y=True)
    X, y = X[:700] / 16, y[:700]
    encoder = make(n_components=32, patch_size=3, image_shape=(8, 8))
    of_codes, of_pixels = (
        make_pipeline(*steps, StandardScaler(), RidgeClassifier())
        .fit(X[:300], y[:300])
        .score(X[300:], y[300:])
        for steps in ([encoder], [])
    )
    assert of_codes > of_pixels + 0.02
