"""Sparse numerics as plain functions of tensors: no modules, no images, no state."""

from sklearn_sparsevae.sparse.dictionaries import (
    dct_dictionary,
    learn_dictionary,
    normalize_atoms,
)
from sklearn_sparsevae.sparse.ista import ista, lipschitz_constant, soft_threshold
from sklearn_sparsevae.sparse.unrolled import fista_momentum, unrolled_ista

__all__ = [
    "dct_dictionary",
    "fista_momentum",
    "ista",
    "learn_dictionary",
    "lipschitz_constant",
    "normalize_atoms",
    "soft_threshold",
    "unrolled_ista",
]
