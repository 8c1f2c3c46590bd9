"""Photo sets that are read photo by photo, so that they may be larger than memory."""

import functools
from collections.abc import Mapping

import numpy as np

from sklearn_sparsevae._arguments import naming


def is_lazy(X):
    """Whether ``X`` has a length and items, and is no list, array or mapping."""
    if isinstance(X, (list, tuple, str, bytes, Mapping)) or hasattr(X, "__array__"):
        return False
    return hasattr(X, "__len__") and hasattr(X, "__getitem__")


class LazyPhotos:
    """Channels-last photos of a lazy sequence, each checked when it is first read.

    An integer gives a photo ``(H, W, C)``.

    Parameters
    ----------
    photos : sequence
        Its items are arrays ``(H, W, C)`` or ``(H, W)``. Their shapes are taken from
        ``photos.shapes``; without that, every photo is read once to learn them.
    name : str
        What errors call the sequence.
    as_array : callable
        ``as_array(photo, name)`` makes an array of an item.
    check : callable
        ``check(photo, name)`` raises unless the values of an array are as expected.

    Attributes
    ----------
    photos : sequence
    dtype : dtype
        That of the first photo.
    kind : {"grey", "channels"}
        Kind of layout.
    """

    def __init__(self, photos, name, as_array, check):
        if not len(photos):
            raise ValueError(f"{name} has no photos; expected at least 1 image.")
        self.photos, self._name = photos, name
        self._as_array, self._check = as_array, check
        first = as_array(photos[0], f"{name}[0]")
        self.dtype = first.dtype
        self.kind = "grey" if first.ndim == 2 else "channels"
        self._checked = np.zeros(len(photos), bool)
        check(first, f"{name}[0]")
        self._checked[0] = True

    def __len__(self):
        return len(self.photos)

    def __getitem__(self, index):
        index, name = int(index), f"{self._name}[{index}]"
        photo = self._as_array(self.photos[index], name)
        if photo.shape != self._declared[index]:
            raise ValueError(
                f"{name} has shape {photo.shape}, but the sequence's shapes say "
                f"{self._declared[index]}: they must be those of the photos as read."
            )
        if not self._checked[index]:
            check_same_numbers([self.dtype, photo.dtype], self._name, index)
            self._check(photo, name)
            self._checked[index] = True
        return photo if photo.ndim == 3 else photo[..., None]

    @functools.cached_property
    def _declared(self):
        """Shapes of the photos as they come, all with the channels of the first."""
        shapes = getattr(self.photos, "shapes", None)
        if shapes is None:
            shapes = (np.shape(self.photos[i]) for i in range(len(self)))
        with naming(f"{self._name}.shapes"):
            shapes = [tuple(int(side) for side in shape) for shape in shapes]
        if len(shapes) != len(self):
            raise ValueError(
                f"{self._name}.shapes has {len(shapes)} entries for {len(self)} "
                "photos; expected one shape each."
            )
        check_shapes(shapes, self._name)
        return shapes

    @functools.cached_property
    def shapes(self):
        """Shapes ``(H, W, C)`` of the photos."""
        return [(*shape, 1)[:3] for shape in self._declared]


def check_shapes(shapes, name):
    """Raise unless all are shapes of photos with the channels of the first."""
    for i, shape in enumerate(shapes):
        if len(shape) not in (2, 3) or shape[2:] != shapes[0][2:]:
            raise ValueError(
                f"{name}[{i}] has shape {shape}, {name}[0] {shapes[0]}; expected "
                "photos (H, W, C) or (H, W) that do not differ in their channels. "
                "Convert all to the same number of channels, channels last."
            )
        if 0 in shape:
            raise ValueError(
                f"{name}[{i}] has shape {shape}; expected at least one pixel and "
                "channel: leave it out."
            )


def check_same_numbers(dtypes, name, index):
    """Raise when the second of two dtypes means another range than the first."""
    first, last = dtypes
    if first != last and "u" in (first.kind, last.kind):
        raise ValueError(
            f"{name}[{index}] has dtype {last}, but {name}[0] {first}: their dtypes "
            "differ in what they span. Convert all to the same one."
        )
