"""Pooled codes are means over regions, whatever the grid."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_sparsevae.codes import SparseCodes


def by_definition(dense, grid, pool, signs):
    """Means over blocks that numpy cuts, ``(n, h, w, n_atoms, 1 or 2)``."""
    dense = dense.reshape(len(dense), *grid, -1)
    parts = [abs(dense)]
    if signs == "apart":
        parts = [np.maximum(dense, 0), np.maximum(-dense, 0)]
    values = np.stack(parts, axis=-1)
    edges = [-(-np.arange(n + 1) * m // n) for n, m in zip(pool, grid, strict=True)]
    return np.stack(
        [
            np.stack(
                [
                    values[:, a:b, c:d].mean((1, 2))
                    for c, d in zip(edges[1][:-1], edges[1][1:], strict=True)
                ],
                axis=1,
            )
            for a, b in zip(edges[0][:-1], edges[0][1:], strict=True)
        ],
        axis=1,
    )


@settings(max_examples=30, deadline=None)
@given(
    grid=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    share=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    signs=st.sampled_from(["apart", "ignored"]),
    seed=st.integers(0, 99),
)
def test_means_of_regions(grid, share, signs, seed):
    pool = tuple(1 + round(s * (m - 1)) for s, m in zip(share, grid, strict=True))
    rng = np.random.default_rng(seed)
    dense = rng.normal(size=(3, grid[0] * grid[1] * 4)).astype(np.float32)
    dense *= rng.random(dense.shape) < 0.4
    pooled = SparseCodes(dense, grid_shape=grid).pool(pool, signs=signs)
    expected = by_definition(dense, grid, pool, signs)
    assert pooled.grid_shape == pool and pooled.n_atoms == expected[0, 0, 0].size
    np.testing.assert_allclose(pooled.toarray(), expected.reshape(3, -1), atol=1e-6)
    assert pooled.has_canonical_format and (pooled.data > 0).all()
    assert pooled.dtype == np.float32 and pooled.indices.dtype == np.int32


def test_what_a_pooled_code_still_knows(codes):
    before = codes.copy()
    apart, ignored = codes.pool((1, 2)), codes.pool((1, 2), signs="ignored")
    assert (apart.n_atoms, apart.n_mean_atoms) == (10, 4)
    assert (ignored.n_atoms, ignored.n_mean_atoms) == (5, 2)
    assert apart.image_shape is None and apart.thumbnails is None
    np.testing.assert_array_equal(codes.data, before.data)
    np.testing.assert_array_equal(codes.indices, before.indices)
    summed = apart.toarray().reshape(len(apart.toarray()), -1, 2).sum(-1)
    np.testing.assert_allclose(summed, ignored.toarray(), atol=1e-6)


def test_a_thing_may_move_within_its_region():
    here, there = np.zeros((2, 1, 4 * 4 * 3), np.float32)
    here[0, 0 * 3 + 1], there[0, 5 * 3 + 1] = -2, -2  # sites (0, 0) and (1, 1)
    one, other = (SparseCodes(x, grid_shape=(4, 4)).pool() for x in (here, there))
    np.testing.assert_array_equal(one.toarray(), other.toarray())
    assert one.indices.tolist() == [3] and one.data.tolist() == [0.5]


@pytest.mark.parametrize("pool", [(4, 1), (1, 5)])
def test_more_regions_than_sites(codes, pool):
    with pytest.raises(ValueError, match="3 by 4 grid.*fewer regions"):
        codes.pool(pool)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"grid_shape": 2}, "grid_shape"),
        ({"grid_shape": (0, 2)}, "grid_shape"),
        ({"signs": "kept"}, "signs"),
        ({"signs": None}, "signs"),
    ],
)
def test_bad_arguments(codes, arguments, named):
    with pytest.raises(ValueError, match=named):
        codes.pool(**arguments)
