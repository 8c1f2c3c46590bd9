"""Training and inference: the only room that knows skorch; it hands out ndarrays."""

from sklearn_sparsevae.training.autoencoder import Autoencoder
from sklearn_sparsevae.training.inference import Coder
from sklearn_sparsevae.training.losses import PIXEL_LOSSES
from sklearn_sparsevae.training.reconstruction import (
    ReconstructionNet,
    TrainingSettings,
    continue_training,
    make_net,
)

__all__ = [
    "PIXEL_LOSSES",
    "Autoencoder",
    "Coder",
    "ReconstructionNet",
    "TrainingSettings",
    "continue_training",
    "make_net",
]
