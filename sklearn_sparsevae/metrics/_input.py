"""What metrics of images take: checked pairs, in units of their range, or as RGB.

Unsigned integers of any width span their dtype; floats are divided by ``data_range``.
A set is an array, images first, or a list of images of any sizes.
"""

import itertools
import math
import numbers
import sys

import numpy as np

from sklearn_sparsevae._arguments import as_ndarray, check_flag

# What a network is shown at once, so that memory stays bounded.
_BATCH_IMAGES = 32
_BATCH_PIXELS = 2**18
# In units of the range: of larger numbers the fourth powers that SSIM takes overflow.
_LARGEST = 1e60


def image_pairs(y_true, y_pred, data_range, min_ndim):
    """Check both sets and return an iterator over pairs of images in float64.

    They are in units of the range, and have at least ``min_ndim`` axes each.
    """
    data_range = check_data_range(data_range)
    y_true, y_pred = as_set(y_true, "y_true"), as_set(y_pred, "y_pred")
    check_same_shapes(y_true, y_pred, min_ndim)
    low, high = _check_values(y_true, "y_true", data_range)
    _check_values(y_pred, "y_pred", data_range)
    if high - low > data_range * (1 + 1e-6):
        raise ValueError(
            f"Got y_true from {low:.4g} to {high:.4g}; expected values that span at "
            f"most data_range={data_range:g}. Divide the images by their largest "
            "possible value, or pass the range that they have as data_range."
        )
    return (
        (in_units(true, data_range), in_units(pred, data_range))
        for true, pred in zip(y_true, y_pred)
    )


def rgb_pairs(y_true, y_pred, data_range):
    """Check pairs of images and return an iterator over pairs of RGB batches."""
    y_true, y_pred = as_set(y_true, "y_true"), as_set(y_pred, "y_pred")
    batches = rgb_sets(y_true, y_pred, data_range)
    check_same_shapes(y_true, y_pred, min_ndim=2)
    return zip(*batches)


def rgb_sets(y_true, y_pred, data_range):
    """Check two sets of images and return an iterator over RGB batches of each.

    The batches are float32 arrays ``(n, H, W, 3)``, clipped to [0, 1]; grey is shown as
    RGB. Images of different sizes are in different batches.
    """
    data_range = check_data_range(data_range)
    y_true, y_pred = as_set(y_true, "y_true"), as_set(y_pred, "y_pred")
    for name, images in (("y_true", y_true), ("y_pred", y_pred)):
        _check_colors(images, name)
    low, high = _check_values(y_true, "y_true", data_range)
    _check_values(y_pred, "y_pred", data_range)
    slack = 1e-6 * data_range
    if low < -slack or high > data_range + slack:
        raise ValueError(
            f"Got y_true from {low:.4g} to {high:.4g}; expected values from 0, which "
            f"is black, to data_range={data_range:g}, which is white. Shift the "
            "images, or pass what white is as data_range."
        )
    return _rgb_batches(y_true, data_range), _rgb_batches(y_pred, data_range)


def _rgb_batches(images, data_range):
    for shape, group in itertools.groupby(images, np.shape):
        step = int(np.clip(_BATCH_PIXELS // math.prod(shape[:2]), 1, _BATCH_IMAGES))
        while part := list(itertools.islice(group, step)):
            batch = np.stack([in_units(image, data_range) for image in part])
            batch = batch.clip(0, 1).astype(np.float32)
            batch = batch.reshape(*batch.shape[:3], -1)
            yield np.repeat(batch, 3, axis=3) if batch.shape[3] == 1 else batch


def as_set(images, name):
    """Images, masks or label maps as an array, or as a list of arrays of any shapes."""
    if isinstance(images, list | tuple) or _is_lazy(images):
        return [as_array(image, f"{name}[{i}]") for i, image in enumerate(images)]
    return as_array(images, name)


def _is_lazy(images):
    """Whether something is read image by image, as the sequences of `datasets` are."""
    parts = ("__len__", "__getitem__")
    known = any(hasattr(images, part) for part in ("__array__", "toarray"))
    known = known or isinstance(images, str | bytes | dict)
    return not known and all(hasattr(images, part) for part in parts)


def as_array(values, name):
    """Return an ndarray, and refuse what would lose its meaning as one."""
    if hasattr(values, "toarray"):
        raise TypeError(
            f"Got {name} as a sparse matrix; expected a dense array. Use .toarray()."
        )
    if isinstance(values, np.ma.MaskedArray):
        raise ValueError(
            f"Got {name} as a masked array; expected a plain one, since the mask would "
            "be dropped. Fill it with .filled(...), or leave out what is masked."
        )
    try:
        return as_ndarray(values, name)
    except ValueError:
        raise ValueError(
            f"Got {name} in lists of different lengths; expected numbers that fill an "
            "array. Give a list of arrays where images differ in size."
        ) from None


def mean_or_each(values, per_image):
    """Return values of images as they are, or their mean as a float."""
    check_flag(per_image, "per_image")
    return values if per_image else float(values.mean())


def check_data_range(data_range):
    """Return what floats span as a float."""
    is_number = isinstance(data_range, numbers.Real)
    if not is_number or isinstance(data_range, bool | np.bool_):
        raise TypeError(f"Got data_range={data_range!r}; expected a positive number.")
    if not 0 < data_range <= sys.float_info.max:
        raise ValueError(
            f"Got data_range={data_range}; expected a positive, finite number."
        )
    return float(data_range)


def in_units(image, data_range):
    """Return an image in units of its range, in float64."""
    if image.dtype.kind == "u":
        return image / np.float64(np.iinfo(image.dtype).max)
    return image.astype(np.float64) / data_range


def check_same_shapes(y_true, y_pred, min_ndim):
    """Refuse sets that differ in their shapes, or hold images of too few axes."""
    shapes = _shapes(y_true)
    whole = all(len(shape) >= min_ndim and 0 not in shape for shape in shapes)
    if shapes and whole and shapes == _shapes(y_pred):
        return
    raise ValueError(
        f"Got y_true of shape {describe(y_true)} and y_pred of shape "
        f"{describe(y_pred)}; expected the same shape (n_images, ...) with at least "
        "one value. Give a single image an axis of images in front: image[None]."
    )


def _shapes(images):
    """Shape of every image of a set."""
    if isinstance(images, list):
        return [image.shape for image in images]
    return [images.shape[1:]] * images.shape[0] if images.ndim else []


def describe(images):
    """Shape of a set for a message; of a list, those of its images."""
    if not isinstance(images, list):
        return str(images.shape)
    shapes = [str(image.shape) for image in images[:4]]
    more = ["..."] if len(images) > 4 else []
    return f"[{', '.join(shapes + more)}]"


def _check_colors(images, name):
    shapes = set(_shapes(images))
    if shapes and all(
        0 not in shape and (len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3)))
        for shape in shapes
    ):
        return
    raise ValueError(
        f"Got {name} of shape {describe(images)}; expected (n_images, H, W), or "
        "(n_images, H, W, C) with 1 or 3 channels, and at least one image. Give flat "
        "rows their image shape, and choose three of more channels."
    )


def _check_values(images, name, data_range):
    """Smallest and largest number, of floats; 0 and 0 where there are only integers."""
    spans = [(0.0, 0.0)]
    for part in images if isinstance(images, list) else [images]:
        if part.dtype.kind == "u":
            continue
        if part.dtype.kind != "f":
            raise ValueError(
                f"Got {name} of type {part.dtype}; expected unsigned integers such as "
                "uint8, which span their dtype, or floats. Convert other numbers to "
                "floats, and say what they span with data_range."
            )
        low, high = float(part.min()), float(part.max())
        if not max(-low, high) <= _LARGEST * data_range or np.isnan(low):
            raise ValueError(
                f"Got {name} with NaN, infinite or unbounded values; expected finite "
                "ones. Find them with numpy.isfinite."
            )
        spans.append((low, high))
    lows, highs = zip(*spans[1:] or spans)
    return min(lows), max(highs)
