"""What the numbers of images mean: which of them are black and white."""

import dataclasses
import numbers

import numpy as np

from sklearn_sparsevae._arguments import lies_within


@dataclasses.dataclass(frozen=True)
class ValueRange:
    """The range that images span, and how it becomes [0, 1] and back.

    Attributes
    ----------
    given : tuple of float (low, high), or None
        The range of all numbers, integers or not. None stands for [0, 1] of floats,
        and for all that their dtype can hold of unsigned integers.
    free : bool
        Numbers are taken as they are, whatever they span: vectors and given latents.
    beyond : bool
        Inputs may exceed the range, as noise that is not clipped does.
    """

    given: tuple | None = None
    free: bool = False
    beyond: bool = False

    @classmethod
    def of(cls, value_range, **flags):
        """Check what a user gave as ``value_range=``: None or a pair."""
        if value_range is None:
            return cls(None, **flags)
        try:
            low, high = value_range
            is_pair = not isinstance(value_range, str) and all(
                isinstance(v, numbers.Real) and not isinstance(v, bool | np.bool_)
                for v in (low, high)
            )
            # What the network computes with is float32.
            with np.errstate(over="ignore"):
                span = np.float32(high) - np.float32(low) if is_pair else np.nan
            is_pair = is_pair and np.isfinite(span) and span > 0
        except (TypeError, ValueError, OverflowError):
            is_pair = False
        if not is_pair:
            raise ValueError(
                f"value_range={value_range!r} must be a pair (low, high) of finite "
                "numbers with low < high, 'data' or None."
            )
        return cls((float(low), float(high)), **flags)

    @classmethod
    def spanned_by(cls, spans, **flags):
        """Range from the smallest to the largest of pairs ``(low, high)``."""
        spans = list(spans)
        low, high = min(s[0] for s in spans), max(s[1] for s in spans)
        return cls.of((low, high if high > low else low + 1.0), **flags)

    @property
    def limits(self):
        """What is black and white in images that come out, ``(low, high)``."""
        return (0.0, 1.0) if self.given is None else self.given

    def limits_of(self, dtype):
        """Return what is black and white in images of a dtype that come in."""
        if self.given is None and np.dtype(dtype).kind == "u":
            return 0, np.iinfo(dtype).max
        return self.limits

    def to_unit(self, images):
        """Images of any dtype as float32 with the range at [0, 1], as torch takes them.

        It takes neither arrays that may not be written to nor mirrored ones.
        """
        low, high = self.limits_of(images.dtype)
        if not self.free and (low, high) != (0, 1):
            # float32 holds whole numbers up to 2**24.
            exact = np.float64 if images.dtype.itemsize > 2 else np.float32
            images = (images - exact(low)) / exact(high - low)
        images = np.require(images, np.float32, "CW")
        # An axis of length 1 may have any stride, and torch adds up as strides say.
        return images.reshape(-1).reshape(images.shape)

    def from_unit(self, images):
        """Clip what a network gives and bring it to our range, in place."""
        if self.free:
            return images
        np.clip(images, 0, 1, out=images)
        low, high = self.limits
        if (low, high) != (0, 1):
            images *= high - low
            images += low
            np.clip(images, low, high, out=images)
        return images

    def as_floats(self, images):
        """Integers as floats in the range that images come out in; floats as is."""
        if images.dtype.kind == "f":
            return images
        if self.free or self.given is not None:
            return images.astype(
                np.float64 if images.dtype.itemsize > 2 else np.float32
            )
        low, high = self.limits_of(images.dtype)
        return ((images - np.float64(low)) / (high - low)).astype(np.float32)

    def check(self, images, name):
        """Raise unless an array holds numbers that have a meaning in this range."""
        self._check_dtype(images.dtype, name)
        if images.dtype.kind == "u" and self.given is None:
            self._check_whole_span(images, name)
            return
        smallest, largest = value_span(images)
        if not np.isfinite([smallest, largest]).all():
            raise ValueError(
                f"{name} contains NaN or infinity: replace or leave out those pixels."
            )
        if max(-smallest, largest) > float(np.finfo(np.float32).max):
            raise ValueError(
                f"{name} has values too large for float32: scale the features."
            )
        if self.free:
            return
        low, high = self.limits
        slack = (1 if self.beyond else 1e-5) * (high - low)
        outside = smallest < low - slack or largest > high + slack
        is_noise = outside and lies_within(images, low, high)
        if outside and not (self.beyond and is_noise):
            cut = f" Noise is cut off by np.clip(images, {low:g}, {high:g})."
            raise ValueError(
                f"{name} has values in [{smallest:.4g}, {largest:.4g}], expected "
                f"[{low:g}, {high:g}]. Scale the images, pass unsigned integers such "
                "as uint8 without a value_range, or say what the range is with "
                f"value_range=(low, high).{cut if is_noise else ''}"
            )

    def _check_whole_span(self, images, name):
        """Raise for wide integers that would all be black: they span something else."""
        if self.free or images.dtype.itemsize <= 2:
            return
        largest, most = int(images.max()), np.iinfo(images.dtype).max
        if 0 < largest < most >> 16:
            raise ValueError(
                f"{name} has values up to {largest}, but dtype {images.dtype}, whose "
                f"white is {most}: it would be black. Say what the numbers span with "
                "value_range=(low, high), or value_range='data'."
            )

    def _check_dtype(self, dtype, name):
        if dtype.kind in "uf" or (dtype.kind == "i" and (self.given or self.free)):
            return
        if dtype.kind == "i":
            raise TypeError(
                f"{name} has dtype {dtype}; expected unsigned integers such as uint8, "
                "or floats in [0, 1]. Say what signed integers span with "
                "value_range=(low, high), or convert them."
            )
        remedy = "Convert what is not numbers."
        if dtype.kind == "b":
            remedy = "Convert booleans with X.astype(float)."
        raise TypeError(
            f"{name} has dtype {dtype}; expected unsigned integers such as uint8, or "
            f"floats in [0, 1]. {remedy}"
        )


def value_span(images):
    """Smallest and largest value of an array, without a copy of it; NaN if there is."""
    return float(images.min()), float(images.max())
