"""The array itself: what keeps its grid, and what does not.

Longer than other modules: SciPy's methods are answered one by one, and the docstrings
of the public class say what codes carry along.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any, Literal, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from sklearn_sparsevae._typing import Grid
from sklearn_sparsevae.codes import _storage
from sklearn_sparsevae.codes._checks import (
    atoms_per_site,
    check_grid_shape,
    check_image_shape,
    check_n_atoms,
    check_n_mean_atoms,
    check_numbers,
    check_parts,
    check_pointers,
    check_thumbnails,
)
from sklearn_sparsevae.codes._html import as_html, size_of
from sklearn_sparsevae.codes._layout import assemble, canonical, narrow, split_sites
from sklearn_sparsevae.codes._pooling import SIGNS, pooled
from sklearn_sparsevae.codes._selection import is_scale, row_key


class SparseCodes(sparse.csr_array):
    """Sparse codes of images, one row per image, columns site-major.

    The grid, the number of mean atoms, the image shape and the thumbnails stay with the
    codes through selection of rows, scaling by a finite number, negation, ``abs``,
    ``copy``, ``astype`` and pickling. A row is an image: ``codes[0]``, and each item of
    a loop over codes, are codes of one image. Whatever else changes rows, columns or
    values (selection of columns, transposition, sums, products, reshaping,
    :func:`scipy.sparse.vstack`) gives a plain :class:`scipy.sparse.csr_array` (or
    ``csc_array``), which carries no grid that could be wrong; :func:`concatenate_codes`
    joins codes with their grid.

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
        Shape of each image that decoding the codes has to return. Sites are squares of
        up to 64 pixels a side, or of a larger power of two; the last ones of a row or
        column may reach beyond the image.
    thumbnails : ndarray of shape (n_images, m * h, m * w, C), optional
        The images on a coarser grid of pixels, m by m of them to a site, for what looks
        at colours: ``uint8``, or floats in [0, 1] that become ``uint8``.
    n_mean_atoms : int, default=0
        Leading atoms of every site that code channel means: they are always on, so
        that :func:`~sklearn_sparsevae.metrics.atom_usage` leaves them out.

    Attributes
    ----------
    grid_shape, n_atoms, image_shape, thumbnails, n_mean_atoms
        As given.
    site_colors : ndarray of shape (n_images, h, w, C) or None
        Mean colour of every site, in [0, 1], from the thumbnails.

    Raises
    ------
    ValueError
        If ``arg1`` is not 2-D and real, or a column index or row pointer is out of
        range; if the columns are not ``h * w * n_atoms``, square sites do not cut
        ``image_shape`` into the grid, or ``thumbnails`` are not in [0, 1] or do not
        hold whole sites of every image; if ``n_mean_atoms`` is not in [0, n_atoms).

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_sparsevae.codes import SparseCodes
    >>> codes = SparseCodes(np.eye(3, 8, dtype=np.float32), grid_shape=(2, 2))
    >>> codes.n_atoms, codes[1:].grid_shape, codes.sites().shape
    (2, (2, 2), (12, 2))
    >>> 2 * codes[0]
    SparseCodes(n_images=1, grid_shape=(2, 2), n_atoms=2, nonzeros_per_site=0.25,
        dtype=float32, memory='16 B')
    >>> type(codes[:, :4]).__name__
    'csr_array'
    """

    def __new__(cls, *args: Any, grid_shape: Grid | None = None, **kwargs: Any) -> Any:
        """Build codes, or a plain array where SciPy's own methods give no grid."""
        if grid_shape is not None:
            return super().__new__(cls)
        own = {"n_atoms", "image_shape", "thumbnails", "n_mean_atoms"} & set(kwargs)
        if own:
            raise TypeError(
                f"Got {', '.join(sorted(own))} without grid_shape; expected "
                "grid_shape=(h, w), the number of sites per column and per row."
            )
        return sparse.csr_array(*args, **kwargs)

    def __init__(
        self,
        arg1: Any,
        shape: Any = None,
        dtype: Any = None,
        copy: bool = False,
        *,
        grid_shape: Grid,
        n_atoms: int | None = None,
        image_shape: Sequence[int] | None = None,
        thumbnails: NDArray[Any] | None = None,
        n_mean_atoms: int = 0,
        **kwargs: Any,
    ) -> None:
        grid_shape = check_grid_shape(grid_shape)
        arg1 = check_parts(arg1, shape)
        try:
            super().__init__(arg1, shape=shape, dtype=dtype, copy=copy, **kwargs)
        except (TypeError, ValueError, LookupError) as error:
            wrong = f"no CSR array with shape={shape} and dtype={dtype}: {error}."
            raise ValueError(f"Got codes that are {wrong}") from error
        check_numbers(self, "codes")
        check_pointers(self)
        narrow(self)
        self.grid_shape = grid_shape
        self.n_atoms = atoms_per_site(self.shape[1], grid_shape, n_atoms)
        self.n_mean_atoms = check_n_mean_atoms(n_mean_atoms, self.n_atoms)
        self.image_shape = check_image_shape(image_shape, grid_shape)
        self.thumbnails = check_thumbnails(thumbnails, self.shape[0], grid_shape)

    @classmethod
    def _trusted(
        cls,
        matrix,
        grid_shape,
        n_atoms,
        image_shape=None,
        thumbnails=None,
        n_mean_atoms=0,
    ):
        """Give a sparse matrix a grid that is known to be right, without checks."""
        codes = cls.__new__(cls, grid_shape=grid_shape)
        sparse.csr_array.__init__(codes, matrix)
        codes.grid_shape, codes.n_atoms = grid_shape, n_atoms
        codes.n_mean_atoms = n_mean_atoms
        codes.image_shape, codes.thumbnails = image_shape, thumbnails
        return codes

    def __getnewargs_ex__(self):
        """Let pickle rebuild the class rather than a plain array."""
        return (), {"grid_shape": self.grid_shape}

    @classmethod
    def from_sites(
        cls,
        values: ArrayLike,
        atoms: ArrayLike,
        counts: ArrayLike,
        *,
        grid_shape: Grid,
        n_atoms: int,
        image_shape: Sequence[int] | None = None,
        thumbnails: NDArray[Any] | None = None,
        n_mean_atoms: int = 0,
    ) -> SparseCodes:
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
        image_shape, thumbnails, n_mean_atoms
            See :class:`SparseCodes`.

        Returns
        -------
        codes : SparseCodes of shape (n_images, h * w * n_atoms)
            ``float32``, canonical, with ``int32`` indices whenever they fit.

        Raises
        ------
        ValueError
            If the counts do not fill whole images or do not add up to the number of
            values, a value is not finite, an atom is no integer or out of range, or an
            atom appears twice in a site. Otherwise as :class:`SparseCodes`.

        Examples
        --------
        >>> from sklearn_sparsevae.codes import SparseCodes
        >>> codes = SparseCodes.from_sites(
        ...     [1.0, 2.0, 3.0], [0, 2, 1], [2, 1], grid_shape=(1, 2), n_atoms=3
        ... )
        >>> codes.toarray()
        array([[1., 0., 2., 0., 3., 0.]], dtype=float32)
        """
        grid_shape = check_grid_shape(grid_shape)
        n_atoms = check_n_atoms(n_atoms)
        matrix = assemble(values, atoms, counts, math.prod(grid_shape), n_atoms)
        codes = cls._trusted(
            matrix,
            grid_shape,
            n_atoms,
            check_image_shape(image_shape, grid_shape),
            check_thumbnails(thumbnails, matrix.shape[0], grid_shape),
            check_n_mean_atoms(n_mean_atoms, n_atoms),
        )
        return canonical(codes)

    def sites(self) -> SparseCodes:
        """Codes per site: one row per site of every image, one column per atom.

        Returns
        -------
        sites : SparseCodes of shape (n_images * h * w, n_atoms)
            On a grid of one site; shares its data with the codes. Segmenters take it
            for images of one site: ``scipy.sparse.csr_array(sites)`` is one scene.
        """
        check_pointers(self)
        codes = self if self.has_canonical_format else canonical(self.copy())
        n_sites, matrix = math.prod(self.grid_shape), codes._plain()
        if n_sites > 1:
            matrix = split_sites(codes, n_sites, self.n_atoms)
        return self._trusted(
            matrix, (1, 1), self.n_atoms, n_mean_atoms=self.n_mean_atoms
        )

    def pool(
        self,
        grid_shape: Grid = (2, 2),
        *,
        signs: Literal["apart", "ignored"] = "apart",
    ) -> SparseCodes:
        """Average how much each atom is used over the sites of a region.

        What classifiers take: a thing that moves by a site uses the same columns, and
        codes of images of different sizes have equally many.

        Parameters
        ----------
        grid_shape : tuple of int (h, w), default=(2, 2)
            Regions per column and per row of an image; (1, 1) keeps nothing of where
            things are.
        signs : {"apart", "ignored"}, default="apart"
            An atom and its negative look unlike, so that means of positive and of
            negative values stand apart, in columns ``2 * k`` and ``2 * k + 1`` of a
            region for atom ``k``; or mean magnitudes.

        Returns
        -------
        codes : SparseCodes of shape (n_images, h * w * n_atoms * (1 or 2))
            One site for each region, with values of 0 or more. Not codes that can be
            decoded: ``image_shape`` and ``thumbnails`` are None.

        Raises
        ------
        ValueError
            If there are more regions than sites along an axis, or ``signs`` is not one
            of the two.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn_sparsevae.codes import SparseCodes
        >>> codes = SparseCodes([[1.0, 3.0, 0.0, -4.0]], grid_shape=(1, 4))
        >>> codes.pool((1, 2)).toarray().tolist()
        [[2.0, 0.0, 0.0, 2.0]]
        >>> codes.pool((1, 1), signs="ignored").toarray().tolist()
        [[2.0]]
        """
        grid_shape = check_grid_shape(grid_shape)
        if not (isinstance(signs, str) and signs in SIGNS):
            raise ValueError(f"Got signs={signs!r}; expected 'apart' or 'ignored'.")
        check_pointers(self)
        matrix, n_atoms = pooled(self, grid_shape, signs)
        n_mean_atoms = self.n_mean_atoms * n_atoms // self.n_atoms
        narrow(matrix)
        codes = self._trusted(matrix, grid_shape, n_atoms, n_mean_atoms=n_mean_atoms)
        return canonical(codes)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the codes, with all that they know, to a file that runs nothing.

        Parameters
        ----------
        path : str or path-like
            Its folder must exist. See :func:`save_codes`, which takes lists as well.
        """
        _storage.write([self], path, is_list=False)

    @classmethod
    def load(cls, path: str | os.PathLike[str], mmap: bool = False) -> SparseCodes:
        """Read codes that `save` wrote.

        Parameters
        ----------
        path : str or path-like
            The file.
        mmap : bool, default=False
            Leave the numbers in the file, see :func:`load_codes`.

        Returns
        -------
        codes : SparseCodes
            Equal to what was saved, to the bit.

        Raises
        ------
        ValueError
            If the file is none of codes or holds a list of them, comes from a newer
            version, or is damaged.
        """
        codes = _storage.read(path, mmap, SparseCodes)
        if isinstance(codes, list):
            raise ValueError(
                f"{path} holds a list of codes of {len(codes)} items; expected codes "
                "of images of one size. Read it with load_codes."
            )
        return codes

    @property
    def site_colors(self) -> NDArray[np.floating] | None:
        """Mean colour of every site, (n_images, h, w, C) in [0, 1], or None."""
        if self.thumbnails is None:
            return None
        (h, w), (n, height, width, n_channels) = self.grid_shape, self.thumbnails.shape
        blocks = (n, h, height // h, w, width // w, n_channels)
        return self.thumbnails.reshape(blocks).mean((2, 4), dtype=np.float32) / 255

    def __repr__(self):
        known = {"n_images": self.shape[0], "grid_shape": self.grid_shape}
        known["n_atoms"] = self.n_atoms
        if self.n_mean_atoms:
            known["n_mean_atoms"] = self.n_mean_atoms
        if self.image_shape is not None:
            known["image_shape"] = self.image_shape
        n_sites = self.shape[0] * math.prod(self.grid_shape)
        known["nonzeros_per_site"] = f"{self.nnz / max(1, n_sites):.4g}"
        known |= {"dtype": self.dtype, "memory": f"'{size_of(self)}'"}
        return f"SparseCodes({', '.join(f'{k}={v}' for k, v in known.items())})"

    __str__ = __repr__

    def _repr_html_(self) -> str:
        """Return what a notebook shows: a table, and maps of the first few images."""
        return as_html(self)

    def copy(self) -> SparseCodes:
        """Return codes with their own data and the same grid."""
        return self._with_grid(self._plain().copy())

    def astype(
        self, dtype: Any, casting: str = "unsafe", copy: bool = True
    ) -> SparseCodes:
        """Return codes of another real type with the same grid."""
        matrix = self._plain().astype(dtype, casting=casting, copy=copy)
        return self._with_grid(matrix) if matrix.dtype.kind in "biuf" else matrix

    def resize(self, *shape: int) -> NoReturn:
        """Refuse to change the shape in place, which the grid would not survive."""
        raise ValueError(
            f"Got resize to {shape} for codes of a {self.grid_shape} grid; expected "
            "them to keep their columns. Select rows, or resize a plain array: "
            "scipy.sparse.csr_array(codes)."
        )

    def multiply(self, other: Any) -> Any:
        """Multiply element by element; a finite number keeps the grid."""
        product = self._plain().multiply(other)
        return self._with_grid(product) if is_scale(other) else product

    def __truediv__(self, other):
        if not is_scale(other) or other == 0:
            return self._plain() / other
        quotient = self._plain()
        quotient.data = quotient.data / other
        return self._with_grid(quotient)

    def __imul__(self, other):
        return super().__imul__(other) if is_scale(other) else NotImplemented

    def __itruediv__(self, other):
        if is_scale(other) and other != 0:
            return super().__itruediv__(other)
        return NotImplemented

    def __neg__(self):
        return self._with_grid(-self._plain())

    def __abs__(self):
        return self._with_grid(abs(self._plain()))

    def __iter__(self):
        return (self[i : i + 1] for i in range(self.shape[0]))

    def __getitem__(self, key):
        """Select; a selection of whole rows keeps the grid."""
        rows = row_key(key, self.shape[0])
        if rows is None:
            return self._plain()[key]
        photos = self.thumbnails
        photos = None if photos is None else photos[rows]
        return self._with_grid(self._plain()[rows], photos)

    def _plain(self):
        """Return the same numbers as an array without a grid, sharing the data."""
        return sparse.csr_array(self)

    def _with_grid(self, matrix, thumbnails=...):
        """Give a matrix of whole rows this grid."""
        photos = self.thumbnails if thumbnails is ... else thumbnails
        return self._trusted(
            matrix,
            self.grid_shape,
            self.n_atoms,
            self.image_shape,
            photos,
            self.n_mean_atoms,
        )
