"""Coding rates: the textbook formula, their bounds, and what leaves them alone."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sklearn_sparsevae.sparse import (
    coding_rate,
    rate_distance,
    rate_reduction,
    transcription_terms,
)

SHAPES = [(40, 12), (12, 40), (20, 20), (1, 5), (5, 1)]


def textbook_rate(features, eps2=0.5):
    n, d = features.shape
    rows = features.astype(np.float64)
    matrix = np.eye(d) + d / (n * eps2) * rows.T @ rows
    return 0.5 * np.linalg.slogdet(matrix)[1]


def textbook_reduction(features, labels, eps2=0.5):
    groups = [features[labels == label] for label in set(labels.tolist())]
    apart = [len(g) / len(features) * textbook_rate(g, eps2) for g in groups]
    return textbook_rate(features, eps2) - sum(apart)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("eps2", [0.5, 0.01])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_rate_is_that_of_the_textbook(shape, eps2, dtype, rng):
    features = rng.standard_normal(shape).astype(dtype)
    rate = coding_rate(features, eps2)
    assert rate.dtype == dtype
    assert rate == pytest.approx(textbook_rate(features, eps2), rel=1e-5)


@pytest.mark.parametrize("shape", [(40, 12), (12, 40)])
def test_the_reduction_is_that_of_the_textbook(shape, rng):
    features = rng.standard_normal(shape)
    labels = rng.integers(0, 4, len(features)) * 3  # labels need not be consecutive
    expected = textbook_reduction(features, labels)
    assert rate_reduction(features, labels) == pytest.approx(expected, rel=1e-9)
    half = len(features) // 2
    distance = rate_distance(features[:half], features[half:])
    expected = textbook_reduction(features, np.arange(len(features)) < half)
    assert distance == pytest.approx(expected, rel=1e-9)


@given(
    n=st.integers(1, 12),
    d=st.integers(1, 12),
    n_classes=st.integers(1, 5),
    log_scale=st.integers(-12, 5),
    seed=st.integers(0, 2**16),
)
def test_reductions_are_never_negative(n, d, n_classes, log_scale, seed):
    rng = np.random.default_rng(seed)
    features = 10.0**log_scale * rng.standard_normal((n, d))
    labels = rng.integers(0, n_classes, n)
    rate, reduction = coding_rate(features), rate_reduction(features, labels)
    assert np.isfinite(rate) and rate >= 0
    assert -1e-9 <= reduction <= rate + 1e-9


@given(seed=st.integers(0, 2**16), n=st.integers(1, 10), d=st.integers(1, 10))
def test_only_angles_and_lengths_count(seed, n, d):
    rng = np.random.default_rng(seed)
    features, labels = rng.standard_normal((n, d)), rng.integers(0, 3, n)
    rotation, _ = np.linalg.qr(rng.standard_normal((d, d)))
    order = rng.permutation(n)
    turned = (features @ rotation)[order]
    assert rate_reduction(turned, labels[order]) == pytest.approx(
        rate_reduction(features, labels), abs=1e-9
    )


def test_identical_sets_have_no_distance(rng):
    for shape in SHAPES:
        features = rng.standard_normal(shape)
        order = rng.permutation(len(features))
        assert rate_distance(features, features[order]) == pytest.approx(0, abs=1e-12)


def test_sets_in_orthogonal_subspaces_are_further_apart_than_in_one():
    rows = np.eye(4)
    apart = rate_distance(rows[:2], rows[2:])
    assert (
        apart > rate_distance(rows[:2], rows[1:3]) > rate_distance(rows[:2], rows[:2])
    )


def test_nothing_takes_no_room():
    assert coding_rate(np.zeros((0, 3))) == 0
    assert coding_rate(np.zeros((4, 3))) == 0


def test_what_is_not_finite_is_seen():
    without = coding_rate(np.full((3, 3), np.inf), check_finite=False)
    assert np.isnan(without)


@pytest.mark.parametrize("shape", [(9, 4), (4, 9)])
def test_gradients_are_those_of_the_determinant(shape, rng):
    features = torch.from_numpy(rng.standard_normal(shape)).requires_grad_()
    labels = torch.arange(len(features)) % 2

    def by_slogdet(rows):
        n, d = rows.shape
        return torch.linalg.slogdet(torch.eye(d) + 2 * d / n * rows.mT @ rows)[1] / 2

    expected = by_slogdet(features)
    for label in (0, 1):
        rows = features[labels == label]
        expected = expected - len(rows) / len(features) * by_slogdet(rows)
    ours = rate_reduction(features, labels)
    (theirs,) = torch.autograd.grad(expected, features)
    (gradient,) = torch.autograd.grad(ours, features)
    torch.testing.assert_close(gradient, theirs)


def test_one_class_is_the_objective_without_classes(rng):
    first, second = (torch.from_numpy(rng.standard_normal((6, 4))) for _ in range(2))
    without = sum(transcription_terms(first, second).values())
    one = sum(transcription_terms(first, second, torch.zeros(6, dtype=int)).values())
    torch.testing.assert_close(one, without)


def test_the_objective_sums_over_classes(rng):
    first, second = rng.standard_normal((2, 10, 4))
    labels = np.repeat([0, 1], 5)
    tensors = map(torch.from_numpy, (first, second, labels))
    terms = {k: float(v) for k, v in transcription_terms(*tensors).items()}
    in_pairs = [rate_distance(first[labels == c], second[labels == c]) for c in (0, 1)]
    assert terms == pytest.approx(
        {
            "delta_r": sum(in_pairs),
            "delta_r_features": textbook_reduction(first, labels),
            "delta_r_regenerated": textbook_reduction(second, labels),
        }
    )


def test_features_that_are_no_matrix_are_refused():
    with pytest.raises(ValueError, match=r"the shape \(n, d\), got \(3,\)"):
        coding_rate(np.ones(3))
