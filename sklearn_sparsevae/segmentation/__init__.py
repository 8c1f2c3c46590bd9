"""Segment images by clustering the codes of their sites."""

from sklearn_sparsevae.segmentation._boundary import (
    background_probability,
    boundary_connectivity,
    region_boundary_connectivity,
)
from sklearn_sparsevae.segmentation._cutting import cut_boundaries
from sklearn_sparsevae.segmentation._foreground import foreground_saliency
from sklearn_sparsevae.segmentation._kmeans import KMeansSegmenter
from sklearn_sparsevae.segmentation._spectral import SpectralSegmenter

__all__ = [
    "KMeansSegmenter",
    "SpectralSegmenter",
    "background_probability",
    "boundary_connectivity",
    "cut_boundaries",
    "foreground_saliency",
    "region_boundary_connectivity",
]
