"""Training and inference: the only room that knows skorch; it hands out ndarrays."""

from sklearn_sparsevae.training.autoencoder import Autoencoder
from sklearn_sparsevae.training.batching import ImageBatches
from sklearn_sparsevae.training.checkpoints import open_checkpoints
from sklearn_sparsevae.training.closed_loop import (
    ClosedLoopNet,
    Transcriber,
    Transcription,
    train_closed_loop,
)
from sklearn_sparsevae.training.code_prior import (
    PriorNet,
    draw_tokens,
    log_likelihood,
    train_prior,
)
from sklearn_sparsevae.training.code_transformer import CodeSpace, CodeTransformer
from sklearn_sparsevae.training.denoising import (
    DenoisingBatches,
    DenoisingNet,
    Restorer,
    train_denoiser,
)
from sklearn_sparsevae.training.denoising_module import DenoisingModule
from sklearn_sparsevae.training.devices import fast_precision
from sklearn_sparsevae.training.graph import Graph, write_graph
from sklearn_sparsevae.training.inference import Coder
from sklearn_sparsevae.training.losses import PIXEL_LOSSES
from sklearn_sparsevae.training.net import Net, RunSettings
from sklearn_sparsevae.training.patch_coding import PatchCoder, PatchDictionary
from sklearn_sparsevae.training.range_coding import decode_tokens, encode_tokens
from sklearn_sparsevae.training.ranks import fitted_together, from_first
from sklearn_sparsevae.training.reconstruction import (
    ReconstructionNet,
    TrainingSettings,
    train_net,
)
from sklearn_sparsevae.training.restoring import net_arrays, restore_net

__all__ = [
    "PIXEL_LOSSES",
    "Autoencoder",
    "ClosedLoopNet",
    "CodeSpace",
    "CodeTransformer",
    "Coder",
    "DenoisingBatches",
    "DenoisingModule",
    "DenoisingNet",
    "Graph",
    "ImageBatches",
    "Net",
    "PatchCoder",
    "PatchDictionary",
    "PriorNet",
    "ReconstructionNet",
    "Restorer",
    "RunSettings",
    "TrainingSettings",
    "Transcriber",
    "Transcription",
    "decode_tokens",
    "draw_tokens",
    "encode_tokens",
    "fast_precision",
    "fitted_together",
    "from_first",
    "log_likelihood",
    "net_arrays",
    "open_checkpoints",
    "restore_net",
    "train_closed_loop",
    "train_denoiser",
    "train_net",
    "train_prior",
    "write_graph",
]
