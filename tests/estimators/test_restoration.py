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
from sklearn_sparsevae.training.autoencoder import channels_last

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
    """What a fit trains on (or is validated on): unit images and targets, as arrays."""
    callback = Batches(training)
    model.set_params(callbacks=[callback]).fit(X, y)
    return [
        np.concatenate(part) for part in zip(*map(_arrays, callback.seen), strict=True)
    ]


def assert_inverted(images, targets):
    """Of bytes ``X`` and ``255 - X``, as unit images."""
    np.testing.assert_allclose(images, 1 - targets, atol=1e-6)
    assert np.ptp(images) > 0.5


def _arrays(batch):
    return [part.numpy() for part in batch]


# What the estimators share is tried with the quickest of them.
quickest = pytest.mark.parametrize("estimator", [VQVAE])


# ---- what it is for -----------------------------------------------------------------


def test_restoring_beats_reconstructing_the_noise(digits, noisy, tiny):
    X, y, X_test, y_test = noisy[:200], digits[:200], noisy[200:], digits[200:]
    params = {"n_downsamples": 1, "max_epochs": 4, "batch_size": 20, "lr": 0.003}
    model = tiny(n_components=48, **params)
    restorer = clone(model).set_params(target="y").fit(X, y)
    restored = restorer.score(X_test, y_test)
    clean = y_test / 255
    assert restored == pytest.approx(
        psnr(clean, restorer.reconstruct(X_test)), abs=1e-3
    )
    of_noise = psnr(clean, clone(model).fit(X).reconstruct(X_test))
    as_it_came = psnr(clean, X_test / 255)
    assert restored > max(of_noise, as_it_came) + 1
    fresh = clone(model).set_params(degrade=NOISE).fit(y)
    assert psnr(clean, fresh.reconstruct(X_test)) > max(of_noise, as_it_came) + 1


def test_history_and_losses_compare_with_the_clean_images(photos, tiny, estimator):
    """In an epoch of one batch its numbers are those of the start."""
    X = square_mask(photos, 6, random_state=0)
    start = tiny(target="y", max_epochs=0).fit(X, photos).net_.module_
    with torch.no_grad():
        output = start(torch.from_numpy(X / np.float32(255)))["images"]
    errors = channels_last(output).numpy() - photos / 255
    history = tiny(target="y", batch_size=12).fit(X, photos).history_
    n_sites = 12 * 4 * 4
    expected = -10 * np.log10(np.mean(errors**2))
    # Training decodes samples where codes have a distribution.
    rel = 0.05 if estimator in (GaussianVAE, SpikeSlabVAE) else 1e-4
    assert history["train_psnr"] == pytest.approx([expected], rel=rel)
    error = 0.5 * np.sum(errors**2) / n_sites
    assert history["train_reconstruction"] == pytest.approx([error], rel=rel)


def test_the_model_starts_from_the_clean_images(photos, tiny):
    X = NOISE(photos, random_state=0)
    start = tiny(target="y", max_epochs=0).fit(X, photos)
    np.testing.assert_array_equal(
        start.components_, tiny(max_epochs=0).fit(photos).components_
    )
    fresh = tiny(max_epochs=0, degrade=NOISE).fit(photos)
    np.testing.assert_array_equal(fresh.components_, start.components_)


# ---- images and their targets belong together ---------------------------------------


@quickest
@pytest.mark.parametrize("crop_size", [None, 8])
def test_images_and_targets_are_cut_alike(photos, tiny, crop_size):
    model = tiny(target="y", crop_size=crop_size, batch_size=256)
    images, targets = batches_of(model, photos, 255 - photos)
    assert_inverted(images, targets)
    assert len(np.unique(images.reshape(len(images), -1), axis=0)) >= 12


@quickest
def test_photos_of_different_sizes_are_cut_alike(photos, tiny):
    X = [photos[0], photos[1][:9], photos[2][:, :12]]
    y = [255 - photo for photo in X]
    model = tiny(target="y", crop_size=8, batch_size=256)
    assert_inverted(*batches_of(model, X, y))
    targets, outputs = model.compare(X, y)
    for i, photo in enumerate(X):
        np.testing.assert_allclose(targets[i], 1 - photo / 255, atol=1e-6)
        np.testing.assert_array_equal(outputs[i], model.reconstruct(X[i : i + 1])[0])
    errors = [np.mean((targets[i] - outputs[i]) ** 2) for i in range(3)]
    assert model.score(X, y) == pytest.approx(np.mean(-10 * np.log10(errors)))


@quickest
@pytest.mark.parametrize("crop_size", [None, 8])
def test_early_stopping_holds_out_images_with_their_targets(photos, tiny, crop_size):
    params = {"early_stopping": True, "validation_fraction": 0.3, "batch_size": 256}
    model = tiny(target="y", crop_size=crop_size, max_epochs=2, **params)
    images, targets = batches_of(model, photos, 255 - photos, training=False)
    assert_inverted(images, targets)
    first, second = np.split(images, 2)  # the same in every epoch
    np.testing.assert_array_equal(first, second)


def test_floats_may_be_restored_to_bytes(photos, images, tiny):
    models = [tiny(target="y").fit(1 - images, y) for y in (images, photos)]
    np.testing.assert_allclose(
        *(model.reconstruct(images) for model in models), atol=1e-4
    )


def test_partial_fit_trains_on_the_targets(photos, tiny):
    callback = Batches()
    tiny(target="y", callbacks=[callback]).partial_fit(photos, 255 - photos)
    assert len(callback.seen) == 3
    for images, targets in callback.seen:
        assert_inverted(images.numpy(), targets.numpy())


def test_vectors_are_restored_too(rng, tiny):
    clean = rng.normal(size=(60, 3)) @ rng.normal(size=(3, 10)) * 5
    noisy = clean + rng.normal(size=clean.shape)
    params = {"backbone_params": None, "n_components": 30, "max_epochs": 0}
    model = tiny(target="y", **params)
    assert model.fit(noisy, clean).data_range_ == pytest.approx(np.ptp(clean))
    images, targets = batches_of(model.set_params(max_epochs=1), noisy, clean)
    np.testing.assert_allclose(images.mean(0)[0, 0], noisy.mean(0), rtol=1e-3)
    np.testing.assert_allclose(targets.mean(0)[0, 0], clean.mean(0), rtol=1e-3)


def test_grid_search_scores_what_is_restored(digits, noisy):
    model = SparseCodingVAE(
        24, n_downsamples=1, n_rollout_steps=3, target="y", random_state=0
    )
    search = GridSearchCV(
        model, {"max_epochs": [0, 1]}, cv=2, error_score="raise", refit=False
    ).fit(noisy[:60], digits[:60])
    first = clone(model).set_params(max_epochs=0).fit(noisy[30:60], digits[30:60])
    expected = first.score(noisy[:30], digits[:30])
    assert search.cv_results_["split0_test_score"][0] == pytest.approx(expected)


# ---- what y is said to be -----------------------------------------------------------


NOT_TARGETS = {
    "none": lambda X: None,
    "labels": lambda X: np.arange(12),
    "label names": lambda X: ["a", "b"] * 6,
    "lists of labels": lambda X: [[1], [1, 2]] * 6,
    "masks": lambda X: (X > X.mean()).astype(int),
    "boolean masks": lambda X: X > X.mean(),
    "one number each": lambda X: np.ones((12, 1)),
    "images": lambda X: 1 - X,
    "images of another shape": lambda X: X[:, ::2],
    "nothing that has a length": lambda X: 7.5,
}


@quickest
@pytest.mark.parametrize("name", NOT_TARGETS)
def test_y_is_ignored_unless_it_is_said_to_be_the_target(images, tiny, name):
    X = images[..., 0]
    expected = tiny().fit(X)
    y = NOT_TARGETS[name](X)
    model = tiny().fit(X, y)
    np.testing.assert_array_equal(model.reconstruct(X), expected.reconstruct(X))
    assert model.score(X, y) == expected.score(X)
    again, after = tiny().partial_fit(X, y), tiny().partial_fit(X)
    np.testing.assert_array_equal(again.reconstruct(X), after.reconstruct(X))


@quickest
def test_masks_of_a_list_of_photos_are_ignored(photos, tiny):
    X = [photos[0, ..., 0], photos[1, :9, :, 0]]
    masks = [photo > photo.mean() for photo in X]
    images, targets = batches_of(tiny(crop_size=8, batch_size=256), X, masks)
    np.testing.assert_array_equal(images, targets)


@quickest
@pytest.mark.parametrize("method", ["fit", "partial_fit", "score", "compare"])
def test_a_target_that_is_not_given_is_asked_for(photos, tiny, method):
    model = tiny(target="y", max_epochs=0).fit(photos, photos)
    for act in (
        getattr(model, method),
        getattr(clone(model).fit(photos, photos), method),
    ):
        with pytest.raises(
            ValueError, match="target='y' needs the images.*pass them as"
        ):
            act(photos)


@quickest
@pytest.mark.parametrize("name", sorted(set(NOT_TARGETS) - {"images"}))
def test_what_is_no_image_is_no_target(images, tiny, name):
    X = images[..., 0]
    y = NOT_TARGETS[name](X)
    model = tiny(target="y", max_epochs=0).fit(X, X)
    for act in (tiny(target="y").fit, model.partial_fit, model.score):
        with pytest.raises((ValueError, TypeError), match="y|target"):
            act(X, y)


@quickest
@pytest.mark.parametrize("method", ["fit", "partial_fit", "score"])
def test_images_of_another_shape_are_refused(photos, tiny, method):
    model = tiny(target="y", max_epochs=0).fit(photos, photos)
    with pytest.raises(ValueError, match=r"y holds images of shape \(12, 8, 8, 3\)"):
        getattr(model, method)(photos, photos[:, ::2, ::2])
    with pytest.raises(ValueError, match=r"y holds images of shape \(11, 16, 16, 3\)"):
        getattr(model, method)(photos, photos[1:])


@quickest
def test_bad_targets_are_named(images, tiny):
    model = tiny(target="y")
    with pytest.raises(ValueError, match="y has values in"):
        model.fit(images, images * 2)
    X = [images[0], images[1][:8]]
    with pytest.raises(ValueError, match=r"y\[1\] contains NaN"):
        model.fit(X, [X[0], X[1] * np.nan])


@quickest
@pytest.mark.parametrize("method", ["fit", "partial_fit", "score"])
def test_what_is_to_be_restored_may_exceed_the_range(images, tiny, method):
    X = images + np.float32(0.5)
    model = tiny(target="y", max_epochs=0).fit(images, images)
    getattr(model, method)(X, images)
    restored = model.reconstruct(X)
    assert restored.min() >= 0 and restored.max() <= 1
    with pytest.raises(ValueError, match=r"X has values in \[.*, 1.5\]"):
        getattr(tiny(max_epochs=0).fit(images), method)(X, images)


# ---- fresh noise --------------------------------------------------------------------


@quickest
@pytest.mark.parametrize("crop_size", [None, 8])
def test_noise_is_fresh_in_every_epoch_and_repeats_by_seed(photos, tiny, crop_size):
    def noise(random_state):
        model = tiny(max_epochs=2, batch_size=256, crop_size=crop_size, degrade=NOISE)
        model.set_params(random_state=random_state)
        images, targets = batches_of(model, photos)
        return 255 * (images.astype(float) - targets)

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
    model = tiny(target="y", degrade=NOISE, batch_size=12)
    images, targets = (255 * batch for batch in batches_of(model, squares, photos))
    np.testing.assert_allclose(
        np.sort(targets.sum(axis=(1, 2, 3))),
        np.sort(photos.astype(int).sum(axis=(1, 2, 3))),
        rtol=1e-5,
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
    expected = np.sort(before, None) / 255
    np.testing.assert_allclose(np.sort(targets, axis=None), expected, atol=1e-7)
    np.testing.assert_array_equal(photos, before)


@quickest
@pytest.mark.parametrize("value_range", [None, (0, 255)])
def test_degrade_may_turn_bytes_into_floats(photos, tiny, value_range):
    """They are in the range of floats, and what was added may exceed it."""

    def darken(images, random_state):
        return images / (255 if value_range is None else 1) - grey

    grey = 0.5 if value_range is None else 127.5
    model = tiny(degrade=darken, value_range=value_range)
    images, targets = batches_of(model, photos)
    np.testing.assert_allclose(images, targets - 0.5, atol=1e-6)
    assert targets.max() <= 1


def test_a_fitted_model_with_noise_can_be_cloned_and_pickled(photos, tiny):
    model = tiny(degrade=NOISE).fit(photos)
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copy.reconstruct(photos), model.reconstruct(photos))
    again = clone(copy).fit(photos)
    np.testing.assert_array_equal(again.reconstruct(photos), model.reconstruct(photos))


@quickest
@pytest.mark.parametrize(
    ("degrade", "message"),
    [
        (lambda images, random_state: images.astype(int), "uint8 into .*int64.*floats"),
        (lambda images, random_state: images > 9, "uint8 into .*bool: it must keep"),
        (lambda images, random_state: images[:, ::2], "uint8 into .*keep the shape"),
        (lambda images, random_state: None, "uint8 into .*keep the shape"),
        (lambda images, random_state: images * np.nan, "gave NaN or infinity"),
    ],
    ids=["integers", "booleans", "shape", "nothing", "NaN"],
)
def test_degrade_has_to_keep_shape_and_numbers(photos, tiny, degrade, message):
    with pytest.raises(ValueError, match=message):
        tiny(degrade=degrade).fit(photos)


@quickest
@pytest.mark.parametrize("backbone", ["auto", "identity"])
@pytest.mark.parametrize("name", ["degrade", "augment"])
def test_what_changes_images_needs_images(images, tiny, backbone, name):
    X = images if backbone == "identity" else images.reshape(12, -1)
    model = tiny(backbone=backbone, backbone_params=None)
    model.set_params(**{name: NOISE if name == "degrade" else True})
    with pytest.raises(ValueError, match=f"{name} needs images, got"):
        model.fit(X)
