"""The generalized Anscombe transformation, for Poisson-Gaussian noise, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sklearn_sparsevae._image_arrays import (
    LEAST_GAIN,
    check_value_range,
    convert_images,
    for_channels,
)
from sklearn_sparsevae._typing import Images


def anscombe(
    images: Images,
    gain: ArrayLike,
    sigma: ArrayLike = 0.0,
    *,
    value_range: tuple[float, float] | None = None,
) -> NDArray[Any] | Any:
    """Make the deviation of Poisson-Gaussian noise 1 everywhere.

    For noise of variance ``gain * v + sigma**2`` where the signal is ``v``, as
    :func:`~sklearn_sparsevae.degrade.poisson_gaussian_noise` adds it and counted
    photons have it, ``t(u) = 2 sqrt(u / gain + 3/8 + (sigma / gain)**2)`` has noise
    that is nearly Gaussian, of deviation 1 wherever there are more than a few photons
    [1]_. What removes white Gaussian noise serves there, and :func:`inverse_anscombe`
    leads back.

    Parameters
    ----------
    images : ndarray of shape (n, H, W, C) or (n, H, W), or list of (H, W, C) or (H, W)
        Unsigned integers or floats, noise beyond ``value_range`` included.
    gain : float or array-like of shape (C,)
        What a photon adds to a pixel, in 8-bit units: 255 is the whole range, so that
        ``255 / gain`` photons make white. One number, or one for each channel.
    sigma : float or array-like of shape (C,), default=0
        Deviation of the Gaussian part, such as a camera's read noise, in 8-bit units.
    value_range : tuple of float (low, high), default=None
        What is black, which is no photon, and what is white. None stands for all that
        the dtype of unsigned integers can hold, and for [0, 1] of floats.

    Returns
    -------
    stabilized : ndarray or list of ndarray
        Of the shape of ``images``, in deviations of the noise; float64 where they are,
        else float32.

    Raises
    ------
    ValueError, TypeError
        If ``images`` are not as described, ``gain`` is not from 1e-6 to 1e6, or
        ``sigma`` not from 0 to 1e6.

    References
    ----------
    .. [1] J.-L. Starck, F. Murtagh, A. Bijaoui. "Image Processing and Data Analysis".
       Cambridge University Press, 1998.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_sparsevae.degrade import poisson_gaussian_noise
    >>> from sklearn_sparsevae.noise import anscombe
    >>> halves = np.repeat([0.1, 0.8], 64) * np.ones((1, 128, 1))
    >>> noisy = poisson_gaussian_noise(halves, gain=4, sigma=2, random_state=0)
    >>> even = anscombe(noisy, gain=4, sigma=2)
    >>> [round(float(part.std()), 1) for part in np.split(even, 2, axis=2)]
    [1.0, 1.0]
    """
    gain, sigma = for_channels("gain", gain, LEAST_GAIN), for_channels("sigma", sigma)

    def stabilize(unit):
        a, s = (of_channels(unit.shape[-1]) for of_channels in (gain, sigma))
        inside = unit * (255 / a) + 3 / 8 + (s / a) ** 2
        return 2 * np.sqrt(np.maximum(inside, 0))

    return convert_images(images, stabilize, value_range)


def inverse_anscombe(
    stabilized: Images,
    gain: ArrayLike,
    sigma: ArrayLike = 0.0,
    *,
    value_range: tuple[float, float] | None = None,
) -> NDArray[Any] | Any:
    """Lead back from the Anscombe transformation, without a bias.

    The mean of what is transformed is not the transformed mean, so that the plain
    inverse is too dark, above all where photons are few. This is the closed form by
    which Makitalo and Foi approximate the exact unbiased inverse [1]_ [2]_.

    Parameters
    ----------
    stabilized : ndarray of shape (n, H, W, C) or (n, H, W), or list
        Floats, in deviations of the noise; a list holds photos (H, W, C) or (H, W).
    gain, sigma : float or array-like of shape (C,)
        As they were given to :func:`anscombe`.
    value_range : tuple of float (low, high), default=None
        What black and white are to be; None stands for [0, 1].

    Returns
    -------
    images : ndarray or list of ndarray
        Of the shape of ``stabilized``: not below black, but above white where it was so
        bright. float64 where ``stabilized`` is, else float32.

    Raises
    ------
    ValueError, TypeError
        If ``stabilized`` are no images of finite floats, ``gain`` is not above 0 or
        ``sigma`` below.

    References
    ----------
    .. [1] M. Makitalo, A. Foi. "A Closed-Form Approximation of the Exact Unbiased
       Inverse of the Anscombe Variance-Stabilizing Transformation". IEEE Transactions
       on Image Processing 20, 2011.
    .. [2] M. Makitalo, A. Foi. "Optimal Inversion of the Generalized Anscombe
       Transformation for Poisson-Gaussian Noise". IEEE Transactions on Image Processing
       22, 2013.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_sparsevae.degrade import poisson_noise
    >>> from sklearn_sparsevae.noise import anscombe, inverse_anscombe
    >>> noisy = poisson_noise(np.full((1, 256, 256), 0.2), peak=10, random_state=0)
    >>> mean = anscombe(noisy, gain=25.5).mean(keepdims=True)
    >>> round(inverse_anscombe(mean, gain=25.5).item(), 2)
    0.2
    """
    gain, sigma = for_channels("gain", gain, LEAST_GAIN), for_channels("sigma", sigma)
    low, high = check_value_range(value_range) or (0.0, 1.0)

    def lead_back(image):
        a, s = (of_channels(image.shape[-1]) for of_channels in (gain, sigma))
        least = 2 * np.sqrt(3 / 8 + (s / a) ** 2)  # of no photon
        d = np.maximum(image, least)
        root = np.sqrt(3 / 2)
        photons = (
            d**2 / 4 + root / 4 / d - 11 / 8 / d**2 + root * 5 / 8 / d**3 - 1 / 8
        ) - (s / a) ** 2
        return low + (high - low) / 255 * a * np.maximum(photons, 0)

    return convert_images(stabilized, lead_back, (0, 1), "stabilized", limited=False)
