"""Foreground of a grid of sites, without labels.

Three steps, each on what the one before gives:

1. Cues say how likely every site is part of an object: whether what looks like it in
   colour and texture occurs on the border, how far the way to the border is along
   sites that look alike, how near the centre it is, and how warm. They are scaled to
   the same mean and deviation and have the same weight.
2. :class:`SpectralSegmenter` averages that over regions.
3. What both sides look like sharpens the split: Gaussian mixtures as in GrabCut [2]_,
   on sites and seeded by step 1 instead of by a rectangle, then Eq. 9 of [1]_ again.

References
----------
.. [1] W. Zhu, S. Liang, Y. Wei, J. Sun. "Saliency Optimization from Robust Background
   Detection". CVPR 2014.
.. [2] C. Rother, V. Kolmogorov, A. Blake. "GrabCut: interactive foreground extraction
   using iterated graph cuts". SIGGRAPH 2004.
.. [3] Y. Wei, F. Wen, W. Zhu, J. Sun. "Geodesic Saliency Using Background Priors".
   ECCV 2012.
.. [4] X. Shen, Y. Wu. "A Unified Approach to Salient Object Detection via Low Rank
   Matrix Recovery". CVPR 2012.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logsumexp
from skimage.filters import threshold_otsu

from sklearn_sparsevae._typing import Grid
from sklearn_sparsevae.segmentation import _constants as constants
from sklearn_sparsevae.segmentation._boundary import (
    background_probability,
    background_weighted_contrast,
    border_affinity,
    border_distance,
    boundary_connectivity,
    optimize_saliency,
)
from sklearn_sparsevae.segmentation._clusters import fit_k_means
from sklearn_sparsevae.segmentation._input import check_features
from sklearn_sparsevae.segmentation._sites import block_average, magnify


def object_probability(sites):
    """Probability of every site to be part of an object, from cues alone.

    The cues, each scaled to a mean of 0 and a deviation of 1 over many photos, have
    equal weights, such that their sum would have a deviation of 1 if they had nothing
    in common: nothing here was fitted to masks.

    Parameters
    ----------
    sites : Sites

    Returns
    -------
    probability : ndarray of shape (h * w,)
        In [0, 1]; 0 everywhere if all sites look the same.
    """
    if sites.is_flat:
        return np.zeros(len(sites.color))
    cues = object_cues(sites)
    scaled = [
        (cue - constants.CUE_MEANS[name]) / constants.CUE_DEVIATIONS[name]
        for name, cue in cues.items()
    ]
    evidence = np.sum(scaled, axis=0) / np.sqrt(len(scaled))
    return expit(evidence + constants.PRIOR_LOG_ODDS)


def object_cues(sites):
    """Cues of :func:`object_probability` by name: larger for what is in an object.

    ``"look"`` as in :func:`border_affinity`, ``"enclosure"`` the distance to the border
    along similar sites [3]_, ``"center"``, and ``"warmth"`` [4]_ of colours in CIE Lab.
    """
    color, texture, grid_shape = sites.color, sites.texture, sites.grid_shape
    look = [color / constants.LOOK_COLOR_SCALE, texture / constants.LOOK_TEXTURE_SCALE]
    path = [color / constants.PATH_COLOR_SCALE, texture]
    position = (np.indices(grid_shape).reshape(2, -1).T + 0.5) / grid_shape - 0.5
    cues = {
        "look": -border_affinity(np.hstack(look), grid_shape, 1.0),
        "enclosure": border_distance(np.hstack(path), grid_shape),
        "center": -(position**2).sum(axis=1),
    }
    if sites.is_lab:
        cues["warmth"] = color[:, 1]
    return cues


def foreground_saliency(
    appearance: NDArray[Any], grid_shape: Grid
) -> NDArray[np.floating]:
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
    features, grid_shape = check_features(appearance, grid_shape, "appearance")
    background, contrast = saliency_cues(features, grid_shape)
    saliency = optimize_saliency(
        features,
        grid_shape,
        background,
        contrast,
        constants.CONTRAST_COLOR_SCALE,
        constants.SMOOTHNESS_FLOOR,
    )
    return stretch(saliency)


def saliency_cues(features, grid_shape):
    """Background probability and contrast of every site, in [0, 1].

    All pairs of sites take part, so that a fine grid is averaged to a coarser one
    first and the cues are interpolated back.
    """
    average, small = block_average(grid_shape, constants.MAX_CUE_SITES)
    blocks = average @ features
    connectivity = boundary_connectivity(blocks, small, constants.GEODESIC_SCALE)
    background = background_probability(connectivity, constants.CONNECTIVITY_SCALE)
    contrast = background_weighted_contrast(blocks, small, background)
    if small == tuple(grid_shape):
        return background, contrast
    cues = (background, contrast)
    return tuple(magnify(cue, small, grid_shape).ravel() for cue in cues)


def refine_saliency(probability, color, grid_shape, n_clusters, seed):
    """Sharpen a probability map by what both of its sides look like.

    Parameters
    ----------
    probability : ndarray of shape (h * w,)
        In [0, 1].
    color : ndarray of shape (h * w, n_features)
        As for :func:`foreground_saliency`.
    grid_shape : tuple of int (h, w)
        Sites per column and per row.
    n_clusters : int
        Gaussians for each side.
    seed : int
        Seed of k-means, which starts the Gaussians.

    Returns
    -------
    saliency : ndarray of shape (h * w,)
        In [0, 1].
    """
    saliency = stretch(probability)
    for _ in range(constants.N_REFINEMENTS):
        inside = saliency > split_threshold(saliency)
        if inside.all() or not inside.any():
            break
        odds = side_odds(
            color, color, inside, n_clusters, seed, constants.SITE_MIN_VARIANCE
        )
        likely = expit(constants.SITE_MIXTURE_WEIGHT * odds)
        saliency = stretch(
            optimize_saliency(
                color,
                grid_shape,
                (1 - likely) * (1 - saliency) / constants.SITE_SMOOTHNESS,
                likely * saliency / constants.SITE_SMOOTHNESS,
                constants.SITE_EDGE_SCALE,
                constants.SMOOTHNESS_FLOOR,
            )
        )
    return saliency


def stretch(saliency):
    """Scale to [0, 1]; 0 everywhere if it hardly varies."""
    saliency = saliency - saliency.min()
    largest = saliency.max()
    return saliency / largest if largest > 1e-6 else np.zeros_like(saliency)


def side_odds(features, sample, inside, n_clusters, seed, min_variance):
    """Log-odds of every row to come from the mixture of one side, not of the other.

    The mixtures are those of a sample of rows, of which ``inside`` says the side.
    """
    fore, back = (
        _log_density(features, sample[side], n_clusters, seed, min_variance)
        for side in (inside, ~inside)
    )
    return fore - back


def _log_density(features, members, n_clusters, seed, min_variance):
    """Log-density of all rows under one Gaussian for each cluster of the members."""
    labels = fit_k_means(members, n_clusters, 1, seed).labels_
    terms = [
        np.log(np.mean(labels == label))
        + _log_gaussian(features, members[labels == label], min_variance)
        for label in np.unique(labels)
    ]
    return logsumexp(terms, axis=0)


def _log_gaussian(features, cluster, min_variance):
    shift = features - cluster.mean(axis=0)
    covariance = np.atleast_2d(np.cov(cluster.T, bias=True))
    covariance += min_variance * np.eye(len(covariance))
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


def straighten(saliency, threshold):
    """Scale so that inside is above 0.5, whatever the threshold."""
    return np.interp(saliency, [0, threshold, 1], [0, 0.5, 1])


def foreground_confidence(saliency, probability, color):
    """How certain a mask is: the intersection over union to expect of it.

    How well it agrees with what other thresholds would give, of its own saliency and of
    the cues before refinement, times how much the mean colours of both sides differ.
    Textures and skies differ little. Nothing is calibrated on masks.

    Parameters
    ----------
    saliency : ndarray of shape (h * w,)
        In [0, 1], above 0.5 inside the mask.
    probability : ndarray of shape (h * w,)
        Of the cues, in [0, 1].
    color : ndarray of shape (h * w, n_features)
        As for :func:`foreground_saliency`.

    Returns
    -------
    confidence : float
        In [0, 1]; 0 for masks that are empty or everywhere.
    """
    inside = saliency > 0.5
    if inside.all() or not inside.any():
        return 0.0
    cues = stretch(probability)
    cues = straighten(cues, split_threshold(cues))
    thresholds = np.linspace(0, 1, constants.N_THRESHOLDS + 2)[1:-1]
    others = np.stack([saliency, cues])[:, None] > thresholds[:, None]
    agrees = np.mean((others & inside).sum(axis=2) / (others | inside).sum(axis=2))
    apart = color[inside].mean(axis=0) - color[~inside].mean(axis=0)
    differs = 1 - np.exp(-(apart @ apart) / constants.SIDE_CONTRAST**2)
    return float(differs * agrees)
