"""Noise: of any signal, of light and of cameras, of ultrasound, of broken sensors.

One module although it is long: three quarters of it document the five functions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sklearn_sparsevae._arguments import random_numbers
from sklearn_sparsevae._image_arrays import (
    LARGEST_SIGMA,
    LEAST_GAIN,
    change_images,
    check_between,
    for_channels,
)
from sklearn_sparsevae._typing import Images, RandomState


def gaussian_noise(
    images: Images,
    sigma: ArrayLike,
    *,
    value_range: tuple[float, float] | None = None,
    clip: bool = True,
    random_state: RandomState = None,
) -> NDArray[Any] | Any:
    """Add independent normal noise to every number: ``u = v + sigma n``.

    Parameters
    ----------
    images : ndarray of shape (n, H, W, C) or (n, H, W), or list of (H, W, C) or (H, W)
        Unsigned integers or floats, within ``value_range``.
    sigma : float or array-like of shape (C,)
        Standard deviation in 8-bit units: 255 is the whole range, of floats too. One
        number, or one for each channel.
    value_range : tuple of float (low, high), default=None
        What is black and what is white. None stands for all that the dtype of unsigned
        integers can hold, and for [0, 1] of floats; a pair says it of any numbers.
    clip : bool, default=True
        Keep the result within the range. Otherwise it is what was added, beyond the
        range too, and integers become float32: in [0, 1] and around it, or in
        ``value_range`` where that is given.
    random_state : int, RandomState instance or None, default=None
        Seed of the noise.

    Returns
    -------
    degraded : ndarray or list of ndarray
        Of the shape and, with ``clip``, the dtype of ``images``.

    Raises
    ------
    ValueError, TypeError
        If ``images`` are not as described, or ``sigma`` is not from 0 to 1e6.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_sparsevae.degrade import gaussian_noise
    >>> grey = np.full((2, 64, 64), 128, dtype=np.uint8)
    >>> noisy = gaussian_noise(grey, sigma=20, random_state=0)
    >>> noisy.dtype, int(noisy.std().round())
    (dtype('uint8'), 20)
    """
    sigma, rng = for_channels("sigma", sigma), random_numbers(random_state)

    def add_noise(image):
        return image + rng.normal(0, sigma(image.shape[-1]) / 255, image.shape)

    return change_images(images, add_noise, value_range, clip)


def speckle(
    images: Images,
    sigma: float,
    *,
    value_range: tuple[float, float] | None = None,
    clip: bool = True,
    random_state: RandomState = None,
) -> NDArray[Any] | Any:
    """Add noise that grows with the signal, as in ultrasound: ``u = v + sqrt(v) n``.

    The model of log-compressed ultrasound images of Loupas et al. [1]_: the variance of
    speckle is proportional to the signal, and black stays black.

    Parameters
    ----------
    images : ndarray of shape (n, H, W, C) or (n, H, W), or list of (H, W, C) or (H, W)
        Unsigned integers or floats, within ``value_range``.
    sigma : float
        Standard deviation where the image is white, in 8-bit units.
    value_range : tuple of float (low, high), default=None
        What is black and what is white. None stands for all that the dtype of unsigned
        integers can hold, and for [0, 1] of floats; a pair says it of any numbers.
    clip : bool, default=True
        Keep the result within the range, as in :func:`gaussian_noise`.
    random_state : int, RandomState instance or None, default=None
        Seed of the speckle.

    Returns
    -------
    degraded : ndarray or list of ndarray
        Of the shape and, with ``clip``, the dtype of ``images``.

    Raises
    ------
    ValueError, TypeError
        If ``images`` are not as described, or ``sigma`` is no number from 0 to 1e6.

    References
    ----------
    .. [1] T. Loupas, W. N. McDicken, P. L. Allan. "An Adaptive Weighted Median Filter
       for Speckle Suppression in Medical Ultrasonic Images". IEEE Transactions on
       Circuits and Systems 36, 1989.
    """
    check_between("sigma", sigma, 0, LARGEST_SIGMA)
    rng = random_numbers(random_state)

    def add_speckle(image):
        noise = rng.normal(0, sigma / 255, image.shape)
        return image + np.sqrt(np.clip(image, 0, 1)) * noise

    return change_images(images, add_speckle, value_range, clip)


def poisson_noise(
    images: Images,
    peak: float,
    *,
    value_range: tuple[float, float] | None = None,
    clip: bool = True,
    random_state: RandomState = None,
) -> NDArray[Any] | Any:
    """Count photons: ``u = P(peak v) / peak`` with P drawn from Poisson distributions.

    The noise of light itself. Its variance is proportional to the signal, ``v / peak``,
    and the fewer photons there are the less it looks like normal noise.

    Parameters
    ----------
    images : ndarray of shape (n, H, W, C) or (n, H, W), or list of (H, W, C) or (H, W)
        Unsigned integers or floats, within ``value_range``.
    peak : float
        Mean number of photons where the image is white, above 0 and up to 1e9.
    value_range : tuple of float (low, high), default=None
        What is black, no photon, and what is white, as in :func:`gaussian_noise`.
    clip : bool, default=True
        Keep the result within the range, as in :func:`gaussian_noise`.
    random_state : int, RandomState instance or None, default=None
        Seed of the counts.

    Returns
    -------
    degraded : ndarray or list of ndarray
        Of the shape and, with ``clip``, the dtype of ``images``.

    Raises
    ------
    ValueError, TypeError
        If ``images`` are not as described, or ``peak`` is no number from 1e-6 to 1e9.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_sparsevae.degrade import poisson_noise
    >>> noisy = poisson_noise(np.full((1, 64, 64), 0.5), peak=8, random_state=0)
    >>> bool(np.all(noisy * 8 == np.round(noisy * 8)))
    True
    """
    check_between("peak", peak, 1e-6, 1e9)
    rng = random_numbers(random_state)

    def count(image):
        return rng.poisson(peak * np.clip(image, 0, 1)) / peak

    return change_images(images, count, value_range, clip)


def poisson_gaussian_noise(
    images: Images,
    gain: ArrayLike,
    sigma: ArrayLike,
    *,
    value_range: tuple[float, float] | None = None,
    clip: bool = True,
    random_state: RandomState = None,
) -> NDArray[Any] | Any:
    """Count photons and read them out: variance ``gain * v + sigma**2``.

    The noise of cameras: photons follow Poisson distributions, each adds ``gain`` to
    its pixel, and reading that out adds normal noise [1]_.
    :func:`sklearn_sparsevae.noise.estimate_gain` finds both in images.

    Parameters
    ----------
    images : ndarray of shape (n, H, W, C) or (n, H, W), or list of (H, W, C) or (H, W)
        Unsigned integers or floats, within ``value_range``.
    gain : float or array-like of shape (C,)
        What a photon adds to a pixel, in 8-bit units: 255 is the whole range, so that
        ``255 / gain`` photons make white. One number, or one for each channel. A camera
        of 2 electrons a level whose white is level 4095 has ``255 / (2 * 4095)``.
    sigma : float or array-like of shape (C,)
        Standard deviation of the normal noise, in 8-bit units.
    value_range : tuple of float (low, high), default=None
        What is black, no photon, and what is white, as in :func:`gaussian_noise`.
    clip : bool, default=True
        Keep the result within the range, as in :func:`gaussian_noise`.
    random_state : int, RandomState instance or None, default=None
        Seed of the noise.

    Returns
    -------
    degraded : ndarray or list of ndarray
        Of the shape and, with ``clip``, the dtype of ``images``.

    Raises
    ------
    ValueError, TypeError
        If ``images`` are not as described, ``gain`` is not from 1e-6 to 1e6, or
        ``sigma`` not from 0 to 1e6.

    References
    ----------
    .. [1] A. Foi, M. Trimeche, V. Katkovnik, K. Egiazarian. "Practical
       Poissonian-Gaussian Noise Modeling and Fitting for Single-Image Raw-Data". IEEE
       Transactions on Image Processing 17, 2008.
    """
    gain, sigma = for_channels("gain", gain, LEAST_GAIN), for_channels("sigma", sigma)
    rng = random_numbers(random_state)

    def expose(image):
        photon, deviation = (f(image.shape[-1]) / 255 for f in (gain, sigma))
        counts = rng.poisson(np.clip(image, 0, 1) / photon)
        return counts * photon + rng.normal(0, deviation, image.shape)

    return change_images(images, expose, value_range, clip)


def salt_and_pepper(
    images: Images,
    fraction: float,
    *,
    value_range: tuple[float, float] | None = None,
    random_state: RandomState = None,
) -> NDArray[Any] | Any:
    """Replace a share of all numbers by black or white, one as likely as the other.

    Numbers and not pixels: a channel is hit without the others, as by dead elements of
    a sensor. :func:`random_mask` takes whole pixels, and how many it takes is exact.

    Parameters
    ----------
    images : ndarray of shape (n, H, W, C) or (n, H, W), or list of (H, W, C) or (H, W)
        Unsigned integers or floats, within ``value_range``.
    fraction : float
        Probability of a number to be replaced, in [0, 1].
    value_range : tuple of float (low, high), default=None
        What is black and what is white, as in :func:`gaussian_noise`.
    random_state : int, RandomState instance or None, default=None
        Seed of the choice.

    Returns
    -------
    degraded : ndarray or list of ndarray
        Of the shape and dtype of ``images``.

    Raises
    ------
    ValueError, TypeError
        If ``images`` are not as described or ``fraction`` is not in [0, 1].
    """
    check_between("fraction", fraction, 0, 1)
    rng = random_numbers(random_state)

    def strew(image):
        hit = rng.random_sample(image.shape) < fraction
        return np.where(hit, rng.random_sample(image.shape) < 0.5, image)

    return change_images(images, strew, value_range)
