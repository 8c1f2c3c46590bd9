"""One matrix from the codes of batch after batch."""

import numpy as np
from scipy import sparse

from sklearn_sparsevae.codes import SparseCodes


class GrowingArray:
    """The concatenation of parts that are not kept beside it.

    Room is set aside for all parts when the first has come. What is not written to
    takes no memory, so that too much of it costs nothing.

    Attributes
    ----------
    array : ndarray
        All parts so far, one after the other.
    """

    def __init__(self):
        self.array = self._room = None

    def append(self, part, share):
        """Add a part, with which about ``share`` of the whole, in (0, 1], is there."""
        start = 0 if self.array is None else len(self.array)
        stop = start + len(part)
        if self._room is None or stop > len(self._room):
            n_expected = int(1.1 * stop / share)
            self._room = np.empty((n_expected, *part.shape[1:]), part.dtype)
            if start:
                self._room[:start] = self.array
        self._room[start:stop] = part
        self.array = self._room[:stop]


def collect_codes(batches, n_images, **grid):
    """Codes and thumbnails of all images, without those of all batches beside them.

    Parameters
    ----------
    batches : iterable
        As `Coder.code` yields them.
    n_images : int
    **grid
        ``grid_shape``, ``n_atoms`` and ``n_mean_atoms`` of the codes.

    Returns
    -------
    codes : SparseCodes of shape (n_images, h * w * n_atoms)
    thumbnails : ndarray of shape (n_images, m * h, m * w, C)
    """
    values, columns, thumbnails = wholes = [GrowingArray() for _ in range(3)]
    row_ends, n_done = [np.zeros(1, np.int64)], 0
    for *sites, small in batches:
        part = SparseCodes.from_sites(*sites, **grid)
        row_ends.append(row_ends[-1][-1] + part.indptr[1:])
        n_done += len(small)
        for whole, new in zip(wholes, (part.data, part.indices, small), strict=True):
            whole.append(new, share=n_done / n_images)
    row_ends = np.concatenate(row_ends)
    index_type = sparse.get_index_dtype(maxval=max(part.shape[1], row_ends[-1]))
    arrays = values.array, columns.array, row_ends.astype(index_type)
    codes = SparseCodes(arrays, shape=(n_images, part.shape[1]), **grid)
    return codes, thumbnails.array
