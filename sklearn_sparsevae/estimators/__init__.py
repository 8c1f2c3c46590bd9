"""scikit-learn estimators: one thin class for each of the papers' systems."""

from sklearn_sparsevae.estimators.sparse_coding import SparseCodingVAE

__all__ = ["SparseCodingVAE"]
