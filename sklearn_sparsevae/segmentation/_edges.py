"""Edges of a foreground at the resolution of the photo's thumbnail."""

import math

import numpy as np
from scipy.special import expit, logit

from sklearn_sparsevae.segmentation._boundary import neighbor_pairs, relax
from sklearn_sparsevae.segmentation._foreground import side_odds
from sklearn_sparsevae.segmentation._sites import perceived_colors

# Larger thumbnails are shrunk to at most this many pixels.
MAX_PIXELS = 2**15
# Chosen on the tuning photos of benchmarks/segmentation/ecssd.py. Saliency below and
# above which a pixel keeps its side, and the weight with which it does:
SURE = (0.25, 0.75)
SURE_WEIGHT = 20.0
# Gaussians for each side, their least variance in Lab, weight of their log-odds:
N_COLORS = 5
MIN_VARIANCE = 4.0
COLOR_WEIGHT = 0.5
# Scale of colour edges in Lab, weight of smoothness, and its share across edges:
EDGE_SCALE = 5.0
SMOOTHNESS = 15.0
SMOOTHNESS_FLOOR = 0.003
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
    odds = side_odds(color, color[sample], inside[sample], N_COLORS, seed, MIN_VARIANCE)
    target = expit(COLOR_WEIGHT * odds + logit(np.clip(start, 0.02, 0.98)))
    sure_outside, sure_inside = start < SURE[0], start > SURE[1]
    target[sure_outside], target[sure_inside] = 0, 1
    weight = np.where(sure_outside | sure_inside, 1 + SURE_WEIGHT, 1) / SMOOTHNESS
    pairs = neighbor_pairs(saliency.shape)
    return relax(
        color, pairs, weight, weight * target, EDGE_SCALE, SMOOTHNESS_FLOOR
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
