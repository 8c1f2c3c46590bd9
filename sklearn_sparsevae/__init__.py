"""Images to sparse codes and back: scikit-learn estimators over PyTorch."""

import importlib

__version__ = "0.1.0.dev0"

# Public name -> module; imported when first used, so that importing the package (or
# only its segmenters) does not import torch.
_LOCATIONS = {
    "DictionaryLearningVAE": "sklearn_sparsevae.estimators",
    "KMeansSegmenter": "sklearn_sparsevae.segmentation",
    "SparseCodes": "sklearn_sparsevae.codes",
    "SparseCodingVAE": "sklearn_sparsevae.estimators",
    "SpectralSegmenter": "sklearn_sparsevae.segmentation",
    "VQVAE": "sklearn_sparsevae.estimators",
}

__all__ = [
    "DictionaryLearningVAE",
    "KMeansSegmenter",
    "SparseCodes",
    "SparseCodingVAE",
    "SpectralSegmenter",
    "VQVAE",
]


def __getattr__(name):
    if name in _LOCATIONS:
        return getattr(importlib.import_module(_LOCATIONS[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted(__all__)
