"""The photon transfer curve: gain and read noise of a camera, from its images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from sklearn_sparsevae._image_arrays import unit_images
from sklearn_sparsevae._typing import Images
from sklearn_sparsevae.noise._blocks import (
    HIGH,
    LOW,
    blocks_of,
    check_channels,
    check_sides,
    least,
    spacing,
)

# Levels of brightness, as many blocks in each, and the even ones among them.
_N_LEVELS, _SHARE, _FEWEST = 24, 0.1, 20


def estimate_gain(
    images: Images, *, value_range: tuple[float, float] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Estimate how noise grows with the signal: ``variance = gain * v + sigma**2``.

    The photon transfer curve [1]_ without a series of exposures: at each of 24 levels
    of brightness the most even blocks of 8x8 pixels are taken, of all images together,
    and a line is laid through the variance of their high frequencies. It takes what
    the images hold: a range of brightness, and some even places in it.

    Parameters
    ----------
    images : ndarray of shape (n, H, W, C) or (n, H, W), or list of (H, W, C) or (H, W)
        One or more images of one instrument in one setting, unsigned integers or
        floats, noise beyond ``value_range`` included. Sides of at least 8 pixels.
    value_range : tuple of float (low, high), default=None
        What is black, that is, what the camera gives without light (its offset), and
        what is white. None stands for all that the dtype of unsigned integers can hold,
        and for [0, 1] of floats.

    Returns
    -------
    gain : ndarray of shape (C,)
        What a photon adds to each channel, in 8-bit units: ``255 / gain`` photons make
        white. 0 where noise does not grow with the signal.
    sigma : ndarray of shape (C,)
        Deviation of the noise where it is black (read noise), in 8-bit units.

    Raises
    ------
    ValueError, TypeError
        If ``images`` are not as described or have unlike numbers of channels.

    Notes
    -----
    Both are what :func:`~sklearn_sparsevae.noise.anscombe` takes. Where noise was
    clipped at black or white, levels near these are left out.

    References
    ----------
    .. [1] J. R. Janesick. "Photon Transfer". SPIE Press, 2007.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_sparsevae.degrade import poisson_gaussian_noise
    >>> from sklearn_sparsevae.noise import estimate_gain
    >>> ramp = np.linspace(0, 1, 256) * np.ones((1, 256, 1))
    >>> noisy = poisson_gaussian_noise(ramp, gain=3, sigma=4, random_state=0)
    >>> gain, sigma = estimate_gain(noisy)
    >>> print(gain.round(), sigma.round())
    [3.] [4.]
    """
    parts = []
    for i, image in enumerate(unit_images(images, value_range)):
        check_sides(image)
        parts.append([_measure(255 * c) for c in np.moveaxis(image, -1, 0)])
        check_channels(parts, i)
    channels = zip(*parts, strict=True)
    lines = np.array(
        [_line(*map(np.concatenate, zip(*c, strict=True))) for c in channels]
    )
    return lines[:, 0], np.sqrt(lines[:, 1])


def _measure(channel):
    """Mean, texture and variance of the noise of the blocks of a channel."""
    mean, power = blocks_of(channel, spacing(channel.size))
    texture, variance = power[:, LOW].mean(1), power[:, HIGH].mean(1)
    deviation = np.empty_like(mean)
    for level in _levels(mean):
        deviation[level] = np.sqrt(np.median(variance[level]))
    darkest, brightest = channel.min(), channel.max()
    seen = np.ones(len(mean), bool)
    if (channel == brightest).mean() > 1e-3:  # clipped there
        seen &= brightest - mean > 2 * deviation
    if (channel == darkest).mean() > 1e-3:
        dark = mean - darkest <= 2 * deviation
        # Of photons that are few many are 0, which is no clipping: then all are needed.
        seen &= ~dark | (dark.mean() > 0.8)
    seen = seen if seen.any() else ~seen
    return mean[seen], texture[seen], variance[seen]


def _levels(mean):
    """Places of the blocks of each level of brightness, of which all have as many."""
    order = np.argsort(mean, kind="stable")
    return [level for level in np.array_split(order, _N_LEVELS) if len(level)]


def _line(mean, texture, variance):
    """Slope and height at black of variance over mean, none of them below 0."""
    levels, line = _levels(mean), np.zeros(2)
    for _ in range(3):
        x, y = np.transpose([_even(mean, texture, variance, i, line) for i in levels])
        line = _fit(x, y)
    return line


def _even(mean, texture, variance, level, line):
    """Mean and variance of the even blocks of a level, which may follow a line.

    These are those with least texture, and then all that show no more than noise does.
    """
    expected = line[0] * np.maximum(mean[level], 0) + line[1]
    n_even = np.count_nonzero(texture[level] <= expected)
    n_even = max(n_even, int(_SHARE * len(level)), _FEWEST)
    even = level[least(texture[level], n_even)]
    return mean[even].mean(), variance[even].mean()


def _fit(x, y):
    """Lay a line, neither slope nor height below 0, through most of the levels."""
    table = np.stack([np.maximum(x, 0), np.ones(len(x))], 1)
    line = np.array([0.0, np.median(y)])
    for _ in range(20):
        spread = np.maximum(table @ line, 1e-3 * y.max() + 1e-12)
        # Levels without an even place lie above the line, and count the less for it.
        weight = 1 / spread / np.maximum(1, 20 * (y / spread - 1))
        line = nnls(table * weight[:, None], y * weight)[0]
    return line
