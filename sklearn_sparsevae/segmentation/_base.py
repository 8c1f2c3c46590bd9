"""What all segmenters share: input, per-image work, masks, confidence and score.

Longer than other modules by the limits of the parameters.
"""

import copy
import dataclasses
from abc import ABCMeta, abstractmethod
from collections.abc import Iterable, Iterator
from numbers import Integral, Real
from typing import Any, ClassVar, Literal, Self

import numpy as np
from joblib import effective_n_jobs
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClusterMixin, _fit_context
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metadata_routing import UNUSED
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted

from sklearn_sparsevae._ahead import ahead
from sklearn_sparsevae._arguments import check_out, random_numbers
from sklearn_sparsevae._doc_links import DocumentationLinks
from sklearn_sparsevae._parameters import parameters
from sklearn_sparsevae._progress import progress
from sklearn_sparsevae._typing import (
    Codes,
    Grid,
    ImagesOut,
    Labels,
    LabelsOut,
    RandomState,
    Unused,
)
from sklearn_sparsevae.codes import as_codes
from sklearn_sparsevae.segmentation._boundary import region_boundary_connectivity
from sklearn_sparsevae.segmentation._clusters import on_one_thread
from sklearn_sparsevae.segmentation._edges import color_edges, shrink_thumbnail
from sklearn_sparsevae.segmentation._foreground import (
    foreground_confidence,
    object_probability,
    refine_saliency,
    split_threshold,
    straighten,
)
from sklearn_sparsevae.segmentation._input import (
    as_parts,
    check_atoms,
    check_scene,
    check_some,
    has_grid,
    is_list_of_codes,
    photos_of,
)
from sklearn_sparsevae.segmentation._score import check_masks, mean_iou, separation
from sklearn_sparsevae.segmentation._sites import (
    covered_shape,
    look,
    magnify,
    magnify_labels,
)


@parameters
class BaseSegmenter(DocumentationLinks, ClusterMixin, BaseEstimator, metaclass=ABCMeta):
    """Label maps from the codes of each image; subclasses say how to cluster sites."""

    n_clusters: int | Literal["auto"] = dataclasses.field(default=2, kw_only=False)
    foreground: Literal["auto", "boundary", "clusters"] | None = None
    refine: Literal["color"] | None = "color"
    resolution: Literal["image", "grid"] = "image"
    grid_shape: Grid | None = None
    min_confidence: float = 0.3
    n_init: int = 3
    n_jobs: int | None = None
    random_state: RandomState = None
    verbose: int = 0

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_clusters": [Interval(Integral, 1, None, closed="left")],
        "foreground": [StrOptions({"auto", "boundary", "clusters"}), None],
        "refine": [StrOptions({"color"}), None],
        "resolution": [StrOptions({"image", "grid"})],
        "grid_shape": [tuple, list, None],
        "min_confidence": [Interval(Real, 0, 1, closed="both")],
        "n_init": [Interval(Integral, 1, None, closed="left")],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    _doc_page_module = "sklearn_sparsevae.segmentation"
    # Where to write, not data that a meta-estimator would route.
    __metadata_request__predict = {"out": UNUSED}

    @abstractmethod
    def _regions(self, codes, shape):
        """Label map of one image, of a shape, and how clearly its labels part."""

    @abstractmethod
    def _cluster_codes(self, codes):
        """Label of every site of one image, from the codes alone."""

    @abstractmethod
    def _fit_scene(self, X):
        """Learn to label rows of one scene; return the labels of ``X``."""

    @abstractmethod
    def _predict_scene(self, X):
        """Label each row of a matrix by itself."""

    def _fit_sites(self, parts):
        """Learn what all images share; nothing unless a subclass does."""

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Codes, y: Unused = None) -> Self:
        """Segment the images of ``X``, or the rows of one scene.

        A fit that fails leaves the segmenter as it was.

        Parameters
        ----------
        X : SparseCodes, list of SparseCodes, or array-like
            Codes of images, ``(n_images, h * w * n_atoms)``; in a list if the images
            differ in size, each item being the codes of one or more of them. A plain
            matrix is read with ``grid_shape``; without one it is a single scene of
            shape (n_sites, n_features) whose rows are its sites.
        y : Ignored
            Present for scikit-learn's interface.

        Returns
        -------
        self : object
            The fitted segmenter.
        """
        fitted = copy.copy(self)  # all that a fit sets ends in an underscore
        for name in [name for name in vars(self) if name.endswith("_")]:
            delattr(fitted, name)
        fitted._fit(X)
        self.__dict__ = vars(fitted)
        return self

    def _fit(self, X):
        self._fit_params_ = self.get_params(deep=False)
        # They change how a result is computed, but not the result.
        del self._fit_params_["n_jobs"], self._fit_params_["verbose"]
        self._seed_ = random_numbers(self.random_state).randint(2**31 - 1)
        self.is_scene_ = self.grid_shape is None and not has_grid(X)
        if self.is_scene_:
            X = check_scene(self, X, reset=True)
            self.labels_ = self._fit_scene(X)
            self.confidence_ = np.array([separation(X, self.labels_)])
            return
        parts = as_parts(X, self.grid_shape)
        parts = [as_codes(codes, self.grid_shape) for codes in parts]
        check_some(parts)
        self.n_atoms_ = parts[0].n_atoms
        check_atoms(parts, self.n_atoms_)
        if len({(codes.grid_shape, codes.image_shape) for codes in parts}) == 1:
            self.n_features_in_ = parts[0].shape[1]
            self.grid_shape_ = parts[0].grid_shape
            self._image_shape_ = parts[0].image_shape
        else:
            self.grid_shape_ = self._image_shape_ = None
        self._fit_sites(parts)
        segmented = self._segment(parts, is_list_of_codes(X), "fit")
        self.labels_, self.confidence_ = segmented

    def predict(self, X: Codes, out: Any = None) -> LabelsOut:
        """Label map of every image, or the label of every row of a scene.

        Each image is segmented by itself, with the same seed: its labels do not depend
        on the other images. Parameters that were set since the fit do not count, but
        for ``n_jobs`` and ``verbose``.

        Parameters
        ----------
        X : SparseCodes, list of SparseCodes, or array-like
            As in :meth:`fit`; the images may have another size. A plain matrix is read
            with the grid, and the size of the images, of the fit.
        out : ndarray, such as a memory map, default=None
            Where to write the label maps, of the shape that they have and dtype int32;
            it is returned. Anything with ``shape``, ``dtype`` and ``out[i] = labels``
            will do. Not for a scene, nor for a list.

        Returns
        -------
        labels : ndarray of int of shape (n_images, H, W), (n_images, h, w) or (n_rows,)
            At the resolution of the images, of the grid (``resolution="grid"``, or
            codes that do not know their ``image_shape``), or one label per row of a
            scene. Where the foreground is asked for, 1 is foreground, 0 background.
            For a list of codes a list of label maps, image by image.
        """
        return self._label(X, out)[0]

    def iter_predict(self, blocks: Iterable[Codes]) -> Iterator[LabelsOut]:
        """Yield the label maps of block after block of codes.

        So a folder of any number of photos goes to masks in the memory of some blocks:
        ``segmenter.iter_predict(encoder.iter_transform(photos))``. With ``n_jobs``, the
        images of a block are segmented while the next block is encoded.

        Parameters
        ----------
        blocks : iterable of SparseCodes
            Each as in :meth:`predict`: from ``iter_transform``, a list, or one
            SparseCodes, which is taken row by row.

        Yields
        ------
        labels : as :meth:`predict` returns them
            Of the next block.
        """
        check_is_fitted(self)
        if not isinstance(blocks, Iterable):
            raise TypeError(
                f"Got blocks of type {type(blocks).__name__}; expected codes block by "
                "block, such as encoder.iter_transform(photos) yields."
            )
        return self._predict_blocks(blocks)

    def _predict_blocks(self, blocks):
        quiet = copy.copy(self)
        quiet.verbose = 0  # one bar for all blocks
        n_threads = int(effective_n_jobs(self.n_jobs) > 1)
        what = f"{type(self).__name__}.predict"
        with progress(what, None, self.verbose) as bar:
            for labels in ahead(quiet.predict, blocks, n_threads):
                yield labels
                bar.update(len(labels))

    def predict_confidence(self, X: Codes) -> NDArray[np.floating]:
        """How certain the segmentation of each image is.

        Parameters
        ----------
        X : SparseCodes, list of SparseCodes, or array-like
            As in :meth:`predict`.

        Returns
        -------
        confidence : ndarray of shape (n_images,)
            In [0, 1], 0 for images without any contrast; one number for a scene. For a
            foreground, the intersection over union that is expected of it, from the
            photo alone; otherwise the share of variance that lies between the labels.
        """
        return self._label(X)[1]

    def predict_saliency(self, X: Codes) -> ImagesOut:
        """How much every pixel stands out, before the foreground is split off.

        Parameters
        ----------
        X : SparseCodes, list of SparseCodes, or array-like
            As in :meth:`predict`.

        Returns
        -------
        saliency : ndarray of float32 of shape (n_images, H, W) or (n_images, h, w)
            In [0, 1], above 0.5 in the foreground; 0 for images without any contrast.
            ``min_confidence`` does not count. For a list of codes a list of maps, image
            by image.

        Raises
        ------
        ValueError
            If the segmenter was fitted without a foreground.
        """
        fitted = self._as_fitted()
        if not fitted._wants_foreground():
            raise ValueError(
                "Got a segmenter of regions; expected one with a foreground. Fit it "
                "with foreground='boundary'."
            )
        return fitted._maps(fitted._clipped_saliency, X, "predict_saliency")

    def score(self, X: Codes, y: "Labels") -> float:
        """Mean intersection over union with masks.

        Parameters
        ----------
        X : SparseCodes, list of SparseCodes, or array-like
            As in :meth:`predict`.
        y : array-like of shape (n_images, H, W) or (n_rows,), or list of masks (H, W)
            Masks or label maps of any size; predictions are sampled to it. Where the
            foreground is asked for, everything but 0 is foreground. Otherwise labels
            are matched to those of ``y`` so that the mean over labels is largest.

        Returns
        -------
        score : float
            In [0, 1]. Two empty masks agree: 1.
        """
        labels = self.predict(X)
        masks = check_masks(y, labels, self.is_scene_)
        if self.is_scene_:
            labels, masks = labels[None, None], masks[None, None]
        return mean_iou(labels, masks, binary=self._as_fitted()._wants_foreground())

    def _as_fitted(self):
        """Return this segmenter with the parameters of its fit."""
        check_is_fitted(self)
        fitted = copy.copy(self)
        vars(fitted).update(self._fit_params_)
        return fitted

    def _label(self, X, out=None):
        """Labels and confidence of what `predict` takes."""
        fitted = self._as_fitted()
        as_list = is_list_of_codes(X)
        if out is not None and (fitted.is_scene_ or as_list):
            what = "a list of codes" if as_list else "a scene"
            raise ValueError(
                f"out= needs images of one size in one matrix; got {what}."
            )
        if fitted.is_scene_:
            X = check_scene(fitted, X, reset=False)
            labels = fitted._predict_scene(X)
            return labels, np.array([separation(X, labels)])
        return fitted._segment(self._open(X), as_list, "predict", out)

    def _open(self, X):
        """Return codes of images like those of the fit, part by part."""
        parts = as_parts(X, self.grid_shape_, self._image_shape_)
        check_atoms(parts, self.n_atoms_)
        return parts

    def _maps(self, function, X, method):
        """Return a map of float32 for each image, as a list for a list."""
        parts = self._open(X)
        found = self._each_image(function, parts, method)
        if is_list_of_codes(X):
            return list(found)
        maps = np.empty((parts[0].shape[0], *self._map_shape(parts[0])), np.float32)
        for i, one in enumerate(found):
            maps[i] = one
        return maps

    def _segment(self, parts, as_list, method, out=None):
        """Label maps and confidence of all images, one job per image."""
        n_images = sum(codes.shape[0] for codes in parts)
        if as_list:
            labels = [None] * n_images
        else:
            shape = (n_images, *self._map_shape(parts[0]))
            if out is not None:
                check_out(out, shape, np.int32)
            labels = np.empty(shape, np.int32) if out is None else out
        confidence = np.empty(n_images)
        results = self._each_image(self._segment_image, parts, method)
        for i, (labels[i], confidence[i]) in enumerate(results):
            pass
        return labels, confidence

    def _each_image(self, function, parts, method):
        """Yield what a function gives for the codes of each image, one job an image."""
        results = _one_by_one(self.n_jobs)(
            delayed(on_one_thread)(function, photo) for photo in photos_of(parts)
        )
        n_images = sum(codes.shape[0] for codes in parts)
        what = f"{type(self).__name__}.{method}"
        with progress(what, n_images, self.verbose) as bar:
            for result in results:
                yield result
                bar.update()

    def _segment_image(self, codes):
        """Label map and confidence of one image."""
        if self._wants_foreground():
            return self._segment_foreground(codes)
        labels, confidence = self._regions(codes, self._map_shape(codes))
        return labels.astype(np.int32), confidence

    def _segment_foreground(self, codes):
        saliency, confidence = self._saliency(codes)
        abstains = self.foreground != "clusters" and confidence < self.min_confidence
        inside = (saliency > 0.5) & (not abstains)
        return inside.astype(np.int32), confidence

    def _saliency(self, codes):
        """Saliency of every pixel of the result, above 0.5 inside, and confidence."""
        if self.foreground == "clusters":
            return self._cluster_saliency(codes)
        sites = look(codes)
        probability = self._object_probability(sites)
        saliency = refine_saliency(
            probability, sites.color, sites.grid_shape, self.n_clusters, self._seed_
        )
        saliency = straighten(saliency, split_threshold(saliency))
        confidence = foreground_confidence(saliency, probability, sites.color)
        if confidence == 0:
            return np.zeros(self._map_shape(codes)), confidence
        return self._magnify(saliency, sites, codes), confidence

    def _clipped_saliency(self, codes):
        return np.clip(self._saliency(codes)[0], 0, 1).astype(np.float32)

    def _cluster_saliency(self, codes):
        """All clusters of the codes but the one most connected to the border."""
        labels = self._cluster_codes(codes)
        connectivity = region_boundary_connectivity(labels.reshape(codes.grid_shape))
        inside = (labels != connectivity.argmax()).astype(np.int32)
        image = magnify_labels(inside, codes.grid_shape, self._map_shape(codes))
        return image.astype(np.float64), separation(codes.sites(), labels)

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
        fine = color_edges(fine, thumbnail, self._seed_)
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


def _one_by_one(n_jobs):
    """Let joblib give results as they come, where those who do the work can (not Ray).

    So that neither all results nor all codes are in memory at once.
    """
    try:
        return Parallel(n_jobs, return_as="generator")
    except ValueError:
        return Parallel(n_jobs)
