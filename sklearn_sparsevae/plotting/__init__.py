"""Pictures of trainings, segments, boundaries, atoms, thresholds, usage and the like.

Each Display holds what it draws and follows scikit-learn's protocol: build it with a
``from_...`` class method, draw it again with ``plot``, find the artists' homes in
``figure_`` and ``axes_``. matplotlib is imported when something is drawn.
"""

from sklearn_sparsevae.plotting._atoms import AtomsDisplay
from sklearn_sparsevae.plotting._boundaries import BoundaryDisplay
from sklearn_sparsevae.plotting._history import HistoryDisplay
from sklearn_sparsevae.plotting._latent_usage import LatentUsageDisplay
from sklearn_sparsevae.plotting._reconstruction import ReconstructionDisplay
from sklearn_sparsevae.plotting._segmentation import SegmentationDisplay
from sklearn_sparsevae.plotting._sparsity_quality import SparsityQualityDisplay
from sklearn_sparsevae.plotting._strips import TraversalDisplay
from sklearn_sparsevae.plotting._thresholds import ThresholdDisplay
from sklearn_sparsevae.plotting._top_images import TopImagesDisplay
from sklearn_sparsevae.plotting._usage import UsageDisplay

__all__ = [
    "AtomsDisplay",
    "BoundaryDisplay",
    "HistoryDisplay",
    "LatentUsageDisplay",
    "ReconstructionDisplay",
    "SegmentationDisplay",
    "SparsityQualityDisplay",
    "ThresholdDisplay",
    "TopImagesDisplay",
    "TraversalDisplay",
    "UsageDisplay",
]
