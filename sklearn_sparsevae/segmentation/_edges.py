"""Edges of a foreground at the resolution of the photo's thumbnail."""

import math

import numpy as np
from scipy.special import expit, logit

from sklearn_sparsevae.segmentation import _constants as constants
from sklearn_sparsevae.segmentation._boundary import neighbor_pairs, relax
from sklearn_sparsevae.segmentation._foreground import side_odds
from sklearn_sparsevae.segmentation._sites import perceived_colors

# Larger thumbnails are shrunk to at most this many pixels.
MAX_PIXELS = 2**15
# Pixels of a side that its Gaussians are fitted to.
_N_SAMPLES = 1500


def color_edges(saliency, thumbnail, seed):
    """Move the outline of a foreground to the nearest edges of colour.

    Pixels that are surely inside or outside stay. The others follow Gaussian mixtures
    of both sides' colours and the sites' saliency, and are smoothed where no edge is:
    one pass of GrabCut [1]_ with its graph cut relaxed to a linear system.

    Parameters
    ----------
    saliency : ndarray of shape (H, W)
        For every pixel of the thumbnail, in [0, 1]; inside is above 0.5.
    thumbnail : ndarray of uint8 of shape (H, W, C)
    seed : int
        Seed of k-means, and of the sample of pixels it sees.

    Returns
    -------
    saliency : ndarray of shape (H, W)
        In [0, 1], inside above 0.5.

    References
    ----------
    .. [1] C. Rother, V. Kolmogorov, A. Blake. "GrabCut: interactive foreground
       extraction using iterated graph cuts". SIGGRAPH 2004.
    """
    color, start = perceived_colors(thumbnail / 255), saliency.ravel()
    inside = start > 0.5
    if inside.all() or not inside.any():
        return saliency
    samples = [_sample(np.flatnonzero(side), seed) for side in (inside, ~inside)]
    sample = np.concatenate(samples)
    odds = side_odds(
        color,
        color[sample],
        inside[sample],
        constants.N_COLORS,
        seed,
        constants.PIXEL_MIN_VARIANCE,
    )
    target = expit(
        constants.PIXEL_MIXTURE_WEIGHT * odds + logit(np.clip(start, 0.02, 0.98))
    )
    sure_outside, sure_inside = (
        start < constants.SURE_OUTSIDE,
        start > constants.SURE_INSIDE,
    )
    target[sure_outside], target[sure_inside] = 0, 1
    weight = (
        np.where(sure_outside | sure_inside, 1 + constants.SURE_WEIGHT, 1)
        / constants.PIXEL_SMOOTHNESS
    )
    pairs = neighbor_pairs(saliency.shape)
    return relax(
        color,
        pairs,
        weight,
        weight * target,
        constants.PIXEL_EDGE_SCALE,
        constants.PIXEL_SMOOTHNESS_FLOOR,
    ).reshape(saliency.shape)


def shrink_thumbnail(thumbnail, max_pixels=MAX_PIXELS):
    """Average square blocks of pixels so that at most so many are left."""
    height, width = thumbnail.shape[:2]
    step = math.ceil(math.sqrt(height * width / max_pixels))
    if step == 1:
        return thumbnail
    rows, columns = np.arange(0, height, step), np.arange(0, width, step)
    total = np.add.reduceat(thumbnail.astype(np.uint32), rows, axis=0)
    total = np.add.reduceat(total, columns, axis=1)
    area = np.outer(np.diff([*rows, height]), np.diff([*columns, width]))
    return (total / area[..., None]).astype(np.uint8)


def _sample(members, seed):
    if len(members) <= _N_SAMPLES:
        return members
    return np.random.RandomState(seed).choice(members, _N_SAMPLES, replace=False)
