"""Sequences that read an image when it is asked for."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from sklearn_sparsevae._arguments import naming
from sklearn_sparsevae.datasets._errors import naming_damage
from sklearn_sparsevae.datasets._tiff import find_photos

_TIFF = (".tif", ".tiff")


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
        Makes an array of an open file, its box, and the place in it.
    boxes : list of tuple of int, or None
        ``(top, left, height, width)`` of what each file shows of interest.
    files : list of tuple (str, Place or None), or None
        What is opened for each, and the place in it; None stands for the names.
    """

    def __init__(self, source, names, decoder, boxes=None, files=None):
        self.source, self.names, self.decoder = source, list(names), decoder
        self.boxes = boxes
        self.files = [(name, None) for name in self.names] if files is None else files

    def __repr__(self):
        name = type(self).__name__
        return f"<{name}: {len(self)} read from {self.source.path} when asked for>"

    def __len__(self):
        return len(self.names)

    def _item(self, index):
        return self._read(index, self.decoder)

    def _select(self, index):
        chosen = np.arange(len(self))[index]
        names, boxes, files = (
            None if values is None else [values[i] for i in chosen]
            for values in (self.names, self.boxes, self.files)
        )
        return type(self)(self.source, names, self.decoder, boxes, files)

    def _read(self, index, decode):
        file_name, place = self.files[index]
        box = None if self.boxes is None else self.boxes[index]
        with (
            self.source.open(file_name) as file,
            in_file(self.source, self.names[index]),
        ):
            return decode(file, box, place)


class LazyImages(LazySequence):
    """Photos ``(H, W, C)`` or ``(H, W)``, read when asked for."""

    @property
    def shapes(self):
        """Shapes of the photos; with no common size, from their files' headers."""
        common = self.decoder.common_shape
        return [
            self._read(i, self.decoder.shape) if common is None or place else common
            for i, (_, place) in enumerate(self.files)
        ]


@contextlib.contextmanager
def in_file(source, name):
    """Say in errors which file of a source they are about."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{source.path}: {name}: {error}") from error


def photos_in(source, names):
    """Return the names of the photos that files hold, and what to open for each.

    Every page of a TIFF file is one, ``"stack.tif[3]"``, for which the headers of these
    files are read; others are not opened.
    """
    photos, files = [], []
    for name in names:
        if not name.lower().endswith(_TIFF):
            photos.append(name)
            files.append((name, None))
            continue
        with source.open(name) as file, in_file(source, name), naming_damage():
            places = find_photos(file)
        many = len(places) > 1
        photos += [f"{name}[{i}]" if many else name for i in range(len(places))]
        files += [(name, place) for place in places]
    return photos, files


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
