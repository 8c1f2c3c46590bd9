"""Comparing label maps with masks, and how clearly clusters part."""

import numpy as np
from scipy import sparse

from sklearn_sparsevae import metrics


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


def check_masks(masks, expected):
    """Return masks with one label map per prediction, else say what is wrong."""
    masks = np.asarray(masks)
    if masks.ndim == 4 and masks.shape[-1] == 1:
        masks = masks[..., 0]
    same_kind = masks.ndim == len(expected)
    if not same_kind or masks.shape[0] != expected[0] or masks.size == 0:
        raise ValueError(
            f"Got masks of shape {masks.shape}; expected one mask for each of the "
            f"{expected[0]} predictions, such as {tuple(expected)}. Pass label maps as "
            "y, without a channel axis."
        )
    return masks


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
    """Whether all rows are the same, but for rounding."""
    return _mean_and_spread(X)[1] == 0


def _mean_and_spread(X):
    """Mean row, and the sum of squared distances to it; 0 if within rounding."""
    squares = (X.multiply(X) if sparse.issparse(X) else np.square(X)).sum()
    mean = np.asarray(X.mean(axis=0), dtype=float).ravel()
    spread = float(squares) - X.shape[0] * float(mean @ mean)
    return mean, spread if spread > 1e-6 * squares else 0.0
