"""Boundary connectivity and the saliency built on it, on a grid of sites.

An object rarely touches the border of a photo for long, while the background does.
Equation numbers refer to [1]_. Where the paper works on superpixels of a few hundred
pixels, these functions work on the sites of a grid.

References
----------
.. [1] W. Zhu, S. Liang, Y. Wei, J. Sun. "Saliency Optimization from Robust Background
   Detection". CVPR 2014.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.linalg import cho_solve_banded, cholesky_banded
from scipy.sparse import csgraph
from scipy.sparse.linalg import cg
from scipy.spatial.distance import cdist, pdist, squareform

from sklearn_sparsevae._arguments import as_ndarray
from sklearn_sparsevae._typing import Grid
from sklearn_sparsevae.segmentation import _constants as constants
from sklearn_sparsevae.segmentation._input import check_features, check_scale

__all__ = [
    "background_probability",
    "boundary_connectivity",
    "region_boundary_connectivity",
]

# Smallest length of an edge: csgraph reads a zero as "no edge".
_TINY = 1e-6
# Size of the residual, as a share of the right side, at which a system is solved, and
# the steps that may take.
_SOLVED = 1e-6
_MOST_STEPS = 500
# The connectivity of a label is found at its place in an array.
_LARGEST_LABEL = 2**24


def border_sites(grid_shape, depth=(1, 1)):
    """Return the indices of the sites on the border of the grid, ascending.

    ``depth`` says how many rows and columns of sites count on each side.
    """
    (rows, columns), border = depth, np.ones(grid_shape, dtype=bool)
    border[rows:-rows, columns:-columns] = False
    return np.flatnonzero(border)


def neighbor_pairs(grid_shape):
    """Pairs of 8-connected neighbours as two index arrays, each pair once."""
    sites = np.arange(np.prod(grid_shape)).reshape(grid_shape)
    pairs = [
        (sites[:, :-1], sites[:, 1:]),
        (sites[:-1], sites[1:]),
        (sites[:-1, :-1], sites[1:, 1:]),
        (sites[:-1, 1:], sites[1:, :-1]),
    ]
    first, second = zip(*((a.ravel(), b.ravel()) for a, b in pairs))
    return np.concatenate(first), np.concatenate(second)


def linked_pairs(grid_shape):
    """Neighbour pairs, and every pair of border sites (section 3.2); each pair once."""
    n_sites = int(np.prod(grid_shape))
    border = border_sites(grid_shape)
    a, b = np.triu_indices(len(border), 1)
    i, j = neighbor_pairs(grid_shape)
    first = np.concatenate([np.minimum(i, j), border[a]])
    second = np.concatenate([np.maximum(i, j), border[b]])
    pairs = np.unique(first * n_sites + second)
    return pairs // n_sites, pairs % n_sites


def region_boundary_connectivity(labels: NDArray[Any]) -> NDArray[np.floating]:
    """Hard boundary connectivity of every region of a label map.

    ``BndCon(R) = |sites of R on the border| / sqrt(|sites of R|)``, Eq. 1 of [1]_.

    Parameters
    ----------
    labels : ndarray of int of shape (h, w)
        Label map with labels of 0 or more.

    Returns
    -------
    connectivity : ndarray of shape (labels.max() + 1,)
        Zero for labels that do not occur.

    References
    ----------
    .. [1] Zhu et al., CVPR 2014 (see the module).

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_sparsevae.segmentation import region_boundary_connectivity
    >>> region_boundary_connectivity(np.pad([[1, 1], [1, 1]], 1)).round(2)
    array([3.46, 0.  ])
    """
    labels = as_ndarray(labels, "labels")
    if labels.ndim != 2 or labels.dtype.kind not in "iu" or not labels.size:
        raise ValueError(
            f"Got labels of shape {labels.shape} and type {labels.dtype}; expected one "
            "map of integers, (h, w)."
        )
    if labels.min() < 0 or labels.max() > _LARGEST_LABEL:
        raise ValueError(
            f"Got labels from {labels.min()} to {labels.max()}; expected them from 0 "
            f"to {_LARGEST_LABEL}. Number them anew: "
            "np.unique(labels, return_inverse=True)."
        )
    labels = labels.astype(np.int64)
    n_regions = int(labels.max()) + 1
    flat = labels.ravel()
    on_border = np.bincount(flat[border_sites(labels.shape)], minlength=n_regions)
    size = np.bincount(flat, minlength=n_regions)
    return on_border / np.sqrt(np.maximum(size, 1))  # [Zhu 2014 Eq. 1]


def pair_lengths(features, pairs, grid_shape):
    """Appearance distance of each pair, less the typical distance of neighbours.

    The typical distance is the mean over sites of the distance to the most similar
    neighbour. Taking it off keeps noise from adding up along a path.
    """
    lengths = np.linalg.norm(features[pairs[0]] - features[pairs[1]], axis=1)
    nearest = np.full(len(features), np.inf)
    neighbors = neighbor_pairs(grid_shape)
    apart = np.linalg.norm(features[neighbors[0]] - features[neighbors[1]], axis=1)
    for ends in neighbors:
        np.minimum.at(nearest, ends, apart)
    return np.maximum(lengths - nearest.mean(), 0) + _TINY


def geodesic_distances(features, grid_shape, limit=np.inf):
    """Length of the shortest path between all sites, Eq. 2 of [1]_.

    Parameters
    ----------
    features : ndarray of shape (h * w, n_features)
        Appearance of every site, such as its colour in CIE Lab.
    grid_shape : tuple of int (h, w)
        Sites per column and per row.
    limit : float
        Pairs further apart than this count as infinitely far; saves time.

    Returns
    -------
    distances : ndarray of shape (h * w, h * w)
    """
    pairs = linked_pairs(grid_shape)
    if len(pairs[0]) == 0:
        return np.zeros((1, 1))
    lengths = pair_lengths(features, pairs, grid_shape)
    n_sites = len(features)
    near = lengths <= limit
    graph = sparse.csr_array(
        (lengths[near], (pairs[0][near], pairs[1][near])), shape=(n_sites, n_sites)
    )
    return csgraph.dijkstra(graph, directed=False, limit=limit)  # [Zhu 2014 Eq. 2]


def boundary_connectivity(
    features: NDArray[Any], grid_shape: Grid, scale: float
) -> NDArray[np.floating]:
    """Soft boundary connectivity of every site, Eq. 3 to 5 of [1]_.

    Every site stands for the region it spans: all sites that are geodesically near,
    where the sites on the border are all linked to one another.

    Parameters
    ----------
    features : ndarray of shape (h * w, n_features)
        Appearance of every site.
    grid_shape : tuple of int (h, w)
        Sites per column and per row.
    scale : float
        Geodesic distance, in the unit of the features, at which sites part.

    Returns
    -------
    connectivity : ndarray of shape (h * w,)
        At least 0; near 0 inside an object, 1 and more in the background.

    References
    ----------
    .. [1] Zhu et al., CVPR 2014 (see the module).

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_sparsevae.segmentation import boundary_connectivity
    >>> scene = np.pad(np.full((3, 3), 100.0), 2).reshape(-1, 1)
    >>> boundary_connectivity(scene, (7, 7), scale=10.0)[[0, 24]].round(2)
    array([3.79, 0.  ])
    """
    features, grid_shape = check_features(features, grid_shape, "features")
    scale = check_scale(scale)
    # exp(-d**2 / 2) is below 0.004 beyond 3.33 scales.
    distances = geodesic_distances(features, grid_shape, limit=10 / 3 * scale)
    span = np.exp(-((distances / scale) ** 2) / 2)
    area = span.sum(axis=1)  # [Zhu 2014 Eq. 3]
    length = span[:, border_sites(grid_shape)].sum(axis=1)  # [Zhu 2014 Eq. 4]
    return length / np.sqrt(area)  # [Zhu 2014 Eq. 5]


def background_probability(
    connectivity: NDArray[Any], scale: float
) -> NDArray[np.floating]:
    """Probability of every site to be background, Eq. 7 of Zhu et al. 2014.

    Parameters
    ----------
    connectivity : ndarray
        Boundary connectivity of every site, at least 0.
    scale : float
        Connectivity at which the probability is 0.39.

    Returns
    -------
    probability : ndarray
        In [0, 1], of the shape of ``connectivity``.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_sparsevae.segmentation import background_probability
    >>> background_probability(np.array([0.0, 1.0, 5.0]), scale=1.0).round(2)
    array([0.  , 0.39, 1.  ])
    """
    connectivity, scale = as_ndarray(connectivity, "connectivity"), check_scale(scale)
    if connectivity.dtype.kind not in "fiu" or not (connectivity >= 0).all():
        raise ValueError(
            f"Got connectivity of type {connectivity.dtype}, perhaps with NaN or "
            "negative numbers; expected numbers of at least 0."
        )
    return 1 - np.exp(-((connectivity / scale) ** 2) / 2)  # [Zhu 2014 Eq. 7]


def border_affinity(features, grid_shape, scale):
    """How much of what looks like a site lies on the border, as a logarithm.

    0 where it is as common on the border as anywhere, negative where it is rarer: a
    look that does not reach the border belongs to an object. Unlike boundary
    connectivity this does not ask how a site is connected to the border.

    Returns
    -------
    affinity : ndarray of shape (h * w,)
    """
    border = border_sites(
        grid_shape, [max(1, round(n * constants.BORDER_SHARE)) for n in grid_shape]
    )
    # Seven digits are enough, and a product of matrices is quicker than all distances.
    near = ((features - features.mean(axis=0)) / scale).astype(np.float32)
    half = np.einsum("ij,ij->i", near, near) / 2
    alike = np.exp(near @ near.T - half - half[:, None])
    share = alike[:, border].sum(axis=1) / alike.sum(axis=1)
    return np.log(share / (len(border) / len(features)) + constants.BORDER_FLOOR)


def border_distance(features, grid_shape):
    """Length of the shortest path from every site to the border, Wei et al. 2012.

    Short where a site is linked to the border by sites that look like it, whatever
    their number.

    Returns
    -------
    distance : ndarray of shape (h * w,)
    """
    n_sites, pairs = len(features), neighbor_pairs(grid_shape)
    border = border_sites(grid_shape)
    lengths = [np.full(len(border), _TINY)]
    if len(pairs[0]):
        lengths.insert(0, pair_lengths(features, pairs, grid_shape))
    first = np.concatenate([pairs[0], np.full(len(border), n_sites)])
    second = np.concatenate([pairs[1], border])
    graph = sparse.csr_array(
        (np.concatenate(lengths), (first, second)), shape=(n_sites + 1, n_sites + 1)
    )
    return csgraph.dijkstra(graph, directed=False, indices=n_sites)[:n_sites]


def background_weighted_contrast(features, grid_shape, background):
    """Contrast of every site to the background around it, Eq. 8, scaled to [0, 1]."""
    position = np.indices(grid_shape).reshape(2, -1).T / max(grid_shape)
    weight = np.exp(
        -cdist(position, position, "sqeuclidean") / (2 * constants.CONTRAST_REACH**2)
    )
    contrast = (squareform(pdist(features)) * weight) @ background  # [Zhu 2014 Eq. 8]
    largest = contrast.max()
    return contrast / largest if largest > _TINY else np.zeros_like(contrast)


def optimize_saliency(features, grid_shape, background, foreground, scale, floor):
    """Saliency of every site that weighs both cues and smoothness, Eq. 9.

    The minimiser over s of ``sum_i background_i s_i^2 + foreground_i (s_i - 1)^2 +
    sum_ij w_ij (s_i - s_j)^2``, with ``w_ij = exp(-d_ij^2 / (2 scale^2)) + floor``
    on the pairs of :func:`linked_pairs`.
    """
    pairs, weight = linked_pairs(grid_shape), background + foreground
    return relax(features, pairs, weight, foreground, scale, floor)


def relax(features, pairs, weight, pull, scale, floor):
    """Minimise ``sum_i weight_i s_i^2 - 2 pull_i s_i + sum_ij w_ij (s_i - s_j)^2``.

    ``w_ij = exp(-d_ij^2 / (2 scale^2)) + floor`` for each pair, as in Eq. 10.
    """
    apart = features[pairs[0]] - features[pairs[1]]
    squared = np.einsum("ij,ij->i", apart, apart)
    weights = np.exp(-squared / (2 * scale**2)) + floor  # [Zhu 2014 Eq. 10]
    n_sites = len(features)
    graph = sparse.csr_array((weights, pairs), shape=(n_sites, n_sites))
    graph = graph + graph.T
    diagonal = graph.sum(axis=1) + weight + _TINY
    system = sparse.diags_array(diagonal, format="csr") - graph
    return _solve(system, pull, pull / (weight + _TINY), diagonal)  # [Zhu 2014 Eq. 9]


def _solve(system, right, start, diagonal):
    """Solution of a positive definite system by conjugate gradients.

    Where every site has a weight of its own some thirty steps are enough, which take a
    fifth of the time of a factorisation. Where they are not, that is the way.
    """
    inverse = sparse.diags_array(1 / diagonal)
    solution, failed = cg(
        system, right, start, rtol=_SOLVED, maxiter=_MOST_STEPS, M=inverse
    )
    return factorize(system)(right) if failed else solution


def factorize(matrix):
    """Return a function that solves a sparse symmetric positive definite system.

    On a grid, Cholesky within the band takes less than half the time of a sparse
    factorisation. The rows come in the order in which they are, or, where that leaves a
    narrower band, in that of reverse Cuthill and McKee.
    """
    entries = matrix.tocoo()
    order = csgraph.reverse_cuthill_mckee(matrix.tocsr(), symmetric_mode=True)
    places = np.arange(len(order)), np.argsort(order)
    place = min(places, key=lambda place: _band(entries, place)[0].max())
    below, column, values = _band(entries, place)
    band = np.zeros((below.max() + 1, len(order)))
    band[below, column] = values
    factor = cholesky_banded(band, overwrite_ab=True, lower=True, check_finite=False)

    def solve(right):
        ordered = np.empty(len(right))
        ordered[place] = right
        return cho_solve_banded((factor, True), ordered, check_finite=False)[place]

    return solve


def _band(entries, place):
    """Entries on and below the diagonal: how far below, their columns, their values."""
    row, column = place[entries.row], place[entries.col]
    lower = row >= column
    return (row - column)[lower], column[lower], entries.data[lower]
