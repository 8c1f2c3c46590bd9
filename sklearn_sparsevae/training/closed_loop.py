"""The game between an encoder and a decoder that closed-loop transcription is.

No image is ever compared with another: what is compared are the features of images and
of the images regenerated from them.
"""

import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from sklearn_sparsevae import _ranks
from sklearn_sparsevae.sparse import transcription_terms
from sklearn_sparsevae.training.autoencoder import (
    Autoencoder,
    channels_first,
    channels_last,
)
from sklearn_sparsevae.training.batching import ImageBatches
from sklearn_sparsevae.training.callbacks import not_finite
from sklearn_sparsevae.training.devices import resolve_device
from sklearn_sparsevae.training.inference import code_coordinates
from sklearn_sparsevae.training.net import Net
from sklearn_sparsevae.training.ranks import average, check_same_data, start_alike
from sklearn_sparsevae.training.seeds import OwnGenerator

_N_START = 2048  # images that the model starts from
_BATCH_ENTRIES = 2**23  # numbers in the maps of a batch: 32 MiB of float32


class Transcription(Autoencoder):
    """Images to features on the sphere, ``(n, latent_dim)``, and back.

    Parameters
    ----------
    backbone : ConvolutionalSparseCoding
    """

    def __init__(self, backbone):
        super().__init__(backbone, nn.Identity(), 1, "float32")

    def initialize(self, images):
        """Start from channels-last unit images."""
        self.backbone.initialize(channels_first(images))

    def parameter_groups(self, lr):
        """Optimizer groups, ``"encoder"`` or ``"decoder"`` by name."""
        return self.backbone.parameter_groups(lr)


class ClosedLoopNet(Net):
    """Encoder and decoder move in turn.

    One Adam serves both: it keeps moments tensor by tensor, and lets be what has no
    gradient. With classes, batches hold them as their condition, one-hot.
    """

    betas = (0.5, 0.999)

    def get_loss(self, y_pred, y_true, X=None, training=False):
        """Rate reduction, which the encoder maximises and the decoder minimises."""
        return sum(self._terms(*y_pred, y_true).values())

    def _terms(self, features, regenerated, labels):
        """Terms of the features of a batch, those of all ranks."""
        labels = None if labels is None else _ranks.take(labels)
        return transcription_terms(
            _ranks.take(features), _ranks.take(regenerated), labels
        )

    def train_step(self, batch, **fit_params):
        """Let the encoder move, then the decoder, in a loop that is run anew."""
        self._set_training(True)
        images, labels = batch[0], None
        if isinstance(images, dict):
            images, classes = images["images"], images["condition"]
            labels = classes.argmax(1).to(self.device)
        unit = channels_first(images.to(self.device))
        features = self._encoder_step(unit, labels)
        return {"loss": self._decoder_step(unit, labels), "y_pred": features}

    def _encoder_step(self, unit, labels):
        """Raise the objective; the regenerated images are given."""
        features = self.module_.latents(unit)
        with torch.no_grad():
            images = self.module_.images(features)
        terms = self._terms(features, self.module_.latents(images), labels)
        self._record_terms(terms, images, unit)
        self._move("encoder", -sum(terms.values()))
        return features

    def _decoder_step(self, unit, labels):
        """Lower the objective, through the encoder as it is."""
        with torch.no_grad():
            features = self.module_.latents(unit)
        again = self.module_.latents(self.module_.images(features))
        loss = self.get_loss((features, again), labels)
        self._move("decoder", loss)
        return loss.detach()

    def _move(self, player, loss):
        """Step with the gradient of one player's parameters; Adam skips the others."""
        named = self._parameters_of(player)
        loss = _ranks.share() * loss
        gradients = torch.autograd.grad(loss, [p for _, p in named])
        gradients = _ranks.total(*gradients)
        for (_, parameter), gradient in zip(named, gradients, strict=True):
            parameter.grad = gradient
        self.notify("on_grad_computed", named_parameters=named)
        self.optimizer_.step()
        self.optimizer_.zero_grad(set_to_none=True)

    def _parameters_of(self, player):
        groups = self.optimizer_.param_groups
        own = {id(p) for g in groups if g["name"] == player for p in g["params"]}
        named = self.module_.named_parameters()
        return [(name, p) for name, p in named if id(p) in own]

    @torch.no_grad()
    def _record_terms(self, terms, images, unit):
        values = {name: float(value) for name, value in terms.items()}
        for name, value in values.items():
            if not np.isfinite(value):
                raise not_finite(f"rate reduction {name}", value, self)
        mse = average({"mse": F.mse_loss(images, unit)})["mse"]
        values["psnr"] = -10 * math.log10(max(mse, 1e-12))
        for name, value in values.items():
            self.history.record_batch(f"train_{name}", value)


def train_closed_loop(build, photos, settings, seed):
    """Build a net, start it from photos and train it.

    Parameters
    ----------
    build : callable
        Returns a fresh `Transcription`; called under the seed.
    photos : Photos
        With classes as their condition, one-hot, for the objective with classes.
    settings : RunSettings
    seed : int

    Returns
    -------
    net : ClosedLoopNet
    """
    check_same_data(photos.items)
    batches = ImageBatches(photos)
    device = resolve_device(settings.device)
    with OwnGenerator(seed):
        module = build().to(device)
        if not settings.checkpoints.is_found:
            start_alike(
                module,
                lambda: module.initialize(batches.sample(_N_START)[1].to(device)),
            )
        net = ClosedLoopNet.around(module, settings)
    net.run(batches, None, settings, seed)
    return net


class Transcriber:
    """Inference with a trained `Transcription`, a batch at a time, as ndarrays.

    Parameters
    ----------
    module : Transcription
    device : str
        As in the estimator.
    """

    def __init__(self, module, device):
        self.device = resolve_device(device)
        self.module = module.to(self.device).eval()

    def batch_size(self, photos):
        """Return how many photos have maps that fit the memory of a batch."""
        entries = self.module.backbone.n_entries(photos.layout.image_shape[:2])
        return max(1, _BATCH_ENTRIES // entries)

    def _unit_batches(self, photos):
        """Yield unit images, batch after batch."""
        for batch in photos.batches(self.batch_size(photos)):
            yield channels_first(torch.from_numpy(batch.unit()).to(self.device))

    @torch.no_grad()
    def features(self, photos):
        """Features ``(n, latent_dim)``."""
        parts = [self.module.latents(unit) for unit in self._unit_batches(photos)]
        return torch.cat(parts).cpu().numpy()

    @torch.no_grad()
    def maps(self, photos, n_layers):
        """Yield ``(values, atoms, counts)`` of the maps of a layer, batch after batch.

        The non-zeros site by site, and how many each site has.
        """
        for unit in self._unit_batches(photos):
            maps = self.module.backbone.maps(unit, n_layers)
            yield code_coordinates(maps.permute(0, 2, 3, 1))

    @torch.no_grad()
    def reconstruct(self, photos):
        """Yield images regenerated from the features of images, batch after batch."""
        for unit in self._unit_batches(photos):
            yield self._finish(self.module.latents(unit))

    @torch.no_grad()
    def decode(self, features):
        """Images ``(n, H, W, C)`` of features ``(n, latent_dim)``."""
        return self._finish(torch.from_numpy(features).to(self.device))

    def _finish(self, features):
        images = channels_last(self.module.images(features))
        return images.contiguous().cpu().numpy()

    def components(self):
        """Return unit kernels ``(n_kernels, n_channels, k, k)`` of every layer."""
        layers = self.module.backbone.layers
        return [layer.kernels.detach().cpu().numpy().copy() for layer in layers]
