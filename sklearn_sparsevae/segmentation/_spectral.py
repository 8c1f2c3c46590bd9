"""Spectral clustering over the sites of each image."""

import numpy as np
from scipy import sparse
from scipy.linalg import eigh
from sklearn.neighbors import KNeighborsClassifier

from sklearn_sparsevae.segmentation._base import BaseSegmenter
from sklearn_sparsevae.segmentation._sites import unit_rows


def spectral_embedding(X, n_components):
    """Leading eigenvectors of the normalised affinity ``(1 + cos) / 2`` of all rows.

    The affinity of n rows is ``F F^T`` with ``F = [1, x / |x|] / sqrt(2)``, so its
    eigenvectors come from the smaller of ``F F^T`` and ``F^T F``, and the n x n matrix
    is only built where n is the smaller number.

    Parameters
    ----------
    X : csr_array or ndarray of shape (n, n_features)
    n_components : int

    Returns
    -------
    embedding : ndarray of shape (n, min(n_components, n, n_features + 1))
        Rows of unit length.
    """
    factors = _affinity_factors(X)
    degrees = factors @ factors.sum(axis=0)
    factors = factors / np.sqrt(degrees)[:, None]
    wide = factors.shape[0] <= factors.shape[1]
    gram = factors @ factors.T if wide else factors.T @ factors
    size = len(gram)
    first = max(0, size - n_components)
    _, vectors = eigh(gram, subset_by_index=[first, size - 1])
    embedding = vectors if wide else factors @ vectors
    length = np.linalg.norm(embedding, axis=1, keepdims=True)
    return embedding / np.maximum(length, np.finfo(float).tiny)


def _affinity_factors(X):
    """Matrix F of shape (n, n_features + 1) whose ``F F^T`` is ``(1 + cos) / 2``."""
    unit = unit_rows(X)
    dense = unit.toarray() if sparse.issparse(unit) else np.asarray(unit)
    ones = np.ones((dense.shape[0], 1))
    return np.hstack([ones, dense.astype(np.float64)]) / np.sqrt(2)


class SpectralSegmenter(BaseSegmenter):
    """Segment images by spectral clustering of the codes of their sites.

    k-means in the leading eigenvectors of ``D^-1/2 A D^-1/2``, where ``A_ij = (1 +
    cos(z_i, z_j)) / 2`` for the codes z of two sites and D holds the row sums of A.

    Parameters
    ----------
    n_clusters : int, default=2
        Number of clusters per image; with ``foreground="boundary"``, of the object and
        of the background each.
    foreground : {"boundary"} or None, default=None
        None returns the clusters. ``"boundary"`` returns 1 for foreground and 0 for
        background: a saliency that rests on how strongly the region of a site is
        connected to the border of the image [1]_ splits the sites, and what the
        clusters of both sides look like then sharpens the split.
    resolution : {"image", "grid"}, default="image"
        Label every pixel, or every site.
    grid_shape : tuple of int (h, w), optional
        Grid of codes that come as a plain matrix. A plain matrix without it is one
        scene, whose rows are its sites; new rows then get the label of the nearest row
        of ``fit``.
    min_confidence : float, default=0.0
        With ``foreground="boundary"``, an image whose confidence is lower has no
        object: its mask is 0 everywhere.
    n_init : int, default=3
        Starts of k-means, of which the best is kept.
    n_jobs : int, optional
        Images segmented at the same time; does not change the result.
    random_state : int, RandomState instance or None, default=None
        Every image uses the same seed.
    verbose : int, default=0
        Above 1, print progress over the images.

    Attributes
    ----------
    labels_ : ndarray of int of shape (n_images, H, W), (n_images, h, w) or (n_rows,)
        Labels of the data of ``fit``.
    confidence_ : ndarray of shape (n_images,)
        In [0, 1]: share of variance between clusters, or the difference in saliency
        between foreground and background; 0 for flat images.
    is_scene_ : bool
        Whether ``fit`` saw one scene rather than images.
    n_atoms_ : int
        Atoms per site; not for a scene.
    n_features_in_ : int
        Columns seen in ``fit``.

    See Also
    --------
    KMeansSegmenter : k-means, also with one set of clusters for all images.

    References
    ----------
    .. [1] W. Zhu, S. Liang, Y. Wei, J. Sun. "Saliency Optimization from Robust
       Background Detection". CVPR 2014.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_sparsevae.codes import SparseCodes
    >>> from sklearn_sparsevae.segmentation import SpectralSegmenter
    >>> scene = np.pad(np.full((2, 8, 8, 1), 3.0), [(0, 0), (4, 4), (4, 4), (0, 0)])
    >>> codes = SparseCodes(scene.reshape(2, -1), grid_shape=(16, 16))
    >>> segmenter = SpectralSegmenter(foreground="boundary", random_state=0)
    >>> masks = segmenter.fit_predict(codes)
    >>> masks.shape, masks.sum(axis=(1, 2))
    ((2, 16, 16), array([64, 64]))
    """

    def __init__(
        self,
        n_clusters=2,
        *,
        foreground=None,
        resolution="image",
        grid_shape=None,
        min_confidence=0.0,
        n_init=3,
        n_jobs=None,
        random_state=None,
        verbose=0,
    ):
        super().__init__(
            n_clusters=n_clusters,
            foreground=foreground,
            resolution=resolution,
            grid_shape=grid_shape,
            min_confidence=min_confidence,
            n_init=n_init,
            n_jobs=n_jobs,
            random_state=random_state,
            verbose=verbose,
        )

    def _fit_scene(self, X):
        self._neighbors = KNeighborsClassifier(1).fit(X, self._cluster(X))
        return self._predict_scene(X)

    def _predict_scene(self, X):
        return self._neighbors.predict(X)

    def _embed(self, sites):
        return spectral_embedding(sites, self.n_clusters)
