"""The door: what a user gives becomes `Photos`, or an error says what to give instead.

Nothing after it asks again what the input is.
"""

import dataclasses
import functools
import numbers

import numpy as np

from sklearn_sparsevae._arguments import as_table
from sklearn_sparsevae.images.arrays import (
    are_photos,
    as_array,
    photo_array,
    refuse_what_is_no_array,
    warn_of_rows_of_bytes,
)
from sklearn_sparsevae.images.layouts import Layout
from sklearn_sparsevae.images.lazy import (
    LazyPhotos,
    check_same_numbers,
    check_shapes,
    is_lazy,
)
from sklearn_sparsevae.images.photos import Photos
from sklearn_sparsevae.images.ranges import ValueRange
from sklearn_sparsevae.images.sliced import SlicedPhotos, check_lengths, is_sliced

# An axis that is no longer than this is taken to be one of channels.
_FEW = 4


@dataclasses.dataclass(frozen=True)
class InputSpec:
    """How input is to be read: what an estimator's parameters say of images.

    Attributes
    ----------
    image_shape : tuple of int (H, W, C), or None
        What rows are, when they are images.
    value_range : ValueRange
        What numbers mean.
    from_data : bool
        Take the range from the images of the fit, see `open_to_fit`.
    latents : bool
        Input is latents of any range rather than images.
    with_targets : bool
        ``y`` holds what the images of ``X`` are to become.
    targets_beyond : bool
        They may exceed the range, which was that of other images.
    """

    image_shape: tuple | None = None
    value_range: ValueRange = ValueRange()
    from_data: bool = False
    latents: bool = False
    with_targets: bool = False
    targets_beyond: bool = False

    @classmethod
    def of(cls, image_shape=None, value_range=None, target="X", latents=False):
        """Spec from the estimators' parameters of these names, checked."""
        shape, with_targets = _check_image_shape(image_shape), target == "y"
        from_data = isinstance(value_range, str) and value_range == "data"
        if from_data:
            # Until the data has been seen any number is welcome, later ones as well.
            values = ValueRange(free=True, beyond=True)
        else:
            values = ValueRange.of(value_range, free=latents, beyond=with_targets)
        return cls(shape, values, from_data and not latents, latents, with_targets)

    def open(self, X, name="X"):
        """Photos of what a user gave.

        Parameters
        ----------
        X : array-like, list of photos, lazy sequence or Photos
            ``(n, H, W, C)``, ``(n, H, W)`` or ``(n, n_features)``, or photos ``(H, W,
            C)`` or ``(H, W)`` of one or of several sizes. Arrays that are not in memory
            are read when their images are asked for.
        name : str
            What errors call it.

        Returns
        -------
        photos : Photos
            ``X`` itself if it has been opened already.

        Raises
        ------
        ValueError, TypeError
            Saying what came, what was expected and how to mend it.
        """
        if isinstance(X, Photos):
            return X
        refuse_what_is_no_array(X, name)
        if is_lazy(X):
            return self._open_lazy(X, name)
        if isinstance(X, list | tuple) and len(X) and are_photos(X, name):
            photos = [photo_array(p, f"{name}[{i}]") for i, p in enumerate(X)]
            for i, photo in enumerate(photos):
                check_same_numbers([photos[0].dtype, photo.dtype], name, i)
            if len({photo.shape for photo in photos}) > 1:
                return self._open_list(photos, name)
            X = np.stack(photos)
        if is_sliced(X):
            check_lengths(X, name)
            if X.ndim < 2 or 0 in X.shape:  # which is refused below
                X = np.asarray(X[...])
        if not is_sliced(X):
            X = as_array(X, name)
        if X.ndim <= 2:
            return self._open_rows(X, name)
        return self._open_images(X, name)

    def open_pair(self, X, y=None):
        """Photos of ``X``, with those of ``y`` as their targets if that is what it is.

        Any other ``y`` is not looked at.
        """
        photos = self.open(X)
        if not self.with_targets or photos.targets is not None:
            return photos
        if y is None:
            raise ValueError(
                "target='y' needs the images that those of X are to become: pass them "
                "as y, or set target='X'."
            )
        # Targets lie within the range, whatever the noise of X does.
        values = dataclasses.replace(self.value_range, beyond=self.targets_beyond)
        targets = dataclasses.replace(self, value_range=values).open(y, "y")
        if targets.shapes != photos.shapes:
            raise ValueError(
                f"y holds {_describe(targets)}, but X {_describe(photos)}: images and "
                "what they are restored to must have the same shapes. Resize X first, "
                "or set target='X' if y is no images to restore."
            )
        return dataclasses.replace(photos, targets=targets)

    def open_to_fit(self, X, y=None):
        """Photos to train on, and the spec by which all later ones are read.

        Parameters
        ----------
        X, y : as in `open_pair`

        Returns
        -------
        photos : Photos
        spec : InputSpec
        """
        photos = self.open_pair(X, y)
        if photos.layout.is_vector:
            warn_of_rows_of_bytes(X)
        if not self.from_data:
            return photos, self
        settled, targets = ValueRange(free=True), photos.targets
        if not photos.layout.is_vector:
            span = (photos if targets is None else targets).span()
            settled = ValueRange.spanned_by([span], beyond=True)
        if targets is not None:
            targets = dataclasses.replace(targets, value_range=settled)
        photos = dataclasses.replace(photos, value_range=settled, targets=targets)
        known = {"value_range": settled, "from_data": False, "targets_beyond": True}
        return photos, dataclasses.replace(self, **known)

    def beyond_the_range(self):
        """Return the same spec for input that may exceed the range of images."""
        values = dataclasses.replace(self.value_range, beyond=True)
        return dataclasses.replace(self, value_range=values)

    def restore(self, images, kind):
        """Give unit images ``(n, H, W, C)`` their range, in place, and a layout."""
        values = self.values_of(kind)
        return Layout(kind, images.shape[1:]).restore(values.from_unit(images))

    def values_of(self, kind):
        """Range of what has a kind of layout; vectors have none."""
        if kind != "vector" or self.value_range.free:
            return self.value_range
        return ValueRange(free=True)

    def _open_lazy(self, X, name):
        photos = LazyPhotos(X, name, photo_array, self.value_range.check)
        sizes = set(photos.shapes)
        shape = sizes.pop()
        if sizes:
            shape = (None, None, shape[2])
        self._refuse_channels_first(photos.shapes[0], f"photos of {name}")
        return Photos(photos, Layout(photos.kind, shape), self.value_range)

    def _open_list(self, photos, name):
        """Open photos of different sizes."""
        check_shapes([photo.shape for photo in photos], name)
        for i, photo in enumerate(photos):
            self.value_range.check(photo, f"{name}[{i}]")
        grey = photos[0].ndim == 2
        items = [photo[..., None] if grey else photo for photo in photos]
        self._refuse_channels_first(items[0].shape, f"photos of {name}")
        layout = Layout("grey" if grey else "channels", (None, None, items[0].shape[2]))
        return Photos(items, layout, self.value_range)

    def _open_images(self, X, name):
        if X.ndim > 4:
            raise ValueError(
                f"{name} has shape {X.shape}; expected images (n, H, W, C) or (n, H, "
                "W), or rows (n, n_features)."
            )
        if 0 in X.shape:
            raise ValueError(
                f"{name} has shape {X.shape}; expected at least 1 image with at least "
                "one pixel and channel. Found array with 0 sample(s) or features is no "
                "input. Where it is an empty block of a Dask array, rechunk the array, "
                "and give map_blocks the meta= of the result."
            )
        said = self.image_shape is not None
        if X.ndim == 3 and not said and X.shape[2] <= _FEW < min(X.shape[:2]):
            raise ValueError(
                f"{name} has shape {X.shape}, which is one photo (H, W, C) or "
                f"{X.shape[0]} grey images of {X.shape[1]}x{X.shape[2]} pixels. Give "
                f"one photo an axis in front, {name}[None]; say "
                f"image_shape={X.shape[1:]} if the images are that narrow."
            )
        if X.ndim == 4:
            self._refuse_channels_first(X.shape[1:], f"{name}, images")
        kind = "grey" if X.ndim == 3 else "channels"
        layout = Layout(kind, (*X.shape[1:], 1)[:3])
        return Photos(self._images_in(X, layout, name), layout, self.value_range)

    def _refuse_channels_first(self, shape, what):
        """Raise for images that seem to be ``(C, H, W)``, unless said to be not."""
        said = self.latents or self.image_shape is not None
        if said or not shape[0] <= _FEW < min(shape[1:]):
            return
        raise ValueError(
            f"Got {what} of shape {shape}, which seems to have channels first; "
            "expected channels last, (H, W, C). Move the axis with np.moveaxis(image, "
            f"0, -1); say image_shape={shape} if it is {shape[0]} pixels high."
        )

    def _open_rows(self, X, name):
        flat, sliced = self.image_shape is not None, is_sliced(X)
        values = self.values_of("flat" if flat else "vector")
        read = _flat_images if flat else functools.partial(_vectors, values)
        rows = X if sliced else read(X, name)
        shape = self.image_shape or (1, 1, rows.shape[1])
        layout = Layout("flat" if flat else "vector", shape)
        if rows.shape[1] != layout.n_features:
            raise ValueError(
                f"{name} has {rows.shape[1]} features, but image_shape="
                f"{self.image_shape} makes {layout.n_features}: give rows of flattened "
                "images of that shape."
            )
        images = self._images_in(rows, layout, name, read)
        return Photos(images, layout, values)

    def _images_in(self, X, layout, name, read=None):
        """Check images of a layout: now if they are in memory, or as they are read."""
        values = self.values_of(layout.kind)
        if is_sliced(X):
            return SlicedPhotos(X, layout.image_shape, name, values.check, read)
        values.check(X, name)
        return X.reshape(len(X), *layout.image_shape)


def _vectors(values, X, name):
    """Rows of any numbers, as float32 once it is sure that they fit."""
    rows = as_table(X, name, dtype=[np.float32, np.float64])
    values.check(rows, name)
    return rows.astype(np.float32, copy=False)


def _flat_images(X, name):
    """Rows that are images, in the dtype that they come in."""
    return as_table(X, name, dtype=None, ensure_all_finite=False)


def _check_image_shape(image_shape):
    if image_shape is None:
        return None
    is_shape = (
        isinstance(image_shape, list | tuple)
        and len(image_shape) in (2, 3)
        and all(
            isinstance(side, numbers.Integral)
            and not isinstance(side, bool)
            and side > 0
            for side in image_shape
        )
    )
    if not is_shape:
        raise ValueError(
            f"image_shape={image_shape!r} must be (H, W, C) or (H, W), of positive "
            "integers."
        )
    return (*map(int, image_shape), 1)[:3]


def _describe(photos):
    if not photos.is_one_size:
        return f"{len(photos)} photos of different sizes"
    shape = photos.layout.image_shape
    return f"images of shape {(len(photos), *shape)}"
