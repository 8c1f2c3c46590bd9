"""Sparse codes of images: a CSR array that remembers the grid its columns came from.

One row is one image. Its columns run over sites in reading order and over the atoms
of each site: column ``(row * w + column) * n_atoms + atom`` on an ``(h, w)`` grid.
Every consumer of a :class:`scipy.sparse.csr_array` can use such codes as they are;
the grid is there for those who want to go back to images or to label maps.
"""

import math

import numpy as np
from scipy import sparse
from sklearn.utils import check_array

__all__ = ["SparseCodes", "as_codes", "quantize_codes"]

_MAX_INT32 = np.iinfo(np.int32).max


class SparseCodes(sparse.csr_array):
    """Sparse codes of images, one row per image, columns site-major.

    The grid stays with the codes through row selection, ``copy``, ``astype`` and
    pickling. Whatever changes the meaning of rows or columns (column selection,
    transposition, arithmetic, reshaping) gives a plain :class:`scipy.sparse.csr_array`
    (or ``csc_array``), which carries no grid that could be wrong.

    Parameters
    ----------
    arg1 : sparse array, dense array or tuple
        Whatever :class:`scipy.sparse.csr_array` accepts, of shape
        ``(n_images, h * w * n_atoms)``.
    shape, dtype, copy
        As in :class:`scipy.sparse.csr_array`.
    grid_shape : tuple of int (h, w)
        Sites per column and per row. Without it the result is a plain ``csr_array``.
    n_atoms : int, optional
        Atoms per site; by default the number of columns divided by the sites.
    image_shape : tuple of int (H, W, C) or (H, W), optional
        Shape of each image that decoding the codes has to return.
    thumbnails : ndarray of shape (n_images, m * h, m * w, C), optional
        The images on a coarser grid of pixels, m by m of them to a site, for what looks
        at colours: ``uint8``, or floats in [0, 1] that become ``uint8``.

    Attributes
    ----------
    grid_shape, n_atoms, image_shape, thumbnails
        As given.
    site_colors : ndarray of shape (n_images, h, w, C) or None
        Mean colour of every site, in [0, 1], from the thumbnails.

    Raises
    ------
    ValueError
        If the columns are not ``h * w * n_atoms``, or ``thumbnails`` do not hold whole
        sites of every image.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_sparsevae.codes import SparseCodes
    >>> codes = SparseCodes(np.eye(3, 8, dtype=np.float32), grid_shape=(2, 2))
    >>> codes.n_atoms, codes[1:].grid_shape, codes.sites().shape
    (2, (2, 2), (12, 2))
    >>> type(codes[:, :4]).__name__
    'csr_array'
    """

    def __new__(cls, *args, grid_shape=None, **kwargs):
        """Build codes, or a plain array where scipy's own methods give no grid."""
        if grid_shape is None:
            return sparse.csr_array(*args, **_without_metadata(kwargs))
        return super().__new__(cls)

    def __init__(
        self,
        arg1,
        shape=None,
        dtype=None,
        copy=False,
        *,
        grid_shape,
        n_atoms=None,
        image_shape=None,
        thumbnails=None,
        **kwargs,
    ):
        super().__init__(arg1, shape=shape, dtype=dtype, copy=copy, **kwargs)
        self.grid_shape = _check_grid_shape(grid_shape)
        self.n_atoms = _check_n_atoms(self.shape[1], self.grid_shape, n_atoms)
        self.image_shape = _check_image_shape(image_shape)
        self.thumbnails = _check_thumbnails(thumbnails, self.shape[0], self.grid_shape)

    def __getnewargs_ex__(self):
        """Let pickle rebuild the class rather than a plain array."""
        return (), {"grid_shape": self.grid_shape}

    @classmethod
    def from_sites(
        cls,
        values,
        atoms,
        counts,
        *,
        grid_shape,
        n_atoms,
        image_shape=None,
        thumbnails=None,
    ):
        """Assemble codes from the non-zeros of each site, never through a dense array.

        Parameters
        ----------
        values : array-like of shape (nnz,)
            Non-zero values, site by site in reading order. A ``float32`` array becomes
            the data of the result without a copy; explicit zeros are dropped.
        atoms : array-like of int of shape (nnz,)
            Atom of each value, in ``[0, n_atoms)``, at most once per site.
        counts : array-like of int of shape (n_images * h * w,)
            Number of values of each site.
        grid_shape : tuple of int (h, w)
            Sites per column and per row of an image.
        n_atoms : int
            Atoms per site.
        image_shape, thumbnails
            See :class:`SparseCodes`.

        Returns
        -------
        codes : SparseCodes of shape (n_images, h * w * n_atoms)
            ``float32``, canonical, with ``int32`` indices whenever they fit.

        Raises
        ------
        ValueError
            If the counts do not fill whole images or do not add up to the number of
            values, an atom is out of range, or an atom appears twice in a site.

        Examples
        --------
        >>> from sklearn_sparsevae.codes import SparseCodes
        >>> codes = SparseCodes.from_sites(
        ...     [1.0, 2.0, 3.0], [0, 2, 1], [2, 1], grid_shape=(1, 2), n_atoms=3
        ... )
        >>> codes.toarray()
        array([[1., 0., 2., 0., 3., 0.]], dtype=float32)
        """
        grid_shape = _check_grid_shape(grid_shape)
        values = np.asarray(values, dtype=np.float32)
        atoms, counts = _as_integers(atoms, "atoms"), _as_integers(counts, "counts")
        _check_parts(values, atoms, counts, math.prod(grid_shape), n_atoms)
        counts = counts.reshape(-1, math.prod(grid_shape))
        shape = (len(counts), counts.shape[1] * n_atoms)
        codes = cls(
            (values, _columns(atoms, counts, n_atoms), _row_pointer(counts, shape)),
            shape=shape,
            grid_shape=grid_shape,
            n_atoms=n_atoms,
            image_shape=image_shape,
            thumbnails=thumbnails,
        )
        return _canonical(codes)

    def sites(self):
        """Codes per site: one row per site of every image, one column per atom.

        Returns
        -------
        sites : csr_array of shape (n_images * h * w, n_atoms)
            Shares its data with the codes; only the indices are computed anew.
        """
        codes = self if self.has_canonical_format else _canonical(self.copy())
        n_sites = math.prod(self.grid_shape)
        counts = np.empty((self.shape[0], n_sites), dtype=np.int64)
        for i, (start, stop) in enumerate(zip(codes.indptr[:-1], codes.indptr[1:])):
            site = codes.indices[start:stop] // self.n_atoms
            counts[i] = np.bincount(site, minlength=n_sites)
        shape = (counts.size, self.n_atoms)
        indptr = _row_pointer(counts.reshape(-1, 1), shape, codes.nnz)
        indices = np.remainder(
            codes.indices,
            self.n_atoms,
            out=np.empty(codes.nnz, dtype=indptr.dtype),
            casting="same_kind",
        )
        return sparse.csr_array((codes.data, indices, indptr), shape=shape)

    @property
    def site_colors(self):
        """Mean colour of every site, (n_images, h, w, C) in [0, 1], or None."""
        if self.thumbnails is None:
            return None
        (h, w), (n, height, width, n_channels) = self.grid_shape, self.thumbnails.shape
        blocks = (n, h, height // h, w, width // w, n_channels)
        return self.thumbnails.reshape(blocks).mean((2, 4), dtype=np.float32) / 255

    def copy(self):
        """Return codes with their own data and the same grid."""
        return self._with_grid(self._plain().copy())

    def astype(self, dtype, casting="unsafe", copy=True):
        """Return codes of another floating type with the same grid."""
        return self._with_grid(self._plain().astype(dtype, casting=casting, copy=copy))

    def __getitem__(self, key):
        """Select; a selection of whole rows keeps the grid."""
        selected = self._plain()[key]
        rows = _row_key(key)
        if rows is None or getattr(selected, "ndim", 0) != 2:
            return selected
        photos = self.thumbnails
        return self._with_grid(selected, None if photos is None else photos[rows])

    def _plain(self):
        """Return the same numbers as an array without a grid, sharing the data."""
        arrays = (self.data, self.indices, self.indptr)
        return sparse.csr_array(arrays, shape=self.shape)

    def _with_grid(self, matrix, thumbnails=...):
        """Give a matrix of whole rows this grid."""
        photos = self.thumbnails if thumbnails is ... else thumbnails
        return SparseCodes(
            matrix,
            grid_shape=self.grid_shape,
            n_atoms=self.n_atoms,
            image_shape=self.image_shape,
            thumbnails=photos,
        )


def as_codes(X, grid_shape=None, n_atoms=None, *, image_shape=None):
    """Take codes in any form and return them as :class:`SparseCodes`.

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
        If ``X`` is not 2-D and finite, has no grid, or its columns do not fill it.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_sparsevae.codes import as_codes
    >>> as_codes(np.ones((2, 12)), grid_shape=(2, 3)).n_atoms
    2
    """
    own_grid = getattr(X, "grid_shape", None)
    if own_grid is None and grid_shape is None:
        shape = getattr(X, "shape", ())
        raise ValueError(
            f"Got a plain matrix of shape {tuple(shape)}, which does not say how its "
            "columns are laid out in sites; expected SparseCodes as transform returns "
            "them. Pass grid_shape=(h, w), the number of sites per column and per row."
        )
    if own_grid is not None and grid_shape is not None:
        _check_same_grid(own_grid, _check_grid_shape(grid_shape))
    codes = check_array(
        X, accept_sparse="csr", dtype=np.float32, ensure_min_samples=0, input_name="X"
    )
    if not isinstance(codes, SparseCodes):
        codes = SparseCodes(
            codes,
            grid_shape=own_grid or grid_shape,
            n_atoms=n_atoms,
            image_shape=getattr(X, "image_shape", None) or image_shape,
            thumbnails=getattr(X, "thumbnails", None),
        )
    _check_n_atoms(codes.shape[1], codes.grid_shape, n_atoms)
    if codes.image_shape is None and image_shape is not None:
        codes = codes[:]
        codes.image_shape = _check_image_shape(image_shape)
    return codes if codes.has_canonical_format else _canonical(codes.copy())


def quantize_codes(codes, coef_bits):
    """Round coefficients to what ``coef_bits`` bits can say, as stored codes would be.

    A uniform mid-tread quantiser: ``2**coef_bits - 1`` levels, symmetric around zero
    and one step apart. One step serves all atoms, because atoms have unit norm: the
    error of a coefficient is then the error of the latents, whichever atom it weighs.
    The step is the one that leaves the smallest squared error on *these* codes, with
    larger magnitudes clipped to the largest level: few levels are not spent on a few
    outliers. Quantise a set at once if its images are to share a step.

    Codes that are counts, as vector quantisation gives them (positive integers that add
    up to the same number at every site), have no coefficients and stay as they are.

    Parameters
    ----------
    codes : SparseCodes of shape (n_images, h * w * n_atoms)
        Codes to store.
    coef_bits : int
        Bits of a coefficient, from 2 to 16.

    Returns
    -------
    codes : SparseCodes
        The same grid; coefficients at most half a step from the given ones, or at the
        largest level. Those that round to zero are gone.

    Raises
    ------
    ValueError
        If ``codes`` has no grid or is not finite, or ``coef_bits`` is out of range.

    Examples
    --------
    >>> from sklearn_sparsevae.codes import SparseCodes, quantize_codes
    >>> codes = SparseCodes([[1.0, 0.4, -3.0, 0.0]], grid_shape=(1, 2))
    >>> quantize_codes(codes, 3).toarray()
    array([[ 1.,  0., -3.,  0.]], dtype=float32)
    """
    if coef_bits not in range(2, 17):
        raise ValueError(
            f"Got coef_bits={coef_bits!r}; expected an integer from 2, which leaves "
            "the levels -1, 0 and 1, to 16."
        )
    codes = as_codes(codes)
    if are_counts(codes):
        return codes
    values = codes.data.astype(np.float64)
    largest = 2 ** (coef_bits - 1) - 1
    # From no clipping to clipping at a 32nd of the largest magnitude.
    steps = np.abs(values).max() / largest * 2.0 ** -np.arange(0, 5.01, 0.25)
    errors = [np.square(_round(values, s, largest) - values).sum() for s in steps]
    quantized = codes.copy()
    rounded = _round(values, steps[np.argmin(errors)], largest)
    quantized.data = rounded.astype(np.float32)
    return _canonical(quantized)


def _round(values, step, largest):
    """Nearest of the multiples of ``step`` up to ``largest``."""
    return np.clip(np.rint(values / step), -largest, largest) * step


def are_counts(codes):
    """Whether codes count atoms rather than weigh them.

    So the codes of vector quantisation do: positive integers, which add up to the same
    number of levels at every site. Codes without a non-zero count nothing.
    """
    if codes.nnz == 0:
        return True
    if (codes.data < 0).any() or (codes.data % 1).any():
        return False
    return bool(np.ptp(codes.sites().sum(axis=1, dtype=np.float64)) == 0)


def _without_metadata(kwargs):
    """Drop what only codes with a grid have."""
    own = ("n_atoms", "image_shape", "thumbnails")
    return {name: value for name, value in kwargs.items() if name not in own}


def _row_key(key):
    """Return the row part of a key that keeps all columns, else None."""
    if not isinstance(key, tuple):
        return None if key is None or key is Ellipsis else key
    every = len(key) == 2 and (
        key[1] is Ellipsis or (isinstance(key[1], slice) and key[1] == slice(None))
    )
    return key[0] if every or len(key) == 1 else None


def _columns(atoms, counts, n_atoms):
    """Column of every value: its site times n_atoms, plus its atom."""
    n_images, n_sites = counts.shape
    dtype = _index_dtype(n_sites * n_atoms, len(atoms))
    first = np.arange(n_sites, dtype=dtype) * dtype(n_atoms)
    columns = np.empty(len(atoms), dtype=dtype)
    start = 0
    for row in counts:  # one image at a time keeps the temporaries small
        stop = start + int(row.sum())
        columns[start:stop] = np.repeat(first, row)
        start = stop
    return np.add(columns, atoms, out=columns, casting="same_kind")


def _row_pointer(counts, shape, nnz=None):
    """CSR row pointer of rows that hold ``counts.sum(axis=1)`` values."""
    nnz = int(counts.sum()) if nnz is None else nnz
    pointer = np.zeros(len(counts) + 1, dtype=_index_dtype(shape[1], nnz))
    np.cumsum(counts.sum(axis=1), out=pointer[1:])
    return pointer


def _index_dtype(*largest):
    """Smallest index type that scikit-learn accepts, if the numbers fit."""
    return np.int32 if max(largest) <= _MAX_INT32 else np.int64


def _canonical(codes):
    """Sort and drop explicit zeros without touching arrays that the caller holds."""
    if not codes.has_sorted_indices:
        codes.data = codes.data.copy()
        codes.sort_indices()
    if not codes.has_canonical_format:
        raise ValueError(
            "Got an atom more than once in one site; expected every atom at most once "
            "per site. Add up the values of repeated atoms first."
        )
    if np.count_nonzero(codes.data) < codes.nnz:
        codes.data = codes.data.copy()
        codes.eliminate_zeros()
    return codes


def _as_integers(values, name):
    values = np.asarray(values)
    if values.size and values.dtype.kind not in "iu":
        raise ValueError(
            f"Got {name} of type {values.dtype}; expected integers. Convert them with "
            ".astype(np.int64)."
        )
    return values.astype(np.int64) if not values.size else values


def _check_parts(values, atoms, counts, n_sites, n_atoms):
    """Check that the parts of ``from_sites`` fit together."""
    if counts.size % n_sites:
        raise ValueError(
            f"Got counts of {counts.size} sites; expected a multiple of {n_sites}, the "
            "sites of one image. Check grid_shape."
        )
    if counts.size and counts.min() < 0:
        raise ValueError("Got a negative count; expected the non-zeros of each site.")
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


def _check_grid_shape(grid_shape):
    try:
        height, width = (int(size) for size in grid_shape)
    except (TypeError, ValueError):
        height = width = 0
    if height < 1 or width < 1:
        raise ValueError(
            f"Got grid_shape={grid_shape!r}; expected two positive integers (h, w), "
            "the number of sites per column and per row of an image."
        )
    return height, width


def _check_n_atoms(n_columns, grid_shape, n_atoms):
    n_sites = math.prod(grid_shape)
    found, rest = divmod(n_columns, n_sites)
    if rest or found == 0 or (n_atoms is not None and found != n_atoms):
        atoms = "n_atoms" if n_atoms is None else n_atoms
        raise ValueError(
            f"Got codes with {n_columns} columns; expected {grid_shape[0]} * "
            f"{grid_shape[1]} * {atoms} for grid_shape={grid_shape}. Pass the "
            "grid_shape and the model that the codes were made with."
        )
    return found


def _check_image_shape(image_shape):
    if image_shape is None:
        return None
    shape = tuple(int(size) for size in image_shape)
    if len(shape) not in (2, 3) or min(shape) < 1:
        raise ValueError(
            f"Got image_shape={image_shape!r}; expected (H, W, C) or (H, W)."
        )
    return shape


def _check_thumbnails(photos, n_images, grid_shape):
    if photos is None:
        return None
    photos = np.asarray(photos)
    (h, w), m = grid_shape, photos.shape[1] // grid_shape[0] if photos.ndim > 1 else 0
    if photos.ndim != 4 or photos.shape[:3] != (n_images, m * h, m * w):
        raise ValueError(
            f"Got thumbnails of shape {photos.shape}; expected ({n_images}, m * {h}, "
            f"m * {w}, channels) with a whole number m: the pixels of every site of "
            "every image."
        )
    if photos.dtype == np.uint8:
        return photos
    return np.round(255 * np.clip(photos, 0, 1)).astype(np.uint8)


def _check_same_grid(own, given):
    if own != given:
        raise ValueError(
            f"Got codes of a {own[0]} by {own[1]} grid; expected {given[0]} by "
            f"{given[1]}. Leave grid_shape out: the codes know their own."
        )
