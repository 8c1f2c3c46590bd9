"""What the header of an image file says, for files that are to be like it."""

import dataclasses
from pathlib import Path

import numpy as np

from sklearn_sparsevae.datasets._decoding import PhotoDecoder, opened
from sklearn_sparsevae.datasets._errors import naming_damage
from sklearn_sparsevae.datasets._tiff import is_tiff, opened_tiff, photos_by_series
from sklearn_sparsevae.datasets._tiff_pages import how_to_read
from sklearn_sparsevae.datasets._window import Window

_GREY = ("1", "L", "LA", "La")
_NO_LIMIT = 2**62  # nothing but headers is read
_HEAD = 4


@dataclasses.dataclass(frozen=True)
class Example:
    """A file whose dtype, channels and what else it says are to be kept.

    Attributes
    ----------
    path : Path
        Where it is.
    is_tiff : bool
        Whether it is a TIFF.
    dtypes : list of dtype
        Of its photos, as `load_image_folder` reads them.
    shapes : list of tuple (H, W, C)
        Of its photos upright, without transparency; C is 1 where they are grey.
    are_colours : list of bool
        Whether their channels are red, green and blue.
    """

    path: Path
    is_tiff: bool
    dtypes: list
    shapes: list
    are_colours: list

    @classmethod
    def of(cls, path):
        """Read the header of a file, and raise if it is none of an image."""
        path = Path(path)
        try:
            with open(path, "rb") as file, naming_damage():
                if is_tiff(file.read(_HEAD)):
                    return cls(path, True, *_of_tiff(file))
                file.seek(0)
                return cls(path, False, *_of_picture(file))
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error

    @property
    def is_grey(self):
        """Whether all of its photos have one channel."""
        return all(shape[2] == 1 for shape in self.shapes)

    def check_size(self, photo, number, name):
        """Raise for a photo of another size."""
        height, width, _ = self.shapes[number]
        if photo.shape[:2] != (height, width):
            raise ValueError(
                f"{name} has {photo.shape[0]} x {photo.shape[1]} pixels, and {self} "
                f"has {height} x {width}; expected the same. Leave like out, and say "
                "the dtype."
            )

    def with_its_channels(self, photo, number, name):
        """Give a photo the channels of one in the file: grey may come as colours."""
        expected = self.shapes[number][2]
        photo = photo[..., 0] if photo.ndim == 3 and photo.shape[2] == 1 else photo
        found = 1 if photo.ndim == 2 else photo.shape[2]
        if found == expected or (found == 1 and self.are_colours[number]):
            return photo
        if expected == 1 and found == 3:
            return _grey_of(photo)
        raise ValueError(
            f"{name} has {found} channels, and {self} has {expected}; expected as "
            "many. Leave like out, and say the dtype."
        )

    def __str__(self):
        return f"the file of like=, {self.path.name},"


def _of_tiff(file):
    with opened_tiff(file) as tif:
        found = [
            (_dtype_of(page), place.shape, place.is_colour)
            for page, places in photos_by_series(tif)
            for place in places
        ]
    return map(list, zip(*found))


def _dtype_of(page):
    deep = how_to_read(page) == "tifffile" or np.max(page.bitspersample) > 8
    return np.dtype(page.dtype if deep else np.uint8)


def _of_picture(file):
    image = opened(file, _NO_LIMIT)
    is_deep = image.mode.startswith("I")
    is_grey = is_deep or image.mode in _GREY
    file.seek(0)
    height, width, _ = PhotoDecoder(Window(None), False, _NO_LIMIT).shape(file)
    dtype = np.dtype(np.uint16 if is_deep else np.uint8)
    return [dtype], [(height, width, 1 if is_grey else 3)], [not is_grey]


def _grey_of(photo):
    """Mean of three channels, in their dtype, and exact where they are equal."""
    first = photo[..., 0]
    if (photo == first[..., None]).all():
        return first
    mean = photo.mean(axis=2, dtype=np.float64)
    return (np.rint(mean) if photo.dtype.kind in "iu" else mean).astype(photo.dtype)
