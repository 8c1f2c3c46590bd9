"""Displays hold what they draw and draw what they hold."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearn_sparsevae import plotting
from sklearn_sparsevae.codes import SparseCodes
from sklearn_sparsevae.metrics import make_scorers, peak_psnr, psnr, usage_perplexity


class Fake:
    """An estimator that darkens photos and has two atoms."""

    value_range_, data_range_ = (0.0, 1.0), 1.0
    asked = None

    def compare(self, X, y=None, **asked):
        self.asked = asked
        targets = [x / 255 if x.dtype == np.uint8 else x for x in X]
        outputs = [0.5 * x for x in targets]
        if not isinstance(X, list):
            targets, outputs = np.stack(targets), np.stack(outputs)
        return (targets if y is None else y), outputs

    def score(self, X):
        return peak_psnr(*self.compare(X), self.data_range_).mean()

    def atoms_as_images(self):
        return np.stack([np.full((2, 3, 3), -4.0), np.zeros((2, 3, 3))])


def drawn(ax):
    """Return the picture that an axes shows."""
    (image,) = ax.get_images()
    return np.asarray(image.get_array())


@pytest.fixture
def photos(rng):
    shapes = [(6, 8, 3), (5, 4, 3)]
    return [rng.integers(0, 256, shape, dtype=np.uint8) for shape in shapes]


def labels_of(photos, rng):
    return [rng.integers(-1, 9, photo.shape[:2]) for photo in photos]


def test_reconstructions_below_their_photos(photos):
    display = plotting.ReconstructionDisplay.from_estimator(Fake(), photos)
    assert display.axes_.shape == (2, 2)
    for i, photo in enumerate(photos):
        assert_allclose(drawn(display.axes_[0, i]), photo / 255)
        assert_allclose(drawn(display.axes_[1, i]), photo / 510)
        expected = psnr(photo[None], photo[None] / 510)
        assert_allclose(display.psnr[i], expected)
        assert display.axes_[1, i].get_title() == f"{expected:.1f} dB"


def test_photos_of_another_range_are_drawn_within_it(rng):
    model, photos = Fake(), rng.uniform(-1, 1, (3, 6, 8, 3))
    model.value_range_, model.data_range_ = (-1.0, 1.0), 2.0
    display = plotting.ReconstructionDisplay.from_estimator(model, photos)
    assert_allclose(drawn(display.axes_[0, 1]), (photos[1] + 1) / 2)
    assert_allclose(drawn(display.axes_[1, 1]), (photos[1] / 2 + 1) / 2)
    assert_allclose(np.mean(display.psnr), model.score(photos))
    assert_allclose(display.psnr, psnr(photos / 2, photos / 4, per_image=True))


def test_what_is_restored_is_drawn_below_what_it_is_to_become(rng):
    noisy, clean = rng.random((2, 3, 6, 8, 3))
    display = plotting.ReconstructionDisplay.from_estimator(Fake(), noisy, clean)
    assert_allclose(drawn(display.axes_[0, 2]), clean[2])
    assert_allclose(display.psnr, psnr(clean, noisy / 2, per_image=True))


def test_a_condition_reaches_the_model(photos):
    model = Fake()
    plotting.ReconstructionDisplay.from_estimator(model, photos)
    assert model.asked == {}
    plotting.ReconstructionDisplay.from_estimator(model, photos, condition=[1, 2])
    assert model.asked == {"condition": [1, 2]}


def test_the_last_step_of_a_pipeline_reconstructs(rng):
    photos = rng.random((2, 6, 8, 3))
    pipe = make_pipeline(FunctionTransformer(lambda X: X / 2), Fake())
    display = plotting.ReconstructionDisplay.from_estimator(pipe, photos)
    assert_allclose(drawn(display.axes_[0, 0]), photos[0] / 2)


def test_rows_that_are_images_are_drawn_as_such(rng):
    model, photos = Fake(), rng.random((2, 6, 8, 3))
    model.image_shape_, model.layout_ = (6, 8, 3), SimpleNamespace(kind="flat")
    flat = photos.reshape(2, -1)
    display = plotting.ReconstructionDisplay.from_estimator(model, flat)
    assert_allclose(drawn(display.axes_[0, 1]), photos[1])


@pytest.mark.parametrize(
    ("attributes", "what"),
    [
        ({"layout_": SimpleNamespace(kind="vector")}, "vectors: no images to show"),
        ({"backbone": "identity"}, "latents: no images to show"),
    ],
)
def test_vectors_and_latents_are_no_images_to_show(rng, attributes, what):
    model = Fake()
    vars(model).update(attributes)
    with pytest.raises(ValueError, match=what):
        plotting.ReconstructionDisplay.from_estimator(model, rng.random((2, 9)))
    with pytest.raises(ValueError, match=what):
        plotting.AtomsDisplay.from_estimator(model)


@pytest.mark.parametrize("shape", [(2, 5, 4), (2, 5, 4, 1)])
def test_grey_photos_are_drawn_grey(rng, shape):
    display = plotting.ReconstructionDisplay.from_estimator(Fake(), rng.random(shape))
    (image,) = display.axes_[0, 0].get_images()
    assert image.get_cmap().name == "gray" and image.get_clim() == (0, 1)
    assert drawn(display.axes_[0, 0]).shape == (5, 4)


def test_reconstructions_are_clipped_only_where_drawn():
    photos, far = np.zeros((1, 4, 4, 3)), np.full((1, 4, 4, 3), 1.5)
    display = plotting.ReconstructionDisplay.from_predictions(photos, far)
    assert drawn(display.axes_[1, 0]).max() == 1.0
    assert display.reconstructions[0].max() == 1.5


@pytest.mark.parametrize("white", [1.0, 255.0, 4095])
def test_the_range_of_floats_can_be_said(rng, white):
    photos, far = rng.random((2, 5, 4, 3)), rng.random((2, 5, 4, 3))
    display = plotting.ReconstructionDisplay.from_predictions(
        photos * white, far * white, data_range=white
    )
    assert_allclose(drawn(display.axes_[0, 1]), photos[1])
    assert_allclose(drawn(display.axes_[1, 1]), far[1])
    assert_allclose(display.psnr, psnr(photos, far, per_image=True))


@pytest.mark.parametrize("dtype", [np.uint16, np.uint32])
def test_integers_are_drawn_within_their_dtype(rng, dtype):
    photos = rng.integers(0, np.iinfo(dtype).max, (2, 5, 4, 3)).astype(dtype)
    labels = np.full((2, 5, 4), -1)
    display = plotting.SegmentationDisplay.from_predictions(photos, labels)
    unit = photos / np.iinfo(dtype).max
    assert_allclose(drawn(display.axes_[0, 1]), unit[1])
    assert_allclose(drawn(display.axes_[1, 1])[..., 0], unit[1].mean(-1))
    display = plotting.ReconstructionDisplay.from_predictions(photos, unit)
    assert display.psnr == [100, 100]


@pytest.mark.parametrize("channels", [2, 4, 7])
def test_channels_that_are_no_colours_are_drawn_as_their_mean(rng, channels):
    photos = rng.integers(0, 256, (1, 5, 4, channels), dtype=np.uint8)
    display = plotting.ReconstructionDisplay.from_predictions(photos, photos / 255)
    for ax in display.axes_[:, 0]:
        assert_allclose(drawn(ax), photos[0].mean(-1) / 255)
        assert f"mean of {channels} channels" in ax.get_title()
    labels = np.full((1, 5, 4), -1)
    segments = plotting.SegmentationDisplay.from_predictions(photos, labels)
    assert_allclose(segments.segments()[0][..., 1], photos[0].mean(-1) / 255)


def test_reconstructions_must_be_as_many_as_photos(photos):
    with pytest.raises(ValueError, match="Got 2 images and 1 reconstructions"):
        plotting.ReconstructionDisplay.from_predictions(photos, photos[:1])


def test_segments_have_one_colour_each_and_negative_ones_none(photos, rng):
    labels = labels_of(photos, rng)
    display = plotting.SegmentationDisplay.from_predictions(photos, labels)
    assert display.axes_.shape == (2, 2)
    for i, (photo, label) in enumerate(zip(photos, labels)):
        picture = drawn(display.axes_[1, i])
        assert_array_equal(drawn(display.axes_[0, i]), photo)
        assert_allclose(picture, display.segments()[i])
        grey = np.repeat(photo.mean(axis=2, keepdims=True) / 255, 3, axis=2)
        assert_allclose(picture[label < 0], grey[label < 0])
        tints = picture - 0.35 * grey
        colors = [np.unique(tints[label == k].round(6), axis=0) for k in range(7)]
        assert all(len(color) <= 1 for color in colors)
        assert len(np.unique(np.vstack(colors), axis=0)) == sum(map(len, colors))


def test_foreground_keeps_its_colours_and_the_rest_fades(photos, rng):
    masks = [label > 4 for label in labels_of(photos, rng)]
    zeros = [mask.astype(int) for mask in masks]
    display = plotting.SegmentationDisplay.from_predictions(photos, zeros, masks=zeros)
    assert display.axes_.shape == (3, 2)
    for axes, photo, mask in zip(display.axes_[2], photos, masks):
        assert_allclose(drawn(axes)[mask], photo[mask] / 255)
        assert np.all(drawn(axes)[~mask] >= 0.75)


def test_displays_share_axes(photos, rng, figures):
    _, axes = figures.subplots(3, 2)
    rebuilt = plotting.ReconstructionDisplay.from_estimator(Fake(), photos, ax=axes[:2])
    labels = labels_of(photos, rng)
    segments = plotting.SegmentationDisplay.from_predictions(
        photos, labels, ax=axes[[0, 2]]
    )
    assert rebuilt.figure_ is segments.figure_ is axes[0, 0].figure
    assert [ax.get_ylabel() for ax in axes[:, 0]] == [
        "photo",
        "reconstruction",
        "segments",
    ]


@pytest.mark.parametrize("name", ["labels", "masks"])
def test_maps_must_have_the_size_of_the_photos(photos, rng, name):
    maps = {"labels": labels_of(photos, rng), "masks": labels_of(photos, rng)}
    maps[name] = [one[::2] for one in maps[name]]
    with pytest.raises(ValueError, match=f"Got {name} of shapes .* resolution='image'"):
        plotting.SegmentationDisplay.from_predictions(photos, **maps)


def test_atoms_are_scaled_around_grey_and_tiled():
    display = plotting.AtomsDisplay.from_estimator(Fake())
    assert_array_equal(drawn(display.ax_), display.mosaic())
    assert display.mosaic().shape == (2, 3 + 1 + 3, 3)
    assert_array_equal(display.mosaic()[:, :3], 0.0)
    assert_array_equal(display.mosaic()[:, 3], 1.0)
    assert_array_equal(display.mosaic()[:, 4:], 0.5)


@pytest.mark.parametrize("n_atoms", [1, 2, 7, 64])
@pytest.mark.parametrize("channels", [(), (1,), (3,)])
def test_every_atom_is_in_the_mosaic(rng, n_atoms, channels):
    atoms = rng.normal(size=(n_atoms, 4, 5, *channels))
    mosaic = plotting.AtomsDisplay(atoms).mosaic()
    height, width = mosaic.shape[:2]
    tiles = [
        mosaic[top : top + 4, left : left + 5]
        for top in range(0, height, 5)
        for left in range(0, width, 6)
    ]
    assert len(tiles) >= n_atoms
    for atom, tile in zip(atoms, tiles):
        expected = 0.5 + 0.5 * atom / np.abs(atom).max()
        assert_allclose(tile, np.broadcast_to(expected.reshape(4, 5, -1), (4, 5, 3)))


@pytest.mark.parametrize("channels", [2, 4, 6])
def test_channels_of_an_atom_that_are_no_colours_stand_side_by_side(rng, channels):
    atoms = rng.normal(size=(3, 4, 5, channels))
    display = plotting.AtomsDisplay(atoms).plot()
    mosaic, width = display.mosaic(), 5 * channels
    expected = 0.5 + 0.5 * atoms / np.abs(atoms).max((1, 2, 3), keepdims=True)
    for c in range(channels):
        plane = mosaic[:4, 5 * c : 5 * (c + 1)]
        assert_allclose(plane, np.repeat(expected[0, ..., c, None], 3, axis=-1))
    assert mosaic.shape[1] % (width + 1) in (0, width)
    assert display.ax_.get_title() == f"3 atoms, {channels} channels each"


def test_usage_is_drawn_from_the_most_used():
    codes = np.array([[0, 1, 2, 0, 0, 0], [0, 0, 3, 1, 0, 1]], dtype=np.float32)
    display = plotting.UsageDisplay.from_codes(SparseCodes(codes, grid_shape=(1, 2)))
    assert_array_equal(display.usage, [1, 1, 3])
    assert_array_equal(display.line_.get_ydata(), [3, 1, 1])
    assert display.n_dead == 0
    flat = plotting.UsageDisplay.from_codes(codes, n_atoms=3)
    assert_array_equal(flat.usage, display.usage)
    assert plotting.UsageDisplay.from_codes(codes).n_dead == 2


def test_usage_is_drawn_without_the_means():
    sites = np.array([[9, 1, 2, 0], [9, 0, 3, 0]], dtype=np.float32)
    codes = SparseCodes(sites, grid_shape=(1, 1), n_mean_atoms=1)
    for display in (
        plotting.UsageDisplay.from_codes(codes),
        plotting.UsageDisplay.from_codes(sites, n_mean_atoms=1),
    ):
        assert_array_equal(display.usage, [1, 2, 0])
        assert display.n_dead == 1
        assert display.perplexity == usage_perplexity(sites[:, 1:])


def test_quality_against_sparsity_of_a_search(rng):
    scoring = make_scorers("psnr", "nonzeros")
    grid = {"n_components": [5, 1, 3]}
    search = GridSearchCV(PCA(), grid, scoring=scoring, refit="psnr", cv=2)
    search.fit(rng.random((20, 6)))
    display = plotting.SparsityQualityDisplay.from_cv_results(
        search.cv_results_, label="PCA"
    )
    results = search.cv_results_["mean_test_psnr"]
    assert_array_equal(display.line_.get_xdata(), [1, 3, 5])
    assert_array_equal(display.line_.get_ydata(), results[[1, 2, 0]])
    assert display.ax_.get_ylabel() == "PSNR (dB)"
    assert [text.get_text() for text in display.ax_.get_legend().texts] == ["PCA"]


def test_a_search_without_the_scores_is_refused():
    with pytest.raises(ValueError, match=r"'nonzeros', but with \['score'\]"):
        plotting.SparsityQualityDisplay.from_cv_results({"mean_test_score": [1.0]})


def test_plot_draws_again_where_asked(figures):
    display = plotting.UsageDisplay.from_codes(np.eye(3))
    _, ax = figures.subplots()
    assert display.plot(ax=ax).ax_ is ax
    assert display.figure_ is ax.figure


def test_axes_must_fit(photos, figures):
    _, ax = figures.subplots()
    with pytest.raises(ValueError, match=r"axes of shape \(\); expected \(2, 2\)"):
        plotting.ReconstructionDisplay.from_estimator(Fake(), photos, ax=ax)


@pytest.mark.parametrize("images", [[], np.zeros((4, 4)), np.zeros((2, 0, 4))])
def test_what_is_no_image_is_refused(images):
    with pytest.raises(ValueError, match="expected at least one image of shape"):
        plotting.ReconstructionDisplay.from_predictions(images, images)


GREY = np.full((2, 4, 4, 3), 0.5)
LABELS = np.zeros((2, 4, 4), int)
reconstructions = plotting.ReconstructionDisplay.from_predictions
segmentation = plotting.SegmentationDisplay.from_predictions
strips = plotting.TraversalDisplay.from_images
quality = plotting.SparsityQualityDisplay
BAD_INPUT = {
    "masked photos": (reconstructions, (np.ma.masked_array(GREY), GREY), "a masked"),
    "NaN": (reconstructions, (GREY * np.nan, GREY), "images with NaN"),
    "NaN below": (reconstructions, (GREY, GREY * np.nan), "reconstructions with NaN"),
    "beyond white": (reconstructions, (GREY * 510, GREY), "images from 255 to 255"),
    "negative": (reconstructions, (-GREY, GREY), "images from -0.5 .* black"),
    "signed": (reconstructions, (LABELS, LABELS), "images of type int64"),
    "booleans": (reconstructions, (LABELS > 0, GREY), "images of type bool"),
    "objects": (reconstructions, (GREY.astype(object), GREY), "images of type object"),
    "rows": (reconstructions, (GREY[0, 0], GREY[0, 0]), "Vectors are no images"),
    "a number": (reconstructions, (0.5, 0.5), "at least one image"),
    "a word": (reconstructions, ("photo.png", GREY), "at least one image"),
    "other sizes": (reconstructions, (GREY, GREY[:, 1:]), r"images\[0\] of shape"),
    "float labels": (segmentation, (GREY, LABELS * 1.0), "labels of type float64"),
    "NaN labels": (segmentation, (GREY, LABELS * np.nan), "labels of type float64"),
    "one map": (segmentation, (GREY, LABELS[0]), "labels of shapes"),
    "no maps": (segmentation, (GREY, None), "labels of shapes"),
    "masked labels": (segmentation, (GREY, np.ma.masked_array(LABELS)), "as a masked"),
    "bright photos": (segmentation, (GREY * 510, LABELS), "images from 255"),
    "NaN in a strip": (strips, ([GREY * np.nan],), r"strips\[0\] with NaN"),
    "no strips": (strips, (3,), "strips=3; expected a list"),
    "a word for strips": (strips, ("abc",), "strips='abc'; expected a list"),
    "atoms of NaN": (plotting.AtomsDisplay, (GREY * np.nan,), "atoms with NaN"),
    "atoms of no size": (plotting.AtomsDisplay, (GREY[:, :0],), "atoms of shapes"),
    "atoms of two sizes": (plotting.AtomsDisplay, ([GREY[0], GREY[0, 1:]],), "atoms"),
    "usage": (plotting.UsageDisplay, (np.eye(3), 2.0), "usage of shape"),
    "usage of NaN": (plotting.UsageDisplay, ([1, np.nan], 2.0), "usage with NaN"),
    "codes": (plotting.UsageDisplay.from_codes, ([["a"]],), "codes of type"),
    "no divergences": (plotting.LatentUsageDisplay, ([],), "kl_per_dim of shape"),
    "NaN divergence": (plotting.LatentUsageDisplay, ([np.nan],), "kl_per_dim with"),
    "threshold": (plotting.LatentUsageDisplay, ([1.0], np.nan), "threshold=nan"),
    "threshold in words": (plotting.LatentUsageDisplay, ([1.0], "1"), "threshold='1'"),
    "unequal": (quality, ([1, 2], [1]), "2 numbers of sparsity and 1 of quality"),
    "words": (quality, (["a"], [1]), "sparsity of shape"),
    "no results": (quality.from_cv_results, ([1],), "cv_results of type list"),
    "no atoms": (plotting.AtomsDisplay.from_estimator, (PCA(),), "no atoms_as_images"),
    "no divergence": (
        plotting.LatentUsageDisplay.from_estimator,
        (PCA(),),
        "no kl_per",
    ),
    "no way": (
        plotting.ReconstructionDisplay.from_estimator,
        (PCA(), GREY),
        "PCA, which has no compare",
    ),
}


@pytest.mark.parametrize("kind", BAD_INPUT)
def test_bad_input_is_refused_in_words(kind):
    draw, arguments, message = BAD_INPUT[kind]
    with pytest.raises((ValueError, TypeError), match=message):
        draw(*arguments)


@pytest.mark.parametrize("data_range", [0, np.nan, np.inf, "1", True])
def test_a_range_that_is_none_is_refused(data_range):
    with pytest.raises((ValueError, TypeError), match="data_range=.*expected a pos"):
        reconstructions(GREY, GREY, data_range=data_range)


@pytest.mark.parametrize("ax", ["ax", 3, [[1, 2], [3, 4]]])
def test_what_is_no_axes_is_refused(ax):
    with pytest.raises((ValueError, TypeError), match="ax"):
        reconstructions(GREY, GREY, ax=ax)
    with pytest.raises(TypeError, match="ax=.*expected the Axes"):
        plotting.UsageDisplay.from_codes(np.eye(3), ax=ax)


def test_usage_of_codes_in_a_list_and_of_codes_without_a_grid():
    codes = SparseCodes(np.eye(2, 8), grid_shape=(2, 2))
    display = plotting.UsageDisplay.from_codes([codes[:1], codes])
    assert_array_equal(display.usage, [2, 1])
    with pytest.raises(ValueError, match="n_atoms"):
        plotting.UsageDisplay.from_codes(sparse.csr_array(np.eye(2, 8)))


def test_a_missing_matplotlib_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"pip install 'sklearn-sparsevae\[plot\]'"):
        plotting.UsageDisplay.from_codes(np.eye(3))
