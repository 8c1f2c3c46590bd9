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


def covering_by_hand(true, pred):
    """Best IoU of the segment that each pixel belongs to, averaged over pixels."""
    best = {
        label: max(
            jaccard_score((true == label).ravel(), (pred == other).ravel())
            for other in np.unique(pred)
        )
        for label in np.unique(true)
    }
    return np.mean([best[label] for label in true.ravel()])


@given(label_maps, label_maps)
def test_covering_is_the_best_iou_of_every_pixel(true, pred):
    expected = [covering_by_hand(t, p) for t, p in zip(true, pred)]
    assert_allclose(metrics.segmentation_covering(true, pred, per_image=True), expected)
    assert_allclose(metrics.segmentation_covering(true, pred), np.mean(expected))


def test_covering_of_a_hand_computed_case():
    true = [[[0, 0, 0, 0], [1, 1, 2, 2]]]
    pred = [[[5, 5, 5, 5], [5, 5, 6, 7]]]
    # 4 pixels at 4/6, 2 at 2/6 and 2 at 1/2, over 8 pixels
    assert_allclose(metrics.segmentation_covering(true, pred), 13 / 24)
    # 6 pixels at 4/6, twice 1 at 1/2
    assert_allclose(metrics.segmentation_covering(pred, true), 5 / 8)


@given(label_maps, label_maps, st.permutations(range(4)), st.permutations(range(4)))
def test_covering_does_not_read_the_numbers(true, pred, order, other_order):
    renamed = np.array(order)[true] - 1, np.array(other_order)[pred] - 1
    assert_allclose(
        metrics.segmentation_covering(*renamed),
        metrics.segmentation_covering(true, pred),
    )
    assert_allclose(metrics.segmentation_covering(true, renamed[0]), 1.0)


@given(label_maps)
def test_covering_lets_true_segments_share_a_partner(pred):
    true = np.arange(pred.size).reshape(pred.shape)
    covering = metrics.segmentation_covering(true, pred)
    assert covering >= metrics.matched_iou(true, pred) - 1e-12
    one = np.zeros_like(pred)
    assert_allclose(metrics.segmentation_covering(true, one), 1 / one[0].size)


@pytest.mark.parametrize(
    "score",
    [metrics.iou, metrics.dice, metrics.matched_iou, metrics.segmentation_covering],
)
@pytest.mark.parametrize(
    ("true", "pred", "message"),
    [
        (np.ones((1, 2, 2), int), np.ones((1, 2, 3), int), "expected the same shape"),
        (np.ones((1, 2, 2)), np.ones((1, 2, 2), int), "y_true of type float64"),
        (np.ones((0, 2, 2), int), np.ones((0, 2, 2), int), "expected the same shape"),
        ([], [], "expected the same shape"),
        (1, 1, "expected the same shape"),
        (None, None, "expected the same shape"),
        ([np.ones((2, 2), int)], [np.ones((2, 3), int)], "expected the same shape"),
        ([np.ones((2, 2), int)] * 2, [np.ones((2, 2), int)], "expected the same shape"),
        (np.ma.ones((1, 2, 2), int), np.ones((1, 2, 2), int), "y_true as a masked"),
        (np.ones((1, 2, 2), int), np.ma.ones((1, 2, 2), int), "y_pred as a masked"),
        (np.ones((1, 2, 2), int), np.full((1, 2, 2), np.nan), "y_pred of type float64"),
        (np.ones((1, 2, 2), int), np.full((1, 2, 2), "a"), "y_pred of type <U1"),
        (np.ones((1, 2, 2), int), np.full((1, 2, 2), None), "y_pred of type object"),
        ([[[1, 0], [1]]], [[[1, 0], [1]]], "in lists of different lengths"),
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


@pytest.mark.parametrize(
    "score",
    [metrics.iou, metrics.dice, metrics.matched_iou, metrics.segmentation_covering],
)
def test_maps_of_different_sizes_are_compared_one_by_one(rng, score):
    shapes = [(4, 5), (4, 5), (7, 2)]
    true, pred = ([rng.integers(0, 2, s) for s in shapes] for _ in range(2))
    each = [score(a[None], b[None]) for a, b in zip(true, pred, strict=True)]
    assert_allclose(score(true, pred, per_image=True), each)
    assert_allclose(score(true, pred), np.mean(each))
