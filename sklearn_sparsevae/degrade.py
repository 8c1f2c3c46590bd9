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

from sklearn_sparsevae._arguments import as_ndarray, check_flag, random_numbers
from sklearn_sparsevae._typing import Images, RandomState

# In 8-bit units, as sigma is: far more than any image has left something of.
_LARGEST_SIGMA = 1e6
# Of what float32 holds, noise of that sigma included.
_LARGEST = 1e30

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
    _check_between("sigma", sigma, 0, _LARGEST_SIGMA)
    rng = random_numbers(random_state)

    def add_noise(image):
        return image + rng.normal(0, sigma / 255, image.shape)

    return _degrade(images, add_noise, value_range, clip)


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
    _check_between("sigma", sigma, 0, _LARGEST_SIGMA)
    rng = random_numbers(random_state)

    def add_speckle(image):
        noise = rng.normal(0, sigma / 255, image.shape)
        return image + np.sqrt(np.clip(image, 0, 1)) * noise

    return _degrade(images, add_speckle, value_range, clip)


def square_mask(
    images: Images,
    size: int,
    *,
    fill: Literal["black", "biharmonic"] = "black",
    centered: bool = False,
    value_range: tuple[float, float] | None = None,
    random_state: RandomState = None,
) -> NDArray[Any] | Any:
    """Cut one square out of each image, at a random place within it or in the middle.

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
    centered : bool, default=False
        Cut from the middle, which no seed changes. Otherwise any place is as likely.
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
    _check_between("size", size, 1, np.inf, numbers.Integral)
    check_flag(centered, "centered")
    rng = random_numbers(random_state)
    stand_in = _stand_in(fill)

    def cut_out(image):
        _check_between("size", size, 1, min(image.shape[:2]), numbers.Integral)
        room = [side - size for side in image.shape[:2]]
        top, left = (r // 2 if centered else rng.randint(r + 1) for r in room)
        missing = np.zeros(image.shape[:2], bool)
        missing[top : top + size, left : left + size] = True
        return stand_in(image, missing)

    return _degrade(images, cut_out, value_range)


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
    _check_between("fraction", fraction, 0, 1)
    rng = random_numbers(random_state)
    stand_in = _stand_in(fill)

    def take_away(image):
        height, width = image.shape[:2]
        order = rng.permutation(height * width).reshape(height, width)
        return stand_in(image, order < round(fraction * height * width))

    return _degrade(images, take_away, value_range)


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
    _check_between("factor", factor, 1, sys.float_info.max)

    def there_and_back(image):
        rows, columns = (_down_and_up(side, factor) for side in image.shape[:2])
        return np.einsum("ij,jkc,lk->ilc", rows, image, columns, optimize=True)

    return _degrade(images, there_and_back, value_range)


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


def _degrade(images, change, value_range, clip=True):
    """Apply a change of one image ``(H, W, C)`` in [0, 1] to every image."""
    value_range = _check_value_range(value_range)
    check_flag(clip, "clip")
    if isinstance(images, list | tuple):
        photos = [_as_array(p, f"images[{i}]", 2) for i, p in enumerate(images)]
        if not photos:
            raise ValueError("Got no images; expected at least one.")
        for i, photo in enumerate(photos):
            _check_values(photo, value_range, f"images[{i}]")
        return [_degrade_one(photo, change, value_range, clip) for photo in photos]
    images = _as_array(images, "images", 3)
    _check_values(images, value_range, "images")
    degraded = np.empty(images.shape, _result_dtype(images.dtype, clip))
    for i, image in enumerate(images):
        degraded[i] = _degrade_one(image, change, value_range, clip)
    return degraded


def _degrade_one(image, change, value_range, clip):
    low, high = _limits(image.dtype, value_range)
    unit = (image.astype(np.float64) - low) / (high - low)
    changed = change(unit.reshape(*image.shape[:2], -1)).reshape(image.shape)
    if clip:
        changed = np.clip(changed, 0, 1)
    elif image.dtype.kind != "f":
        low, high = (0, 1) if value_range is None else value_range
    changed = changed * (high - low) + low
    if clip and image.dtype.kind != "f":
        changed = _whole(changed, np.iinfo(image.dtype))
    return changed.astype(_result_dtype(image.dtype, clip))


def _result_dtype(dtype, clip):
    return dtype if clip or dtype.kind == "f" else np.dtype(np.float32)


def _whole(numbers, info):
    """Round to whole numbers that an integer type holds."""
    largest = float(info.max)
    if int(largest) > info.max:  # 64 bits: rounded up to what they do not hold
        largest = np.nextafter(largest, 0)
    return np.clip(np.rint(numbers), info.min, largest)


def _as_array(images, name, least_ndim):
    """Return an array of images, or one photo, and refuse what is none."""
    if isinstance(images, np.ma.MaskedArray):
        raise ValueError(
            f"Got {name} as a masked array; expected a plain one, since the mask would "
            "be dropped. Fill it with .filled(...)."
        )
    try:
        images = as_ndarray(images, name, any_byte_order=True)
    except ValueError:
        raise ValueError(
            f"Got {name} in lists of different lengths; expected an array."
        ) from None
    if images.ndim not in (least_ndim, least_ndim + 1) or not images.size:
        shapes = "(n, H, W, C) or (n, H, W)" if least_ndim == 3 else "(H, W, C), (H, W)"
        raise ValueError(
            f"Got {name} of shape {images.shape}; expected {shapes} with at least one "
            "pixel, or a list of photos: reshape rows, and give a single photo as "
            "photo[None]."
        )
    return images


def _check_value_range(value_range):
    """Return a pair of floats, or None."""
    if value_range is None:
        return None
    is_pair = isinstance(value_range, list | tuple) and len(value_range) == 2
    if is_pair and all(_is_number(value) for value in value_range):
        low, high = value_range
        if -_LARGEST < low < high < _LARGEST and high - low > 1 / _LARGEST:
            return float(low), float(high)
    raise ValueError(
        f"Got value_range={value_range!r}; expected None or a pair (low, high) of "
        "finite numbers with low < high."
    )


def _limits(dtype, value_range):
    if value_range is not None:
        return value_range
    return (0, np.iinfo(dtype).max) if dtype.kind == "u" else (0, 1)


def _check_values(images, value_range, name):
    kinds = "uf" if value_range is None else "uif"
    if images.dtype.kind not in kinds:
        raise TypeError(
            f"Got {name} of dtype {images.dtype}; expected unsigned integers, which "
            "span their dtype, or floats in [0, 1]. Say what signed integers span with "
            "value_range=(low, high)."
        )
    low, high = _limits(images.dtype, value_range)
    smallest, largest = images.min(), images.max()
    slack = 1e-5 * (high - low)
    if not low - slack <= smallest <= largest <= high + slack:
        raise ValueError(
            f"Got {name} with values in [{smallest:.6g}, {largest:.6g}]; expected "
            f"finite ones in [{low:g}, {high:g}]. Scale the images, or say what is "
            "black and white with value_range=(low, high)."
        )


def _check_between(name, value, low, high, kind=numbers.Real):
    if not _is_number(value, kind):
        what = "an integer" if kind is numbers.Integral else "a number"
        raise TypeError(f"Got {name}={value!r}; expected {what}.")
    if not low <= value <= high:
        raise ValueError(f"Got {name}={value!r}; expected {low} <= {name} <= {high}.")


def _is_number(value, kind=numbers.Real):
    return isinstance(value, kind) and not isinstance(value, bool | np.bool_)
