"""How strong a boundary is, from the colours and textures of one photo.

Two cues, as in gPb [1]_, without the weights that it learned from drawn boundaries:

1. *Local*: at every pixel and in eight directions, how much both halves of a disc
   differ in lightness, in both colours of CIE Lab and in texture, at three scales.
2. *Spectral*: the normalised cut of small regions; where its eigenvectors change, a
   boundary parts much of the photo rather than a detail of it.

Texture is which atoms sparse codes use: those of small patches around each pixel, and
those of the sites that are segmented. gPb has textons in their place. All constants
were chosen on 120 training photos of BSDS500, by the covering of what people drew on
them.

References
----------
.. [1] P. Arbelaez, M. Maire, C. Fowlkes, J. Malik. "Contour Detection and Hierarchical
   Image Segmentation". PAMI 2011.
"""

import numpy as np
from scipy import ndimage, sparse

from sklearn_sparsevae.segmentation._half_discs import half_disc_differences
from sklearn_sparsevae.segmentation._hierarchy import (
    Hierarchy,
    arc_strength,
    find_arcs,
    merge,
    small_regions,
)
from sklearn_sparsevae.segmentation._normalized_cut import leading_eigenvectors
from sklearn_sparsevae.segmentation._patch_codes import patch_codes

# Bins of each histogram, and the deviation, in bins, with which a pixel spreads.
N_BINS = 16
BIN_SPREAD = 1.0
# Lightness and both colours of Lab beyond these count as these.
RANGES = ((0, 100), (-55, 55), (-55, 55))
# Radius of the disc in pixels: of the picture, and of what is half and a quarter as
# fine. Weights of these scales.
RADIUS = 5
SCALE_WEIGHTS = (1.0, 2.0, 1.0)
# Weight of texture beside that of all colours together, at each scale.
TEXTURE_WEIGHTS = (0.0, 0.7, 0.7)
# Radius of the disc in sites for the codes of sites, and their weight.
SITE_RADIUS = 3
CODE_WEIGHT = 0.3
# Spectral cue: its weight, how many times the local cue it adds at most, how many
# eigenvectors, and distances in Lab at which sites part: of colour, and of how much
# colour deviates nearby.
SPECTRAL_WEIGHT = 0.006
MOST_SPECTRAL = 4.0
N_EIGENVECTORS = 16
COLOR_SCALE = 4.0
DEVIATION_SCALE = 8.0
# Which sites are compared: steps to them, up to five sites far.
STEPS = [(0, 1), (1, 0), (1, 1), (1, -1), (0, 3), (3, 0), (2, 2), (2, -2), (0, 5)]
STEPS += [(5, 0), (4, 3), (3, 4), (4, -3), (3, -4), (2, 4), (4, 2), (2, -4), (4, -2)]
# Power of the share of the picture that the smaller of two regions has, in units of
# TYPICAL_AREA, by which strengths are multiplied: spots are hardly regions, and least
# of all where a few regions are asked for.
AREA_POWER = 0.05
AREA_POWER_OF_FEW = 0.2
TYPICAL_AREA = 1 / 30
# Affinity of sites that look nothing alike: keeps every photo in one piece.
_FLOOR = 1e-3


def boundary_hierarchy(picture, area_power=AREA_POWER):
    """Regions of a picture at all scales.

    Parameters
    ----------
    picture : Picture
    area_power : float
        See :func:`merge`.

    Returns
    -------
    hierarchy : Hierarchy
        With heights in [0, 1).
    """
    color = np.asarray(picture.color, np.float32)
    if picture.is_flat:
        one = np.zeros(color.shape[:2], dtype=int)
        return Hierarchy(one, np.empty((0, 2), dtype=int), np.empty(0))
    strength = local_strength(color, RANGES if picture.is_lab else RANGES[1:2])
    strength += code_strength(picture)
    regions = small_regions(strength.max(axis=0))
    arcs = find_arcs(regions)
    found = arc_strength(strength, arcs)
    spectral = SPECTRAL_WEIGHT * spectral_contrast(color, regions, arcs)
    # Where colours are even, eigenvectors change all the same, somewhere.
    found = found + np.minimum(spectral, MOST_SPECTRAL * found)
    hierarchy = merge(regions, arcs, found, area_power)
    heights = hierarchy.heights / TYPICAL_AREA**area_power
    return hierarchy._replace(heights=-np.expm1(-heights))


def local_strength(color, ranges):
    """Strength of a boundary at every pixel, for each direction.

    Parameters
    ----------
    color : ndarray of float32 of shape (H, W, n_channels)
    ranges : sequence of tuple of float (low, high)
        Of the channels; the last stands for all that follow.

    Returns
    -------
    strength : ndarray of float32 of shape (N_DIRECTIONS, H, W)
    """
    colors = [
        soft_bins(color[..., c], *ranges[min(c, len(ranges) - 1)])
        for c in range(color.shape[2])
    ]
    maps = [*colors, patch_codes(color[..., 0])]
    bounds = np.cumsum([0] + [part.shape[2] for part in maps])
    maps = np.concatenate(maps, axis=2)
    shape, strength = maps.shape[:2], 0.0
    for scale, weights in enumerate(zip(SCALE_WEIGHTS, TEXTURE_WEIGHTS)):
        maps = halve(maps) if scale else maps
        share = 2 * weights[0] / sum(SCALE_WEIGHTS) / len(colors)
        shares = np.array([share] * len(colors) + [weights[1]], np.float32)
        n_used = len(shares) if weights[1] else len(colors)
        differences = half_disc_differences(
            maps[..., : bounds[n_used]], bounds[: n_used + 1], RADIUS
        )
        ratio = 2 * (0.5**scale,)
        strength = strength + enlarge(differences @ shares[:n_used], shape, ratio)
    return strength


def soft_bins(values, low, high):
    """Share of each pixel in each bin between two ends.

    Returns
    -------
    shares : ndarray of float32 of shape (H, W, N_BINS)
        Sum to 1.
    """
    centres = np.linspace(low, high, N_BINS, dtype=np.float32)
    width = BIN_SPREAD * (centres[1] - centres[0])
    apart = (np.clip(values, low, high)[..., None] - centres) / width
    shares = np.exp(-(apart**2) / 2)
    return shares / shares.sum(axis=2, keepdims=True)


def halve(maps):
    """Mean of blocks of two by two pixels; an odd row or column counts twice."""
    height, width = maps.shape[:2]
    maps = np.pad(maps, [(0, height % 2), (0, width % 2), (0, 0)], mode="edge")
    rows = maps[::2] + maps[1::2]
    return (rows[:, ::2] + rows[:, 1::2]) / 4


def enlarge(maps, shape, ratio):
    """Interpolate maps (n, h, w) linearly; ``ratio`` of their pixels make a new one."""
    for axis, size, share in zip((1, 2), shape, ratio):
        if share == 1:
            continue
        n = maps.shape[axis]
        place = np.clip((np.arange(size) + 0.5) * share - 0.5, 0, n - 1)
        below = np.floor(place).astype(int)
        part = (place - below).astype(np.float32)
        part = part.reshape([-1 if a == axis else 1 for a in range(3)])
        above = np.minimum(below + 1, n - 1)
        maps = (1 - part) * maps.take(below, axis) + part * maps.take(above, axis)
    return maps


def code_strength(picture):
    """How much the codes of sites differ, at every pixel and for each direction.

    Returns
    -------
    strength : ndarray of float32 of shape (N_DIRECTIONS, H, W)
    """
    shares = picture.code_shares
    differences = half_disc_differences(shares, [0, shares.shape[2]], SITE_RADIUS)
    sites = [p / s for p, s in zip(picture.pixel, picture.site)]
    return CODE_WEIGHT * enlarge(differences[..., 0], picture.color.shape[:2], sites)


def spectral_contrast(color, regions, arcs):
    """How much the eigenvectors of the normalised cut change across each arc.

    ``sum_k |v_k(i) - v_k(j)| / sqrt(lambda_k)`` of regions i and j, for eigenvectors v
    with a mean square of 1 and eigenvalues lambda of the normalised Laplacian.

    Returns
    -------
    contrast : ndarray of shape (n_arcs,)
    """
    affinity = region_affinity(color, regions, arcs)
    values, vectors = leading_eigenvectors(affinity, N_EIGENVECTORS + 1)
    vectors = vectors[:, :-1] * np.sqrt(affinity.sum())
    apart = np.abs(vectors[arcs.first] - vectors[arcs.second])
    return apart @ (1 / np.sqrt(np.maximum(1 - values[:-1], 1e-6)))


def region_affinity(color, regions, arcs):
    """Sum over pairs of sites of how much they look alike, for each pair of regions.

    Sites are here blocks of two by two pixels of the picture. Regions that meet are a
    little alike in any case, so that those without a site hang together with others.

    Returns
    -------
    affinity : csr_array of shape (n_regions, n_regions)
        Symmetric.
    """
    looks = looks_of_blocks(color)
    of_site = regions[::2, ::2]
    (height, width), n_regions = of_site.shape, int(regions.max()) + 1
    pairs = [arcs.first * n_regions + arcs.second]
    values = [np.full(len(arcs.first), _FLOOR)]
    for down, right in STEPS:
        if down >= height or abs(right) >= width:
            continue
        left = max(0, -right)
        one = (slice(0, height - down), slice(left, width - max(0, right)))
        other = (slice(down, height), slice(left + right, width + min(0, right)))
        apart = looks[one] - looks[other]
        squared = np.einsum("ijk,ijk->ij", apart, apart)
        values.append((np.exp(-squared / 2) + _FLOOR).ravel())
        pairs.append((of_site[one] * n_regions + of_site[other]).ravel())
    keys, place = np.unique(np.concatenate(pairs), return_inverse=True)
    total = np.bincount(place, np.concatenate(values))
    half = sparse.coo_array((total, np.divmod(keys, n_regions)), 2 * (n_regions,))
    return (half + half.T).tocsr()


def looks_of_blocks(color):
    """Colour, and how much it deviates nearby, of blocks of two by two pixels.

    Returns
    -------
    looks : ndarray of float32 of shape (ceil(H / 2), ceil(W / 2), 2 * n_channels)
        In units of the distance at which blocks part.
    """
    blocks, squares = halve(color), halve(color**2)
    mean, square = (ndimage.uniform_filter(m, (5, 5, 0)) for m in (blocks, squares))
    deviation = np.sqrt(np.maximum(square - mean**2, 0))
    smooth = ndimage.gaussian_filter(blocks, (1, 1, 0))
    return np.concatenate([smooth / COLOR_SCALE, deviation / DEVIATION_SCALE], axis=2)
