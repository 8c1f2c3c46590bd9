"""Arguments at every door: what a random campaign once found, kind by kind."""

import numpy as np
import pytest
import torch

from sklearn_sparsevae import VQVAE, CodePrior, SparseCodes, segmentation, sparse
from sklearn_sparsevae._arguments import as_ndarray, naming, whole_number
from sklearn_sparsevae.codes import as_codes
from sklearn_sparsevae.datasets import LazyView, random_crops
from sklearn_sparsevae.metrics import iou, lpips, psnr


@pytest.fixture
def images(rng):
    return rng.integers(0, 256, (6, 8, 8, 3), dtype=np.uint8)


@pytest.fixture
def model(images):
    return VQVAE(8, max_epochs=0, random_state=0).fit(images)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ValueError("low"), ValueError),
        (TypeError("low"), TypeError),
        (OverflowError("alpha"), ValueError),
        (IndexError("alpha"), ValueError),
    ],
)
def test_errors_come_as_two_kinds_that_name_the_argument(error, kind):
    with pytest.raises(kind, match="alpha") as caught, naming("alpha"):
        raise error
    assert type(caught.value) is kind


@pytest.mark.parametrize(
    "tensor",
    [
        torch.ones(2, dtype=torch.bfloat16),
        torch.ones(2, requires_grad=True),
        torch.ones(2).to_sparse(),
    ],
    ids=["bfloat16", "with gradient", "sparse"],
)
def test_tensors_of_any_kind_become_arrays(tensor):
    np.testing.assert_array_equal(as_ndarray(tensor, "X"), [1, 1])


def test_arrays_have_the_byte_order_of_the_machine():
    array = as_ndarray(np.arange(3, dtype=">f4"), "X")
    assert array.dtype.isnative and array.tolist() == [0, 1, 2]


@pytest.mark.parametrize("value", [True, 2.0, "2", None, np.array(2), 1j])
def test_what_is_no_whole_number(value):
    with pytest.raises(TypeError, match="n_samples"):
        whole_number(value, "n_samples")


@pytest.mark.parametrize("name", ["A", "B"])
def test_both_ends_of_an_interpolation_are_named(model, images, name):
    ends = {"A": images, "B": images} | {name: images[..., 0]}
    with pytest.raises(ValueError, match=f"^{name} is images with 1 channel"):
        model.interpolate(**ends)


def test_numpy_integers_of_few_bits_do_not_overflow(model, images):
    few = VQVAE(8, batch_size=np.uint8(4), max_epochs=1, random_state=0).fit(images)
    many = VQVAE(8, batch_size=4, max_epochs=1, random_state=0).fit(images)
    np.testing.assert_array_equal(few.components_, many.components_)
    np.testing.assert_array_equal(
        model.reconstruct(images, tile=np.uint8(3)), model.reconstruct(images, tile=3)
    )


def test_images_come_back_in_the_layout_they_came_in(images):
    flat = VQVAE(8, image_shape=(8, 8, 3), max_epochs=0, random_state=0)
    flat.fit(images.reshape(6, -1))
    sizes = [images[0], images[1, :5]]
    assert [x.shape for x in flat.reconstruct(sizes)] == [(8, 8, 3), (5, 8, 3)]
    assert flat.reconstruct(images.reshape(6, -1)).shape == (6, 192)
    assert np.isfinite(flat.score(sizes))
    assert flat.inverse_transform(flat.transform(images)[:0]).shape == (0, 192)


@pytest.mark.parametrize(
    ("part", "index", "value"),
    [
        ("indptr", 1, 10**6),
        ("indptr", -1, 10**6),
        ("indptr", 0, 1),
        ("indices", 0, 10**6),
        ("indices", 0, -1),
    ],
)
def test_codes_that_were_damaged_are_refused_before_they_are_read(part, index, value):
    codes = SparseCodes(np.ones((3, 8), np.float32), grid_shape=(2, 2))
    getattr(codes, part)[index] = value
    for read in (as_codes, SparseCodes.sites):
        with pytest.raises(ValueError, match="codes"):
            read(codes)


def test_a_prior_that_is_refused_stays_unfitted(rng):
    prior = CodePrior(width=16, n_layers=1)
    with pytest.raises(ValueError, match="X"):
        prior.fit(rng.random((1, 8)))
    assert not [name for name in vars(prior) if name.endswith("_")]


SITES = np.ones((6, 2))
NAN = SITES * np.nan
IMAGE = np.ones((1, 1, 4, 4))


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: segmentation.boundary_connectivity(SITES, (2, 2), 1.0), "features"),
        (lambda: segmentation.boundary_connectivity(SITES, (2, 3), 0), "scale"),
        (
            lambda: segmentation.foreground_saliency(SITES * np.nan, (2, 3)),
            "appearance",
        ),
        (lambda: segmentation.background_probability([-1.0], 1.0), "connectivity"),
        (lambda: segmentation.cut_boundaries(NAN, 0.5), "boundaries"),
        (lambda: segmentation.cut_boundaries(SITES, np.inf), "threshold"),
        (lambda: segmentation.region_boundary_connectivity([0, 1]), "labels"),
        (lambda: segmentation.region_boundary_connectivity([[2**40]]), "labels"),
        (lambda: sparse.ista(SITES, SITES, 0.1, 2, momentum=[]), "momentum"),
        (lambda: sparse.analyze(IMAGE, _kernel(), 1), "kernels"),
        (
            lambda: sparse.analyze(IMAGE, _kernel("f8"), 10**40),
            "stride",
        ),
        (lambda: sparse.refit(SITES, SITES, np.full((6, 1), 6)), "indices"),
        (lambda: SparseCodes(IMAGE, shape={"a": 1}, grid_shape=(2, 2)), "codes"),
        (lambda: LazyView(3), "photos"),
        (lambda: LazyView([SITES], [1]), "indices"),
        (lambda: LazyView([SITES], "x"), "indices"),
        (lambda: random_crops([SITES], 1, 2.5), "n_crops"),
        (lambda: iou(np.zeros((1, 2, 2), int), np.full((1, 2, 2), 7)), "y_pred"),
        (lambda: psnr(SITES, SITES, per_image=np.array([])), "per_image"),
        (lambda: lpips(SITES[None], SITES[None], network=3), "network"),
        (lambda: lpips(SITES[None], SITES[None], network=str), "network"),
        (lambda: VQVAE(4, device="meta", max_epochs=0).fit(SITES), "device"),
    ],
)
def test_the_argument_that_is_wrong_is_named(call, name):
    with pytest.raises((TypeError, ValueError), match=rf"\b{name}\b"):
        call()


def _kernel(dtype="f4"):
    return np.ones((1, 1, 1, 1), dtype)
