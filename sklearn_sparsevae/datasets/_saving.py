"""Images into files: a stack into one TIFF, photos into a folder."""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections.abc import Iterable, Sequence
from os import PathLike
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import DTypeLike

from sklearn_sparsevae._arguments import check_flag
from sklearn_sparsevae._files import written_aside
from sklearn_sparsevae._typing import Images
from sklearn_sparsevae.datasets._examples import Example
from sklearn_sparsevae.datasets._given import photos_of
from sklearn_sparsevae.datasets._levels import Levels
from sklearn_sparsevae.datasets._masks import page_of, path_in
from sklearn_sparsevae.datasets._pictures import write_picture
from sklearn_sparsevae.datasets._sources import SUFFIXES
from sklearn_sparsevae.datasets._tiff_writing import write_like, write_plain

_TIFF = (".tif", ".tiff")
_WRITTEN = (*_TIFF, ".png", ".jpg", ".jpeg")


def save_images(
    images: Images | Iterable[Images],
    path: str | PathLike[str],
    like: str | PathLike[str] | None = None,
    *,
    names: Sequence[str] | None = None,
    dtype: DTypeLike | None = None,
    value_range: tuple[float, float] | None = None,
    overwrite: bool = False,
) -> list[Path]:
    """Write images to a TIFF file of many pages, or to the files of a folder.

    What was read by :func:`load_image_folder` and restored goes back into files of the
    same kind: with ``like=`` the dtype, the axes (OME, ImageJ), the resolution and what
    else the original says are kept. Every file is written aside and takes its place
    when it is complete.

    Parameters
    ----------
    images : ndarray of shape (n, H, W, C) or (n, H, W), sequence, or iterator
        Integers or floats. Photos ``(H, W, C)`` or ``(H, W)`` of different sizes come
        in a list or a lazy sequence, which are read one by one. An iterator yields
        blocks, each of them an array of several images or a list of photos, as
        ``iter_reconstruct`` does: a stack is never held as a whole.
    path : str or path-like
        A file that ends in ``.tif`` or ``.tiff``, of which every image is a page (or a
        page for each channel, as in ``like``), or, for one image, in ``.png``, ``.jpg``
        or ``.jpeg``. With ``names`` a folder, which is made if it is not there.
    like : str or path-like, default=None
        A file, or with ``names`` a folder that has a file of each name. TIFF files
        that are like another have as many pages of the same size, its axes,
        resolution, tags of date, place, colour and instrument; compressed ones are
        deflated. PNG and JPEG files keep resolution, colour profile, EXIF data, texts.
        Where the original is grey, colours become grey by their mean.
    names : sequence of str, default=None
        Of the files in the folder, such as those of :func:`load_image_folder`:
        ``"stack.tif[0]"``, ``"stack.tif[1]"``, ... are the pages of ``stack.tif``, in
        order. Names that end in ``.bmp``, ``.gif`` or ``.webp`` become ``.png``.
    dtype : dtype, default=None
        Of the numbers in the files. None stands for that of ``like`` or, without it,
        of the images; floats then become ``uint8`` in PNG and JPEG files.
    value_range : tuple of float (low, high), default=None
        What is black and white. None: integers span their dtype and floats [0, 1], and
        where the files have another dtype, they are scaled to all that it holds. With a
        pair numbers are written as they are, such as 12 bits, ``(0, 4095)``, in
        ``uint16``. Where integers are written of another dtype, numbers are clipped to
        the range and rounded to the nearest. Floats are neither.
    overwrite : bool, default=False
        Write over files that are there.

    Returns
    -------
    paths : list of pathlib.Path
        The files, in order.

    Raises
    ------
    FileExistsError
        If a file is there already and ``overwrite`` is False, or is the one of
        ``like``.
    ValueError
        If images and names, or images and pages of ``like``, are not as many; sizes or
        channels are not those of ``like``; the format cannot hold the dtype; or
        integers are to be made of floats that are not within [0, 1], give or take
        noise, or are NaN. The file that is being written is left out then.
    TypeError
        If the images hold no numbers.

    See Also
    --------
    load_image_folder : Reads them, and TIFF stacks page by page.
    save_masks : Writes label maps.

    Notes
    -----
    A TIFF file is a BigTIFF where it is larger than 4 GB, where ``like`` is one, or
    where neither ``like`` nor the images say how many there are. Transparent parts were
    laid on white when they were read, and are opaque in what is written. JPEG files
    have a quality of 95 and are not what was given to the bit.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> import tifffile
    >>> from sklearn_sparsevae.datasets import load_image_folder, save_images
    >>> stack = np.arange(5 * 8 * 8, dtype=np.uint16).reshape(5, 8, 8)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     noisy, restored = Path(folder, "noisy.tif"), Path(folder, "restored.tif")
    ...     tifffile.imwrite(noisy, stack, imagej=True, metadata={"axes": "ZYX"})
    ...     paths = save_images(stack / 65535, restored, like=noisy)
    ...     with tifffile.TiffFile(restored) as tif:
    ...         tif.series[0].axes, str(tif.series[0].dtype), tif.series[0].shape
    ('ZYX', 'uint16', (5, 8, 8))
    """
    check_flag(overwrite, "overwrite")
    levels = Levels.of(dtype, value_range)
    photos, n_photos, n_numbers = photos_of(images)
    files = _files(Path(path), None if like is None else Path(like), names, n_photos)
    for file in files:
        file.check_place(overwrite)
    if n_numbers is not None and names is not None:
        n_numbers = None  # of all files together: each is counted by itself
    for file in files:
        if names is not None:
            file.path.parent.mkdir(parents=True, exist_ok=True)
        with written_aside(file.path) as aside:
            file.write(aside, photos, levels, n_numbers)
    left = next(photos, None)
    if left is not None:
        raise ValueError(
            f"Got more images than {_count(files)}; expected one for each. The files "
            "that are there have the first ones."
        )
    return [file.path for file in files]


# ---- files --------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class _File:
    """A file to be written: its place, the one it is like, and its number of images."""

    path: Path
    like: Path | None
    n_photos: int | None

    @property
    def is_stack(self):
        return self.path.suffix.lower() in _TIFF

    def check_place(self, overwrite):
        if not self.path.exists():
            return
        if self.like is not None and self.path.samefile(self.like):
            raise FileExistsError(
                f"{self.path} is the file of like= itself: choose another place, so "
                "that no image is lost."
            )
        if not overwrite:
            raise FileExistsError(
                f"{self.path} is there already: choose another place, or say "
                "overwrite=True."
            )

    def write(self, path, photos, levels, n_numbers):
        """Write the next images."""
        example = None if self.like is None else Example.of(self.like)
        like_tiff = example is not None and example.is_tiff and self.is_stack
        n_photos = len(example.shapes) if like_tiff else self.n_photos
        if like_tiff and self.n_photos not in (None, n_photos):
            raise ValueError(
                f"Got {self.n_photos} images for {self.path.name}, and {example} has "
                f"{n_photos}; expected as many. Leave like out, and say the dtype."
            )
        taken = self._taken(photos, n_photos, levels, example)
        if like_tiff:
            itemsize = max(d.itemsize for d in example.dtypes)
            if levels.dtype is not None:
                itemsize = levels.dtype.itemsize
            write_like(path, taken, self.like, itemsize)
            self._check_end(photos, example)
            return
        first = next(taken)
        if not self.is_stack:
            is_like_picture = example is not None and not example.is_tiff
            write_picture(path, first, self.like if is_like_picture else None)
            return
        n_bytes = None if n_numbers is None else n_numbers * first.itemsize
        if n_bytes is None and self.n_photos is not None:
            n_bytes = self.n_photos * first.nbytes
        write_plain(path, itertools.chain([first], taken), n_bytes)

    def _taken(self, photos, n_photos, levels, example):
        """Yield so many images as they are written; None stands for all."""
        n_taken = 0
        for photo, name in itertools.islice(photos, n_photos):
            yield self._as_written(photo, n_taken, levels, example, name)
            n_taken += 1
        if not n_taken or n_photos not in (None, n_taken):
            raise ValueError(
                f"Got {n_taken} images for {self.path.name}; expected "
                f"{n_photos or 'at least one'}."
            )

    def _as_written(self, photo, number, levels, example, name):
        if example is not None:
            known = min(number, len(example.shapes) - 1)
            if example.is_tiff and self.is_stack:
                example.check_size(photo, known, name)
            photo = example.with_its_channels(photo, known, name)
            levels = levels.for_files_of(example.dtypes[known])
        elif photo.dtype.kind == "f" and not self.is_stack:
            levels = levels.for_files_of(np.dtype(np.uint8))
        return levels.of_photo(photo, name)

    def _check_end(self, photos, example):
        """Raise where one file is to have all images, and there are more."""
        if self.n_photos is None and next(photos, None) is not None:
            raise ValueError(
                f"Got more images than the {len(example.shapes)} that {example} has; "
                "expected as many. Leave like out, and say the dtype."
            )


def _files(path, like, names, n_photos):
    """List the files to be written."""
    if names is None:
        suffix = path.suffix.lower()
        if suffix not in _WRITTEN:
            raise ValueError(
                f"Got the path {path}; expected a file that ends in "
                f"{', '.join(_WRITTEN)}, or a folder and names=."
            )
        if suffix not in _TIFF and n_photos not in (None, 1):
            raise ValueError(
                f"Got {n_photos} images for {path.name}, which holds one; expected a "
                "TIFF file, or a folder and names=."
            )
        return [_File(path, like, n_photos if suffix in _TIFF else 1)]
    files = [
        _File(path_in(path, name, written_name), like and like / name, n)
        for name, n in _grouped(names)
    ]
    seen = {}
    for file, (name, _) in zip(files, _grouped(names)):
        other = seen.setdefault(os.path.normcase(file.path), name)
        if other != name:
            raise ValueError(
                f"Got the names {other!r} and {name!r}, which both give "
                f"{file.path.name}; expected one file for each."
            )
    if n_photos is not None and n_photos != _count(files):
        raise ValueError(
            f"Got {len(names)} names for {n_photos} images; expected one for each."
        )
    return files


def _count(files):
    return sum(file.n_photos or 0 for file in files)


def _grouped(names):
    """Names of files, and how many pages of each there are, in order."""
    names = [names] if isinstance(names, str) else list(names)
    pages = [page_of(name) for name in names]
    found = []
    for file, numbers in itertools.groupby(pages, key=lambda page: page[0]):
        numbers = [number for _, number in numbers]
        if numbers not in ([None], list(range(len(numbers)))):
            raise ValueError(
                f"Got the pages {numbers} of {file}; expected all of them in order, "
                "from 0, as load_image_folder names them."
            )
        found.append((file, len(numbers)))
    if len({file for file, _ in found}) < len(found):
        raise ValueError("Got a name twice; expected one file for each.")
    return found


def written_name(name):
    """Name of the file that is written for one that is called so."""
    suffix = PurePosixPath(name).suffix.lower()
    if suffix in _WRITTEN:
        return name
    return name[: -len(suffix)] + ".png" if suffix in SUFFIXES else name + ".png"
