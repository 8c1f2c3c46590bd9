"""Small inputs that once went wrong, each with the right outcome.

Most were distilled from reports about libraries that do a similar job. A case stands
for its kind; parts as in the names: A meaning, B methods, C state, D numbers, E files.
"""

import functools
import io
import pickle
import subprocess
import threading
import time
import warnings
import zipfile

import dask.array
import h5py
import joblib
import numpy as np
import pandas as pd
import pytest
import tifffile
import torch
import zarr
from PIL import Image
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_sample_images
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    KFold,
    cross_val_score,
)
from sklearn.pipeline import Pipeline
from skorch.callbacks import (
    Callback,
    Checkpoint,
    LoadInitState,
    TrainEndCheckpoint,
)

from sklearn_sparsevae import (
    VQVAE,
    ClosedLoopVAE,
    CodePrior,
    DictionaryLearningVAE,
    GaussianVAE,
    KMeansSegmenter,
    SparseCodingVAE,
    SpectralSegmenter,
    SpikeSlabVAE,
    load,
    save,
)
from sklearn_sparsevae.codes import concatenate_codes
from sklearn_sparsevae.datasets import (
    LazyView,
    _download,
    load_image_archive,
    load_image_folder,
)
from sklearn_sparsevae.degrade import gaussian_noise
from sklearn_sparsevae.metrics import make_scorers, psnr
from tests.datasets.pngs import png_of
from tests.histories import assert_same_history

AUTOENCODERS = [
    SparseCodingVAE,
    DictionaryLearningVAE,
    VQVAE,
    GaussianVAE,
    SpikeSlabVAE,
]
every_autoencoder = pytest.mark.parametrize("cls", AUTOENCODERS)


def small(cls=VQVAE, n_components=16, **params):
    """Make a model that fits in a tenth of a second."""
    defaults = {
        "n_downsamples": 2,
        "max_epochs": 1,
        "batch_size": 8,
        "backbone_params": {"width": 8},
        "random_state": 0,
    }
    return cls(n_components, **(defaults | params))


def of_vectors(cls=VQVAE, n_components=16, **params):
    return small(cls, n_components, backbone_params=None, **params)


def dense(codes):
    return codes.toarray() if sparse.issparse(codes) else np.asarray(codes)


@pytest.fixture
def imgs(rng):
    """(16, 16, 16, 3), uint8, smooth enough to be images."""
    coarse = rng.integers(0, 256, (16, 5, 5, 3))
    return np.kron(coarse, np.ones((1, 4, 4, 1), int))[:, :16, :16].astype(np.uint8)


@pytest.fixture
def sizes(imgs):
    """Photos of different sizes."""
    return [image[: 16 - 4 * (i % 2), : 12 + i % 3] for i, image in enumerate(imgs[:9])]


# ---- A. meaning is said -------------------------------------------------------------


def labels_and_masks(X):
    n, h, w = X.shape[:3]
    grey = X.reshape(n, h, w, -1)[..., 0]
    masks = (grey > 100).astype(np.uint8)
    return {
        "masks": masks,
        "masks of bytes": masks * 255,
        "masks with an axis": masks[..., None],
        "boolean masks": masks.astype(bool),
        "masks of floats": masks.astype(float),
        "images": 255 - X,
        "labels": np.arange(n) % 2,
        "names": np.array(["cat", "dog"] * (n // 2)),
        "attributes": np.linspace(0, 1, n),
        "one number each": np.ones((n, 1)),
        "lists of labels": [[1], [1, 2]] * (n // 2),
        "shapes of others": X[:, ::2],
    }


@pytest.mark.parametrize("y_name", labels_and_masks(np.zeros((2, 2, 2, 3), np.uint8)))
@pytest.mark.parametrize("colour", [False, True])
def test_a1_a2_y_never_reaches_a_loss_unless_it_is_said_to_be_the_target(
    imgs, y_name, colour
):
    X = imgs if colour else imgs[..., 0]
    y = labels_and_masks(X)[y_name]
    expected = small().fit(X)
    model = small().fit(X, y)
    np.testing.assert_array_equal(model.components_, expected.components_)
    assert model.score(X, y) == expected.score(X)
    again = small().partial_fit(X, y)
    np.testing.assert_array_equal(again.components_, small().partial_fit(X).components_)


def test_a1_masks_in_a_pipeline_and_a_search_over_it(imgs):
    grey = imgs[..., 0]
    masks = (grey > 100).astype(np.uint8)
    pipe = Pipeline([("enc", small()), ("seg", KMeansSegmenter(2, random_state=0))])
    expected = clone(pipe).fit(grey)
    np.testing.assert_array_equal(
        pipe.fit(grey, masks)["enc"].components_, expected["enc"].components_
    )
    search = GridSearchCV(pipe, {"enc__n_components": [8, 16]}, cv=2, refit=False)
    scores = search.fit(grey, masks).cv_results_["mean_test_score"]
    assert ((scores > 0) & (scores <= 1)).all()


@every_autoencoder
def test_a1_targets_that_are_said_are_used(imgs, cls):
    model = small(cls, target="y").fit(imgs, 255 - imgs)
    inverted = model.score(imgs, 255 - imgs)
    assert inverted > model.set_params(target="X").score(imgs, 255 - imgs) - 1e-9
    with pytest.raises(ValueError, match="target='y' needs the images"):
        small(cls, target="y").fit(imgs)
    with pytest.raises(ValueError, match=r"y holds images of shape \(16, 8, 16, 3\)"):
        small(cls, target="y").fit(imgs, imgs[:, ::2])
    with pytest.raises((ValueError, TypeError), match="y "):
        small(cls, target="y").fit(imgs, np.arange(16))


def test_a1_classes_are_said_too(imgs):
    labels = np.arange(16) % 2
    make = functools.partial(
        ClosedLoopVAE, (8,), latent_dim=6, max_epochs=1, random_state=0
    )
    plain = make().fit(imgs)
    ignored = make().fit(imgs, labels)
    assert ignored.classes_ is None
    np.testing.assert_array_equal(ignored.transform(imgs), plain.transform(imgs))
    told = make(target="y").fit(imgs, labels)
    assert told.classes_.tolist() == [0, 1]
    assert not np.array_equal(told.transform(imgs), plain.transform(imgs))
    for y in (None, np.linspace(0, 1, 16), labels[:5], imgs[..., 0]):
        with pytest.raises(ValueError, match=r"y|inconsistent"):
            make(target="y").fit(imgs, y)


@pytest.mark.parametrize("shape", [(48, 64, 3), (48, 64, 4), (64, 48, 1), (99, 9, 2)])
def test_a3_one_photo_is_refused(rng, shape):
    photo = rng.integers(0, 256, shape, dtype=np.uint8)
    message = rf"one photo \(H, W, C\).*X\[None\].*image_shape=\({shape[1]}, {shape[2]}"
    with pytest.raises(ValueError, match=message):
        small().fit(photo)
    model = small().fit(photo[None, ..., :3])
    with pytest.raises(ValueError, match="one photo"):
        model.transform(photo)
    narrow = small(image_shape=shape[1:]).fit(photo)
    assert narrow.image_shape_ == (*shape[1:], 1)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a3_rows_of_bytes_are_vectors_and_say_so(rng, dtype):
    photo = rng.integers(0, 256, (40, 40)).astype(dtype)
    with pytest.warns(UserWarning, match=r"taken for 40 vectors of 40.*image_shape="):
        model = of_vectors().fit(photo)
    assert model.layout_.is_vector
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        of_vectors().fit(photo.astype(float))
        small(image_shape=(5, 8)).fit(photo)


@pytest.mark.parametrize("convert", [torch.from_numpy, np.asarray, list])
@pytest.mark.parametrize("n_channels", [1, 3, 4])
def test_a4_channels_first_are_refused(rng, convert, n_channels):
    X = rng.random((8, n_channels, 16, 16), dtype=np.float32)
    with pytest.raises(ValueError, match="channels first.*channels last.*moveaxis"):
        small().fit(convert(X))
    shape = n_channels, 16, 16
    if convert is not list:
        said = small(image_shape=shape, n_downsamples=0, n_components=20)
        assert said.fit(convert(X)).image_shape_ == shape


class Pairs:
    """A torch Dataset, in what matters, of images and labels."""

    def __init__(self, images):
        self.images = images

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        return self.images[index], index


def not_images(X):
    ragged = np.empty(2, object)
    ragged[:] = [X[0], X[1][:8]]
    return {
        "paths": (["a.png", "b.png"], "list of str.*load_image_folder"),
        "a path": ("a.png", "X is str.*load_image_folder"),
        "objects": (ragged, r"ndarray of dtype object.*list\(X\)"),
        "series": (pd.Series([X[0], X[1][:8]]), r"Series of dtype object.*list\(X\)"),
        "pairs": (Pairs(X), r"X\[0\] is a tuple of 2.*for image, _ in dataset"),
        "list of pairs": ([(x, 1) for x in X], r"X\[0\] is a tuple of 2"),
        "sparse": (sparse.csr_array(X.reshape(16, -1)), r"sparse.*X\.toarray\(\)"),
        "sparse matrix": (sparse.csr_matrix(X.reshape(16, -1)), r"X\.toarray\(\)"),
        "none": (None, "X is NoneType"),
        "mapping": ({"images": X}, r"X is dict.*X\['images'\]"),
        "strings": (np.full((2, 4, 4, 3), "red"), "dtype <U3"),
        "complex": (X.astype(complex), "dtype complex128"),
        "booleans": (X > 9, r"dtype bool.*X\.astype\(float\)"),
        "dates": (X.astype("M8[s]"), "dtype datetime64"),
        "a number": (3.0, "Expected 2D array, got scalar"),
        "one axis": (X.ravel(), "Expected 2D array, got 1D"),
        "five axes": (X[None], r"shape \(1, 16, 16, 16, 3\); expected images"),
        "empty list": ([], "Expected 2D array, got 1D"),
        "a photo without pixels": ([X[0], X[0][:0]], r"X\[1\] has shape \(0, 16, 3\)"),
        "a row among photos": ([X[0], X[0, 0, 0]], r"X\[1\] has shape \(3,\)"),
        "grey among colour": ([X[0], X[1][:8, :, 0]], "differ in their channels"),
    }


@pytest.mark.parametrize("name", not_images(np.zeros((16, 4, 4, 3), np.uint8)))
@pytest.mark.parametrize("method", ["fit", "transform", "score", "reconstruct"])
def test_a5_what_is_no_image_is_named_with_what_to_do(imgs, name, method):
    X, message = not_images(imgs)[name]
    model = small() if method == "fit" else small(max_epochs=0).fit(imgs)
    with pytest.raises((TypeError, ValueError), match=message):
        getattr(model, method)(X)


class Items(Pairs):
    """A data set of dicts, as those of Hugging Face."""

    def __getitem__(self, index):
        return {"label": index, "image": self.images[index]}


def test_a5_the_sequence_that_an_error_shows_works(imgs):
    channels_first = np.moveaxis(imgs, -1, 1)
    for dataset in (Pairs(imgs), Items(imgs), Pairs(channels_first)):
        with pytest.raises(TypeError, match=r"Images\(dataset\) with\nclass") as error:
            small().fit(dataset)
        shown = {"np": np}
        exec("class" + str(error.value).partition("\nclass")[2], shown)
        model = small().fit(shown["Images"](dataset))
        expected = small().fit(imgs)
        np.testing.assert_array_equal(model.components_, expected.components_)


class EmptyPhoto(Pairs):
    def __getitem__(self, index):
        return self.images[index][: 0 if index == 3 else None]


def test_a5_a_photo_without_pixels_in_a_lazy_sequence(imgs):
    with pytest.raises(ValueError, match=r"X\[3\] has shape \(0, 16, 3\); expected at"):
        small().fit(EmptyPhoto(imgs))


@pytest.mark.parametrize("method", ["fit", "transform", "score", "reconstruct"])
def test_a6_masked_arrays_are_refused(imgs, method):
    model = small() if method == "fit" else small(max_epochs=0).fit(imgs)
    masked = np.ma.masked_greater(imgs / 255, 0.5)
    for X in (masked, list(masked), [masked[0], masked[1][:8]]):
        with pytest.raises(ValueError, match="masked array.*filled"):
            getattr(model, method)(X)
    nothing_masked = np.ma.array(imgs)
    getattr(model, method)(nothing_masked)


def test_a6_masked_rows(rng):
    rows = np.ma.masked_greater(rng.random((20, 5)), 0.5)
    with pytest.raises(ValueError, match="masked array"):
        of_vectors().fit(rows)
    with pytest.raises(ValueError, match="masked"):
        psnr(np.ma.masked_greater(np.zeros((1, 4, 4)) + 0.6, 0.5), np.zeros((1, 4, 4)))


def test_a8_codes_of_one_or_no_photo_decode(imgs):
    model = small().fit(imgs)
    codes = model.transform(imgs)
    images = model.reconstruct(imgs)
    np.testing.assert_allclose(
        model.inverse_transform(codes[:1]), images[:1], atol=1e-5
    )
    assert model.inverse_transform(codes[:0]).shape == (0, 16, 16, 3)
    np.testing.assert_allclose(model.inverse_transform(codes[0]), images[:1], atol=1e-5)
    np.testing.assert_allclose(
        model.inverse_transform([codes[0], codes[1:3]]), images[:3], atol=1e-5
    )


@pytest.mark.parametrize(
    "codes",
    [
        np.zeros(3),
        3.0,
        None,
        "codes",
        np.zeros((2, 3, 4)),
        [],
        {"a": 1},
        [[1.0], [1, 2]],
    ],
    ids=repr,
)
def test_a8_what_is_no_code_is_refused_in_words(imgs, codes):
    model = small(max_epochs=0).fit(imgs)
    with pytest.raises((ValueError, TypeError), match=r"[Cc]odes|X"):
        model.inverse_transform(codes)


def test_a9_codes_of_another_grid_than_the_model_makes_are_refused(imgs):
    model = small(max_epochs=0).fit(imgs)
    codes = model.transform(imgs[:, :8])
    codes.image_shape = (16, 16, 3)
    with pytest.raises(ValueError, match=r"grid of 2 x 4 sites.*4x4 pixels"):
        model.inverse_transform(codes)
    coarse = small(n_downsamples=3).fit(imgs).transform(imgs)
    with pytest.raises(ValueError, match="grid of 2 x 2 sites"):
        model.inverse_transform(coarse)


def test_a7_a_prior_needs_the_grid_of_its_codes(imgs):
    codes = small(max_epochs=0).fit(imgs).transform(imgs)
    plain = sparse.vstack([codes, codes], format="csr")
    make = functools.partial(CodePrior, width=16, n_layers=1, max_epochs=1)
    with pytest.raises(ValueError, match="what grid.*concatenate_codes.*grid_shape="):
        make().fit(plain)
    prior = make(grid_shape=(4, 4)).fit(plain)
    assert prior.sample(2).grid_shape == (4, 4)
    assert make().fit(concatenate_codes([codes, codes])).sample(2).grid_shape == (4, 4)
    known = make().fit(codes)
    np.testing.assert_allclose(
        known.score_samples(plain[:16]), known.score_samples(codes)
    )


# ---- B. what one method takes, all take ---------------------------------------------


@every_autoencoder
@pytest.mark.parametrize("backbone", ["auto", "identity"])
def test_b1_folds_may_span_more_than_what_was_fitted(rng, cls, backbone):
    vectors = rng.standard_normal((25, 5)) * np.linspace(1, 9, 25)[:, None]
    model = of_vectors(cls, 8, backbone=backbone, n_downsamples=0)
    scores = cross_val_score(model, vectors, cv=5, error_score="raise")
    assert np.isfinite(scores).all()
    model.fit(vectors[:5])
    errors = ((vectors - model.reconstruct(vectors)) ** 2).mean(1)
    ratios = np.ptp(vectors[:5]) ** 2 / np.maximum(errors, 1e-30)
    expected = np.minimum(10 * np.log10(ratios), 100).mean()
    assert model.score(vectors) == pytest.approx(expected, abs=1e-3)


@every_autoencoder
def test_b2_photos_of_different_sizes_are_taken_by_every_method(sizes, cls):
    model = small(cls, crop_size=8, batch_size=512).fit(sizes)
    one_by_one = [model.reconstruct(photo[None])[0] for photo in sizes]
    for images in (model.reconstruct(sizes), model.reconstruct(sizes, tile=16)):
        assert isinstance(images, list)
        for image, expected, photo in zip(images, one_by_one, sizes, strict=True):
            assert image.shape == photo.shape
            np.testing.assert_allclose(image, expected, atol=1e-4)
    codes = model.transform(sizes)
    assert [c.shape[0] for c in codes] == [1] * 9
    for code, photo in zip(codes, sizes, strict=True):
        np.testing.assert_array_equal(dense(code), dense(model.transform(photo[None])))
    if cls is not GaussianVAE:  # whose dense codes know no grid
        for image, expected in zip(
            model.inverse_transform(codes), one_by_one, strict=True
        ):
            np.testing.assert_allclose(image, expected, atol=1e-4)
    scores = [model.score(photo[None]) for photo in sizes]
    assert model.score(sizes) == pytest.approx(np.mean(scores), abs=1e-3)
    again = clone(model).fit_transform(sizes)
    np.testing.assert_array_equal(dense(again[3]), dense(codes[3]))


@pytest.mark.parametrize("search", [GridSearchCV, HalvingGridSearchCV])
def test_b2_searches_over_photos_of_different_sizes(sizes, search):
    model = small(crop_size=8, batch_size=512)
    grid = {"n_components": [4, 32]}
    more = {"cv": KFold(3), "error_score": "raise"}
    fitted = search(model, grid, **more).fit(sizes)
    assert np.isfinite(fitted.cv_results_["mean_test_score"]).all()
    assert fitted.best_params_ == {"n_components": 32}


@pytest.mark.parametrize("segmenter", [KMeansSegmenter, SpectralSegmenter])
def test_b3_a_pipeline_labels_photos_of_different_sizes(segmenter):
    photos = [photo[::12, ::12] for photo in load_sample_images().images]
    photos[1] = photos[1][:30]
    pipe = Pipeline(
        [("enc", small(crop_size=16)), ("seg", segmenter(2, random_state=0))]
    )
    maps = pipe.fit_predict(photos)
    assert [m.shape for m in maps] == [photo.shape[:2] for photo in photos]
    assert pipe.score(photos, [np.zeros(m.shape, int) for m in maps]) <= 1
    again = pipe.predict(photos[:1])
    np.testing.assert_array_equal(again[0], maps[0])


@pytest.mark.parametrize(
    ("params", "scale"),
    [
        ({"value_range": (-1, 1)}, lambda x: x / 127.5 - 1),
        ({"value_range": "data"}, lambda x: x.astype(int) * 3 - 70),
        ({"backbone": "identity", "backbone_params": None}, lambda x: x / 9.0 - 3),
        ({}, lambda x: x),
    ],
    ids="range,data,latents,bytes".split(","),
)
def test_b4_scorers_give_the_figures_of_score(imgs, params, scale):
    X = scale(imgs)
    model = small(**params).fit(X)
    assert make_scorers("psnr")(model, X) == pytest.approx(model.score(X), abs=1e-6)
    targets, outputs = model.compare(X)
    expected = psnr(targets, outputs, data_range=model.data_range_)
    assert model.score(X) == pytest.approx(expected, abs=1e-3)


def test_b4_scorers_of_vectors(rng):
    X = rng.standard_normal((30, 6)) * 9
    model = of_vectors().fit(X)
    assert make_scorers("psnr")(model, X) == pytest.approx(model.score(X), abs=1e-6)


@every_autoencoder
def test_b5_a_model_that_restores_takes_what_exceeds_the_range(imgs, cls):
    clean = imgs / np.float32(255)
    noisy = gaussian_noise(clean, sigma=50, clip=False, random_state=0)
    assert noisy.min() < 0 and noisy.max() > 1
    model = small(cls, target="y").fit(noisy, clean)
    restored = model.reconstruct(noisy)
    assert restored.min() >= 0 and restored.max() <= 1
    assert np.isfinite(model.score(noisy, clean))
    with pytest.raises(ValueError, match="y has values in"):
        small(cls, target="y").fit(noisy, noisy)
    degrade = functools.partial(gaussian_noise, sigma=50, clip=False)
    for X in (clean, imgs):
        fresh = small(cls, degrade=degrade).fit(X)
        assert fresh.reconstruct(noisy).shape == noisy.shape
    with pytest.raises(ValueError, match="X has values in"):
        small(cls).fit(noisy)


def test_targets_of_other_data_may_exceed_the_range_of_the_fit(imgs):
    model = small(target="y", value_range="data").fit(imgs // 2, imgs // 2)
    assert np.isfinite(model.score(imgs, imgs))


def test_photos_of_one_list_mean_one_range(imgs):
    mixed = [imgs[0], imgs[1].astype(np.uint16), *imgs[2:]]
    for X in (mixed, [*mixed[:2], imgs[2, :8]]):
        with pytest.raises(ValueError, match=r"X\[1\] has dtype uint16, but X\[0\]"):
            small().fit(X)


@pytest.mark.parametrize(
    "value_range",
    [(0, 0), (1, 0), (0, np.inf), (-np.inf, 0), (np.nan, 1), (0, 1, 2), (0,), "12"]
    + [("a", "b"), (None, 1), "all", (0, 1e300), (True, False), [0], (0, 10**400)],
    ids=str,
)
def test_d4_ranges_that_are_none(imgs, value_range):
    with pytest.raises((ValueError, TypeError), match="value_range"):
        small(value_range=value_range).fit(imgs)


def test_b6_set_output_leaves_our_own_methods_alone(imgs):
    plain = small(GaussianVAE).fit(imgs)
    model = small(GaussianVAE).set_output(transform="pandas").fit(imgs)
    assert isinstance(model.transform(imgs), pd.DataFrame)
    np.testing.assert_array_equal(
        model.interpolate(imgs[:1], imgs[1:2]), plain.interpolate(imgs[:1], imgs[1:2])
    )
    np.testing.assert_array_equal(
        model.traverse(imgs[:1], [0], [1.0]), plain.traverse(imgs[:1], [0], [1.0])
    )
    np.testing.assert_allclose(
        model.inverse_transform(model.transform(imgs)),
        plain.reconstruct(imgs),
        atol=1e-5,
    )
    scorer = make_scorers("nonzeros", "psnr")
    assert scorer(model, imgs) == pytest.approx(scorer(plain, imgs))


def test_b7_one_name_is_a_number(imgs):
    scores = cross_val_score(
        small(), imgs, scoring=make_scorers("psnr"), cv=2, error_score="raise"
    )
    assert np.isfinite(scores).all()
    search = HalvingGridSearchCV(
        small(), {"n_components": [4, 32]}, scoring=make_scorers("psnr"), cv=2
    ).fit(imgs, np.arange(16))
    assert search.best_params_ == {"n_components": 32}


# ---- C. state is read from the fit --------------------------------------------------


@every_autoencoder
def test_c1_fitted_values_stand_after_set_params(imgs, cls):
    model, expected = small(cls).fit(imgs), small(cls).fit(imgs)
    model.set_params(
        n_components=32,
        n_downsamples=3,
        value_range=(-3, 5),
        target="y",
        backbone="identity",
        image_shape=(2, 2),
        latent_dim=3,
        crop_size=2,
        degrade=np.negative,
    )
    codes = model.transform(imgs)
    np.testing.assert_array_equal(dense(codes), dense(expected.transform(imgs)))
    np.testing.assert_array_equal(
        model.inverse_transform(codes), expected.inverse_transform(codes)
    )
    assert model.score(imgs) == expected.score(imgs)
    assert len(model.atoms_as_images()) == len(model.get_feature_names_out()) / 16
    np.testing.assert_array_equal(
        model.interpolate(imgs[:2], imgs[2:4]),
        expected.interpolate(imgs[:2], imgs[2:4]),
    )
    if hasattr(model, "sample"):
        assert model.sample(2, random_state=0).shape == (2, 16, 16, 3)


def test_c1_of_the_closed_loop(imgs):
    model = ClosedLoopVAE((8,), latent_dim=6, max_epochs=1, random_state=0).fit(imgs)
    features, maps = model.transform(imgs), model.sparse_maps(imgs)
    model.set_params(n_components=(9, 9), latent_dim=4, value_range=(0, 9))
    np.testing.assert_array_equal(model.transform(imgs), features)
    np.testing.assert_array_equal(dense(model.sparse_maps(imgs)), dense(maps))
    assert model.inverse_transform(features).shape == imgs.shape
    assert len(model.get_feature_names_out()) == 6


def test_c2_columns_in_another_order_are_refused(rng):
    table = pd.DataFrame(rng.random((30, 4)), columns=list("abcd"))
    model = of_vectors().fit(table)
    assert model.feature_names_in_.tolist() == list("abcd")
    assert model.n_features_in_ == 4
    for method in (model.score, model.transform, model.reconstruct, model.partial_fit):
        with pytest.raises(ValueError, match="[Ff]eature names"):
            method(table[table.columns[::-1]])
    assert model.fit(table.to_numpy()).n_features_in_ == 4
    assert not hasattr(model, "feature_names_in_")


FITS = {
    cls.__name__: (small(cls), lambda model, X: model.transform(X))
    for cls in AUTOENCODERS
} | {
    "threshold prior": (small(SpikeSlabVAE, prior="threshold"), None),
    "closed loop": (ClosedLoopVAE((8,), latent_dim=6, max_epochs=1), None),
    "adversarial": (small(adversarial_weight=1.0), None),
    "crops": (small(crop_size=8, early_stopping=True, batch_size=256), None),
    "degraded": (small(degrade=functools.partial(gaussian_noise, sigma=9)), None),
}


@pytest.mark.parametrize("name", FITS)
def test_c3_fits_are_the_same_in_threads_and_leave_no_trace(imgs, name):
    model = FITS[name][0].set_params(random_state=0)

    def fit(_=None):
        return dense(clone(model).fit(imgs).transform(imgs))

    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()
    expected = fit()
    assert torch.equal(torch_state, torch.get_rng_state())
    np.testing.assert_array_equal(numpy_state, np.random.get_state()[1])
    stop = threading.Event()

    def disturb():
        while not stop.is_set():
            torch.rand(3), np.random.rand()

    noise = threading.Thread(target=disturb)
    noise.start()
    try:
        parallel = joblib.Parallel(n_jobs=3, backend="threading")
        results = parallel(joblib.delayed(fit)(i) for i in range(3))
    finally:
        stop.set()
        noise.join()
    for result in results:
        np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("cls", [GaussianVAE, SpikeSlabVAE, CodePrior])
def test_c3_samples_are_the_same_in_threads(imgs, cls):
    if cls is CodePrior:
        codes = small().fit(imgs).transform(imgs)
        model = CodePrior(width=16, n_layers=1, max_epochs=1, random_state=0).fit(codes)
    else:
        model = small(cls).fit(imgs)
    state = torch.get_rng_state()
    expected = dense(model.sample(3, random_state=0).reshape(3, -1))
    assert torch.equal(state, torch.get_rng_state())
    parallel = joblib.Parallel(n_jobs=3, backend="threading")
    for result in parallel(
        joblib.delayed(model.sample)(3, random_state=0) for _ in range(3)
    ):
        np.testing.assert_array_equal(dense(result.reshape(3, -1)), expected)


@pytest.mark.parametrize("params", [{"lr": 1e20}, {"lr": 1e30}])
def test_c4_a_warm_fit_that_fails_leaves_the_earlier_model(imgs, params):
    model = small(SparseCodingVAE, warm_start=True).fit(imgs)
    codes, history = dense(model.transform(imgs)), model.history_
    model.set_params(max_epochs=9, **params)
    with pytest.raises(FloatingPointError):
        model.fit(imgs)
    np.testing.assert_array_equal(dense(model.transform(imgs)), codes)
    assert_same_history(model.history_, history)
    assert model.n_epochs_ == 1
    model.set_params(lr=0.001, max_epochs=1).fit(imgs)
    assert model.n_epochs_ == 2


@every_autoencoder
def test_c4_no_fit_ends_with_weights_that_are_not_finite(imgs, cls):
    """Not even where the very last step is the one that spoils them."""
    for lr in (1e20, 1e30):
        model = small(cls, lr=lr, batch_size=16)
        try:
            model.fit(imgs)
        except FloatingPointError:
            assert not hasattr(model, "net_")
        else:
            assert np.isfinite(dense(model.transform(imgs))).all()


@pytest.mark.parametrize("bad", ["X * nan", "other channels", "a parameter"])
@pytest.mark.parametrize("warm", [False, True])
def test_c4_a_fit_that_is_refused_changes_nothing(imgs, bad, warm):
    model = small(warm_start=warm).fit(imgs)
    before = {k: v for k, v in vars(model).items() if k.endswith("_")}
    X = imgs / 255
    if bad == "X * nan":
        X = X * np.nan
    elif bad == "other channels":
        X = X[..., :2] if warm else X[:, :2, :2]
    else:
        model.set_params(lr=-1)
    with pytest.raises(ValueError):
        model.fit(X)
    assert {k: v for k, v in vars(model).items() if k.endswith("_")} == before


class Stop(Callback):
    """Raises in an epoch, at a moment."""

    def __init__(self, error, epoch, moment="on_batch_end"):
        self.error, self.epoch, self.moment = error, epoch, moment

    def _maybe(self, net, moment):
        if moment == self.moment and len(net.history) == self.epoch:
            raise self.error

    def on_batch_end(self, net, **kwargs):
        self._maybe(net, "on_batch_end")

    def on_epoch_begin(self, net, **kwargs):
        self._maybe(net, "on_epoch_begin")

    def on_epoch_end(self, net, **kwargs):
        self._maybe(net, "on_epoch_end")

    def on_train_end(self, net, **kwargs):
        self._maybe(net, "on_train_end")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("mine")])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_c5_a_first_fit_that_is_stopped_keeps_its_complete_epochs(
    imgs, error, early_stopping
):
    schedule = {"lr_schedule": None, "early_stopping": early_stopping}
    model = small(max_epochs=5, callbacks=[Stop(error, 3)], **schedule)
    with (
        pytest.warns(ConvergenceWarning, match=r"keeps the 2 complete epoch"),
        pytest.raises(type(error)),
    ):
        model.fit(imgs)
    assert model.n_epochs_ == len(model.history_["epoch"]) == 2
    expected = small(max_epochs=2, **schedule).fit(imgs)
    np.testing.assert_array_equal(model.reconstruct(imgs), expected.reconstruct(imgs))
    model.set_params(callbacks=None).partial_fit(imgs)
    assert model.n_epochs_ == 3


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("mine")])
def test_c5_without_a_complete_epoch_nothing_changes(imgs, error):
    model = small(max_epochs=5, callbacks=[Stop(error, 1)])
    with pytest.raises(type(error)):
        model.fit(imgs)
    with pytest.raises(NotFittedError):
        model.transform(imgs)
    model = small(warm_start=True).fit(imgs)
    images = model.reconstruct(imgs)
    model.set_params(callbacks=[Stop(error, 2)])
    with pytest.raises(type(error)):
        model.fit(imgs)
    np.testing.assert_array_equal(model.reconstruct(imgs), images)
    assert model.n_epochs_ == len(model.history_["epoch"]) == 1
    model.set_params(callbacks=None).fit(imgs)
    assert model.n_epochs_ == 2


def test_c5_a_warm_fit_that_is_stopped_keeps_its_complete_epochs(imgs):
    model = small(warm_start=True).fit(imgs)
    model.set_params(callbacks=[Stop(KeyboardInterrupt(), 3)], max_epochs=4)
    with pytest.warns(ConvergenceWarning), pytest.raises(KeyboardInterrupt):
        model.fit(imgs)
    assert model.n_epochs_ == len(model.history_["epoch"]) == 2


@pytest.mark.parametrize("moment", ["on_epoch_end", "on_train_end"])
def test_c5_a_callback_that_raises_after_an_epoch_loses_none(imgs, moment):
    stop = Stop(RuntimeError("mine"), 2, moment)
    model = small(max_epochs=2, callbacks=[stop])
    with pytest.warns(ConvergenceWarning), pytest.raises(RuntimeError, match="mine"):
        model.fit(imgs)
    assert model.n_epochs_ == 2
    np.testing.assert_array_equal(
        model.reconstruct(imgs), small(max_epochs=2).fit(imgs).reconstruct(imgs)
    )


def test_c5_of_the_code_prior_and_the_closed_loop(imgs):
    codes = small().fit(imgs).transform(imgs)
    stop = [Stop(KeyboardInterrupt(), 2)]
    prior = CodePrior(width=16, n_layers=1, max_epochs=3, callbacks=stop)
    loop = ClosedLoopVAE((8,), latent_dim=6, max_epochs=3, callbacks=stop)
    for model, X in ((prior, codes), (loop, imgs)):
        with pytest.warns(ConvergenceWarning), pytest.raises(KeyboardInterrupt):
            model.fit(X)
        assert model.n_epochs_ == 1


def test_c6_checkpoints_of_skorch_work_and_training_resumes(imgs, tmp_path):
    every = Checkpoint(monitor=None, dirname=str(tmp_path / "every"))
    best = Checkpoint(dirname=str(tmp_path / "best"))
    end = TrainEndCheckpoint(dirname=str(tmp_path / "end"))
    model = small(max_epochs=2, early_stopping=True, lr_schedule=None)
    model.set_params(callbacks=[("every", every), ("best", best), ("end", end)])
    model.fit(imgs)
    for name in ("every/params.pt", "best/params.pt", "end/train_end_params.pt"):
        assert (tmp_path / name).exists()
    resumed = small(max_epochs=1, early_stopping=True, lr_schedule=None)
    resumed.set_params(callbacks=[LoadInitState(end)]).fit(imgs)
    assert resumed.history_["epoch"].tolist() == [1, 2, 3]
    assert_same_history(resumed.history_, model.history_, 2)
    scheduled = small(max_epochs=1, early_stopping=True, callbacks=[LoadInitState(end)])
    start = small(max_epochs=0, callbacks=[LoadInitState(end)]).fit(imgs)
    assert np.abs(scheduled.fit(imgs).components_ - start.components_).max() > 1e-5
    whole = small(max_epochs=3, early_stopping=True, lr_schedule=None).fit(imgs)
    assert resumed.history_["train_loss"][2] == pytest.approx(
        whole.history_["train_loss"][2], rel=0.2
    )


def test_c7_a_partial_fit_that_fails_leaves_the_model(rng):
    vectors = rng.standard_normal((40, 6))
    model = of_vectors(DictionaryLearningVAE, dictionary_update="online").fit(vectors)
    atoms, images = model.components_, model.reconstruct(vectors)
    for scale in (1e19, 1e30, 1e37):
        try:
            model.partial_fit(vectors * scale)
        except FloatingPointError:
            np.testing.assert_array_equal(model.components_, atoms)
            np.testing.assert_array_equal(model.reconstruct(vectors), images)
        assert np.isfinite(model.components_).all()
        model = of_vectors(DictionaryLearningVAE, dictionary_update="online")
        model.fit(vectors)


# ---- D. numbers at the edge ---------------------------------------------------------


@every_autoencoder
@pytest.mark.parametrize("latent_dim", [None, 8])
@pytest.mark.parametrize("kind", ["black", "white", "half", "grey"])
def test_d1_images_without_contrast_fit(cls, latent_dim, kind):
    value = {"black": 0.0, "white": 1.0, "half": 0.0, "grey": 0.3}[kind]
    X = np.full((4, 16, 16, 3), value)
    if kind == "half":
        X[2:] = 1
    model = small(cls, 8, latent_dim=latent_dim).fit(X)
    assert np.isfinite(model.components_).all()
    assert model.score(X) > 12


@pytest.mark.parametrize(
    ("params", "shape"),
    [
        ({"n_downsamples": 8}, (4, 3, 5)),
        ({"patch_size": 100}, (4, 16, 16)),
        ({"n_downsamples": 5}, (4, 16, 16)),
        ({"n_downsamples": 3, "patch_size": 3}, (4, 16, 16)),
    ],
)
def test_d3_a_site_larger_than_the_image_is_refused(rng, params, shape):
    with pytest.raises(ValueError, match="A site of .* is larger than the images"):
        small(**params).fit(rng.random(shape))


@pytest.mark.parametrize(
    "params",
    [
        {"image_shape": (-1, -256, 3)},
        {"image_shape": (2.5, 4)},
        {"image_shape": "44"},
        {"image_shape": (4,)},
        {"image_shape": (True, 4)},
        {"image_shape": (0, 4)},
        {"backbone_params": {"width": 0}},
        {"backbone_params": {"width": -3}},
        {"backbone_params": {"width": 2.5}},
        {"backbone_params": {"depth": 3}},
        {"backbone_params": [3]},
        {"callbacks": [5]},
        {"callbacks": [("name", 5)]},
        {"callbacks": 5},
        {"lr": np.inf},
        {"lr": np.nan},
        {"tol": np.inf},
        {"gradient_clip": np.nan},
        {"target": "z"},
        {"target": None},
        {"device": "abacus"},
        {"n_components": np.nan},
        {"batch_size": 2.5},
        {"random_state": "zero"},
        {"degrade": 3},
        {"crop_size": "small"},
    ],
    ids=str,
)
def test_d4_parameters_that_are_none_are_named(imgs, params):
    (name,) = params
    with pytest.raises((ValueError, TypeError), match=name):
        small(**params).fit(imgs)


class Counted(Pairs):
    def __init__(self, images):
        super().__init__(images)
        self.shapes = [image.shape for image in images]

    def __getitem__(self, index):
        return self.images[index]


@pytest.mark.parametrize("kind", ["folder", "view"])
def test_folds_of_lazy_sequences_stay_lazy(imgs, tmp_path, kind):
    lazy = LazyView(Counted(imgs))
    if kind == "folder":
        for i, image in enumerate(imgs):
            Image.fromarray(image).save(tmp_path / f"{i:02}.png")
        lazy = load_image_folder(tmp_path).images
    seen = []

    class Watch(VQVAE):
        def fit(self, X, y=None):
            seen.append(X)
            return super().fit(X, y)

    scores = cross_val_score(small(Watch), lazy, cv=2, error_score="raise")
    assert [type(X) for X in seen] == [type(lazy)] * 2
    np.testing.assert_allclose(scores, cross_val_score(small(), imgs, cv=2), atol=1e-3)


@pytest.mark.parametrize("kind", ["h5py", "zarr", "dask"])
def test_e9_arrays_that_are_not_in_memory_are_read_batch_by_batch(
    imgs, tmp_path, monkeypatch, kind
):
    monkeypatch.setattr("sklearn_sparsevae.training.reconstruction._N_START", 4)
    X = {
        "h5py": lambda: h5py.File(tmp_path / "X.h5", "w").create_dataset(
            "X", data=imgs
        ),
        "zarr": lambda: zarr.create_array(
            tmp_path / "X.zarr", data=imgs, chunks=(4, *imgs.shape[1:])
        ),
        "dask": lambda: dask.array.from_array(imgs, chunks=(4, -1, -1, -1)),
    }[kind]()
    lengths, read = [], type(X).__getitem__

    def watch(self, index):
        part = read(self, index)
        if self.shape == imgs.shape:
            lengths.append(len(part))
        return part

    monkeypatch.setattr(type(X), "__getitem__", watch)
    model = small(batch_size=4).fit(X)
    assert lengths and max(lengths) <= 4
    np.testing.assert_array_equal(model.reconstruct(X), model.reconstruct(imgs))
    expected = small(batch_size=4).fit(imgs)
    np.testing.assert_array_equal(model.components_, expected.components_)


def test_lazy_photos_are_checked_once(imgs, monkeypatch):
    from sklearn_sparsevae.images import ValueRange

    checked, check = [], ValueRange.check
    monkeypatch.setattr(
        ValueRange,
        "check",
        lambda self, *args: checked.append(args) or check(self, *args),
    )
    small(max_epochs=3).fit(Counted(imgs))
    assert len(checked) == len(imgs)


# ---- E. files -----------------------------------------------------------------------


@pytest.fixture
def deep(rng):
    """Ten pages of 12 bits."""
    coarse = rng.integers(0, 4096, (10, 5, 5))
    return np.kron(coarse, np.ones((1, 4, 4), int))[:, :16, :16].astype(np.uint16)


def test_e1_pages_of_a_tiff_are_photos_of_all_levels(deep, tmp_path):
    tifffile.imwrite(tmp_path / "stack.tif", deep)
    photos = load_image_folder(tmp_path, as_gray=True)
    np.testing.assert_array_equal(np.stack(list(photos.images)), deep)
    assert len(photos.names) == 10 and photos.names[3] == "stack.tif[3]"
    assert load_image_folder(tmp_path).images[3].dtype == np.uint16
    params = {"value_range": (0, 4095), "max_epochs": 2}
    of_files = small(**params).fit(photos.images).reconstruct(photos.images)
    of_arrays = small(**params).fit(deep).reconstruct(deep)
    np.testing.assert_array_equal(np.stack(list(of_files)), of_arrays)


@pytest.mark.parametrize("dtype", [np.int32, np.uint32, np.int16, np.float32])
def test_e2_numbers_without_a_range_are_asked_for_it(deep, tmp_path, dtype):
    pixels = (deep // 16).astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", pixels)
    photos = load_image_folder(tmp_path, as_gray=True).images
    with pytest.raises((TypeError, ValueError), match=r"value_range=\(low, high\)"):
        small().fit(photos)
    model = small(value_range="data").fit(photos)
    assert model.value_range_ == (pixels.min(), pixels.max())


@pytest.mark.parametrize("orientation", [3, 6, 9])
@pytest.mark.parametrize("suffix", ["jpg", "png", "tif"])
def test_e3_photos_are_upright_as_their_shapes_are(imgs, tmp_path, suffix, orientation):
    for i, image in enumerate(imgs[:4]):
        path = tmp_path / f"{i}.{suffix}"
        if suffix == "tif":
            tag = (0x0112, "H", 1, orientation, True)
            tifffile.imwrite(path, image[:12], photometric="rgb", extratags=[tag])
        else:
            exif = Image.Exif()
            exif[0x0112] = orientation
            Image.fromarray(image[:12]).save(path, exif=exif)
    photos = load_image_folder(tmp_path).images
    turn = {3: lambda p: p[::-1, ::-1], 6: lambda p: np.rot90(p, -1)}
    expected = turn.get(orientation, lambda p: p)(imgs[0, :12])
    assert photos.shapes == [expected.shape] * 4
    if suffix != "jpg":
        np.testing.assert_array_equal(photos[0], expected)
    assert small().fit(photos).transform(photos) is not None


@pytest.mark.parametrize("method", ["STORED", "DEFLATED", "BZIP2", "LZMA"])
def test_e4_damage_names_archive_and_member(imgs, tmp_path, method):
    file, path = io.BytesIO(), tmp_path / "photos.zip"
    Image.fromarray(imgs[0]).save(file, "png")
    with zipfile.ZipFile(path, "w", getattr(zipfile, f"ZIP_{method}")) as archive:
        archive.writestr("cats/a.png", file.getvalue())
    content = path.read_bytes()
    encrypted, unknown, garbled = (bytearray(content) for _ in range(3))
    for head, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        encrypted[content.find(head) + flags] |= 1
        unknown[content.find(head) + flags + 2] = 97
    garbled[60:120] = bytes(60)
    for damaged in (encrypted, unknown, garbled):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="photos.zip: cats/a.png is missing or"):
            load_image_archive(path).images[0]


def test_e5_what_is_no_photo_starts_no_program(tmp_path, monkeypatch):
    ran = []
    monkeypatch.setattr(subprocess, "Popen", lambda *args, **_: ran.append(args))
    script = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n"
    (tmp_path / "cat.png").write_bytes(script)
    with pytest.raises(ValueError, match="cat.png: it is no photo in a format"):
        load_image_folder(tmp_path).images[0]
    assert not ran


def test_e6_photos_too_large_to_be_meant_are_refused(tmp_path):
    (tmp_path / "bomb.png").write_bytes(png_of(13_000, 13_000))
    images = load_image_folder(tmp_path).images
    with pytest.raises(ValueError, match="bomb.png: 13000 x 13000 .*max_pixels=.*Rai"):
        images[0]
    raised = load_image_folder(tmp_path, max_pixels=13_000**2).images
    assert raised.shapes == [(13_000, 13_000, 3)]


def test_e7_those_who_fetch_at_once_all_succeed(tmp_path, monkeypatch):
    asked = []

    def download(remote, folder):
        asked.append(remote.url)
        time.sleep(0.05)
        (folder / remote.filename).write_bytes(b"content")

    monkeypatch.setattr(_download, "_download", download)
    remote = _download.Remote("https://a/a.bin", None)

    def fetch():
        return _download.Shelf("set", tmp_path, True).file(remote).read_bytes()

    found = joblib.Parallel(4, prefer="threads")([joblib.delayed(fetch)()] * 4)
    assert found == [b"content"] * 4 and asked == ["https://a/a.bin"]


def test_e8_a_model_of_which_a_bit_changed_is_refused(imgs, tmp_path):
    path, model = tmp_path / "a.model", small().fit(imgs)
    save(model, path)
    np.testing.assert_array_equal(load(path).reconstruct(imgs), model.reconstruct(imgs))
    raw = path.read_bytes()
    for place in range(0, len(raw), len(raw) // 20):
        path.write_bytes(raw[:place] + bytes([raw[place] ^ 4]) + raw[place + 1 :])
        with pytest.raises(ValueError, match=r"a\.model"):
            load(path)


def test_e8_a_model_of_somebody_else_runs_nothing(tmp_path):
    class Touching:
        def __reduce__(self):
            return (tmp_path / "touched").touch, ()

    for name, dump in (("pickle", pickle.dump), ("joblib", joblib.dump)):
        with open(tmp_path / name, "wb") as file:
            dump(Touching(), file)
        with pytest.raises(ValueError, match=name):
            load(tmp_path / name)
    assert not (tmp_path / "touched").exists()
    pickle.loads((tmp_path / "pickle").read_bytes())
    assert (tmp_path / "touched").exists()
