"""What the segmenters promise about label maps, foreground, scenes and bad input."""

import joblib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearn_sparsevae.codes import SparseCodes
from sklearn_sparsevae.segmentation import (
    KMeansSegmenter,
    SpectralSegmenter,
    region_boundary_connectivity,
)
from sklearn_sparsevae.segmentation._sites import MAX_SITES, covered_shape, magnify

SEGMENTERS = [
    KMeansSegmenter(random_state=0),
    KMeansSegmenter(scope="dataset", random_state=0),
    KMeansSegmenter(foreground="boundary", random_state=0),
    KMeansSegmenter(2, scope="dataset", foreground="boundary", random_state=0),
    SpectralSegmenter(foreground=None, random_state=0),
    SpectralSegmenter(foreground="boundary", random_state=0),
    KMeansSegmenter(foreground="clusters", random_state=0),
    SpectralSegmenter(foreground="clusters", random_state=0),
]
FOREGROUND = [s for s in SEGMENTERS if s.foreground == "boundary"]
every_segmenter = pytest.mark.parametrize("segmenter", SEGMENTERS, ids=repr)
every_foreground = pytest.mark.parametrize("segmenter", FOREGROUND, ids=repr)

SITE = 4


def encode(photos, n_atoms=6):
    """Codes of photos: the mean of each site's channels, and some of its texture."""
    n, height, width, n_channels = photos.shape
    grid = -(-height // SITE), -(-width // SITE)
    pad = [(0, g * SITE - size) for g, size in zip(grid, (height, width))]
    photos = np.pad(photos, [(0, 0), *pad, (0, 0)], mode="edge")
    sites = photos.reshape(n, grid[0], SITE, grid[1], SITE, n_channels)
    sites = sites.transpose(0, 1, 3, 2, 4, 5).reshape(n, *grid, SITE**2, n_channels)
    colors = sites.mean(axis=3)
    basis = np.random.default_rng(0).normal(size=(SITE**2, n_atoms))
    texture = (sites - colors[..., None, :]).mean(axis=-1) @ basis
    texture[np.abs(texture) < 0.1] = 0
    values = np.concatenate([SITE * colors, texture], axis=-1)
    return SparseCodes(
        values.reshape(n, -1).astype(np.float32),
        grid_shape=grid,
        image_shape=(height, width, n_channels),
        thumbnails=colors,
    )


def disk(height=56, width=64, radius=16, center=None):
    rows, columns = np.ogrid[:height, :width]
    center = (height / 2, width / 2) if center is None else center
    return (rows - center[0]) ** 2 + (columns - center[1]) ** 2 < radius**2


def make_photo(kind, mask, seed=0):
    rng = np.random.default_rng(seed)
    photo = np.empty((*mask.shape, 3))
    photo[:] = (0.3, 0.4, 0.6)
    if kind == "gradient":
        photo += 0.25 * (np.arange(mask.shape[1]) / mask.shape[1])[None, :, None]
    photo[mask] = (0.8, 0.3, 0.2)
    if kind == "noise":
        photo += rng.normal(scale=0.08, size=photo.shape)
    if kind == "texture":
        photo[~mask] += 0.1 * (-1.0) ** np.indices(mask.shape).sum(axis=0)[~mask, None]
    return np.clip(photo, 0, 1)


def make_codes(n_images=4, seed=0):
    rng = np.random.default_rng(seed)
    kinds = ["flat", "gradient", "noise", "texture"]
    masks = np.stack([disk(center=rng.uniform(24, 34, 2)) for _ in range(n_images)])
    photos = [make_photo(kinds[i % 4], mask, i) for i, mask in enumerate(masks)]
    return encode(np.stack(photos)), masks.astype(int)


def iou(a, b):
    return np.sum((a > 0) & (b > 0)) / np.sum((a > 0) | (b > 0))


@every_foreground
@pytest.mark.parametrize("kind", ["flat", "gradient", "noise", "texture"])
@pytest.mark.parametrize("n_clusters", [2, 3])
def test_an_object_in_the_middle_is_found(segmenter, kind, n_clusters):
    mask = disk(84, 104, 30)
    codes = encode(make_photo(kind, mask)[None])
    segmenter = clone(segmenter).set_params(n_clusters=n_clusters).fit(codes)
    assert segmenter.labels_.shape == (1, 84, 104)
    # A third cluster may take the ring of sites that lie on both sides of the edge.
    assert iou(segmenter.labels_[0], mask) > (0.9 if n_clusters == 2 else 0.8)
    assert segmenter.confidence_[0] > 0.5


@pytest.mark.parametrize("Segmenter", [KMeansSegmenter, SpectralSegmenter])
def test_two_clusters_are_object_and_background(Segmenter):
    codes, masks = make_codes()
    labels = Segmenter(foreground=None, random_state=0).fit_predict(codes)
    for found, mask in zip(labels, masks):
        assert adjusted_rand_score(found.ravel(), mask.ravel()) > 0.8


@every_segmenter
def test_label_maps_are_valid(segmenter):
    codes, _ = make_codes()
    segmenter = clone(segmenter).fit(codes)
    assert segmenter.labels_.shape == (4, 56, 64)
    assert np.issubdtype(segmenter.labels_.dtype, np.integer)
    assert set(np.unique(segmenter.labels_)) <= {0, 1}
    assert ((segmenter.confidence_ >= 0) & (segmenter.confidence_ <= 1)).all()
    assert_array_equal(segmenter.predict(codes), segmenter.labels_)
    assert_allclose(segmenter.predict_confidence(codes), segmenter.confidence_)
    assert segmenter.n_features_in_ == codes.shape[1]


@every_segmenter
def test_images_are_segmented_by_themselves(segmenter):
    codes, _ = make_codes()
    segmenter = clone(segmenter).fit(codes)
    order = [2, 0, 3, 1]
    assert_array_equal(segmenter.predict(codes[order]), segmenter.labels_[order])
    assert_array_equal(segmenter.predict(codes[1:2]), segmenter.labels_[1:2])
    parallel = clone(segmenter).set_params(n_jobs=2).fit(codes)
    assert_array_equal(parallel.labels_, segmenter.labels_)
    assert_array_equal(parallel.confidence_, segmenter.confidence_)


def test_backends_that_give_all_results_at_once_do(monkeypatch):
    """Such as Ray's, which a search on a cluster leaves on for its last fit."""
    codes, _ = make_codes()
    expected = KMeansSegmenter(random_state=0).fit_predict(codes)
    backend = joblib.parallel.BACKENDS["threading"]
    monkeypatch.setattr(backend, "supports_return_generator", False)
    with joblib.parallel_config("threading", n_jobs=2):
        with pytest.raises(ValueError, match="does not support return_as"):
            joblib.Parallel(return_as="generator")
        labels = KMeansSegmenter(random_state=0, verbose=1).fit_predict(codes)
    assert_array_equal(labels, expected)


@every_segmenter
def test_plain_matrices_with_a_grid_give_the_same(segmenter):
    codes, _ = make_codes(2)
    codes = SparseCodes(codes, grid_shape=codes.grid_shape)
    segmenter = clone(segmenter).fit(codes)
    assert segmenter.labels_.shape == (2, *codes.grid_shape)
    for container in (np.asarray, sparse.csr_matrix, sparse.csr_array):
        plain = container(codes.toarray())
        again = clone(segmenter).set_params(grid_shape=codes.grid_shape).fit(plain)
        assert_array_equal(again.labels_, segmenter.labels_)
        assert_array_equal(again.predict(plain), segmenter.labels_)


@every_segmenter
def test_grid_resolution(segmenter):
    codes, _ = make_codes(2)
    grid = clone(segmenter).set_params(resolution="grid").fit_predict(codes)
    image = clone(segmenter).fit_predict(codes)
    assert grid.shape == (2, *codes.grid_shape)
    assert np.mean(grid.repeat(SITE, 1).repeat(SITE, 2) == image) > 0.95


@every_segmenter
@pytest.mark.parametrize("grid", [(1, 1), (1, 7), (5, 6)])
@pytest.mark.parametrize("content", ["empty", "flat", "color", "two", "noise"])
@pytest.mark.parametrize("n_clusters", [1, 5])
def test_degenerate_images_have_a_valid_answer(segmenter, grid, content, n_clusters):
    n_sites = grid[0] * grid[1]
    sites = np.zeros((n_sites, 3))
    colors = np.full((1, *grid, 3), 0.5) if content != "flat" else None
    if content in ("flat", "color"):
        sites[:] = (1, 2, 0)
    elif content == "two":
        sites[n_sites // 2] = 3
    elif content == "noise":
        sites = np.random.default_rng(0).normal(size=sites.shape)
    codes = SparseCodes(sites.reshape(1, -1), grid_shape=grid, thumbnails=colors)
    segmenter = clone(segmenter).set_params(n_clusters=n_clusters).fit(codes)
    assert segmenter.labels_.shape == (1, *grid)
    assert 0 <= segmenter.labels_.min() <= segmenter.labels_.max() < max(2, n_clusters)
    assert np.isfinite(segmenter.confidence_).all()
    if content in ("empty", "flat", "color"):
        assert segmenter.confidence_[0] == 0
        assert len(np.unique(segmenter.labels_)) == 1


@settings(max_examples=12, deadline=None)
@given(
    height=st.integers(1, 60),
    width=st.integers(1, 60),
    seed=st.integers(0, 100),
    n_channels=st.sampled_from([1, 2, 3, 4]),
)
def test_photos_of_any_size_and_channels(height, width, seed, n_channels):
    photos = np.random.default_rng(seed).random((1, height, width, n_channels))
    for segmenter in FOREGROUND:
        labels = clone(segmenter).fit_predict(encode(photos))
        assert labels.shape == (1, height, width)
        assert set(np.unique(labels)) <= {0, 1}


def test_images_of_another_size_than_in_fit():
    codes, _ = make_codes(2)
    mask = disk(96, 64, 20)
    other = encode(make_photo("flat", mask)[None])
    for segmenter in SEGMENTERS:
        labels = clone(segmenter).fit(codes).predict(other)
        assert labels.shape == (1, 96, 64)
        assert adjusted_rand_score(labels.ravel(), mask.ravel()) > 0.8


@pytest.mark.parametrize("size", [(9, 9), (17, 30), (33, 20)])
def test_grids_that_reach_beyond_the_photo(size):
    covered = covered_shape(tuple(-(-n // 8) for n in size), size)
    assert covered == tuple(-(-n // 8) * 8 for n in size)
    ramp = np.arange(covered[1] // 8) * 8.0 + 3.5  # the centres of the sites
    values = np.tile(ramp, (covered[0] // 8, 1))
    image = magnify(values.ravel(), values.shape, size, covered)
    middle = slice(4, min(size[1], covered[1] - 4))
    assert_allclose(image[0, middle], np.arange(size[1])[middle])


def test_fine_grids_are_segmented_on_a_coarser_one():
    mask = disk(400, 560, 120)
    codes = encode(make_photo("noise", mask)[None])
    assert np.prod(codes.grid_shape) > MAX_SITES
    labels = SpectralSegmenter(foreground="boundary", random_state=0).fit_predict(codes)
    assert iou(labels[0], mask) > 0.9


@every_foreground
def test_abstention(segmenter):
    codes, _ = make_codes()
    found = clone(segmenter).fit(codes)
    between = float(np.sort(found.confidence_)[1:3].mean())
    picky = clone(segmenter).set_params(min_confidence=between).fit(codes)
    sure = found.confidence_ >= between
    assert_array_equal(picky.confidence_, found.confidence_)
    assert_array_equal(picky.labels_[sure], found.labels_[sure])
    assert not picky.labels_[~sure].any()
    assert found.labels_[~sure].any()


@every_foreground
def test_saliency_is_above_a_half_in_the_foreground(segmenter):
    codes, masks = make_codes()
    never = clone(segmenter).set_params(min_confidence=0).fit(codes)
    saliency = never.predict_saliency(codes)
    assert saliency.dtype == np.float32 and saliency.min() >= 0 and saliency.max() <= 1
    assert_array_equal(saliency > 0.5, never.labels_)
    always = clone(segmenter).set_params(min_confidence=1).fit(codes)
    assert not always.labels_.any()
    assert_array_equal(always.predict_saliency(codes), saliency)
    one_by_one = never.predict_saliency([codes[i : i + 1] for i in range(4)])
    assert isinstance(one_by_one, list)
    assert_array_equal(np.stack(one_by_one), saliency)


def test_regions_have_no_saliency():
    codes, _ = make_codes()
    segmenter = KMeansSegmenter(3, random_state=0).fit(codes)
    with pytest.raises(ValueError, match="segmenter of regions; expected .*foreground"):
        segmenter.predict_saliency(codes)


@pytest.mark.parametrize("Segmenter", [KMeansSegmenter, SpectralSegmenter])
@pytest.mark.parametrize("n_clusters", [2, 3])
def test_clusters_are_those_of_the_codes_but_the_one_on_the_border(
    Segmenter, n_clusters
):
    codes, _ = make_codes(2)
    options = {"resolution": "grid", "random_state": 0}
    clusters = Segmenter(
        n_clusters, foreground="clusters", min_confidence=1, **options
    ).fit(codes)
    for i in range(2):
        if Segmenter is KMeansSegmenter:
            alone = KMeansSegmenter(n_clusters, **options).fit(codes[i : i + 1])
        else:  # all pairs of rows of a scene, wherever they are
            scene = codes[i : i + 1].sites().toarray()
            alone = SpectralSegmenter(n_clusters, random_state=0).fit(scene)
        labels = alone.labels_.reshape(codes.grid_shape)
        background = region_boundary_connectivity(labels).argmax()
        assert_array_equal(clusters.labels_[i], labels != background)
    assert_array_equal(clusters.predict_saliency(codes), clusters.labels_)


def test_noise_is_less_sure_than_an_object():
    noise = np.random.default_rng(0).random((1, 56, 64, 3))
    photo = make_photo("gradient", disk())[None]
    for segmenter in FOREGROUND:
        sure, unsure = (
            clone(segmenter).fit(encode(np.concatenate([photo, noise]))).confidence_
        )
        assert sure > unsure + 0.2


def test_dataset_scope_gives_labels_one_meaning():
    photos = np.zeros((2, 16, 16, 3))
    photos[0], photos[1] = (0.9, 0.1, 0.1), (0.1, 0.1, 0.9)
    labels = KMeansSegmenter(scope="dataset", random_state=0).fit_predict(
        encode(photos)
    )
    assert [len(np.unique(image)) for image in labels] == [1, 1]
    assert labels[0, 0, 0] != labels[1, 0, 0]


def test_scene_rows_are_labelled_one_by_one():
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(m, 0.3, size=(30, 2)) for m in ((2, 0), (0, 2))])
    for segmenter in (KMeansSegmenter(random_state=0), SpectralSegmenter()):
        labels = segmenter.fit(X).labels_
        assert labels.shape == (60,)
        assert adjusted_rand_score(labels, np.repeat([0, 1], 30)) > 0.95
        for i in range(0, 60, 7):
            assert segmenter.predict(X[i : i + 1])[0] == labels[i]
        assert segmenter.confidence_.shape == (1,)
        assert segmenter.score(X, np.repeat([5, 3], 30)) > 0.9


def test_score_is_the_mean_iou_at_the_size_of_the_masks():
    codes, masks = make_codes()
    segmenter = KMeansSegmenter(foreground="boundary", random_state=0).fit(codes)
    expected = np.mean([iou(*pair) for pair in zip(segmenter.labels_, masks)])
    assert segmenter.score(codes, masks) == pytest.approx(expected)
    assert segmenter.score(codes, 255 * masks) == pytest.approx(expected)
    small = segmenter.score(codes, masks[:, 1::2, 1::2])
    assert small == pytest.approx(expected, abs=0.03)
    assert segmenter.score(codes, segmenter.labels_) == 1


def test_score_matches_labels_without_a_foreground():
    codes, masks = make_codes()
    segmenter = SpectralSegmenter(foreground=None, random_state=0).fit(codes)
    score = segmenter.score(codes, masks)
    assert score > 0.8
    assert segmenter.score(codes, 1 - masks) == pytest.approx(score)


def test_empty_masks_agree_with_no_object():
    codes = encode(np.full((2, 16, 16, 3), 0.5))
    segmenter = SpectralSegmenter(foreground="boundary").fit(codes)
    assert segmenter.score(codes, np.zeros((2, 16, 16))) == 1
    assert segmenter.score(codes, np.ones((2, 16, 16))) == 0


def test_grid_search_over_a_pipeline_with_masks():
    codes, masks = make_codes()
    pipe = Pipeline([("same", FunctionTransformer()), ("seg", KMeansSegmenter())])
    grid = {"seg__n_clusters": [1, 2], "seg__random_state": [0]}
    search = GridSearchCV(pipe, grid, cv=2).fit(codes, masks)
    assert search.best_params_["seg__n_clusters"] == 2
    assert search.best_score_ > 0.8


@every_segmenter
def test_fitted_segmenters_survive_joblib(segmenter, tmp_path):
    codes, _ = make_codes(2)
    segmenter = clone(segmenter).fit(codes)
    joblib.dump(segmenter, tmp_path / "segmenter.joblib")
    again = joblib.load(tmp_path / "segmenter.joblib")
    assert_array_equal(again.predict(codes), segmenter.labels_)


def test_global_random_state_is_left_alone():
    codes, _ = make_codes(1)
    state = np.random.get_state()[1].copy()
    for segmenter in SEGMENTERS:
        clone(segmenter).fit(codes)
    assert_array_equal(np.random.get_state()[1], state)


def test_a_generator_gives_predict_the_labels_of_fit():
    codes, _ = make_codes(2)
    segmenter = KMeansSegmenter(3, random_state=np.random.RandomState(0)).fit(codes)
    assert_array_equal(segmenter.predict(codes), segmenter.labels_)


class TestBadInput:
    """What came, what was expected, what to do."""

    def test_foreground_of_a_matrix_without_a_grid(self):
        with pytest.raises(
            ValueError, match=r"shape \(4, 6\).*set grid_shape=\(h, w\)"
        ):
            KMeansSegmenter(foreground="boundary").fit(np.ones((4, 6)))

    def test_grid_that_does_not_divide_the_columns(self):
        with pytest.raises(ValueError, match="7 columns; expected 2 "):
            KMeansSegmenter(grid_shape=(2, 2)).fit(np.ones((4, 7)))

    def test_grid_of_codes_that_disagrees(self):
        codes = SparseCodes(np.ones((1, 4)), grid_shape=(2, 2))
        with pytest.raises(ValueError, match="a 2 by 2 grid; expected 4 by 1"):
            SpectralSegmenter(grid_shape=(4, 1)).fit(codes)

    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_codes_that_are_not_finite(self, value):
        codes = SparseCodes(np.full((1, 4), value), grid_shape=(2, 2))
        with pytest.raises(ValueError, match="X contains (NaN|infinity)"):
            SpectralSegmenter().fit(codes)

    def test_another_number_of_atoms_than_in_fit(self):
        segmenter = KMeansSegmenter().fit(SparseCodes(np.eye(2, 8), grid_shape=(2, 2)))
        with pytest.raises(ValueError, match="3 atoms per site; expected 2.*as in fit"):
            segmenter.predict(SparseCodes(np.eye(2, 12), grid_shape=(2, 2)))

    def test_masks_of_another_number_or_kind(self):
        codes, masks = make_codes(2)
        segmenter = KMeansSegmenter().fit(codes)
        for bad in (masks[:1], masks[..., None].repeat(3, -1), masks[0, 0]):
            with pytest.raises(ValueError, match="expected one mask for each of the 2"):
                segmenter.score(codes, bad)

    def test_no_images(self):
        codes = SparseCodes(np.ones((2, 4)), grid_shape=(2, 2))
        with pytest.raises(ValueError, match="codes of 0 images"):
            KMeansSegmenter().fit(codes[:0])

    def test_parameters_out_of_range(self):
        for name, value in [
            ("n_clusters", 0),
            ("foreground", "center"),
            ("resolution", "pixel"),
            ("min_confidence", 1.5),
            ("scope", "photo"),
        ]:
            with pytest.raises(ValueError, match=f"'{name}' parameter"):
                KMeansSegmenter(**{name: value}).fit(np.ones((4, 2)))

    def test_predict_before_fit(self):
        for segmenter in SEGMENTERS:
            with pytest.raises(NotFittedError):
                clone(segmenter).predict(np.ones((4, 2)))
