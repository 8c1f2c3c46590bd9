"""Seeded degradations of images, to train and to judge restoration.

All take a batch of images, or a list of photos of different sizes, and return the same
in its own dtype. Unsigned integers of any width span their dtype and floats [0, 1],
unless ``value_range`` says otherwise. An estimator applies one afresh to every training
batch when it is given as ``degrade=functools.partial(gaussian_noise, sigma=20)``; one
with a ``value_range`` of its own needs a degradation with the same.

One module although it is long: more than half of it documents the five functions.
"""

from __future__ import annotations

import numbers
import sys
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from skimage.restoration import inpaint_biharmonic

from sklearn_sparsevae._arguments import random_numbers
from sklearn_sparsevae._image_arrays import change_images, check_between
from sklearn_sparsevae._typing import Images, RandomState

# In 8-bit units, as sigma is: far more than any image has left something of.
_LARGEST_SIGMA = 1e6

__all__ = [
    "bicubic_downsample",
    "gaussian_noise",
    "random_mask",
    "speckle",
    "square_mask",
]


def gaussian_noise(
    images: Images,
    sigma: float,
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
    sigma : float
        Standard deviation in 8-bit units: 255 is the whole range, of floats too.
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
        If ``images`` are not as described, or ``sigma`` is no number from 0 to 1e6.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_sparsevae.degrade import gaussian_noise
    >>> grey = np.full((2, 64, 64), 128, dtype=np.uint8)
    >>> noisy = gaussian_noise(grey, sigma=20, random_state=0)
    >>> noisy.dtype, int(noisy.std().round())
    (dtype('uint8'), 20)
    """
    check_between("sigma", sigma, 0, _LARGEST_SIGMA)
    rng = random_numbers(random_state)

    def add_noise(image):
        return image + rng.normal(0, sigma / 255, image.shape)

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
    check_between("sigma", sigma, 0, _LARGEST_SIGMA)
    rng = random_numbers(random_state)

    def add_speckle(image):
        noise = rng.normal(0, sigma / 255, image.shape)
        return image + np.sqrt(np.clip(image, 0, 1)) * noise

    return change_images(images, add_speckle, value_range, clip)


def square_mask(
    images: Images,
    size: int,
    *,
    fill: Literal["black", "biharmonic"] = "black",
    value_range: tuple[float, float] | None = None,
    random_state: RandomState = None,
) -> NDArray[Any] | Any:
    """Cut one square out of each image, at a random place within it.

    The same seed blacks out the same pixels of any images of that shape, so that
    ``square_mask(np.ones_like(images), size, random_state=0) == 0`` says which.

    Parameters
    ----------
    images : ndarray of shape (n, H, W, C) or (n, H, W), or list of (H, W, C) or (H, W)
        Unsigned integers or floats, within ``value_range``.
    size : int
        Side of the square in pixels, no longer than a side of an image.
    fill : {"black", "biharmonic"}, default="black"
        What stands in for the missing pixels: black, or their surroundings continued
        smoothly by :func:`skimage.restoration.inpaint_biharmonic`, from where a network
        has less far to go. To restore photos, train on what they will be filled with.
    value_range : tuple of float (low, high), default=None
        What is black and what is white, as in :func:`gaussian_noise`.
    random_state : int, RandomState instance or None, default=None
        Seed of the places.

    Returns
    -------
    degraded : ndarray or list of ndarray
        Of the shape and dtype of ``images``.

    Raises
    ------
    ValueError, TypeError
        If ``images`` are not as described, ``size`` does not fit into one, or there is
        no such ``fill``.
    """
    check_between("size", size, 1, np.inf, numbers.Integral)
    rng = random_numbers(random_state)
    stand_in = _stand_in(fill)

    def cut_out(image):
        check_between("size", size, 1, min(image.shape[:2]), numbers.Integral)
        top, left = (rng.randint(side - size + 1) for side in image.shape[:2])
        missing = np.zeros(image.shape[:2], bool)
        missing[top : top + size, left : left + size] = True
        return stand_in(image, missing)

    return change_images(images, cut_out, value_range)


def random_mask(
    images: Images,
    fraction: float,
    *,
    fill: Literal["black", "biharmonic"] = "black",
    value_range: tuple[float, float] | None = None,
    random_state: RandomState = None,
) -> NDArray[Any] | Any:
    """Take away a share of the pixels of each image, all channels of a pixel at once.

    The same seed blacks out the same pixels of any images of that shape, so that
    ``random_mask(np.ones_like(images), fraction, random_state=0) == 0`` says which.

    Parameters
    ----------
    images : ndarray of shape (n, H, W, C) or (n, H, W), or list of (H, W, C) or (H, W)
        Unsigned integers or floats, within ``value_range``.
    fraction : float
        Share of the pixels, in [0, 1]; rounded to whole pixels, equal in every image.
    fill : {"black", "biharmonic"}, default="black"
        What stands in for the missing pixels: black, or their surroundings continued
        smoothly by :func:`skimage.restoration.inpaint_biharmonic`, from where a network
        has less far to go. To restore photos, train on what they will be filled with.
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
        If ``images`` are not as described, ``fraction`` is not in [0, 1], or there is
        no such ``fill``.
    """
    check_between("fraction", fraction, 0, 1)
    rng = random_numbers(random_state)
    stand_in = _stand_in(fill)

    def take_away(image):
        height, width = image.shape[:2]
        order = rng.permutation(height * width).reshape(height, width)
        return stand_in(image, order < round(fraction * height * width))

    return change_images(images, take_away, value_range)


def bicubic_downsample(
    images: Images,
    factor: float,
    *,
    value_range: tuple[float, float] | None = None,
    random_state: RandomState = None,
) -> NDArray[Any] | Any:
    """Shrink images and enlarge them again to their size, both bicubically.

    What super-resolution at equal size starts from. The cubic convolution of Keys [1]_
    (a = -0.5), stretched by the factor where it shrinks, so that nothing aliases.

    Parameters
    ----------
    images : ndarray of shape (n, H, W, C) or (n, H, W), or list of (H, W, C) or (H, W)
        Unsigned integers or floats, within ``value_range``.
    factor : float
        How many times smaller the sides become in between, 1 or more; they are rounded
        up to whole pixels, their values are not rounded.
    value_range : tuple of float (low, high), default=None
        What is black and what is white. None stands for all that the dtype of unsigned
        integers can hold, and for [0, 1] of floats; a pair says it of any numbers.
    random_state : int, RandomState instance or None, default=None
        Not used: here so that all degradations are called alike.

    Returns
    -------
    degraded : ndarray or list of ndarray
        Of the shape and dtype of ``images``, clipped to the range.

    Raises
    ------
    ValueError, TypeError
        If ``images`` are not as described or ``factor`` is below 1.

    References
    ----------
    .. [1] R. Keys. "Cubic Convolution Interpolation for Digital Image Processing". IEEE
       Transactions on Acoustics, Speech, and Signal Processing 29, 1981.
    """
    check_between("factor", factor, 1, sys.float_info.max)

    def there_and_back(image):
        rows, columns = (_down_and_up(side, factor) for side in image.shape[:2])
        return np.einsum("ij,jkc,lk->ilc", rows, image, columns, optimize=True)

    return change_images(images, there_and_back, value_range)


def _stand_in(fill):
    """Return what ``fill`` stands for: a function of an image and its mask."""
    ways = {"biharmonic": _biharmonic, "black": _black}
    if not isinstance(fill, str) or fill not in ways:
        raise ValueError(f"Got fill={fill!r}; expected one of {sorted(ways)}.")
    return ways[fill]


def _black(image, missing):
    image[missing] = 0
    return image


def _biharmonic(image, missing):
    if missing.all():
        return _black(image, missing)
    return inpaint_biharmonic(image, missing, channel_axis=-1)


def _down_and_up(length, factor):
    """Matrix ``(length, length)`` that shrinks a signal and enlarges it again."""
    small = int(np.ceil(length / factor))
    return _bicubic(small, length) @ _bicubic(length, small)


def _bicubic(n_in, n_out):
    """Matrix ``(n_out, n_in)`` that resizes a signal; at its ends the kernel is cut."""
    scale = n_in / n_out
    centers = (np.arange(n_out)[:, None] + 0.5) * scale - 0.5
    weights = _cubic_kernel((np.arange(n_in) - centers) / max(scale, 1))
    return weights / weights.sum(1, keepdims=True)


def _cubic_kernel(distance):
    """Interpolation kernel of Keys, Eq. 15."""
    s = np.abs(distance)
    near = 1.5 * s**3 - 2.5 * s**2 + 1
    far = -0.5 * s**3 + 2.5 * s**2 - 4 * s + 2
    return np.where(s < 1, near, np.where(s < 2, far, 0))  # Keys' Eq. 15
