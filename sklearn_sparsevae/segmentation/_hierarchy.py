"""Regions of a picture at all scales, from how strong a boundary is at every pixel.

The steps of Arbelaez et al. 2011, section 4: a watershed gives many small regions, each
arc between two of them is as strong as a boundary along it, on average, and neighbours
are merged, those with the weakest boundary between them first.
"""

import heapq
from typing import NamedTuple

import numpy as np
from scipy import ndimage
from skimage.segmentation import watershed

# Deviation, in pixels, of the Gaussian that smooths the strength before the watershed.
_SMOOTHING = 0.5


class Arcs(NamedTuple):
    """Where neighbouring regions meet: one arc for each pair of them.

    Attributes
    ----------
    first, second : ndarray of int of shape (n_arcs,)
        The regions, the smaller label first.
    length : ndarray of int of shape (n_arcs,)
        Pairs of 4-connected pixels across the arc.
    pixel_pairs : tuple of ndarray of int of shape (n_pixel_pairs,)
        Both pixels of all these pairs as places in the flattened picture, and the arc.
    angle : ndarray of shape (n_arcs,)
        Main direction of the arc, in [0, pi), from the rows towards larger rows.
    """

    first: np.ndarray
    second: np.ndarray
    length: np.ndarray
    pixel_pairs: tuple
    angle: np.ndarray

    def mean(self, values):
        """Mean of the values of all pixel pairs over each arc."""
        return np.bincount(self.pixel_pairs[2], values, len(self.length)) / self.length


class Hierarchy(NamedTuple):
    """Small regions, and the order in which they are merged.

    Attributes
    ----------
    regions : ndarray of int of shape (H, W)
        Labels of the small regions, from 0.
    children : ndarray of int of shape (n_regions - 1, 2)
        What step k merges into number ``n_regions + k``.
    heights : ndarray of shape (n_regions - 1,)
        Strength of the boundary that each step takes away; never falls.
    """

    regions: np.ndarray
    children: np.ndarray
    heights: np.ndarray

    @property
    def parents(self):
        """What each region becomes a part of; the last one is its own."""
        n_regions = len(self.heights) + 1
        parents = np.arange(n_regions + len(self.heights))
        parents[self.children.ravel()] = n_regions + np.repeat(
            np.arange(len(self.heights)), 2
        )
        return parents

    def cut(self, n_regions=None, threshold=None):
        """Label map of so many regions, or of all boundaries above a threshold.

        Returns
        -------
        labels : ndarray of int of shape (H, W)
            From 0, in the order in which the regions appear.
        """
        if n_regions is None:
            n_steps = int(np.searchsorted(self.heights, threshold, side="right"))
        else:
            n_steps = max(0, len(self.heights) + 1 - n_regions)
        n_small = len(self.heights) + 1
        parents, root = self.parents, np.arange(n_small)
        while True:
            above = parents[root]
            above = np.where(above < n_small + n_steps, above, root)
            if (above == root).all():
                break
            root = above
        labels = root[self.regions]
        _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
        return np.argsort(np.argsort(first))[inverse].reshape(labels.shape)

    def height_between(self, first, second):
        """Height at which regions become one, for pairs of small regions; else 0."""
        parents = self.parents
        a, b = np.minimum(first, second), np.maximum(first, second)
        apart = np.flatnonzero(a != b)
        while len(apart):
            # A number is smaller than that of what it becomes a part of.
            up, other = parents[a[apart]], b[apart]
            a[apart], b[apart] = np.minimum(up, other), np.maximum(up, other)
            apart = apart[up != other]
        n_small = len(self.heights) + 1
        return np.append(self.heights, 0.0)[np.where(first == second, -1, a - n_small)]

    def boundaries(self, regions):
        """Ultrametric map: how strong the boundary beside each pixel is.

        Parameters
        ----------
        regions : ndarray of int of shape (H, W)
            Small region of each pixel of a map of any size.

        Returns
        -------
        boundaries : ndarray of float32 of shape (H, W)
            The larger of the heights at which a pixel becomes one with its right and
            with its lower neighbour; 0 inside small regions.
        """
        boundaries = np.zeros(regions.shape, np.float32)
        pixels = (boundaries[:, :-1], boundaries[:-1])
        sides = (
            (regions[:, :-1], regions[:, 1:]),
            (regions[:-1], regions[1:]),
        )
        for part, (one, other) in zip(pixels, sides):
            apart = one != other
            heights = self.height_between(one[apart], other[apart])
            part[apart] = np.maximum(part[apart], heights)
        return boundaries


def small_regions(strength):
    """Label map of the catchment basins of a map of strength, from 0."""
    smooth = ndimage.gaussian_filter(strength, _SMOOTHING)
    lowest = smooth == ndimage.minimum_filter(smooth, 3)
    markers = ndimage.label(lowest, np.ones((3, 3)))[0]
    return watershed(smooth, markers) - 1


def find_arcs(regions):
    """Arcs between the regions of a label map.

    Returns
    -------
    arcs : Arcs
    """
    places = np.arange(regions.size).reshape(regions.shape)
    pairs = [(places[:, :-1], places[:, 1:]), (places[:-1], places[1:])]
    one, other = (np.concatenate([p[k].ravel() for p in pairs]) for k in (0, 1))
    labels = regions.ravel()
    across = labels[one] != labels[other]
    one, other = one[across], other[across]
    low = np.minimum(labels[one], labels[other]).astype(np.int64)
    high = np.maximum(labels[one], labels[other])
    n_regions = int(labels.max()) + 1
    keys, arc, length = np.unique(
        low * n_regions + high, return_inverse=True, return_counts=True
    )
    angle = _main_angle(one, other, arc, length, regions.shape[1])
    return Arcs(keys // n_regions, keys % n_regions, length, (one, other, arc), angle)


def _main_angle(one, other, arc, length, width):
    """Direction in which the middles of the pixel pairs of each arc lie."""
    middle = (np.stack(np.divmod(one, width)) + np.stack(np.divmod(other, width))) / 2
    mean = np.stack([np.bincount(arc, values) for values in middle]) / length
    down, right = middle - mean[:, arc]
    spread = [np.bincount(arc, v) for v in (down * down, right * right, down * right)]
    # A single pair says it by itself: the arc runs between its pixels.
    upright = np.bincount(arc, one // width == other // width, len(length))
    angle = np.arctan2(2 * spread[2], spread[1] - spread[0]) / 2 % np.pi
    return np.where(length == 1, upright * np.pi / 2, angle)


def arc_strength(strength, arcs):
    """Mean strength of the pixels along each arc, for a boundary in its direction.

    Parameters
    ----------
    strength : ndarray of shape (n, H, W)
        Direction k is that of ``half_disc_differences``.
    arcs : Arcs

    Returns
    -------
    strength : ndarray of shape (n_arcs,)
    """
    n, (one, other, arc) = len(strength), arcs.pixel_pairs
    flat = strength.reshape(n, -1)
    place = arcs.angle * n / np.pi + 0.5
    below = np.floor(place).astype(int)
    share = (place - below)[arc]
    values = 0.0
    for k, weight in ((below, 1 - share), (below + 1, share)):
        direction = k[arc] % n
        values = values + weight * (flat[direction, one] + flat[direction, other]) / 2
    return arcs.mean(values)


def merge(regions, arcs, strength, area_power=0.0):
    """Merge all regions, the pair with the weakest boundary between it first.

    The boundary of two regions that were merged from others is as strong as its arcs
    on average, each counted with its length, times a power of the share of the picture
    that the smaller region has. A heap over the pairs of neighbours takes
    ``O(n_arcs log n_arcs)`` steps.

    Parameters
    ----------
    regions : ndarray of int of shape (H, W)
    arcs : Arcs
    strength : ndarray of shape (n_arcs,)
    area_power : float

    Returns
    -------
    hierarchy : Hierarchy
    """
    n_regions = int(regions.max()) + 1
    neighbors = [{} for _ in range(n_regions)]
    areas = (np.bincount(regions.ravel()) / regions.size).tolist()
    heap = []
    rows = (arcs.first, arcs.second, arcs.length, strength * arcs.length)
    for a, b, length, total in zip(*(row.tolist() for row in rows)):
        neighbors[a][b] = neighbors[b][a] = (length, total)
        weight = min(areas[a], areas[b]) ** area_power
        heap.append((weight * total / length, a, b))
    heapq.heapify(heap)
    children, heights, height = [], [], 0.0
    while heap:
        value, a, b = heapq.heappop(heap)
        if neighbors[a] is None or neighbors[b] is None:
            continue
        height = max(height, value)
        children.append((a, b))
        heights.append(height)
        areas.append(areas[a] + areas[b])
        _join(neighbors, a, b)
        for other, (length, total) in neighbors[-1].items():
            weight = min(areas[other], areas[-1]) ** area_power
            heapq.heappush(heap, (weight * total / length, other, len(areas) - 1))
    return Hierarchy(
        regions, np.array(children, dtype=int).reshape(-1, 2), np.array(heights)
    )


def _join(neighbors, a, b):
    """Put a new region in the place of two: its neighbours, their strengths."""
    new, (few, many) = len(neighbors), sorted((neighbors[a], neighbors[b]), key=len)
    neighbors[a] = neighbors[b] = None
    for other, (length, total) in few.items():
        more = many.get(other, (0, 0.0))
        many[other] = length + more[0], total + more[1]
    del many[a], many[b]
    neighbors.append(many)
    for other, shared in many.items():
        theirs = neighbors[other]
        theirs.pop(a, None)
        theirs.pop(b, None)
        theirs[new] = shared
