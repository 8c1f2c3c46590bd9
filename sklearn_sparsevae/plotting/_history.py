"""How a training went, epoch by epoch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from sklearn_sparsevae.plotting._common import check_has, import_pyplot

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Figures that have a panel of their own, and what stands beside it. All others that are
# recorded of training or validation are terms of the loss.
_PANELS = {
    "psnr": "PSNR (dB)",
    "nonzeros": "non-zeros per site",
    "perplexity": "usage of atoms (perplexity)",
    "active_units": "active dimensions",
    "discriminator": "loss of the discriminator",
    "adaptive_weight": "weight of the discriminator",
}
_NO_TERMS = {"batch_count"}
# Terms that differ by more than this factor are drawn on a logarithmic scale.
_WIDE = 20


class HistoryDisplay:
    """Loss terms, PSNR, non-zeros and usage of the atoms over the epochs.

    Each has a panel where the history has it. What was recorded of validation images is
    dashed.

    Parameters
    ----------
    history : dict of array-like of shape (n_epochs,)
        ``history_`` of an estimator, or a table of it: columns ``train_...`` and
        ``valid_...``, and ``epoch``, without which epochs are counted from 1.
    loss_name : str, default="loss"
        What stands beside the panel of the loss, with its unit.

    Attributes
    ----------
    panels : dict of list of str
        Names of the figures drawn in each panel, by the name of the panel: "loss",
        "psnr", "nonzeros", "perplexity" and, where they are recorded, "active_units",
        "discriminator" and "adaptive_weight".
    axes_ : ndarray of Axes of shape (n_panels,)
        Panels, in that order.
    figure_ : Figure
        Their figure.
    lines_ : dict of Line2D
        The curves, by the name of the figure.

    Examples
    --------
    >>> from sklearn_sparsevae.plotting import HistoryDisplay
    >>> history = {"train_loss": [0.5, 0.3], "train_psnr": [20.0, 22.5]}
    >>> display = HistoryDisplay(history)
    >>> display.panels
    {'loss': ['train_loss'], 'psnr': ['train_psnr']}
    """

    def __init__(self, history: Mapping[str, Any], loss_name: str = "loss") -> None:
        self.history = _columns(history)
        self.loss_name = loss_name

    @classmethod
    def from_estimator(
        cls, estimator: Any, *, ax: Axes | NDArray[Any] | None = None
    ) -> Self:
        """Draw the history of a fitted estimator.

        Parameters
        ----------
        estimator : fitted estimator
            Anything with ``history_``; a Pipeline with one such step, or a search whose
            best estimator has it.
        ax : Axes, or array of Axes of shape (n_panels,), optional
            Where to draw; by default in a new figure.

        Returns
        -------
        display : HistoryDisplay
            With ``figure_``, ``axes_`` and ``lines_``.
        """
        step = _trained_step(estimator)
        return cls(step.history_, getattr(step, "_loss_name", "loss")).plot(ax=ax)

    @property
    def panels(self) -> dict[str, list[str]]:
        """Names of the figures drawn in each panel."""
        panels: dict[str, list[str]] = {"loss": [], **{name: [] for name in _PANELS}}
        for name in self.history:
            prefix, _, figure = name.partition("_")
            if prefix in ("train", "valid") and figure not in _NO_TERMS:
                panels[figure if figure in _PANELS else "loss"].append(name)
        return {panel: names for panel, names in panels.items() if names}

    def plot(self, ax: Axes | NDArray[Any] | None = None) -> Self:
        """Draw a panel for each kind of figure.

        Parameters
        ----------
        ax : Axes, or array of Axes of shape (n_panels,), optional
            Where to draw; by default in a new figure.

        Returns
        -------
        display : HistoryDisplay
            Itself.
        """
        panels = self.panels
        if not panels or not len(next(iter(self.history.values()))):
            raise ValueError(
                f"Got a history of {list(self.history)} with nothing to draw; expected "
                "at least one epoch, and figures such as 'train_loss'. Train with "
                "max_epochs=1 or more."
            )
        self.axes_ = _axes_of(panels, ax)
        self.figure_ = self.axes_[0].figure
        self.lines_: dict[str, Any] = {}
        for axes, (panel, names) in zip(self.axes_, panels.items()):
            self._draw(axes, names)
            axes.set(xlabel="epoch", ylabel=_PANELS.get(panel, self.loss_name))
            axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
            axes.set_xlim(*self._limits)
        return self

    def _draw(self, axes, names):
        """Draw the curves of one panel: a colour for each figure, dashes of photos."""
        names = sorted(names, key=lambda name: not name.endswith("_loss"))
        figures = list(dict.fromkeys(name.partition("_")[2] for name in names))
        for name in names:
            prefix, _, figure = name.partition("_")
            (self.lines_[name],) = axes.plot(
                self._epochs,
                self.history[name],
                color=f"C{figures.index(figure)}",
                linestyle="-" if prefix == "train" else "--",
                linewidth=2 if figure == "loss" else 1.2,
                marker=".",
            )
        axes.ticklabel_format(useOffset=False)
        values = np.concatenate([self.history[name] for name in names])
        values = values[np.isfinite(values)]
        if values.size and values.min() > 0 and values.max() > _WIDE * values.min():
            axes.set_yscale("log")
        self._explain(axes, figures, names)

    def _explain(self, axes, figures, names):
        """Say which curve is which, where there are several."""
        drawn = {name.partition("_")[2]: self.lines_[name] for name in reversed(names)}
        handles = [drawn[figure] for figure in figures] if len(figures) > 1 else []
        labels = ["sum" if f == "loss" else f.replace("_", " ") for f in figures]
        labels = labels if handles else []
        if any(name.startswith("valid_") for name in names):
            for label, style in {"training": "-", "validation": "--"}.items():
                handles += axes.plot([], [], color="0.3", linestyle=style)
                labels.append(label)
        if handles:
            place = {"loc": "lower center", "bbox_to_anchor": (0.5, 1), "ncols": 3}
            axes.legend(handles, labels, fontsize="small", frameon=False, **place)

    @property
    def _epochs(self):
        counted = np.arange(1, 1 + len(next(iter(self.history.values()))))
        return self.history.get("epoch", counted)

    @property
    def _limits(self):
        """Ends of the axis of epochs, the same in all panels."""
        first, last = self._epochs[0], self._epochs[-1]
        margin = 0.04 * (last - first) or 0.5
        return first - margin, last + margin


def _trained_step(estimator):
    """Find what has a history: an estimator, or the one step of a Pipeline that has."""
    estimator = getattr(estimator, "best_estimator_", estimator)
    steps = [step for _, step in getattr(estimator, "steps", [])]
    trained = [step for step in steps if hasattr(step, "history_")]
    if len(trained) == 1:
        return trained[0]
    if trained:
        raise ValueError(
            f"Got a Pipeline in which {[type(step).__name__ for step in trained]} have "
            "a history_; expected one. Give the step: pipe[0], for instance."
        )
    instead = "Fit it first: this package's autoencoders and CodePrior have it then."
    check_has(estimator, "history_", instead)
    return estimator


def _columns(history):
    """Return a history as a dict of arrays of numbers; what is no number is left."""
    if not hasattr(history, "keys"):
        raise TypeError(
            f"Got history of type {type(history).__name__}; expected a dict of arrays, "
            "such as history_ of a fitted estimator."
        )
    columns = {str(name): np.asarray(history[name]) for name in history.keys()}
    shapes = {name: column.shape for name, column in columns.items()}
    if len(set(shapes.values())) > 1 or any(len(s) != 1 for s in shapes.values()):
        raise ValueError(
            f"Got a history of columns of shapes {shapes}; expected one value of each "
            "figure for every epoch."
        )
    return {name: c for name, c in columns.items() if c.dtype.kind in "biuf"}


def _axes_of(panels, ax):
    """Return an array of Axes, one for each panel: those given, or of a new figure."""
    pyplot = import_pyplot()
    if ax is None:
        n_columns = 2 if len(panels) in (2, 4) else min(3, len(panels))
        n_rows = math.ceil(len(panels) / n_columns)
        size = (3.6 * n_columns, 2.8 * n_rows)
        figure = pyplot.figure(layout="constrained", figsize=size)
        ax = [figure.add_subplot(n_rows, n_columns, i + 1) for i in range(len(panels))]
    axes = np.asarray(ax, dtype=object).ravel()
    if len(axes) != len(panels):
        raise ValueError(
            f"Got {len(axes)} Axes as ax; expected {len(panels)}, one for each of "
            f"{list(panels)}. Leave ax out for a new figure."
        )
    if not all(hasattr(one, "plot") and hasattr(one, "imshow") for one in axes):
        raise TypeError(f"Got ax={ax!r}; expected Axes of matplotlib, or None.")
    return axes
