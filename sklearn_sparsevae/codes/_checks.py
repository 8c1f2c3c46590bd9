"""What codes are made of has to fit together; what does not is refused in words."""

import math
import numbers

import numpy as np
from scipy import sparse

from sklearn_sparsevae._arguments import as_ndarray

# Floats that are meant to lie in [0, 1] may miss it by this much.
_ROUNDING = 1e-3
_MAX_PATCH = 64


def check_grid_shape(grid_shape):
    """Return a grid as a tuple of two positive Python integers."""
    sizes = _positive_integers(grid_shape)
    if sizes is None or len(sizes) != 2:
        raise ValueError(
            f"Got grid_shape={grid_shape!r}; expected two positive integers (h, w), "
            "the number of sites per column and per row of an image."
        )
    return sizes


def check_n_atoms(n_atoms):
    """Return the atoms of a site as a positive Python integer."""
    checked = _positive_integers((n_atoms,))
    if checked is None:
        raise ValueError(
            f"Got n_atoms={n_atoms!r}; expected a positive integer, the number of "
            "atoms that a site chooses from."
        )
    return checked[0]


def check_n_mean_atoms(n_mean_atoms, n_atoms):
    """Return the atoms of a site that code means as a Python integer."""
    is_integer = isinstance(n_mean_atoms, numbers.Integral)
    is_integer &= not isinstance(n_mean_atoms, bool)
    if not (is_integer and 0 <= n_mean_atoms < n_atoms):
        raise ValueError(
            f"Got n_mean_atoms={n_mean_atoms!r} for codes of {n_atoms} atoms per site; "
            f"expected an integer from 0 to {n_atoms - 1}: the leading atoms of every "
            "site that code channel means and are always on. Leave it at 0 if there "
            "are none."
        )
    return int(n_mean_atoms)


def atoms_per_site(n_columns, grid_shape, n_atoms=None):
    """Return the atoms of a site, if that many fill the columns."""
    n_atoms = None if n_atoms is None else check_n_atoms(n_atoms)
    found, rest = divmod(n_columns, math.prod(grid_shape))
    if rest or found == 0 or n_atoms not in (None, found):
        atoms = "n_atoms" if n_atoms is None else n_atoms
        raise ValueError(
            f"Got codes with {n_columns} columns; expected {grid_shape[0]} * "
            f"{grid_shape[1]} * {atoms} for grid_shape={grid_shape}. Pass the "
            "grid_shape and the n_atoms of the model that made the codes."
        )
    return found


def check_image_shape(image_shape, grid_shape):
    """Return the shape of images that square sites cut into this grid."""
    if image_shape is None:
        return None
    shape = _positive_integers(image_shape)
    if shape is None or len(shape) not in (2, 3):
        raise ValueError(
            f"Got image_shape={image_shape!r}; expected (H, W, C) or (H, W), "
            "all of them positive integers."
        )
    if not _are_square_sites(shape, grid_shape):
        raise ValueError(
            f"Got image_shape={shape} for grid_shape={grid_shape}; expected a size "
            f"that squares of one side cut into {grid_shape[0]} by {grid_shape[1]} "
            "sites, those at the end being padded. Pass the image_shape and the "
            "grid_shape of the model that made the codes."
        )
    return shape


def _are_square_sites(image_shape, grid_shape):
    """Whether squares of one side s cut an image so: ceil(H / s) = h, ceil(W / s) = w.

    Patches have any side; those above 64 pixels come from encoders that halve, so that
    their side is a power of two.
    """
    sizes = list(zip(image_shape, grid_shape))
    smallest = max(-(-size // n) for size, n in sizes)
    largest = min(((size - 1) // (n - 1) for size, n in sizes if n > 1), default=None)
    if smallest > _MAX_PATCH:
        smallest = 1 << (smallest - 1).bit_length()
    return largest is None or smallest <= largest


def check_thumbnails(photos, n_images, grid_shape):
    """Return thumbnails as uint8, with whole numbers of pixels for every site."""
    if photos is None:
        return None
    given, photos = photos, as_array(photos, "thumbnails")
    (h, w), m = grid_shape, photos.shape[1] // grid_shape[0] if photos.ndim > 1 else 0
    if photos.ndim != 4 or photos.shape[:3] != (n_images, m * h, m * w):
        raise ValueError(
            f"Got thumbnails of shape {photos.shape}; expected ({n_images}, m * {h}, "
            f"m * {w}, channels) with a whole number m: the pixels of every site of "
            "every image."
        )
    if m == 0 or photos.shape[3] == 0:
        raise ValueError(
            f"Got thumbnails of shape {np.shape(given)}; expected at least one pixel "
            "for each site, with at least one channel. Pass None if there are none."
        )
    if photos.dtype == np.uint8:
        return photos
    if photos.dtype.kind != "f":
        raise ValueError(
            f"Got thumbnails of type {photos.dtype}; expected uint8, or floats in "
            "[0, 1]. Scale them first."
        )
    low, high = photos.min(initial=0), photos.max(initial=1)
    if not -_ROUNDING <= low <= high <= 1 + _ROUNDING:
        raise ValueError(
            f"Got thumbnails with values from {low} to {high}; expected uint8, or "
            "floats in [0, 1] without NaN. Scale them first."
        )
    return np.round(255 * np.clip(photos, 0, 1)).astype(np.uint8)


def check_numbers(matrix, name):
    """Check that an array is a matrix of real numbers."""
    if matrix.ndim != 2 or matrix.shape[1] == 0:
        raise ValueError(
            f"Got {name} of shape {matrix.shape}; expected a matrix of shape "
            "(n_images, h * w * n_atoms), with one row for each image."
        )
    if matrix.dtype.kind not in "biuf":
        raise ValueError(
            f"Got {name} of type {matrix.dtype}; expected a matrix of real numbers."
        )


def check_pointers(matrix):
    """Check the indices of a CSR array, which SciPy takes as they come.

    It reads and writes beyond the end of arrays that do not fit together.
    """
    pointer, n_known = matrix.indptr, min(len(matrix.indices), len(matrix.data))
    if len(pointer) != matrix.shape[0] + 1 or pointer[0] != 0 or pointer[-1] > n_known:
        raise ValueError(
            f"Got codes of {matrix.shape[0]} images with {n_known} non-zeros and a row "
            f"pointer (indptr) of length {len(pointer)} from {pointer[:1]} to "
            f"{pointer[-1:]}; expected one more than images, from 0 to the number of "
            "non-zeros. Check what changed them."
        )
    if (np.diff(pointer) < 0).any():
        raise ValueError(
            "Got codes whose row pointer (indptr) falls; expected it to rise from 0 to "
            "the number of non-zeros. Check the matrix that the codes were made from."
        )
    columns, n_columns = matrix.indices, matrix.shape[1]
    if len(columns) and not 0 <= columns.min() <= columns.max() < n_columns:
        raise ValueError(
            f"Got codes with column indices from {columns.min()} to {columns.max()}; "
            f"expected them in [0, {n_columns}). Check the matrix that the codes were "
            "made from."
        )


def check_parts(arg1, shape=None, name="codes"):
    """Return what a CSR array is to be made of.

    Without what SciPy would guess, cut to integers, or read beyond its end.
    """
    if isinstance(arg1, tuple) and not all(np.ndim(part) == 0 for part in arg1):
        if shape is None:
            raise ValueError(
                f"Got {name} as values and indices without a shape; expected shape="
                "(n_images, h * w * n_atoms)."
            )
        as_array(arg1[0], name)
        if len(arg1) == 3:
            as_integers(arg1[1], "column indices")
            as_integers(arg1[2], "a row pointer")
    elif sparse.issparse(arg1) and arg1.format in ("csc", "bsr"):
        try:
            arg1.check_format(full_check=True)
        except ValueError as error:
            raise ValueError(
                f"Got {name} as a {arg1.format} matrix whose indices are wrong: "
                f"{error}."
            ) from error
    elif not sparse.issparse(arg1) and not isinstance(arg1, tuple):
        arg1 = as_array(arg1, name)
        check_numbers(arg1, name)
    return arg1


def check_sites(values, atoms, counts, n_sites, n_atoms):
    """Check that the parts of ``from_sites`` fit together."""
    for name, part in (("values", values), ("atoms", atoms), ("counts", counts)):
        if part.ndim != 1:
            raise ValueError(
                f"Got {name} of shape {part.shape}; expected one dimension, site by "
                "site in reading order."
            )
    if n_sites * n_atoms > np.iinfo(np.int64).max:
        raise ValueError(
            f"Got grid_shape and n_atoms for {n_sites} * {n_atoms} columns; expected "
            "at most 2**63 - 1. Check both."
        )
    if not np.isfinite(values).all():
        raise ValueError(
            "Got values that are NaN or infinite (as float32); expected finite ones."
        )
    if counts.size % n_sites:
        raise ValueError(
            f"Got counts of {counts.size} sites; expected a multiple of {n_sites}, the "
            "sites of one image. Check grid_shape."
        )
    if counts.size and counts.min() < 0:
        raise ValueError("Got a negative count; expected the non-zeros of each site.")
    if counts.size and counts.max() > n_atoms:
        raise ValueError(
            f"Got a site with counts of {counts.max()} values; expected at most "
            f"{n_atoms}, as there are atoms. Check n_atoms."
        )
    if not len(values) == len(atoms) == counts.sum():
        raise ValueError(
            f"Got {len(values)} values, {len(atoms)} atoms and counts that add up to "
            f"{counts.sum()}; expected the same number. Give one atom per value, and "
            "the number of values of every site as counts."
        )
    if len(atoms) and not 0 <= atoms.min() <= atoms.max() < n_atoms:
        raise ValueError(
            f"Got atoms from {atoms.min()} to {atoms.max()}; expected them in [0, "
            f"{n_atoms}). Check n_atoms."
        )


def check_same_grid(own, given):
    """Check that the grid that is given is the one that codes know."""
    if own != given:
        raise ValueError(
            f"Got codes of a {own[0]} by {own[1]} grid; expected {given[0]} by "
            f"{given[1]}. Leave grid_shape out: the codes know their own."
        )


def as_values(values):
    """Return real numbers as float32."""
    values = as_array(values, "values")
    if values.dtype.kind not in "iuf":
        raise ValueError(f"Got values of type {values.dtype}; expected real numbers.")
    with np.errstate(over="ignore"):  # infinite ones are refused by check_sites
        return values.astype(np.float32, copy=False)


def as_integers(values, name):
    """Return integers of at most 64 bits, with a sign unless they are few bits."""
    values = as_array(values, name)
    if values.size and values.dtype.kind not in "iu":
        raise ValueError(
            f"Got {name} of type {values.dtype}; expected integers. Convert them with "
            ".astype(np.int64)."
        )
    fits = values.size and values.dtype != np.uint64
    return values if fits else values.astype(np.int64)


def as_array(values, name):
    """Return what an array can be made of as one; refuse masks, which it would lose."""
    if np.ma.isMaskedArray(values):
        raise ValueError(
            f"Got {name} as a masked array, whose mask codes cannot keep; expected an "
            "ordinary one. Fill it first: array.filled(0)."
        )
    try:
        return as_ndarray(values, name)
    except ValueError as error:
        raise ValueError(
            f"Got {name} that make no array ({error}); expected rows of equal length."
        ) from error


def _positive_integers(values):
    """Return a sequence of positive integers as a tuple, or None if it is none."""
    if not isinstance(values, (tuple, list, np.ndarray)):
        return None
    if getattr(values, "ndim", 1) != 1:
        return None
    kinds = (int, np.integer)
    if not all(isinstance(v, kinds) and not isinstance(v, bool) for v in values):
        return None
    return tuple(int(v) for v in values) if all(v > 0 for v in values) else None
