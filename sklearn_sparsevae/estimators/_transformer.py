"""What every transformer of images shares: input, its ranges, fitted state, tags."""

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)

from sklearn_sparsevae.estimators import _images
from sklearn_sparsevae.estimators._generation import GenerationMixin


class ImageTransformer(
    GenerationMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator
):
    """A net between images and codes; with the parameters of images' input."""

    @property
    def _any_range(self):
        """Whether the values of the input are those of no image."""
        return False

    @property
    def _value_range(self):
        return (0, 1) if self.value_range is None else self.value_range

    def _input_rules(self):
        if self.value_range is not None and not (
            len(self.value_range) == 2 and self.value_range[0] < self.value_range[1]
        ):
            raise ValueError(
                f"value_range={self.value_range!r} must be a pair (low, high) with "
                "low < high."
            )
        return {
            "image_shape": self.image_shape,
            "value_range": self.value_range,
            "any_range": self._any_range,
        }

    def _open_images(self, X):
        """Images as an array or a lazy sequence, and their layout."""
        rules = self._input_rules()
        return _images.check_images(_images.open_photos(X, **rules), **rules)

    def _check_input(self, X):
        """Images of the layout of the fit, of any size, and their layout."""
        images, layout = self._open_images(X)
        self._check_same_layout(layout)
        return images, layout

    def _check_same_layout(self, layout):
        _images.check_same_layout(layout, self.layout_, type(self).__name__)

    def _keep(self, net, layout, judged):
        """Set what is known after a fit; ``judged`` is what PSNR compares with."""
        self.net_ = net
        self.history_ = [
            {k: v for k, v in epoch.items() if k != "batches"} for epoch in net.history
        ]
        self.n_epochs_ = len(self.history_)
        self.layout_ = layout
        self.image_shape_ = layout.image_shape
        self.n_features_in_ = layout.n_features
        # What PSNR takes as the peak: vectors have no fixed range.
        self.data_range_ = self._data_range(layout, judged)

    def _data_range(self, layout, judged):
        if layout.kind == "vector" or self._any_range:
            smallest, largest = _images.value_span(judged)
            return largest - smallest or 1.0
        low, high = self._value_range
        return float(high - low)

    def _as_floats(self, images):
        """Bytes in the range of floating point images; other numbers as they are."""
        images = np.asarray(images)
        if images.dtype != np.uint8:
            return images
        low, high = self._value_range
        return images.astype(np.float32) / 255 * (high - low) + low

    def _finish(self, images, kind):
        """Images in their range, and in the layout that came in."""
        if kind != "vector" and not self._any_range:
            np.clip(images, *self._value_range, out=images)
        return _images.Layout(images.shape[1:], kind).restore(images)

    def __sklearn_is_fitted__(self):
        return getattr(self, "net_", None) is not None

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags
