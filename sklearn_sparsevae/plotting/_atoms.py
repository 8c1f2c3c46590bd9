"""The atoms of a dictionary as pictures."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from sklearn_sparsevae.plotting._common import (
    as_images,
    check_has,
    check_shows_images,
    one_axes,
    show_image,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class AtomsDisplay:
    """What each atom adds to an image, tile by tile.

    Parameters
    ----------
    atoms : ndarray of shape (n_atoms, h, w, C) or (n_atoms, h, w)
        The atoms, decoded. Zero is drawn as mid grey; each atom is scaled by its own
        largest magnitude, so that brightness says nothing about its norm. Three
        channels are drawn as colours, any other number side by side.

    Attributes
    ----------
    ax_ : Axes
        Where the tiles are drawn, as one picture.
    figure_ : Figure
        Their figure.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_sparsevae.plotting import AtomsDisplay
    >>> AtomsDisplay(np.ones((6, 4, 4, 3))).mosaic().shape
    (9, 14, 3)
    """

    def __init__(self, atoms: NDArray[Any]) -> None:
        self.atoms = as_images(atoms, "atoms")
        if len({atom.shape for atom in self.atoms}) > 1:
            raise ValueError("Got atoms of different shapes; expected one for all.")

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Axes | None = None) -> Self:
        """Draw the atoms of a fitted estimator.

        Parameters
        ----------
        estimator : fitted estimator
            Anything with ``atoms_as_images``, which decodes each atom.
        ax : Axes, optional
            Where to draw; by default in a new figure.

        Returns
        -------
        display : AtomsDisplay
            With ``figure_`` and ``ax_``.
        """
        check_has(estimator, "atoms_as_images", "Of a Pipeline give the step that has.")
        check_shows_images(estimator)
        return cls(estimator.atoms_as_images()).plot(ax=ax)

    def mosaic(self) -> NDArray[np.floating]:
        """Return all atoms as the tiles of one picture.

        Returns
        -------
        picture : ndarray of shape (rows * (h + 1) - 1, columns * (w + 1) - 1, 3)
            Floats in [0, 1]; a white line of one pixel runs between the tiles. With
            other than 1 or 3 channels, ``w`` is that of all of them side by side.
        """
        tiles = [_tile(atom) for atom in self.atoms]
        height, width, _ = tiles[0].shape
        n_columns = math.ceil(math.sqrt(len(tiles) * height / width))
        n_rows = math.ceil(len(tiles) / n_columns)
        shape = (n_rows * (height + 1), n_columns * (width + 1), 3)
        picture = np.ones(shape)
        for i, tile in enumerate(tiles):
            top, left = (i // n_columns) * (height + 1), (i % n_columns) * (width + 1)
            picture[top : top + height, left : left + width] = tile
        return picture[:-1, :-1]

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw the tiles.

        Parameters
        ----------
        ax : Axes, optional
            Where to draw; by default in a new figure.

        Returns
        -------
        display : AtomsDisplay
            Itself.
        """
        self.ax_ = one_axes(ax, figsize=(6, 6))
        self.figure_ = self.ax_.figure
        channels = self.atoms[0].shape[2:]
        beside = (
            "" if channels in ((), (1,), (3,)) else f", {channels[0]} channels each"
        )
        show_image(self.ax_, self.mosaic(), f"{len(self.atoms)} atoms{beside}")
        return self


def _tile(atom):
    """Return an atom as a picture (h, w, 3): zero is mid grey."""
    scale = np.abs(atom).max() or 1.0
    picture = 0.5 + 0.5 * atom / scale
    if atom.ndim == 3 and atom.shape[2] == 3:
        return picture
    # Channels that are no colours stand side by side.
    picture = picture.reshape(*atom.shape[:2], -1).swapaxes(1, 2)
    return np.repeat(picture.reshape(len(atom), -1, 1), 3, axis=2)
