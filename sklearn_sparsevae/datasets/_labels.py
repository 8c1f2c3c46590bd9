"""From the content of a file to the labels of its pixels."""

import dataclasses
from collections.abc import Callable

import numpy as np

from sklearn_sparsevae.datasets import _tiff
from sklearn_sparsevae.datasets._decoding import (
    check_size,
    opened,
    orientation_of,
    place_in,
)
from sklearn_sparsevae.datasets._errors import Refused, naming_damage
from sklearn_sparsevae.datasets._sources import MAX_PIXELS
from sklearn_sparsevae.datasets._tiff_pages import Raster
from sklearn_sparsevae.datasets._window import Window, upright


@dataclasses.dataclass(frozen=True)
class MaskDecoder:
    """Makes boolean masks ``(H, W)`` of image files.

    Attributes
    ----------
    window : Window
        Which part of a mask is shown.
    mode : str
        What Pillow converts the image to.
    rule : callable
        Says of an array of that mode where the foreground is.
    """

    window: Window
    mode: str
    rule: Callable

    def __call__(self, file, box=None, place=None):
        """Return the mask that an open image file holds."""
        with naming_damage():
            image = opened(file, MAX_PIXELS)
            image.load()
            pixels = np.asarray(image.convert(self.mode))
            pixels = upright(pixels, orientation_of(image))
        return self.window.labels(self.rule(pixels), box)


@dataclasses.dataclass(frozen=True)
class LabelDecoder:
    """Makes label maps ``(H, W)`` of image files: the numbers of their pixels.

    Those of a palette are its entries, as `save_masks` and many data sets write them.
    """

    window: Window
    max_pixels: int = MAX_PIXELS

    def __call__(self, file, box=None, place=None):
        """Return the label map that an open image file holds, or has at a place."""
        with naming_damage():
            return self.window.labels(self._labels(file, place), box)

    def _labels(self, file, place):
        place = place or place_in(file)
        if place is not None:
            limit = self.max_pixels
            image = _tiff.read_photo(file, place, lambda *s: check_size(*s, limit))
            if isinstance(image, Raster):
                return _one_channel(image.pixels)
            orientation = 1
        else:
            image = opened(file, self.max_pixels)
            image.load()
            orientation = orientation_of(image)
        pixels = np.asarray(image)
        pixels = pixels.astype(np.uint8) if image.mode == "1" else pixels
        return upright(_one_channel(pixels), orientation)


def _one_channel(pixels):
    """Labels of a mask that was saved with several equal channels, or one."""
    if pixels.ndim == 3:
        first = pixels[..., 0]
        has_opacity = pixels.shape[2] in (2, 4)
        n_channels = pixels.shape[2] - has_opacity
        if (pixels[..., :n_channels] != first[..., None]).any():
            raise Refused(
                "its pixels are colours; expected labels: grey levels, or a palette. "
                "Say which label a colour is, and write it anew with save_masks."
            )
        pixels = first
    if pixels.dtype.kind not in "iub":
        raise Refused(f"its pixels are {pixels.dtype}; expected whole numbers.")
    return pixels


def is_bright(pixels):
    """Whether grey pixels are in the upper half of their range."""
    return pixels > 127
