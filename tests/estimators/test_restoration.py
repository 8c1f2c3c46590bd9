"""Restoration: images in, cleaner images out, for every estimator."""

import functools
import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import Callback

from sklearn_sparsevae import VQVAE, GaussianVAE, SparseCodingVAE, SpikeSlabVAE
from sklearn_sparsevae.degrade import gaussian_noise, square_mask
from sklearn_sparsevae.metrics import psnr

SIGMA = 80
NOISE = functools.partial(gaussian_noise, sigma=SIGMA)


@pytest.fixture(scope="module")
def digits():
    return np.rint(load_digits().images[:400] * (255 / 16)).astype(np.uint8)


@pytest.fixture(scope="module")
def noisy(digits):
    return NOISE(digits, random_state=0)


class Batches(Callback):
    """Keeps all batches of images and targets, of training or of validation."""

    def __init__(self, training=True):
        self.training = training
        self.seen = []

    def on_batch_begin(self, net, batch=None, training=False, **kwargs):
        if training == self.training:
            self.seen.append(batch)


def batches_of(model, X, y=None, training=True):
    """What a fit trains on (or is validated on): images and targets, as arrays."""
    callback = Batches(training)
    model.set_params(callbacks=[callback]).fit(X, y)
    return [
        np.concatenate(part) for part in zip(*map(_arrays, callback.seen), strict=True)
    ]


def _arrays(batch):
    return [part.numpy() for part in batch]


# What the estimators share is tried with the quickest of them.
quickest = pytest.mark.parametrize("estimator", [VQVAE])


# ---- what it is for -----------------------------------------------------------------


def test_restoring_beats_reconstructing_the_noise(digits, noisy, tiny):
    X, y, X_test, y_test = noisy[:200], digits[:200], noisy[200:], digits[200:]
    params = {"n_downsamples": 1, "max_epochs": 4, "batch_size": 20, "lr": 0.003}
    model = tiny(n_components=48, **params)
    restored = model.fit(X, y).score(X_test, y_test)
    assert restored == pytest.approx(
        psnr(y_test / 255, model.reconstruct(X_test)), abs=1e-3
    )
    of_noise = model.fit(X).score(X_test, y_test)
    as_it_came = psnr(y_test / 255, X_test / 255)
    assert restored > max(of_noise, as_it_came) + 1
    fresh = model.set_params(degrade=NOISE).fit(y).score(X_test, y_test)
    assert fresh > max(of_noise, as_it_came) + 1


def test_history_and_losses_compare_with_the_clean_images(photos, tiny, estimator):
    """In an epoch of one batch its numbers are those of the start."""
    X = square_mask(photos, 6, random_state=0)
    start = tiny(max_epochs=0).fit(X, photos).net_.module_
    with torch.no_grad():
        output = start(torch.from_numpy(X))["images"].numpy()
    errors = output.transpose(0, 2, 3, 1) - photos / 255
    (epoch,) = tiny(batch_size=12).fit(X, photos).history_
    n_sites = 12 * 4 * 4
    expected = -10 * np.log10(np.mean(errors**2))
    # Training decodes samples where codes have a distribution.
    rel = 0.05 if estimator in (GaussianVAE, SpikeSlabVAE) else 1e-4
    assert epoch["train_psnr"] == pytest.approx(expected, rel=rel)
    assert epoch["train_reconstruction"] == pytest.approx(
        0.5 * np.sum(errors**2) / n_sites, rel=rel
    )


def test_the_model_starts_from_the_clean_images(photos, tiny):
    X = NOISE(photos, random_state=0)
    start = tiny(max_epochs=0).fit(X, photos)
    np.testing.assert_array_equal(
        start.components_, tiny(max_epochs=0).fit(photos).components_
    )
    fresh = tiny(max_epochs=0, degrade=NOISE).fit(photos)
    np.testing.assert_array_equal(fresh.components_, start.components_)


# ---- images and their targets belong together ---------------------------------------


@quickest
@pytest.mark.parametrize("crop_size", [None, 8])
def test_images_and_targets_are_cut_alike(photos, tiny, crop_size):
    model = tiny(crop_size=crop_size, batch_size=256)
    images, targets = batches_of(model, photos, 255 - photos)
    np.testing.assert_array_equal(images, 255 - targets)
    assert len(np.unique(images.reshape(len(images), -1), axis=0)) >= 12


@quickest
def test_photos_of_different_sizes_are_cut_alike(photos, tiny):
    X = [photos[0], photos[1][:9], photos[2][:, :12]]
    images, targets = batches_of(
        tiny(crop_size=8, batch_size=256), X, [255 - photo for photo in X]
    )
    np.testing.assert_array_equal(images, 255 - targets)


@quickest
@pytest.mark.parametrize("crop_size", [None, 8])
def test_early_stopping_holds_out_images_with_their_targets(photos, tiny, crop_size):
    params = {"early_stopping": True, "validation_fraction": 0.3, "batch_size": 256}
    model = tiny(crop_size=crop_size, max_epochs=2, **params)
    images, targets = batches_of(model, photos, 255 - photos, training=False)
    np.testing.assert_array_equal(images, 255 - targets)
    first, second = np.split(images, 2)  # the same in every epoch
    np.testing.assert_array_equal(first, second)


def test_floats_may_be_restored_to_bytes(photos, images, tiny):
    models = [tiny().fit(1 - images, y) for y in (images, photos)]
    np.testing.assert_allclose(
        *(model.reconstruct(images) for model in models), atol=1e-4
    )


def test_partial_fit_trains_on_the_targets(photos, tiny):
    callback = Batches()
    tiny(callbacks=[callback]).partial_fit(photos, 255 - photos)
    for images, targets in callback.seen:
        assert torch.equal(images, 255 - targets)


def test_vectors_are_restored_too(rng, tiny):
    clean = rng.normal(size=(60, 3)) @ rng.normal(size=(3, 10)) * 5
    noisy = clean + rng.normal(size=clean.shape)
    model = tiny(backbone_params=None, n_components=30, max_epochs=0)
    assert model.fit(noisy, clean).data_range_ == pytest.approx(np.ptp(clean))
    images, targets = batches_of(model.set_params(max_epochs=1), noisy, clean)
    np.testing.assert_allclose(images.mean(0)[0, 0], noisy.mean(0), rtol=1e-3)
    np.testing.assert_allclose(targets.mean(0)[0, 0], clean.mean(0), rtol=1e-3)


def test_grid_search_scores_what_is_restored(digits, noisy):
    model = SparseCodingVAE(24, n_downsamples=1, n_rollout_steps=3, random_state=0)
    search = GridSearchCV(
        model, {"max_epochs": [0, 1]}, cv=2, error_score="raise", refit=False
    ).fit(noisy[:60], digits[:60])
    first = clone(model).set_params(max_epochs=0).fit(noisy[30:60], digits[30:60])
    expected = first.score(noisy[:30], digits[:30])
    assert search.cv_results_["split0_test_score"][0] == pytest.approx(expected)


# ---- what is no target --------------------------------------------------------------


NOT_TARGETS = {
    "none": lambda X: None,
    "labels": lambda X: np.arange(12),
    "label names": lambda X: ["a", "b"] * 6,
    "lists of labels": lambda X: [[1], [1, 2]] * 6,
    "masks": lambda X: (X > X.mean()).astype(int),
    "boolean masks": lambda X: X > X.mean(),
    "one number each": lambda X: np.ones((12, 1)),
}


@quickest
@pytest.mark.parametrize("name", NOT_TARGETS)
def test_fit_and_score_ignore_what_is_no_image(images, tiny, name):
    X = images[..., 0]
    expected = tiny().fit(X)
    y = NOT_TARGETS[name](X)
    model = tiny().fit(X, y)
    np.testing.assert_array_equal(model.reconstruct(X), expected.reconstruct(X))
    assert model.score(X, y) == expected.score(X)


@quickest
def test_masks_of_a_list_of_photos_are_ignored(photos, tiny):
    X = [photos[0, ..., 0], photos[1, :9, :, 0]]
    masks = [photo > photo.mean() for photo in X]
    images, targets = batches_of(tiny(crop_size=8, batch_size=256), X, masks)
    np.testing.assert_array_equal(images, targets)


@quickest
@pytest.mark.parametrize("method", ["fit", "partial_fit", "score"])
def test_images_of_another_shape_are_refused(photos, tiny, method):
    model = tiny(max_epochs=0).fit(photos)
    with pytest.raises(ValueError, match=r"y holds images of shape \(12, 8, 8, 3\)"):
        getattr(model, method)(photos, photos[:, ::2, ::2])


@quickest
def test_bad_targets_are_named(images, tiny):
    with pytest.raises(ValueError, match="y has values in"):
        tiny().fit(images, images * 2)
    X = [images[0], images[1][:8]]
    with pytest.raises(ValueError, match=r"y\[1\] contains NaN"):
        tiny().fit(X, [X[0], X[1] * np.nan])


# ---- fresh noise --------------------------------------------------------------------


@quickest
@pytest.mark.parametrize("crop_size", [None, 8])
def test_noise_is_fresh_in_every_epoch_and_repeats_by_seed(photos, tiny, crop_size):
    def noise(random_state):
        model = tiny(max_epochs=2, batch_size=256, crop_size=crop_size, degrade=NOISE)
        model.set_params(random_state=random_state)
        images, targets = batches_of(model, photos)
        return images.astype(int) - targets

    first, again, other = noise(0), noise(0), noise(1)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    epochs = np.split(first, 2)
    assert len(np.unique(first.reshape(len(first), -1), axis=0)) == len(first)
    assert not np.array_equal(*epochs)
    assert 0.5 * SIGMA < first.std() < SIGMA  # some of it is clipped


@quickest
def test_validation_meets_the_same_noise_in_every_epoch(photos, tiny):
    params = {"early_stopping": True, "validation_fraction": 0.3, "max_epochs": 2}
    images, targets = batches_of(tiny(degrade=NOISE, **params), photos, training=False)
    np.testing.assert_array_equal(*np.split(images, 2))
    assert not np.array_equal(images, targets)


@quickest
def test_noise_may_come_on_top_of_given_targets(photos, tiny):
    squares = square_mask(photos, 6, random_state=0)
    batches = batches_of(tiny(degrade=NOISE, batch_size=12), squares, photos)
    images, targets = (batch.astype(int) for batch in batches)
    np.testing.assert_array_equal(
        np.sort(targets.sum(axis=(1, 2, 3))),
        np.sort(photos.astype(int).sum(axis=(1, 2, 3))),
    )
    assert (images - targets).mean() < (squares.astype(int) - photos).mean() / 2


@quickest
def test_what_degrade_does_in_place_does_not_reach_the_targets(photos, tiny):
    def blacken(images, random_state):
        images[:] = 0
        return images

    before = photos.copy()
    images, targets = batches_of(tiny(degrade=blacken, batch_size=12), photos)
    assert not images.any()
    np.testing.assert_array_equal(np.sort(targets, axis=None), np.sort(before, None))
    np.testing.assert_array_equal(photos, before)


def test_a_fitted_model_with_noise_can_be_cloned_and_pickled(photos, tiny):
    model = tiny(degrade=NOISE).fit(photos)
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copy.reconstruct(photos), model.reconstruct(photos))
    again = clone(copy).fit(photos)
    np.testing.assert_array_equal(again.reconstruct(photos), model.reconstruct(photos))


@quickest
@pytest.mark.parametrize(
    "degrade",
    [
        lambda images, random_state: images / 255,
        lambda images, random_state: images[:, ::2],
        lambda images, random_state: None,
    ],
    ids=["dtype", "shape", "nothing"],
)
def test_degrade_has_to_keep_shape_and_dtype(photos, tiny, degrade):
    with pytest.raises(ValueError, match="uint8 into .*must keep both"):
        tiny(degrade=degrade).fit(photos)


@quickest
@pytest.mark.parametrize("backbone", ["auto", "identity"])
def test_degrade_needs_images(images, tiny, backbone):
    X = images if backbone == "identity" else images.reshape(12, -1)
    model = tiny(degrade=NOISE, backbone=backbone, backbone_params=None)
    with pytest.raises(ValueError, match="degrade needs images, got"):
        model.fit(X)
