"""Foreground of a grid of sites, without labels.

Saliency from boundary connectivity finds an object, but follows its colours only
loosely. So both sides are then described by a few clusters, each a Gaussian, and the
saliency is optimised again with what they say: appearance models as in GrabCut [1]_,
on sites and seeded by saliency instead of by a rectangle.

References
----------
.. [1] C. Rother, V. Kolmogorov, A. Blake. "GrabCut: interactive foreground extraction
   using iterated graph cuts". SIGGRAPH 2004.
"""

import numpy as np
from scipy.special import expit, logsumexp
from skimage.filters import threshold_otsu

from sklearn_sparsevae.segmentation._boundary import (
    background_probability,
    background_weighted_contrast,
    boundary_connectivity,
    optimize_saliency,
)
from sklearn_sparsevae.segmentation._sites import block_average, magnify

# Sites between which all distances are measured.
MAX_CUE_SITES = 400
# Chosen on the tuning photos of benchmarks/segmentation/ecssd.py, in units of CIE Lab.
GEODESIC_SCALE = 14.0
CONNECTIVITY_SCALE = 1.5
COLOR_SCALE = 10.0
SMOOTHNESS_FLOOR = 0.03
N_REFINEMENTS = 3
# Variance that every cluster has at least: colours closer than 2 look the same.
MIN_VARIANCE = 4.0


def foreground_saliency(appearance, grid_shape):
    """Saliency of every site: background cues, contrast and smoothness together.

    Parameters
    ----------
    appearance : ndarray of shape (h * w, n_features)
        Features in units of perceived difference, such as CIE Lab.
    grid_shape : tuple of int (h, w)
        Sites per column and per row.

    Returns
    -------
    saliency : ndarray of shape (h * w,)
        In [0, 1] with a maximum of 1, or 0 everywhere for a flat image.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_sparsevae.segmentation import foreground_saliency
    >>> scene = np.pad(np.full((4, 4), 60.0), 3).reshape(-1, 1)
    >>> saliency = foreground_saliency(scene, (10, 10)).reshape(10, 10)
    >>> bool(saliency[3:7, 3:7].min() > 0.9), bool(saliency[:3].max() < 0.1)
    (True, True)
    """
    features = np.asarray(appearance, dtype=np.float64)
    background, contrast = saliency_cues(features, grid_shape)
    return smooth(features, grid_shape, background, contrast)


def saliency_cues(features, grid_shape):
    """Background probability and contrast of every site, in [0, 1].

    All pairs of sites take part, so that a fine grid is averaged to a coarser one
    first and the cues are interpolated back.
    """
    average, small = block_average(grid_shape, MAX_CUE_SITES)
    blocks = average @ features
    connectivity = boundary_connectivity(blocks, small, GEODESIC_SCALE)
    background = background_probability(connectivity, CONNECTIVITY_SCALE)
    contrast = background_weighted_contrast(blocks, small, background)
    if small == tuple(grid_shape):
        return background, contrast
    cues = (background, contrast)
    return tuple(magnify(cue, small, grid_shape).ravel() for cue in cues)


def refine_saliency(saliency, appearance, grid_shape, cluster):
    """Sharpen saliency by what the clusters of both sides look like.

    Parameters
    ----------
    saliency : ndarray of shape (h * w,)
        In [0, 1].
    appearance : ndarray of shape (h * w, n_features)
        As for :func:`foreground_saliency`.
    grid_shape : tuple of int (h, w)
        Sites per column and per row.
    cluster : callable
        Takes indices of sites and returns a label for each.

    Returns
    -------
    saliency : ndarray of shape (h * w,)
        In [0, 1].
    """
    for _ in range(N_REFINEMENTS):
        inside = saliency > split_threshold(saliency)
        if inside.all() or not inside.any():
            break
        sides = [np.flatnonzero(side) for side in (inside, ~inside)]
        fore, back = (log_density(appearance, side, cluster(side)) for side in sides)
        likely = expit(fore - back)
        saliency = smooth(
            appearance,
            grid_shape,
            (1 - likely) * (1 - saliency),
            likely * saliency,
        )
    return saliency


def smooth(features, grid_shape, background, foreground):
    """Optimised saliency, scaled to [0, 1]; 0 everywhere if it hardly varies."""
    saliency = optimize_saliency(
        features, grid_shape, background, foreground, COLOR_SCALE, SMOOTHNESS_FLOOR
    )
    saliency = saliency - saliency.min()
    largest = saliency.max()
    return saliency / largest if largest > 1e-6 else np.zeros_like(saliency)


def log_density(features, members, labels):
    """Log-density of all sites under one Gaussian for each cluster of some sites.

    Parameters
    ----------
    features : ndarray of shape (n_sites, n_features)
    members : ndarray of int
        The clustered sites.
    labels : ndarray of int of the same shape
        Their clusters.

    Returns
    -------
    log_density : ndarray of shape (n_sites,)
    """
    terms = []
    for label in np.unique(labels):
        cluster = features[members[labels == label]]
        terms.append(
            np.log(len(cluster) / len(members)) + _log_gaussian(features, cluster)
        )
    return logsumexp(terms, axis=0)


def _log_gaussian(features, cluster):
    shift = features - cluster.mean(axis=0)
    covariance = np.atleast_2d(np.cov(cluster.T, bias=True))
    covariance += MIN_VARIANCE * np.eye(len(covariance))
    distance = (shift @ np.linalg.inv(covariance) * shift).sum(axis=1)
    return -(distance + np.linalg.slogdet(covariance)[1]) / 2


def split_threshold(saliency):
    """Half way between the mean values on both sides of Otsu's threshold.

    Otsu's threshold itself lies just above the lower side where nothing is between;
    where nothing varies at all, this is the value itself.
    """
    if np.ptp(saliency) == 0:
        return saliency.flat[0]
    above = saliency > threshold_otsu(saliency)
    return (saliency[above].mean() + saliency[~above].mean()) / 2


def split_confidence(saliency, threshold):
    """Difference between the mean saliency of both sides, in [0, 1]."""
    inside = saliency > threshold
    if inside.all() or not inside.any():
        return 0.0
    return float(saliency[inside].mean() - saliency[~inside].mean())
