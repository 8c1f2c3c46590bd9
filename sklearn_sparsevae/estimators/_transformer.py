"""What every transformer of images shares: the door, codes, images back, scores."""

from __future__ import annotations

import abc
import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)
from sklearn.utils.validation import (
    _check_feature_names,
    _get_feature_names,
    check_is_fitted,
)

from sklearn_sparsevae import metrics
from sklearn_sparsevae._arguments import check_out, whole_number, write_blocks
from sklearn_sparsevae._doc_links import DocumentationLinks
from sklearn_sparsevae._progress import progress
from sklearn_sparsevae._typing import Images, ImagesOut, Unused
from sklearn_sparsevae.estimators._generation import GenerationMixin
from sklearn_sparsevae.estimators._keeping import KeepsNet
from sklearn_sparsevae.images import InputSpec, Photos


class ImageTransformer(
    KeepsNet,
    GenerationMixin,
    DocumentationLinks,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    BaseEstimator,
    abc.ABC,
):
    """A net between images and codes; with the parameters of `_parameters.Images`.

    A subclass says how photos of one size become codes (`_code`) and reconstructions
    (`_rebuild`), and how many fit into a batch. What was fitted decides after a fit,
    not the parameters, which may have been set anew.
    """

    _loss_name = "loss per site"  # beside its curve

    @abc.abstractmethod
    def _code(self, photos):
        """Codes of photos of one size."""

    @abc.abstractmethod
    def _rebuild(self, photos):
        """Reconstruct photos of one size as unit images ``(n, H, W, C)``."""

    @abc.abstractmethod
    def _batch_size(self, photos):
        """How many photos of this size may be in memory."""

    # ---- the door -------------------------------------------------------------------

    def _make_spec(self):
        """How the parameters say that input is to be read."""
        return InputSpec.of(self.image_shape, self.value_range, self.target)

    def _open_to_fit(self, X, y, spec):
        """Photos to train on, how to read later ones, and the names of columns."""
        photos, spec = spec.open_to_fit(X, y)
        return self._with_workers(photos), spec, _get_feature_names(X)

    def _with_workers(self, photos):
        return dataclasses.replace(photos, n_workers=self.n_workers)

    def _open(self, X, name="X"):
        """Photos of the layout of the fit, of any size."""
        return self._check_like_fit(X, lambda: self._input.open(X, name), name)

    def _open_pair(self, X, y):
        """Photos of ``X`` with what the estimator was told that they are to become."""
        return self._check_like_fit(X, lambda: self._input.open_pair(X, y))

    def _check_like_fit(self, X, open_it, name="X"):
        check_is_fitted(self)
        if not isinstance(X, Photos):  # which have been here already
            _check_feature_names(self, X, reset=False)
        photos = open_it()
        photos.layout.check_like(self.layout_, type(self).__name__, name)
        return self._with_workers(photos)

    # ---- fitted state ---------------------------------------------------------------

    def _keep(self, net, photos, spec, names):
        """Set what is known after a fit."""
        targets = photos if photos.targets is None else photos.targets
        low, high = spec.value_range.limits
        if photos.value_range.free:
            low, high = targets.span()
        if net is not getattr(self, "net_", None):
            self._net_params_ = self._net_parameters()
        self.net_ = net
        self.history_ = net.epochs
        self.n_epochs_ = len(net.history)
        self._input = spec
        self.layout_ = photos.trained_layout
        self.image_shape_ = self.layout_.image_shape
        self.n_features_in_ = self.layout_.n_features
        self.value_range_ = low, high
        # What PSNR takes as the peak: vectors have no fixed range.
        self.data_range_ = high - low or 1.0
        if names is not None:
            self.feature_names_in_ = names
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_

    # ---- codes and images -----------------------------------------------------------

    def _codes_of(self, X):
        """Codes of images, as `transform` returns them whatever `set_output` says."""
        with self._counted(self._open_to_code(X), "transform") as photos:
            return photos.gather(self._code(part) for part in photos.parts())

    def iter_transform(self, X: Images, batch_size: int | None = None) -> Iterator[Any]:
        """Yield codes block by block, so that neither images nor codes fill the memory.

        Parameters
        ----------
        X : array-like, list of photos or sequence
            As in `transform`.
        batch_size : int, default=None
            Images in a block; None takes as many as `transform` codes at once. Where
            photos differ in size, a block is one photo.

        Yields
        ------
        codes : as `transform` returns them
            Of the next images, one row each. Together they are what `transform` gives;
            to the last bit with ``batch_size=None``, otherwise up to rounding.
        """
        photos = self._open_to_code(X)
        return self._in_blocks(photos, self._code, "transform", batch_size)

    def iter_reconstruct(
        self, X: Images, batch_size: int | None = None
    ) -> Iterator[NDArray[np.float32]]:
        """Yield reconstructions block by block.

        Parameters
        ----------
        X : array-like, list of photos or sequence
            As in `reconstruct`.
        batch_size : int, default=None
            As in `iter_transform`.

        Yields
        ------
        images : ndarray of float32
            Of the next images, in the layout of ``X``; where photos differ in size, of
            one photo, ``(1, H, W, C)`` or ``(1, H, W)``.
        """
        photos = self._open_to_code(X)
        rebuild = self._finished(self._rebuild)
        return self._in_blocks(photos, rebuild, "reconstruct", batch_size)

    def _open_to_code(self, X):
        """Photos with all that coding them takes."""
        return self._open(X)

    def _in_blocks(self, photos, function, method, size=None):
        """Yield what a function makes of block after block of photos of one size."""
        if size is not None:
            size = whole_number(size, "batch_size")

        def results():
            with self._counted(photos, method) as counted:
                yield from map(function, self._blocks(counted, size))

        return results()

    def _blocks(self, photos, size=None):
        """Yield photos of one size, as many as one batch of the network takes."""
        for part in photos.parts():
            yield from part.batches(size or self._batch_size(part))

    def _finished(self, rebuild):
        """Return a function that gives what ``rebuild`` makes its range and layout."""
        return lambda photos: self._finish(rebuild(photos), photos.layout.kind)

    def _images_to(self, out, photos, rebuild):
        """Write images that ``rebuild`` makes to an array, block by block."""
        if not photos.is_one_size:
            raise ValueError(
                "out= needs images of one size, but those of X differ: take them from "
                "iter_reconstruct, one by one."
            )
        height, width, _ = photos.layout.image_shape
        check_out(out, photos.layout.shape_of(len(photos), height, width), np.float32)
        finished = self._finished(rebuild)
        return write_blocks(self._in_blocks(photos, finished, "reconstruct"), out)

    def _images_of(self, photos, rebuild):
        """Images that ``rebuild`` makes of photos, a list if they differ in size."""
        kind = photos.layout.kind
        with self._counted(photos, "reconstruct") as photos:
            parts = (self._finish(rebuild(part), kind) for part in photos.parts())
            return photos.gather(p if photos.is_one_size else p[0] for p in parts)

    @contextlib.contextmanager
    def _counted(self, photos, method):
        """Photos with a bar that counts them, if ``verbose`` and nobody counts yet."""
        if photos.bar is not None:
            yield photos
            return
        what = f"{type(self).__name__}.{method}"
        with progress(what, len(photos), self.verbose) as bar:
            yield dataclasses.replace(photos, bar=bar)

    def _finish(self, images, kind=None):
        """Give unit images their range, and the layout of the fit's input."""
        return self._input.restore(images, kind or self.layout_.kind)

    # ---- scores ---------------------------------------------------------------------

    def compare(self, X: Images, y: Unused = None) -> tuple[ImagesOut, ImagesOut]:
        """Return what `score` compares: images, and what the model makes of them.

        Parameters
        ----------
        X : array-like, list of photos or sequence
            As in `transform`.
        y : array-like, default=None
            With ``target="y"`` the images that those of ``X`` are to become; not used
            otherwise.

        Returns
        -------
        targets, outputs : ndarray of float of the shape of X, or lists of ndarray
            Both in the range ``value_range_``; lists, photo by photo, where photos
            differ in size.
        """
        photos = self._open_pair(X, y)
        targets = photos if photos.targets is None else photos.targets
        outputs = self._images_of(photos, self._rebuild)
        if targets.is_one_size:
            return targets.floats(), outputs
        return [part.floats()[0] for part in targets.parts()], outputs

    def score(self, X: Images, y: Unused = None) -> float:
        """Peak signal-to-noise ratio of the reconstruction, in dB, mean over images.

        Parameters
        ----------
        X : array-like, list of photos or sequence
            As in `transform`.
        y : array-like, default=None
            With ``target="y"`` the images to compare with, of the shape of ``X``. Not
            used otherwise, whatever it is: then ``X`` is compared with.

        Returns
        -------
        psnr : float
            Higher is better.
        """
        values = []
        with self._counted(self._open_pair(X, y), "score") as photos:
            for batch in self._blocks(photos):
                targets, outputs = self.compare(batch)
                values.extend(self._psnr(targets, outputs))
        return float(np.mean(values))

    def _psnr(self, targets, outputs):
        """PSNR of every image of a batch, with the range of the fit as the peak."""
        return metrics.peak_psnr(targets, outputs, self.data_range_)

    def __sklearn_is_fitted__(self):
        return getattr(self, "net_", None) is not None

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags
