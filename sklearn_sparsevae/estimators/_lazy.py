"""Photo sets that are read photo by photo, so that they may be larger than memory."""

import functools
from collections.abc import Mapping

import numpy as np


def is_lazy(X):
    """Whether ``X`` has a length and items, and is no list, array or mapping."""
    if isinstance(X, (list, tuple, str, bytes, Mapping)) or hasattr(X, "__array__"):
        return False
    return hasattr(X, "__len__") and hasattr(X, "__getitem__")


class LazyPhotos:
    """Channels-last photos of a lazy sequence, each checked whenever it is read.

    An integer gives a photo ``(H, W, C)``; a slice reads photos of one size into an
    array ``(n, H, W, C)``.

    Parameters
    ----------
    photos : sequence
        Its items are arrays ``(H, W, C)`` or ``(H, W)``. Their shapes are taken from
        ``photos.shapes``; without that, every photo is read once to learn them.
    name : str
        What errors call the sequence.
    check : callable
        ``check(photos, name=...)`` checks an array ``(1, H, W[, C])`` of one photo and
        returns it as ``(1, H, W, C)``.

    Attributes
    ----------
    dtype : dtype
        That of the first photo.
    n_axes : int
        Its number of axes: 2 or 3, if it is a photo.
    """

    def __init__(self, photos, name, check):
        if not len(photos):
            raise ValueError(f"{name} has no photos; expected at least 1.")
        self._photos, self._name, self._check = photos, name, check
        first = np.asarray(photos[0])
        self.dtype, self.n_axes = first.dtype, first.ndim

    def __len__(self):
        return len(self._photos)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return np.stack([self[i] for i in range(*index.indices(len(self)))])
        photo = np.asarray(self._photos[int(index)])
        name = f"{self._name}[{index}]"
        if photo.shape != self._declared[index]:
            raise ValueError(
                f"{name} has shape {photo.shape}, but the sequence's shapes say "
                f"{self._declared[index]}: they must be those of the photos as read."
            )
        if (photo.dtype == np.uint8) != (self.dtype == np.uint8):
            raise ValueError(
                f"{name} has dtype {photo.dtype}, but {self._name}[0] {self.dtype}. "
                "Convert all to uint8, or all to floats in [0, 1]."
            )
        return self._check(photo[None], name=name)[0]

    @functools.cached_property
    def _declared(self):
        """Shapes of the photos as they come, all with the channels of the first."""
        shapes = getattr(self._photos, "shapes", None)
        if shapes is None:
            shapes = (np.shape(self._photos[i]) for i in range(len(self)))
        shapes = [tuple(shape) for shape in shapes]
        if len(shapes) != len(self):
            raise ValueError(
                f"{self._name}.shapes has {len(shapes)} entries for {len(self)} "
                "photos; expected one shape each."
            )
        for i, shape in enumerate(shapes):
            if len(shape) not in (2, 3) or shape[2:] != shapes[0][2:]:
                raise ValueError(
                    f"{self._name}[{i}] has shape {shape}, {self._name}[0] "
                    f"{shapes[0]}; expected photos (H, W, C) or (H, W) that do not "
                    "differ in their channels. Convert all to the same number of "
                    "channels."
                )
        return shapes

    @functools.cached_property
    def shapes(self):
        """Shapes ``(H, W, C)`` of the photos."""
        return [(*shape, 1)[:3] for shape in self._declared]

    @property
    def kind(self):
        """Kind of layout: "grey" or "channels"."""
        return "grey" if self.n_axes == 2 else "channels"

    @property
    def shape(self):
        """``(n, H, W, C)``, of photos of one size."""
        return len(self), *self.shapes[0]

    def outline(self):
        """Stand-in of the same shapes and dtype, if photos, that takes no memory."""
        zero = np.zeros((), self.dtype)
        is_image = self.dtype == np.uint8 or self.dtype.kind == "f"
        if self.n_axes not in (2, 3) or not is_image:
            return zero  # without a look at the shapes, which may cost reading all
        shapes = self._declared
        if len(set(shapes)) == 1:
            return np.broadcast_to(zero, (len(self), *shapes[0]))
        return [np.broadcast_to(zero, shape) for shape in shapes]
