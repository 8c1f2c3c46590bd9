"""From the content of a file to the pixels that are wanted of it."""

import dataclasses
import struct

import numpy as np
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    PngImagePlugin,
    WebPImagePlugin,
)

from sklearn_sparsevae.datasets import _tiff
from sklearn_sparsevae.datasets._errors import Refused, naming_damage
from sklearn_sparsevae.datasets._sources import MAX_PIXELS
from sklearn_sparsevae.datasets._tiff_pages import Raster
from sklearn_sparsevae.datasets._window import (
    ORIENTATION,
    Window,
    upright,
    upright_shape,
)

# Formats of photographs, by what files begin with, beside TIFF. Pillow knows others,
# whatever a file is called, and starts programs for some of them.
_FORMATS = {
    b"\xff\xd8\xff": JpegImagePlugin.JpegImageFile,
    b"\x89PNG\r\n\x1a\n": PngImagePlugin.PngImageFile,
    b"RIFF": WebPImagePlugin.WebPImageFile,
    b"GIF8": GifImagePlugin.GifImageFile,
    b"BM": BmpImagePlugin.BmpImageFile,
}
_PNG = b"\x89PNG"
_PNG_DEPTH, _PNG_KIND = 24, 25  # where a PNG file says its bits and what its pixels are
_PNG_GREY = 0
_PNG_CHUNKS = 8  # where they begin
_HEAD = 26
_FOUR_CHANNELS = 4


@dataclasses.dataclass(frozen=True)
class PhotoDecoder:
    """Makes photos of image files, with the levels that the files have.

    8 bits or fewer a channel come as uint8, 16 as uint16, others of TIFF as they are.
    Upright by their EXIF orientation; in colour, or grey by Rec. 601 luma; transparent
    parts are white.
    """

    window: Window
    as_gray: bool = False
    max_pixels: int = MAX_PIXELS

    def __call__(self, file, box=None, place=None):
        """Return the photo that an open image file holds, or has at a place."""
        with naming_damage():
            pixels = self._pixels(file, place)
        return self.window.photo(pixels, box)

    def shape(self, file, box=None, place=None):
        """Shape of that photo, from the header of the file."""
        with naming_damage():
            place = place or place_in(file)
            if place is None:
                image = opened(file, self.max_pixels)
                orientation = _orientation_by_header(image, file)
                height, width = upright_shape(image.height, image.width, orientation)
                n_channels = 3
            else:
                height, width, n_channels = place.shape
        shape = self.window.shape(height, width, box)
        return shape + self._channels(n_channels)

    @property
    def common_shape(self):
        """Shape that all photos have but those of TIFF files, or None."""
        side = self.window.size
        return None if side is None else (side, side, *self._channels(3))

    def _channels(self, stored):
        if self.as_gray:
            return ()
        return (3,) if stored == 1 else (stored,)

    def _pixels(self, file, place):
        place = place or place_in(file)
        if place is not None:
            raster = _tiff.read_photo(file, place, self._check_size)
            if isinstance(raster, Raster):
                return self._in_colour(raster.pixels, raster.is_colour)
            return self._of_bytes(raster, 1)
        image = opened(file, self.max_pixels)
        image.load()
        orientation = orientation_of(image)
        if image.mode.startswith("I"):
            pixels = np.asarray(image).astype(np.uint16, copy=False)
            clear = image.info.get("transparency")
            if clear is not None:
                white = np.iinfo(np.uint16).max
                pixels = np.where(pixels == clear, white, pixels).astype(np.uint16)
            return self._in_colour(upright(pixels, orientation), is_colour=False)
        return self._of_bytes(image, orientation)

    def _of_bytes(self, image, orientation):
        """Pixels of an image of Pillow with 8 bits a channel."""
        if image.has_transparency_data:
            image = image.convert("RGBA")
            white = Image.new("RGBA", image.size, "white")
            image = Image.alpha_composite(white, image)
        mode = "L" if self.as_gray else "RGB"
        image = image if image.mode == mode else image.convert(mode)
        return upright(np.asarray(image), orientation)

    def _in_colour(self, pixels, is_colour):
        """Pixels of any type ``(H, W)`` or ``(H, W, C)`` as colours, or as grey."""
        if pixels.ndim == 3 and pixels.shape[2] == 1:
            pixels = pixels[..., 0]
        if pixels.ndim == 2:
            repeated = np.broadcast_to(pixels[..., None], (*pixels.shape, 3))
            return pixels if self.as_gray else repeated
        if not self.as_gray:
            return pixels
        if not is_colour:
            raise Refused(
                f"it has {pixels.shape[2]} channels that are not said to be red, green "
                "and blue, of which no grey is known. Leave out as_gray, or mix them "
                "yourself."
            )
        if pixels.dtype == np.uint8:
            return self._of_bytes(Image.fromarray(np.ascontiguousarray(pixels)), 1)
        luma = pixels @ np.array([0.299, 0.587, 0.114])
        return (np.rint(luma) if pixels.dtype.kind in "iu" else luma).astype(
            pixels.dtype
        )

    def _check_size(self, height, width, n_channels=1):
        check_size(height, width, n_channels, self.max_pixels)


def place_in(file):
    """Where the only photo of a TIFF file is; None of other files."""
    if not _tiff.is_tiff(_head(file)):
        return None
    first, *others = _tiff.find_photos(file)
    if others:
        raise Refused(
            f"it is a TIFF of {1 + len(others)} photos; expected one. Call it .tif, "
            "and load_image_folder takes each for itself."
        )
    return first


def _head(file):
    head = file.read(_HEAD)
    file.seek(0)
    return head


def opened(file, max_pixels):
    """Image of Pillow, of which no more than the header has been read."""
    head = _head(file)
    makers = [make for start, make in _FORMATS.items() if head.startswith(start)]
    if not makers:
        raise Refused(
            "it is no photo in a format that is opened: JPEG, PNG, TIFF, WebP, BMP or "
            "GIF. Convert it, or leave it out."
        )
    is_deep = head.startswith(_PNG) and head[_PNG_DEPTH:][:1] == b"\x10"
    if is_deep and head[_PNG_KIND] != _PNG_GREY:
        raise Refused(
            "it is a PNG of 16 bits a colour, of which Pillow reads 8. Write it anew "
            "as TIFF, as 16 bits of grey, or as 8 bits."
        )
    image = makers[0](file, "")
    check_size(image.height, image.width, 1, max_pixels)
    return image


def orientation_of(image, read=None):
    """EXIF orientation of an image; files whose EXIF data are garbled have none."""
    try:
        exif = image.getexif() if read is None else read(image)
        return exif.get(ORIENTATION, 1)
    except Exception:
        return 1


def _orientation_by_header(image, file):
    """Tell the orientation without decoding, as Pillow would all PNG files."""
    early = image.format == "PNG" and not _says_more_later(file)
    return orientation_of(image, Image.Image.getexif if early else None)


def _says_more_later(file):
    """Whether a PNG file has chunks after its pixels, among them perhaps EXIF data."""
    position, seen, later = file.tell(), False, False
    file.seek(_PNG_CHUNKS)
    while not later and len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        later = seen and kind not in (b"IDAT", b"IEND")
        seen = seen or kind == b"IDAT"
        file.seek(length + 4, 1)  # beyond the content and its checksum
    file.seek(position)
    return later


def check_size(height, width, n_channels, max_pixels):
    """Raise for an image that would fill the memory; four channels count as one."""
    if not height * width:
        raise Refused(f"{height} x {width} pixels; expected at least one.")
    n_pixels = height * width * -(-n_channels // _FOUR_CHANNELS)
    if n_pixels > max_pixels:
        raise Refused(
            f"{height} x {width} pixels of {n_channels} channel(s) are "
            f"{n_pixels} pixels; expected at most max_pixels={max_pixels}. Raise it if "
            "you trust the file and have the memory."
        )
