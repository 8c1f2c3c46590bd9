"""Compact codes as the coordinates of their non-zeros."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from sklearn_sparsevae.bottlenecks import CompactCodes
from sklearn_sparsevae.training.inference import code_coordinates


@given(st.integers(0, 2**16), st.integers(1, 6), st.integers(1, 9))
def test_coordinates_are_those_of_the_sum_over_repeated_atoms(seed, n_taken, n_atoms):
    rng = np.random.default_rng(seed)
    indices = rng.integers(-1, n_atoms, (2, 3, 2, n_taken))
    # Small integers: sums are exact in any order, and some of them are zero.
    values = rng.integers(-2, 3, indices.shape) * (indices >= 0)
    dense = np.zeros((12, n_atoms))
    sites = np.repeat(np.arange(12), n_taken)
    np.add.at(dense, (sites, indices.ravel().clip(0)), values.ravel())
    codes = CompactCodes(torch.from_numpy(indices), torch.from_numpy(values).float())
    found, atoms, counts = code_coordinates(codes)
    np.testing.assert_array_equal(found, dense[dense != 0])
    np.testing.assert_array_equal(atoms, dense.nonzero()[1])
    np.testing.assert_array_equal(counts, (dense != 0).sum(1))
    assert found.dtype == np.float32 and atoms.dtype == np.int32
