"""TIFF files: which photos their pages are, and where."""

import contextlib
import dataclasses
import logging
import math
import struct
from xml.etree import ElementTree

import numpy as np
import tifffile

from sklearn_sparsevae.datasets._errors import Refused
from sklearn_sparsevae.datasets._tiff_pages import (
    Raster,
    channels_of,
    how_to_read,
    orientation_of,
    read_page,
)
from sklearn_sparsevae.datasets._window import upright_shape

# It logs what is odd about a file each time that it is read. Whoever configures logging
# sees it; without that it is not printed.
logging.getLogger("tifffile").addHandler(logging.NullHandler())

# Axes are described as OME, ImageJ, tifffile, Zeiss and MetaMorph do. In files of
# others pages are pages.
_OTHERS = {"avs", "bif", "eer", "fluoview", "mdgel", "mmstack", "ndpi", "ndtiff", "nih"}
_OTHERS |= {"philips", "qpi", "scanimage", "scn", "sis", "svs"}
_TiffFile = type(
    "_TiffFile", (tifffile.TiffFile,), {f"is_{name}": False for name in _OTHERS}
)
_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


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


def is_tiff(head):
    """Whether a file that starts with these bytes is a TIFF."""
    return head[:4] in _MAGIC


def find_photos(file):
    """List the photos of an open TIFF file, as places."""
    with opened_tiff(file) as tif:
        return [place for _, places in photos_by_series(tif) for place in places]


def photos_by_series(tif):
    """List the first page of each series of images, and the places of its photos."""
    _check_ome(tif)
    found = [(series.keyframe, _photos_of(series)) for series in tif.series]
    _check_end(tif)
    found = [(page, places) for page, places in found if places]
    if not found:
        raise Refused("it has no page with a photo. Leave the file out.")
    return found


def read_photo(file, place, check_size):
    """Pixels of one photo, as a `Raster` or an image of Pillow.

    ``check_size(height, width, channels)`` raises where that is too much.
    """
    check_size(*place.shape)
    with opened_tiff(file) as tif:
        planes = []
        for offset, index, frame in place.planes:
            page = page_at(tif, offset, index)
            check_size(page.imagelength, page.imagewidth, page.samplesperpixel)
            planes.append(read_page(tif, file, page, frame))
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
    pixels = [
        p.pixels if isinstance(p, Raster) else np.asarray(p.convert("L"))
        for p in planes
    ]
    return Raster(np.stack(pixels, axis=-1), False)


def page_at(tif, offset, index):
    """Page whose description is at an offset, read alone."""
    if tif.pages.first.offset == offset:
        return tif.pages.first
    tif.filehandle.seek(offset)
    return tifffile.TiffPage(tif, index)


@contextlib.contextmanager
def opened_tiff(file):
    """Open a TIFF file as far as its axes are described in a way that is known."""
    file.seek(0)
    # An OME file may name others as its parts: they are not opened.
    with _TiffFile(file, _multifile=False) as tif:
        yield tif


# ---- which photos there are ---------------------------------------------------------


def _photos_of(series):
    page = series.keyframe
    if page.is_reduced or page.is_mask:
        return []
    how_to_read(page)
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
    n_channels, is_colour = channels_of(page)
    sides = upright_shape(page.imagelength, page.imagewidth, orientation_of(page))
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
