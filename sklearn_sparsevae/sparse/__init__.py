"""Sparse numerics as plain functions of tensors: no modules, no images, no state."""

from sklearn_sparsevae.sparse.batch_omp import batch_omp
from sklearn_sparsevae.sparse.convolutional import (
    analyze,
    convolutional_fista,
    largest_curvature,
    power_start,
    synthesize,
)
from sklearn_sparsevae.sparse.dct import dct_dictionary
from sklearn_sparsevae.sparse.dictionaries import (
    dense_codes,
    learn_codebook,
    learn_dictionary,
    normalize_atoms,
    update_atoms,
)
from sklearn_sparsevae.sparse.ista import ista, lipschitz_constant, soft_threshold
from sklearn_sparsevae.sparse.nearest_code import nearest_code
from sklearn_sparsevae.sparse.patch_denoising import denoise_patches
from sklearn_sparsevae.sparse.rate_reduction import (
    coding_rate,
    rate_distance,
    rate_reduction,
    transcription_terms,
)
from sklearn_sparsevae.sparse.refit import project, refit, removal_costs
from sklearn_sparsevae.sparse.unrolled import fista_momentum, unrolled_ista

__all__ = [
    "analyze",
    "batch_omp",
    "coding_rate",
    "convolutional_fista",
    "dct_dictionary",
    "denoise_patches",
    "dense_codes",
    "fista_momentum",
    "ista",
    "largest_curvature",
    "learn_codebook",
    "learn_dictionary",
    "lipschitz_constant",
    "nearest_code",
    "normalize_atoms",
    "power_start",
    "project",
    "rate_distance",
    "rate_reduction",
    "refit",
    "removal_costs",
    "soft_threshold",
    "synthesize",
    "transcription_terms",
    "unrolled_ista",
    "update_atoms",
]
