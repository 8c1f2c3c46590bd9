"""Regions from a map of boundaries."""

import math
from numbers import Real

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph

from sklearn_sparsevae._arguments import as_ndarray


def cut_boundaries(
    boundaries: NDArray[np.floating], threshold: float
) -> NDArray[np.int32]:
    """Regions that the boundaries of a map above a threshold enclose.

    Parameters
    ----------
    boundaries : ndarray of shape (H, W)
        Of one image, as :meth:`SpectralSegmenter.predict_boundaries` gives it: the
        strength of the boundary between a pixel and its right or lower neighbour.
    threshold : float
        Boundaries up to this strength part nothing.

    Returns
    -------
    labels : ndarray of int32 of shape (H, W)
        From 0, in the order in which the regions appear, row by row.

    Raises
    ------
    ValueError
        If ``boundaries`` is no map of finite numbers, or the threshold no number.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_sparsevae.segmentation import cut_boundaries
    >>> boundaries = np.array([[0.0, 0.8, 0.0, 0.0], [0.0, 0.8, 0.0, 0.0]])
    >>> cut_boundaries(boundaries, 0.5)
    array([[0, 0, 1, 1],
           [0, 0, 1, 1]], dtype=int32)
    """
    boundaries = as_ndarray(boundaries, "boundaries")
    if (
        boundaries.ndim != 2
        or not boundaries.size
        or boundaries.dtype.kind not in "fiu"
        or not np.isfinite(boundaries).all()
    ):
        raise ValueError(
            f"Got boundaries of shape {boundaries.shape} and type {boundaries.dtype}; "
            "expected one map of finite numbers, (H, W): an item of what "
            "predict_boundaries returns."
        )
    if isinstance(threshold, bool) or not isinstance(threshold, Real):
        raise TypeError(f"Got threshold={threshold!r}; expected a number.")
    if not -math.inf < threshold < math.inf:
        raise ValueError(f"Got threshold={threshold!r}; expected a finite number.")
    inside = boundaries <= threshold
    pixels = np.arange(boundaries.size).reshape(boundaries.shape)
    right, below = inside[:, :-1], inside[:-1]
    pairs = (
        np.concatenate([pixels[:, :-1][right], pixels[:-1][below]]),
        np.concatenate([pixels[:, 1:][right], pixels[1:][below]]),
    )
    # A corner pixel that nothing leads to lies in the region to its left, or above.
    alone = ~inside
    alone[:, 1:] &= ~right
    alone[1:] &= ~below
    alone[0, 0] = False
    lone = np.flatnonzero(alone)
    before = lone - np.where(lone % boundaries.shape[1], 1, boundaries.shape[1])
    graph = sparse.coo_array(
        (
            np.ones(len(pairs[0]) + len(lone), dtype=bool),
            (np.append(pairs[0], before), np.append(pairs[1], lone)),
        ),
        shape=2 * (boundaries.size,),
    )
    labels = csgraph.connected_components(graph, directed=False)[1]
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    order = np.argsort(np.argsort(first))
    return order[inverse].reshape(boundaries.shape).astype(np.int32)
