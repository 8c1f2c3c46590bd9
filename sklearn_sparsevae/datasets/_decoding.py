"""From the content of a file to the pixels that are wanted of it."""

import contextlib
import dataclasses
import io
import zlib
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageOps

# What Pillow raises at files that are cut short, garbled or no images at all.
_BROKEN = (OSError, SyntaxError, ValueError, zlib.error, Image.DecompressionBombError)
_ORIENTATION = 0x0112  # the EXIF tag
_SWAPPED = 5  # from this orientation on, rows and columns change places


@dataclasses.dataclass(frozen=True)
class Window:
    """Which part of an image is shown, and how large.

    Attributes
    ----------
    size : int or None
        Side of the square that is shown, in pixels; None shows everything.
    resize : bool
        Scale the largest central square to that side, or cut it from the image as it
        is.
    """

    size: int | None
    resize: bool = True

    def __post_init__(self):
        if self.size is not None and self.size < 1:
            raise ValueError(
                f"Got size={self.size}; expected a number of pixels, or None for "
                "images as they are."
            )

    def part(self, height, width, box):
        """``(top, left, height, width)`` of the part of an image that is shown."""
        part = _square_around(box, height, width) if box else (0, 0, height, width)
        if self.size is None:
            return part
        shortest = min(part[2:])
        if self.size > shortest and not self.resize:
            raise ValueError(
                f"{part[2]} x {part[3]} pixels; expected at least size={self.size} on "
                "each side. Lower size, scale with resize=True, or leave it out."
            )
        side = shortest if self.resize else self.size
        return _central_square(part, side)

    def shape(self, height, width, box):
        """Height and width of what is shown of an image."""
        part = self.part(height, width, box)
        return part[2:] if self.size is None else (self.size, self.size)

    def photo(self, image, box):
        """Show a Pillow image, smoothed before it shrinks."""
        top, left, height, width = self.part(image.height, image.width, box)
        edges = (left, top, left + width, top + height)
        if self.size in (None, height):
            return image.crop(edges)
        return image.resize((self.size, self.size), Image.Resampling.LANCZOS, edges)

    def labels(self, labels, box):
        """Show labels ``(..., H, W)``: each pixel takes the label nearest to it."""
        top, left, *spans = self.part(*labels.shape[-2:], box)
        shape = self.shape(*labels.shape[-2:], box)
        rows, columns = (
            ((2 * np.arange(n) + 1) * span // (2 * n)) for n, span in zip(shape, spans)
        )
        return labels[..., (top + rows)[:, None], left + columns]


@dataclasses.dataclass(frozen=True)
class PhotoDecoder:
    """Makes uint8 photos of image files.

    Upright by their EXIF orientation; in colour, or grey by Rec. 601 luma; transparent
    parts are white; 16 bits a channel become 8.
    """

    window: Window
    as_gray: bool = False

    def __call__(self, content, box):
        """Return the photo that an image file holds."""
        image = _eight_bits(_opened(content))
        if image.has_transparency_data:
            image = image.convert("RGBA")
            white = Image.new("RGBA", image.size, "white")
            image = Image.alpha_composite(white, image)
        image = image.convert("L" if self.as_gray else "RGB")
        return np.asarray(self.window.photo(image, box))

    def shape(self, content, box):
        """Shape of that photo, from the header of the file."""
        height, width = _upright_shape(content)
        return self.window.shape(height, width, box) + self._channels

    @property
    def common_shape(self):
        """Shape that all photos have, or None."""
        side = self.window.size
        return None if side is None else (side, side, *self._channels)

    @property
    def _channels(self):
        return () if self.as_gray else (3,)


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

    def __call__(self, content, box):
        """Return the mask that an image file holds."""
        pixels = np.asarray(_opened(content).convert(self.mode))
        return self.window.labels(self.rule(pixels), box)


def is_bright(pixels):
    """Whether grey pixels are in the upper half of their range."""
    return pixels > 127


@contextlib.contextmanager
def _naming_damage():
    try:
        yield
    except _BROKEN as error:
        raise ValueError(
            f"no whole image that can be read ({type(error).__name__}). Replace the "
            "file, or leave it out."
        ) from error


def _opened(content):
    with _naming_damage():
        image = Image.open(io.BytesIO(content))
        image.load()
        return ImageOps.exif_transpose(image)


def _upright_shape(content):
    """Height and width by the header; only PNG files are decoded for it."""
    with _naming_damage():
        image = Image.open(io.BytesIO(content))
        turned = image.getexif().get(_ORIENTATION, 1) >= _SWAPPED
        return image.size if turned else image.size[::-1]


def _eight_bits(image):
    if image.mode == "F":
        raise ValueError(
            "its pixels are floats; expected integers of 8 or 16 bits. Convert it, for "
            "instance with skimage.util.img_as_ubyte."
        )
    if not image.mode.startswith("I"):
        return image
    values = np.asarray(image)
    if values.min() < 0 or values.max() > 65535:
        raise ValueError(
            f"its pixels are integers from {values.min()} to {values.max()}; expected "
            "8 or 16 bits. Convert it, for instance to a PNG file."
        )
    return Image.fromarray((values >> 8).astype(np.uint8))


def _square_around(box, height, width):
    """Smallest square around a box, moved and cut to lie inside the image."""
    top, left, box_height, box_width = box
    side = min(max(box_height, box_width), height, width)
    top += (box_height - side) // 2
    left += (box_width - side) // 2
    top = min(max(top, 0), height - side)
    left = min(max(left, 0), width - side)
    return top, left, side, side


def _central_square(part, side):
    top, left, height, width = part
    return top + (height - side) // 2, left + (width - side) // 2, side, side
