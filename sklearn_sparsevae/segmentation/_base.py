"""What all segmenters share: input, per-image work, masks, confidence and score."""

from abc import ABCMeta, abstractmethod
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, ClusterMixin, _fit_context
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_sparsevae.codes import SparseCodes, as_codes
from sklearn_sparsevae.segmentation._clusters import one_thread
from sklearn_sparsevae.segmentation._edges import color_edges, shrink_thumbnail
from sklearn_sparsevae.segmentation._foreground import (
    foreground_confidence,
    object_probability,
    refine_saliency,
    split_threshold,
)
from sklearn_sparsevae.segmentation._score import check_masks, mean_iou, separation
from sklearn_sparsevae.segmentation._sites import (
    covered_shape,
    look,
    magnify,
    magnify_labels,
)


class BaseSegmenter(ClusterMixin, BaseEstimator, metaclass=ABCMeta):
    """Label maps from the codes of each image; subclasses say how to cluster sites."""

    _parameter_constraints = {
        "n_clusters": [Interval(Integral, 1, None, closed="left")],
        "foreground": [StrOptions({"auto", "boundary"}), None],
        "refine": [StrOptions({"color"}), None],
        "resolution": [StrOptions({"image", "grid"})],
        "grid_shape": [tuple, list, None],
        "min_confidence": [Interval(Real, 0, 1, closed="both")],
        "n_init": [Interval(Integral, 1, None, closed="left")],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        n_clusters,
        foreground,
        refine,
        resolution,
        grid_shape,
        min_confidence,
        n_init,
        n_jobs,
        random_state,
        verbose,
    ):
        self.n_clusters = n_clusters
        self.foreground = foreground
        self.refine = refine
        self.resolution = resolution
        self.grid_shape = grid_shape
        self.min_confidence = min_confidence
        self.n_init = n_init
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    @abstractmethod
    def _regions(self, codes):
        """Cluster the sites of one image.

        Return labels, the features that were clustered, and the grid they are on.
        """

    @abstractmethod
    def _fit_scene(self, X):
        """Learn to label rows of one scene; return the labels of ``X``."""

    @abstractmethod
    def _predict_scene(self, X):
        """Label each row of a matrix by itself."""

    def _fit_sites(self, codes):
        """Learn what all images share; nothing unless a subclass does."""

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Segment the images of ``X``, or the rows of one scene.

        Parameters
        ----------
        X : SparseCodes or array-like of shape (n_images, h * w * n_atoms)
            Codes of images. A plain matrix is read with ``grid_shape``; without one it
            is a single scene of shape (n_sites, n_features) whose rows are its sites.
        y : Ignored
            Present for scikit-learn's interface.

        Returns
        -------
        self : object
            The fitted segmenter.
        """
        self._seed = check_random_state(self.random_state).randint(2**31 - 1)
        self.is_scene_ = self.grid_shape is None and _grid_shape(X) is None
        if self.is_scene_:
            X = self._check_scene(X, reset=True)
            self.labels_ = self._fit_scene(X)
            self.confidence_ = np.array([separation(X, self.labels_)])
            return self
        codes = as_codes(X, self.grid_shape)
        _check_some(codes)
        self.n_features_in_, self.n_atoms_ = codes.shape[1], codes.n_atoms
        self._fit_sites(codes)
        self.labels_, self.confidence_ = self._segment(codes)
        return self

    def predict(self, X):
        """Label map of every image, or the label of every row of a scene.

        Each image is segmented by itself, with the same seed: its labels do not depend
        on the other images.

        Parameters
        ----------
        X : SparseCodes or array-like
            As in :meth:`fit`; the images may have another size.

        Returns
        -------
        labels : ndarray of int of shape (n_images, H, W), (n_images, h, w) or (n_rows,)
            At the resolution of the images, of the grid (``resolution="grid"``, or
            codes that do not know their ``image_shape``), or one label per row of a
            scene. Where the foreground is asked for, 1 is foreground, 0 background.
        """
        check_is_fitted(self)
        if self.is_scene_:
            return self._predict_scene(self._check_scene(X, reset=False))
        return self._segment(self._check_codes(X))[0]

    def predict_confidence(self, X):
        """How certain the segmentation of each image is.

        Parameters
        ----------
        X : SparseCodes or array-like
            As in :meth:`predict`.

        Returns
        -------
        confidence : ndarray of shape (n_images,)
            In [0, 1], 0 for images without any contrast; one number for a scene. For a
            foreground, the intersection over union that is expected of it; otherwise
            the share of variance that lies between the labels.
        """
        check_is_fitted(self)
        if self.is_scene_:
            X = self._check_scene(X, reset=False)
            return np.array([separation(X, self._predict_scene(X))])
        return self._segment(self._check_codes(X))[1]

    def score(self, X, y):
        """Mean intersection over union with masks.

        Parameters
        ----------
        X : SparseCodes or array-like
            As in :meth:`predict`.
        y : array-like of shape (n_images, H, W) or (n_rows,)
            Masks or label maps of any size; predictions are sampled to it. Where the
            foreground is asked for, everything but 0 is foreground. Otherwise labels
            are matched to those of ``y`` so that the mean over labels is largest.

        Returns
        -------
        score : float
            In [0, 1]. Two empty masks agree: 1.
        """
        labels = self.predict(X)
        masks = check_masks(y, labels.shape)
        if self.is_scene_:
            labels, masks = labels[None, None], masks[None, None]
        return mean_iou(labels, masks, binary=self._wants_foreground())

    def _check_scene(self, X, reset):
        if self.foreground == "boundary":
            raise ValueError(
                f"Got a plain matrix of shape {np.shape(X)} with foreground="
                f"{self.foreground!r}, which needs to know which sites lie on the "
                "border. Pass SparseCodes, or set grid_shape=(h, w)."
            )
        return validate_data(
            self, X, accept_sparse="csr", dtype=[np.float64, np.float32], reset=reset
        )

    def _check_codes(self, X):
        codes = as_codes(X, None if _grid_shape(X) else self.grid_shape)
        if codes.n_atoms != self.n_atoms_:
            raise ValueError(
                f"Got codes with {codes.n_atoms} atoms per site; expected "
                f"{self.n_atoms_}, as in fit. Use the model that made the codes of fit."
            )
        return codes

    def _segment(self, codes):
        """Label maps and confidence of all images, one job per image."""
        parallel = Parallel(n_jobs=self.n_jobs, verbose=max(0, self.verbose - 1))
        results = parallel(
            delayed(_on_one_thread)(self._segment_image, codes[i : i + 1])
            for i in range(codes.shape[0])
        )
        shape = (0, *self._map_shape(codes))
        labels = [labels[None] for labels, _ in results]
        confidence = np.array([confidence for _, confidence in results], dtype=float)
        return np.concatenate([np.zeros(shape, np.int32), *labels]), confidence

    def _segment_image(self, codes):
        """Label map and confidence of one image."""
        if self._wants_foreground():
            return self._segment_foreground(codes)
        labels, features, grid_shape = self._regions(codes)
        image = magnify_labels(labels, grid_shape, self._map_shape(codes))
        return image.astype(np.int32), separation(features, labels)

    def _segment_foreground(self, codes):
        shape, sites = self._map_shape(codes), look(codes)
        probability = self._object_probability(sites)
        saliency = refine_saliency(
            probability, sites.color, sites.grid_shape, self.n_clusters, self._seed
        )
        threshold = split_threshold(saliency)
        confidence = foreground_confidence(
            probability, sites.color, saliency > threshold
        )
        if confidence == 0 or confidence < self.min_confidence:
            return np.zeros(shape, dtype=np.int32), confidence
        # So that inside is above 0.5, whatever the threshold.
        saliency = np.interp(saliency, [0, threshold, 1], [0, 0.5, 1])
        inside = self._magnify(saliency, sites, codes) > 0.5
        return inside.astype(np.int32), confidence

    def _object_probability(self, sites):
        """Probability of every site to be part of an object."""
        return object_probability(sites)

    def _magnify(self, saliency, sites, codes):
        """Saliency at the resolution of the result, with the edges of the photo."""
        shape = self._map_shape(codes)
        covered = covered_shape(codes.grid_shape, shape)
        if self.refine is None or codes.thumbnails is None or self._on_grid(codes):
            return magnify(saliency, sites.grid_shape, shape, covered)
        thumbnail = shrink_thumbnail(codes.thumbnails[0])
        fine = magnify(saliency, sites.grid_shape, thumbnail.shape[:2])
        fine = color_edges(fine, thumbnail, self._seed)
        return magnify(fine, fine.shape, shape, covered)

    def _wants_foreground(self):
        if self.foreground == "auto":
            return self.n_clusters == 2 and not self.is_scene_
        return self.foreground is not None

    def _on_grid(self, codes):
        return self.resolution == "grid" or codes.image_shape is None

    def _map_shape(self, codes):
        if self._on_grid(codes):
            return codes.grid_shape
        return codes.image_shape[:2]

    def __sklearn_tags__(self):
        """Say that sparse codes are welcome."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _grid_shape(X):
    """Return the grid that codes bring along, if any."""
    return X.grid_shape if isinstance(X, SparseCodes) else None


def _on_one_thread(function, *args):
    """Call with linear algebra on one thread, in whatever process this runs."""
    with one_thread():
        return function(*args)


def _check_some(codes):
    if codes.shape[0] == 0:
        raise ValueError(
            "Got codes of 0 images; expected at least one. Check what was selected."
        )
