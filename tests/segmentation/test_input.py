"""What fit takes, all methods take: grids, lists of photos, scenes, edge values."""

import copy
import inspect

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.model_selection import cross_val_score

from sklearn_sparsevae.codes import SparseCodes, concatenate_codes
from sklearn_sparsevae.segmentation import KMeansSegmenter, SpectralSegmenter
from sklearn_sparsevae.segmentation._normalized_cut import spectral_embedding

SEGMENTERS = [
    KMeansSegmenter(3, random_state=0),
    KMeansSegmenter(3, scope="dataset", random_state=0),
    KMeansSegmenter(foreground="boundary", random_state=0),
    SpectralSegmenter(3, random_state=0),
    SpectralSegmenter(random_state=0),
]
SCENES = [KMeansSegmenter(5, random_state=0), SpectralSegmenter(5, random_state=0)]
every_segmenter = pytest.mark.parametrize("segmenter", SEGMENTERS, ids=repr)
every_scene = pytest.mark.parametrize("segmenter", SCENES, ids=repr)


def make_codes(n_images, grid, seed=0, n_atoms=4, site=4):
    rng = np.random.default_rng(seed)
    dense = rng.exponential(size=(n_images, grid[0] * grid[1] * n_atoms))
    dense *= rng.random(dense.shape) < 0.7
    return SparseCodes(
        dense.astype(np.float32),
        grid_shape=grid,
        image_shape=(site * grid[0], site * grid[1] - 1, 3),
        thumbnails=rng.random((n_images, *grid, 3)),
    )


WIDE, TALL = make_codes(2, (5, 6)), make_codes(1, (7, 3), seed=1)
SIZES = [(20, 23), (20, 23), (28, 11)]


# Photos of different sizes -----------------------------------------------------------


@every_segmenter
@pytest.mark.parametrize("container", [list, tuple])
def test_lists_of_codes_give_lists_of_label_maps(segmenter, container):
    photos = container([WIDE, TALL])
    segmenter = clone(segmenter)
    labels = segmenter.fit_predict(photos)
    assert isinstance(labels, list)
    assert [one.shape for one in labels] == SIZES
    assert segmenter.confidence_.shape == (3,)
    for one, again in zip(labels, segmenter.predict(photos)):
        assert_array_equal(one, again)
    assert_array_equal(segmenter.predict_confidence(photos), segmenter.confidence_)
    assert segmenter.score(photos, labels) == 1
    assert (segmenter.n_atoms_, segmenter.grid_shape_) == (4, None)


@every_segmenter
def test_a_list_is_the_same_as_its_items(segmenter):
    segmenter = clone(segmenter).fit([WIDE, TALL])
    whole = segmenter.predict([WIDE, TALL])
    for one, again in zip(whole, [*segmenter.predict(WIDE), *segmenter.predict(TALL)]):
        assert_array_equal(one, again)
    confidence = [segmenter.predict_confidence(codes) for codes in (WIDE, TALL)]
    assert_array_equal(np.concatenate(confidence), segmenter.confidence_)


@every_segmenter
def test_a_list_of_photos_of_one_size_is_the_same_as_their_codes(segmenter):
    of_codes = clone(segmenter).fit(WIDE)
    of_list = clone(segmenter).fit([WIDE[0], WIDE[1]])
    assert_array_equal(np.stack(of_list.labels_), of_codes.labels_)
    assert_array_equal(of_list.confidence_, of_codes.confidence_)
    assert (of_list.grid_shape_, of_list.n_features_in_) == ((5, 6), 120)
    assert_array_equal(np.stack(of_codes.predict(list(WIDE))), of_codes.labels_)


def test_items_without_images_give_no_label_maps():
    for segmenter in SEGMENTERS:
        segmenter = clone(segmenter).fit([WIDE[:0], TALL])
        assert len(segmenter.labels_) == 1
        assert segmenter.predict([]) == []
        assert segmenter.predict(WIDE[:0]).shape == (0, 20, 23)


def test_masks_of_different_sizes_score_photos_of_different_sizes():
    segmenter = KMeansSegmenter(3, random_state=0).fit([WIDE, TALL])
    ragged = np.empty(3, object)
    ragged[:] = segmenter.labels_
    assert segmenter.score([WIDE, TALL], ragged) == 1
    channel = [mask[..., None] for mask in segmenter.labels_]
    assert segmenter.score([WIDE, TALL], channel) == 1
    halves = segmenter.score([WIDE], segmenter.labels_[:2])
    rest = segmenter.score([TALL], segmenter.labels_[2:])
    assert (halves, rest) == (1, 1)


def test_cross_validation_on_a_list_of_photos():
    photos = [*WIDE, TALL, *make_codes(3, (4, 4), seed=2)]
    masks = KMeansSegmenter(3, random_state=0).fit(photos).labels_
    scores = cross_val_score(KMeansSegmenter(3, random_state=0), photos, masks, cv=3)
    assert_array_equal(scores, np.ones(3))


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([], "codes of 0 images"),
        ([WIDE[:0]], "codes of 0 images"),
        ([WIDE, WIDE.toarray()], r"X\[1\] of type ndarray in a list"),
        ([sparse.vstack([WIDE, WIDE])], r"X\[0\] of type csr_array in a list"),
        ([WIDE, make_codes(1, (2, 2), n_atoms=5)], "5 atoms per site; expected 4"),
        ([WIDE, TALL * np.nan], r"X\[1\] of type csr_array"),
    ],
)
def test_lists_that_are_none(X, message):
    for segmenter in SEGMENTERS:
        with pytest.raises(ValueError, match=message):
            clone(segmenter).fit(X)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (None, "None masks as y"),
        ([np.ones((4, 4))], "1 masks as y; expected one mask for each of the 3"),
        ([np.ones(4)] * 3, r"mask of shape \(4,\) in y"),
        ([np.ones((4, 4, 3))] * 3, r"mask of shape \(4, 4, 3\) in y"),
        ([np.ones((0, 4))] * 3, r"mask of shape \(0, 4\) in y"),
        ([np.full((4, 4), np.nan)] * 3, "mask of type float64 in y"),
        ([np.full((4, 4), "a")] * 3, "mask of type <U1 in y"),
        ([np.ones((4, 4), object)] * 3, "mask of type object in y"),
        ([np.ma.ones((4, 4))] * 3, "masked array"),
    ],
)
def test_masks_that_are_none(y, message):
    segmenter = KMeansSegmenter(random_state=0).fit([WIDE, TALL])
    with pytest.raises(ValueError, match=message):
        segmenter.score([WIDE, TALL], y)


# The grid, and the parameters, of the fit --------------------------------------------


@every_segmenter
@pytest.mark.parametrize("container", [sparse.csr_array, sparse.csc_matrix, np.asarray])
def test_a_plain_matrix_is_read_with_the_grid_of_the_fit(segmenter, container):
    bare = SparseCodes(WIDE, grid_shape=(5, 6), image_shape=(20, 23))
    segmenter = clone(segmenter).fit(bare)
    assert segmenter.grid_shape_ == (5, 6)
    plain = container(bare.toarray())
    assert_array_equal(segmenter.predict(plain), segmenter.labels_)
    assert_array_equal(segmenter.predict_confidence(plain), segmenter.confidence_)
    assert segmenter.score(plain, segmenter.labels_) == 1


def test_a_plain_matrix_that_does_not_fit_the_grid_of_the_fit():
    for segmenter in SEGMENTERS:
        segmenter = clone(segmenter).fit(WIDE)
        with pytest.raises(ValueError, match=r"7 columns; expected 5 \* 6"):
            segmenter.predict(np.ones((2, 7)))
        with pytest.raises(ValueError, match="2 atoms per site; expected 4"):
            segmenter.predict(np.ones((2, 60)))
        segmenter.fit([WIDE, TALL])
        with pytest.raises(ValueError, match="plain matrix of shape .* as X"):
            segmenter.predict(np.ones((2, 120)))


def test_codes_that_have_lost_their_grid_are_no_scene():
    stacked = sparse.vstack([WIDE, WIDE])
    for segmenter in SEGMENTERS:
        labels = clone(segmenter).fit(WIDE).predict(stacked)
        assert labels.shape == (4, 20, 23)
        joined = concatenate_codes([WIDE, WIDE])
        assert clone(segmenter).fit_predict(joined).shape == (4, 20, 23)


@every_scene
def test_codes_of_images_are_refused_after_a_fit_to_a_scene(segmenter):
    segmenter = clone(segmenter).fit(WIDE.toarray())
    for X in (WIDE, [WIDE], []):
        with pytest.raises(ValueError, match="fit saw a plain matrix without a grid"):
            segmenter.predict(X)


@every_segmenter
def test_parameters_that_are_set_later_do_not_count(segmenter):
    segmenter = clone(segmenter).fit(WIDE)
    labels, confidence = segmenter.labels_, segmenter.confidence_
    foreground = None if segmenter.foreground else "boundary"
    segmenter.set_params(
        n_clusters=7,
        foreground=foreground,
        resolution="grid",
        grid_shape=(6, 5),
        min_confidence=1.0,
        random_state=1,
        n_init=1,
        n_jobs=2,
    )
    assert_array_equal(segmenter.predict(WIDE), labels)
    assert_array_equal(segmenter.predict_confidence(WIDE), confidence)
    assert segmenter.score(WIDE, labels) == 1
    assert segmenter.get_params()["n_clusters"] == 7


@every_scene
def test_a_scene_stays_one_when_parameters_are_set(segmenter):
    X = WIDE.sites().toarray()
    segmenter = clone(segmenter).fit(X)
    segmenter.set_params(grid_shape=(2, 2), foreground="boundary", n_clusters=2)
    assert_array_equal(segmenter.predict(X), segmenter.labels_)


@every_segmenter
def test_a_fit_that_fails_leaves_the_earlier_one(segmenter):
    segmenter = clone(segmenter).fit(WIDE)
    before = copy.deepcopy(vars(segmenter))
    for bad in (WIDE.toarray() * np.nan, [WIDE, 3 * TALL[:, :4]], WIDE[:0], "codes"):
        with pytest.raises(ValueError):
            segmenter.fit(bad)
        assert list(vars(segmenter)) == list(before)
        assert_array_equal(segmenter.predict(WIDE), before["labels_"])


def test_nothing_is_left_of_an_earlier_fit():
    segmenter = KMeansSegmenter(scope="dataset").fit(WIDE)
    segmenter.set_params(scope="image").fit([WIDE, TALL])
    assert not hasattr(segmenter, "cluster_centers_")
    assert not hasattr(segmenter, "n_features_in_")
    segmenter.fit(np.eye(4))
    assert not hasattr(segmenter, "n_atoms_")
    assert not hasattr(segmenter, "grid_shape_")


def test_own_parameters_come_first():
    names = list(inspect.signature(SpectralSegmenter).parameters)
    assert names[:6] == [
        "n_clusters",
        "threshold",
        "n_regions",
        "color_scale",
        "texture_scale",
        "radius",
    ]
    assert list(inspect.signature(KMeansSegmenter).parameters)[:2] == [
        "n_clusters",
        "scope",
    ]
    assert SpectralSegmenter().foreground == "auto"
    assert KMeansSegmenter(4).n_clusters == 4
    with pytest.raises(TypeError, match="positional"):
        KMeansSegmenter(4, "dataset")


# Equal rows, equal labels ------------------------------------------------------------


def n_labels_of_equal_rows(labels, rows):
    """Largest number of labels that rows of one value have."""
    _, group = np.unique(rows + 0.0, axis=0, return_inverse=True)
    return max(len(np.unique(labels[group == i])) for i in np.unique(group))


@every_scene
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_rows_of_three_values_get_three_labels(segmenter, container):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(3, 6))[rng.integers(0, 3, 30)]
    segmenter = clone(segmenter).fit(container(rows))
    assert n_labels_of_equal_rows(segmenter.labels_, rows) == 1
    assert len(np.unique(segmenter.labels_)) == 3
    assert_array_equal(segmenter.predict(container(rows)), segmenter.labels_)
    assert_allclose(segmenter.confidence_, 1)


scenes = hnp.arrays(
    np.float64,
    st.tuples(st.integers(1, 30), st.integers(1, 3)),
    elements=st.sampled_from([0.0, -0.0, 1.0, -2.0, 1e-8, 0.1, 3.0, 1e30]),
)


@settings(max_examples=60, deadline=None)
@given(scenes, st.integers(1, 6), st.booleans())
def test_equal_rows_have_equal_labels(rows, n_clusters, is_sparse):
    X = sparse.csr_array(rows) if is_sparse else rows
    for segmenter in SCENES:
        segmenter = clone(segmenter).set_params(n_clusters=n_clusters).fit(X)
        labels = segmenter.labels_
        assert labels.shape == (len(rows),)
        assert n_labels_of_equal_rows(labels, rows) == 1
        assert 0 <= labels.min() <= labels.max() < n_clusters
        assert n_labels_of_equal_rows(segmenter.predict(X), rows) == 1
        assert 0 <= segmenter.confidence_[0] <= 1


@settings(max_examples=25, deadline=None)
@given(
    hnp.arrays(
        np.float32,
        st.tuples(st.just(12), st.integers(1, 3)),
        elements=st.sampled_from([0.0, 1.0, -2.0, 0.1, 2.0**100, 2.0**-100]),
    )
)
def test_equal_sites_have_equal_labels_in_k_means(rows):
    codes = SparseCodes(rows.reshape(1, -1), grid_shape=(3, 4))
    for scope in ("image", "dataset"):
        labels = KMeansSegmenter(4, scope=scope, random_state=0).fit_predict(codes)
        assert n_labels_of_equal_rows(labels.ravel(), rows) == 1


def test_repeated_rows_weigh_in_the_embedding_as_often_as_they_come():
    rng = np.random.default_rng(0)
    rows, counts = rng.normal(size=(6, 4)), np.array([1, 3, 2, 1, 4, 2])
    once = spectral_embedding(rows, 3, counts.astype(float))
    every = spectral_embedding(np.repeat(rows, counts, axis=0), 3)
    cosines = np.repeat(once @ once.T, counts, axis=0)
    assert_allclose(np.repeat(cosines, counts, axis=1), every @ every.T, atol=1e-8)


@every_scene
@pytest.mark.parametrize(
    "X",
    [
        np.ones((1, 3)),
        np.ones((9, 3)),
        np.zeros((5, 2)),
        sparse.csr_array((5, 2)),
        sparse.csr_array((np.zeros(3), ([0, 1, 2], [0, 1, 1])), shape=(5, 2)),
        np.full((9, 2), 0.1) + 1e-9 * np.random.default_rng(0).normal(size=(9, 2)),
        np.full((9, 2), 1e30, np.float32),
    ],
    ids=["one", "ones", "zeros", "empty", "explicit", "rounding", "large"],
)
def test_scenes_without_contrast_have_one_label(segmenter, X):
    segmenter = clone(segmenter).fit(X)
    assert_array_equal(segmenter.labels_, np.zeros(X.shape[0]))
    assert_array_equal(segmenter.confidence_, [0])


@every_scene
def test_large_values_are_no_other_scene(segmenter):
    rows = np.random.default_rng(0).normal(size=(20, 3))
    labels = clone(segmenter).fit_predict(rows)
    large = (np.float32(2.0**100) * rows.astype(np.float32)).astype(np.float32)
    assert_array_equal(clone(segmenter).fit_predict(large), labels)
    with pytest.raises(ValueError, match=r"values up to .*Scale X"):
        clone(segmenter).fit(1e200 * rows)


@every_scene
def test_masked_scenes_are_refused(segmenter):
    with pytest.raises(ValueError, match="masked array as X"):
        clone(segmenter).fit(np.ma.array(np.eye(4), mask=np.eye(4) == 1))


# Constant images ---------------------------------------------------------------------

CONSTANT = np.random.default_rng(0).normal(size=8)


@pytest.mark.parametrize("foreground", [None, "boundary"])
@pytest.mark.parametrize("Segmenter", [KMeansSegmenter, SpectralSegmenter])
@pytest.mark.parametrize("has_thumbnails", [True, False])
@pytest.mark.parametrize(
    "noise",
    [
        lambda rng: np.zeros((30, 8)),
        lambda rng: 1e-6 * CONSTANT * rng.normal(size=(30, 8)),
        lambda rng: 1e-6 * (rng.random((30, 8)) < 0.2) * rng.normal(size=(30, 8)),
    ],
    ids=["none", "rounding", "pursuit of rounding"],
)
@pytest.mark.parametrize("scale", [1e-20, 1.0, 1e20])
def test_constant_images_are_one_segment(
    noise, scale, has_thumbnails, Segmenter, foreground
):
    sites = scale * (CONSTANT + noise(np.random.default_rng(1)))
    codes = SparseCodes(
        sites.reshape(1, -1).astype(np.float32),
        grid_shape=(5, 6),
        thumbnails=np.full((1, 5, 6, 3), 0.3) if has_thumbnails else None,
    )
    segmenter = Segmenter(5, foreground=foreground, random_state=0).fit(codes)
    assert_array_equal(segmenter.labels_, np.zeros((1, 5, 6)))
    assert_array_equal(segmenter.confidence_, [0])


@pytest.mark.parametrize("Segmenter", [KMeansSegmenter, SpectralSegmenter])
def test_a_single_colour_is_one_segment_whatever_its_padding_does(Segmenter):
    sites = np.tile(np.arange(1.0, 9.0), (5, 6, 1))
    sites[[0, -1], :, 0] *= 1.1
    bare = SparseCodes(sites.reshape(1, -1), grid_shape=(5, 6))
    grey = np.full((1, 5, 6, 3), 0.3)
    codes = SparseCodes(bare, grid_shape=(5, 6), thumbnails=grey)
    segmenter = Segmenter(3, foreground=None, random_state=0)
    assert len(np.unique(segmenter.fit_predict(bare))) == 2 + (
        Segmenter is SpectralSegmenter
    )
    assert not segmenter.fit_predict(codes).any()
    assert segmenter.confidence_[0] == 0


@pytest.mark.parametrize("Segmenter", [KMeansSegmenter, SpectralSegmenter])
def test_a_texture_of_one_mean_colour_is_seen(Segmenter):
    sites = np.zeros((8, 8, 3))
    sites[..., 0] = 4.0
    sites[2:6, 2:6, 1] = 1.0
    codes = SparseCodes(
        sites.reshape(1, -1),
        grid_shape=(8, 8),
        thumbnails=np.full((1, 8, 8, 3), 0.5),
    )
    labels = Segmenter(foreground=None, random_state=0).fit_predict(codes)[0]
    assert labels[4, 4] != labels[0, 0]
