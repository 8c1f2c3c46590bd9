"""What pooling of codes promises: textures that single sites do not tell apart."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.ndimage import gaussian_filter
from sklearn.metrics import adjusted_rand_score

from sklearn_sparsevae.codes import SparseCodes
from sklearn_sparsevae.segmentation import KMeansSegmenter, _kmeans, _pooling
from sklearn_sparsevae.segmentation._pooling import pooled_roots, pooled_tiles

SCOPES = pytest.mark.parametrize("scope", ["image", "dataset"])
N_ATOMS = 12


def textures(truth, seed=0):
    """Codes of one atom a site, of random sign, half of them of any texture."""
    rng = np.random.default_rng(seed)
    own = rng.integers(0, 4, truth.shape) + 4 * truth
    shared = rng.integers(8, N_ATOMS, truth.shape)
    atoms = np.where(rng.random(truth.shape) < 0.5, own, shared)
    values = np.eye(N_ATOMS)[atoms] * rng.choice([-1.0, 1.0], truth.shape)[..., None]
    return values.astype(np.float32)


def as_codes(*grids):
    flat = np.stack([grid.reshape(-1) for grid in grids])
    return SparseCodes(flat, grid_shape=grids[0].shape[:2])


def halves(height=32, width=40):
    truth = np.zeros((height, width), int)
    truth[:, width // 2 :] = 1
    return truth


def agreement(labels, truth):
    return adjusted_rand_score(np.ravel(labels), np.ravel(truth))


@SCOPES
def test_textures_part_by_what_is_pooled_and_not_by_sites(scope):
    truth = halves()
    codes = as_codes(textures(truth), textures(truth[:, ::-1], seed=1))
    settings = {"scope": scope, "random_state": 0}
    pooled = KMeansSegmenter(2, pooling=2.5, **settings).fit_predict(codes)
    single = KMeansSegmenter(2, **settings).fit_predict(codes)
    for found, alone, true in zip(pooled, single, (truth, truth[:, ::-1])):
        assert agreement(found, true) > 0.9
        assert agreement(alone, true) < 0.3


def test_signs_do_not_count():
    values = textures(halves())
    signs = np.random.default_rng(1).choice([-1, 1], values.shape)
    segmenter = KMeansSegmenter(2, pooling=1.5, random_state=0)
    labels = [segmenter.fit_predict(as_codes(x)) for x in (values, values * signs)]
    assert_array_equal(*labels)


def test_one_set_of_clusters_gives_a_texture_one_label():
    alone = [textures(np.full((16, 20), which), seed=which) for which in (0, 1)]
    segmenter = KMeansSegmenter(2, scope="dataset", pooling=2, random_state=0)
    labels = segmenter.fit_predict(as_codes(*alone))
    assert [len(np.unique(image)) for image in labels] == [1, 1]
    assert labels[0, 0, 0] != labels[1, 0, 0]
    both = halves(24, 40)
    found = segmenter.predict(as_codes(textures(both, seed=5)))[0]
    assert agreement(found, both) > 0.8
    assert np.bincount(found[both == 0]).argmax() == labels[0, 0, 0]


def test_roots_are_those_of_a_gaussian_average():
    rng = np.random.default_rng(0)
    usage = rng.random((30 * 26, 5)) * (rng.random((30 * 26, 5)) < 0.3)
    codes = as_codes(usage.reshape(30, 26, 5).astype(np.float32))
    for reach in (0.7, 2.0):
        # Zeros around both, as the average is one of the sites that there are.
        options = {"sigma": (reach, reach, 0), "mode": "constant", "truncate": 7}
        total = gaussian_filter(usage.reshape(30, 26, 5), **options)
        share = gaussian_filter(np.ones((30, 26, 1)), **options)
        expected = np.sqrt(total / share).reshape(-1, 5)
        roots = pooled_roots(abs(codes.sites()), (30, 26), reach)
        assert_allclose(roots, expected, atol=1e-5)


def test_codes_that_do_not_vary_stay():
    codes = as_codes(np.tile(np.float32([4, 0, 9]), (7, 9, 1)))
    for reach in (1e-310, 1, 1e300):
        roots = pooled_roots(abs(codes.sites()), (7, 9), reach)
        assert_allclose(roots, np.tile([2, 0, 3], (63, 1)), rtol=1e-6)
    for scope in ("image", "dataset"):
        flat = KMeansSegmenter(2, scope=scope, pooling=1.5, random_state=0).fit(codes)
        assert not flat.labels_.any()
        assert flat.confidence_ == 0


def test_tiles_give_what_the_whole_grid_does(monkeypatch):
    codes = as_codes(textures(halves(21, 34)))
    usage = abs(codes.sites())
    whole = pooled_roots(usage, (21, 34), 1.2)
    monkeypatch.setattr(_pooling, "_TILE", 8)
    seen = np.zeros(len(whole), int)
    for sites, roots in pooled_tiles(usage, (21, 34), 1.2):
        seen[sites] += 1
        assert_allclose(roots, whole[sites], atol=1e-6)
    assert (seen == 1).all()


@SCOPES
def test_a_sample_of_sites_is_enough(scope, monkeypatch):
    truth = halves()
    codes = as_codes(textures(truth), textures(truth, seed=1))
    monkeypatch.setattr(_kmeans, "_MAX_POOLED", 200)
    segmenter = KMeansSegmenter(2, scope=scope, pooling=2.5, random_state=0)
    for found in segmenter.fit_predict(codes):
        assert agreement(found, truth) > 0.9


@SCOPES
@pytest.mark.parametrize("size", [1e-30, 1e30])
def test_codes_of_any_size(scope, size):
    truth = halves()
    codes = as_codes(textures(truth) * np.float32(size))
    segmenter = KMeansSegmenter(2, scope=scope, pooling=2.5, random_state=0)
    assert agreement(segmenter.fit_predict(codes)[0], truth) > 0.9


def test_a_scene_has_no_neighbours():
    with pytest.raises(ValueError, match="rows have no neighbours; expected 0"):
        KMeansSegmenter(pooling=1).fit(np.ones((4, 2)))
    for bad in (-1, np.inf, np.nan, "wide"):
        with pytest.raises(ValueError, match="'pooling' parameter"):
            KMeansSegmenter(pooling=bad).fit(np.ones((4, 2)))
