"""Photos above the strength of their boundaries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from sklearn_sparsevae._typing import Codes, Images
from sklearn_sparsevae.plotting._common import (
    as_images,
    axes_grid,
    check_has,
    show_image,
)
from sklearn_sparsevae.plotting._segmentation import (
    maps_of_images,
    photos_to_draw,
    split_off_segmenter,
)


class BoundaryDisplay:
    """Photos above maps of their boundaries, which are the darker the stronger.

    Parameters
    ----------
    images : list of ndarray of shape (H, W, C) or (H, W)
        Photos, unsigned integers or floats in [0, 1]. Three channels are drawn as
        colours, the mean of any other number in grey.
    boundaries : list of ndarray of shape (H, W)
        Strength of the boundary at each pixel, in [0, 1].

    Attributes
    ----------
    axes_ : ndarray of Axes of shape (2, n_images)
        Photos and boundaries.
    figure_ : Figure
        Their figure.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_sparsevae.plotting import BoundaryDisplay
    >>> photos, boundaries = np.zeros((2, 8, 8, 3)), np.zeros((2, 8, 8))
    >>> BoundaryDisplay.from_predictions(photos, boundaries).axes_.shape
    (2, 2)
    """

    def __init__(
        self, images: Sequence[NDArray[Any]], boundaries: Sequence[NDArray[Any]]
    ) -> None:
        self.images = images
        self.boundaries = boundaries

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Images | Codes,
        *,
        images: Images | None = None,
        ax: NDArray[Any] | None = None,
    ) -> Self:
        """Find the boundaries of photos, or of their codes, and draw them.

        Parameters
        ----------
        estimator : fitted Pipeline or SpectralSegmenter
            A Pipeline, or fitted search, that ends in a ``SpectralSegmenter``; or a
            segmenter alone. With ``resolution="image"``.
        X : array-like of shape (n_images, H, W, C), list of photos, or SparseCodes
            What the estimator takes: photos, or for a segmenter alone their codes.
        images : array-like of shape (n_images, H, W, C), or list of photos, optional
            What to draw, unsigned integers or floats in [0, 1]; by default the photos
            of ``X``. A segmenter alone needs them.
        ax : array of Axes of shape (2, n_images), optional
            Where to draw; by default in a new figure.

        Returns
        -------
        display : BoundaryDisplay
            With ``figure_`` and ``axes_``.
        """
        encoder, segmenter = split_off_segmenter(estimator)
        check_has(
            segmenter,
            "predict_boundaries",
            "Take a SpectralSegmenter, a Pipeline that ends in one, or "
            "from_predictions.",
        )
        photos = photos_to_draw(encoder, segmenter, X, images)
        codes = X if encoder is None else encoder.transform(X)
        maps = _check_maps(photos, segmenter.predict_boundaries(codes))
        return cls(photos, maps).plot(ax=ax)

    @classmethod
    def from_predictions(
        cls, images: Images, boundaries: Images, *, ax: NDArray[Any] | None = None
    ) -> Self:
        """Draw photos and boundaries that are at hand.

        Parameters
        ----------
        images : array-like of shape (n_images, H, W, C), or list of photos
            Photos; those of a list may differ in size.
        boundaries : array-like of shape (n_images, H, W), or list of maps
            The strength of the boundary at each pixel of each photo, in [0, 1].
        ax : array of Axes of shape (2, n_images), optional
            Where to draw; by default in a new figure.

        Returns
        -------
        display : BoundaryDisplay
            With ``figure_`` and ``axes_``.
        """
        photos = as_images(images, white=1.0)
        return cls(photos, _check_maps(photos, boundaries)).plot(ax=ax)

    def plot(self, ax: NDArray[Any] | None = None) -> Self:
        """Draw the photos above their boundaries.

        Parameters
        ----------
        ax : array of Axes of shape (2, n_images), optional
            Where to draw; by default in a new figure.

        Returns
        -------
        display : BoundaryDisplay
            Itself.
        """
        self.axes_ = axes_grid(ax, 2, len(self.images))
        self.figure_ = self.axes_[0, 0].figure
        drawn = [1 - np.asarray(one, dtype=float) for one in self.boundaries]
        for k, (name, row) in enumerate(
            [("photo", self.images), ("boundaries", drawn)]
        ):
            for i, picture in enumerate(row):
                beside = name if i == 0 else None
                show_image(self.axes_[k, i], picture, None, row_name=beside)
        return self


def _check_maps(images, maps):
    maps = maps_of_images(images, maps, "boundaries")
    for one in maps:
        if one.dtype.kind not in "fiub" or not (
            np.min(one, initial=0) >= 0 and np.max(one, initial=0) <= 1
        ):
            raise ValueError(
                f"Got boundaries of type {one.dtype} with numbers beyond [0, 1], or "
                "NaN; expected strengths in [0, 1]. Divide by the largest."
            )
    return maps
