"""Which part of an image is shown, which way up, and how large."""

import dataclasses

import numpy as np
from PIL import Image

ORIENTATION = 0x0112  # the tag of EXIF and TIFF
_TURNS = {  # what makes an array upright: rows and columns exchanged, then mirrored
    1: (False, False, False),
    2: (False, False, True),
    3: (False, True, True),
    4: (False, True, False),
    5: (True, False, False),
    6: (True, False, True),
    7: (True, True, True),
    8: (True, True, False),
}


def _turn(orientation):
    """How to turn an image; numbers that mean nothing leave it as it is."""
    known = isinstance(orientation, int) and orientation in _TURNS
    return _TURNS[orientation if known else 1]


def upright(pixels, orientation):
    """Turn pixels ``(H, W, ...)`` as their EXIF orientation says."""
    exchanged, rows, columns = _turn(orientation)
    pixels = pixels.swapaxes(0, 1) if exchanged else pixels
    pixels = pixels[::-1] if rows else pixels
    return pixels[:, ::-1] if columns else pixels


def upright_shape(height, width, orientation):
    """Height and width of an image after that."""
    return (width, height) if _turn(orientation)[0] else (height, width)


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

    def photo(self, pixels, box):
        """Show a photo ``(H, W)`` or ``(H, W, C)``, smoothed before it shrinks."""
        top, left, height, width = self.part(*pixels.shape[:2], box)
        if self.size not in (None, height):
            return _resized(pixels, self.size, (left, top, left + width, top + height))
        return np.ascontiguousarray(pixels[top : top + height, left : left + width])

    def labels(self, labels, box):
        """Show labels ``(..., H, W)``: each pixel takes the label nearest to it."""
        top, left, *spans = self.part(*labels.shape[-2:], box)
        shape = self.shape(*labels.shape[-2:], box)
        rows, columns = (
            ((2 * np.arange(n) + 1) * span // (2 * n)) for n, span in zip(shape, spans)
        )
        return labels[..., (top + rows)[:, None], left + columns]


def _resized(pixels, size, edges):
    """Scale a square of a photo; its type and the limits of its levels stay."""
    if pixels.dtype == np.uint8 and (pixels.ndim == 2 or pixels.shape[2] == 3):
        return np.asarray(_scaled(pixels, size, edges))
    # Pillow computes with float32: from the darkest level on, so that none is lost.
    low, high = (np.float64(limit) for limit in (pixels.min(), pixels.max()))
    with np.errstate(invalid="ignore"):  # infinity is the estimators' to refuse
        planes = (pixels[..., None] if pixels.ndim == 2 else pixels) - low
    scaled = [
        np.asarray(_scaled(plane.astype(np.float32), size, edges), np.float64)
        for plane in np.moveaxis(planes, -1, 0)
    ]
    scaled = np.stack(scaled, axis=-1) + low
    if pixels.dtype.kind in "iu":
        scaled = np.rint(scaled)
        if int(high) > int(pixels.max()):  # of 64 bits
            high = np.nextafter(high, 0)
    scaled = np.clip(scaled, low, high).astype(pixels.dtype)  # Lanczos overshoots
    return scaled[..., 0] if pixels.ndim == 2 else scaled


def _scaled(pixels, size, edges):
    image = Image.fromarray(np.ascontiguousarray(pixels))
    return image.resize((size, size), Image.Resampling.LANCZOS, edges)


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
