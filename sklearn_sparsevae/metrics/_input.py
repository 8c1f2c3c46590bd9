"""What image metrics take: checked pairs, in floats, or in batches as they look."""

import numpy as np

# What a network is shown at once, so that memory stays bounded.
_BATCH_IMAGES = 32
_BATCH_PIXELS = 2**18


def image_pairs(y_true, y_pred, data_range, min_ndim):
    """Check both sets and return an iterator over pairs of float64 images."""
    y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
    _check_data_range(data_range)
    _check_same_shape(y_true, y_pred, min_ndim)
    for name, images in (("y_true", y_true), ("y_pred", y_pred)):
        _check_values(images, name)
    _check_span(y_true, data_range)
    return (
        (_as_float(true, data_range), _as_float(pred, data_range))
        for true, pred in zip(y_true, y_pred)
    )


def rgb_pairs(y_true, y_pred, data_range):
    """Check pairs of images and return an iterator over pairs of RGB batches."""
    y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
    batches = rgb_sets(y_true, y_pred, data_range)
    _check_same_shape(y_true, y_pred, min_ndim=3)
    return zip(*batches)


def rgb_sets(y_true, y_pred, data_range):
    """Check two sets of images and return an iterator over RGB batches of each.

    The batches are float32 arrays ``(n, H, W, 3)``, clipped to [0, 1]; grey is shown as
    RGB.
    """
    _check_data_range(data_range)
    y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
    for name, images in (("y_true", y_true), ("y_pred", y_pred)):
        _check_colors(images, name)
        _check_values(images, name)
    _check_inside(y_true, data_range)
    return _rgb_batches(y_true, data_range), _rgb_batches(y_pred, data_range)


def _rgb_batches(images, data_range):
    step = int(np.clip(_BATCH_PIXELS // np.prod(images.shape[1:3]), 1, _BATCH_IMAGES))
    for start in range(0, len(images), step):
        batch = _as_float(images[start : start + step], data_range) / data_range
        batch = batch.clip(0, 1).astype(np.float32)
        batch = batch.reshape(*batch.shape[:3], -1)
        yield np.repeat(batch, 3, axis=3) if batch.shape[3] == 1 else batch


def _check_data_range(data_range):
    if not data_range > 0:
        raise ValueError(f"Got data_range={data_range}; expected a positive number.")


def _check_same_shape(y_true, y_pred, min_ndim):
    if y_true.shape != y_pred.shape or y_true.ndim < min_ndim or not y_true.size:
        raise ValueError(
            f"Got y_true of shape {y_true.shape} and y_pred of shape {y_pred.shape}; "
            "expected the same shape (n_images, ...) with at least one value. Give a "
            "single image an axis of images in front: image[None]."
        )


def _check_colors(images, name):
    if images.ndim == 3 or (images.ndim == 4 and images.shape[3] in (1, 3)):
        if images.size:
            return
    raise ValueError(
        f"Got {name} of shape {images.shape}; expected (n_images, H, W), or (n_images, "
        "H, W, C) with 1 or 3 channels, and at least one image. Give flat rows their "
        "image shape, and choose three of more channels."
    )


def _check_values(images, name):
    if images.dtype != np.uint8 and images.dtype.kind != "f":
        raise ValueError(
            f"Got {name} of type {images.dtype}; expected uint8 or a floating type. "
            "Convert other integers to floats between 0 and data_range."
        )
    if not np.isfinite(images.max() - images.min()):
        raise ValueError(
            f"Got {name} with NaN, infinite or unbounded values; expected finite ones. "
            "Find them with numpy.isfinite."
        )


def _check_span(images, data_range):
    low, high = images.min(), images.max()
    if images.dtype == np.uint8 or float(high) - float(low) <= data_range * (1 + 1e-6):
        return
    raise ValueError(
        f"Got y_true from {low:.4g} to {high:.4g}; expected values that span at most "
        f"data_range={data_range}. Divide the images by their largest possible value, "
        "or pass the range that they have as data_range."
    )


def _as_float(image, data_range):
    scale = data_range / 255 if image.dtype == np.uint8 else 1.0
    return image.astype(np.float64) * scale


def _check_inside(y_true, data_range):
    slack = 1e-6 * data_range
    low, high = y_true.min(), y_true.max()
    if y_true.dtype == np.uint8 or (low >= -slack and high <= data_range + slack):
        return
    raise ValueError(
        f"Got y_true from {low:.4g} to {high:.4g}; expected values from 0, which is "
        f"black, to data_range={data_range}, which is white. Shift the images, or pass "
        "what white is as data_range."
    )
