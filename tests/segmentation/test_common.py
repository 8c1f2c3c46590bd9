"""The segmenters are scikit-learn estimators."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_sparsevae.segmentation import KMeansSegmenter, SpectralSegmenter


@parametrize_with_checks(
    [KMeansSegmenter(), KMeansSegmenter(scope="dataset"), SpectralSegmenter()]
)
def test_common_checks(estimator, check):
    check(estimator)
