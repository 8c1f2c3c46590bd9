"""Encoders and decoders: everything around the bottleneck that knows of images."""

from sklearn_sparsevae.backbones.csc import ConvolutionalSparseCoding
from sklearn_sparsevae.backbones.denoising import CoarserScale, DenoisingBackbone
from sklearn_sparsevae.backbones.dense import DenseBackbone
from sklearn_sparsevae.backbones.identity import IdentityBackbone
from sklearn_sparsevae.backbones.light import LightBackbone
from sklearn_sparsevae.backbones.residual import ResidualBackbone
from sklearn_sparsevae.backbones.vqgan import VQGANBackbone

# Allowed values of ``backbone=`` in the estimators.
BACKBONES = {
    "residual": ResidualBackbone,
    "dense": DenseBackbone,
    "identity": IdentityBackbone,
    "light": LightBackbone,
    "vqgan": VQGANBackbone,
}

__all__ = [
    "BACKBONES",
    "CoarserScale",
    "ConvolutionalSparseCoding",
    "DenoisingBackbone",
    *sorted(c.__name__ for c in BACKBONES.values()),
]
