"""New images from codes of given ones: between two of them, along components."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.utils.validation import check_is_fitted

from sklearn_sparsevae._arguments import as_ndarray, naming, whole_number
from sklearn_sparsevae._typing import Images
from sklearn_sparsevae.codes import SparseCodes


class GenerationMixin:
    """Interpolation and traversal for what codes images and decodes them.

    With ``transform`` and ``inverse_transform``, to sparse codes or dense ones. Images
    are coded once; their codes are changed and decoded one image at a time, so that
    beside the images that come out little else is held.
    """

    def interpolate(
        self, A: Images, B: Images, n_steps: int = 8
    ) -> NDArray[np.float32]:
        """Images on the way from one to another, along a line between their codes.

        SC-VAE's Figure 6. Sparse codes stay sparse: those between have at most the
        non-zeros of both ends. Codes that count the vectors of a codebook become
        mixtures of these vectors.

        Parameters
        ----------
        A, B : array-like
            Images to start from and to end at, equally many, as in `transform`.
        n_steps : int, default=8
            Images of each way, two at least: the first and the last are the
            reconstructions of both ends.

        Returns
        -------
        images : ndarray of shape (n, n_steps, ...)
            Each image in the layout of the input, float32.

        Raises
        ------
        ValueError
            If ``A`` and ``B`` have different shapes, or ``n_steps`` is below two.

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from sklearn_sparsevae import DictionaryLearningVAE
        >>> images = load_digits().images[:100] / 16
        >>> model = DictionaryLearningVAE(16, n_downsamples=2, max_epochs=1)
        >>> model.fit(images).interpolate(images[:3], images[3:6], n_steps=5).shape
        (3, 5, 8, 8)
        """
        check_is_fitted(self)
        n_steps = whole_number(n_steps, "n_steps", least=2)
        A = _of_one_size(self._open(A, "A"), "A")
        B = _of_one_size(self._open(B, "B"), "B")
        starts, ends = self._codes_of(A), self._codes_of(B)
        if _shapes(starts) != _shapes(ends):
            raise ValueError(
                f"Got A with codes of shape {starts.shape} and B with codes of shape "
                f"{ends.shape}; expected as many images, of the same size, in both. "
                "Repeat a single one with np.repeat(image[None], n, axis=0)."
            )
        weights = np.linspace(0, 1, n_steps, dtype=np.float32)[:, None]
        return np.stack(
            [
                self._decode_for(_line(*way, weights), A, i)
                for i, way in enumerate(zip(_rows(starts), _rows(ends), strict=True))
            ]
        )

    def traverse(
        self,
        X: Images,
        components: Sequence[int] | NDArray[np.integer],
        values: Sequence[float] | NDArray[Any],
        sites: Sequence[tuple[int, int]] | None = None,
    ) -> NDArray[np.float32]:
        """Images with one component of the code set to one value after another.

        SC-VAE's Figure 5: what a component stands for shows in what changes.

        Parameters
        ----------
        X : array-like
            Images, as in `transform`.
        components : array-like of int
            Atoms of a sparse code, at each of its sites; columns of a dense one.
        values : array-like of float
            What each component is set to, in turn.
        sites : list of tuple (row, column), default=None
            Sites of a sparse code at which it is; None stands for all.

        Returns
        -------
        images : ndarray of shape (n, n_components, n_values, ...)
            Each image in the layout of the input, float32.

        Raises
        ------
        ValueError
            If a component or a site is not there, or there are no components or values.

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from sklearn_sparsevae import DictionaryLearningVAE
        >>> images = load_digits().images[:100] / 16
        >>> model = DictionaryLearningVAE(16, n_downsamples=2, max_epochs=1)
        >>> model.fit(images).traverse(images[:3], [0, 7], [-1, 0, 1, 2]).shape
        (3, 2, 4, 8, 8)
        """
        check_is_fitted(self)
        photos = _of_one_size(self._open(X), "X")
        codes = self._codes_of(photos)
        with naming("components"):
            components = list(components)
        columns = [_columns_of(codes, component, sites) for component in components]
        values = _finite_row(values)
        if not columns or len(values) == 0:
            raise ValueError(
                f"Got {len(columns)} components and {len(values)} values; expected at "
                "least one of each."
            )
        images = np.stack(
            [
                self._decode_for(_with_values(code, chosen, values), photos, i)
                for i, code in enumerate(_rows(codes))
                for chosen in columns
            ]
        )
        return images.reshape(codes.shape[0], len(columns), *images.shape[1:])

    def _decode_for(self, codes, photos, i):
        """Decode a few codes, under the condition of the i-th photo if it has one."""
        condition = photos.condition
        if condition is not None:
            condition = np.repeat(condition[[i]], codes.shape[0], axis=0)
        return self._decode_rows(codes, condition)


def _finite_row(values):
    """Return what components are set to as float32."""
    values = as_ndarray(values, "values")
    if values.ndim == 1 and values.dtype.kind in "iuf":
        with np.errstate(over="ignore"):
            row = values.astype(np.float32)
        if np.isfinite(row).all():
            return row
    raise ValueError(
        f"Got values of shape {values.shape} and type {values.dtype}; expected a list "
        "of numbers that are finite as float32."
    )


def _of_one_size(photos, name):
    if not photos.is_one_size:
        raise ValueError(
            f"{name} holds photos of different sizes; expected images of one size, "
            "whose codes have as many sites. Crop or resize them, or give them one by "
            "one."
        )
    return photos


def _rows(codes):
    """Codes of one image after another, each a row of two dimensions."""
    return (codes[i : i + 1] for i in range(codes.shape[0]))


def _shapes(codes):
    """All that codes must share to be mixed."""
    known = (getattr(codes, name, None) for name in ("grid_shape", "image_shape"))
    return codes.shape, *known


def _line(start, end, weights):
    """Codes between two of one row each, a row for each weight of the second."""
    if not sparse.issparse(start):
        return (1 - weights) * start + weights * end
    mixed = sparse.csr_array(1 - weights) @ start + sparse.csr_array(weights) @ end
    return _like(start, mixed)


def _with_values(code, columns, values):
    """Repeat one row, with all the columns set to one of the values in each."""
    if not sparse.issparse(code):
        rows = np.repeat(code, len(values), axis=0)
        rows[:, columns] = values[:, None]
        return rows
    rest = code.copy()
    rest.data[np.isin(rest.indices, columns)] = 0
    chosen = sparse.csr_array(
        (np.ones(len(columns), np.float32), columns, [0, len(columns)]), rest.shape
    )
    ones = sparse.csr_array(np.ones((len(values), 1), np.float32))
    return _like(code, ones @ rest + sparse.csr_array(values[:, None]) @ chosen)


def _like(codes, matrix):
    """Give codes computed from others their grid; zeros are dropped."""
    matrix.eliminate_zeros()
    matrix.sort_indices()
    return SparseCodes(
        matrix,
        grid_shape=codes.grid_shape,
        n_atoms=codes.n_atoms,
        image_shape=codes.image_shape,
        n_mean_atoms=codes.n_mean_atoms,
    )


def _columns_of(codes, component, sites):
    """Columns of a component at the sites."""
    n_components = getattr(codes, "n_atoms", codes.shape[1])
    if component not in range(n_components):
        raise ValueError(
            f"Got component {component!r}; expected an integer from 0 to "
            f"{n_components - 1}, one of the {n_components} of the codes."
        )
    if sites is None:
        return np.arange(int(component), codes.shape[1], n_components)
    if not sparse.issparse(codes):
        raise ValueError(
            "Got sites for dense codes, which do not say what grid they are of: leave "
            "sites at None."
        )
    grid = np.arange(math.prod(codes.grid_shape)).reshape(codes.grid_shape)
    return _sites_of(grid, sites) * n_components + int(component)


def _sites_of(grid, sites):
    """Numbers of sites, each once."""
    h, w = grid.shape
    with naming("sites"):
        sites = [tuple(site) for site in sites]
    for site in sites:
        if len(site) != 2 or not (site[0] in range(h) and site[1] in range(w)):
            raise ValueError(
                f"Got site {site}; expected (row, column) on the grid of {h} by {w} "
                f"sites, from (0, 0) to {(h - 1, w - 1)}."
            )
    if not sites:
        raise ValueError("Got no sites; expected at least one, or None for all.")
    return np.unique([grid[int(row), int(column)] for row, column in sites])
