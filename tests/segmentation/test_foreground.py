"""Foreground from cues, regions and colour edges, piece by piece."""

import ast
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import sparse
from scipy.linalg import eigh, subspace_angles
from scipy.sparse import csgraph
from scipy.spatial.distance import cdist
from scipy.special import logit

from sklearn_sparsevae.codes import SparseCodes
from sklearn_sparsevae.segmentation import KMeansSegmenter, SpectralSegmenter, _boundary
from sklearn_sparsevae.segmentation import _constants as constants
from sklearn_sparsevae.segmentation._boundary import (
    border_affinity,
    border_distance,
    border_sites,
    factorize,
    linked_pairs,
    neighbor_pairs,
    pair_lengths,
    relax,
)
from sklearn_sparsevae.segmentation._edges import (
    MAX_PIXELS,
    color_edges,
    shrink_thumbnail,
)
from sklearn_sparsevae.segmentation._foreground import (
    foreground_confidence,
    object_cues,
    object_probability,
)
from sklearn_sparsevae.segmentation._normalized_cut import local_embedding, nearby_pairs
from sklearn_sparsevae.segmentation._sites import Sites, look, site_texture

SEGMENTERS = [
    SpectralSegmenter(random_state=0),
    KMeansSegmenter(foreground="boundary", random_state=0),
]


def disk(shape, radius, center=None):
    rows, columns = np.indices(shape)
    center = center or (shape[0] / 2, shape[1] / 2)
    return np.hypot(rows + 0.5 - center[0], columns + 0.5 - center[1]) < radius


def photo_of(mask, inside=(0.8, 0.3, 0.2), outside=(0.3, 0.4, 0.6), noise=0.0):
    photo = np.where(mask[..., None], inside, outside)
    return np.clip(
        photo + noise * np.random.default_rng(0).normal(size=photo.shape), 0, 1
    )


def code(photo, site=8, shrink=2):
    """Codes of the mean colours of sites, with thumbnails; sides must be divisible."""
    height, width, n_channels = photo.shape
    grid = height // site, width // site
    means = photo.reshape(grid[0], site, grid[1], site, n_channels).mean((1, 3))
    rest = height // shrink, shrink, width // shrink, shrink, n_channels
    return SparseCodes(
        means.reshape(1, -1).astype(np.float32),
        grid_shape=grid,
        image_shape=photo.shape,
        thumbnails=photo.reshape(rest).mean((1, 3))[None],
    )


def iou(a, b):
    return np.sum((a > 0) & (b > 0)) / np.sum((a > 0) | (b > 0))


def random_sites(grid, seed=0, n_colors=3):
    rng = np.random.default_rng(seed)
    n = grid[0] * grid[1]
    return Sites(
        grid, 20 * rng.normal(size=(n, n_colors)), rng.normal(size=(n, 2)), True
    )


# Cues --------------------------------------------------------------------------------


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 50))
def test_border_affinity_is_the_share_on_the_border(height, width, seed):
    features = np.random.default_rng(seed).normal(size=(height * width, 2))
    found = border_affinity(features, (height, width), scale=0.7)
    on_border = np.ones((height, width), bool)
    on_border[1:-1, 1:-1] = False
    for i, row in enumerate(features):
        alike = [np.exp(-((row - other) ** 2).sum() / (2 * 0.49)) for other in features]
        share = sum(w for w, b in zip(alike, on_border.ravel()) if b) / sum(alike)
        assert found[i] == pytest.approx(
            np.log(share / on_border.mean() + 0.02), abs=1e-5
        )


def test_a_texture_of_its_own_makes_an_object():
    inside = disk((24, 24), 7)
    rng = np.random.default_rng(0)
    atoms = np.where(inside.ravel(), 3, 0) + rng.integers(0, 3, inside.size)
    sites = np.zeros((inside.size, 6), np.float32)
    sites[np.arange(inside.size), atoms] = rng.choice([-1, 1], inside.size)
    gray = np.full((1, 24, 24, 3), 0.5)
    codes = SparseCodes(sites.reshape(1, -1), grid_shape=(24, 24), thumbnails=gray)
    probability = object_probability(look(codes)).reshape(24, 24)
    assert probability[inside].mean() > 3 * probability[~inside].mean()


def test_texture_does_not_depend_on_signs_and_has_unit_variance():
    rng = np.random.default_rng(0)
    usage = sparse.csr_array(rng.random((48, 5)) * (rng.random((48, 5)) > 0.6))
    texture = site_texture(usage, (6, 8))
    assert texture.var(axis=0).sum() == pytest.approx(1)
    assert not site_texture(sparse.csr_array(np.ones((48, 5))), (6, 8)).any()
    signs = SparseCodes(
        rng.choice([-1, 1], (1, 48 * 5)) * usage.toarray().reshape(1, -1),
        grid_shape=(6, 8),
    )
    assert_allclose(abs(look(signs).texture), abs(texture), atol=1e-5)


def test_confidence_is_how_little_the_mask_depends_on_the_threshold(rng):
    inside = np.repeat([True, False], [30, 90])
    color = np.where(inside[:, None], 300.0, 0.0)
    sure, saliency = inside.astype(float), np.where(inside, 0.82, 0.32)
    saliency[:10] = 0.62
    # The cues agree at all thresholds, 0.05 to 0.95. Of the saliency, all sites are
    # above six of them, the mask above six, 20 of its 30 above four, and none above 3.
    expected = (1 + (6 * 30 / 120 + 6 + 4 * 20 / 30) / 19) / 2
    found = foreground_confidence(saliency, sure, color)
    assert found == pytest.approx(expected)
    assert foreground_confidence(sure, sure, color) == pytest.approx(1)
    assert foreground_confidence(saliency, rng.random(120), color) < found
    dull = foreground_confidence(saliency, sure, color / 150)
    assert dull < found / 2
    for nothing in (0.1, 0.9):
        assert foreground_confidence(np.full(120, nothing), sure, color) == 0


@pytest.mark.parametrize("grid", [(1, 1), (1, 5), (5, 7), (2, 2)])
def test_border_distance_is_that_of_the_nearest_border_site(grid):
    features = random_sites(grid).color
    found = border_distance(features, grid)
    on_border = border_sites(grid)
    assert_allclose(found[on_border], 0, atol=1e-5)
    if grid == (5, 7):
        lengths = pair_lengths(features, neighbor_pairs(grid), grid)
        graph = sparse.csr_array((lengths, neighbor_pairs(grid)), shape=(35, 35))
        paths = csgraph.dijkstra(graph, directed=False)
        assert_allclose(found, paths[:, on_border].min(axis=1), atol=1e-5)
        assert found.max() > 1


def test_each_cue_is_larger_within_the_object():
    mask = disk((192, 192), 45)
    codes = code(photo_of(mask, noise=0.05))
    sites = look(codes)
    inside = mask.reshape(24, 8, 24, 8).mean((1, 3)).ravel() > 0.5
    cues = object_cues(sites)
    assert list(cues) == list(constants.CUE_MEANS) == list(constants.CUE_DEVIATIONS)
    for name, cue in cues.items():
        assert cue[inside].mean() > cue[~inside].mean(), name


def test_cues_have_equal_weights():
    sites = random_sites((6, 7))
    cues = object_cues(sites)
    scaled = [
        (c - constants.CUE_MEANS[n]) / constants.CUE_DEVIATIONS[n]
        for n, c in cues.items()
    ]
    odds = logit(object_probability(sites)) - constants.PRIOR_LOG_ODDS
    assert_allclose(odds, sum(scaled) / 2)
    others = sites._replace(is_lab=False)
    odds = logit(object_probability(others)) - constants.PRIOR_LOG_ODDS
    assert_allclose(odds, sum(scaled[:3]) / np.sqrt(3))


def test_every_constant_says_where_it_comes_from():
    helpers = {"CHOSEN", "STANDARDIZED", "SOURCES"}
    names = {n for n in vars(constants) if n.isupper()} - helpers
    assert names == set(constants.SOURCES)
    for name, source in constants.SOURCES.items():
        kind, _, which = source.partition(": ")
        assert source == constants.CHOSEN or (kind in ("rule", "literature") and which)
        assert "fitted" not in source, name
    # Nor are there numbers elsewhere that decide what is an object.
    folder = Path(constants.__file__).parent
    for module in ("_foreground", "_boundary"):
        tree = ast.parse((folder / f"{module}.py").read_text())
        assigned = [
            target.id
            for node in tree.body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if target.id.isupper() and not target.id.startswith("_")
        ]
        assert assigned == []


# Regions -----------------------------------------------------------------------------


@pytest.mark.parametrize("grid", [(1, 1), (1, 6), (5, 3), (4, 7)])
@pytest.mark.parametrize("radius", [1, 1.5, 2, 3.7])
def test_nearby_pairs_are_those_within_the_radius(grid, radius):
    place = np.indices(grid).reshape(2, -1).T
    apart = cdist(place, place)
    i, j = np.nonzero(np.triu(apart <= radius, 1))
    first, second = nearby_pairs(grid, radius)
    found = {tuple(sorted(pair)) for pair in zip(first, second)}
    assert found == set(zip(i, j)) and len(found) == len(first)


@pytest.mark.parametrize("grid", [(6, 7), (16, 20)])
def test_embedding_spans_the_leading_eigenvectors(grid):
    sites = random_sites(grid)
    n = len(sites.color)
    found = local_embedding(sites, 4, 15.0, 1.0, 3.0)
    color = cdist(sites.color, sites.color, "sqeuclidean") / (2 * 15.0**2)
    texture = cdist(sites.texture, sites.texture, "sqeuclidean") / 2
    place = np.indices(grid).reshape(2, -1).T
    affinity = np.exp(-color - texture) + 1e-4
    np.fill_diagonal(affinity, 1)
    affinity[cdist(place, place) > 3.0] = 0
    degree = np.diag(affinity.sum(axis=1))
    values, vectors = eigh(affinity, degree, subset_by_index=[n - 5, n - 1])
    assert values[1] - values[0] > 1e-4  # the subspace is well defined
    lengths = np.linalg.norm(vectors[:, 1:], axis=1)
    assert_allclose(np.linalg.norm(found, axis=1), 1)
    # Rows were scaled to unit length: undo that before spans are compared.
    assert subspace_angles(found * lengths[:, None], vectors[:, 1:]).max() < 1e-5


def test_regions_are_the_pieces_of_the_scene():
    labels = np.zeros((64, 64), int)
    labels[:, 32:] = 1
    labels[40:, :] = 2
    photo = np.array([(0.8, 0.2, 0.2), (0.2, 0.7, 0.3), (0.2, 0.3, 0.8)])[labels]
    found = SpectralSegmenter(3, random_state=0).fit_predict(code(photo))[0]
    sure = np.ones((64, 64), bool)
    sure[36:44] = sure[:, 28:36] = False
    for label in range(3):
        assert len(np.unique(found[sure & (labels == label)])) == 1
    assert len(np.unique(found)) == 3


def test_without_codes_texture_changes_nothing():
    mask = disk((128, 128), 30)
    codes = code(photo_of(mask, noise=0.1))
    labels = [
        SpectralSegmenter(4, texture_scale=np.inf, random_state=0).fit_predict(c)
        for c in (
            codes,
            SparseCodes(
                codes.multiply(0),
                grid_shape=codes.grid_shape,
                image_shape=codes.image_shape,
                thumbnails=codes.thumbnails,
            ),
        )
    ]
    np.testing.assert_array_equal(*labels)


# Edges -------------------------------------------------------------------------------


@pytest.mark.parametrize("n_steps", [1, 500])
def test_the_system_is_solved_in_any_number_of_steps(n_steps, monkeypatch):
    monkeypatch.setattr(_boundary, "_MOST_STEPS", n_steps)
    pairs = neighbor_pairs((5, 6))
    features = np.random.default_rng(0).normal(size=(30, 2))
    weight, pull = np.random.default_rng(1).random((2, 30)) + 0.1
    found = relax(features, pairs, weight, pull, 1.0, 0.1)
    system = np.diag(weight + 1e-6)
    for i, j in zip(*pairs):
        w = np.exp(-((features[i] - features[j]) ** 2).sum() / 2) + 0.1
        system[[i, j], [i, j]] += w
        system[[i, j], [j, i]] -= w
    expected = np.linalg.solve(system, pull)
    assert_allclose(found, expected, atol=1e-5)
    assert_allclose(factorize(sparse.csr_array(system))(pull), expected)


@pytest.mark.parametrize("grid_shape", [(3, 20), (20, 3), (1, 30), (7, 7)])
@pytest.mark.parametrize("pairs_of", [neighbor_pairs, linked_pairs])
def test_factorisation_does_not_depend_on_the_order_of_the_sites(grid_shape, pairs_of):
    first, second = pairs_of(grid_shape)
    rng, n_sites = np.random.default_rng(0), np.prod(grid_shape)
    system = np.diag(rng.random(n_sites) + 0.1)
    for i, j, w in zip(first, second, rng.random(len(first)), strict=True):
        system[[i, j], [i, j]] += w
        system[[i, j], [j, i]] -= w
    right, mixed = rng.normal(size=n_sites), rng.permutation(n_sites)
    expected = np.linalg.solve(system, right)
    for order in (np.arange(n_sites), mixed):
        solve = factorize(sparse.csr_array(system[np.ix_(order, order)]))
        assert_allclose(solve(right[order]), expected[order])


@pytest.mark.parametrize("n_channels", [1, 3])
def test_outlines_move_to_edges_of_colour(n_channels):
    mask = disk((128, 160), 37)
    photo = photo_of(mask, noise=0.05)[..., :n_channels]
    coarse, fine = (
        SpectralSegmenter(refine=refine, random_state=0).fit_predict(code(photo))[0]
        for refine in (None, "color")
    )
    assert iou(fine, mask) > 0.95
    assert iou(fine, mask) > iou(coarse, mask) + 0.04


def test_edges_leave_empty_and_full_maps_alone():
    thumbnail = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    for value in (0.1, 0.9):
        flat = np.full((9, 7), value)
        assert_allclose(color_edges(flat, thumbnail, 0), flat)


@pytest.mark.parametrize("shape", [(40, 50), (300, 200), (401, 399)])
def test_large_thumbnails_are_averaged(shape):
    photo = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    small = shrink_thumbnail(photo)
    assert small.shape[0] * small.shape[1] <= MAX_PIXELS
    step = -(-shape[0] // small.shape[0])
    assert_allclose(small[0, 0], photo[:step, :step].mean((0, 1)), atol=1)
    assert_allclose(
        small[-1, -1],
        photo[(small.shape[0] - 1) * step :, (small.shape[1] - 1) * step :].mean(
            (0, 1)
        ),
        atol=1,
    )


# What users see ----------------------------------------------------------------------


def test_two_clusters_mean_an_object_and_more_mean_regions():
    mask = disk((96, 96), 25)
    codes = code(photo_of(mask, noise=0.02))
    default = SpectralSegmenter(random_state=0).fit(codes)
    named = SpectralSegmenter(foreground="boundary", random_state=0).fit(codes)
    np.testing.assert_array_equal(default.labels_, named.labels_)
    assert default.score(codes, mask[None]) > 0.9
    regions = SpectralSegmenter(4, random_state=0).fit_predict(codes)
    assert len(np.unique(regions)) == 4
    scene = SpectralSegmenter(random_state=0).fit(np.eye(6).repeat(2, axis=0))
    assert scene.labels_.shape == (12,)


@pytest.mark.parametrize("segmenter", SEGMENTERS, ids=repr)
def test_textures_and_skies_have_no_object(segmenter):
    rng = np.random.default_rng(0)
    texture = np.clip(0.5 + 0.1 * rng.normal(size=(256, 256, 1)), 0, 1).repeat(3, 2)
    sky = np.linspace((0.5, 0.65, 0.9), (0.55, 0.7, 0.92), 256)[:, None].repeat(256, 1)
    for photo in (texture, sky):
        assert not segmenter.fit_predict(code(photo)).any()


@pytest.mark.parametrize("segmenter", SEGMENTERS, ids=repr)
@pytest.mark.parametrize("n_channels", [1, 3])
def test_hard_photos_have_a_valid_answer(segmenter, n_channels):
    rng = np.random.default_rng(0)
    framed = np.full((64, 64, n_channels), 0.5)
    framed[[0, -1]] = framed[:, [0, -1]] = 0
    photos = {
        "flat": np.full((64, 48, n_channels), 0.3),
        "noise": rng.random((64, 64, n_channels)),
        "frame": framed,
        "small": rng.random((16, 16, n_channels)),
    }
    for photo in photos.values():
        labels = segmenter.fit_predict(code(photo))
        assert labels.shape == (1, *photo.shape[:2])
        assert set(np.unique(labels)) <= {0, 1}
    assert not segmenter.fit_predict(code(photos["flat"])).any()


def test_a_large_photo_is_segmented_at_its_size():
    mask = disk((2000, 3000), 600)
    small = photo_of(mask[::4, ::4], noise=0.05)
    codes = code(small, site=2, shrink=1)
    codes.image_shape = (2000, 3000, 3)
    labels = SpectralSegmenter(random_state=0).fit_predict(codes)[0]
    assert labels.shape == (2000, 3000)
    assert iou(labels, mask) > 0.95
