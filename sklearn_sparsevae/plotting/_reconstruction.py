"""Photos above their reconstructions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sklearn_sparsevae._typing import Images
from sklearn_sparsevae.metrics import peak_psnr, psnr
from sklearn_sparsevae.metrics._input import check_data_range
from sklearn_sparsevae.metrics._scorers import comparing_step
from sklearn_sparsevae.plotting._common import (
    as_images,
    axes_grid,
    check_has,
    check_shows_images,
    in_range_of,
    show_image,
)


class ReconstructionDisplay:
    """Photos above their reconstructions, with PSNR.

    Parameters
    ----------
    images : list of ndarray of shape (H, W, C) or (H, W)
        Photos, unsigned integers or floats in [0, 1]. Three channels are drawn as
        colours, the mean of any other number in grey, and the title says so.
    reconstructions : list of ndarray
        Their reconstructions, of the same shapes; what exceeds [0, 1] is clipped where
        it is drawn.
    psnr : list of float
        PSNR of each, in dB.

    Attributes
    ----------
    axes_ : ndarray of Axes of shape (2, n_images)
        The photos above, the reconstructions below.
    figure_ : Figure
        Their figure.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_sparsevae.plotting import ReconstructionDisplay
    >>> photos = np.zeros((2, 8, 8, 3))
    >>> display = ReconstructionDisplay.from_predictions(photos, photos + 0.1)
    >>> [round(value, 6) for value in display.psnr]
    [20.0, 20.0]
    """

    def __init__(
        self,
        images: Sequence[NDArray[Any]],
        reconstructions: Sequence[NDArray[Any]],
        psnr: Sequence[float],
    ) -> None:
        self.images = images
        self.reconstructions = reconstructions
        self.psnr = psnr

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Images,
        y: Images | None = None,
        *,
        condition: ArrayLike | None = None,
        ax: NDArray[Any] | None = None,
    ) -> Self:
        """Reconstruct photos and draw both, with what ``score`` measures of each.

        Parameters
        ----------
        estimator : fitted estimator
            One of this package's autoencoders, or a Pipeline or fitted search that
            ends in one: anything with ``compare``.
        X : array-like of shape (n_images, H, W, C), or list of photos
            Photos, as the estimator takes them; those of a list may differ in size.
        y : array-like, optional
            What an estimator with ``target="y"`` is to restore the photos to, and what
            is drawn above then.
        condition : array-like, optional
            What else an estimator takes that was fitted with it.
        ax : array of Axes of shape (2, n_images), optional
            Where to draw; by default in a new figure.

        Returns
        -------
        display : ReconstructionDisplay
            With ``figure_`` and ``axes_``.
        """
        step, step_X = comparing_step(estimator, X)
        check_has(step, "compare", "Draw what others give with from_predictions.")
        check_shows_images(step)
        given = {} if condition is None else {"condition": condition}
        targets, outputs = step.compare(step_X, y, **given)
        values = peak_psnr(targets, outputs, step.data_range_).tolist()
        images, reconstructions = (
            as_images(in_range_of(step, _with_pixels(side, step)), "X")
            for side in (targets, outputs)
        )
        return cls(images, reconstructions, values).plot(ax=ax)

    @classmethod
    def from_predictions(
        cls,
        images: Images,
        reconstructions: Images,
        *,
        data_range: float = 1.0,
        ax: NDArray[Any] | None = None,
    ) -> Self:
        """Measure and draw reconstructions that are at hand.

        Parameters
        ----------
        images, reconstructions : array-like of shape (n_images, H, W, C), or lists
            Photos and their reconstructions, which may lie beyond the range.
        data_range : float, default=1.0
            What white is in floats; black is 0. Unsigned integers span their dtype.
        ax : array of Axes of shape (2, n_images), optional
            Where to draw; by default in a new figure.

        Returns
        -------
        display : ReconstructionDisplay
            With ``figure_`` and ``axes_``.
        """
        data_range = check_data_range(data_range)
        photos = as_images(images, white=data_range)
        outputs = as_images(reconstructions, "reconstructions")
        if len(photos) != len(outputs):
            raise ValueError(
                f"Got {len(photos)} images and {len(outputs)} reconstructions; "
                "expected one reconstruction of each image."
            )
        for i, (image, output) in enumerate(zip(photos, outputs)):
            if image.shape != output.shape:
                raise ValueError(
                    f"Got images[{i}] of shape {image.shape} and reconstructions[{i}] "
                    f"of shape {output.shape}; expected the same."
                )
        values = psnr(photos, outputs, data_range=data_range, per_image=True)
        photos, outputs = (
            [image if image.dtype.kind == "u" else image / data_range for image in side]
            for side in (photos, outputs)
        )
        return cls(photos, outputs, values.tolist()).plot(ax=ax)

    def plot(self, ax: NDArray[Any] | None = None) -> Self:
        """Draw the photos above their reconstructions.

        Parameters
        ----------
        ax : array of Axes of shape (2, n_images), optional
            Where to draw; by default in a new figure.

        Returns
        -------
        display : ReconstructionDisplay
            Itself.
        """
        self.axes_ = axes_grid(ax, 2, len(self.images))
        self.figure_ = self.axes_[0, 0].figure
        for i, (above, below) in enumerate(self.axes_.T):
            names = ("photo", "reconstruction") if i == 0 else (None, None)
            show_image(above, self.images[i], row_name=names[0])
            title = f"{self.psnr[i]:.1f} dB"
            show_image(below, self.reconstructions[i], title, row_name=names[1])
        return self


def _with_pixels(images, estimator):
    """Give rows that are images their pixels."""
    if np.ndim(images[0]) > 1 or not hasattr(estimator, "image_shape_"):
        return images
    return images.reshape(len(images), *estimator.image_shape_)
