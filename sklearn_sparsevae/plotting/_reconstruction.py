"""Photos above their reconstructions."""

import numpy as np

from sklearn_sparsevae.metrics import psnr
from sklearn_sparsevae.plotting._common import as_images, axes_grid, show_image


class ReconstructionDisplay:
    """Photos above their reconstructions, with PSNR.

    Parameters
    ----------
    images : list of ndarray of shape (H, W, C) or (H, W)
        Photos, ``uint8`` or floats in [0, 1].
    reconstructions : list of ndarray
        Their reconstructions, of the same shapes.
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

    def __init__(self, images, reconstructions, psnr):
        self.images = images
        self.reconstructions = reconstructions
        self.psnr = psnr

    @classmethod
    def from_estimator(cls, estimator, X, *, ax=None):
        """Reconstruct photos and draw both.

        Parameters
        ----------
        estimator : fitted estimator
            Anything with ``reconstruct``.
        X : array-like of shape (n_images, H, W, C), or list of photos
            Photos; those of a list may differ in size.
        ax : array of Axes of shape (2, n_images), optional
            Where to draw; by default in a new figure.

        Returns
        -------
        display : ReconstructionDisplay
            With ``figure_`` and ``axes_``.
        """
        images = as_images(X, "X")
        reconstructions = [estimator.reconstruct(image[None])[0] for image in images]
        return cls.from_predictions(images, reconstructions, ax=ax)

    @classmethod
    def from_predictions(cls, images, reconstructions, *, ax=None):
        """Measure and draw reconstructions that are at hand.

        Parameters
        ----------
        images, reconstructions : array-like of shape (n_images, H, W, C), or lists
            Photos and their reconstructions.
        ax : array of Axes of shape (2, n_images), optional
            Where to draw; by default in a new figure.

        Returns
        -------
        display : ReconstructionDisplay
            With ``figure_`` and ``axes_``.
        """
        images = as_images(images)
        reconstructions = as_images(reconstructions, "reconstructions")
        if len(images) != len(reconstructions):
            raise ValueError(
                f"Got {len(images)} images and {len(reconstructions)} reconstructions; "
                "expected one reconstruction of each image."
            )
        values = [
            psnr(image[None], np.asarray(reconstruction)[None])
            for image, reconstruction in zip(images, reconstructions)
        ]
        return cls(images, reconstructions, values).plot(ax=ax)

    def plot(self, ax=None):
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
