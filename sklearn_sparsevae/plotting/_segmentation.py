"""Photos above their segments and foreground."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from sklearn_sparsevae._typing import Codes, Images, Labels
from sklearn_sparsevae.plotting._common import (
    as_images,
    as_list,
    as_picture,
    axes_grid,
    check_has,
    check_shows_images,
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
    labels : list of ndarray of int of shape (H, W), or None
        Label maps; the photo shows through where a label is negative.
    masks : list of ndarray of bool of shape (H, W), optional
        Foreground; the rest is dimmed.
    confidence : array-like of shape (n_images,), optional
        How certain each segmentation is, in [0, 1]; stands above it.

    Attributes
    ----------
    axes_ : ndarray of Axes of shape (2, n_images) or (3, n_images)
        Photos, segments and foreground, where there are labels and masks.
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
        labels: Sequence[NDArray[Any]] | None,
        masks: Sequence[NDArray[Any]] | None = None,
        confidence: Sequence[float] | NDArray[Any] | None = None,
    ) -> None:
        self.images = images
        self.labels = labels
        self.masks = masks
        self.confidence = confidence

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Images | Codes,
        *,
        images: Images | None = None,
        ax: NDArray[Any] | None = None,
    ) -> Self:
        """Segment photos, or their codes, and draw what comes out.

        What finds the foreground is drawn as such, with the rest of the photo dimmed;
        regions are drawn in colours. Above it stands the confidence, below
        ``min_confidence`` that of a mask that was left empty.

        Parameters
        ----------
        estimator : fitted Pipeline or segmenter
            A Pipeline, or fitted search, that ends in one of this package's segmenters;
            or a segmenter alone. With ``resolution="image"``.
        X : array-like of shape (n_images, H, W, C), list of photos, or SparseCodes
            What the estimator takes: photos, or for a segmenter alone their codes.
        images : array-like of shape (n_images, H, W, C), or list of photos, optional
            What to draw, unsigned integers or floats in [0, 1]; by default the photos
            of ``X``. A segmenter alone needs them.
        ax : array of Axes of shape (2, n_images), optional
            Where to draw; by default in a new figure.

        Returns
        -------
        display : SegmentationDisplay
            With ``figure_`` and ``axes_``.
        """
        encoder, segmenter = split_off_segmenter(estimator)
        photos = photos_to_draw(encoder, segmenter, X, images)
        codes = X if encoder is None else encoder.transform(X)
        labels, confidence = segmenter._label(codes)
        maps = _check_maps(photos, labels, "label maps of X")
        if segmenter._as_fitted()._wants_foreground():
            masks = [one.astype(bool) for one in maps]
            return cls(photos, None, masks, confidence).plot(ax=ax)
        return cls(photos, maps, None, confidence).plot(ax=ax)

    @classmethod
    def from_predictions(
        cls,
        images: Images,
        labels: Labels | None,
        *,
        masks: Labels | None = None,
        ax: NDArray[Any] | None = None,
    ) -> Self:
        """Draw photos and label maps that are at hand.

        Parameters
        ----------
        images : array-like of shape (n_images, H, W, C), or list of photos
            Photos; those of a list may differ in size.
        labels : array-like of int of shape (n_images, H, W), or list, or None
            A label map of each photo, at its resolution; None where there are masks
            alone.
        masks : array-like of bool, or of 0 and 1, of the same shape, optional
            The foreground of each photo.
        ax : array of Axes, optional
            Where to draw, of shape (2, n_images), or (3, n_images) with both; by
            default in a new figure.

        Returns
        -------
        display : SegmentationDisplay
            With ``figure_`` and ``axes_``.
        """
        photos, maps, foregrounds = as_images(images, white=1.0), None, None
        if labels is not None or masks is None:
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
            Where to draw, of shape (2, n_images), or (3, n_images) with labels and
            masks; by default in a new figure.

        Returns
        -------
        display : SegmentationDisplay
            Itself.
        """
        rows: dict[str, Any] = {"photo": self.images}
        titles: list[str | None] = [None] * len(self.images)
        if self.labels is not None:
            rows["segments"] = self.segments()
        if self.masks is not None:
            rows["foreground"] = self.foregrounds()
        if self.confidence is not None:
            titles = [f"confidence {value:.2f}" for value in self.confidence]
        self.axes_ = axes_grid(ax, len(rows), len(self.images))
        self.figure_ = self.axes_[0, 0].figure
        for k, (name, pictures) in enumerate(rows.items()):
            for i, picture in enumerate(pictures):
                title = titles[i] if k == 1 else None
                beside = name if i == 0 else None
                show_image(self.axes_[k, i], picture, title, row_name=beside)
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
        maps = [] if self.labels is None else self.labels
        for image, labels in zip(self.images, maps):
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
        masks = [] if self.masks is None else self.masks
        return [
            np.where(mask[..., None], rgb, 1 - _DIM + _DIM * rgb)
            for rgb, mask in zip(map(_as_rgb, self.images), masks)
        ]


def split_off_segmenter(estimator):
    """Split a Pipeline into what makes codes and the segmenter; alone that is None."""
    estimator = getattr(estimator, "best_estimator_", estimator)
    encoder, segmenter = None, estimator
    if hasattr(estimator, "steps"):
        encoder, segmenter = estimator[:-1], estimator[-1]
        encoder = encoder if len(encoder) else None
    instead = "Take a segmenter, a Pipeline that ends in one, or from_predictions."
    check_has(segmenter, "predict_confidence", instead)
    if getattr(segmenter, "is_scene_", False):
        raise ValueError(
            f"Got the estimator {type(segmenter).__name__}, fitted to one scene, a "
            "plain matrix whose rows are sites: no photos to show. Fit it to "
            "SparseCodes, or set its grid_shape=(h, w)."
        )
    return encoder, segmenter


def photos_to_draw(encoder, segmenter, X, images):
    """Photos that were given, or else those that the encoder takes."""
    if images is not None:
        return as_images(images, white=1.0)
    if encoder is not None:
        return _photos_of(encoder, X)
    raise ValueError(
        f"Got the segmenter {type(segmenter).__name__} alone, which sees codes and no "
        "photos; expected images= to draw, or a Pipeline that takes photos."
    )


def _photos_of(encoder, X):
    """Photos of ``X`` in [0, 1], read as the first step reads them if that is ours."""
    first = encoder[0]
    if not hasattr(first, "_open"):
        return as_images(X, "X", white=1.0)
    check_shows_images(first)
    return as_images([image for p in first._open(X).parts() for image in p.unit()], "X")


def maps_of_images(images, maps, name):
    """List of maps, one for each image and of its size."""
    maps = as_list(maps, name)
    expected = [image.shape[:2] for image in images]
    if [one.shape for one in maps] != expected:
        raise ValueError(
            f"Got {name} of shapes {[one.shape for one in maps]}; expected {expected}, "
            "one for each of the images and of its size. Segmenters give them with "
            "resolution='image'."
        )
    return maps


def _check_maps(images, maps, name):
    maps = maps_of_images(images, maps, name)
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
