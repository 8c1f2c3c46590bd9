"""The middle boxes: one file per compression bottleneck, base.py holds the contract."""

from sklearn_sparsevae.bottlenecks.base import Bottleneck, CompactCodes, MeansApart
from sklearn_sparsevae.bottlenecks.dictionary_learning import DictionaryLearning
from sklearn_sparsevae.bottlenecks.finite_scalar import FiniteScalarQuantization
from sklearn_sparsevae.bottlenecks.gaussian import Gaussian
from sklearn_sparsevae.bottlenecks.lista import PENALTIES, LearnedISTA
from sklearn_sparsevae.bottlenecks.probabilistic import ProbabilisticBottleneck
from sklearn_sparsevae.bottlenecks.pursuit import LearnedPursuit
from sklearn_sparsevae.bottlenecks.sparse_activation import (
    SPARSITIES,
    SparseActivation,
)
from sklearn_sparsevae.bottlenecks.spike_priors import PRIORS
from sklearn_sparsevae.bottlenecks.spike_slab import SpikeSlab
from sklearn_sparsevae.bottlenecks.thresholds import THRESHOLDS
from sklearn_sparsevae.bottlenecks.vector_quantization import VectorQuantization

__all__ = [
    "PENALTIES",
    "PRIORS",
    "SPARSITIES",
    "THRESHOLDS",
    "Bottleneck",
    "CompactCodes",
    "DictionaryLearning",
    "FiniteScalarQuantization",
    "Gaussian",
    "LearnedISTA",
    "LearnedPursuit",
    "MeansApart",
    "ProbabilisticBottleneck",
    "SparseActivation",
    "SpikeSlab",
    "VectorQuantization",
]
