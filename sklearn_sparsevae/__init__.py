"""Images to sparse codes and back: scikit-learn estimators over PyTorch."""

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# Public name -> module; imported when first used, so that importing the package (or
# only its segmenters) does not import torch.
_LOCATIONS = {
    "ClosedLoopVAE": "sklearn_sparsevae.estimators",
    "CodePrior": "sklearn_sparsevae.estimators",
    "Denoiser": "sklearn_sparsevae.estimators",
    "DictionaryLearningVAE": "sklearn_sparsevae.estimators",
    "GaussianVAE": "sklearn_sparsevae.estimators",
    "KMeansSegmenter": "sklearn_sparsevae.segmentation",
    "PatchEncoder": "sklearn_sparsevae.estimators",
    "SparseAutoencoder": "sklearn_sparsevae.estimators",
    "SparseCodes": "sklearn_sparsevae.codes",
    "SparseCodingVAE": "sklearn_sparsevae.estimators",
    "SpectralSegmenter": "sklearn_sparsevae.segmentation",
    "SpikeSlabVAE": "sklearn_sparsevae.estimators",
    "VQVAE": "sklearn_sparsevae.estimators",
    "export_onnx": "sklearn_sparsevae.estimators",
    "load": "sklearn_sparsevae.persistence",
    "save": "sklearn_sparsevae.persistence",
}

__all__ = [
    "ClosedLoopVAE",
    "CodePrior",
    "Denoiser",
    "DictionaryLearningVAE",
    "GaussianVAE",
    "KMeansSegmenter",
    "PatchEncoder",
    "SparseAutoencoder",
    "SparseCodes",
    "SparseCodingVAE",
    "SpectralSegmenter",
    "SpikeSlabVAE",
    "VQVAE",
    "export_onnx",
    "load",
    "save",
]


if TYPE_CHECKING:  # what a type checker takes for the names of _LOCATIONS
    from sklearn_sparsevae.codes import SparseCodes
    from sklearn_sparsevae.estimators import (
        VQVAE,
        ClosedLoopVAE,
        CodePrior,
        Denoiser,
        DictionaryLearningVAE,
        GaussianVAE,
        PatchEncoder,
        SparseAutoencoder,
        SparseCodingVAE,
        SpikeSlabVAE,
        export_onnx,
    )
    from sklearn_sparsevae.persistence import load, save
    from sklearn_sparsevae.segmentation import KMeansSegmenter, SpectralSegmenter
else:

    def __getattr__(name: str) -> Any:
        if name in _LOCATIONS:
            return getattr(importlib.import_module(_LOCATIONS[name]), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
