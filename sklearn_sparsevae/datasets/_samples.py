"""Photographs to try things on, without a download."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from skimage import data
from sklearn.datasets import load_sample_image

from sklearn_sparsevae._arguments import (
    as_ndarray,
    naming,
    random_numbers,
    whole_number,
)
from sklearn_sparsevae._typing import RandomState
from sklearn_sparsevae.datasets._bunch import Bunch
from sklearn_sparsevae.datasets._download import check_subset

_DESCR = """Seven colour photographs that scikit-learn and scikit-image ship

========== ========= ============ ====== =====================================
name       size      from         subset author and licence
========== ========= ============ ====== =====================================
astronaut  512 x 512 scikit-image train  NASA, public domain
china      427 x 640 scikit-learn train  danielbuechele, CC BY 2.0
motorcycle 500 x 741 scikit-image train  D. Scharstein et al., Middlebury 2014
rocket     427 x 640 scikit-image train  SpaceX, public domain
chelsea    300 x 451 scikit-image test   S. van der Walt, CC0
coffee     400 x 600 scikit-image test   R. Michetti, CC0
flower     427 x 640 scikit-learn test   vultilion, CC BY 2.0
========== ========= ============ ====== =====================================

The split is fixed: nothing in this project, defaults included, is fitted or tuned on
the photos of the test subset.
"""

_TRAIN = {
    "astronaut": data.astronaut,
    "china": lambda: load_sample_image("china.jpg"),
    "motorcycle": lambda: data.stereo_motorcycle()[0],
    "rocket": data.rocket,
}
_TEST = {
    "chelsea": data.chelsea,
    "coffee": data.coffee,
    "flower": lambda: load_sample_image("flower.jpg"),
}
_SUBSETS = {"train": _TRAIN, "test": _TEST, "all": {**_TRAIN, **_TEST}}


def load_sample_photos(*, subset: Literal["train", "test", "all"] = "all") -> Bunch:
    """Load the colour photographs that scikit-learn and scikit-image ship.

    Parameters
    ----------
    subset : {"train", "test", "all"}, default="all"
        ``"test"`` holds photos that nothing in this project is fitted on.

    Returns
    -------
    photos : :class:`~sklearn.utils.Bunch`
        With the attributes

        images : list of ndarray of shape (H, W, 3) and dtype uint8
            Photos of different sizes, no side shorter than 300 pixels.
        names : list of str
            Their names.
        DESCR : str
            Where they come from, and under which licence.

    Raises
    ------
    ValueError
        If there is no such subset.

    Examples
    --------
    >>> from sklearn_sparsevae.datasets import load_sample_photos
    >>> photos = load_sample_photos(subset="test")
    >>> photos.names, photos.images[0].shape
    (['chelsea', 'coffee', 'flower'], (300, 451, 3))
    """
    check_subset(subset, _SUBSETS)
    loaders = _SUBSETS[subset]
    images = [np.ascontiguousarray(load()) for load in loaders.values()]
    return Bunch(images=images, names=list(loaders), DESCR=_DESCR)


def random_crops(
    images: Sequence[NDArray[Any]] | NDArray[Any],
    size: int,
    n_crops: int,
    random_state: RandomState = None,
) -> NDArray[Any]:
    """Draw square crops from photos of different sizes.

    Every position in every photo is equally likely, so that a large photo gives more
    crops than a small one. Crops may overlap.

    Parameters
    ----------
    images : sequence of ndarray of shape (H, W, C) or (H, W)
        Photos of one type and number of channels, no side shorter than ``size``.
    size : int
        Height and width of a crop.
    n_crops : int
        Number of crops.
    random_state : int, RandomState instance or None, default=None
        Seed of the positions.

    Returns
    -------
    crops : ndarray of shape (n_crops, size, size, C) or (n_crops, size, size)
        Of the same type as the photos.

    Raises
    ------
    ValueError
        If there are no photos, they differ in type or channels, or one is too small.

    Examples
    --------
    >>> from sklearn_sparsevae.datasets import load_sample_photos, random_crops
    >>> photos = load_sample_photos(subset="train")
    >>> crops = random_crops(photos.images, size=32, n_crops=10, random_state=0)
    >>> crops.shape, crops.dtype
    ((10, 32, 32, 3), dtype('uint8'))
    """
    size, n_crops = whole_number(size, "size"), whole_number(n_crops, "n_crops", 0)
    with naming("images"):
        images = [as_ndarray(image, "images") for image in images]
    _check_photos(images, size)
    rng = random_numbers(random_state)
    spans = np.array([image.shape[:2] for image in images]) - size + 1
    ends = np.cumsum(spans.prod(axis=1))
    positions = rng.randint(ends[-1], size=n_crops, dtype=np.int64)
    crops = np.empty((n_crops, size, size, *images[0].shape[2:]), images[0].dtype)
    for i, photo in enumerate(np.searchsorted(ends, positions, side="right")):
        row, column = divmod(ends[photo] - 1 - positions[i], spans[photo, 1])
        crops[i] = images[photo][row : row + size, column : column + size]
    return crops


def _check_photos(images, size):
    if not images:
        raise ValueError("Got 0 images; expected at least one photo.")
    kinds = {(image.dtype.name, image.ndim, *image.shape[2:]) for image in images}
    if len(kinds) > 1 or images[0].ndim not in (2, 3):
        raise ValueError(
            f"Got images of (type, axes, channels) {sorted(kinds)}; expected all (H, "
            "W, C) or all (H, W), of one type. Convert them first, for instance with "
            "skimage.color.gray2rgb."
        )
    smallest = min(min(image.shape[:2]) for image in images)
    if smallest < size:
        raise ValueError(
            f"Got images with a side of {smallest} pixels; expected at least "
            f"size={size}. Crop smaller, or leave that photo out."
        )
