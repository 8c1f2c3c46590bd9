"""The estimators are scikit-learn estimators, with no failure expected."""

import inspect

from sklearn.utils.estimator_checks import parametrize_with_checks

import sklearn_sparsevae
from sklearn_sparsevae.estimators.base import BaseSparseAutoencoder
from tests.estimators.table import ESTIMATORS, VARIANTS


@parametrize_with_checks(
    [
        cls(n_components=16, max_epochs=1, **variant)
        for cls in ESTIMATORS
        for variant in ({}, *VARIANTS.get(cls, []))
    ]
)
def test_common_checks(estimator, check):
    check(estimator)


def test_no_estimator_is_forgotten():
    public = [getattr(sklearn_sparsevae, name) for name in sklearn_sparsevae.__all__]
    classes = filter(inspect.isclass, public)
    autoencoders = {cls for cls in classes if issubclass(cls, BaseSparseAutoencoder)}
    assert autoencoders == set(ESTIMATORS), "tests/estimators/table.py lists them"
    made = {cls for cls in _subclasses(BaseSparseAutoencoder) if _is_ours(cls)}
    assert made == autoencoders, "__init__.py names what users may import"


def _subclasses(cls):
    for subclass in cls.__subclasses__():
        yield subclass
        yield from _subclasses(subclass)


def _is_ours(cls):
    return cls.__module__.startswith("sklearn_sparsevae.")
