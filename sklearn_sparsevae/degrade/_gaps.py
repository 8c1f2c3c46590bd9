"""Missing pixels, and what stands in for them."""

from __future__ import annotations

import numbers
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from skimage.restoration import inpaint_biharmonic

from sklearn_sparsevae._arguments import check_flag, random_numbers
from sklearn_sparsevae._image_arrays import change_images, check_between
from sklearn_sparsevae._typing import Images, RandomState


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
    check_between("size", size, 1, np.inf, numbers.Integral)
    check_flag(centered, "centered")
    rng = random_numbers(random_state)
    stand_in = _stand_in(fill)

    def cut_out(image):
        check_between("size", size, 1, min(image.shape[:2]), numbers.Integral)
        room = [side - size for side in image.shape[:2]]
        top, left = (r // 2 if centered else rng.randint(r + 1) for r in room)
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
