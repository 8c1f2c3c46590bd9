"""The estimators that the tests of all of them run through: add a new one here."""

from sklearn_sparsevae import (
    VQVAE,
    DictionaryLearningVAE,
    GaussianVAE,
    SparseAutoencoder,
    SparseCodingVAE,
    SpikeSlabVAE,
)

#: Every autoencoder, with what makes it quick.
ESTIMATORS = {
    SparseCodingVAE: {"n_rollout_steps": 5},
    DictionaryLearningVAE: {"n_nonzero_coefs": 3},
    GaussianVAE: {},
    SpikeSlabVAE: {"sparsity": 0.2},
    SparseAutoencoder: {"sparsity": "topk", "n_nonzero_coefs": 8, "backbone": "auto"},
    VQVAE: {},
}

#: Settings of an autoencoder whose codes are of another kind than its default's.
VARIANTS = {
    SparseCodingVAE: [{"shrinkage": "soft"}, {"threshold": "structured"}],
    SpikeSlabVAE: [{"prior": "threshold"}],
}
