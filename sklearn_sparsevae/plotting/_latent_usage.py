"""How much each dimension of a normal code says."""

from __future__ import annotations

import numbers
import sys
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from sklearn_sparsevae.plotting._common import as_row, check_has, one_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class LatentUsageDisplay:
    """KL divergence of each dimension of a normal code from its prior, largest first.

    What is at zero says nothing of an image: the posterior collapsed there.

    Parameters
    ----------
    kl_per_dim : ndarray of shape (n_components,)
        KL divergence of each dimension in nats, mean over images and sites.
    threshold : float, default=0.01
        Dimensions with a larger divergence are drawn as active.

    Attributes
    ----------
    n_active : int
        Dimensions above the threshold.
    ax_ : Axes
        Where the bars are drawn.
    figure_ : Figure
        Its figure.
    bars_ : BarContainer
        A bar for each dimension.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_sparsevae.plotting import LatentUsageDisplay
    >>> LatentUsageDisplay(np.array([0.0, 2.5, 0.7])).n_active
    2
    """

    def __init__(self, kl_per_dim: NDArray[Any], threshold: float = 0.01) -> None:
        is_number = isinstance(threshold, numbers.Real)
        if not is_number or not abs(threshold) <= sys.float_info.max:
            raise ValueError(f"Got threshold={threshold!r}; expected a finite number.")
        self.kl_per_dim = as_row(kl_per_dim, "kl_per_dim")
        self.threshold = threshold

    @property
    def n_active(self) -> int:
        """Number of dimensions above the threshold."""
        return int(np.count_nonzero(self.kl_per_dim > self.threshold))

    @classmethod
    def from_estimator(
        cls, estimator: Any, *, threshold: float = 0.01, ax: Axes | None = None
    ) -> Self:
        """Draw the dimensions of a fitted estimator.

        Parameters
        ----------
        estimator : fitted estimator
            Anything with ``kl_per_dim_``, such as `GaussianVAE`.
        threshold : float, default=0.01
            Dimensions with a larger divergence, in nats, are drawn as active.
        ax : Axes, optional
            Where to draw; by default in a new figure.

        Returns
        -------
        display : LatentUsageDisplay
            With ``figure_`` and ``ax_``.
        """
        check_has(estimator, "kl_per_dim_", "GaussianVAE has, once it is fitted.")
        return cls(estimator.kl_per_dim_, threshold).plot(ax=ax)

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw the sorted divergences, active dimensions in one colour.

        Parameters
        ----------
        ax : Axes, optional
            Where to draw; by default in a new figure.

        Returns
        -------
        display : LatentUsageDisplay
            Itself.
        """
        self.ax_ = one_axes(ax)
        self.figure_ = self.ax_.figure
        ranked = np.sort(self.kl_per_dim)[::-1]
        colors = np.where(ranked > self.threshold, "tab:blue", "tab:red")
        self.bars_ = self.ax_.bar(np.arange(len(ranked)), ranked, color=colors)
        self.ax_.set(
            xlabel="dimension, most used first",
            ylabel="KL divergence (nats)",
            title=f"{self.n_active} of {len(ranked)} dimensions active, "
            f"{ranked.sum():.1f} nats a site",
        )
        self.ax_.set_ylim(bottom=0)
        return self
