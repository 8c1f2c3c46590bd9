"""The estimators are scikit-learn estimators, with no failure expected."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_sparsevae import VQVAE, DictionaryLearningVAE, SparseCodingVAE


@parametrize_with_checks(
    [
        cls(n_components=16, max_epochs=1)
        for cls in (SparseCodingVAE, DictionaryLearningVAE, VQVAE)
    ]
)
def test_common_checks(estimator, check):
    check(estimator)
