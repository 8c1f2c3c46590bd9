"""How much the noise of neighbouring pixels goes together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sklearn_sparsevae._image_arrays import unit_images
from sklearn_sparsevae._typing import Images
from sklearn_sparsevae.noise._blocks import (
    DCT,
    ORDER,
    SIDE,
    blocks_of,
    check_channels,
    check_sides,
    least,
    spacing,
)

# More of both than the strength takes: three numbers are read from the spectrum.
_SHARE, _FEWEST = 0.05, 24
_LOW, _HIGH = (ORDER > 0) & (ORDER < 7), ORDER >= 7


def noise_correlation(
    images: Images, *, value_range: tuple[float, float] | None = None
) -> NDArray[np.float64]:
    """Correlation of the noise of neighbouring pixels: near 0 for white noise.

    Denoising mostly assumes that the noise of each pixel is its own. It is not where an
    image was demosaiced, resized, compressed, or averaged by a sensor: such noise looks
    like fine structure, is restored as if it was some, and
    :func:`~sklearn_sparsevae.noise.estimate_sigma` finds too little of it.

    As there, blocks of 8x8 pixels are chosen by their low frequencies. White noise has
    as much energy in each of the high ones; what the others would have to be correlated
    by is solved for, by least squares. Texture of photos hardly disturbs that, unless
    there is less noise than texture.

    Parameters
    ----------
    images : ndarray of shape (n, H, W, C) or (n, H, W), or list of (H, W, C) or (H, W)
        Noisy images, or residuals (noisy less restored, floats around 0), noise beyond
        ``value_range`` included. Sides of at least 8 pixels, better 128 or more.
    value_range : tuple of float (low, high), default=None
        What is black and what is white, as in :func:`estimate_sigma`.

    Returns
    -------
    correlation : ndarray of shape (n, C, 2)
        Of each image and channel: of pixels one above the other, and side by side.
        From -1 to 1. Above 0.15 noise is correlated, if it is noise: what there is of
        high frequencies in a photo without noise is correlated. 0 where all is even.

    Raises
    ------
    ValueError, TypeError
        If ``images`` are not as described or have unlike numbers of channels.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.ndimage import gaussian_filter
    >>> from sklearn_sparsevae.degrade import gaussian_noise
    >>> from sklearn_sparsevae.noise import noise_correlation
    >>> white = gaussian_noise(np.full((1, 128, 128), 0.5), sigma=10, random_state=0)
    >>> bool(abs(noise_correlation(white)).max() < 0.1)
    True
    >>> soft = gaussian_filter(white, (0, 0.7, 0.7))
    >>> bool(noise_correlation(soft).min() > 0.3)
    True
    """
    found = []
    for i, image in enumerate(unit_images(images, value_range)):
        check_sides(image)
        found.append([_correlation(channel) for channel in np.moveaxis(image, -1, 0)])
        check_channels(found, i)
    return np.array(found)


def _correlation(channel):
    step = spacing(channel.size)
    mean, power = blocks_of(channel, step)
    texture = power[:, _LOW].sum(1)
    seen = np.flatnonzero(texture > 1e-12)
    if not len(seen):
        return np.zeros(2)
    fewest = int(_FEWEST * SIDE**2 / min(step, SIDE) ** 2)
    n_even = max(int(_SHARE * len(seen)), fewest)
    covariance = None
    for _ in range(4):
        even = seen[least(texture[seen], n_even)]
        covariance = _covariance(power[even].mean(0), covariance)
        expected = (_OF_LAGS[_LOW] @ covariance).sum()
        n_even = max(n_even, np.count_nonzero(texture[seen] <= expected))
    if covariance[0] <= 0:
        return np.zeros(2)
    return np.clip(covariance[1:3] / covariance[0], -1, 1)


def _covariance(spectrum, last):
    """Covariances that explain the high frequencies; begins with the last ones."""
    if last is None:
        last = np.array([spectrum[_HIGH].mean(), 0, 0, 0])
    expected = (_OF_LAGS @ last)[_HIGH]
    # Energies are as exact, relatively, where they are small.
    weight = 1 / np.maximum(expected, 0.05 * expected.max())
    table = _OF_LAGS[_HIGH] * weight[:, None]
    return np.linalg.lstsq(table, spectrum[_HIGH] * weight, rcond=None)[0]


def _of_lags():
    """Return what a covariance of 1 at a lag adds to the energy of each frequency.

    ``(64, 4)``: of the pixel itself, those below and beside it, and the diagonal ones.
    """
    own = np.ones(SIDE)
    next_to_it = 2 * (DCT[:, 1:] * DCT[:, :-1]).sum(1)
    lags = [(own, own), (next_to_it, own), (own, next_to_it), (next_to_it, next_to_it)]
    return np.stack([np.outer(rows, columns).ravel() for rows, columns in lags], 1)


_OF_LAGS = _of_lags()
