"""Less sharp images: fewer pixels in between, or convolved with a kernel."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import convolve as ndimage_convolve
from scipy.ndimage import gaussian_filter

from sklearn_sparsevae._arguments import as_ndarray
from sklearn_sparsevae._image_arrays import change_images, check_between
from sklearn_sparsevae._typing import Images, RandomState


def blur(
    images: Images,
    kernel: ArrayLike,
    *,
    value_range: tuple[float, float] | None = None,
    random_state: RandomState = None,
) -> NDArray[Any] | Any:
    """Convolve images with a kernel, such as the point spread function of a lens.

    Parameters
    ----------
    images : ndarray of shape (n, H, W, C) or (n, H, W), or list of (H, W, C) or (H, W)
        Unsigned integers or floats, within ``value_range``.
    kernel : float or array-like of shape (h, w)
        A number is the deviation of a Gaussian in pixels, from 0 to 1000. An array is
        divided by its sum, so that images stay as bright; its middle is the pixel
        itself. All channels are convolved alike.
    value_range : tuple of float (low, high), default=None
        What is black and what is white, as in :func:`gaussian_noise`.
    random_state : int, RandomState instance or None, default=None
        Not used: here so that all degradations are called alike.

    Returns
    -------
    degraded : ndarray or list of ndarray
        Of the shape and dtype of ``images``, clipped to the range. Beyond their borders
        images are continued by their mirror image.

    Raises
    ------
    ValueError, TypeError
        If ``images`` are not as described, or ``kernel`` is neither a number in its
        limits nor an array of finite numbers with a positive sum.

    Examples
    --------
    Blurred by the motion of a camera, and noisy:

    >>> import numpy as np
    >>> from sklearn_sparsevae.degrade import blur, gaussian_noise
    >>> def shaken(images, random_state=None):
    ...     blurred = blur(images, np.ones((1, 5)))
    ...     return gaussian_noise(blurred, sigma=5, random_state=random_state)
    >>> point = np.zeros((1, 7, 7))
    >>> point[0, 3, 3] = 1
    >>> blur(point, np.ones((1, 5)))[0, 3].round(1).tolist()
    [0.0, 0.2, 0.2, 0.2, 0.2, 0.2, 0.0]
    """
    kernel = _check_kernel(kernel)

    def convolve(image):
        if np.ndim(kernel) == 0:
            return gaussian_filter(image, (kernel, kernel, 0), mode="reflect")
        return ndimage_convolve(image, kernel[..., None], mode="reflect")

    return change_images(images, convolve, value_range)


def _check_kernel(kernel):
    array = as_ndarray(kernel, "kernel")
    if array.dtype.kind not in "uif":
        raise TypeError(
            f"Got kernel={kernel!r}; expected a number or an array of numbers (h, w)."
        )
    if array.ndim == 0:
        check_between("kernel", array.item(), 0, 1000)
        return float(array)
    if array.ndim != 2 or not array.size:
        raise ValueError(
            f"Got kernel of shape {array.shape}; expected a number or an array (h, w)."
        )
    array = array.astype(np.float64)
    total = array.sum()
    if not (np.isfinite(array).all() and 0 < total < np.inf):
        raise ValueError(
            f"Got kernel with the sum {total:.6g}; expected finite numbers with a sum "
            "above 0."
        )
    return array / total


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
