"""Comparing label maps with masks, and how clearly clusters part."""

import numpy as np
from scipy import sparse

from sklearn_sparsevae import metrics
from sklearn_sparsevae._arguments import as_ndarray

# A variance below this share of the mean square is none: networks see the padding of
# a constant image.
_FLAT = 1e-6


def mean_iou(labels, masks, binary):
    """Mean over images of the intersection over union of two label maps."""
    pairs = [(_sample(mask, label.shape), label) for label, mask in zip(labels, masks)]
    if binary:
        scores = [metrics.iou((a != 0)[None], (b != 0)[None]) for a, b in pairs]
    else:
        scores = [metrics.matched_iou(_numbered(a)[None], b[None]) for a, b in pairs]
    return float(np.mean(scores))


def _numbered(mask):
    """Label map of integers for one whose labels are of any type."""
    return np.unique(mask, return_inverse=True)[1].reshape(mask.shape)


def check_masks(masks, labels, is_scene):
    """Return one mask per label map, else say what is wrong.

    For a scene, one array with the true label of every row.
    """
    n_expected = len(labels)
    if n_expected == 0:
        raise ValueError("Got X with codes of 0 images; expected at least one.")
    if is_scene:
        masks = as_ndarray(masks, "y")
        if masks.shape != (n_expected,):
            raise ValueError(
                f"Got masks of shape {masks.shape} as y; expected the true labels of "
                f"the {n_expected} rows of the scene."
            )
        return masks
    is_set = hasattr(masks, "__len__") and getattr(masks, "ndim", 1) > 0
    is_set = is_set and not sparse.issparse(masks)
    found = len(masks) if is_set else repr(masks)
    if found != n_expected:
        raise ValueError(
            f"Got {found} masks as y; expected one mask for each of the {n_expected} "
            "predictions."
        )
    return [_check_mask(mask, n_expected) for mask in masks]


def _check_mask(mask, n_expected):
    if np.ma.isMaskedArray(mask):
        raise ValueError(
            "Got a masked array among the masks, as y; expected ordinary ones."
        )
    mask = as_ndarray(mask, "y")
    if mask.ndim == 3 and mask.shape[-1] == 1:
        mask = mask[..., 0]
    if mask.ndim != 2 or mask.size == 0:
        raise ValueError(
            f"Got a mask of shape {mask.shape} in y; expected one mask for each of the "
            f"{n_expected} predictions, of shape (H, W), without a channel axis."
        )
    if mask.dtype.kind not in "biuf" or not np.isfinite(mask).all():
        raise ValueError(
            f"Got a mask of type {mask.dtype} in y; expected finite numbers or "
            "booleans."
        )
    return mask


def _sample(labels, shape):
    """Nearest label for every pixel of another size."""
    if labels.shape == shape:
        return labels
    rows, columns = (
        ((np.arange(size) + 0.5) * n / size).astype(int)
        for size, n in zip(shape, labels.shape)
    )
    return labels[np.ix_(rows, columns)]


def separation(X, labels):
    """Share of the variance of ``X`` that lies between clusters, in [0, 1]."""
    X = X.astype(np.float64)
    mean, total = _mean_and_spread(X)
    if total == 0:
        return 0.0
    between = 0.0
    for label in np.unique(labels):
        member = np.flatnonzero(labels == label)
        shift = np.asarray(X[member].mean(axis=0)).ravel() - mean
        between += len(member) * float(shift @ shift)
    return float(np.clip(between / total, 0, 1))


def is_flat(X):
    """Whether all rows are the same, or nearly so."""
    return _mean_and_spread(X.astype(np.float64))[1] == 0


def _mean_and_spread(X):
    """Mean row, and the sum of squared distances to it; 0 if within rounding."""
    squares = float((X.multiply(X) if sparse.issparse(X) else np.square(X)).sum())
    mean = np.asarray(X.mean(axis=0)).ravel()
    spread = squares - X.shape[0] * float(mean @ mean)
    return mean, spread if spread > _FLAT * squares else 0.0
