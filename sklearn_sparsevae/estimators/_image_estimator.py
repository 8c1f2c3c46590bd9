"""What every estimator of images shares: the door, fitted state, progress."""

from __future__ import annotations

import abc
import contextlib
import dataclasses

from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import (
    _check_feature_names,
    _get_feature_names,
    check_is_fitted,
)

from sklearn_sparsevae import metrics
from sklearn_sparsevae._doc_links import DocumentationLinks
from sklearn_sparsevae._progress import progress
from sklearn_sparsevae.estimators._keeping import KeepsNet
from sklearn_sparsevae.images import InputSpec, Photos


class ImageEstimator(
    KeepsNet, DocumentationLinks, TransformerMixin, BaseEstimator, abc.ABC
):
    """A net that takes images; with the parameters of `_parameters.Images`.

    What was fitted decides after a fit, not the parameters, which may have been set
    anew.
    """

    # ---- the door -------------------------------------------------------------------

    def _make_spec(self):
        """How the parameters say that input is to be read."""
        return InputSpec.of(self.image_shape, self.value_range)

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
        if net is not getattr(self, "net_", None):
            self._net_params_ = self._net_parameters()
        self.net_ = net
        self.history_ = {} if net is None else net.epochs
        self.n_epochs_ = 0 if net is None else len(net.history)
        self._keep_input(photos, spec, names)

    def _keep_input(self, photos, spec, names):
        """Set what is known of the images after a fit."""
        targets = photos if photos.targets is None else photos.targets
        low, high = spec.value_range.limits
        if photos.value_range.free:
            low, high = targets.span()
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
