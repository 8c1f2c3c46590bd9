"""Displays hold what they draw and draw what they hold."""

import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV

from sklearn_sparsevae import plotting
from sklearn_sparsevae.codes import SparseCodes
from sklearn_sparsevae.metrics import make_scorers, psnr


class Fake:
    """An estimator that darkens photos and has two atoms."""

    def reconstruct(self, X):
        scale = 255 if X.dtype == np.uint8 else 1
        return (0.5 * X / scale).astype(np.float32)

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
        assert_array_equal(drawn(display.axes_[0, i]), photo)
        assert_allclose(drawn(display.axes_[1, i]), photo / 510, atol=1e-6)
        expected = psnr(photo[None], Fake().reconstruct(photo)[None])
        assert display.psnr[i] == expected
        assert display.axes_[1, i].get_title() == f"{expected:.1f} dB"


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


def test_usage_is_drawn_from_the_most_used():
    codes = np.array([[0, 1, 2, 0, 0, 0], [0, 0, 3, 1, 0, 1]], dtype=np.float32)
    display = plotting.UsageDisplay.from_codes(SparseCodes(codes, grid_shape=(1, 2)))
    assert_array_equal(display.usage, [1, 1, 3])
    assert_array_equal(display.line_.get_ydata(), [3, 1, 1])
    assert display.n_dead == 0
    flat = plotting.UsageDisplay.from_codes(codes, n_atoms=3)
    assert_array_equal(flat.usage, display.usage)
    assert plotting.UsageDisplay.from_codes(codes).n_dead == 2


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


def test_a_missing_matplotlib_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"pip install 'sklearn-sparsevae\[plot\]'"):
        plotting.UsageDisplay.from_codes(np.eye(3))
