"""Strips of images that change from left to right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sklearn_sparsevae._typing import Images
from sklearn_sparsevae.plotting._common import (
    as_images,
    axes_grid,
    check_has,
    check_shows_images,
    in_range_of,
    show_image,
)


class TraversalDisplay:
    """Strips of images: a traversal of components, or ways between two images.

    Parameters
    ----------
    strips : list of list of ndarray of shape (H, W, C) or (H, W)
        Equally many images in each strip, floats in [0, 1] or unsigned integers.
    row_names : list of str, optional
        What stands beside each strip.
    column_names : list of str, optional
        What stands above each column of images.

    Attributes
    ----------
    axes_ : ndarray of Axes of shape (n_strips, n_images)
        A row for each strip.
    figure_ : Figure
        Their figure.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_sparsevae.plotting import TraversalDisplay
    >>> display = TraversalDisplay.from_images(np.zeros((2, 5, 8, 8)))
    >>> display.axes_.shape
    (2, 5)
    """

    def __init__(
        self,
        strips: Sequence[Sequence[NDArray[Any]]],
        row_names: Sequence[str] | None = None,
        column_names: Sequence[str] | None = None,
    ) -> None:
        self.strips = strips
        self.row_names = row_names
        self.column_names = column_names

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Images,
        components: Sequence[int] | NDArray[np.integer],
        values: Sequence[float] | NDArray[Any],
        *,
        sites: Sequence[tuple[int, int]] | None = None,
        condition: ArrayLike | None = None,
        ax: NDArray[Any] | None = None,
    ) -> Self:
        """Traverse components of the codes of images and draw what comes out.

        Parameters
        ----------
        estimator : fitted estimator
            Anything with ``traverse``.
        X : array-like of shape (n_images, H, W, C) or (n_images, H, W)
            Images to start from.
        components : array-like of int
            Components to set; each image has a strip for each of them.
        values : array-like of float
            What they are set to, from left to right.
        sites : list of tuple (row, column), optional
            Sites at which; by default all.
        condition : array-like, optional
            What else an estimator takes that was fitted with it.
        ax : array of Axes of shape (n_images * n_components, n_values), optional
            Where to draw; by default in a new figure.

        Returns
        -------
        display : TraversalDisplay
            With ``figure_`` and ``axes_``.
        """
        check_has(estimator, "traverse", "Of a Pipeline give the step that has.")
        check_shows_images(estimator)
        given = {"sites": sites, "condition": condition}
        given = {name: value for name, value in given.items() if value is not None}
        images = estimator.traverse(X, components, values, **given)
        strips = [in_range_of(estimator, strip) for image in images for strip in image]
        row_names = [f"component {i}" for i in components] * len(images)
        column_names = [f"{value:.3g}" for value in values]
        return cls.from_images(
            strips, row_names=row_names, column_names=column_names, ax=ax
        )

    @classmethod
    def from_interpolation(
        cls,
        estimator: Any,
        A: Images,
        B: Images,
        *,
        n_steps: int = 8,
        condition: ArrayLike | None = None,
        ax: NDArray[Any] | None = None,
    ) -> Self:
        """Interpolate between the codes of images and draw the ways.

        Parameters
        ----------
        estimator : fitted estimator
            Anything with ``interpolate``.
        A, B : array-like of shape (n_images, H, W, C) or (n_images, H, W)
            Where the ways start and end.
        n_steps : int, default=8
            Images of each way.
        condition : array-like, optional
            What else an estimator takes that was fitted with it.
        ax : array of Axes of shape (n_images, n_steps), optional
            Where to draw; by default in a new figure.

        Returns
        -------
        display : TraversalDisplay
            With ``figure_`` and ``axes_``.
        """
        check_has(estimator, "interpolate", "Of a Pipeline give the step that has.")
        check_shows_images(estimator)
        given = {} if condition is None else {"condition": condition}
        ways = estimator.interpolate(A, B, n_steps=n_steps, **given)
        strips = [in_range_of(estimator, way) for way in ways]
        weights = np.linspace(0, 1, len(strips[0]))
        column_names = [f"{weight:.2f}" for weight in weights]
        return cls.from_images(strips, column_names=column_names, ax=ax)

    @classmethod
    def from_images(
        cls,
        strips: Any,
        *,
        row_names: Sequence[str] | None = None,
        column_names: Sequence[str] | None = None,
        ax: NDArray[Any] | None = None,
    ) -> Self:
        """Draw strips that are at hand.

        Parameters
        ----------
        strips : array-like of shape (n_strips, n_images, H, W, C) or without C
            Images, strip by strip; or lists of lists of them.
        row_names : list of str, optional
            A name for each strip.
        column_names : list of str, optional
            A name for each column.
        ax : array of Axes of shape (n_strips, n_images), optional
            Where to draw; by default in a new figure.

        Returns
        -------
        display : TraversalDisplay
            With ``figure_`` and ``axes_``.
        """
        if not np.iterable(strips) or isinstance(strips, str):
            raise ValueError(f"Got strips={strips!r}; expected a list of strips.")
        strips = [as_images(strip, f"strips[{i}]") for i, strip in enumerate(strips)]
        lengths = sorted({len(strip) for strip in strips})
        if len(lengths) != 1:
            raise ValueError(
                f"Got strips of {lengths} images; expected at least one strip, and "
                "equally many images in all."
            )
        sizes = {"row_names": len(strips), "column_names": lengths[0]}
        names: dict[str, Any] = {"row_names": row_names, "column_names": column_names}
        for name, expected in sizes.items():
            if names[name] is not None and np.shape(names[name])[:1] != (expected,):
                raise ValueError(
                    f"Got {name}={names[name]!r}; expected a list of {expected}, one "
                    "for each."
                )
        return cls(strips, **names).plot(ax=ax)

    def plot(self, ax: NDArray[Any] | None = None) -> Self:
        """Draw a row for each strip.

        Parameters
        ----------
        ax : array of Axes of shape (n_strips, n_images), optional
            Where to draw; by default in a new figure.

        Returns
        -------
        display : TraversalDisplay
            Itself.
        """
        n_rows, n_columns = len(self.strips), len(self.strips[0])
        self.axes_ = axes_grid(ax, n_rows, n_columns)
        self.figure_ = self.axes_[0, 0].figure
        above = [None] * n_columns if self.column_names is None else self.column_names
        beside = [None] * n_rows if self.row_names is None else self.row_names
        for i, (axes, strip) in enumerate(zip(self.axes_, self.strips)):
            for k, (one, image) in enumerate(zip(axes, strip)):
                title = above[k] if i == 0 else None
                show_image(one, image, title, beside[i] if k == 0 else None)
            label = {"rotation": 0, "horizontalalignment": "right"}
            axes[0].yaxis.label.set(**label, verticalalignment="center")
        return self
