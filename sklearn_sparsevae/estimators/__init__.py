"""scikit-learn estimators: one thin class for each of the papers' systems."""

from sklearn_sparsevae.estimators.dictionary_learning import DictionaryLearningVAE
from sklearn_sparsevae.estimators.sparse_coding import SparseCodingVAE
from sklearn_sparsevae.estimators.vector_quantization import VQVAE

__all__ = ["VQVAE", "DictionaryLearningVAE", "SparseCodingVAE"]
