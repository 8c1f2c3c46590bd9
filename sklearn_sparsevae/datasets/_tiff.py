"""TIFF files: which photos their pages are, and the pixels of one, level by level.

tifffile reads what is stored plainly, deflated or by PackBits, of any width; Pillow
what it keeps whole of the rest: LZW, JPEG, fax, palettes, CMYK. What neither does is
refused when the file is listed, with a way out. Numbers of the file are not trusted:
sizes are compared with a limit, and deflated strips inflated no further than to their
size, before memory is asked for.
"""

import contextlib
import dataclasses
import importlib.util
import logging
import math
import struct
import zlib
from xml.etree import ElementTree

import numpy as np
import tifffile
from PIL import Image, TiffImagePlugin

from sklearn_sparsevae.datasets._errors import Refused
from sklearn_sparsevae.datasets._window import ORIENTATION, upright, upright_shape

# It logs what is odd about a file each time that it is read. Whoever configures logging
# sees it; without that it is not printed.
logging.getLogger("tifffile").addHandler(logging.NullHandler())

# Axes are described as OME, ImageJ, tifffile, Zeiss and MetaMorph do. In files of
# others pages are pages.
_OTHERS = {"avs", "bif", "eer", "fluoview", "mdgel", "mmstack", "ndpi", "ndtiff", "nih"}
_OTHERS |= {"philips", "qpi", "scanimage", "scn", "sis", "svs"}
_NO_DIALECTS = {f"is_{name}": False for name in _OTHERS & tifffile.TIFF.FILE_FLAGS}
_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
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
class Place:
    """Where a photo is in a TIFF file.

    Attributes
    ----------
    planes : tuple of tuple of int (offset, index, frame)
        Of each channel, or of all in one plane: where its page is described, its number
        in the file, and which of the images that follow one another there it is.
    shape : tuple of int (H, W, channels)
        Of the upright photo, without transparency.
    is_colour : bool
        Whether the channels are red, green and blue.
    """

    planes: tuple
    shape: tuple
    is_colour: bool


@dataclasses.dataclass(frozen=True)
class Raster:
    """Upright pixels ``(H, W)`` or ``(H, W, C)``, and whether they are colours."""

    pixels: np.ndarray
    is_colour: bool


def is_tiff(head):
    """Whether a file that starts with these bytes is a TIFF."""
    return head[:4] in _MAGIC


def find_photos(file):
    """List the photos of an open TIFF file, as places."""
    with _opened(file) as tif:
        _check_ome(tif)
        found = [place for series in tif.series for place in _photos_of(series)]
        _check_end(tif)
    if not found:
        raise Refused("it has no page with a photo. Leave the file out.")
    return found


def read_photo(file, place, check_size):
    """Pixels of one photo, as a `Raster` or an image of Pillow.

    ``check_size(height, width, channels)`` raises where that is too much.
    """
    with _opened(file) as tif:
        planes = [_read_plane(tif, file, plane, check_size) for plane in place.planes]
    for plane in planes:
        is_raster = isinstance(plane, Raster)
        height, width = plane.pixels.shape[:2] if is_raster else plane.size[::-1]
        if (height, width) != place.shape[:2]:
            raise Refused(
                f"{height} x {width} pixels are in it; expected {place.shape[:2]}, as "
                "its header says. Copy it anew."
            )
    if len(planes) == 1:
        return planes[0]
    pixels = [p.pixels if isinstance(p, Raster) else np.asarray(p) for p in planes]
    return Raster(np.stack(pixels, axis=-1), False)


@contextlib.contextmanager
def _opened(file):
    file.seek(0)
    # An OME file may name others as its parts: they are not opened.
    with tifffile.TiffFile(file, _multifile=False, **_NO_DIALECTS) as tif:
        yield tif


# ---- which photos there are ---------------------------------------------------------


def _photos_of(series):
    page = series.keyframe
    if page.is_reduced or page.is_mask:
        return []
    _how_to_read(page)
    counts = [
        (axis, n) for axis, n in zip(series.axes, series.shape) if axis not in "YXS"
    ]
    counts = [(axis, n) for axis, n in counts if n > 1]
    channels = [axis for axis, _ in counts].count("C")
    n_samples = page.samplesperpixel
    if page.imagedepth > 1 or len(counts) - channels > 1 or channels > 1:
        _refuse_axes(series)
    if channels and n_samples > 1:
        _refuse_axes(series)
    planes = _planes(series, math.prod(n for _, n in counts))
    numbers = np.arange(len(planes)).reshape([n for _, n in counts])
    if channels:
        axis = [axis for axis, _ in counts].index("C")
        numbers = np.moveaxis(numbers, axis, -1).reshape(-1, counts[axis][1])
    n_channels, is_colour = _channels(page)
    sides = upright_shape(page.imagelength, page.imagewidth, _orientation(page))
    if channels:
        rows, n_channels = numbers, numbers.shape[-1]
    else:
        rows = numbers.reshape(-1, 1)
    shape = (*sides, n_channels)
    return [Place(tuple(planes[i] for i in row), shape, is_colour) for row in rows]


def _planes(series, n_planes):
    """Where each plane of a series is."""
    if series.is_truncated and len(series.pages) == 1:
        # Planes that follow one another with one description, as ImageJ writes them.
        page = series.keyframe
        if page.compression != 1 or not page.is_contiguous:
            raise Refused(
                f"its {n_planes} planes share one description and are compressed. "
                "Write it anew with tifffile.imwrite(new, tifffile.imread(path))."
            )
        if page.dataoffsets[0] + n_planes * page.nbytes > page.parent.filehandle.size:
            raise Refused(
                f"it describes {n_planes} planes, for which it is too short. Copy it "
                "anew."
            )
        return [(page.offset, page.index, i) for i in range(n_planes)]
    pages = list(series.pages)
    if len(pages) != n_planes or any(page is None for page in pages):
        raise Refused(
            f"it describes {n_planes} planes, of which {len(pages)} pages or fewer are "
            "in it. Join the files of the set into one with tifffile."
        )
    return [(page.offset, page.index, 0) for page in pages]


def _check_ome(tif):
    """Refuse a description of more planes than there can be, before it is believed."""
    if not tif.is_ome:
        return
    try:
        description = ElementTree.fromstring(tif.ome_metadata)
    except ElementTree.ParseError:
        return  # pages are pages
    for element in description.iter():
        kind = element.tag.rpartition("}")[2]
        if kind.startswith("ModuloAlong"):
            raise Refused(
                f"its axis {kind[-1]} is two in one ({kind}); expected pages, one axis "
                "of channels, Y and X. Write the images that you want into another "
                "file with tifffile."
            )
        names = {"Pixels": ("SizeC", "SizeT", "SizeZ")}.get(kind, ())
        names = names or {"TiffData": ("IFD", "NumPlanes", "PlaneCount")}.get(kind, ())
        n_planes = math.prod(max(int(element.get(name, 1)), 1) for name in names)
        if n_planes > tif.filehandle.size:
            raise Refused(
                f"it describes {n_planes} planes, for which it is too short. Copy it "
                "anew."
            )


def _refuse_axes(series):
    axes = ", ".join(f"{axis}={n}" for axis, n in zip(series.axes, series.shape))
    raise Refused(
        f"its axes are {axes}; expected pages, one axis of channels (C or S), Y and X. "
        "Say which axes are pages by writing it anew: images = tifffile.imread(path), "
        "then tifffile.imwrite(new, images.reshape(-1, H, W))."
    )


def _check_end(tif):
    """Raise when the list of pages does not end: the rest is cut off."""
    layout, handle, page = tif.tiff, tif.filehandle, tif.pages[-1]
    handle.seek(page.offset)
    (n_tags,) = struct.unpack(layout.tagnoformat, handle.read(layout.tagnosize))
    handle.seek(page.offset + layout.tagnosize + n_tags * layout.tagsize)
    (following,) = struct.unpack(layout.offsetformat, handle.read(layout.offsetsize))
    if following:
        raise Refused(
            f"after page {len(tif.pages)} it names one more, which is not there. Copy "
            "it anew if it is cut short, or leave it out."
        )


def _orientation(page):
    return page.tags.valueof(ORIENTATION, default=1)


def _channels(page):
    """Return how many channels a page has, without transparency, and whether RGB."""
    if page.photometric in _GREY or page.photometric == _RGB:
        n_channels = page.samplesperpixel - (_alpha(page) > 0)
        return n_channels, page.photometric == _RGB and n_channels == 3
    return 3, True


def _alpha(page):
    """0 without transparency in the last sample; 1 if multiplied in, 2 if not."""
    extra = page.extrasamples
    usual = 3 if page.photometric == _RGB else 1
    if len(extra) == 1 and page.samplesperpixel == usual + 1:
        return int(extra[0]) if extra[0] in (1, 2) else 0
    return 0


# ---- the pixels ---------------------------------------------------------------------


def _how_to_read(page):
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


def _read_plane(tif, file, plane, check_size):
    offset, index, frame = plane
    page = tif.pages.first
    if page.offset != offset:
        tif.filehandle.seek(offset)
        page = tifffile.TiffPage(tif, index)
    check_size(page.imagelength, page.imagewidth, page.samplesperpixel)
    if _how_to_read(page) == "pillow":
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
    pixels = upright(_white_below(page, pixels), _orientation(page))
    return Raster(pixels, _channels(page)[1])


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
    alpha = _alpha(page)
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
