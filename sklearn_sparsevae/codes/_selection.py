"""What selects whole rows of codes, and what only scales them."""

import numpy as np
from scipy import sparse

_ALL = slice(None)


def is_scale(factor):
    """Whether a factor is one finite real number."""
    if not isinstance(factor, (int, float, np.generic, np.ndarray)):
        return False
    factor = np.asarray(factor)
    real = factor.ndim == 0 and factor.dtype.kind in "biuf"
    return real and bool(np.isfinite(factor))


def row_key(key, n_rows):
    """Return the rows that a key selects with all of their columns, else None.

    As a slice, or as an array of integers or booleans: one row is a slice of length 1.
    """
    if isinstance(key, tuple):
        every = len(key) == 1 or (
            len(key) == 2
            and (key[1] is Ellipsis or (isinstance(key[1], slice) and key[1] == _ALL))
        )
        if not every:
            return None
        key = key[0]
    if key is Ellipsis:
        return _ALL
    if isinstance(key, slice):
        return key
    if key is None or sparse.issparse(key):
        return None
    rows = np.asarray(key)
    if rows.ndim > 1:
        return None
    if rows.size == 0:
        rows = rows.astype(np.intp)  # an empty list
    if rows.dtype.kind not in "iub" or isinstance(key, (bool, np.bool_)):
        raise IndexError(
            f"Got {key!r} to select images; expected integers, a mask or a slice."
        )
    return rows if rows.ndim else _one_row(int(rows), n_rows)


def _one_row(index, n_rows):
    """Return the slice of one row, counted from the end where it is negative."""
    if not -n_rows <= index < n_rows:
        raise IndexError(f"Got image {index} of codes of {n_rows} images.")
    index %= n_rows
    return slice(index, index + 1)
