"""Overlap metrics against scikit-learn and against all possible matchings."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose
from sklearn.metrics import f1_score, jaccard_score

from sklearn_sparsevae import metrics

masks = hnp.arrays(
    bool, hnp.array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=5)
)
label_maps = hnp.arrays(np.int64, (2, 3, 3), elements=st.integers(0, 3))


@given(st.data(), masks)
def test_iou_and_dice_are_jaccard_and_f1(data, true):
    pred = data.draw(hnp.arrays(bool, true.shape))
    options = {"zero_division": 1.0}
    pairs = [(t.ravel(), p.ravel()) for t, p in zip(true, pred)]
    jaccard = [jaccard_score(*pair, **options) for pair in pairs]
    f1 = [f1_score(*pair, **options) for pair in pairs]
    assert_allclose(metrics.iou(true, pred, per_image=True), jaccard)
    assert_allclose(metrics.iou(true.astype(int), pred), np.mean(jaccard))
    assert_allclose(metrics.dice(true, pred, per_image=True), f1)
    assert_allclose(metrics.dice(true, pred), np.mean(f1))


def matched_iou_by_hand(true, pred):
    """The best of all ways to give each true segment a predicted one, or none."""
    segments = [true == label for label in np.unique(true)]
    partners = [pred == label for label in np.unique(pred)]
    partners += [np.zeros_like(true, dtype=bool)] * len(segments)
    scores = [
        sum((s & p).sum() / (s | p).sum() for s, p in zip(segments, chosen))
        for chosen in itertools.permutations(partners, len(segments))
    ]
    return max(scores) / len(segments)


@given(label_maps, label_maps)
def test_matched_iou_is_the_best_of_all_matchings(true, pred):
    expected = [matched_iou_by_hand(t, p) for t, p in zip(true, pred)]
    assert_allclose(metrics.matched_iou(true, pred, per_image=True), expected)
    assert_allclose(metrics.matched_iou(true, pred), np.mean(expected))


@given(label_maps, st.permutations(range(4)))
def test_matched_iou_does_not_read_the_numbers(labels, order):
    renamed = np.array(order)[labels] - 1
    assert_allclose(metrics.matched_iou(labels, renamed), 1.0)


@pytest.mark.parametrize("score", [metrics.iou, metrics.dice, metrics.matched_iou])
@pytest.mark.parametrize(
    ("true", "pred", "message"),
    [
        (np.ones((1, 2, 2), int), np.ones((1, 2, 3), int), "expected the same shape"),
        (np.ones((1, 2, 2)), np.ones((1, 2, 2), int), "y_true of type float64"),
        (np.ones((0, 2, 2), int), np.ones((0, 2, 2), int), "expected the same shape"),
    ],
)
def test_bad_segmentations_are_refused(score, true, pred, message):
    with pytest.raises(ValueError, match=message):
        score(true, pred)


@pytest.mark.parametrize("score", [metrics.iou, metrics.dice])
@pytest.mark.parametrize("value", [255, -1, 2])
def test_label_maps_are_not_masks(score, value):
    with pytest.raises(ValueError, match="matched_iou"):
        score(np.full((1, 2, 2), value), np.zeros((1, 2, 2), int))
