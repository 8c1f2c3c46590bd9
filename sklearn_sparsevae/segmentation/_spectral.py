"""Spectral clustering over the sites of each image.

Longer than other modules by the description of the parameters.
"""

import dataclasses
from numbers import Integral, Real
from typing import Literal

import numpy as np
from sklearn.neighbors import KNeighborsClassifier
from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_sparsevae._parameters import parameters
from sklearn_sparsevae._typing import Codes, ImagesOut
from sklearn_sparsevae.segmentation._base import BaseSegmenter
from sklearn_sparsevae.segmentation._clusters import distinct_rows, fit_k_means
from sklearn_sparsevae.segmentation._contours import (
    AREA_POWER_OF_FEW,
    boundary_hierarchy,
)
from sklearn_sparsevae.segmentation._foreground import object_probability
from sklearn_sparsevae.segmentation._normalized_cut import (
    local_embedding,
    spectral_embedding,
)
from sklearn_sparsevae.segmentation._pictures import picture_of
from sklearn_sparsevae.segmentation._score import is_flat, separation


@parameters
class SpectralSegmenter(BaseSegmenter):
    """Segment images into an object and its background, or into regions.

    By default, and so in ``Pipeline([("enc", SparseCodingVAE()), ("seg",
    SpectralSegmenter())])``, the result is one object and its background. It is put
    together from clusters of sites that look alike and lie close together: k-means in
    the leading eigenvectors of the random walk ``D^-1 A``, where ``A_ij = exp(-|c_i -
    c_j|^2 / (2 color_scale^2) - |t_i - t_j|^2 / (2 texture_scale^2))`` for sites at
    most ``radius`` apart [1]_. c is the colour of a site, which codes of images carry
    along, t says which atoms are used around it.

    With three or more clusters, or ``"auto"``, the result is regions: small ones of the
    photo that its codes carry along are merged, those with the weakest boundary between
    them first [3]_. A boundary is strong where the halves of a disc differ in colour,
    and in the sparse codes of small patches, and where the eigenvectors of a normalised
    cut change. :meth:`predict_boundaries` gives the strengths.

    Parameters
    ----------
    n_clusters : int or "auto", default=2
        Number of regions per image; fewer where there are not as many.
        ``"auto"`` leaves that to ``threshold``. Where the foreground is asked for, the
        number of Gaussians that describe the colours of the object, and of the
        background.
    threshold : float, default=0.6
        Strength, in [0, 1], above which a boundary parts regions with
        ``n_clusters="auto"``. The default covers what people drew on photos best, of
        all that are the same for all photos.
    n_regions : int, default=32
        Clusters that the foreground is first put together from.
    color_scale : float, default=3.0
        Distance of colours, in CIE Lab, at which sites part in these clusters.
    texture_scale : float, default=0.5
        Distance of textures at which sites part in these clusters, where those of one
        image have a variance of 1. ``numpy.inf`` leaves the codes out.
    radius : float, default=4.0
        Distance, in sites, up to which sites are compared for these clusters.
    foreground : {"auto", "boundary", "clusters"} or None, default="auto"
        None returns the regions. The others return 1 for foreground and 0 for
        background. ``"boundary"``: regions are foreground that look unlike the border
        of the image, are enclosed by others, near the centre and warm; the colours of
        both sides then sharpen the split. ``"clusters"``, as in SC-VAE [4]_:
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
    For the foreground, grids of more than 1,024 sites are averaged to at most that many
    first. No mask was used to fit anything: ``_constants.py`` says of every number
    where it comes from. What each ingredient is worth on photos is measured in
    ``benchmarks/segmentation``.

    References
    ----------
    .. [1] J. Shi, J. Malik. "Normalized Cuts and Image Segmentation". PAMI 2000.
    .. [2] W. Zhu, S. Liang, Y. Wei, J. Sun. "Saliency Optimization from Robust
       Background Detection". CVPR 2014.
    .. [3] P. Arbelaez, M. Maire, C. Fowlkes, J. Malik. "Contour Detection and
       Hierarchical Image Segmentation". PAMI 2011.
    .. [4] P. Xiao et al. "SC-VAE: Sparse Coding-based Variational Autoencoder with
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

    n_clusters: int | Literal["auto"] = dataclasses.field(default=2, kw_only=False)
    threshold: float = 0.6
    foreground: Literal["auto", "boundary", "clusters"] | None = "auto"
    n_regions: int = 32
    color_scale: float = 3.0
    texture_scale: float = 0.5
    radius: float = 4.0

    _parameter_constraints = {
        **BaseSegmenter._parameter_constraints,
        "n_clusters": [
            Interval(Integral, 1, None, closed="left"),
            StrOptions({"auto"}),
        ],
        "threshold": [Interval(Real, 0, 1, closed="both")],
        "n_regions": [Interval(Integral, 2, None, closed="left")],
        "color_scale": [Interval(Real, 0, None, closed="right")],
        "texture_scale": [Interval(Real, 0, None, closed="right")],
        "radius": [Interval(Real, 1, None, closed="left")],
    }

    def _fit(self, X):
        if self.n_clusters == "auto" and self.foreground in ("boundary", "clusters"):
            raise ValueError(
                f"Got n_clusters='auto' with foreground={self.foreground!r}, where it "
                "is the number of Gaussians of each side, or of clusters; expected a "
                "number, such as 2."
            )
        super()._fit(X)

    def _fit_scene(self, X):
        if self.n_clusters == "auto":
            raise ValueError(
                f"Got n_clusters='auto' with a plain matrix of shape {np.shape(X)}, "
                "one scene, whose rows have no neighbours; expected a number of "
                "clusters, or SparseCodes. For images in a plain matrix set "
                "grid_shape=(h, w)."
            )
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

    def predict_boundaries(self, X: Codes) -> ImagesOut:
        """How strong a boundary there is beside each pixel, whatever ``n_clusters`` is.

        The maps are ultrametric: the boundaries above a threshold enclose regions, and
        those of a higher threshold are unions of those of a lower one.
        :func:`cut_boundaries` gives them.

        Parameters
        ----------
        X : SparseCodes, list of SparseCodes, or array-like
            Codes of images, as in :meth:`predict`.

        Returns
        -------
        boundaries : ndarray of float32 of shape (n_images, H, W) or (n_images, h, w)
            In [0, 1]: the strength of the boundary between a pixel and its right or its
            lower neighbour, the larger of both. 0 within small regions. A list of maps
            for a list of codes.

        Raises
        ------
        ValueError
            If the segmenter was fitted to a scene, whose rows have no neighbours.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn_sparsevae.codes import SparseCodes
        >>> from sklearn_sparsevae.segmentation import SpectralSegmenter, cut_boundaries
        >>> scene = np.pad(np.ones((1, 8, 8, 1)), [(0, 0), (4, 4), (4, 4), (0, 0)])
        >>> codes = SparseCodes(scene.reshape(1, -1), grid_shape=(16, 16))
        >>> segmenter = SpectralSegmenter(n_clusters="auto").fit(codes)
        >>> boundaries = segmenter.predict_boundaries(codes)
        >>> labels = cut_boundaries(boundaries[0], 0.6)
        >>> labels.shape, int(labels.max()) + 1
        ((16, 16), 2)
        """
        fitted = self._as_fitted()
        if fitted.is_scene_:
            raise ValueError(
                "Got a segmenter that was fitted to one scene, a plain matrix whose "
                "rows have no neighbours; expected one of images. Fit it to "
                "SparseCodes, or set its grid_shape=(h, w)."
            )
        return fitted._maps(fitted._boundaries, X, "predict_boundaries")

    def _boundaries(self, codes):
        picture = picture_of(codes, self._on_grid(codes))
        hierarchy = boundary_hierarchy(picture)
        regions = picture.spread(hierarchy.regions, self._map_shape(codes))
        return hierarchy.boundaries(regions)

    def _regions(self, codes, shape):
        picture = picture_of(codes, self._on_grid(codes))
        if self.n_clusters == "auto":
            hierarchy = boundary_hierarchy(picture)
            labels = hierarchy.cut(threshold=self.threshold)
        else:
            # Of a few regions none is to be a spot.
            hierarchy = boundary_hierarchy(picture, AREA_POWER_OF_FEW)
            labels = hierarchy.cut(n_regions=self.n_clusters)
        color = picture.color.reshape(labels.size, -1)
        return picture.spread(labels, shape), separation(color, labels.ravel())

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
