"""A page of a TIFF file: what its pixels are, and the pixels, level by level.

tifffile reads what is stored plainly, deflated or by PackBits, of any width; Pillow
what it keeps whole of the rest: LZW, JPEG, fax, palettes, CMYK. What neither does is
refused, with a way out. Numbers of the file are not trusted: sizes are compared with a
limit, and deflated strips inflated no further than to their size, before memory is
asked for.
"""

import dataclasses
import importlib.util
import math
import zlib

import numpy as np
from PIL import Image, TiffImagePlugin

from sklearn_sparsevae.datasets._errors import Refused
from sklearn_sparsevae.datasets._window import ORIENTATION, upright

_DEFLATE = (8, 32946)
_PLAIN = (1, 32773, *_DEFLATE)
_LZW = 5
_GREY, _RGB = (0, 1), 2
_WHITE_IS_0 = 0
# How many samples a pixel has in what Pillow opens without a loss.
_SAMPLES = {"1": 1, "L": 1, "P": 1, "I": 1, "I;16": 1, "I;16B": 1, "F": 1}
_SAMPLES |= {"LA": 2, "RGB": 3, "YCbCr": 3, "RGBA": 4, "CMYK": 4}
_FEW_BITS, _UNSIGNED = 8, 1
_DEEP_GREY = {(12, 1), (16, 1), (16, 2), (32, 1), (32, 2), (32, 3)}
_SLACK = 2**16  # bytes that writers add to a strip


@dataclasses.dataclass(frozen=True)
class Raster:
    """Upright pixels ``(H, W)`` or ``(H, W, C)``, and whether they are colours."""

    pixels: np.ndarray
    is_colour: bool


def orientation_of(page):
    """Return which way up a page is, as EXIF has it."""
    return page.tags.valueof(ORIENTATION, default=1)


def channels_of(page):
    """Return how many channels a page has, without transparency, and whether RGB."""
    if page.photometric in _GREY or page.photometric == _RGB:
        n_channels = page.samplesperpixel - (alpha_of(page) > 0)
        return n_channels, page.photometric == _RGB and n_channels == 3
    return 3, True


def alpha_of(page):
    """0 without transparency in the last sample; 1 if multiplied in, 2 if not."""
    extra = page.extrasamples
    usual = 3 if page.photometric == _RGB else 1
    if len(extra) == 1 and page.samplesperpixel == usual + 1:
        return int(extra[0]) if extra[0] in (1, 2) else 0
    return 0


def how_to_read(page):
    """Return "tifffile" or "pillow", or say why neither does."""
    kind, bits = page.photometric, page.bitspersample
    packing = page.compression
    plain = kind in (*_GREY, _RGB) and bits in (8, 16, 32, 64)
    if page.dtype is not None and page.dtype.kind == "c":
        raise Refused(
            "its pixels are complex numbers; expected real ones. Write their absolute "
            "values anew."
        )
    has_codecs = importlib.util.find_spec("imagecodecs") is not None
    simple = packing in _PLAIN and page.predictor in (1, 2)
    if plain and page.dtype is not None:
        if simple or (has_codecs and packing in (*_PLAIN, _LZW)):
            return "tifffile"
    if packing in _PLAIN and not simple:
        raise Refused(_takes_codecs(page))
    few_bits = (
        isinstance(bits, int) and bits <= _FEW_BITS and page.sampleformat == _UNSIGNED
    )
    grey = kind in _GREY and page.samplesperpixel == 1
    deep = (bits, int(page.sampleformat)) in _DEEP_GREY
    if (few_bits and kind in (0, 1, 2, 3, 5, 6)) or (grey and deep):
        return "pillow"
    if plain:
        raise Refused(_takes_codecs(page))
    raise Refused(
        f"its pixels are {getattr(kind, 'name', kind)} of {bits} bits; expected grey "
        "or RGB of any width, or 8 bits of a palette, CMYK or YCbCr. Convert it."
    )


def _takes_codecs(page):
    packing = getattr(page.compression, "name", page.compression)
    return (
        f"{page.bitspersample} bits compressed by {packing} (predictor "
        f"{int(page.predictor)}) are read only by imagecodecs: pip install "
        "imagecodecs, or write the file anew with compression='zlib', where it can be "
        "read."
    )


def read_page(tif, file, page, frame):
    """Pixels of a page, or of one of the images that follow one another there.

    Returns
    -------
    pixels : Raster, or an image of Pillow
        Of 8 bits a channel or fewer, if it is an image.
    """
    if how_to_read(page) == "pillow":
        return _by_pillow(file, page)
    _check_strips(tif, page)
    if frame:
        count = math.prod(page.shape)
        tif.filehandle.seek(page.dataoffsets[0] + frame * count * page.dtype.itemsize)
        stored = page.dtype.newbyteorder(tif.byteorder)
        pixels = tif.filehandle.read_array(stored, count).reshape(page.shape)
        pixels = pixels.astype(page.dtype, copy=False)
    else:
        pixels = page.asarray(maxworkers=1)
    if page.axes == "SYX":
        pixels = np.moveaxis(pixels, 0, -1)
    pixels = upright(_white_below(page, pixels), orientation_of(page))
    return Raster(pixels, channels_of(page)[1])


def _check_strips(tif, page):
    """Raise where strips are missing, or inflate to more than they may."""
    n_strips = math.prod(page.chunked)
    if not len(page.dataoffsets) == len(page.databytecounts) == n_strips:
        raise Refused(f"{n_strips} strips or tiles should be there. Copy it anew.")
    if page.compression not in _DEFLATE:
        return
    most = 2 * math.prod(page.chunks) * page.dtype.itemsize + _SLACK
    for start, n_bytes in zip(page.dataoffsets, page.databytecounts):
        tif.filehandle.seek(start)
        content = tif.filehandle.read(n_bytes)
        if len(zlib.decompressobj().decompress(content, most)) >= most:
            raise Refused("a strip holds more than its pixels. Copy it anew.")


def _white_below(page, pixels):
    """Turn pixels of which 0 is white, and lay transparent ones over white."""
    alpha = alpha_of(page)
    if not alpha and page.photometric != _WHITE_IS_0:
        return pixels
    if pixels.dtype.kind != "u":
        raise Refused(
            f"what is white is not known of {pixels.dtype}; expected unsigned integers "
            "where 0 is white or parts are transparent. Write it anew without either."
        )
    white = np.iinfo(pixels.dtype).max
    if page.photometric == _WHITE_IS_0:
        n_turned = -1 if alpha else None
        pixels = pixels.copy()
        pixels[..., :n_turned] = white - pixels[..., :n_turned]
    if not alpha:
        return pixels
    colours, share = pixels[..., :-1], pixels[..., -1:] / white
    shown = colours * (share if alpha == 2 else 1.0) + (1 - share) * white
    pixels = np.rint(np.minimum(shown, white)).astype(pixels.dtype)
    return pixels[..., 0] if pixels.shape[-1] == 1 else pixels


def _by_pillow(file, page):
    """Image of a page of which Pillow loses nothing."""
    file.seek(0)
    try:
        image = TiffImagePlugin.TiffImageFile(file, "")
        image.seek(page.index)
        if _SAMPLES.get(image.mode) != page.samplesperpixel:
            raise Refused(_takes_codecs(page))
        image.load()  # which turns it upright
    except Image.DecompressionBombError as error:
        raise Refused(
            f"Pillow, which reads this kind of TIFF, has a limit of its own ({error}): "
            "set PIL.Image.MAX_IMAGE_PIXELS = None if you trust the file."
        ) from error
    if image.mode[0] in "IF":
        pixels = np.asarray(image).astype(page.dtype, copy=False)
        return Raster(_white_below(page, pixels), False)
    return image
