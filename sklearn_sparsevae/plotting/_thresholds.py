"""Maps of what a coefficient has to exceed, atom by atom."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from sklearn_sparsevae._typing import Images
from sklearn_sparsevae.plotting._common import (
    as_images,
    axes_grid,
    check_has,
    check_shows_images,
    show_image,
)


class ThresholdDisplay:
    """Photos beside maps of the thresholds of some atoms (SSC-VAE, Figure 1).

    Parameters
    ----------
    images : list of ndarray of shape (H, W, C) or (H, W)
        Photos, floats in [0, 1] or unsigned integers.
    maps : list of ndarray of shape (h, w, n_atoms)
        Thresholds of each atom at each site, of each photo.
    atoms : list of int, optional
        Atoms to draw. None takes the four whose thresholds vary most from site to site.

    Attributes
    ----------
    atoms : list of int
        Atoms that are drawn.
    axes_ : ndarray of Axes of shape (n_images, 1 + n_drawn)
        A row for each photo. All maps share one range, dark where atoms are easily on.
    figure_ : Figure
        Their figure.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_sparsevae.plotting import ThresholdDisplay
    >>> maps = np.zeros((1, 2, 2, 5))
    >>> maps[..., 3] = [[0.1, 0.2], [0.3, 0.4]]
    >>> ThresholdDisplay(np.zeros((1, 8, 8)), maps).atoms
    [3, 0, 1, 2]
    """

    def __init__(
        self,
        images: Images,
        maps: Sequence[NDArray[Any]] | NDArray[Any],
        atoms: Sequence[int] | None = None,
    ) -> None:
        self.images = as_images(images)
        self.maps = as_images(maps, "maps")
        n_atoms = {one.shape[-1] if one.ndim == 3 else None for one in self.maps}
        if len(self.maps) != len(self.images) or len(n_atoms) > 1 or None in n_atoms:
            raise ValueError(
                f"Got {len(self.images)} images and maps of shapes "
                f"{[one.shape for one in self.maps][:9]}; expected a map (h, w, "
                "n_atoms) for each image, with equally many atoms."
            )
        self.atoms = _chosen(self.maps, atoms)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Images,
        *,
        atoms: Sequence[int] | None = None,
        ax: NDArray[Any] | None = None,
    ) -> Self:
        """Infer the thresholds of photos and draw them.

        Parameters
        ----------
        estimator : fitted estimator
            Anything with ``thresholds``: a `SparseCodingVAE`. Those of
            ``threshold="vector"`` and "structured" differ from site to site.
        X : array-like of shape (n_images, H, W, C) or (n_images, H, W), or list
            Photos, unsigned integers or floats in [0, 1].
        atoms : list of int, optional
            Atoms to draw, counted without those that code channel means. None takes the
            four whose thresholds vary most from site to site.
        ax : array of Axes of shape (n_images, 1 + n_drawn), optional
            Where to draw; by default in a new figure.

        Returns
        -------
        display : ThresholdDisplay
            With ``figure_`` and ``axes_``.
        """
        check_has(estimator, "thresholds", "SparseCodingVAE has, once it is fitted.")
        check_shows_images(estimator)
        maps = estimator.thresholds(X)
        several = isinstance(maps, list)
        maps = [one for part in maps for one in part] if several else maps
        return cls(X, maps, atoms).plot(ax=ax)

    def plot(self, ax: NDArray[Any] | None = None) -> Self:
        """Draw a row for each photo.

        Parameters
        ----------
        ax : array of Axes of shape (n_images, 1 + n_drawn), optional
            Where to draw; by default in a new figure.

        Returns
        -------
        display : ThresholdDisplay
            Itself.
        """
        self.axes_ = axes_grid(ax, len(self.images), 1 + len(self.atoms))
        self.figure_ = self.axes_[0, 0].figure
        drawn = [one[..., self.atoms] for one in self.maps]
        low, high = min(one.min() for one in drawn), max(one.max() for one in drawn)
        rows = zip(self.axes_, self.images, drawn, strict=True)
        for i, (axes, image, maps) in enumerate(rows):
            show_image(axes[0], image, "photo" if i == 0 else None)
            for one, atom, k in zip(axes[1:], self.atoms, range(len(self.atoms))):
                one.imshow(maps[..., k], cmap="gray", vmin=low, vmax=high)
                one.set(xticks=[], yticks=[], frame_on=False)
                if i == 0:
                    one.set_title(f"atom {atom}")
        return self


def _chosen(maps, atoms):
    """Atoms to draw, checked, or those that vary most."""
    n_atoms = maps[0].shape[-1]
    if atoms is None:
        spread = sum(one.std((0, 1)) for one in maps)
        return np.argsort(-spread, kind="stable")[:4].tolist()
    chosen = np.asarray(atoms)
    whole = chosen.ndim == 1 and chosen.size and chosen.dtype.kind in "iu"
    if not whole or chosen.min() < 0 or chosen.max() >= n_atoms:
        raise ValueError(
            f"Got atoms={atoms!r}; expected a list of whole numbers from 0 to "
            f"{n_atoms - 1}."
        )
    return chosen.tolist()
