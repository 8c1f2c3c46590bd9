"""How often each atom is used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from sklearn_sparsevae._typing import Codes
from sklearn_sparsevae.metrics import atom_usage, usage_perplexity
from sklearn_sparsevae.plotting._common import as_row, one_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class UsageDisplay:
    """How often each atom is used over a set of codes, most used first.

    Without the atoms that code channel means, which are always on.

    Parameters
    ----------
    usage : ndarray of int of shape (n_atoms - n_mean_atoms,)
        Sites that use each atom.
    perplexity : float
        Perplexity of that usage.

    Attributes
    ----------
    n_dead : int
        Atoms that no site uses.
    ax_ : Axes
        Where the curve is drawn.
    figure_ : Figure
        Its figure.
    line_ : Line2D
        The curve.

    Examples
    --------
    >>> from sklearn_sparsevae.plotting import UsageDisplay
    >>> display = UsageDisplay.from_codes([[1.0, 0.0, 0.0], [2.0, 1.0, 0.0]])
    >>> display.usage, display.n_dead
    (array([2, 1, 0]), 1)
    """

    def __init__(self, usage: NDArray[Any], perplexity: float) -> None:
        self.usage = as_row(usage, "usage")
        self.perplexity = perplexity

    @property
    def n_dead(self) -> int:
        """Number of atoms that no site uses."""
        return int(np.count_nonzero(self.usage == 0))

    @classmethod
    def from_codes(
        cls,
        codes: Codes,
        *,
        n_atoms: int | None = None,
        n_mean_atoms: int | None = None,
        ax: Axes | None = None,
    ) -> Self:
        """Count the usage of each atom and draw it.

        Parameters
        ----------
        codes : SparseCodes, list of SparseCodes, sparse matrix or array-like
            Codes of a whole set.
        n_atoms, n_mean_atoms : int, optional
            Atoms per site of a plain matrix, and how many of them code means, see
            :func:`~sklearn_sparsevae.metrics.atom_usage`.
        ax : Axes, optional
            Where to draw; by default in a new figure.

        Returns
        -------
        display : UsageDisplay
            With ``figure_`` and ``ax_``.
        """
        usage = atom_usage(codes, n_atoms, n_mean_atoms=n_mean_atoms)
        perplexity = usage_perplexity(codes, n_atoms, n_mean_atoms=n_mean_atoms)
        return cls(usage, perplexity).plot(ax=ax)

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw the sorted usage.

        Parameters
        ----------
        ax : Axes, optional
            Where to draw; by default in a new figure.

        Returns
        -------
        display : UsageDisplay
            Itself.
        """
        self.ax_ = one_axes(ax)
        self.figure_ = self.ax_.figure
        ranked = np.sort(self.usage)[::-1]
        (self.line_,) = self.ax_.step(np.arange(len(ranked)), ranked, where="mid")
        self.ax_.set(
            xlabel="atom, most used first",
            ylabel="sites that use it",
            title=f"perplexity {self.perplexity:.0f} of {len(ranked)}, "
            f"{self.n_dead} dead",
        )
        self.ax_.set_ylim(bottom=0)
        return self
