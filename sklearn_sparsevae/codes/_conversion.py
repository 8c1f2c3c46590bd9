"""Codes from other forms, and from parts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils import check_array

from sklearn_sparsevae._typing import Codes, Grid
from sklearn_sparsevae.codes._checks import (
    as_array,
    atoms_per_site,
    check_grid_shape,
    check_image_shape,
    check_numbers,
    check_parts,
    check_pointers,
    check_same_grid,
)
from sklearn_sparsevae.codes._layout import canonical
from sklearn_sparsevae.codes._sparse_codes import SparseCodes


def as_codes(
    X: Codes,
    grid_shape: Grid | None = None,
    n_atoms: int | None = None,
    *,
    image_shape: Sequence[int] | None = None,
) -> SparseCodes:
    """Give codes in any form as :class:`~sklearn_sparsevae.codes.SparseCodes`.

    Parameters
    ----------
    X : SparseCodes, sparse array or matrix, or array-like, (n_images, h * w * n_atoms)
        Codes, one row per image, columns site-major.
    grid_shape : tuple of int (h, w), optional
        The grid of a plain matrix; for ``SparseCodes`` it must agree with theirs.
    n_atoms : int, optional
        Atoms per site that the caller expects.
    image_shape : tuple of int, optional
        Shape of a decoded image, kept where ``X`` does not know its own.

    Returns
    -------
    codes : SparseCodes
        ``float32`` and canonical; ``X`` itself where it already is.

    Raises
    ------
    ValueError
        If ``X`` is not 2-D and finite, has no grid, or its columns do not fill it;
        if ``grid_shape``, ``n_atoms`` or ``image_shape`` are not those of ``X``.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_sparsevae.codes import as_codes
    >>> as_codes(np.ones((2, 12)), grid_shape=(2, 3)).n_atoms
    2
    """
    if isinstance(X, (list, tuple)) and any(isinstance(x, SparseCodes) for x in X):
        raise ValueError(
            f"Got a {type(X).__name__} of SparseCodes as X; expected one matrix. "
            "Join codes of one grid with concatenate_codes, or pass them one by one."
        )
    own_grid = X.grid_shape if isinstance(X, SparseCodes) else None
    if own_grid is None and grid_shape is None:
        shape = getattr(X, "shape", None)
        raise ValueError(
            f"Got a plain matrix of shape {shape} as X, which "
            "does not say how its columns are laid out in sites; expected SparseCodes "
            "as transform returns them. Pass grid_shape=(h, w), the number of sites "
            "per column and per row; scipy.sparse.vstack loses it, concatenate_codes "
            "does not."
        )
    grid: Any = None if grid_shape is None else check_grid_shape(grid_shape)
    if own_grid is not None and grid is not None:
        check_same_grid(own_grid, grid)
    codes = _as_float32(X)
    if own_grid is None:
        codes = SparseCodes(
            codes, grid_shape=grid, n_atoms=n_atoms, image_shape=image_shape
        )
    atoms_per_site(codes.shape[1], codes.grid_shape, n_atoms)
    if codes.image_shape is None and image_shape is not None:
        codes = codes._with_grid(codes)
        codes.image_shape = check_image_shape(image_shape, codes.grid_shape)
    is_clean = codes.has_canonical_format and np.count_nonzero(codes.data) == codes.nnz
    return codes if is_clean else canonical(codes.copy())


def _as_float32(X):
    """Return a finite matrix in CSR form, or codes as codes."""
    if not sparse.issparse(X):
        X = as_array(X, "X")
    check_numbers(X, "X")
    check_parts(X, name="X")
    if sparse.issparse(X) and X.format == "csr":
        check_pointers(X)
    with np.errstate(over="ignore"):  # what is too large is refused as infinite
        return check_array(
            X,
            accept_sparse="csr",
            dtype=np.float32,
            ensure_min_samples=0,
            input_name="X",
        )


def concatenate_codes(parts: Iterable[SparseCodes]) -> SparseCodes:
    """Join codes of the same grid, as :func:`numpy.concatenate` joins images.

    :func:`scipy.sparse.vstack` joins the numbers, too, but gives a plain matrix that
    has lost its grid.

    Parameters
    ----------
    parts : iterable of SparseCodes
        At least one. All have the same ``grid_shape``, ``n_atoms``, ``n_mean_atoms``
        and ``image_shape``.

    Returns
    -------
    codes : SparseCodes
        The images of all parts, one after the other. With ``thumbnails`` if all parts
        have them, which are then of the same size.

    Raises
    ------
    ValueError
        If there is no part, a part is not ``SparseCodes``, or the parts differ in grid,
        atoms, those of the means, image shape or size of thumbnails.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_sparsevae.codes import SparseCodes, concatenate_codes
    >>> codes = SparseCodes(np.eye(3, 8), grid_shape=(2, 2))
    >>> concatenate_codes([codes[2], codes]).shape
    (4, 8)
    """
    pieces = _check_joinable(parts)
    first = pieces[0]
    thumbnails = [part.thumbnails for part in pieces]
    known = all(part is not None for part in thumbnails)
    if known and len({photos.shape[1:] for photos in thumbnails}) > 1:
        raise ValueError(
            "Got parts with thumbnails of shapes "
            f"{[photos.shape for photos in thumbnails]}; expected one size for all. "
            "Use one model for all parts, or set their thumbnails to None."
        )
    return SparseCodes._trusted(
        sparse.vstack([sparse.csr_array(part) for part in pieces], format="csr"),
        first.grid_shape,
        first.n_atoms,
        first.image_shape,
        np.concatenate(thumbnails) if known else None,
        first.n_mean_atoms,
    )


def _check_joinable(parts):
    """Return parts that fit together as a list."""
    if sparse.issparse(parts) or not hasattr(parts, "__iter__"):
        raise ValueError(
            f"Got parts={parts!r}; expected a list of SparseCodes, or an iterator."
        )
    parts = list(parts)
    if not parts:
        raise ValueError("Got no parts to join; expected at least one SparseCodes.")
    for i, part in enumerate(parts):
        if not isinstance(part, SparseCodes):
            raise ValueError(
                f"Got parts[{i}] of type {type(part).__name__}, which has no grid; "
                "expected SparseCodes. scipy.sparse.vstack, save_npz and arithmetic "
                "lose the grid: as_codes(part, grid_shape) says it again."
            )
        for name in ("grid_shape", "n_atoms", "n_mean_atoms", "image_shape"):
            own, other = getattr(parts[0], name), getattr(part, name)
            if own != other:
                raise ValueError(
                    f"Got parts[{i}] with {name}={other}, but parts[0] has {own}; "
                    "expected the same for all parts. Keep codes that differ in a list."
                )
    return parts
