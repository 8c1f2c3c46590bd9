"""Spectral clustering over the sites of each image.

Longer than other modules by the description of the parameters.
"""

from numbers import Integral, Real
from typing import Literal

import numpy as np
from scipy import sparse
from scipy.linalg import eigh, svd
from scipy.sparse.linalg import LinearOperator, eigsh, svds
from sklearn.neighbors import KNeighborsClassifier
from sklearn.utils._param_validation import Interval

from sklearn_sparsevae._parameters import parameters
from sklearn_sparsevae.segmentation._base import BaseSegmenter
from sklearn_sparsevae.segmentation._boundary import factorize
from sklearn_sparsevae.segmentation._clusters import distinct_rows, fit_k_means
from sklearn_sparsevae.segmentation._foreground import object_probability
from sklearn_sparsevae.segmentation._score import is_flat
from sklearn_sparsevae.segmentation._sites import DENSE_ROWS, look, unit_rows

# Affinity of sites that look nothing alike: keeps every image in one piece.
_FLOOR = 1e-4
# A finer grid is averaged to at most this many sites before it is cut into regions.
MAX_REGION_SITES = 4096


def local_embedding(sites, n_components, color_scale, texture_scale, radius):
    """Leading eigenvectors of the random walk between nearby sites that look alike.

    Of ``D^-1 A``, where ``A_ij = exp(-|c_i - c_j|^2 / (2 color_scale^2) - |t_i - t_j|^2
    / (2 texture_scale^2))`` for colours c and textures t of sites at most ``radius``
    apart: the normalised cut of Shi and Malik. A few thousand pairs take part, so that
    shift and invert within a band beats a dense solver from 200 sites on.

    Parameters
    ----------
    sites : Sites
    n_components : int
    color_scale, texture_scale : float
    radius : float

    Returns
    -------
    embedding : ndarray of shape (h * w, min(n_components, h * w))
        Rows of unit length.
    """
    n_sites = len(sites.color)
    pairs = nearby_pairs(sites.grid_shape, radius)
    features = np.hstack([sites.color / color_scale, sites.texture / texture_scale])
    squared = ((features[pairs[0]] - features[pairs[1]]) ** 2).sum(axis=1)
    affinity = sparse.coo_array(
        (np.exp(-squared / 2) + _FLOOR, pairs), shape=(n_sites, n_sites)
    )
    affinity = affinity + affinity.T + sparse.eye_array(n_sites)
    scale = 1 / np.sqrt(affinity.sum(axis=1))
    walk = sparse.diags_array(scale) @ affinity @ sparse.diags_array(scale)
    embedding = _leading_eigenvectors(walk, n_components) * scale[:, None]
    return unit_rows(embedding)


def _leading_eigenvectors(matrix, n_components):
    """Eigenvectors of the largest eigenvalues, all of which are at most 1."""
    n = matrix.shape[0]
    if n <= max(DENSE_ROWS, 4 * n_components):
        first = max(0, n - n_components)
        return eigh(matrix.toarray(), subset_by_index=[first, n - 1])[1]
    shift = 1 + 1e-3
    solve = factorize(shift * sparse.eye_array(n) - matrix)
    inverse = LinearOperator((n, n), lambda x: -solve(x))
    start = np.random.RandomState(0).uniform(size=n)
    return eigsh(matrix, n_components, sigma=shift, OPinv=inverse, v0=start)[1]


def nearby_pairs(grid_shape, radius):
    """Pairs of sites at most ``radius`` apart as two index arrays, each pair once."""
    h, w = grid_shape
    sites = np.arange(h * w).reshape(h, w)
    reach = int(radius)
    steps = [
        (down, right)
        for down in range(reach + 1)
        for right in range(-reach, reach + 1)
        if (down or right > 0) and down**2 + right**2 <= radius**2
        if down < h and abs(right) < w
    ]
    first, second = [np.empty(0, int)], [np.empty(0, int)]
    for down, right in steps:
        left = max(0, -right)
        first.append(sites[: h - down, left : w - max(0, right)].ravel())
        second.append(sites[down:, left + right : w + min(0, right)].ravel())
    return np.concatenate(first), np.concatenate(second)


def spectral_embedding(X, n_components, weights=None):
    """Leading eigenvectors of the normalised affinity ``(1 + cos) / 2`` of all rows.

    The normalised affinity is ``F F^T`` with ``F = D^-1/2 [1, x / |x|] / sqrt(2)``, so
    its eigenvectors are the left singular vectors of F, and no matrix of all pairs of
    rows is ever built.

    Parameters
    ----------
    X : csr_array or ndarray of shape (n, n_features)
    n_components : int
    weights : ndarray of shape (n,), optional
        How many equal rows each row stands for: the result is theirs.

    Returns
    -------
    embedding : ndarray of shape (n, min(n_components, n, n_features + 1))
        Rows of unit length.

    Notes
    -----
    For 1,024 rows of 512 atoms, 1.4 % of them not zero, the iterative solver with F as
    it comes takes 3.4 ms on one core; a dense one 17 ms on ``F^T F`` and 85 ms on
    ``F F^T``, and 45 ms for each image of a batch of the former: that pays on a GPU
    alone. Where eigenvalues lie as close as those of Gaussian rows do, the iterative
    one takes 22 ms, the dense one 35. To stop it early would save less than a tenth at
    three clusters, so it runs to machine precision, which tells eigenvalues that nearly
    coincide apart.
    """
    factors = _affinity_factors(X)
    if weights is None:
        degrees = factors @ factors.sum(axis=0)
        factors = sparse.diags_array(1 / np.sqrt(degrees)) @ factors
    else:
        # c equal rows of F have the products of one that is sqrt(c) times as long.
        degrees = factors @ (weights @ factors)
        factors = sparse.diags_array(np.sqrt(weights / degrees)) @ factors
    size = min(factors.shape)
    if size <= max(DENSE_ROWS, 4 * n_components):
        dense = factors.toarray() if sparse.issparse(factors) else factors
        vectors = svd(dense, full_matrices=False)[0][:, :n_components]
    else:
        start = np.random.RandomState(0).uniform(size=size)
        vectors = svds(factors, n_components, v0=start, return_singular_vectors="u")[0]
    return unit_rows(vectors)


def _affinity_factors(X):
    """Matrix F of shape (n, n_features + 1) whose ``F F^T`` is ``(1 + cos) / 2``."""
    unit = unit_rows(X.astype(np.float64))
    ones = np.ones((unit.shape[0], 1))
    if sparse.issparse(unit):
        return sparse.hstack([sparse.csr_array(ones), unit], format="csr") / np.sqrt(2)
    return np.hstack([ones, unit]) / np.sqrt(2)


@parameters
class SpectralSegmenter(BaseSegmenter):
    """Segment images by spectral clustering of the codes of their sites.

    Sites that look alike and lie close together belong together: k-means in the leading
    eigenvectors of the random walk ``D^-1 A``, where ``A_ij = exp(-|c_i - c_j|^2 /
    (2 color_scale^2) - |t_i - t_j|^2 / (2 texture_scale^2))`` for sites at most
    ``radius`` apart [1]_. c is the colour of a site, which codes of images carry along,
    t says which atoms are used around it.

    By default, and so in ``Pipeline([("enc", SparseCodingVAE()), ("seg",
    SpectralSegmenter())])``, the result is one object and its background. With three or
    more clusters, it is that many regions.

    Parameters
    ----------
    n_clusters : int, default=2
        Number of regions per image. Where the foreground is asked for, the number of
        Gaussians that describe the colours of the object, and of the background.
    n_regions : int, default=32
        Clusters that the foreground is first put together from.
    color_scale : float, default=3.0
        Distance of colours, in CIE Lab, at which sites part.
    texture_scale : float, default=0.5
        Distance of textures at which sites part, where those of one image have a
        variance of 1. ``numpy.inf`` leaves the codes out.
    radius : float, default=4.0
        Distance, in sites, up to which sites are compared.
    foreground : {"auto", "boundary", "clusters"} or None, default="auto"
        None returns the regions. The others return 1 for foreground and 0 for
        background. ``"boundary"``: regions are foreground that look unlike the border
        of the image, are enclosed by others, near the centre and warm; the colours of
        both sides then sharpen the split. ``"clusters"``, as in SC-VAE [3]_:
        ``n_clusters`` clusters of the codes alone, by the affinity ``(1 + cos) / 2`` of
        all pairs of sites, are foreground but for the one most connected to the border
        [2]_. ``"auto"`` is ``"boundary"`` for two clusters, else None.
    refine : {"color"} or None, default="color"
        Move the outline of the foreground to the edges of the photo's thumbnail, which
        codes of images carry along. Without thumbnails, at ``resolution="grid"`` and
        for regions, this does nothing.
    resolution : {"image", "grid"}, default="image"
        Label every pixel, or every site.
    grid_shape : tuple of int (h, w), optional
        Grid of codes that come as a plain matrix. A plain matrix without it is one
        scene, whose rows are its sites, with the affinity ``(1 + cos) / 2`` of all
        pairs; new rows then get the label of the nearest row of ``fit``.
    min_confidence : float, default=0.3
        An image whose foreground is less certain has no object: its mask is 0
        everywhere. The default leaves out textures and skies. Not for ``"clusters"``.
    n_init : int, default=3
        Starts of k-means, of which the best is kept.
    n_jobs : int, optional
        Images segmented at the same time; does not change the result.
    random_state : int, RandomState instance or None, default=None
        Every image uses the same seed.
    verbose : int, default=0
        Above zero: a line on the error output with a bar over the images, images a
        second and the time left.

    Attributes
    ----------
    labels_ : ndarray of int of shape (n_images, H, W), (n_images, h, w) or (n_rows,)
        Labels of the data of ``fit``; a list of label maps where those were in a list.
    confidence_ : ndarray of shape (n_images,)
        In [0, 1]: the intersection over union that is expected of the foreground, from
        the photo alone; of regions and ``"clusters"`` the share of variance between
        them; 0 for flat images.
    is_scene_ : bool
        Whether ``fit`` saw one scene rather than images.
    n_atoms_ : int
        Atoms per site; not for a scene.
    grid_shape_ : tuple of int (h, w) or None
        Grid of the images of ``fit``, with which a plain matrix is read from then on;
        None where they differ in size; not for a scene.
    n_features_in_ : int
        Columns seen in ``fit``; not for images that differ in size.

    See Also
    --------
    KMeansSegmenter : k-means, also with one set of clusters for all images.

    Notes
    -----
    Grids of more than 1,024 sites are averaged to at most that many first (4,096 for
    regions). No mask was used to fit anything: ``_constants.py`` says of every number
    where it comes from. What each ingredient is worth on photos is measured in
    ``benchmarks/segmentation``.

    References
    ----------
    .. [1] J. Shi, J. Malik. "Normalized Cuts and Image Segmentation". PAMI 2000.
    .. [2] W. Zhu, S. Liang, Y. Wei, J. Sun. "Saliency Optimization from Robust
       Background Detection". CVPR 2014.
    .. [3] P. Xiao et al. "SC-VAE: Sparse Coding-based Variational Autoencoder with
       Learned ISTA". Pattern Recognition, 2025.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_sparsevae.codes import SparseCodes
    >>> from sklearn_sparsevae.segmentation import SpectralSegmenter
    >>> scene = np.pad(np.full((2, 8, 8, 1), 3.0), [(0, 0), (4, 4), (4, 4), (0, 0)])
    >>> codes = SparseCodes(scene.reshape(2, -1), grid_shape=(16, 16))
    >>> masks = SpectralSegmenter(random_state=0).fit_predict(codes)
    >>> masks.shape, masks.sum(axis=(1, 2))
    ((2, 16, 16), array([64, 64]))
    """

    foreground: Literal["auto", "boundary", "clusters"] | None = "auto"
    n_regions: int = 32
    color_scale: float = 3.0
    texture_scale: float = 0.5
    radius: float = 4.0

    _parameter_constraints = {
        **BaseSegmenter._parameter_constraints,
        "n_regions": [Interval(Integral, 2, None, closed="left")],
        "color_scale": [Interval(Real, 0, None, closed="right")],
        "texture_scale": [Interval(Real, 0, None, closed="right")],
        "radius": [Interval(Real, 1, None, closed="left")],
    }

    def _fit_scene(self, X):
        distinct, group, labels = self._cluster_rows(X)
        self._neighbors_ = KNeighborsClassifier(1).fit(distinct, labels)
        return labels[group]

    def _cluster_rows(self, X):
        """Distinct rows, which of them each row is, and their labels."""
        distinct, group, weights = distinct_rows(X)
        n_clusters = 1 if is_flat(X) else self.n_clusters
        embedding = spectral_embedding(distinct, n_clusters, weights)
        model = fit_k_means(
            embedding, n_clusters, self.n_init, self._seed_, weights=weights
        )
        return distinct, group, model.labels_

    def _cluster_codes(self, codes):
        _, group, labels = self._cluster_rows(codes.sites())
        return labels[group]

    def _predict_scene(self, X):
        distinct, group, _ = distinct_rows(X)
        return self._neighbors_.predict(distinct)[group]

    def _regions(self, codes):
        sites = look(codes, MAX_REGION_SITES)
        return self._cut(sites, self.n_clusters), sites.features, sites.grid_shape

    def _object_probability(self, sites):
        """Mean over regions of what the cues say of their sites."""
        return self._mean_over_regions(object_probability(sites), sites)

    def _mean_over_regions(self, probability, sites):
        labels = self._cut(sites, self.n_regions)
        mean = np.bincount(labels, probability) / np.maximum(np.bincount(labels), 1)
        return mean[labels]

    def _cut(self, sites, n_regions):
        if sites.is_flat:
            return np.zeros(len(sites.color), dtype=np.int32)
        embedding = local_embedding(
            sites, n_regions, self.color_scale, self.texture_scale, self.radius
        )
        return fit_k_means(embedding, n_regions, self.n_init, self._seed_).labels_
