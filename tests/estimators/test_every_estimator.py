"""What every estimator promises: images in, sparse codes out, images back."""

import pickle

import joblib
import numpy as np
import pytest
import torch
from numpydoc.docscrape import ClassDoc
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from skorch.callbacks import Callback

from sklearn_sparsevae import (
    VQVAE,
    GaussianVAE,
    KMeansSegmenter,
    SparseCodes,
    SpectralSegmenter,
)
from sklearn_sparsevae.bottlenecks import MeansApart
from sklearn_sparsevae.metrics import (
    atom_usage,
    bits_per_pixel,
    make_scorers,
    usage_perplexity,
)
from sklearn_sparsevae.training import batching, inference
from sklearn_sparsevae.training.autoencoder import channels_last
from tests.estimators.table import VARIANTS
from tests.histories import assert_same_history, epochs_with


def dense(codes):
    return codes.toarray() if isinstance(codes, SparseCodes) else codes


def layouts(images):
    """The same numbers in every layout, with the parameters that each needs."""
    grey = images.mean(-1)
    flat = images.reshape(len(images), -1)
    wide = {"backbone_params": None, "n_components": 30}
    return {
        "channels": (images, {}),
        "grey": (grey, {}),
        "flat": (flat, {"image_shape": (16, 16, 3)}),
        "flat grey": (grey.reshape(len(grey), -1), {"image_shape": (16, 16)}),
        "vectors": (flat[:, :20] * 7 - 3, wide),
    }


every_layout = pytest.mark.parametrize(
    "layout", ["channels", "grey", "flat", "flat grey", "vectors"]
)


# ---- codes and back -----------------------------------------------------------------


@every_layout
@pytest.mark.parametrize("max_epochs", [0, 1])
def test_inverse_of_transform_is_reconstruct(images, tiny, layout, max_epochs):
    X, params = layouts(images)[layout]
    model = tiny(max_epochs=max_epochs, **params).fit(X)
    codes = model.transform(X)
    back = model.inverse_transform(codes)
    assert back.dtype == np.float32 and back.shape == X.shape
    reconstructed = model.reconstruct(X)
    assert reconstructed.dtype == np.float32
    np.testing.assert_allclose(back, reconstructed, atol=1e-5)
    # A plain matrix of the size of the fit does too.
    np.testing.assert_allclose(model.inverse_transform(dense(codes)), back, atol=1e-6)


def test_the_rate_of_codes_is_at_most_that_of_all_their_numbers(images, tiny):
    """Dense codes cost exactly that, sparse ones less, and their entropy no more."""
    codes = tiny().fit(images).transform(images)
    shapes = {"image_shape": images.shape[1:]}
    if not isinstance(codes, SparseCodes):
        shapes["grid_shape"] = (1, 1)
    fixed = bits_per_pixel(codes, 16, **shapes)
    every = codes.shape[1] * 16 / (16 * 16)
    assert 0 < fixed <= every
    assert isinstance(codes, SparseCodes) or fixed == every
    assert 0 < bits_per_pixel(codes, 16, entropy=True, **shapes) <= fixed


def test_layouts_hold_the_same_images(images, tiny):
    by_layout = [
        dense(tiny(**params).fit(X).transform(X))
        for X, params in (layouts(images)[name] for name in ("channels", "flat"))
    ]
    np.testing.assert_array_equal(*by_layout)
    grey = images.mean(-1)
    with_axis = tiny().fit(grey[..., None]).transform(grey[..., None])
    np.testing.assert_array_equal(
        dense(tiny().fit(grey).transform(grey)), dense(with_axis)
    )


@pytest.mark.usefixtures("sparse_codes")
def test_codes_are_what_scikit_learn_takes(images, tiny):
    codes = tiny().fit(images).transform(images)
    assert isinstance(codes, SparseCodes)
    assert codes.shape == (12, 4 * 4 * 24)
    assert codes.dtype == np.float32
    assert codes.indices.dtype == codes.indptr.dtype == np.int32
    assert codes.has_canonical_format
    assert codes.grid_shape == (4, 4) and codes.n_atoms == 24
    assert codes.image_shape == (16, 16, 3)
    assert 0 < codes.nnz < codes.shape[0] * codes.shape[1]
    assert (codes.data != 0).all()


@pytest.mark.usefixtures("sparse_codes")
@pytest.mark.parametrize("n_nonzeros", [0, 1, 3, 24])  # up to three go one by one
def test_images_of_any_codes_are_those_of_all_atoms(images, tiny, n_nonzeros, rng):
    model = tiny().fit(images)
    rows = rng.standard_normal((2, 4, 4, 24)).astype(np.float32)
    order = rng.random(rows.shape).argsort(-1)
    rows[order >= n_nonzeros] = 0
    module = model.net_.module_
    with torch.no_grad():
        latents = module.bottleneck.decode(torch.from_numpy(rows))
        expected = channels_last(module.images(latents).clamp(0, 1)).numpy()
    codes = SparseCodes(rows.reshape(2, -1), grid_shape=(4, 4), image_shape=(16, 16, 3))
    np.testing.assert_allclose(model.inverse_transform(codes), expected, atol=1e-5)


@pytest.mark.usefixtures("sparse_codes")
def test_site_colors_are_the_means_of_the_sites(images, tiny):
    odd = images[:, :14, :15]
    codes = tiny().fit(images).transform(odd)
    padded = np.pad(odd, [(0, 0), (0, 2), (0, 1), (0, 0)], mode="edge")
    expected = padded.reshape(12, 4, 4, 4, 4, 3).mean((2, 4))
    np.testing.assert_allclose(codes.site_colors, expected, atol=1 / 510)


@pytest.mark.usefixtures("sparse_codes")
def test_vectors_have_no_colors_and_no_grid_of_pixels(images, tiny):
    X, params = layouts(images)["vectors"]
    codes = tiny(**params).fit(X).transform(X)
    assert codes.grid_shape == (1, 1) and codes.image_shape is None
    assert codes.site_colors is None


@every_layout
@pytest.mark.usefixtures("sparse_codes")
def test_codes_know_which_atoms_are_those_of_the_means(images, tiny, layout):
    X, params = layouts(images)[layout]
    model = tiny(max_epochs=0, **params).fit(X)
    codes = model.transform(X)
    apart = isinstance(model.net_.module_.bottleneck, MeansApart)
    n_channels = {"channels": 3, "flat": 3, "vectors": 0}.get(layout, 1)
    assert codes.n_mean_atoms == (n_channels if apart else 0)
    n_means = codes.n_mean_atoms
    sites = codes.sites().toarray()
    usage = atom_usage(codes)
    assert usage.tolist() == np.count_nonzero(sites[:, n_means:], axis=0).tolist()
    for k, atom in enumerate(model.components_[:n_means]):
        assert np.flatnonzero(atom).tolist() == [k]


@pytest.mark.usefixtures("sparse_codes")
def test_scores_of_usage_leave_out_the_means_whatever_is_put_out(photos, tiny):
    model, scorer = tiny().fit(photos), make_scorers("usage_perplexity")
    codes = model.transform(photos)
    expected = usage_perplexity(codes.sites().toarray()[:, codes.n_mean_atoms :])
    for output in ("default", "pandas"):
        assert scorer(model.set_output(transform=output), photos) == expected
    model.set_output(transform="default")
    sizes = [photos[0], photos[1, :12], photos[2, :, :8]]
    parts = model.transform(sizes)
    sites = np.vstack([part.sites().toarray() for part in parts])
    expected = usage_perplexity(sites[:, codes.n_mean_atoms :])
    assert scorer(model, sizes) == usage_perplexity(parts) == expected


@every_layout
def test_a_code_row_does_not_depend_on_its_batch_mates(
    images, tiny, layout, monkeypatch
):
    X, params = layouts(images)[layout]
    model = tiny(**params).fit(X)
    codes = dense(model.transform(X))
    # A convolution rounds by the batch, which atoms that are nearly alike amplify.
    for rows in ([3], [5, 1], list(range(11, -1, -1))):
        np.testing.assert_allclose(
            dense(model.transform(X[rows])), codes[rows], atol=1e-4
        )
    for entries in (1, 3 * codes.shape[1]):
        monkeypatch.setattr(inference, "_BATCH_ENTRIES", entries)
        np.testing.assert_allclose(dense(model.transform(X)), codes, atol=1e-4)
        back = model.inverse_transform(model.transform(X))
        np.testing.assert_allclose(back, model.reconstruct(X), atol=1e-5)


@pytest.mark.parametrize("grey", [False, True])
def test_photos_of_any_size_are_padded_and_cropped(images, tiny, codes_of, rng, grey):
    X = images[..., 0] if grey else images
    photo = rng.random((2, 33, 47) if grey else (2, 33, 47, 3), dtype=np.float32)
    model = tiny().fit(X)
    codes = codes_of(model, photo)
    assert codes.grid_shape == (9, 12)
    assert codes.image_shape == photo.shape[1:]
    back = model.inverse_transform(codes)
    assert back.shape == photo.shape
    np.testing.assert_allclose(back, model.reconstruct(photo), atol=1e-5)
    # As whole sites where no padding is near; the network sees 9 sites around.
    whole = tiny(max_epochs=0).fit(X)
    np.testing.assert_allclose(
        whole.reconstruct(photo)[:, :32, :44],
        whole.reconstruct(photo[:, :32, :44]),
        atol=1e-5,
    )


def test_fitted_on_sizes_that_are_not_whole_sites(images, tiny, codes_of):
    X = images[:, :13, :10]
    model = tiny().fit(X)
    assert model.image_shape_ == (13, 10, 3)
    codes = codes_of(model, X)
    assert codes.grid_shape == (4, 3)
    assert model.inverse_transform(dense(codes)).shape == X.shape


def test_codes_without_an_image_shape_decode_to_whole_sites(
    images, tiny, codes_of, rng
):
    model = tiny().fit(images)
    codes = codes_of(model, rng.random((1, 23, 8, 3)))
    codes.image_shape = None
    assert model.inverse_transform(codes).shape == (1, 24, 8, 3)


# ---- ranges and types ---------------------------------------------------------------


def test_bytes_are_the_floats_that_they_stand_for(photos, images, tiny):
    models = [tiny().fit(X) for X in (photos, images)]
    for X in (photos, images, images.astype(np.float64)):
        codes = [dense(model.transform(X)) for model in models]
        np.testing.assert_allclose(*codes, atol=1e-6)
    assert models[0].score(photos) == pytest.approx(models[1].score(images), abs=1e-3)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int64, np.float32])
def test_a_given_range_is_that_of_all_numbers(photos, images, tiny, dtype):
    X = (100 + 2 * photos.astype(int)).astype(np.uint16)
    if dtype == np.uint8:
        X = photos // 4
    low, high = (0, 63) if dtype == np.uint8 else (100, 610)
    model = tiny(value_range=(low, high), max_epochs=0).fit(X.astype(dtype))
    assert model.value_range_ == (low, high)
    back = model.reconstruct(X.astype(dtype))
    assert back.dtype == np.float32
    unit = ((X - np.float64(low)) / (high - low)).astype(np.float32)
    expected = tiny(max_epochs=0).fit(unit).reconstruct(unit) * (high - low) + low
    np.testing.assert_allclose(back, expected, atol=2e-4 * (high - low))


@pytest.mark.parametrize("dtype", [np.uint16, np.uint32, np.uint64])
def test_unsigned_integers_span_their_dtype(photos, tiny, dtype):
    X = photos.astype(dtype) * dtype(np.iinfo(dtype).max // 255)
    model = tiny(max_epochs=0).fit(photos)
    expected = model.reconstruct(photos)
    np.testing.assert_allclose(model.reconstruct(X), expected, atol=1e-4)
    assert model.score(X) == pytest.approx(model.score(photos), abs=1e-3)
    # Rounding that differs in the last bit may choose other atoms.
    same = tiny(max_epochs=0).fit(X)
    assert same.value_range_ == model.value_range_ == (0, 1)
    assert same.score(X) == pytest.approx(model.score(photos), abs=0.2)


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float64])
def test_the_range_may_be_that_of_the_data(photos, tiny, dtype):
    X = (photos.astype(int) * 7 + 1000).astype(dtype)
    model = tiny(value_range="data").fit(X)
    assert model.value_range_ == (X.min(), X.max())
    assert model.data_range_ == np.ptp(X)
    expected = tiny(value_range=model.value_range_).fit(X)
    np.testing.assert_array_equal(model.reconstruct(X), expected.reconstruct(X))
    assert np.isfinite(model.score(X + 50))  # other data may exceed it
    constant = tiny(value_range="data").fit(np.full_like(X, 5))
    assert constant.data_range_ == 1 and constant.score(np.full_like(X, 5)) > 40


def test_reconstructions_stay_in_the_range(images, tiny):
    extreme = (images > 0.5).astype(np.float32)
    back = tiny(n_components=8).fit(extreme).reconstruct(extreme)
    assert back.min() >= 0 and back.max() <= 1


def test_input_is_not_changed(photos, images, tiny):
    for X in (photos, images):
        before = X.copy()
        model = tiny().fit(X)
        codes = model.transform(X)
        kept = codes.copy()
        model.inverse_transform(codes), model.score(X), model.reconstruct(X)
        np.testing.assert_array_equal(X, before)
        np.testing.assert_array_equal(codes.data, kept.data)


def test_arrays_that_may_not_be_written_or_are_not_contiguous(images, tiny):
    locked = images.copy()
    locked.flags.writeable = False
    model = tiny().fit(locked)
    expected = dense(model.transform(locked))
    mirrored = np.asfortranarray(images[:, :, ::-1])[:, :, ::-1]
    np.testing.assert_allclose(dense(model.transform(mirrored)), expected, atol=1e-4)
    codes = dense(tiny().fit(mirrored).transform(images))
    np.testing.assert_allclose(codes, expected, atol=1e-4)


def test_tensors_and_lists_are_taken(images, tiny):
    model = tiny().fit(torch.from_numpy(images))
    expected = dense(tiny().fit(images).transform(images))
    np.testing.assert_array_equal(dense(model.transform(images)), expected)
    np.testing.assert_array_equal(dense(model.transform(list(images))), expected)


# ---- photos of different sizes ------------------------------------------------------


@pytest.mark.parametrize("grey", [False, True])
def test_photos_of_different_sizes_are_cropped_to_train(photos, tiny, codes_of, grey):
    sizes = [(16, 16), (9, 16), (16, 12), (8, 8)]
    X = [photo[:h, :w] for photo, (h, w) in zip(photos, sizes, strict=False)]
    if grey:
        X = [photo[..., 0] for photo in X]
    model = tiny(crop_size=8, batch_size=256).fit(X)
    assert model.image_shape_ == (8, 8, 1 if grey else 3)
    assert model.n_features_in_ == 8 * 8 * (1 if grey else 3)
    for photo in X:
        codes = codes_of(model, photo[None])
        assert model.inverse_transform(codes).shape[1:] == photo.shape


def sizes_trained_on(model, X):
    sizes = set()

    class Note(Callback):
        def on_batch_begin(self, net, batch=None, **kwargs):
            sizes.add(tuple(batch[0].shape[1:3]))

    model.set_params(callbacks=[Note()]).fit(X)
    return sizes


def test_crops_of_an_array_of_photos(photos, tiny, codes_of):
    model = tiny(crop_size=8, batch_size=256)
    assert sizes_trained_on(model, photos) == {(8, 8)}
    assert model.image_shape_ == (16, 16, 3)
    assert codes_of(model, photos).grid_shape == (4, 4)


@pytest.mark.parametrize("estimator", [VQVAE])  # it takes a while
def test_large_photos_are_cropped_unless_told_not_to(photos, tiny, monkeypatch):
    monkeypatch.setattr(batching, "_MIN_CROPS", 8)
    large = np.tile(photos[:1], (1, 5, 6, 1))
    for crop_size, expected in (("auto", (64, 64)), (None, (80, 96)), (24, (24, 24))):
        model = tiny(crop_size=crop_size, batch_size=1024, backbone_params={"width": 4})
        assert sizes_trained_on(model, large) == {expected}
        assert model.n_features_in_ == large[0].size
    assert sizes_trained_on(tiny(), photos) == {(16, 16)}
    mixed = tiny(batch_size=256)
    assert sizes_trained_on(mixed, [photos[0], photos[1][:12]]) == {(12, 12)}


@pytest.mark.parametrize("grey", [False, True])
def test_photos_of_different_sizes_give_what_each_gives_alone(
    photos, images, tiny, grey
):
    for all_photos in (photos, images):
        X = [p[: 16 - i % 3, : 12 + i % 5] for i, p in enumerate(all_photos)]
        X = [photo[..., 0] for photo in X] if grey else X
        model = tiny(crop_size=8, batch_size=256, max_epochs=0).fit(X)
        codes, back = model.transform(X), model.reconstruct(X)
        targets, outputs = model.compare(X)
        for part in (codes, back, targets, outputs):
            assert isinstance(part, list) and len(part) == 12
        for i, photo in enumerate(X):
            alone = model.transform(photo[None])
            assert codes[i].shape == alone.shape and codes[i].dtype == np.float32
            np.testing.assert_array_equal(dense(codes[i]), dense(alone))
            assert back[i].shape == photo.shape and back[i].dtype == np.float32
            np.testing.assert_array_equal(back[i], model.reconstruct(photo[None])[0])
            np.testing.assert_array_equal(outputs[i], back[i])
            unit = photo / 255 if all_photos is photos else photo
            np.testing.assert_allclose(targets[i], unit, atol=1e-6)
        errors = [np.mean((t - o) ** 2) for t, o in zip(targets, outputs, strict=True)]
        expected = np.mean(-10 * np.log10(errors))
        assert model.score(X) == pytest.approx(expected, abs=1e-4)


@pytest.mark.usefixtures("sparse_codes")
def test_codes_of_different_grids_come_back_as_a_list(photos, tiny):
    X = [p[: 16 - i % 3, : 12 + i % 5] for i, p in enumerate(photos)]
    model = tiny(max_epochs=0).fit(photos)
    back = model.inverse_transform(model.transform(X))
    for found, expected in zip(back, model.reconstruct(X), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5)
    coarse = model.inverse_transform(model.transform(X), coef_bits=2)
    alone = model.inverse_transform(model.transform(X[1][None]), coef_bits=2)
    assert coarse[1].shape == X[1].shape
    np.testing.assert_allclose(coarse[1], alone[0], atol=1e-5)


def test_a_list_of_one_size_is_an_array(photos, tiny):
    model = tiny(max_epochs=0).fit(list(photos))
    expected = model.transform(photos)
    np.testing.assert_array_equal(dense(model.transform(list(photos))), dense(expected))
    assert model.reconstruct(list(photos)).shape == photos.shape
    assert model.score(list(photos)) == model.score(photos)


# ---- reproducible, portable ---------------------------------------------------------


def test_one_random_state_gives_one_model(images, tiny):
    crops = {"crop_size": 12, "batch_size": 256}
    codes = [dense(tiny(**crops).fit(images).transform(images)) for _ in range(2)]
    np.testing.assert_array_equal(*codes)
    other = tiny(**crops, random_state=1).fit(images).transform(images)
    assert not np.array_equal(dense(other), codes[0])


def test_global_random_state_is_untouched(images, tiny):
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()
    model = tiny(random_state=np.random.RandomState(3)).fit(images)
    model.inverse_transform(model.transform(images))
    assert torch.equal(torch_state, torch.get_rng_state())
    np.testing.assert_array_equal(numpy_state, np.random.get_state()[1])


def test_clone_has_the_parameters_and_nothing_fitted(images, tiny):
    model = tiny(lr=0.003).fit(images)
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    assert not hasattr(copy, "net_")


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"warm_start": True},
        {"early_stopping": True},
        {"verbose": 1},
        {"early_stopping": True, "warm_start": True},
    ],
)
def test_pickles_give_the_same_codes_and_can_go_on(images, tiny, params):
    model = tiny(**params).fit(images)
    codes = dense(model.transform(images))
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(dense(copy.transform(images)), codes)
    copy.partial_fit(images)
    assert copy.n_epochs_ == model.n_epochs_ + 1
    assert not np.array_equal(copy.reconstruct(images), model.reconstruct(images))
    np.testing.assert_array_equal(dense(model.transform(images)), codes)


def test_joblib_files_give_the_same_codes(images, tiny, tmp_path):
    model = tiny().fit(images)
    joblib.dump(model, tmp_path / "model.joblib")
    copy = joblib.load(tmp_path / "model.joblib")
    np.testing.assert_array_equal(
        dense(copy.transform(images)), dense(model.transform(images))
    )
    assert (tmp_path / "model.joblib").stat().st_size < 2e6


# ---- with the rest of scikit-learn --------------------------------------------------


@pytest.mark.parametrize(
    "segmenter",
    [
        KMeansSegmenter(2, random_state=0),
        KMeansSegmenter(2, scope="dataset", random_state=0),
        SpectralSegmenter(2, random_state=0),
    ],
    ids=lambda s: f"{type(s).__name__} {getattr(s, 'scope', '')}".strip(),
)
@pytest.mark.usefixtures("sparse_codes")
def test_pipeline_segments_photos(images, tiny, segmenter):
    pipe = Pipeline([("enc", tiny()), ("seg", segmenter)])
    masks = pipe.fit_predict(images[:, :15])
    assert masks.shape == (12, 15, 16)
    assert masks.dtype.kind == "i"
    assert all(len(np.unique(mask)) <= 2 for mask in masks)
    assert pipe.predict(images[:2, :, :13]).shape == (2, 16, 13)


def test_feature_names_are_one_for_each_column(images, tiny):
    model = tiny().fit(images)
    names = model.get_feature_names_out()
    assert len(names) == model.transform(images).shape[1] == len(set(names))


# ---- score and attributes -----------------------------------------------------------


def test_score_is_the_mean_psnr_in_decibels(photos, images, tiny):
    model = tiny().fit(images)
    output = model.reconstruct(images)

    def psnr(target):
        mse = ((target - output) ** 2).reshape(12, -1).mean(1)
        return np.mean(-10 * np.log10(mse))

    assert model.score(images) == pytest.approx(psnr(images), abs=1e-3)
    for y in (np.arange(12), None, photos, np.clip(images + 0.1, 0, 1)):
        assert model.score(images, y) == model.score(images)
    restorer = tiny(target="y").fit(images, images)
    output, clean = restorer.reconstruct(images), np.clip(images + 0.1, 0, 1)
    assert restorer.score(images, clean) == pytest.approx(psnr(clean), abs=1e-3)
    assert restorer.score(images, photos) == pytest.approx(psnr(images), abs=1e-3)


@every_layout
def test_what_is_compared_is_what_is_scored(images, tiny, layout):
    X, params = layouts(images)[layout]
    model = tiny(**params).fit(X)
    targets, outputs = model.compare(X)
    np.testing.assert_array_equal(targets, X)
    np.testing.assert_array_equal(outputs, model.reconstruct(X))
    errors = ((targets - outputs) ** 2).reshape(12, -1).mean(1)
    peak = np.ptp(X) if layout == "vectors" else 1
    assert model.data_range_ == pytest.approx(peak)
    decibels = np.mean(10 * np.log10(peak**2 / errors))
    assert model.score(X) == pytest.approx(decibels, abs=1e-3)
    if layout != "vectors":
        whole = np.round(255 * X).astype(np.uint8)
        np.testing.assert_allclose(model.compare(whole)[0], whole / 255, atol=1e-6)


@pytest.mark.parametrize("grey", [False, True])
def test_atoms_as_images(images, tiny, grey):
    X = images[..., 0] if grey else images
    model = tiny(max_epochs=0, n_components=20 if grey else 60).fit(X)
    atoms = model.atoms_as_images()
    assert atoms.shape == (len(model.components_), 4, 4, 1 if grey else 3)
    # Untrained, the decoder is an isometry.
    norms = np.linalg.norm(atoms.reshape(len(atoms), -1), axis=1)
    expected = np.linalg.norm(model.components_, axis=1)
    np.testing.assert_allclose(norms, expected, atol=1e-4)
    assert tiny().fit(X).atoms_as_images().shape == (24, *atoms.shape[1:])


@every_layout
def test_documented_attributes_exist(images, tiny, layout):
    X, params = layouts(images)[layout]
    model = tiny(**params).fit(X)
    documented = [a.name for a in ClassDoc(type(model))["Attributes"]]
    assert {"components_", "history_", "n_epochs_", "net_"} <= set(documented)
    assert not hasattr(model, "feature_names_in_")
    for name in set(documented) - {"feature_names_in_"}:
        assert hasattr(model, name), name
    public = {n for n in vars(model) if n.endswith("_") and not n.startswith("_")}
    undocumented = public - set(documented) - {"layout_"}
    assert not undocumented
    assert model.n_features_in_ == np.prod(X.shape[1:])


@pytest.mark.parametrize(
    "X",
    [
        np.zeros((3, 8, 8, 3), np.uint8),
        np.full((3, 8, 8, 3), 255, np.uint8),
        np.full((1, 4, 4), 0.3),
        np.tile(np.linspace(0, 1, 8), (2, 8, 1)),
    ],
    ids="black,white,one site,ramps".split(","),
)
def test_images_with_nothing_to_learn_are_fine(tiny, X):
    model = tiny().fit(X)
    back = model.inverse_transform(model.transform(X))
    assert back.shape == X.shape
    np.testing.assert_allclose(back, model.reconstruct(X), atol=1e-5)
    assert model.score(X) > 20


@pytest.mark.parametrize(
    ("backbone", "params"),
    [
        ("light", {"backbone_params": {"width": 16}}),
        ("vqgan", {"backbone_params": {"width": 32}, "n_downsamples": 3}),
        ("identity", {"backbone_params": None, "n_components": 8}),
    ],
)
def test_the_other_backbones_fit_too(images, tiny, backbone, params):
    X = images[:4]
    if backbone == "identity":
        X = 10 * X - 3  # latents of any range
    model = tiny(backbone=backbone, **params).fit(X)
    codes = model.transform(X)
    back = model.inverse_transform(codes)
    assert back.shape == X.shape
    np.testing.assert_allclose(back, model.reconstruct(X), atol=1e-4)


@pytest.mark.parametrize("latent_dim", [4, 20])
def test_fewer_latents(images, tiny, latent_dim):
    model = tiny(latent_dim=latent_dim).fit(images)
    assert model.components_.shape == (24, latent_dim)
    assert model.score(images) > 15


# ---- training -----------------------------------------------------------------------


def test_partial_fit_goes_on_and_learns(images, tiny):
    model, scores = tiny(), []
    for n_calls in range(1, 26):
        scores.append(model.partial_fit(images).score(images))
        assert model.n_epochs_ == n_calls
    assert scores[-1] > scores[0] + 0.1


def test_what_is_handed_out_is_a_copy(images, tiny):
    model = tiny().fit(images)
    codes = dense(model.transform(images))
    for handed_out in (model.components_, model.atoms_as_images()):
        handed_out[:] = 7
    np.testing.assert_array_equal(dense(model.transform(images)), codes)


def test_warm_start_goes_on_where_the_last_fit_ended(images, tiny):
    model = tiny(warm_start=True).fit(images)
    atoms = model.components_
    model.fit(images)
    assert model.n_epochs_ == 2
    start = tiny(max_epochs=0).fit(images).components_
    assert not np.allclose(model.components_, start, atol=1e-6)
    again = tiny().fit(images)
    again.fit(images)
    assert again.n_epochs_ == 1
    np.testing.assert_array_equal(again.components_, atoms)


def test_without_an_epoch_there_is_nothing_to_stop_early(images, tiny):
    model = tiny(max_epochs=0, early_stopping=True).fit(images)
    assert model.history_ == {}
    start = tiny(max_epochs=0).fit(images)
    assert model.score(images) == pytest.approx(start.score(images), abs=3.0)


def test_early_stopping_keeps_the_best_weights(images, tiny):
    model = tiny(
        early_stopping=True,
        validation_fraction=0.3,
        n_epochs_no_change=1,
        tol=0.0,
        max_epochs=30,
        lr=0.05,
    ).fit(images)
    valid = model.history_["valid_loss"]
    assert model.n_epochs_ < 30
    assert valid[-1] >= min(valid[:-1])
    assert np.isfinite(model.score(images))


def test_half_precision_is_close_and_leaves_codes_in_float32(images, tiny):
    models = [tiny(precision=p).fit(images) for p in ("float32", "bf16")]
    assert models[0].score(images) == pytest.approx(models[1].score(images), abs=0.5)
    codes = models[1].transform(images)
    assert codes.dtype == np.float32
    np.testing.assert_allclose(
        models[1].inverse_transform(codes), models[1].reconstruct(images), atol=0.02
    )


# ---- the history of the usage -------------------------------------------------------


class Seen(Callback):
    """Keeps the images that training and validation see in each epoch."""

    def on_epoch_begin(self, net, **kwargs):
        self.images = {"train": [], "valid": []}

    def on_batch_end(self, net, batch=None, training=False, **kwargs):
        self.images["train" if training else "valid"].extend(batch[0].numpy())


@pytest.mark.usefixtures("sparse_codes")
@pytest.mark.parametrize("batch_size", [5, 12])
def test_history_has_the_perplexity_of_all_codes_of_an_epoch(
    images, estimator, tiny, batch_size
):
    for variant in ({}, *VARIANTS.get(estimator, [])):
        seen = Seen()
        model = tiny(
            lr=1e-20,  # so that an epoch has the codes of the model as it ends
            max_epochs=2,
            batch_size=batch_size,
            early_stopping=True,
            validation_fraction=0.3,
            callbacks=[seen],
            **variant,
        ).fit(images)
        for part, given in seen.images.items():
            codes = model.transform(np.stack(given))
            recorded = model.history_[f"{part}_perplexity"]
            expected = usage_perplexity(codes)
            np.testing.assert_allclose(recorded, [expected] * 2, rtol=1e-6)
            assert 1 < expected <= codes.n_atoms - codes.n_mean_atoms


@pytest.mark.usefixtures("sparse_codes")
def test_the_perplexity_goes_on_with_the_history(images, tiny):
    model = tiny(warm_start=True, max_epochs=2).fit(images)
    first = model.history_
    model.fit(images).partial_fit(images)
    assert_same_history(model.history_, first, 2)
    assert model.n_epochs_ == len(model.history_["train_perplexity"]) == 5
    assert epochs_with(model.history_, ["train_perplexity"]) == [True] * 5
    assert "valid_perplexity" not in model.history_


@pytest.mark.parametrize("estimator", [GaussianVAE])
def test_dense_codes_have_no_usage(images, tiny):
    history = tiny(early_stopping=True).fit(images).history_
    assert not [name for name in history if "perplexity" in name]
