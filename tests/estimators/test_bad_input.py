"""Bad input is refused with what came, what was expected and what to do."""

import warnings

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError
from sklearn.utils._param_validation import InvalidParameterError

from sklearn_sparsevae import VQVAE, DictionaryLearningVAE, GaussianVAE, SparseCodingVAE
from sklearn_sparsevae.codes import as_codes

only_sparse_coding = pytest.mark.parametrize("estimator", [SparseCodingVAE])


@pytest.fixture
def fitted(tiny, images):
    return tiny(max_epochs=0).fit(images)


@pytest.fixture
def vectors(rng):
    return rng.standard_normal((10, 6))


# ---- values -------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["fit", "transform", "reconstruct", "score"])
def test_floats_outside_of_the_unit_range(tiny, fitted, images, method):
    model = tiny() if method == "fit" else fitted
    message = r"values in \[0.*, 2(55|54).*\], expected \[0, 1\].*uint8.*value_range="
    with pytest.raises(ValueError, match=message):
        getattr(model, method)(images * 255)


def test_negative_floats(fitted, images):
    with pytest.raises(ValueError, match=r"values in \[-0.5.*expected \[0, 1\]"):
        fitted.transform(images - 0.5)


def test_values_a_rounding_error_outside_are_fine(fitted, images):
    assert fitted.transform(np.clip(images, 0, 1) * (1 + 1e-7)).shape[0] == 12


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("method", ["fit", "transform"])
def test_pixels_that_are_not_finite(tiny, fitted, images, method, bad):
    images = images.copy()
    images[3, 2, 1, 0] = bad
    model = tiny() if method == "fit" else fitted
    with pytest.raises(
        ValueError, match="X contains NaN or infinity: replace or leave"
    ):
        getattr(model, method)(images)


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int64])
@pytest.mark.parametrize("method", ["fit", "transform"])
def test_signed_integers_do_not_say_what_they_span(tiny, fitted, photos, method, dtype):
    model = tiny() if method == "fit" else fitted
    message = f"dtype {np.dtype(dtype)}; expected unsigned.*floats.*value_range=.*low"
    with pytest.raises(TypeError, match=message):
        getattr(model, method)((photos // 2).astype(dtype))


@pytest.mark.parametrize("value_range", [None, (0, 1)])
def test_booleans_are_no_numbers(tiny, photos, value_range):
    message = r"dtype bool; expected unsigned.*X.astype\(float\)"
    with pytest.raises(TypeError, match=message):
        tiny(value_range=value_range).fit(photos > 99)


@pytest.mark.parametrize("value", ["red", 1j, np.datetime64("2020-01-01")])
def test_not_numbers_at_all(tiny, value):
    with pytest.raises(TypeError, match="expected unsigned integers.*floats"):
        tiny().fit(np.full((2, 8, 8, 3), value))


@pytest.mark.parametrize("method", ["fit", "transform"])
def test_integers_outside_of_a_given_range(tiny, photos, method):
    model = tiny(value_range=(0, 100), max_epochs=0)
    if method != "fit":
        model.fit(np.minimum(photos, 100))
    message = r"values in \[.*, 2\d\d\], expected \[0, 100\].*without a value_range"
    with pytest.raises(ValueError, match=message):
        getattr(model, method)(photos)


@pytest.mark.parametrize(
    "value_range", [(1, 0), (0, 0), (0, 1, 2), (0, np.inf), (np.nan, 1), (0, "1")]
)
def test_value_range_that_is_none(tiny, images, value_range):
    with pytest.raises(
        ValueError, match=r"value_range=.*pair \(low, high\).*low < high"
    ):
        tiny(value_range=value_range).fit(images)


# ---- shapes -------------------------------------------------------------------------


def test_another_number_of_channels(fitted, images):
    message = r"X is images with 1 channel.*fitted on images with 3.*convert.*3 channel"
    with pytest.raises(ValueError, match=message):
        fitted.transform(images[..., :1])
    with pytest.raises(ValueError, match=message):
        fitted.transform(images[..., 0])
    with pytest.raises(ValueError, match=message):
        fitted.score(images[..., 0])


@pytest.mark.parametrize("n_channels", [1, 3])
def test_channels_first(tiny, fitted, images, n_channels):
    X = images.transpose(0, 3, 1, 2)[:, :n_channels]
    shape = rf"shape \({n_channels}, 16, 16\)"
    message = f"{shape}.*channels first; expected channels last.*np.moveaxis"
    for act in (tiny().fit, fitted.transform, fitted.reconstruct, fitted.score):
        for given in (X, list(X), [X[0], X[1, :, :9]]):
            with pytest.raises(ValueError, match=message):
                act(given)


def test_low_images_of_many_channels_are_fine_if_that_is_said(tiny, rng):
    X = rng.random((5, 4, 16, 6), dtype=np.float32)
    with pytest.raises(ValueError, match=r"say image_shape=\(4, 16, 6\) if it is 4"):
        tiny().fit(X)
    model = tiny(image_shape=(4, 16, 6)).fit(X)
    assert model.image_shape_ == (4, 16, 6)
    assert model.reconstruct(X).shape == X.shape


def test_one_photo_without_an_axis_of_images(tiny, fitted, images):
    photo = images[0]
    message = r"shape \(16, 16, 3\), which is one photo .*axis in front, X\[None\]"
    for act in (tiny().fit, fitted.transform, fitted.reconstruct, fitted.score):
        with pytest.raises(ValueError, match=message):
            act(photo)
    assert fitted.reconstruct(photo[None]).shape == (1, 16, 16, 3)
    narrow = tiny(image_shape=(16, 3), n_downsamples=1, n_components=4).fit(photo)
    assert narrow.reconstruct(photo).shape == (16, 16, 3)  # grey, 16 x 3 pixels


def test_rows_of_bytes_are_taken_for_vectors_with_a_warning(tiny, photos):
    rows = photos.reshape(12, -1)[:, :30]
    message = r"\(12, 30\) and dtype uint8.*12 vectors of 30 features.*image_shape="
    with pytest.warns(UserWarning, match=message):
        tiny(backbone_params=None).fit(rows)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tiny(backbone_params=None).fit(rows.astype(float))
        tiny(image_shape=(16, 16, 3)).fit(photos.reshape(12, -1))


def test_another_number_of_features(estimator, tiny, vectors):
    model = tiny(backbone_params=None).fit(vectors)
    name = estimator.__name__
    message = f"X has 5 features, but {name} is expecting 6 features as input"
    with pytest.raises(ValueError, match=message):
        model.transform(vectors[:, :5])
    with pytest.raises(ValueError, match=message):
        model.partial_fit(vectors[:, :5])


def test_vectors_for_a_model_of_images(fitted, vectors):
    with pytest.raises(
        ValueError, match=r"vectors of 6 features.*images with 3 channel"
    ):
        fitted.transform(vectors)


def test_images_for_a_model_of_vectors(tiny, vectors, images):
    model = tiny(backbone_params=None).fit(vectors)
    with pytest.raises(ValueError, match=r"images with 3.*vectors of 6.*rows \(n, 6\)"):
        model.transform(images)


def test_rows_that_are_not_of_the_image_shape(tiny, images):
    rows = images.reshape(12, -1)[:, :-1]
    with pytest.raises(ValueError, match=r"X has 767 features, but image_shape=.*768"):
        tiny(image_shape=(16, 16, 3)).fit(rows)


@pytest.mark.parametrize("shape", [(0, 8, 8, 3), (3, 0, 8, 3), (3, 8, 8, 0), (0, 8, 8)])
def test_no_images(tiny, shape):
    with pytest.raises(ValueError, match=r"X has shape .*at least 1 image"):
        tiny().fit(np.zeros(shape))


def test_five_axes(tiny):
    with pytest.raises(ValueError, match=r"shape \(1, 2, 3, 4, 5\); expected images"):
        tiny().fit(np.zeros((1, 2, 3, 4, 5)))


def test_size_that_is_not_whole_sites_is_padded(fitted, images):
    assert fitted.reconstruct(images[:, :15, :13]).shape == (12, 15, 13, 3)


# ---- lists and crops ----------------------------------------------------------------


def test_different_sizes_without_crop_size(tiny, photos):
    X, model = [photos[0], photos[1][:8]], tiny(crop_size=None)
    for act in (model.fit, model.partial_fit):
        with pytest.raises(
            ValueError, match="different sizes, which are trained.*set crop_size"
        ):
            act(X)


def test_a_list_of_what_is_no_photo(tiny, fitted, photos, images):
    X = [photos[0], photos[1][:8]]
    for act in (tiny().fit, fitted.transform):
        with pytest.raises(
            ValueError, match=r"X\[1\] has shape \(16,\); expected phot"
        ):
            act([photos[0], photos[1][0, :, 0]])
        with pytest.raises(ValueError, match=r"X\[2\] has shape \(0, 4, 3\).*leave it"):
            act([*X, photos[2][:0, :4]])
        with pytest.raises(
            TypeError, match="X is a list of str; expected arrays.*load"
        ):
            act(["1.png", "2.png"])
        with pytest.raises(TypeError, match=r"X\[0\] is a tuple of 2.*images alone"):
            act([(photo, 1) for photo in X])
        with pytest.raises(TypeError, match=r"dtype object.*come as a list: list\(X\)"):
            act(np.array([*X, None], dtype=object)[:2])


def test_different_channels_in_a_list(tiny, photos):
    with pytest.raises(ValueError, match="differ in their channels.*same number"):
        tiny(crop_size=8).fit([photos[0], photos[1][..., :1]])


def test_different_dtypes_in_a_list(tiny, photos, images):
    message = r"X\[1\] has dtype float32, but X\[0\] uint8.*their dtypes differ"
    with pytest.raises(ValueError, match=message):
        tiny(crop_size=8).fit([photos[0], images[1][:8]])


def test_a_photo_in_a_list_is_named(tiny, photos, images):
    with pytest.raises(ValueError, match=r"X\[1\] has values in"):
        tiny(crop_size=8).fit([images[0], images[1][:8] * 255])


def test_crop_size_larger_than_a_photo(tiny, photos):
    with pytest.raises(ValueError, match="crop_size=12 exceeds the 9 pixels.*lower"):
        tiny(crop_size=12).fit([photos[0], photos[1][:9]])
    with pytest.raises(ValueError, match="crop_size=17 exceeds the 16 pixels"):
        tiny(crop_size=17).fit(photos)


@pytest.mark.parametrize("image_shape", [None, (16, 16, 3)])
def test_crop_size_with_rows(tiny, images, image_shape):
    with pytest.raises(ValueError, match="crop_size=8 needs images .* got flat rows"):
        tiny(crop_size=8, image_shape=image_shape).fit(images.reshape(12, -1))


# ---- parameters ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n_components", 0),
        ("n_components", 2.5),
        ("n_downsamples", -1),
        ("max_epochs", -1),
        ("batch_size", 0),
        ("lr", 0.0),
        ("lr_schedule", "linear"),
        ("gradient_clip", 0),
        ("validation_fraction", 1.0),
        ("backbone", "resnet"),
        ("precision", "float16"),
        ("crop_size", 0),
    ],
)
def test_parameters_out_of_range(tiny, images, name, value):
    with pytest.raises(
        InvalidParameterError, match=f"The '{name}' parameter.*{value!r}"
    ):
        tiny(**{name: value}).fit(images)


@pytest.mark.parametrize(
    ("estimator", "name", "value"),
    [
        (SparseCodingVAE, "alpha", 0),
        (SparseCodingVAE, "alpha", -1.0),
        (SparseCodingVAE, "n_rollout_steps", 0),
        (SparseCodingVAE, "threshold", "vectorial"),
        (SparseCodingVAE, "penalty", "l0"),
        (SparseCodingVAE, "dictionary", "wavelets"),
        (DictionaryLearningVAE, "n_nonzero_coefs", 0),
        (DictionaryLearningVAE, "alpha", -0.1),
        (DictionaryLearningVAE, "selection", "lars"),
        (DictionaryLearningVAE, "dictionary_update", "ema"),
        (DictionaryLearningVAE, "patch_size", 0),
        (DictionaryLearningVAE, "commitment_weight", -0.1),
        (VQVAE, "n_quantizers", 0),
        (VQVAE, "codebook_update", "online"),
        (VQVAE, "decay", 1.0),
        (VQVAE, "decay", -0.1),
        (VQVAE, "patch_size", 1.5),
        (VQVAE, "commitment_weight", -1),
        (VQVAE, "gradient", "none"),
        (VQVAE, "codebook", "frozen"),
        (VQVAE, "quantizer", "lfq"),
        (VQVAE, "levels", 8),
        (GaussianVAE, "beta", -0.1),
        (GaussianVAE, "beta_warmup", -1),
        (GaussianVAE, "noise_variance", 0.0),
        (GaussianVAE, "mmd_weight", -1.0),
        (GaussianVAE, "n_levels", 3),
    ],
)
def test_own_parameters_out_of_range(estimator, tiny, images, name, value):
    with pytest.raises(
        InvalidParameterError, match=f"The '{name}' parameter.*{value!r}"
    ):
        tiny(**{name: value}).fit(images)


@only_sparse_coding
@pytest.mark.parametrize("n_components", [1, 3])
def test_no_more_atoms_than_channels(tiny, images, n_components):
    message = f"n_components={n_components} and latent_dim=48 must both exceed the 3"
    with pytest.raises(ValueError, match=message):
        tiny(n_components=n_components).fit(images)


@only_sparse_coding
def test_given_atoms_of_another_shape(tiny, images):
    with pytest.raises(ValueError, match=r"dictionary has shape \(24, 5\), expected"):
        tiny(dictionary=np.ones((24, 5))).fit(images)


def test_latents_longer_than_a_patch(tiny, images):
    with pytest.raises(ValueError, match="latent_dim=49 must lie between.*48 numbers"):
        tiny(latent_dim=49).fit(images)


@pytest.mark.parametrize("backbone", ["residual", "light", "vqgan"])
def test_image_backbones_on_vectors(tiny, vectors, backbone):
    with pytest.raises(
        ValueError, match=f"backbone='{backbone}' needs images, got vect"
    ):
        tiny(backbone=backbone).fit(vectors)


def test_dense_backbone_on_images(tiny, images):
    with pytest.raises(ValueError, match="backbone='dense' needs vectors.*got images"):
        tiny(backbone="dense").fit(images)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there(tiny, images):
    with pytest.raises(
        ValueError, match="device='cuda' is not available.*'auto' or 'cpu'"
    ):
        tiny(device="cuda").fit(images)


# ---- codes --------------------------------------------------------------------------


def test_codes_of_another_model(tiny, fitted, codes_of, images):
    codes = codes_of(tiny(max_epochs=0, n_components=30).fit(images), images)
    with pytest.raises(
        ValueError, match=r"codes with 480 columns; expected 4 \* 4 \* 24"
    ):
        fitted.inverse_transform(codes)


@pytest.mark.parametrize("n_columns", [24, 383, 400])
def test_plain_matrix_that_does_not_fit_the_grid_of_the_fit(fitted, n_columns):
    message = (
        rf"shape \(2, {n_columns}\) have no grid.*4 x 4 sites of 24 atoms.*384 col"
    )
    with pytest.raises(ValueError, match=message):
        fitted.inverse_transform(np.zeros((2, n_columns)))


def test_plain_matrix_may_be_given_a_grid(fitted, codes_of, images):
    codes = codes_of(fitted, images[:, :8]).toarray()
    with pytest.raises(ValueError, match=r"as_codes\(X, grid_shape=\(h, w\)\)"):
        fitted.inverse_transform(codes)
    back = fitted.inverse_transform(as_codes(codes, grid_shape=(2, 4)))
    np.testing.assert_allclose(back, fitted.reconstruct(images[:, :8]), atol=1e-5)


def test_codes_that_are_not_finite(fitted, codes_of, images):
    codes = codes_of(fitted, images).toarray()
    codes[0, 0] = np.nan
    with pytest.raises(ValueError, match="contains NaN"):
        fitted.inverse_transform(codes)


# ---- before fit ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "method", ["transform", "inverse_transform", "reconstruct", "score"]
)
def test_before_fit(tiny, images, method):
    with pytest.raises(NotFittedError, match="not fitted yet"):
        getattr(tiny(), method)(images)


def test_attributes_before_fit(tiny):
    with pytest.raises(NotFittedError, match="not fitted yet"):
        tiny().atoms_as_images()
    assert not hasattr(tiny(), "components_")


def test_a_fit_that_fails_leaves_the_model_unfitted(tiny, images):
    model = tiny()
    with pytest.raises(ValueError):
        model.fit(images * 255)
    with pytest.raises(NotFittedError):
        model.transform(images)
