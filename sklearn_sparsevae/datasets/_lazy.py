"""Sequences that read an image when it is asked for."""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from sklearn_sparsevae._arguments import naming

_SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")


class Folder:
    """The files below a folder."""

    def __init__(self, path):
        self.path = Path(path)
        if not self.path.is_dir():
            raise FileNotFoundError(
                f"{self.path} is no folder; expected one that holds images."
            )

    def names(self):
        """Paths of the files, relative to the folder, sorted."""
        paths = (path for path in self.path.rglob("*") if path.is_file())
        return sorted(path.relative_to(self.path).as_posix() for path in paths)

    def read(self, name):
        """Content of a file, as bytes."""
        return (self.path / name).read_bytes()


class ZipArchive:
    """The members of a zip file, read in place.

    The file is opened anew in every process, so that archives can be pickled and forked
    processes do not move one another's position in the file.
    """

    def __init__(self, path):
        self.path = Path(path)
        self._opened = None
        if not self.path.exists():
            raise FileNotFoundError(f"There is no file {self.path}.")
        if not zipfile.is_zipfile(self.path):
            raise ValueError(
                f"{self.path} is no zip file that can be read; only zip files are read "
                "in place. Copy it anew if it is cut short; unpack other archives and "
                "use load_image_folder."
            )

    def names(self):
        """Names of the members that are files, sorted."""
        return sorted(n for n in self._archive().namelist() if not n.endswith("/"))

    def read(self, name):
        """Content of a member, as bytes."""
        try:
            return self._archive().read(name)
        except (KeyError, zipfile.BadZipFile, zlib.error) as error:
            raise ValueError(
                f"{self.path}: {name} is missing or damaged ({error}). Get the archive "
                "anew."
            ) from error

    def _archive(self):
        if self._opened is None or self._opened[0] != os.getpid():
            self._opened = os.getpid(), zipfile.ZipFile(self.path)
        return self._opened[1]

    def __getstate__(self):
        return {**self.__dict__, "_opened": None}


def image_files(source, below=""):
    """Names of the images in a source whose names begin so; hidden ones left out."""
    files = [n for n in source.names() if n.startswith(below) and _is_image(n)]
    if not files:
        raise ValueError(
            f"{source.path} holds no images{' in ' + below if below else ''}; expected "
            f"files that end in {', '.join(_SUFFIXES)}."
        )
    return files


def _is_image(name):
    path = PurePosixPath(name)
    hidden = any(part.startswith((".", "__MACOSX")) for part in path.parts)
    return path.suffix.lower() in _SUFFIXES and not hidden


class LazilyIndexed(Sequence):
    """Sequence of which a slice or an array of indices is one like it, not a list.

    A subclass has a length, and says what one item (`_item`) and a selection of several
    (`_select`) are.
    """

    @property
    def shape(self) -> tuple[int]:
        """``(n,)``, by which scikit-learn knows what to index as it does arrays."""
        return (len(self),)

    def __getitem__(self, index):
        if isinstance(index, tuple) and len(index) == 2 and index[1] is Ellipsis:
            index = index[0]  # as scikit-learn indexes arrays of any number of axes
        if np.ndim(index) == 0 and not isinstance(index, slice):
            return self._item(index)
        return self._select(index)


class LazySequence(LazilyIndexed):
    """Arrays that are read and decoded when they are asked for, and not kept.

    An integer gives an array; a slice or an array of integers or booleans gives a
    shorter sequence, without reading anything: so the folds of scikit-learn's searches
    and splits stay lazy, too. It can be pickled.

    Parameters
    ----------
    source : Folder or ZipArchive
        Where the files are.
    names : list of str
        Their names in the source.
    decoder : callable
        Makes an array of the content of a file and its box.
    boxes : list of tuple of int, or None
        ``(top, left, height, width)`` of what each file shows of interest.
    """

    def __init__(self, source, names, decoder, boxes=None):
        self.source, self.names, self.decoder = source, list(names), decoder
        self.boxes = boxes

    def __repr__(self):
        name = type(self).__name__
        return f"<{name}: {len(self)} read from {self.source.path} when asked for>"

    def __len__(self):
        return len(self.names)

    def _item(self, index):
        return self._read(index, self.decoder)

    def _select(self, index):
        chosen = np.arange(len(self))[index]
        boxes = None if self.boxes is None else [self.boxes[i] for i in chosen]
        names = [self.names[i] for i in chosen]
        return type(self)(self.source, names, self.decoder, boxes)

    def _read(self, index, decode):
        name = self.names[index]
        content = self.source.read(name)
        box = None if self.boxes is None else self.boxes[index]
        try:
            return decode(content, box)
        except ValueError as error:
            raise ValueError(f"{self.source.path}: {name}: {error}") from error


class LazyImages(LazySequence):
    """Photos ``(H, W, 3)`` or ``(H, W)`` of dtype uint8, read when asked for."""

    @property
    def shapes(self):
        """Shapes of the photos; with no common size, from their files' headers."""
        common = self.decoder.common_shape
        if common is not None:
            return [common] * len(self)
        return [self._read(i, self.decoder.shape) for i in range(len(self))]


class LazyView(LazilyIndexed):
    """Any sequence of photos, so that scikit-learn's folds of it stay lazy.

    scikit-learn makes lists of what it does not know: each fold of a cross-validation
    would be read into memory. A view is indexed by slices and arrays without reading.

    Parameters
    ----------
    photos : sequence
        ``len(photos)``, items ``photos[i]`` that are photos, and perhaps
        ``photos.shapes``, their shapes. Or an array of them that is not in memory, such
        as a dataset of h5py.
    indices : array-like of int, default=None
        Which of them, in which order; None stands for all.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.model_selection import train_test_split
    >>> from sklearn_sparsevae.datasets import LazyView
    >>> class Frames:
    ...     def __len__(self):
    ...         return 10
    ...     def __getitem__(self, i):
    ...         return np.full((8, 8), i, np.uint8)
    >>> train, test = train_test_split(LazyView(Frames()), random_state=0)
    >>> len(train), int(test[0][0, 0])
    (7, 2)
    """

    def __init__(
        self, photos: LazySequence | Sequence[Any], indices: ArrayLike | None = None
    ) -> None:
        self.photos: Any = photos
        # An array counts its images by its shape; one of zarr has no length.
        shape = tuple(getattr(photos, "shape", ()))
        is_array = len(shape) > 0 and hasattr(photos, "ndim")
        has_items = hasattr(photos, "__getitem__")
        if not (has_items and (is_array or hasattr(photos, "__len__"))):
            raise TypeError(
                f"Got photos of type {type(photos).__name__}; expected a sequence, "
                "with len(photos) and photos[i]."
            )
        with naming("photos"):
            self._n_photos = int(shape[0]) if is_array else len(photos)
            every = np.arange(self._n_photos)
        with naming("indices"):
            chosen = np.asarray(every if indices is None else indices)
            self.indices = every[chosen if chosen.size else chosen.astype(int)]
        if self.indices.ndim != 1:
            raise ValueError(
                f"Got indices of shape {self.indices.shape}; expected a row of them."
            )

    def __repr__(self):
        kind, n_photos = type(self.photos).__name__, self._n_photos
        return f"<LazyView: {len(self)} of the {n_photos} photos in {kind}>"

    def __len__(self):
        return len(self.indices)

    def _item(self, index):
        return self.photos[int(self.indices[index])]

    def _select(self, index):
        return LazyView(self.photos, self.indices[index])

    @property
    def shapes(self) -> Any:
        """Shapes of the photos, if the sequence of all has them."""
        if not hasattr(self.photos, "shapes") and hasattr(self.photos, "ndim"):
            return [self.photos.shape[1:]] * len(self)
        shapes = self.photos.shapes
        return [shapes[i] for i in self.indices]
