"""The images that an atom answers to most."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sklearn_sparsevae._arguments import whole_number
from sklearn_sparsevae._typing import Codes
from sklearn_sparsevae.metrics._codes import as_sites
from sklearn_sparsevae.plotting._common import as_images, axes_grid, show_image

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class TopImagesDisplay:
    """What atoms mean: a row of images for each, those in whose codes it is largest.

    Parameters
    ----------
    images : list of ndarray
        All images that are drawn from.
    atoms : ndarray of int of shape (n_atoms,)
        The atoms.
    indices : list of ndarray of int
        For each atom the images that have it, the largest value first.
    values : list of ndarray
        The atom's values there.

    Attributes
    ----------
    axes_ : ndarray of Axes
        A row for each atom.
    figure_ : Figure
        Their figure.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_sparsevae.plotting import TopImagesDisplay
    >>> images = np.linspace(0, 1, 3)[:, None, None] * np.ones((4, 4))
    >>> codes = [[1.0, 0.0], [0.0, 2.0], [3.0, 0.0]]
    >>> display = TopImagesDisplay.from_codes(codes, images, atoms=[0], n_images=2)
    >>> display.indices
    [array([2, 0])]
    """

    def __init__(
        self,
        images: Sequence[NDArray[Any]],
        atoms: NDArray[np.integer],
        indices: Sequence[NDArray[np.integer]],
        values: Sequence[NDArray[np.floating]],
    ) -> None:
        self.images, self.atoms = as_images(images), np.asarray(atoms)
        self.indices, self.values = indices, values

    @classmethod
    def from_codes(
        cls,
        codes: Codes,
        images: ArrayLike | Sequence[NDArray[Any]],
        *,
        atoms: Sequence[int] | None = None,
        n_images: int = 8,
        n_atoms: int | None = None,
        ax: ArrayLike | None = None,
    ) -> Self:
        """Find the images of each atom and draw them.

        Parameters
        ----------
        codes : SparseCodes, list of SparseCodes, sparse matrix or array-like
            Codes of the images, or of their activations; of several sites of an image
            the largest value counts.
        images : array-like (n, H, W[, C]) or list of arrays
            The images in the same order: integers, or floats in [0, 1].
        atoms : sequence of int, optional
            Which atoms; by default the eight that most images have.
        n_images : int, default=8
            Images to show of each.
        n_atoms : int, optional
            Atoms per site of a plain matrix.
        ax : array of Axes, optional
            Axes of shape ``(n_atoms, n_images)``; by default in a new figure.

        Returns
        -------
        display : TopImagesDisplay
            With ``figure_`` and ``axes_``.

        Raises
        ------
        ValueError, TypeError
            If there are not as many codes as images, or atoms are not among the K.
        """
        pictures = as_images(images)
        n_images = whole_number(n_images, "n_images")
        sites = as_sites(codes, n_atoms)
        n_sites, rest = divmod(sites.shape[0], len(pictures))
        if rest or not n_sites:
            raise ValueError(
                f"Got codes of {sites.shape[0]} sites and {len(pictures)} images; "
                "expected as many sites of each image. Give all images, in the order "
                "of the codes."
            )
        if atoms is None:
            counts = np.bincount(
                sites.indices[sites.data > 0], minlength=sites.shape[1]
            )
            atoms = np.argsort(-counts, kind="stable")[:8].tolist()
        chosen = [whole_number(atom, "atoms", 0) for atom in atoms]
        if not chosen or min(chosen) < 0 or max(chosen) >= sites.shape[1]:
            raise ValueError(
                f"Got atoms={chosen}; expected at least one, each from 0 to "
                f"{sites.shape[1] - 1}."
            )
        columns = sites.tocsc()[:, chosen].toarray()
        largest = columns.reshape(len(pictures), n_sites, -1).max(1)
        order = np.argsort(-largest, axis=0, kind="stable")[:n_images].T
        indices = [row[largest[row, k] > 0] for k, row in enumerate(order)]
        values = [largest[row, k] for k, row in enumerate(indices)]
        display = cls(pictures, np.asarray(chosen), indices, values)
        return display.plot(ax=ax, n_images=n_images)

    def plot(self, ax: ArrayLike | None = None, n_images: int | None = None) -> Self:
        """Draw the images.

        Parameters
        ----------
        ax : array of Axes, optional
            Axes of shape ``(n_atoms, n_images)``; by default in a new figure.
        n_images : int, optional
            Columns; by default as many as the atom with most images has.

        Returns
        -------
        display : TopImagesDisplay
            Itself.
        """
        n_columns = n_images or max(1, *map(len, self.indices))
        self.axes_ = axes_grid(ax, len(self.atoms), n_columns)
        first: Axes = self.axes_[0, 0]
        self.figure_ = first.figure
        for row, atom, indices in zip(
            self.axes_, self.atoms, self.indices, strict=True
        ):
            for k, cell in enumerate(row):
                if k < len(indices):
                    show_image(cell, self.images[indices[k]])
                else:
                    cell.set(xticks=[], yticks=[], frame_on=False)
            row[0].set_ylabel(f"atom {atom}")
        return self
