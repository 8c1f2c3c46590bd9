"""scikit-learn estimators: one thin class for each of the papers' systems."""

from sklearn_sparsevae.estimators._export import export_onnx
from sklearn_sparsevae.estimators.closed_loop import ClosedLoopVAE
from sklearn_sparsevae.estimators.code_prior import CodePrior
from sklearn_sparsevae.estimators.denoiser import Denoiser
from sklearn_sparsevae.estimators.dictionary_learning import DictionaryLearningVAE
from sklearn_sparsevae.estimators.gaussian import GaussianVAE
from sklearn_sparsevae.estimators.patch_encoder import PatchEncoder
from sklearn_sparsevae.estimators.sparse_autoencoder import SparseAutoencoder
from sklearn_sparsevae.estimators.sparse_coding import SparseCodingVAE
from sklearn_sparsevae.estimators.spike_slab import SpikeSlabVAE
from sklearn_sparsevae.estimators.vector_quantization import VQVAE

__all__ = [
    "VQVAE",
    "ClosedLoopVAE",
    "CodePrior",
    "Denoiser",
    "DictionaryLearningVAE",
    "GaussianVAE",
    "PatchEncoder",
    "SparseAutoencoder",
    "SparseCodingVAE",
    "SpikeSlabVAE",
    "export_onnx",
]
