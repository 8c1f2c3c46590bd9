"""Segmentation metrics: overlap of masks and of label maps, image by image."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

from sklearn_sparsevae._typing import Labels, Score
from sklearn_sparsevae.metrics._input import as_set, check_same_shapes, mean_or_each


def iou(y_true: Labels, y_pred: Labels, *, per_image: bool = False) -> Score:
    """Intersection over union of foreground masks, per image and then averaged.

    Parameters
    ----------
    y_true, y_pred : array-like of bool, or of 0 and 1, of shape (n_images, H, W)
        True and predicted masks. Any shape that agrees is taken, images first, and
        lists of masks of different sizes.
    per_image : bool, default=False
        Return one number per image instead of their mean.

    Returns
    -------
    iou : float, or ndarray of shape (n_images,)
        In [0, 1]; 1 where both masks are empty. Higher is better.

    Raises
    ------
    ValueError
        If the shapes differ or a mask holds anything but 0 and 1.

    Examples
    --------
    >>> from sklearn_sparsevae.metrics import iou
    >>> iou([[[1, 1], [0, 0]]], [[[1, 0], [0, 0]]])
    0.5
    """
    both, sizes = _overlaps(y_true, y_pred)
    return _mean_ratio(both, sizes - both, per_image)


def dice(y_true: Labels, y_pred: Labels, *, per_image: bool = False) -> Score:
    """Dice's coefficient (F1) of foreground masks, per image and then averaged.

    ``2 |A and B| / (|A| + |B|)``, which is ``2 iou / (1 + iou)`` on each image.

    Parameters
    ----------
    y_true, y_pred, per_image
        As in :func:`iou`.

    Returns
    -------
    dice : float, or ndarray of shape (n_images,)
        In [0, 1]; 1 where both masks are empty. Higher is better.

    Raises
    ------
    ValueError
        As :func:`iou`.

    Examples
    --------
    >>> from sklearn_sparsevae.metrics import dice
    >>> round(dice([[[1, 1], [0, 0]]], [[[1, 0], [0, 0]]]), 6)
    0.666667
    """
    both, sizes = _overlaps(y_true, y_pred)
    return _mean_ratio(2 * both, sizes, per_image)


def matched_iou(y_true: Labels, y_pred: Labels, *, per_image: bool = False) -> Score:
    """Mean intersection over union of label maps whose numbers mean nothing.

    In each image every true segment is matched to at most one predicted one, so that
    the sum of their IoU is largest (the Hungarian method). The image's score is the
    mean over its true segments; a segment left without a partner scores 0, and a
    predicted segment left over costs only what it took from the others.

    Parameters
    ----------
    y_true, y_pred : array-like of int of shape (n_images, H, W), or lists of maps
        True and predicted label maps; those of a list may differ in size.
    per_image : bool, default=False
        Return one number per image instead of their mean.

    Returns
    -------
    iou : float, or ndarray of shape (n_images,)
        In (0, 1]. Higher is better.

    Raises
    ------
    ValueError
        If the shapes differ or the labels are not integers.

    Examples
    --------
    >>> from sklearn_sparsevae.metrics import matched_iou
    >>> matched_iou([[[0, 0], [1, 1]]], [[[7, 7], [3, 3]]])
    1.0
    """
    maps = zip(*_label_maps(y_true, y_pred), strict=True)
    values = np.array([_match(true, pred) for true, pred in maps])
    return mean_or_each(values, per_image)


def segmentation_covering(
    y_true: Labels, y_pred: Labels, *, per_image: bool = False
) -> Score:
    """Covering of the true label maps by the predicted ones (Arbelaez et al. [1]_).

    In each image every true segment R finds the predicted segment R' that overlaps it
    best; several may find the same one. The image's score is the mean over its pixels::

        1 / N sum_R |R| max_R' |R and R'| / |R or R'|

    Segments need not be connected: number the connected components first
    (``skimage.measure.label``) where they have to be.

    Parameters
    ----------
    y_true, y_pred : array-like of int of shape (n_images, H, W), or lists of maps
        True and predicted label maps, whose numbers mean nothing. The covering is not
        symmetric: it asks how well the true segments are found.
    per_image : bool, default=False
        Return one number per image instead of their mean.

    Returns
    -------
    covering : float, or ndarray of shape (n_images,)
        In (0, 1]; 1 for the same segments. Higher is better.

    Raises
    ------
    ValueError
        As :func:`matched_iou`.

    See Also
    --------
    matched_iou : Every predicted segment counts for one true segment at most.

    References
    ----------
    .. [1] P. Arbelaez, M. Maire, C. Fowlkes, J. Malik. "Contour Detection and
       Hierarchical Image Segmentation". IEEE TPAMI 33(5), 2011.

    Examples
    --------
    >>> from sklearn_sparsevae.metrics import segmentation_covering
    >>> segmentation_covering([[[1, 1, 1, 2]]], [[[5, 5, 6, 6]]])
    0.625
    """
    maps = zip(*_label_maps(y_true, y_pred), strict=True)
    values = np.array([_cover(true, pred) for true, pred in maps])
    return mean_or_each(values, per_image)


def _overlaps(y_true, y_pred):
    """Intersections and summed sizes of the masks of each image."""
    y_true, y_pred = _label_maps(y_true, y_pred)
    for name, masks in (("y_true", y_true), ("y_pred", y_pred)):
        low, high = min(m.min() for m in masks), max(m.max() for m in masks)
        if low < 0 or high > 1:
            raise ValueError(
                f"Got masks {name} with values from {low} to {high}; expected 0 and 1, "
                "or booleans. Compare label maps with matched_iou, or make masks of "
                "them: labels == foreground."
            )
    pairs = [(a.astype(bool), b.astype(bool)) for a, b in zip(y_true, y_pred)]
    both = np.array([(a & b).sum() for a, b in pairs])
    return both, np.array([a.sum() + b.sum() for a, b in pairs])


def _label_maps(y_true, y_pred):
    y_true, y_pred = as_set(y_true, "y_true"), as_set(y_pred, "y_pred")
    check_same_shapes(y_true, y_pred, min_ndim=1)
    for name, maps in (("y_true", y_true), ("y_pred", y_pred)):
        for labels in maps:
            if labels.dtype.kind not in "biu":
                raise ValueError(
                    f"Got {name} of type {labels.dtype}; expected integers or "
                    "booleans. Threshold soft masks first: mask > 0.5."
                )
    return y_true, y_pred


def _mean_ratio(numerator, denominator, per_image):
    values = np.divide(
        numerator, denominator, out=np.ones(len(numerator)), where=denominator > 0
    )
    return mean_or_each(values, per_image)


def _match(true, pred):
    """Mean IoU of the true segments of one image under the best matching."""
    scores, _ = _pairwise_iou(true, pred)
    return scores[linear_sum_assignment(scores, maximize=True)].sum() / len(scores)


def _cover(true, pred):
    """Best IoU of the true segments of one image, averaged over its pixels."""
    scores, sizes = _pairwise_iou(true, pred)
    return sizes @ scores.max(axis=1) / sizes.sum()


def _pairwise_iou(true, pred):
    """IoU of every true with every predicted segment, and pixels of the true ones."""
    true_labels, true = np.unique(true.ravel(), return_inverse=True)
    pred_labels, pred = np.unique(pred.ravel(), return_inverse=True)
    shape = (len(true_labels), len(pred_labels))
    pairs = np.ravel_multi_index((true, pred), shape)
    both = np.bincount(pairs, minlength=shape[0] * shape[1]).reshape(shape)
    sizes = both.sum(axis=1)
    return both / (sizes[:, None] + both.sum(axis=0) - both), sizes
