"""What comes in: images or vectors, checked, and brought to channels last."""

import dataclasses
import functools

import numpy as np
from sklearn.utils.validation import check_array

from sklearn_sparsevae.estimators._lazy import LazyPhotos, is_lazy
from sklearn_sparsevae.training.batching import shapes_of


@dataclasses.dataclass(frozen=True)
class Layout:
    """How a user lays out data, so that what goes back looks as what came.

    Attributes
    ----------
    image_shape : tuple of int
        ``(H, W, C)`` of the input; ``(1, 1, n_features)`` for vectors.
    kind : {"channels", "grey", "flat", "vector"}
        ``(n, H, W, C)``, ``(n, H, W)``, rows that are images, or rows that are vectors.
    """

    image_shape: tuple
    kind: str

    @property
    def n_features(self):
        """Numbers in one image."""
        height, width, channels = self.image_shape
        return height * width * channels

    def restore(self, images):
        """Give channels-last images the layout of the input."""
        if self.kind in ("flat", "vector"):
            return images.reshape(len(images), -1)
        return images[..., 0] if self.kind == "grey" else images

    def public_shape(self, height, width):
        """Shape of one image of another size in this layout."""
        return (
            (height, width) if self.kind == "grey" else (height, width, self.channels)
        )

    @property
    def channels(self):
        """Number of channels."""
        return self.image_shape[2]

    def describe(self):
        """Words for what has this layout."""
        if self.kind == "vector":
            return f"vectors of {self.n_features} features"
        return f"images with {self.channels} channel(s)"


def open_photos(X, *, name="X", **rules):
    """Have the photos of a lazy sequence checked when they are read; else return ``X``.

    ``rules`` are those of `check_images`.
    """
    if not is_lazy(X):
        return X
    return LazyPhotos(X, name, functools.partial(_check_photo, **rules))


def _check_photo(photo, **rules):
    return check_images(photo, **rules)[0]


def check_images(X, *, image_shape, value_range, any_range, name="X"):
    """Check input and bring it to ``(n, H, W, C)``.

    Parameters
    ----------
    X : array-like or LazyPhotos
        Images ``(n, H, W, C)`` or ``(n, H, W)``, or rows ``(n, n_features)``.
    image_shape : tuple of int or None
        What a row is, when it is an image.
    value_range : tuple of float or None
        What floats may span; None stands for (0, 1).
    any_range : bool
        Images of any range are welcome (the identity backbone).

    Returns
    -------
    images : ndarray (n, H, W, C), uint8 or floats, or LazyPhotos
        Not copied, so that a memory map stays one.
    layout : Layout

    Raises
    ------
    ValueError, TypeError
        Saying what came, what was expected and how to mend it.
    """
    if isinstance(X, LazyPhotos):
        if is_photo_list(X):
            raise _different_sizes()
        return X, Layout(X.shapes[0], X.kind)
    X = _as_array(X)
    if X.ndim in (0, 1, 2):
        return _check_rows(X, image_shape, value_range, any_range, name)
    if X.ndim == 3:
        X, kind = X[..., None], "grey"
    elif X.ndim == 4:
        kind = "channels"
    else:
        raise ValueError(
            f"{name} has shape {X.shape}; expected images (n, H, W, C) or (n, H, W), "
            "or rows (n, n_features)."
        )
    if 0 in X.shape:
        raise ValueError(
            f"{name} has shape {X.shape}; expected at least 1 image with at least one "
            "pixel and channel. Found array with 0 sample(s) or features is no input."
        )
    return _check_values(X, value_range, any_range, name), Layout(X.shape[1:], kind)


def check_photos(photos, *, crop_size, name="X", **rules):
    """Check a list of photos of possibly different sizes, to train on their crops.

    Returns the photos as a list of channels-last arrays (or as the LazyPhotos they are)
    and their common layout, whose image shape is that of a crop.
    """
    if isinstance(photos, LazyPhotos):
        image_shape = (crop_size, crop_size, photos.shapes[0][2])
        return photos, Layout(image_shape, photos.kind)
    checked = [
        check_images(np.asarray(p)[None], name=f"{name}[{i}]", **rules)
        for i, p in enumerate(photos)
    ]
    channels = {(layout.kind, layout.channels) for _, layout in checked}
    if len(channels) > 1:
        raise ValueError(
            f"The photos of {name} differ in their channels: {sorted(channels)}. "
            "Convert all to the same number of channels."
        )
    dtypes = {images.dtype for images, _ in checked}
    if len({dtype == np.uint8 for dtype in dtypes}) > 1:
        raise ValueError(
            f"The photos of {name} differ in their dtypes: {sorted(map(str, dtypes))}. "
            "Convert all to uint8, or all to floats in [0, 1]."
        )
    kind, n_channels = channels.pop()
    arrays = [images[0] for images, _ in checked]
    return arrays, Layout((crop_size, crop_size, n_channels), kind)


def is_photo_list(X):
    """Whether ``X`` is photos, in a list or lazy, that are not all of one shape."""
    if isinstance(X, LazyPhotos):
        return len(set(X.shapes)) > 1
    if not isinstance(X, (list, tuple)) or not X:
        return False
    shapes = {np.shape(photo) for photo in X}
    return len(shapes) > 1 and all(len(shape) in (2, 3) for shape in shapes)


def is_target(y, X):
    """Whether ``y`` holds the images that those of ``X`` are to be restored to.

    It does if it is uint8 or floats of the shape of ``X`` (in a list, photo by photo).
    Anything else, such as labels and integer masks, is for others to use. LazyPhotos
    are judged by their shapes and the dtype of the first.

    Raises
    ------
    ValueError
        When ``y`` is images of another shape.
    """
    X, y = (
        images.outline() if isinstance(images, LazyPhotos) else images
        for images in (X, y)
    )
    if is_photo_list(X):
        same_length = isinstance(y, (list, tuple)) and len(y) == len(X)
        return same_length and all(map(is_target, y, X))
    try:
        X, y = (np.asarray(_as_array(images)) for images in (X, y))
    except ValueError:  # a list of lists of labels
        return False
    if y.ndim != X.ndim or not (y.dtype == np.uint8 or y.dtype.kind == "f"):
        return False
    if y.ndim > 2 and y.shape != X.shape:
        raise ValueError(
            f"y holds images of shape {y.shape}, but X has shape {X.shape}: images and "
            "what they are restored to must have the same shape. Resize X first, or "
            "leave y out."
        )
    return y.shape == X.shape


def check_same_layout(layout, fitted, estimator_name):
    """Raise when a model that was fitted on one layout cannot take another."""
    both_vectors = layout.kind == fitted.kind == "vector"
    if both_vectors and layout.n_features != fitted.n_features:
        raise ValueError(
            f"X has {layout.n_features} features, but {estimator_name} is "
            f"expecting {fitted.n_features} features as input."
        )
    is_vector = "vector" in (layout.kind, fitted.kind)
    if layout.channels != fitted.channels or (is_vector and not both_vectors):
        remedy = f"convert the images to {fitted.channels} channel(s), channels last"
        if fitted.kind == "vector":
            remedy = f"give rows (n, {fitted.n_features})"
        raise ValueError(
            f"X is {layout.describe()}, but this model was fitted on "
            f"{fitted.describe()}: {remedy}."
        )


def smallest_side(photos):
    """Pixels of the shortest side of all photos."""
    return min(min(shape[:2]) for shape in shapes_of(photos))


def value_span(images):
    """Smallest and largest value of an array or of several; NaN where there is one.

    Also of a memory map or LazyPhotos, without a temporary array of their size.
    """
    parts = [images] if isinstance(images, np.ndarray) else images
    spans = np.array([(part.min(), part.max()) for part in parts], np.float64)
    return float(spans[:, 0].min()), float(spans[:, 1].max())


def check_crop_size(images, crop_size):
    """Raise when a photo is smaller than the crops that are to be cut from it."""
    smallest = smallest_side(images)
    if crop_size is not None and crop_size > smallest:
        raise ValueError(
            f"crop_size={crop_size} exceeds the {smallest} pixels of the smallest side "
            "in X: lower crop_size or leave that photo out."
        )


def _as_array(X):
    if hasattr(X, "detach"):  # a tensor, from any device
        X = X.detach().cpu().numpy()
    if not hasattr(X, "ndim"):  # lists, and what only has __array__
        try:
            X = np.asarray(X)
        except ValueError:
            raise _different_sizes() from None
    return np.asarray(X) if X.ndim in (3, 4) else X


def _different_sizes():
    return ValueError(
        "X is a list of images of different sizes, which only fit takes (with "
        "crop_size). Code photos of different sizes one size at a time."
    )


def _check_rows(X, image_shape, value_range, any_range, name):
    if image_shape is None:
        rows = check_array(X, dtype=[np.float32, np.float64], input_name=name)
        rows = rows.astype(np.float32, copy=False)
        if not np.isfinite(value_span(rows)).all():
            raise ValueError(
                f"{name} has values too large for float32: scale the features."
            )
        return rows[:, None, None, :], Layout((1, 1, rows.shape[1]), "vector")
    rows = check_array(X, dtype=None, ensure_all_finite=False, input_name=name)
    shape = tuple(image_shape)
    shape = (*shape, 1) if len(shape) == 2 else shape
    if rows.shape[1] != np.prod(shape):
        raise ValueError(
            f"{name} has {rows.shape[1]} features, but image_shape={image_shape} makes "
            f"{np.prod(shape)}: give rows of flattened images of that shape."
        )
    images = rows.reshape(len(rows), *shape)
    return _check_values(images, value_range, any_range, name), Layout(shape, "flat")


def _check_values(images, value_range, any_range, name):
    if images.dtype == np.uint8:
        return images
    if images.dtype.kind != "f":
        raise TypeError(
            f"{name} has dtype {images.dtype}; expected uint8 (0 to 255) or floats in "
            "[0, 1]. Divide other integers by their largest possible value, for "
            "instance X / 65535 for uint16."
        )
    smallest, largest = value_span(images)
    if not np.isfinite([smallest, largest]).all():
        raise ValueError(
            f"{name} contains NaN or infinity: replace or leave out those pixels."
        )
    low, high = (0.0, 1.0) if value_range is None else value_range
    slack = 1e-5 * (high - low)
    if not any_range and (smallest < low - slack or largest > high + slack):
        raise ValueError(
            f"{name} has values in [{smallest:.4g}, {largest:.4g}], expected "
            f"[{low:g}, {high:g}]. Scale the images, pass uint8, or say what the range "
            "is with value_range=(low, high)."
        )
    return images
