"""Images that are given to be written, one by one."""

import itertools
import math
from os import PathLike

import numpy as np

from sklearn_sparsevae._arguments import as_ndarray

_FEW = 4  # an axis that is no longer is taken to be one of channels


def photos_of(images):
    """Return an iterator of photos, how many there are and of how many numbers."""
    if hasattr(images, "__next__"):
        photos = itertools.chain.from_iterable(map(_block, images))
        return _named(photos), None, None
    if isinstance(images, str | bytes | PathLike) or not hasattr(images, "__len__"):
        if not hasattr(images, "shape"):
            raise TypeError(
                f"Got images of type {type(images).__name__}; expected an array (n, H, "
                "W, C) or (n, H, W), a list of photos, or an iterator of blocks."
            )
    if hasattr(images, "ndim"):
        shape = tuple(images.shape)
        _check_stack(shape)
        items = (images[i] for i in range(shape[0]))
        return _named(items), shape[0], math.prod(shape)
    n_photos = len(images)
    if not n_photos:
        raise ValueError("Got no images; expected at least one.")
    shapes = getattr(images, "shapes", None)
    if shapes is None and isinstance(images, list | tuple):
        shapes = [np.shape(photo) for photo in images]
    n_numbers = None if shapes is None else sum(map(math.prod, shapes))
    return _named(images[i] for i in range(n_photos)), n_photos, n_numbers


def _block(block):
    if isinstance(block, list | tuple):
        return block
    block = as_ndarray(block, "images")
    _check_stack(block.shape)
    return block


def _check_stack(shape):
    one_photo = len(shape) == 3 and shape[2] <= _FEW < min(shape[:2])
    if len(shape) not in (3, 4) or 0 in shape or one_photo:
        raise ValueError(
            f"Got images of shape {shape}; expected (n, H, W, C) or (n, H, W) with at "
            "least one pixel. One photo alone is photo[None]."
        )


def _named(photos):
    """Check photos one by one, with what errors call them."""
    for i, photo in enumerate(photos):
        photo = as_ndarray(photo, f"images[{i}]")
        if photo.ndim not in (2, 3) or not photo.size:
            raise ValueError(
                f"images[{i}] has shape {photo.shape}; expected (H, W, C) or (H, W) "
                "with at least one pixel."
            )
        yield photo, f"images[{i}]"
