"""Arrays that are read slice by slice, so that they may be larger than memory.

Datasets of h5py, arrays of zarr, dask and others: known by what they have in common.
"""

import itertools
import numbers

import numpy as np

from sklearn_sparsevae.images.arrays import refuse_masked
from sklearn_sparsevae.images.lazy import check_same_numbers

# Bytes that are read at once.
_MOST_BYTES = 2**25


def is_sliced(X):
    """Whether ``X`` has what an array has, slices among it, and is none in memory."""
    if isinstance(X, np.ndarray | np.generic) or hasattr(X, "iloc"):
        return False
    if hasattr(X, "detach") or not isinstance(getattr(X, "dtype", None), np.dtype):
        return False
    return hasattr(X, "shape") and hasattr(X, "ndim") and hasattr(X, "__getitem__")


def check_lengths(X, name):
    """Raise when an array does not know its shape, as some of dask do not."""
    if not all(isinstance(length, numbers.Integral) for length in X.shape):
        raise ValueError(
            f"{name} has shape {X.shape}, which is not known in full; expected whole "
            f"numbers. With dask, call {name}.compute_chunk_sizes() first."
        )


class SlicedPhotos:
    """Channels-last images of one size in what is sliced as an array is.

    An integer gives an image ``(H, W, C)``, a slice or an array of integers an array
    ``(n, H, W, C)``. Each image is checked when it is first read.

    Parameters
    ----------
    array : object
        With ``shape``, ``dtype`` and ``array[start:stop]``; ``chunks``, if it has them,
        say what is stored, and read, together.
    image_shape : tuple of int (H, W, C)
    name : str
        What errors call the array.
    check : callable
        ``check(images, name)`` raises unless the values of an array are as expected.
    convert : callable, default=None
        ``convert(block, name)`` makes an array to go on with of one that was read.

    Attributes
    ----------
    shape : tuple of int (n, H, W, C)
    dtype : dtype
    """

    def __init__(self, array, image_shape, name, check, convert=None):
        self._array, self._name = array, name
        self._check, self._convert = check, convert
        self.shape = (int(array.shape[0]), *image_shape)
        self._ends = _chunk_ends(array)
        self._checked = np.zeros(len(self), bool)
        self.dtype = self[0].dtype

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, index):
        wanted = np.arange(len(self))[index]
        places, order = np.unique(wanted, return_inverse=True)
        blocks = [images for _, images in self.blocks(places)]
        if not blocks:
            return np.empty((0, *self.shape[1:]), self.dtype)
        images = blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
        if wanted.ndim and np.array_equal(wanted, places):
            return images
        return images[order.reshape(wanted.shape)]

    def blocks(self, places):
        """Yield ``(places, images)`` for some at a time of sorted, distinct places.

        Neighbours are read at once, and so are those of one chunk, which is decoded
        whole even for one of them.
        """
        places = np.asarray(places)
        if not len(places):
            return
        chunks = np.searchsorted(self._ends, places, side="right")
        apart = (np.diff(places) > 1) & (np.diff(chunks) > 0)
        for run in np.split(places, np.flatnonzero(apart) + 1):
            # Runs may be long, and have gaps.
            part = (run - run[0]) // self._n_at_once
            for few in np.split(run, np.flatnonzero(np.diff(part)) + 1):
                yield few, self._read(few)

    @property
    def _n_at_once(self):
        n_bytes = self._array.dtype.itemsize * int(np.prod(self.shape[1:]))
        return max(1, _MOST_BYTES // n_bytes)

    def _read(self, places):
        """Images of sorted places, from one slice."""
        start, stop = int(places[0]), int(places[-1]) + 1
        name = f"{self._name}[{start}:{stop}]"
        block = self._array[start:stop]
        refuse_masked(block, name)
        block = np.asarray(block)
        expected = (stop - start, *self._array.shape[1:])
        if block.shape != expected:
            raise ValueError(
                f"{name} has shape {block.shape}; expected {expected}, as the shape "
                f"{self._array.shape} says."
            )
        check_same_numbers([self._array.dtype, block.dtype], self._name, start)
        if len(places) < len(block):
            block = block[places - start]
        if self._convert is not None:
            block = self._convert(block, name)
        images = block.reshape(len(block), *self.shape[1:])
        new = ~self._checked[places]
        if new.any():
            self._check(images if new.all() else images[new], name)
            self._checked[places] = True
        return images


def _chunk_ends(array):
    """Where chunks end along the first axis; nowhere in what has none."""
    chunks = getattr(array, "chunks", None)
    if not chunks:
        return np.arange(1, array.shape[0] + 1)
    if isinstance(chunks[0], numbers.Integral):
        return np.arange(chunks[0], array.shape[0] + chunks[0], chunks[0])
    return np.fromiter(itertools.accumulate(chunks[0]), int)
