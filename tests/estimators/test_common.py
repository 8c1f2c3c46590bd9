"""The estimators are scikit-learn estimators, with no failure expected."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_sparsevae import (
    VQVAE,
    DictionaryLearningVAE,
    GaussianVAE,
    SparseCodingVAE,
    SpikeSlabVAE,
)


@parametrize_with_checks(
    [
        cls(n_components=16, max_epochs=1)
        for cls in (SparseCodingVAE, DictionaryLearningVAE, GaussianVAE, VQVAE)
    ]
    + [
        SpikeSlabVAE(n_components=16, max_epochs=1, prior=prior)
        for prior in ("spike_slab", "threshold")
    ]
)
def test_common_checks(estimator, check):
    check(estimator)
