"""ClosedLoopVAE: a scikit-learn estimator whose features regenerate the images."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.estimator_checks import parametrize_with_checks
from skorch.callbacks import Callback

from sklearn_sparsevae import ClosedLoopVAE
from sklearn_sparsevae.metrics import psnr
from sklearn_sparsevae.sparse import rate_reduction


@parametrize_with_checks(
    [ClosedLoopVAE(n_components=(8, 16), latent_dim=8, max_epochs=1)]
)
def test_common_checks(estimator, check):
    check(estimator)


def tiny(**params):
    defaults = {
        "n_components": (16, 32),
        "latent_dim": 24,
        "max_epochs": 1,
        "random_state": 0,
    }
    return ClosedLoopVAE(**(defaults | params))


@pytest.fixture(scope="module")
def digits():
    """400 digits, float32, and their classes."""
    data = load_digits()
    return data.images[:400].astype(np.float32) / 16, data.target[:400]


@pytest.fixture(scope="module")
def fitted(digits):
    return tiny(target="y").fit(*digits)


def test_features_lie_on_the_sphere(fitted, digits):
    features = fitted.transform(digits[0])
    assert features.shape == (400, 24) and features.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, atol=1e-5)


def test_regeneration_is_coding_and_decoding(fitted, digits):
    images = digits[0][:50]
    once = fitted.reconstruct(images)
    np.testing.assert_array_equal(
        fitted.inverse_transform(fitted.transform(images)), once
    )
    assert once.shape == images.shape and once.dtype == np.float32
    expected = pytest.approx(psnr(images, once, data_range=1.0), abs=1e-4)
    assert fitted.score(images) == expected
    assert fitted.score(images, digits[1][:50]) == expected  # classes are no images
    for found, same in zip(fitted.compare(images), (images, once), strict=True):
        np.testing.assert_array_equal(found, same)


def test_the_start_is_close_to_principal_components(digits):
    images = digits[0]
    model = tiny(n_components=(18, 128), max_epochs=0).fit(images)
    rows = images.reshape(len(images), -1)
    pca = PCA(model.latent_dim - 1).fit(rows)
    best = pca.inverse_transform(pca.transform(rows)).clip(0, 1).reshape(images.shape)
    assert model.score(images) > psnr(images, best, data_range=1.0) - 1.5


def test_a_feature_does_not_depend_on_the_batch(fitted, digits):
    together = fitted.transform(digits[0][:40])
    alone = np.concatenate([fitted.transform(image[None]) for image in digits[0][:40]])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_classes_come_apart_in_training(digits):
    images, labels = digits[0][:200], digits[1][:200]
    rates, quality = [], []
    for max_epochs in (0, 10):
        model = tiny(target="y", max_epochs=max_epochs, batch_size=100, lr=0.15)
        features = model.fit(images, labels).transform(images)
        rates.append(float(rate_reduction(features, labels)))
        quality.append(model.score(images))
    assert rates[1] > rates[0] + 0.25
    assert quality[1] > quality[0] - 0.6  # the decoder keeps what it is not asked for
    assert [len(model.classes_), model.n_epochs_] == [10, 10]
    names = {"delta_r", "delta_r_features", "delta_r_regenerated", "loss", "psnr"}
    assert {f"train_{name}" for name in names} <= set(model.history_)
    history = model.history_["train_delta_r_features"]
    assert history[-1] > history[0]


def test_names_of_classes_do_not_matter(digits):
    images, labels = digits
    names = np.array(list("abcdefghij"), dtype=object)[labels]
    one, other = (tiny(target="y").fit(images, y) for y in (labels, names))
    np.testing.assert_array_equal(one.transform(images), other.transform(images))
    assert other.classes_.tolist() == list("abcdefghij")


@pytest.mark.parametrize("y", [None, "labels", "numbers", "masks", "images"])
def test_classes_are_used_only_if_they_are_said_to_be(digits, y):
    images, labels = digits
    targets = {"labels": labels, "numbers": np.linspace(0, 1, 400)}
    targets |= {None: None, "masks": images > 0.5, "images": images}
    model = tiny().fit(images, targets[y])
    assert model.classes_ is None
    without = tiny().fit(images).transform(images)
    np.testing.assert_array_equal(model.transform(images), without)
    assert not np.array_equal(tiny(target="y").fit(*digits).transform(images), without)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (None, "target='y' needs classes, one label for each image: pass them as y"),
        (np.linspace(0, 1, 400), "continuous values; expected classes.*target='X'"),
        (np.zeros((400, 2)), "1d array"),
        (np.zeros((400, 8, 8)), "dim 3"),
        (np.arange(399) % 3, "inconsistent numbers of samples"),
    ],
    ids=["none", "numbers", "columns", "images", "too few"],
)
def test_what_is_no_class_of_each_image_is_refused(digits, y, message):
    model = tiny(target="y")
    with pytest.raises(ValueError, match=message):
        model.fit(digits[0], y)
    assert not hasattr(model, "net_")


def test_the_seed_decides_and_the_global_generators_stay(digits):
    images = digits[0][:100]
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    one, same, other = (tiny(random_state=s).fit(images) for s in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), before[0])
    np.testing.assert_array_equal(np.random.get_state()[1], before[1])
    np.testing.assert_array_equal(one.transform(images), same.transform(images))
    assert not np.array_equal(one.transform(images), other.transform(images))


def test_pickles_are_small_and_code_alike(fitted, digits):
    copy = pickle.loads(pickle.dumps(fitted))
    assert copy.net_.optimizer_ is None
    assert all(p.grad is None for p in copy.net_.module_.parameters())
    np.testing.assert_array_equal(
        copy.transform(digits[0]), fitted.transform(digits[0])
    )


@pytest.mark.parametrize("layer", [0, 1, -1])
@pytest.mark.parametrize("size", [(8, 8), (11, 6), (5, 17)])
def test_maps_of_any_size(fitted, layer, size, rng):
    images = rng.random((3, *size), dtype=np.float32)
    maps = fitted.sparse_maps(images, layer)
    backbone = fitted.net_.module_.backbone
    with torch.no_grad():
        dense = torch.from_numpy(images)[:, None]
        for part in backbone.layers[: layer % 2 + 1]:
            dense = part.encode(dense)
    dense = dense.permute(0, 2, 3, 1).numpy()
    assert maps.grid_shape == dense.shape[1:3] and maps.n_atoms == dense.shape[3]
    assert maps.has_canonical_format and maps.dtype == np.float32
    assert maps.data.min() > 0 and 0 < maps.nnz < dense.size
    found = maps.toarray().reshape(dense.shape)
    np.testing.assert_array_equal(found == 0, dense == 0)
    np.testing.assert_allclose(found, dense, atol=1e-5)
    assert maps.image_shape == size


def test_maps_of_several_batches_are_those_of_one(fitted, digits, monkeypatch):
    whole = fitted.sparse_maps(digits[0][:30])
    monkeypatch.setattr(
        "sklearn_sparsevae.training.closed_loop._BATCH_ENTRIES", 7 * 16 * 32
    )
    parts = fitted.sparse_maps(digits[0][:30])
    assert parts.grid_shape == whole.grid_shape and parts.indices.dtype == np.int32
    np.testing.assert_allclose(parts.toarray(), whole.toarray(), atol=1e-5)


class Lazy:
    """Photos that are read when they are asked for."""

    def __init__(self, photos):
        self.photos = photos
        self.shapes = [photo.shape for photo in photos]

    def __len__(self):
        return len(self.photos)

    def __getitem__(self, index):
        return self.photos[index]


def test_lazy_photos_give_what_an_array_gives(digits):
    images = digits[0][:50]
    eager, lazy = tiny().fit(images), tiny().fit(Lazy(images))
    np.testing.assert_array_equal(eager.transform(images), lazy.transform(Lazy(images)))
    assert eager.score(images) == lazy.score(Lazy(images))
    assert (eager.sparse_maps(images) != lazy.sparse_maps(Lazy(images))).nnz == 0


def test_photos_of_different_sizes_have_maps_and_no_features(fitted, rng):
    X = [rng.random(size, dtype=np.float32) for size in ((8, 8), (11, 6), (5, 17))]
    for act in (fitted.transform, fitted.reconstruct, fitted.score, tiny().fit):
        with pytest.raises(ValueError, match="describes a whole image.*[Rr]esize"):
            act(X)
    for photo, maps in zip(X, fitted.sparse_maps(X), strict=True):
        alone = fitted.sparse_maps(photo[None])
        assert maps.grid_shape == alone.grid_shape
        np.testing.assert_allclose(maps.toarray(), alone.toarray(), atol=1e-5)


def test_a_fit_that_is_stopped_keeps_its_complete_epochs(digits):
    class Stop(Callback):
        def on_epoch_begin(self, net, **kwargs):
            if len(net.history) == 3:
                raise KeyboardInterrupt

    images = digits[0][:100]
    model = tiny(max_epochs=5, callbacks=[Stop()])
    with (
        pytest.warns(ConvergenceWarning, match="keeps the 2 complete epoch"),
        pytest.raises(KeyboardInterrupt, match="in epoch 3.*2 epoch.*before it are ke"),
    ):
        model.fit(images)
    assert model.n_epochs_ == len(model.history_["epoch"]) == 2
    assert np.isfinite(model.transform(images)).all()


def test_a_single_layer_is_a_number(digits):
    one, other = (tiny(n_components=n).fit(digits[0][:50]) for n in (16, (16,)))
    np.testing.assert_array_equal(
        one.transform(digits[0][:50]), other.transform(digits[0][:50])
    )
    assert [k.shape for k in one.components_] == [(16, 1, 3, 3)]
    norms = np.linalg.norm(one.components_[0].reshape(16, -1), axis=1)
    np.testing.assert_allclose(norms, 1, atol=1e-6)


def test_features_are_of_one_size(fitted):
    with pytest.raises(ValueError, match="9x8 pixels.*fitted on 8x8.*sparse_maps"):
        fitted.transform(np.zeros((2, 9, 8), np.float32))


def test_images_come_back_as_they_went_in(digits):
    images = np.round(digits[0][:60] * 255).astype(np.uint8)
    flat = tiny(image_shape=(8, 8)).fit(images.reshape(60, -1))
    grey = tiny().fit(images)
    np.testing.assert_array_equal(
        flat.reconstruct(images.reshape(60, -1)).reshape(60, 8, 8),
        grey.reconstruct(images),
    )
    assert grey.score(images) == flat.score(images.reshape(60, -1))
    scaled = tiny(value_range=(-1, 1), max_epochs=0)
    scaled.fit(images / np.float32(127.5) - 1)
    grey = tiny(max_epochs=0).fit(images)
    np.testing.assert_allclose(
        scaled.reconstruct(images / np.float32(127.5) - 1),
        2 * grey.reconstruct(images) - 1,
        atol=0.02,
    )


@pytest.mark.parametrize(
    "params, message",
    [
        ({"kernel_size": 4}, "kernel_size=4 must be odd"),
        ({"n_components": ()}, "n_components=.. must be a positive integer for each"),
        ({"n_components": (8, 0)}, "must be a positive integer for each layer"),
        ({"latent_dim": 1}, "latent_dim"),
        ({"value_range": (1, 0)}, "must be a pair"),
    ],
)
def test_what_cannot_be_is_refused(digits, params, message):
    with pytest.raises(ValueError, match=message):
        tiny(**params).fit(digits[0][:20])


def test_a_layer_that_is_not_there_is_refused(fitted, digits):
    with pytest.raises(ValueError, match="layer == 2"):
        fitted.sparse_maps(digits[0], 2)


def test_features_of_another_length_are_refused(fitted):
    with pytest.raises(ValueError, match="23 columns, expected features of length 24"):
        fitted.inverse_transform(np.ones((2, 23)))


def test_a_loss_that_explodes_is_an_error(digits):
    with pytest.raises(FloatingPointError, match="Lower lr"):
        tiny(lr=1e30, max_epochs=3).fit(digits[0])


def test_images_between_two_and_along_a_feature(fitted, digits):
    A, B = digits[0][:3], digits[0][3:6]
    ways = fitted.interpolate(A, B, n_steps=3)
    np.testing.assert_allclose(ways[:, 0], fitted.reconstruct(A), atol=1e-5)
    middle = (fitted.transform(A) + fitted.transform(B)) / 2
    np.testing.assert_allclose(ways[:, 1], fitted.inverse_transform(middle), atol=1e-5)
    features = fitted.transform(A)
    features[:, 2] = 0.3
    strips = fitted.traverse(A, [2], [0.3])
    np.testing.assert_allclose(
        strips[:, 0, 0], fitted.inverse_transform(features), atol=1e-5
    )
