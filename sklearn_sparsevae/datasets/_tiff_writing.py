"""Photos into one TIFF file, page by page, perhaps with all that another one says.

Of a file that is taken as an example the pages are written in its order and with their
descriptions as they are: what OME, ImageJ or tifffile say of axes holds for pages of
the same number, size and channels, so that nothing of it has to be understood.
"""

import contextlib
import dataclasses
import itertools
import math
import re
import tempfile

import numpy as np
import tifffile

from sklearn_sparsevae.datasets._errors import naming_damage
from sklearn_sparsevae.datasets._tiff import (
    find_photos,
    opened_tiff,
    page_at,
    photos_by_series,
)
from sklearn_sparsevae.datasets._tiff_pages import alpha_of, channels_of

# Tags that hold for other pixels as well: what is seen, by whom, when and where (names
# and dates, GeoTIFF and GDAL, ICC profile, ImageJ), but none that points into the file.
_DESCRIPTION = 270
_KEPT = {269, _DESCRIPTION, 271, 272, 285, 286, 287, 305, 306, 315, 316, 33432}
_KEPT |= {33550, 33922, 34264, 34735, 34736, 34737, 34675, 42112, 42113}
_KEPT |= {50838, 50839}
_X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT, _INCH = 282, 283, 296, 2
_PLAIN, _SEPARATE = 1, 2
_OME_TYPE = re.compile(rb"(<(?:\w+:)?Pixels\b[^>]*?\bType=[\"'])[^\"']*")
_TRUNCATED = b', "truncated": true'
_OME_FLOATS = {"float32": "float", "float64": "double"}
_MOST_OF_A_TIFF = 2**32 - 2**25  # what is larger, headers and all, is a BigTIFF


@dataclasses.dataclass(frozen=True)
class _Stored:
    """How a page is stored.

    Attributes
    ----------
    alpha : int
        0 without transparency, otherwise what kind.
    is_colour, is_separate, is_packed : bool
        Whether it is RGB, has plane after plane, is compressed.
    """

    alpha: int = 0
    is_colour: bool = True
    is_separate: bool = False
    is_packed: bool = False

    @classmethod
    def of(cls, page):
        is_separate = page.planarconfig == _SEPARATE
        is_packed = page.compression != _PLAIN
        return cls(alpha_of(page), channels_of(page)[1], is_separate, is_packed)

    def write(self, tif, planes, n_planes=1, **options):
        """Write the next planes ``(H, W)`` or ``(H, W, C)`` as pages of one series."""
        pages = map(self._page, planes)
        first = next(pages)
        n_samples = first.shape[-3 if self.is_separate else -1] if first.ndim > 2 else 1
        if n_samples > 1:
            options["planarconfig"] = "separate" if self.is_separate else "contig"
        if self.alpha:
            options["extrasamples"] = (self.alpha,)
        is_rgb = self.is_colour and n_samples - bool(self.alpha) == 3
        data = first
        if n_planes > 1:
            data = itertools.chain([first], itertools.islice(pages, n_planes - 1))
            options["shape"], options["dtype"] = (n_planes, *first.shape), first.dtype
        tif.write(
            data,
            photometric="rgb" if is_rgb else "minisblack",
            compression="zlib" if self.is_packed else None,
            metadata=None,
            software=False,
            **options,
        )

    def _page(self, pixels):
        """Pixels as they lie in the file."""
        pixels = pixels[..., None] if pixels.ndim == 2 else pixels
        if self.alpha:  # what was transparent has been laid on white
            white = np.iinfo(pixels.dtype).max if pixels.dtype.kind in "iu" else 1
            opaque = np.full((*pixels.shape[:2], 1), white, pixels.dtype)
            pixels = np.concatenate([pixels, opaque], axis=2)
        if pixels.shape[2] == 1:
            pixels = pixels[..., 0]
        elif self.is_separate:
            pixels = np.moveaxis(pixels, -1, 0)
        return np.ascontiguousarray(pixels)


def write_plain(path, photos, n_bytes):
    """Write photos as pages.

    Parameters
    ----------
    path : Path
        Where to.
    photos : iterator of ndarray (H, W) or (H, W, C)
        In the dtype of the file.
    n_bytes : int or None
        About how many they are; None where nobody knows.
    """
    is_big = n_bytes is None or n_bytes > _MOST_OF_A_TIFF
    with tifffile.TiffWriter(path, bigtiff=is_big, ome=False, shaped=False) as tif:
        for photo in photos:
            _Stored().write(tif, iter([photo]))


def write_like(path, photos, like, itemsize):
    """Write photos as pages of another file, whose tags they keep.

    Parameters
    ----------
    path : Path
        Where to.
    photos : iterator of ndarray (H, W) or (H, W, C)
        As many as the other file has, of the same sizes and channels; or of one channel
        where it has colours.
    like : Path
        The other file.
    itemsize : int
        Bytes of a number, at most.
    """
    with open(like, "rb") as file, opened_tiff(file) as example:
        places, stored, n_planes = [], [], {}
        for page, found in photos_by_series(example):
            how = _Stored.of(page)
            places += found
            stored += [how] * len(found)
            n_planes[id(how)] = sum(len(place.planes) for place in found)
        n_bytes = sum(math.prod(place.shape) for place in places) * itemsize
        is_big = example.is_bigtiff or n_bytes > _MOST_OF_A_TIFF
        options = {"bigtiff": is_big, "byteorder": example.byteorder}
        planes = _planes(photos, places, stored)
        order = [plane[1:] for place in places for plane in place.planes]
        with (
            tifffile.TiffWriter(path, ome=False, shaped=False, **options) as tif,
            _in_order(planes, order, path.parent) as sorted_planes,
        ):
            for (offset, index, frame), how, pixels in sorted_planes:
                told = {}
                if frame == 0:
                    page = page_at(example, offset, index)
                    told = _told_of(page, example, pixels, how)
                following, n = (), 1
                if example.is_shaped:
                    # tifffile takes pages that it described so to follow one another.
                    following, n = (p for *_, p in sorted_planes), n_planes[id(how)]
                how.write(tif, itertools.chain([pixels], following), n, **told)
    _check_axes(path, [place.shape[:2] for place in places], like)


def _planes(photos, places, stored):
    """Yield which plane of the other file, how it is stored, and its pixels."""
    for photo, place, how in zip(photos, places, stored, strict=True):
        if len(place.planes) == 1:
            yield place.planes[0], how, photo
        else:
            for channel, plane in enumerate(place.planes):
                yield plane, how, photo[..., channel]


@contextlib.contextmanager
def _in_order(planes, order, folder):
    """Planes in the order of the file, of which they come in ``order``.

    The channels of a photo may be far apart: then all go through the disk.
    """
    if order == sorted(order):
        yield planes
        return
    with tempfile.TemporaryFile(dir=folder) as file:
        kept = []
        for plane, how, pixels in planes:
            kept.append((plane, how, file.tell(), pixels.shape, pixels.dtype))
            file.write(np.ascontiguousarray(pixels).data)
        kept.sort(key=lambda told: told[0][1:])
        yield _from_disk(file, kept)


def _from_disk(file, kept):
    for plane, how, start, shape, dtype in kept:
        file.seek(start)
        content = file.read(math.prod(shape) * dtype.itemsize)
        yield plane, how, np.frombuffer(content, dtype).reshape(shape)


def _told_of(page, example, pixels, how):
    """Options that write what a page says besides its pixels."""
    tags, grey_of_colours = [], how.is_colour and pixels.ndim == 2
    for tag in page.tags:  # there may be two of a kind
        if tag.code not in _KEPT:
            continue
        example.filehandle.seek(tag.valueoffset)
        content = example.filehandle.read(tag.valuebytecount)
        if tag.code == _DESCRIPTION:
            content = _described(content, example, pixels, grey_of_colours)
        if content is not None:
            tags.append((tag.code, int(tag.dtype), None, content, False))
    options = {"extratags": tags}
    sides = [page.tags.valueof(code) for code in (_X_RESOLUTION, _Y_RESOLUTION)]
    if all(side is not None and side[1] for side in sides):
        options["resolution"] = tuple(sides)
        options["resolutionunit"] = page.tags.valueof(_RESOLUTION_UNIT, default=_INCH)
    return options


def _described(content, example, pixels, grey_of_colours):
    """Describe pixels that are of another dtype, or grey where colours were."""
    if example.is_ome and content.lstrip().startswith(b"<"):
        if grey_of_colours:
            raise ValueError(
                "The photos are grey, and the OME file that like= names describes "
                "colours. Write colours, or leave like out and say the dtype."
            )
        name = _OME_FLOATS.get(pixels.dtype.name, pixels.dtype.name).encode()
        return _OME_TYPE.sub(lambda found: found[1] + name, content)
    if content.startswith(b'{"shape"'):
        # Every page is described here.
        return None if grey_of_colours else content.replace(_TRUNCATED, b"")
    return content


def _check_axes(path, expected, like):
    """Raise where what was written is not read as the photos of the other file."""
    with open(path, "rb") as file, naming_damage():
        found = [place.shape[:2] for place in find_photos(file)]
    if found != expected:
        raise ValueError(
            f"The axes that {like} describes are not those of what is written. Leave "
            "like out, and say the dtype."
        )
