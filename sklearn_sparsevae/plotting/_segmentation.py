"""Photos above their segments and foreground."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from sklearn_sparsevae._typing import Images, Labels
from sklearn_sparsevae.plotting._common import (
    as_images,
    as_list,
    as_picture,
    axes_grid,
    show_image,
)

# Okabe and Ito's colours, which people who do not see red or green can tell apart.
_PALETTE = (
    (0.00, 0.45, 0.70),
    (0.90, 0.62, 0.00),
    (0.00, 0.62, 0.45),
    (0.80, 0.47, 0.65),
    (0.34, 0.71, 0.91),
    (0.84, 0.37, 0.00),
    (0.94, 0.89, 0.26),
)
_TINT = 0.65  # how much of a segment's colour covers the photo
_DIM = 0.25  # how much of the photo is left behind the foreground


class SegmentationDisplay:
    """Photos above their coloured segments and, if given, their foreground.

    Parameters
    ----------
    images : list of ndarray of shape (H, W, C) or (H, W)
        Photos, unsigned integers or floats in [0, 1]. Three channels are drawn as
        colours, the mean of any other number in grey.
    labels : list of ndarray of int of shape (H, W)
        Label maps; the photo shows through where a label is negative.
    masks : list of ndarray of bool of shape (H, W), optional
        Foreground; the rest is dimmed.

    Attributes
    ----------
    axes_ : ndarray of Axes of shape (2, n_images) or (3, n_images)
        Photos, segments and, with ``masks``, foreground.
    figure_ : Figure
        Their figure.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_sparsevae.plotting import SegmentationDisplay
    >>> photos, labels = np.zeros((2, 8, 8, 3)), np.zeros((2, 8, 8), dtype=int)
    >>> SegmentationDisplay.from_predictions(photos, labels).axes_.shape
    (2, 2)
    """

    def __init__(
        self,
        images: Sequence[NDArray[Any]],
        labels: Sequence[NDArray[Any]],
        masks: Sequence[NDArray[Any]] | None = None,
    ) -> None:
        self.images = images
        self.labels = labels
        self.masks = masks

    @classmethod
    def from_predictions(
        cls,
        images: Images,
        labels: Labels,
        *,
        masks: Labels | None = None,
        ax: NDArray[Any] | None = None,
    ) -> Self:
        """Draw photos and label maps that are at hand.

        Parameters
        ----------
        images : array-like of shape (n_images, H, W, C), or list of photos
            Photos; those of a list may differ in size.
        labels : array-like of int of shape (n_images, H, W), or list
            A label map of each photo, at its resolution.
        masks : array-like of bool, or of 0 and 1, of the same shape, optional
            The foreground of each photo.
        ax : array of Axes, optional
            Where to draw, of shape (2, n_images), or (3, n_images) with ``masks``; by
            default in a new figure.

        Returns
        -------
        display : SegmentationDisplay
            With ``figure_`` and ``axes_``.
        """
        photos, foregrounds = as_images(images, white=1.0), None
        maps = _check_maps(photos, labels, "labels")
        if masks is not None:
            found = _check_maps(photos, masks, "masks")
            foregrounds = [mask.astype(bool) for mask in found]
        return cls(photos, maps, foregrounds).plot(ax=ax)

    def plot(self, ax: NDArray[Any] | None = None) -> Self:
        """Draw photos, segments and foreground below one another.

        Parameters
        ----------
        ax : array of Axes, optional
            Where to draw, of shape (2, n_images), or (3, n_images) with ``masks``; by
            default in a new figure.

        Returns
        -------
        display : SegmentationDisplay
            Itself.
        """
        rows = {"photo": self.images, "segments": self.segments()}
        if self.masks is not None:
            rows["foreground"] = self.foregrounds()
        self.axes_ = axes_grid(ax, len(rows), len(self.images))
        self.figure_ = self.axes_[0, 0].figure
        for axes, (name, pictures) in zip(self.axes_, rows.items()):
            for i, picture in enumerate(pictures):
                show_image(axes[i], picture, row_name=name if i == 0 else None)
        return self

    def segments(self) -> list[NDArray[Any]]:
        """Return the photos with each segment in its colour.

        Returns
        -------
        pictures : list of ndarray of shape (H, W, 3)
            Floats in [0, 1].
        """
        palette = np.array(_PALETTE)
        pictures = []
        for image, labels in zip(self.images, self.labels):
            color = palette[labels % len(palette)]
            weight = np.where(labels < 0, 0.0, _TINT)[..., None]
            pictures.append((1 - weight) * _grey(image) + weight * color)
        return pictures

    def foregrounds(self) -> list[NDArray[Any]]:
        """Return the photos with everything but the foreground dimmed.

        Returns
        -------
        pictures : list of ndarray of shape (H, W, 3)
            Floats in [0, 1].
        """
        return [
            np.where(mask[..., None], rgb, 1 - _DIM + _DIM * rgb)
            for rgb, mask in zip(map(_as_rgb, self.images), self.masks or [])
        ]


def _check_maps(images, maps, name):
    maps = as_list(maps, name)
    expected = [image.shape[:2] for image in images]
    if [one.shape for one in maps] != expected:
        raise ValueError(
            f"Got {name} of shapes {[one.shape for one in maps]}; expected {expected}, "
            "one for each photo and of its size. Segmenters give them with "
            "resolution='image'."
        )
    for one in maps:
        if one.dtype.kind not in "biu":
            raise ValueError(
                f"Got {name} of type {one.dtype}; expected integers or booleans. Round "
                "labels, and threshold soft masks: mask > 0.5."
            )
    return maps


def _as_rgb(image):
    """Return a photo as floats (H, W, 3) in [0, 1]."""
    picture = as_picture(image)
    picture = picture / 255 if picture.dtype == np.uint8 else picture
    return picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=-1)


def _grey(image):
    return _as_rgb(image).mean(axis=-1, keepdims=True)
