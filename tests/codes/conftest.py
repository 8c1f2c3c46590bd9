"""Codes of some images, with everything that they can carry along."""

import numpy as np
import pytest

from sklearn_sparsevae.codes import SparseCodes

GRID, N_ATOMS, N_IMAGES = (3, 4), 5, 6


@pytest.fixture
def codes():
    rng = np.random.default_rng(0)
    dense = rng.normal(size=(N_IMAGES, 12 * N_ATOMS))
    dense *= rng.random(dense.shape) < 0.3
    return SparseCodes(
        dense.astype(np.float32),
        grid_shape=GRID,
        image_shape=(24, 32, 3),
        thumbnails=rng.random((N_IMAGES, *GRID, 3)),
        n_mean_atoms=2,
    )
