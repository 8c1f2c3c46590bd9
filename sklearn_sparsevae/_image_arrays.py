"""Arrays of images as ``degrade`` and ``noise`` take them: layouts and ranges, checked.

Unsigned integers of any width span their dtype and floats [0, 1], unless a
``value_range`` says otherwise; inside, black is 0 and white is 1.
"""

import numbers

import numpy as np

from sklearn_sparsevae._arguments import as_ndarray, check_flag, lies_within

# In 8-bit units, as sigma is: far more than any image has left something of.
LARGEST_SIGMA = 1e6
# 8-bit levels a photon: as little noise as the largest numbers of photons have.
LEAST_GAIN = 1e-6
# Of what float32 holds, noise of that sigma included.
_LARGEST = 1e30


def change_images(images, change, value_range, clip=True):
    """Apply a change of one image ``(H, W, C)`` in [0, 1] to every image."""
    value_range = check_value_range(value_range)
    check_flag(clip, "clip")
    images = _photos(images, "images")
    if isinstance(images, list):
        for i, photo in enumerate(images):
            check_values(photo, value_range, f"images[{i}]")
        return [_change_one(photo, change, value_range, clip) for photo in images]
    check_values(images, value_range, "images")
    degraded = np.empty(images.shape, _result_dtype(images.dtype, clip))
    for i, image in enumerate(images):
        degraded[i] = _change_one(image, change, value_range, clip)
    return degraded


def convert_images(images, convert, value_range, name="images", limited=True):
    """Convert images as `unit_images` gives them; an array again of what was one."""
    originals = _photos(images, name)
    units = unit_images(images, value_range, name, limited)
    converted = [
        convert(unit).reshape(original.shape).astype(_float_dtype(original.dtype))
        for original, unit in zip(originals, units, strict=True)
    ]
    return converted if isinstance(originals, list) else np.stack(converted)


def _float_dtype(dtype):
    return dtype if dtype == np.float64 else np.dtype(np.float32)


def _photos(images, name):
    """Return a list of photos, or an array of images."""
    if not isinstance(images, list | tuple):
        return as_images(images, name, 3)
    photos = [as_images(p, f"{name}[{i}]", 2) for i, p in enumerate(images)]
    if not photos:
        raise ValueError(f"Got no {name}; expected at least one.")
    return photos


def for_channels(name, value, least=0.0):
    """Check a number or one for each channel; return a function of how many there are.

    The limits are ``least`` and `LARGEST_SIGMA`.
    """
    array = as_ndarray(value, name)
    if array.dtype.kind not in "uif" or array.ndim > 1 or not array.size:
        raise TypeError(
            f"Got {name}={value!r}; expected a number, or one for each channel."
        )
    array = array.astype(np.float64)
    if not ((array >= least) & (array <= LARGEST_SIGMA)).all():
        raise ValueError(
            f"Got {name}={value!r}; expected {least:g} <= {name} <= {LARGEST_SIGMA:g}."
        )

    def of_channels(n_channels):
        if array.ndim and len(array) not in (1, n_channels):
            raise ValueError(
                f"Got {name} of {len(array)} numbers for images of {n_channels} "
                "channels; expected one number, or as many."
            )
        return array

    return of_channels


def unit_images(images, value_range, name="images", limited=True):
    """Images one by one, float64 ``(H, W, C)``, black 0 and white 1, noise beyond both.

    All is checked before the first, but for finite numbers and, if they are to be
    ``limited``, their range.
    """
    value_range = check_value_range(value_range)
    photos = _photos(images, name)
    is_list = isinstance(photos, list)
    return (
        _unit(photo, value_range, f"{name}[{i}]" if is_list else name, limited)
        for i, photo in enumerate(photos)
    )


def _unit(photo, value_range, name, limited):
    check_kind(photo, value_range, name)
    low, high = limits(photo.dtype, value_range)
    unit = (photo.astype(np.float64) - low) / (high - low)
    if not np.isfinite(unit).all():
        raise ValueError(f"Got {name} with NaN or infinity; expected finite numbers.")
    if limited and not lies_within(unit, 0, 1):
        raise ValueError(
            f"Got {name} with a mean of {photo.mean():.6g}; expected images of "
            f"which most lies in [{low:g}, {high:g}]. Scale the images, or say what is "
            "black and white with value_range=(low, high)."
        )
    return unit.reshape(*photo.shape[:2], -1)


def _change_one(image, change, value_range, clip):
    low, high = limits(image.dtype, value_range)
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


def as_images(images, name, least_ndim):
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


def check_value_range(value_range):
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


def limits(dtype, value_range):
    if value_range is not None:
        return value_range
    return (0, np.iinfo(dtype).max) if dtype.kind == "u" else (0, 1)


def check_kind(images, value_range, name):
    kinds = "uf" if value_range is None else "uif"
    if images.dtype.kind not in kinds:
        raise TypeError(
            f"Got {name} of dtype {images.dtype}; expected unsigned integers, which "
            "span their dtype, or floats in [0, 1]. Say what signed integers span with "
            "value_range=(low, high)."
        )


def check_values(images, value_range, name):
    check_kind(images, value_range, name)
    low, high = limits(images.dtype, value_range)
    smallest, largest = images.min(), images.max()
    slack = 1e-5 * (high - low)
    if not low - slack <= smallest <= largest <= high + slack:
        raise ValueError(
            f"Got {name} with values in [{smallest:.6g}, {largest:.6g}]; expected "
            f"finite ones in [{low:g}, {high:g}]. Scale the images, or say what is "
            "black and white with value_range=(low, high)."
        )


def check_between(name, value, low, high, kind=numbers.Real):
    if not _is_number(value, kind):
        what = "an integer" if kind is numbers.Integral else "a number"
        raise TypeError(f"Got {name}={value!r}; expected {what}.")
    if not low <= value <= high:
        raise ValueError(f"Got {name}={value!r}; expected {low} <= {name} <= {high}.")


def _is_number(value, kind=numbers.Real):
    return isinstance(value, kind) and not isinstance(value, bool | np.bool_)
