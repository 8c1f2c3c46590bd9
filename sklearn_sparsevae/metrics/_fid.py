"""Fréchet inception distance: how alike two sets of images are."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from sklearn_sparsevae._typing import Images
from sklearn_sparsevae.metrics._input import rgb_sets


class FIDResult(NamedTuple):
    """A Fréchet inception distance, and the numbers of images that it depends on."""

    fid: float
    n_true: int
    n_pred: int


def fid(
    y_true: Images,
    y_pred: Images,
    *,
    network: Callable[..., Any] | str | None = None,
    data_range: float = 1.0,
) -> FIDResult:
    r"""Fréchet inception distance between two sets of images.

    :math:`\|m - m'\|^2 + \mathrm{tr}(C + C' - 2 (C C')^{1/2})` for the means and sample
    covariances of the sets' features. It compares distributions, never an image with
    its reconstruction. Few images make it too high, by an amount that depends on their
    number: give the numbers along with it, and compare only figures with equal ones.
    Inception-v3 sees images rounded to 8 bits and resized to 299 by 299 pixels without
    smoothing, as TensorFlow 1 did it, and gives 2048 features.

    Parameters
    ----------
    y_true : array-like of shape (n_true, H, W, C) or (n_true, H, W), or list
        Images of 1 or 3 channels, from 0 (black) to ``data_range`` (white); unsigned
        integers span their dtype. Those of a list may differ in size. Grey is shown as
        RGB.
    y_pred : array-like of shape (n_pred, H, W, C) or (n_pred, H, W), or list
        Other images, clipped to that range, such as reconstructions of the first ones.
    network : callable, str or None, default=None
        The path of torch-fidelity's weights of Inception-v3; None downloads them the
        first time (91 MB). Or a network of your own, which turns torch images ``(n, 3,
        H, W)`` in [0, 1] into features ``(n, n_features)``. A module runs on the GPU
        where there is one.
    data_range : float, default=1.0
        What white is in images of floats.

    Returns
    -------
    result : FIDResult
        Named tuple of ``fid`` and the numbers of images, ``n_true`` and ``n_pred``.
        ``fid`` is at least 0, which equal sets get; lower is better.

    Raises
    ------
    ValueError, TypeError
        If a shape is not that of images, a value is not finite, ``y_true`` is out of
        its range, ``data_range`` is not a positive number, a set has a single image,
        or a file holds other weights.
    ImportError
        Without torch-fidelity, of the extra "metrics", unless the network is your own.
    OSError
        If there is no such file, or no download.

    Warns
    -----
    UserWarning
        If a set has no more images than there are features: its covariance is singular.

    References
    ----------
    M. Heusel, H. Ramsauer, T. Unterthiner, B. Nessler, S. Hochreiter. "GANs trained by
    a two time-scale update rule converge to a local Nash equilibrium". NeurIPS 2017,
    Eq. 6.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_sparsevae.metrics import fid
    >>> photos = np.random.default_rng(0).random((50, 8, 8, 3))
    >>> def mean_color(images):
    ...     return images.mean((2, 3))
    >>> result = fid(photos, photos[:20] / 2, network=mean_color)
    >>> round(result.fid, 2), result.n_true, result.n_pred
    (0.19, 50, 20)
    """
    from sklearn_sparsevae.perceptual.inception import FeatureVectors

    sets = rgb_sets(y_true, y_pred, data_range)
    network = FeatureVectors(network)
    features = [np.concatenate([*map(network.on_arrays, images)]) for images in sets]
    _check_counts(*features)
    return FIDResult(_frechet_distance(*features), *map(len, features))


def _frechet_distance(a, b):
    """Squared Fréchet distance of normal distributions fitted to rows of features."""
    mean_a, root_a = _moments(a)
    mean_b, root_b = _moments(b)
    # With C = R'R and C' = S'S, the trace of the root of CC' is the sum of the singular
    # values of RS', which takes no root of a singular matrix.
    overlap = np.linalg.norm(root_a @ root_b.T, "nuc")
    spread = np.sum(root_a**2) + np.sum(root_b**2)
    distance = (
        np.sum((mean_a - mean_b) ** 2) + spread - 2 * overlap
    )  # [Heusel 2017 Eq. 6]
    return max(float(distance), 0.0)


def _moments(features):
    """Mean, and a triangular R whose R'R is the sample covariance, in float64."""
    features = features.astype(np.float64)
    mean = features.mean(axis=0)
    features -= mean
    return mean, np.linalg.qr(features, mode="r") / np.sqrt(len(features) - 1)


def _check_counts(true, pred):
    n_features, fewest = true.shape[1], min(len(true), len(pred))
    numbers = f"FID of {len(true)} and {len(pred)} images"
    if fewest < 2:
        raise ValueError(f"Got {numbers}; expected at least two in each set.")
    if fewest <= n_features:
        warnings.warn(
            f"{numbers} with {n_features} features: covariances are singular, and the "
            f"distance is too high. Give more than {n_features} images a set, or "
            "compare only with figures of as many.",
            stacklevel=3,
        )
