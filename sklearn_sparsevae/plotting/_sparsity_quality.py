"""What each non-zero buys: quality against sparsity over a search."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from sklearn_sparsevae.plotting._common import as_row, one_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class SparsityQualityDisplay:
    """Quality against sparsity, one point for each candidate of a search.

    Parameters
    ----------
    sparsity : ndarray of shape (n_candidates,)
        Horizontal positions, ascending.
    quality : ndarray of shape (n_candidates,)
        Vertical positions.
    sparsity_name, quality_name : str
        The scores that they are.

    Attributes
    ----------
    ax_ : Axes
        Where the curve is drawn.
    figure_ : Figure
        Its figure.
    line_ : Line2D
        The curve.

    Examples
    --------
    >>> from sklearn_sparsevae.plotting import SparsityQualityDisplay
    >>> results = {"mean_test_nonzeros": [9.0, 3.0], "mean_test_psnr": [31.0, 27.0]}
    >>> SparsityQualityDisplay.from_cv_results(results).quality
    array([27., 31.])
    """

    def __init__(
        self,
        sparsity: NDArray[Any],
        quality: NDArray[Any],
        *,
        sparsity_name: str = "nonzeros",
        quality_name: str = "psnr",
    ) -> None:
        self.sparsity = as_row(sparsity, "sparsity", finite=False)
        self.quality = as_row(quality, "quality", finite=False)
        if self.sparsity.shape != self.quality.shape:
            raise ValueError(
                f"Got {len(self.sparsity)} numbers of sparsity and "
                f"{len(self.quality)} of quality; expected as many of both."
            )
        self.sparsity_name = sparsity_name
        self.quality_name = quality_name

    @classmethod
    def from_cv_results(
        cls,
        cv_results: Mapping[str, Any],
        *,
        sparsity: str = "nonzeros",
        quality: str = "psnr",
        ax: Axes | None = None,
        **line_options: Any,
    ) -> Self:
        """Draw the means of two scores of a search.

        Parameters
        ----------
        cv_results : dict
            ``cv_results_`` of a search with
            ``scoring=make_scorers("nonzeros", "psnr")``.
        sparsity, quality : str, default="nonzeros" and "psnr"
            Which scores to draw.
        ax : Axes, optional
            Where to draw; by default in a new figure. Draw several searches into one.
        **line_options
            For :meth:`matplotlib.axes.Axes.plot`, for instance ``label``.

        Returns
        -------
        display : SparsityQualityDisplay
            With ``figure_``, ``ax_`` and ``line_``.
        """
        x, y = (_means(cv_results, name) for name in (sparsity, quality))
        order = np.argsort(x, kind="stable")
        names = {"sparsity_name": sparsity, "quality_name": quality}
        return cls(x[order], y[order], **names).plot(ax=ax, **line_options)

    def plot(self, ax: Axes | None = None, **line_options: Any) -> Self:
        """Draw the curve.

        Parameters
        ----------
        ax : Axes, optional
            Where to draw; by default in a new figure.
        **line_options
            For :meth:`matplotlib.axes.Axes.plot`.

        Returns
        -------
        display : SparsityQualityDisplay
            Itself.
        """
        self.ax_ = one_axes(ax)
        self.figure_ = self.ax_.figure
        options = {"marker": "o", **line_options}
        (self.line_,) = self.ax_.plot(self.sparsity, self.quality, **options)
        self.ax_.set(
            xlabel=_label(self.sparsity_name), ylabel=_label(self.quality_name)
        )
        if "label" in options:
            self.ax_.legend()
        return self


def _means(cv_results, name):
    if not isinstance(cv_results, Mapping):
        raise TypeError(
            f"Got cv_results of type {type(cv_results).__name__}; expected the dict "
            "search.cv_results_."
        )
    key = f"mean_test_{name}"
    if key not in cv_results:
        found = [key[10:] for key in cv_results if key.startswith("mean_test_")]
        raise ValueError(
            f"Got results without the score {name!r}, but with {found}; search with "
            f"scoring=make_scorers({name!r}, ...)."
        )
    return np.asarray(cv_results[key], dtype=float)


def _label(name):
    known = {"nonzeros": "non-zeros per site", "psnr": "PSNR (dB)", "ssim": "SSIM"}
    return known.get(name, name.replace("_", " "))
