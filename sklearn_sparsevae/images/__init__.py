"""What comes in: photos, how they are laid out and what their numbers mean.

All that an estimator has to know of its input is decided here, once: `InputSpec` opens
what a user gives, `Photos` is what it becomes and is handed on as a whole.
"""

from sklearn_sparsevae.images.layouts import Layout
from sklearn_sparsevae.images.lazy import LazyPhotos
from sklearn_sparsevae.images.opening import InputSpec
from sklearn_sparsevae.images.photos import Photos
from sklearn_sparsevae.images.ranges import ValueRange
from sklearn_sparsevae.images.sliced import SlicedPhotos

__all__ = ["InputSpec", "Layout", "LazyPhotos", "Photos", "SlicedPhotos", "ValueRange"]
