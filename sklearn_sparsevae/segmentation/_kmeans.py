"""k-means over the sites of each image, or over those of a whole set of images."""

import dataclasses
import math
from numbers import Real
from typing import Literal

import numpy as np
from scipy import sparse
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_sparsevae._parameters import parameters
from sklearn_sparsevae.segmentation._base import BaseSegmenter
from sklearn_sparsevae.segmentation._clusters import (
    cluster_rows,
    distinct_rows,
    fit_k_means,
)
from sklearn_sparsevae.segmentation._input import photos_of
from sklearn_sparsevae.segmentation._pooling import pooled_tiles
from sklearn_sparsevae.segmentation._score import is_flat, separation
from sklearn_sparsevae.segmentation._sites import (
    has_one_color,
    look,
    magnify_labels,
    unit_rows,
)

# k-means of pooled codes, which are dense, sees at most this many sites.
_MAX_POOLED = 2**15


@parameters
class KMeansSegmenter(BaseSegmenter):
    """Segment images by k-means over the codes of their sites.

    Minimises the squared distance of every site's code, scaled to unit length, to the
    centre of its cluster. With ``pooling`` it is that of which atoms are used around
    the site: textures, of which a single site says little.

    Parameters
    ----------
    n_clusters : int, default=2
        Number of clusters, per image or for the whole set. Where the foreground is
        asked for, the number of Gaussians that describe the colours of the object, and
        of the background.
    scope : {"image", "dataset"}, default="image"
        Cluster the sites of each image by themselves, or those of all images of
        ``fit`` together (mini-batch k-means), so that a label means the same in every
        image.
    pooling : float, default=0
        For textures: cluster the square roots of the magnitudes of the codes, averaged
        by a Gaussian of this standard deviation, in sites. Signs do not count, strength
        does. Choose it so that a few repetitions of a texture lie within: about 12
        pixels do for fine ones, 1.5 sites of 8 pixels or 3 of 4. Regions that are
        narrower than about twice that are lost. 0 clusters the code of every site.
    foreground : {"auto", "boundary", "clusters"} or None, default=None
        None returns the clusters. The others return 1 for foreground and 0 for
        background: ``"boundary"`` as :class:`SpectralSegmenter` does but without its
        regions, ``"clusters"`` all clusters but the one most connected to the border of
        the image. ``"auto"`` is ``"boundary"`` for two clusters, else None.
    refine : {"color"} or None, default="color"
        Move the outline of the foreground to the edges of the photo's thumbnail, which
        codes of images carry along. Without thumbnails, at ``resolution="grid"`` and
        for clusters, this does nothing.
    resolution : {"image", "grid"}, default="image"
        Label every pixel, or every site.
    grid_shape : tuple of int (h, w), optional
        Grid of codes that come as a plain matrix. A plain matrix without it is one
        scene, whose rows are its sites.
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
        the photo alone; of clusters the share of variance between them; 0 for flat
        images.
    cluster_centers_ : ndarray of shape (n_clusters, n_features)
        Only for ``scope="dataset"`` and for a scene.
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
    SpectralSegmenter : Spectral clustering of the sites of each image.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_sparsevae.codes import SparseCodes
    >>> from sklearn_sparsevae.segmentation import KMeansSegmenter
    >>> scene = np.pad(np.full((2, 8, 8, 1), 3.0), [(0, 0), (4, 4), (4, 4), (0, 0)])
    >>> codes = SparseCodes(scene.reshape(2, -1), grid_shape=(16, 16))
    >>> segmenter = KMeansSegmenter(foreground="boundary", random_state=0)
    >>> masks = segmenter.fit_predict(codes)
    >>> masks.shape, masks.sum(axis=(1, 2))
    ((2, 16, 16), array([64, 64]))
    """

    n_clusters: int = dataclasses.field(default=2, kw_only=False)
    scope: Literal["image", "dataset"] = "image"
    pooling: float = 0.0

    _parameter_constraints = {
        **BaseSegmenter._parameter_constraints,
        "scope": [StrOptions({"image", "dataset"})],
        "pooling": [Interval(Real, 0, None, closed="left")],
    }

    def _fit_scene(self, X):
        if self.pooling:
            raise ValueError(
                f"Got pooling={self.pooling} with a plain matrix of shape "
                f"{np.shape(X)}, one scene, whose rows have no neighbours; expected "
                "0, or SparseCodes. For images in a plain matrix set grid_shape=(h, w)."
            )
        self._fit_k_means(X)
        return self._predict_scene(X)

    def _predict_scene(self, X):
        distinct, group, _ = distinct_rows(X)
        return self._k_means_.predict(distinct)[group]

    def _fit_sites(self, parts):
        if self.scope == "image":
            return
        if self.pooling:
            self._fit_k_means(self._pooled_sample(parts)[1], MiniBatchKMeans)
            return
        sites = [unit_rows(codes.sites()) for codes in parts if codes.shape[0]]
        self._fit_k_means(sparse.vstack(sites, format="csr"), MiniBatchKMeans)

    def _fit_k_means(self, X, estimator=KMeans):
        distinct, _, weights = distinct_rows(X)
        n_clusters = 1 if is_flat(X) else self.n_clusters
        self._k_means_ = fit_k_means(
            distinct, n_clusters, self.n_init, self._seed_, estimator, weights
        )
        self.cluster_centers_ = self._k_means_.cluster_centers_

    def _regions(self, codes, shape):
        labels, confidence = self._cluster(codes)
        return magnify_labels(labels, codes.grid_shape, shape), confidence

    def _cluster_codes(self, codes):
        return self._cluster(codes)[0]

    def _cluster(self, codes):
        """Label of every site of one image, and how clearly the clusters part."""
        if self.pooling:
            return self._cluster_pooled(codes)
        features = unit_rows(codes.sites())
        if self.scope == "dataset":
            labels = self._predict_scene(features)
        elif is_flat(features) or _looks_flat(codes):
            labels = np.zeros(features.shape[0], dtype=np.int32)
        else:
            labels = cluster_rows(features, self.n_clusters, self.n_init, self._seed_)
        return labels, separation(codes.sites(), labels)

    def _cluster_pooled(self, codes):
        chosen, sample = self._pooled_sample([codes])
        labels = np.zeros(math.prod(codes.grid_shape), dtype=np.int32)
        if self.scope == "dataset":
            model = self._k_means_
        elif is_flat(sample) or _looks_flat(codes):
            return labels, 0.0
        else:
            model = fit_k_means(sample, self.n_clusters, self.n_init, self._seed_)
        for sites, roots in self._pooled(codes):
            labels[sites] = model.predict(roots)
        return labels, separation(sample, labels[chosen])

    def _pooled_sample(self, parts):
        """Which sites of all images in a row k-means sees, and what is pooled there."""
        total = sum(codes.shape[0] * math.prod(codes.grid_shape) for codes in parts)
        chosen = np.arange(total)
        if total > _MAX_POOLED:
            random = np.random.RandomState(self._seed_)
            chosen = np.sort(random.choice(total, _MAX_POOLED, replace=False))
        sample = np.empty((len(chosen), parts[0].n_atoms))
        start = 0
        for codes in photos_of(parts):
            for sites, roots in self._pooled(codes):
                inside = np.isin(start + sites, chosen, assume_unique=True)
                places = np.searchsorted(chosen, start + sites[inside])
                sample[places] = roots[inside]
            start += math.prod(codes.grid_shape)
        return chosen, sample

    def _pooled(self, codes):
        """Yield which sites a part of the grid has, and what is pooled there."""
        usage = abs(codes.sites())
        for sites, roots in pooled_tiles(usage, codes.grid_shape, self.pooling):
            yield sites, roots.astype(np.float64)  # the squares stay finite


def _looks_flat(codes):
    """Whether an image has a single colour, whatever a network saw at its border."""
    return has_one_color(codes) and look(codes).is_flat
