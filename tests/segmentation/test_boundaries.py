"""Boundaries, what they enclose, and the steps that find them."""

import itertools
import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import adjusted_rand_score

from sklearn_sparsevae.codes import SparseCodes
from sklearn_sparsevae.segmentation import SpectralSegmenter, cut_boundaries
from sklearn_sparsevae.segmentation import _half_discs as half_discs
from sklearn_sparsevae.segmentation._contours import (
    RADIUS,
    boundary_hierarchy,
    soft_bins,
)
from sklearn_sparsevae.segmentation._half_discs import (
    N_DIRECTIONS,
    half_disc_differences,
)
from sklearn_sparsevae.segmentation._hierarchy import (
    arc_strength,
    find_arcs,
    merge,
    small_regions,
)
from sklearn_sparsevae.segmentation._pictures import Picture


def shapes_on_grey(height=96, width=128, noise=0.0):
    """A disc and a square in front of grey, and which is where."""
    rows, columns = np.indices((height, width))
    truth = ((rows - 44) ** 2 + (columns - 40) ** 2 < 28**2).astype(int)
    truth[20:72, 84:116] = 2
    colors = np.array([(0.5, 0.5, 0.5), (0.8, 0.3, 0.2), (0.2, 0.4, 0.8)])
    photo = colors[truth]
    photo = photo + noise * np.random.default_rng(0).normal(size=photo.shape)
    return np.clip(photo, 0, 1), truth


def as_codes(photo, site=8):
    """Codes with a thumbnail of half the size, as encoders give them."""
    height, width, n_channels = photo.shape
    grid = -(-height // site), -(-width // site)
    padding = [(0, g * site - n) for g, n in zip(grid, (height, width))]
    whole = np.pad(photo, [*padding, (0, 0)], mode="edge")
    small = whole.reshape(grid[0] * site // 2, 2, grid[1] * site // 2, 2, n_channels)
    sites = np.ones((1, grid[0] * grid[1]), np.float32)
    return SparseCodes(
        sites,
        grid_shape=grid,
        image_shape=photo.shape,
        thumbnails=small.mean(axis=(1, 3))[None],
    )


@pytest.fixture(scope="module")
def noisy():
    """Codes of a noisy photo, and its boundaries."""
    codes = as_codes(shapes_on_grey(noise=0.1)[0])
    segmenter = SpectralSegmenter(n_clusters="auto").fit(codes)
    return codes, segmenter.predict_boundaries(codes)[0]


@pytest.fixture(scope="module")
def hierarchy():
    """Hierarchy of random strengths of the regions of a random picture."""
    rng = np.random.default_rng(0)
    regions = small_regions(rng.random((20, 30)))
    arcs = find_arcs(regions)
    return merge(regions, arcs, rng.random(len(arcs.first)))


def n_of(labels):
    return len(np.unique(labels))


def are_nested(fine, coarse):
    """Whether each region of one map lies within one of the other."""
    return n_of(fine * (coarse.max() + 1) + coarse) == n_of(fine)


class TestSegmenter:
    def test_parts_are_found_by_themselves(self):
        photo, truth = shapes_on_grey(noise=0.03)
        codes = as_codes(photo)
        labels = SpectralSegmenter(n_clusters="auto").fit_predict(codes)[0]
        assert labels.shape == truth.shape
        assert n_of(labels) == 3
        assert adjusted_rand_score(truth.ravel(), labels.ravel()) > 0.9

    @pytest.mark.parametrize("n_clusters", [1, 3, 4, 7])
    def test_as_many_regions_as_asked_for(self, noisy, n_clusters):
        segmenter = SpectralSegmenter(n_clusters, foreground=None)
        labels = segmenter.fit_predict(noisy[0])[0]
        assert_array_equal(np.unique(labels), np.arange(n_clusters))

    def test_more_regions_than_there_are(self):
        photo, _ = shapes_on_grey()
        few = SpectralSegmenter(10_000).fit_predict(as_codes(photo))[0]
        assert 3 <= n_of(few) < 10_000

    def test_labels_are_those_of_the_boundaries(self, noisy):
        codes, boundaries = noisy
        for threshold in (0.1, 0.3, 0.6, 1):
            segmenter = SpectralSegmenter(n_clusters="auto", threshold=threshold)
            labels = segmenter.fit_predict(codes)[0]
            assert_array_equal(cut_boundaries(boundaries, threshold), labels)

    def test_one_region_has_no_boundaries(self):
        codes = as_codes(np.full((24, 32, 3), 0.4))
        segmenter = SpectralSegmenter(n_clusters="auto").fit(codes)
        assert not segmenter.predict_boundaries(codes).any()
        assert not segmenter.labels_.any()
        assert segmenter.confidence_[0] == 0

    def test_a_mirrored_photo_has_mirrored_boundaries(self):
        photo, _ = shapes_on_grey(noise=0.05)
        turned = [photo, photo[:, ::-1], photo[::-1], photo.transpose(1, 0, 2)]
        labels = [SpectralSegmenter(3).fit_predict(as_codes(one))[0] for one in turned]
        back = [labels[1][:, ::-1], labels[2][::-1], labels[3].T]
        for one in back:
            assert adjusted_rand_score(labels[0].ravel(), one.ravel()) > 0.95

    def test_grey_photos_and_latents(self):
        photo, truth = shapes_on_grey()
        grey = photo[..., :1]
        latents = SparseCodes(
            photo.reshape(1, -1).astype(np.float32), grid_shape=truth.shape
        )
        for codes in (as_codes(grey), latents):
            labels = SpectralSegmenter(3).fit_predict(codes)[0]
            assert adjusted_rand_score(truth.ravel(), labels.ravel()) > 0.9

    def test_lists_and_the_grid(self):
        photo, truth = shapes_on_grey()
        codes = [as_codes(photo), as_codes(photo[:80, :67])]
        segmenter = SpectralSegmenter(n_clusters="auto").fit(codes)
        maps = segmenter.predict_boundaries(codes)
        assert [one.shape for one in maps] == [(96, 128), (80, 67)]
        segmenter.set_params(resolution="grid").fit(codes[0])
        assert segmenter.predict_boundaries(codes[0]).shape == (1, 12, 16)
        assert segmenter.labels_.shape == (1, 12, 16)

    def test_what_has_no_neighbours_has_no_boundaries(self):
        with pytest.raises(ValueError, match="'auto' with a plain matrix"):
            SpectralSegmenter(n_clusters="auto").fit(np.eye(5))
        with pytest.raises(ValueError, match="fitted to one scene"):
            SpectralSegmenter().fit(np.eye(5)).predict_boundaries(np.eye(5))

    def test_the_foreground_needs_a_number(self, noisy):
        segmenter = SpectralSegmenter(n_clusters="auto", foreground="boundary")
        with pytest.raises(ValueError, match="expected a number, such as 2"):
            segmenter.fit(noisy[0])


class TestHierarchy:
    def test_cuts_are_nested(self, hierarchy, noisy):
        heights = hierarchy.heights
        cuts = [hierarchy.cut(threshold=t) for t in np.quantile(heights, [0, 0.5, 0.9])]
        cuts += [hierarchy.cut(n_regions=n) for n in (5, 2, 1)]
        cuts = [hierarchy.regions, *cuts]
        assert all(are_nested(*pair) for pair in itertools.pairwise(cuts))
        maps = [cut_boundaries(noisy[1], t) for t in np.linspace(0, 1, 8)]
        assert all(are_nested(*pair) for pair in itertools.pairwise(maps))

    def test_the_number_of_regions_is_exact(self, hierarchy):
        n_small = len(hierarchy.heights) + 1
        for n in (1, 2, 3, 10, n_small, n_small + 5):
            labels = hierarchy.cut(n_regions=n)
            assert_array_equal(np.unique(labels), np.arange(min(n, n_small)))

    def test_heights_are_an_ultrametric(self, hierarchy):
        n_small = len(hierarchy.heights) + 1
        a, b = np.indices((n_small, n_small)).reshape(2, -1)
        apart = hierarchy.height_between(a, b).reshape(n_small, n_small)
        assert_array_equal(apart, apart.T)
        assert not apart.diagonal().any()
        largest = np.maximum(apart[:, :, None], apart[None])  # (i, k, j)
        assert (apart <= largest.min(axis=1) + 1e-12).all()

    def test_heights_are_those_of_the_cuts(self, hierarchy):
        regions = hierarchy.regions
        arcs = find_arcs(regions)
        heights = hierarchy.height_between(arcs.first, arcs.second)
        place = {label: np.flatnonzero(regions == label)[0] for label in range(9)}
        for threshold in np.quantile(hierarchy.heights, [0.2, 0.6, 0.95]):
            labels = hierarchy.cut(threshold=threshold).ravel()
            for i, j, height in zip(arcs.first, arcs.second, heights):
                if i in place and j in place:
                    one = labels[place[i]] == labels[place[j]]
                    assert one == (height <= threshold)

    def test_merging_is_what_a_loop_over_all_pairs_does(self):
        rng = np.random.default_rng(1)
        regions = small_regions(rng.random((12, 12)))
        arcs = find_arcs(regions)
        strength = rng.random(len(arcs.first))
        for power in (0.0, 0.3):
            found = merge(regions, arcs, strength, power).heights
            assert_allclose(found, merged_by_a_loop(regions, arcs, strength, power))


def merged_by_a_loop(regions, arcs, strength, power):
    """Heights of the merges, with the strength of all pairs computed anew each time."""
    member = np.arange(regions.max() + 1)
    area = np.bincount(regions.ravel()) / regions.size
    heights = [0.0]
    while len(np.unique(member)) > 1:
        totals, lengths = {}, {}
        rows = zip(arcs.first, arcs.second, arcs.length, strength)
        for i, j, length, value in rows:
            pair = tuple(sorted((member[i], member[j])))
            if pair[0] != pair[1]:
                totals[pair] = totals.get(pair, 0) + length * value
                lengths[pair] = lengths.get(pair, 0) + length
        weak = {
            (a, b): totals[a, b]
            / lengths[a, b]
            * min(area[member == a].sum(), area[member == b].sum()) ** power
            for a, b in totals
        }
        a, b = min(weak, key=weak.get)
        heights.append(max(heights[-1], weak[a, b]))
        member[member == b] = a
    return heights[1:]


class TestArcs:
    def test_arcs_know_length_and_direction(self):
        rows, columns = np.indices((20, 20))
        for labels, angle, length in [
            (columns >= 10, np.pi / 2, 20),
            (rows >= 10, 0, 20),
            (rows >= columns, np.pi / 4, 39),
            (rows + columns >= 20, 3 * np.pi / 4, 37),
        ]:
            arcs = find_arcs(labels.astype(int))
            assert len(arcs.first) == 1
            assert abs(arcs.length[0] - length) <= 2
            gap = (arcs.angle[0] - angle) % np.pi
            assert min(gap, np.pi - gap) < 0.03

    def test_an_arc_of_one_pixel_pair_runs_between_them(self):
        arcs = find_arcs(np.array([[0, 1]]))
        assert_allclose(arcs.angle, np.pi / 2)
        assert_allclose(find_arcs(np.array([[0], [1]])).angle, 0)

    def test_strength_is_that_along_the_arc(self):
        rows, columns = np.indices((24, 24))
        for side in (columns >= 12, rows >= 12, rows >= columns):
            maps = np.stack([side, ~side], axis=-1)
            strength = half_disc_differences(maps, [0, 2], RADIUS)[..., 0]
            arcs = find_arcs(side.astype(int))
            across = arc_strength(np.roll(strength, N_DIRECTIONS // 2, axis=0), arcs)
            assert arc_strength(strength, arcs)[0] > 0.6 > 0.4 > across[0]


class TestHalfDiscs:
    @pytest.fixture(params=["compiled", "array"])
    def path(self, request, monkeypatch):
        """Run with numba, and without it."""
        if request.param == "compiled":
            pytest.importorskip("numba")
        else:
            monkeypatch.setattr(half_discs, "_compiled_fill", lambda: None)

    def test_differences_are_those_of_both_histograms(self, path):
        rng = np.random.default_rng(0)
        maps = rng.dirichlet(np.ones(3), size=(14, 15))
        maps = np.concatenate([maps, rng.dirichlet(np.ones(2), size=(14, 15))], axis=2)
        found = half_disc_differences(maps, [0, 3, 5], RADIUS)
        assert found.shape == (N_DIRECTIONS, 14, 15, 2)
        down, right = np.mgrid[-RADIUS : RADIUS + 1, -RADIUS : RADIUS + 1]
        inside = (down**2 + right**2 <= RADIUS**2) & ((down != 0) | (right != 0))
        padded = np.pad(maps, [(RADIUS, RADIUS)] * 2 + [(0, 0)], mode="symmetric")
        for k, (y, x) in itertools.product((0, 3, 6), [(0, 0), (7, 7), (13, 2)]):
            angle = (k - 0.5) * np.pi / N_DIRECTIONS
            side = down * np.cos(angle) - right * np.sin(angle) > 0
            disc = padded[y : y + 2 * RADIUS + 1, x : x + 2 * RADIUS + 1]
            for h, bins in enumerate((slice(0, 3), slice(3, 5))):
                g, w = (disc[inside & half][:, bins] for half in (side, ~side))
                g, w = g.mean(axis=0), w.mean(axis=0)
                expected = ((g - w) ** 2 / (g + w)).sum() / 2
                assert_allclose(found[k, y, x, h], expected, atol=1e-5)

    def test_what_is_the_same_everywhere_differs_nowhere(self, path):
        maps = soft_bins(np.full((9, 4), 40.0), 0, 100)
        assert_allclose(maps.sum(axis=2), 1, atol=1e-6)
        found = half_disc_differences(maps, [0, maps.shape[2]], RADIUS)
        assert_allclose(found, 0, atol=1e-6)

    def test_two_that_share_nothing_differ_by_one(self, path):
        side = np.indices((30, 30))[1] >= 15
        found = half_disc_differences(np.stack([side, ~side], axis=-1), [0, 2], 5)
        assert found.max() <= 1 + 1e-5
        assert found[:, :, 14:16].max() > 0.75
        assert_allclose(found[:, :, :9], 0, atol=1e-6)

    def test_numba_is_not_needed(self):
        script = """if True:
            import sys
            sys.modules["numba"] = None
            import numpy as np
            from sklearn_sparsevae.segmentation import _half_discs
            maps = np.ones((4, 4, 1))
            sys.exit(int(_half_discs.half_disc_differences(maps, [0, 1], 2).any()))
        """
        subprocess.run([sys.executable, "-c", script], check=True)


def test_texture_alone_parts_regions():
    """Stripes of one mean colour that run in two directions."""
    rows, columns = np.indices((72, 96))
    left = columns < 48
    wave = np.where(left, np.sin(2.1 * rows), np.sin(2.1 * columns))
    lab = np.zeros((72, 96, 3))
    lab[..., 0] = 50 + 15 * wave
    no_codes = {
        "code_shares": np.ones((1, 1, 1), np.float32),
        "site": lab.shape[:2],
    }
    picture = Picture(lab, is_lab=True, is_flat=False, pixel=(1.0, 1.0), **no_codes)
    labels = boundary_hierarchy(picture).cut(n_regions=2)
    assert adjusted_rand_score(left.ravel(), labels.ravel()) > 0.7


class TestCutBoundaries:
    def test_corners_belong_to_their_region(self):
        # Regions of 2 by 2 pixels; two have a corner between two boundaries.
        regions = np.arange(6).reshape(2, 3).repeat(2, axis=0).repeat(2, axis=1)
        boundaries = np.zeros(regions.shape)
        boundaries[:, 1:-1:2] = 0.5
        boundaries[1] = 0.5
        assert_array_equal(cut_boundaries(boundaries, 0.2), regions)
        assert not cut_boundaries(boundaries, 0.5).any()

    @pytest.mark.parametrize(
        ("boundaries", "threshold", "error", "message"),
        [
            (np.zeros((1, 4, 4)), 0.5, ValueError, r"shape \(1, 4, 4\).*\(H, W\)"),
            (np.full((4, 4), np.nan), 0.5, ValueError, "finite numbers"),
            (np.zeros((0, 4)), 0.5, ValueError, "one map"),
            (np.zeros((4, 4)), "0.5", TypeError, "threshold='0.5'"),
            (np.zeros((4, 4)), np.nan, ValueError, "threshold=nan"),
        ],
    )
    def test_what_is_no_map_is_refused(self, boundaries, threshold, error, message):
        with pytest.raises(error, match=message):
            cut_boundaries(boundaries, threshold)
