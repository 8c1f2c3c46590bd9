"""What segmenters take: codes of images, lists of them, or one scene."""

import functools
import numbers

import numpy as np
from scipy import sparse
from sklearn.utils.validation import validate_data

from sklearn_sparsevae._arguments import as_ndarray, as_table
from sklearn_sparsevae.codes import SparseCodes, as_codes
from sklearn_sparsevae.codes._checks import check_grid_shape

# The squares of larger numbers, and their sums, would overflow.
_LARGEST = 1e100


def is_list_of_codes(X):
    """Whether images come one by one rather than in one matrix."""
    if not isinstance(X, list | tuple):
        return False
    return len(X) == 0 or any(sparse.issparse(part) for part in X)


def has_grid(X):
    """Whether what is segmented knows its grid."""
    return isinstance(X, SparseCodes) or is_list_of_codes(X)


def as_parts(X, grid_shape, image_shape=None):
    """Codes of images as a list: of one matrix, or of all items of a list.

    ``grid_shape`` and ``image_shape`` are those of a plain matrix.
    """
    if not is_list_of_codes(X):
        if isinstance(X, SparseCodes):
            return [as_codes(X)]
        return [as_codes(X, grid_shape, image_shape=image_shape)]
    for i, part in enumerate(X):
        if not isinstance(part, SparseCodes):
            raise ValueError(
                f"Got X[{i}] of type {type(part).__name__} in a list; expected a list "
                "of SparseCodes. A plain matrix gets its grid from as_codes."
            )
    return [as_codes(part) for part in X]


def check_some(parts):
    """Check that there is an image to segment."""
    if sum(codes.shape[0] for codes in parts) == 0:
        raise ValueError(
            "Got X with codes of 0 images; expected at least one. Check what was "
            "selected."
        )


def check_atoms(parts, n_atoms):
    """Check that all codes choose from as many atoms."""
    for codes in parts:
        if codes.n_atoms != n_atoms:
            raise ValueError(
                f"Got X with codes of {codes.n_atoms} atoms per site; expected "
                f"{n_atoms}, as in fit. Use one model for all images."
            )


def photos_of(parts):
    """Yield the codes of every image as a matrix of one row."""
    for codes in parts:
        yield from codes


def check_features(features, grid_shape, name):
    """Return features of the sites of a grid in float64, and the grid."""
    grid_shape = check_grid_shape(grid_shape)
    features = as_ndarray(features, name)
    n_sites = grid_shape[0] * grid_shape[1]
    if (
        features.ndim != 2
        or len(features) != n_sites
        or features.dtype.kind not in "fiu"
    ):
        raise ValueError(
            f"Got {name} of shape {features.shape} and type {features.dtype}; expected "
            f"{n_sites} rows of numbers, one for each site of grid_shape={grid_shape}."
        )
    if not np.abs(features).max(initial=0) <= _LARGEST:
        raise ValueError(
            f"Got {name} with NaN, infinity or numbers beyond {_LARGEST:.0e}; expected "
            "such that distances are finite."
        )
    return features.astype(np.float64), grid_shape


def check_scale(scale):
    """Check the length that counts as one."""
    if isinstance(scale, bool | np.bool_) or not isinstance(scale, numbers.Real):
        raise TypeError(f"Got scale={scale!r}; expected a positive number.")
    if not 1 / _LARGEST < scale < _LARGEST:
        raise ValueError(f"Got scale={scale!r}; expected a positive, finite number.")
    return float(scale)


def check_scene(segmenter, X, reset):
    """Return one scene in float64, with one row per site."""
    if has_grid(X) and getattr(X, "grid_shape", None) != (1, 1):
        raise ValueError(
            "Got codes of images as X, but fit saw a plain matrix without a grid, one "
            "scene. Fit the segmenter to SparseCodes, or set its grid_shape=(h, w)."
        )
    if np.ma.isMaskedArray(X):
        raise ValueError(
            "Got a masked array as X; expected an ordinary one. Fill it, or leave out "
            "the rows that are masked."
        )
    if segmenter.foreground == "boundary":
        raise ValueError(
            f"Got a plain matrix of shape {np.shape(X)} with foreground="
            f"{segmenter.foreground!r}, which needs to know which sites lie on the "
            "border. Pass SparseCodes, or set grid_shape=(h, w)."
        )
    like = {"accept_sparse": "csr", "dtype": np.float64, "copy": True}
    check = functools.partial(validate_data, segmenter, reset=reset)
    X = as_table(X, "X", check, **like)
    largest = np.abs(X.data if sparse.issparse(X) else X).max(initial=0)
    if largest > _LARGEST:
        raise ValueError(
            f"Got X with values up to {largest:.1e}; expected at most {_LARGEST:.0e}, "
            "so that distances are finite. Scale X first."
        )
    if not sparse.issparse(X):
        return X
    X = sparse.csr_array(X)
    index = sparse.get_index_dtype(maxval=max(X.nnz, X.shape[1]))
    X.indices, X.indptr = X.indices.astype(index), X.indptr.astype(index)
    X.sum_duplicates()
    X.eliminate_zeros()
    return X
