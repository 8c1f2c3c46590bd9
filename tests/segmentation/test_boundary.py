"""Boundary connectivity against the paper's definitions, computed the slow way."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose

from sklearn_sparsevae.segmentation import (
    background_probability,
    boundary_connectivity,
    foreground_saliency,
    region_boundary_connectivity,
)
from sklearn_sparsevae.segmentation._boundary import (
    background_weighted_contrast,
    linked_pairs,
    optimize_saliency,
)

GRIDS = [(1, 1), (1, 5), (2, 2), (3, 3), (4, 6), (6, 5)]


def on_border(site, grid):
    row, column = divmod(site, grid[1])
    return row in (0, grid[0] - 1) or column in (0, grid[1] - 1)


def are_neighbors(a, b, grid):
    (i, j), (k, m) = divmod(a, grid[1]), divmod(b, grid[1])
    return a != b and max(abs(i - k), abs(j - m)) == 1


def floyd_warshall(features, grid):
    """Shortest paths by the textbook triple loop."""
    n = len(features)
    apart = np.array([[np.linalg.norm(a - b) for b in features] for a in features])
    nearest = [
        [apart[i, j] for j in range(n) if are_neighbors(i, j, grid)] for i in range(n)
    ]
    clip = np.mean([min(row) for row in nearest]) if n > 1 else 0
    paths = np.full((n, n), np.inf)
    for i in range(n):
        paths[i, i] = 0
        for j in range(n):
            linked = on_border(i, grid) and on_border(j, grid)
            if i != j and (linked or are_neighbors(i, j, grid)):
                paths[i, j] = max(apart[i, j] - clip, 0)
    for k in range(n):
        for i in range(n):
            for j in range(n):
                paths[i, j] = min(paths[i, j], paths[i, k] + paths[k, j])
    return paths


@settings(max_examples=50, deadline=None)
@given(
    hnp.arrays(int, hnp.array_shapes(min_dims=2, max_dims=2, max_side=8)).map(
        lambda labels: np.abs(labels % 4)
    )
)
def test_hard_form_counts_sites(labels):
    found = region_boundary_connectivity(labels)
    for label in range(labels.max() + 1):
        sites = [s for s in range(labels.size) if labels.flat[s] == label]
        border = sum(on_border(s, labels.shape) for s in sites)
        expected = border / np.sqrt(len(sites)) if sites else 0
        assert found[label] == pytest.approx(expected)


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("scale", [0.5, 3.0])
def test_soft_form_equals_floyd_warshall(grid, scale):
    features = np.random.default_rng(0).normal(size=(grid[0] * grid[1], 3))
    paths = floyd_warshall(features, grid)
    span = np.exp(-(paths**2) / (2 * scale**2))
    border = [s for s in range(len(features)) if on_border(s, grid)]
    expected = span[:, border].sum(axis=1) / np.sqrt(span.sum(axis=1))
    found = boundary_connectivity(features, grid, scale)
    assert_allclose(found, expected, rtol=0.02, atol=0.02)  # far pairs are left out


def test_soft_form_becomes_the_hard_form_for_separate_regions():
    labels = np.pad(np.ones((4, 5), dtype=int), [(3, 2), (2, 3)])
    labels[3:5, :2] = 2  # a region that touches the border for two sites
    features = 1000.0 * np.eye(3)[labels.ravel()]
    soft = boundary_connectivity(features, labels.shape, scale=1.0)
    hard = region_boundary_connectivity(labels)[labels.ravel()]
    assert_allclose(soft, hard, atol=1e-3)


@pytest.mark.parametrize("grid", GRIDS)
def test_linked_pairs_are_neighbours_and_border_pairs(grid):
    n = grid[0] * grid[1]
    expected = {
        (a, b)
        for a in range(n)
        for b in range(a + 1, n)
        if are_neighbors(a, b, grid) or (on_border(a, grid) and on_border(b, grid))
    }
    found = list(zip(*(pairs.tolist() for pairs in linked_pairs(grid))))
    assert len(found) == len(set(found))
    assert set(found) == expected


def test_background_probability_rises_from_zero_to_one():
    probability = background_probability(np.linspace(0, 20, 50), 2.0)
    assert probability[0] == 0
    assert probability[-1] == pytest.approx(1)
    assert (np.diff(probability) >= 0).all()


def test_contrast_is_the_weighted_sum_of_distances():
    rng = np.random.default_rng(1)
    grid, features, background = (3, 4), rng.normal(size=(12, 2)), rng.random(12)
    expected = np.zeros(12)
    for i in range(12):
        for j in range(12):
            p, q = np.array(divmod(i, 4)) / 4, np.array(divmod(j, 4)) / 4
            near = np.exp(-((p - q) ** 2).sum() / (2 * 0.3**2))
            apart = np.linalg.norm(features[i] - features[j])
            expected[i] += apart * near * background[j]
    found = background_weighted_contrast(features, grid, background)
    assert_allclose(found, expected / expected.max())


def energy(saliency, features, grid, background, foreground, scale, floor):
    cost = (background * saliency**2 + foreground * (saliency - 1) ** 2).sum()
    for i, j in zip(*linked_pairs(grid)):
        squared = ((features[i] - features[j]) ** 2).sum()
        weight = np.exp(-squared / (2 * scale**2)) + floor
        cost += weight * (saliency[i] - saliency[j]) ** 2
    return cost


def test_optimal_saliency_has_the_least_energy():
    rng = np.random.default_rng(2)
    grid, features = (4, 5), rng.normal(size=(20, 3))
    background, foreground = rng.random(20), rng.random(20)
    args = (features, grid, background, foreground, 1.5, 0.1)
    best = optimize_saliency(*args)
    least = energy(best, *args)
    for _ in range(20):
        step = 0.01 * rng.normal(size=20)
        assert energy(best + step, *args) > least
    assert 0 <= best.min() <= best.max() <= 1


@settings(max_examples=30, deadline=None)
@given(
    grid=st.tuples(st.integers(1, 7), st.integers(1, 7)),
    seed=st.integers(0, 1000),
    spread=st.sampled_from([0.0, 1e-9, 1.0, 1e3]),
)
def test_saliency_is_finite_and_in_range(grid, seed, spread):
    features = spread * np.random.default_rng(seed).normal(size=(grid[0] * grid[1], 3))
    saliency = foreground_saliency(features, grid)
    assert saliency.shape == (grid[0] * grid[1],)
    assert saliency.min() >= 0
    assert saliency.max() <= 1


def test_saliency_of_a_flat_scene_is_zero():
    assert not foreground_saliency(np.full((30, 3), 50.0), (5, 6)).any()


def test_saliency_does_not_depend_on_the_side_it_is_seen_from():
    features = np.random.default_rng(3).normal(size=(6, 8, 3)) * 20
    saliency = foreground_saliency(features.reshape(-1, 3), (6, 8)).reshape(6, 8)
    for turn in (np.flipud, np.fliplr, lambda a: a.swapaxes(0, 1)):
        turned = turn(features)
        again = foreground_saliency(turned.reshape(-1, 3), turned.shape[:2])
        assert_allclose(again.reshape(turned.shape[:2]), turn(saliency), atol=1e-8)


def test_a_fine_grid_is_solved_coarsely():
    scene = np.zeros((120, 150, 3))
    scene[40:80, 50:100] = 60
    saliency = foreground_saliency(scene.reshape(-1, 3), (120, 150)).reshape(120, 150)
    inside = scene[..., 0] > 0
    assert ((saliency > 0.5) & inside).sum() / ((saliency > 0.5) | inside).sum() > 0.9
