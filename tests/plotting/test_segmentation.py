"""Segmenters, and Pipelines that end in one, are drawn with their photos."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.cluster import KMeans
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from sklearn_sparsevae import VQVAE, KMeansSegmenter, SpectralSegmenter
from sklearn_sparsevae.codes import SparseCodes
from sklearn_sparsevae.plotting import BoundaryDisplay, SegmentationDisplay

SEGMENTER = KMeansSegmenter(2, foreground="boundary", random_state=0)


class Pixels(TransformerMixin, BaseEstimator):
    """Codes of photos that are their pixels, one site each."""

    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def transform(self, X):
        if isinstance(X, list):
            return [self.transform(photo[None]) for photo in X]
        n, *grid, channels = X.shape
        rows = np.asarray(X, np.float32).reshape(n, -1)
        return SparseCodes(rows, grid_shape=grid, image_shape=(*grid, channels))


@pytest.fixture(scope="module")
def photos():
    """A bright square in front of grey."""
    scene = np.pad(np.full((2, 8, 8, 1), 0.6), [(0, 0), (4, 4), (4, 4), (0, 0)])
    return 0.2 + scene * np.ones(3)


def drawn(ax):
    return np.asarray(ax.get_images()[0].get_array())


def row_names(display):
    return [ax.get_ylabel() for ax in display.axes_[:, 0]]


def test_a_pipeline_draws_its_foreground(photos):
    pipe = make_pipeline(Pixels(), SEGMENTER).fit(photos)
    display = SegmentationDisplay.from_estimator(pipe, photos)
    assert display.axes_.shape == (2, 2)
    assert row_names(display) == ["photo", "foreground"]
    masks = pipe.predict(photos).astype(bool)
    confidence = pipe[-1].predict_confidence(pipe[0].transform(photos))
    for i, mask in enumerate(masks):
        assert mask.sum() == 64
        assert_allclose(drawn(display.axes_[0, i]), photos[i])
        assert_allclose(drawn(display.axes_[1, i])[mask], photos[i][mask])
        assert (drawn(display.axes_[1, i])[~mask] > 0.75).all()
        title = display.axes_[1, i].get_title()
        assert title == f"confidence {confidence[i]:.2f}"


def test_regions_are_drawn_in_colours(photos):
    pipe = make_pipeline(Pixels(), KMeansSegmenter(3, random_state=0)).fit(photos)
    display = SegmentationDisplay.from_estimator(pipe, photos)
    assert row_names(display) == ["photo", "segments"]
    labels = pipe.predict(photos)
    for i, expected in enumerate(SegmentationDisplay(photos, labels).segments()):
        assert_allclose(drawn(display.axes_[1, i]), expected)


def test_photos_of_different_sizes_and_searches(photos):
    some = [photos[0], photos[1][:12]]
    pipe = make_pipeline(Pixels(), SEGMENTER).fit(some)
    display = SegmentationDisplay.from_estimator(pipe, some)
    assert [drawn(ax).shape for ax in display.axes_[1]] == [p.shape for p in some]
    masks = np.zeros(photos.shape[:3], int)
    grid = {"kmeanssegmenter__n_init": [1]}
    search = GridSearchCV(pipe, grid, cv=2).fit(photos, masks)
    display = SegmentationDisplay.from_estimator(search, photos)
    assert_array_equal(display.masks, search.predict(photos) > 0)


def test_a_segmenter_alone_needs_photos_to_draw(photos):
    codes = Pixels().transform(photos)
    segmenter = KMeansSegmenter(2, foreground="boundary", random_state=0).fit(codes)
    with pytest.raises(ValueError, match="KMeansSegmenter alone.*expected images="):
        SegmentationDisplay.from_estimator(segmenter, codes)
    display = SegmentationDisplay.from_estimator(segmenter, codes, images=photos)
    assert_array_equal(display.masks, segmenter.predict(codes) > 0)


def test_photos_are_drawn_in_the_range_of_the_encoder(photos):
    pipe = make_pipeline(
        VQVAE(8, max_epochs=0, value_range=(-1, 1), random_state=0), SEGMENTER
    ).fit(2 * photos - 1)
    display = SegmentationDisplay.from_estimator(pipe, 2 * photos - 1)
    assert_allclose(drawn(display.axes_[0, 0]), photos[0], atol=1e-6)


def test_masks_alone_are_drawn_without_labels(photos):
    masks = photos[..., 0] > 0.5
    display = SegmentationDisplay.from_predictions(photos, None, masks=masks)
    assert row_names(display) == ["photo", "foreground"]
    assert_allclose(drawn(display.axes_[1, 0])[masks[0]], photos[0][masks[0]])


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (KMeans(2), "KMeans, which has no predict_confidence; .* a segmenter"),
        (make_pipeline(Pixels(), KMeans(2)), "KMeans, which has no predict_confidence"),
        (VQVAE(), "VQVAE, which has no predict_confidence"),
        (KMeansSegmenter, "no predict_confidence"),
    ],
)
def test_what_is_no_segmenter_is_refused(photos, estimator, message):
    with pytest.raises(TypeError, match=message):
        SegmentationDisplay.from_estimator(estimator, photos)


def test_what_has_no_map_of_the_photo_is_refused(photos):
    pipe = make_pipeline(Pixels(), SEGMENTER)
    with pytest.raises(NotFittedError):
        SegmentationDisplay.from_estimator(pipe, photos)
    scene = KMeansSegmenter(2).fit(np.arange(8.0)[:, None])
    with pytest.raises(ValueError, match="fitted to one scene.*no photos to show"):
        SegmentationDisplay.from_estimator(scene, photos)
    coarse = make_pipeline(
        VQVAE(8, max_epochs=0),
        KMeansSegmenter(2, resolution="grid", foreground="boundary"),
    ).fit(photos)
    with pytest.raises(ValueError, match="with resolution='image'"):
        SegmentationDisplay.from_estimator(coarse, photos)


class TestBoundaries:
    def test_stronger_ones_are_darker(self, photos):
        pipe = make_pipeline(Pixels(), SpectralSegmenter("auto")).fit(photos)
        display = BoundaryDisplay.from_estimator(pipe, photos)
        assert row_names(display) == ["photo", "boundaries"]
        expected = pipe[-1].predict_boundaries(pipe[0].transform(photos))
        for i, boundaries in enumerate(expected):
            assert boundaries.max() > 0.5
            assert_allclose(drawn(display.axes_[0, i]), photos[i])
            assert_allclose(drawn(display.axes_[1, i]), 1 - boundaries, atol=1e-6)

    def test_a_segmenter_alone_needs_photos(self, photos):
        codes = Pixels().fit(photos).transform(photos)
        segmenter = SpectralSegmenter("auto").fit(codes)
        with pytest.raises(ValueError, match="expected images="):
            BoundaryDisplay.from_estimator(segmenter, codes)
        display = BoundaryDisplay.from_estimator(segmenter, codes, images=photos)
        assert display.axes_.shape == (2, 2)

    def test_what_has_no_boundaries_is_refused(self, photos):
        pipe = make_pipeline(Pixels(), SEGMENTER).fit(photos)
        with pytest.raises(TypeError, match="Take a SpectralSegmenter"):
            BoundaryDisplay.from_estimator(pipe, photos)

    @pytest.mark.parametrize(
        ("boundaries", "message"),
        [
            (np.zeros((2, 4, 4)), r"shapes \[\(4, 4\), \(4, 4\)\]"),
            (np.full((2, 16, 16), 2.0), r"beyond \[0, 1\]"),
            (np.full((2, 16, 16), np.nan), "NaN"),
        ],
    )
    def test_what_are_no_maps_is_refused(self, photos, boundaries, message):
        with pytest.raises(ValueError, match=message):
            BoundaryDisplay.from_predictions(photos, boundaries)
