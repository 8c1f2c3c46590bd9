"""Numbers of images as those of files: their range, rounded and clipped."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Levels:
    """How numbers are written.

    Attributes
    ----------
    dtype : dtype or None
        Of the file; None is that of the images.
    value_range : tuple of float (low, high), or None
        What the numbers of images span, which are written as they are. None: integers
        span their dtype and floats [0, 1], and are brought to the dtype of the file.
    """

    dtype: np.dtype | None
    value_range: tuple | None

    @classmethod
    def of(cls, dtype, value_range):
        """Check what a user gave."""
        if dtype is not None:
            try:
                dtype = np.dtype(dtype).newbyteorder("=")
            except TypeError:
                dtype = np.dtype(object)
            if dtype.kind not in "uif":
                raise TypeError(
                    f"Got a dtype of files that is no number ({dtype}); expected one "
                    "such as 'uint8', 'uint16' or 'float32'."
                )
        return cls(dtype, _checked_range(value_range))

    def for_files_of(self, dtype):
        """Levels for files of a dtype, unless another was asked for."""
        return self if self.dtype is not None else Levels(dtype, self.value_range)

    def of_photo(self, photo, name):
        """Return a photo as it is written."""
        dtype = photo.dtype if self.dtype is None else self.dtype
        if photo.dtype.kind not in "uif":
            raise TypeError(
                f"{name} has dtype {photo.dtype}; expected integers or floats. "
                "save_masks writes label maps."
            )
        if self.value_range is not None:
            return self._clipped(photo, dtype, *self.value_range, name)
        if photo.dtype == dtype:
            return photo
        if photo.dtype.kind == "i" or dtype.kind == "i":
            raise ValueError(
                f"{name} has dtype {photo.dtype}, which is to be written as {dtype}. "
                "What signed integers span is not known: say what is black and white "
                "with value_range=(low, high)."
            )
        if dtype.kind == "f" and photo.dtype.kind == "f":
            return photo.astype(dtype)
        return _rescaled(photo, dtype, name)

    def _clipped(self, photo, dtype, low, high, name):
        if dtype.kind == "f" or photo.dtype == dtype:
            return photo.astype(dtype, copy=False)
        limits = np.iinfo(dtype)
        if low < limits.min or high > limits.max:
            raise ValueError(
                f"value_range=({low:g}, {high:g}) is beyond {dtype}, which holds "
                f"{limits.min} to {limits.max}, and numbers are written as they are. "
                "Say another dtype, or bring the images to [0, 1] and leave "
                "value_range out."
            )
        _check_numbers(photo, name)
        return _whole(np.clip(photo.astype(np.float64), low, high), dtype)


def _rescaled(photo, dtype, name):
    """Bring numbers of one range, that of their dtype or [0, 1], to that of another."""
    unit = photo.astype(np.float64)
    if photo.dtype.kind == "u":
        unit /= np.iinfo(photo.dtype).max
        if dtype.kind == "f":
            return unit.astype(dtype)
    else:
        low, high = _check_numbers(photo, name)
        if low < -1 or high > 2:
            raise ValueError(
                f"{name} has values in [{low:.4g}, {high:.4g}]; expected floats in [0, "
                "1], or beyond it by no more than noise is. Say what is black and "
                "white with value_range=(low, high)."
            )
        unit = np.clip(unit, 0, 1)
    return _whole(unit * np.iinfo(dtype).max, dtype)


def _whole(numbers, dtype):
    largest = float(np.iinfo(dtype).max)
    if int(largest) > np.iinfo(dtype).max:  # 64 bits: what floats hold below it
        largest = np.nextafter(largest, 0)
    return np.clip(np.rint(numbers), np.iinfo(dtype).min, largest).astype(dtype)


def _check_numbers(photo, name):
    """Smallest and largest number of a photo, if none is NaN or infinite."""
    low, high = float(photo.min()), float(photo.max())
    if not np.isfinite([low, high]).all():
        raise ValueError(
            f"{name} contains NaN or infinity, which integers do not have: replace "
            "those pixels, or say dtype='float32'."
        )
    return low, high


def _checked_range(value_range):
    if value_range is None:
        return None
    try:
        low, high = (float(value) for value in value_range)
    except (TypeError, ValueError):
        low = high = np.nan
    if not (low < high and np.isfinite(high - low)):
        raise ValueError(
            f"Got value_range={value_range!r}; expected a pair (low, high) of finite "
            "numbers with low < high, or None."
        )
    return low, high
