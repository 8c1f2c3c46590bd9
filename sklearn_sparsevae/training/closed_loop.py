"""The game between an encoder and a decoder that closed-loop transcription is.

No image is ever compared with another: what is compared are the features of images and
of the images regenerated from them.
"""

import dataclasses
import functools

import numpy as np
import torch
from skorch.callbacks import LRScheduler
from torch import nn
from torch.nn import functional as F

from sklearn_sparsevae.sparse import transcription_terms
from sklearn_sparsevae.training.autoencoder import Autoencoder
from sklearn_sparsevae.training.batching import ImageBatches, as_batch, identity
from sklearn_sparsevae.training.callbacks import (
    EpochTerms,
    GradientClipping,
    ProgressBar,
    not_finite,
)
from sklearn_sparsevae.training.devices import resolve_device, seeded
from sklearn_sparsevae.training.inference import code_coordinates
from sklearn_sparsevae.training.reconstruction import ReconstructionNet

_N_START = 2048  # images that the model starts from
_BATCH_ENTRIES = 2**23  # numbers in the maps of a batch: 32 MiB of float32


@dataclasses.dataclass(frozen=True)
class ClosedLoopSettings:
    """How to train; the fields are the estimator's parameters of the same name."""

    max_epochs: int
    batch_size: int
    lr: float
    gradient_clip: float
    device: str
    verbose: int


class Transcription(Autoencoder):
    """Images to features on the sphere, ``(n, latent_dim)``, and back.

    Parameters
    ----------
    backbone : ConvolutionalSparseCoding
    value_range : tuple of float
        See `Autoencoder`.
    """

    def __init__(self, backbone, value_range):
        super().__init__(backbone, nn.Identity(), 1, value_range, "float32")

    def initialize(self, images):
        """Start from data."""
        self.backbone.initialize(self.to_unit(images))

    def parameter_groups(self, lr):
        """Optimizer groups, ``"encoder"`` or ``"decoder"`` by name."""
        return self.backbone.parameter_groups(lr)


class ClosedLoopNet(ReconstructionNet):
    """Encoder and decoder move in turn.

    One Adam serves both: it keeps moments tensor by tensor, and lets be what has no
    gradient.

    Attributes
    ----------
    has_labels : bool
        Whether the batches hold classes beside images.
    """

    has_labels = False

    def get_loss(self, y_pred, y_true, X=None, training=False):
        """Rate reduction, which the encoder maximises and the decoder minimises."""
        return sum(transcription_terms(*y_pred, y_true).values())

    def train_step(self, batch, **fit_params):
        """Let the encoder move, then the decoder, in a loop that is run anew."""
        self._set_training(True)
        unit = self.module_.to_unit(batch[0].to(self.device))
        labels = batch[1].to(self.device) if self.has_labels else None
        features = self._encoder_step(unit, labels)
        return {"loss": self._decoder_step(unit, labels), "y_pred": features}

    def _encoder_step(self, unit, labels):
        """Raise the objective; the regenerated images are given."""
        features = self.module_.latents(unit)
        with torch.no_grad():
            images = self.module_.images(features)
        terms = transcription_terms(features, self.module_.latents(images), labels)
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
        gradients = torch.autograd.grad(loss, [p for _, p in named])
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
        mse = F.mse_loss(images, unit).clamp(min=1e-12)
        values["psnr"] = float(-10 * torch.log10(mse))
        for name, value in values.items():
            self.history.record_batch(f"train_{name}", value)


def make_closed_loop(build, images, labels, settings, seed):
    """Build a net, start it from the data and train it.

    Parameters
    ----------
    build : callable
        Returns a fresh `Transcription`; called under the seed.
    images : ndarray (n, H, W, C) or lazy sequence
        As in `ImageBatches`.
    labels : ndarray of int (n,) or None
        Classes, for the objective with classes.
    settings : ClosedLoopSettings
    seed : int

    Returns
    -------
    net : ClosedLoopNet
    """
    device = resolve_device(settings.device)
    batches = ImageBatches(images, targets=labels)
    with seeded(seed, device):
        module = build().to(device)
        module.initialize(batches.sample(_N_START)[0].to(device))
        net = ClosedLoopNet(
            module,
            criterion=nn.Module,  # `get_loss` is all there is
            optimizer=functools.partial(torch.optim.Adam, betas=(0.5, 0.999)),
            lr=settings.lr,
            max_epochs=settings.max_epochs,
            batch_size=settings.batch_size,
            iterator_train__shuffle=True,
            iterator_train__collate_fn=identity,
            train_split=None,
            callbacks=_callbacks(settings, len(images)),
            callbacks__print_log=None,
            callbacks__train_loss=None,
            callbacks__valid_loss=None,
            device=device,
            verbose=0,
        ).initialize()
        net.has_labels = labels is not None
        net.run(batches, settings.max_epochs)
    net.forget_training()
    return net


def _callbacks(settings, n_images):
    steps = max(1, settings.max_epochs * -(-n_images // settings.batch_size))
    policy = torch.optim.lr_scheduler.CosineAnnealingLR
    callbacks = [
        ("terms", EpochTerms()),
        ("lr", LRScheduler(policy, step_every="batch", T_max=steps)),
        ("clip", GradientClipping(settings.gradient_clip)),
    ]
    if settings.verbose:
        callbacks.append(("progress", ProgressBar(settings.max_epochs)))
    return callbacks


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

    def _unit_batches(self, images):
        """Yield as many unit images as have maps that fit the memory of a batch."""
        entries = self.module.backbone.n_entries(images.shape[1:3])
        size = max(1, _BATCH_ENTRIES // entries)
        for start in range(0, len(images), size):
            # A copy, since torch warns of arrays that it may not write to.
            batch = torch.from_numpy(as_batch(np.array(images[start : start + size])))
            yield self.module.to_unit(batch.to(self.device))

    @torch.no_grad()
    def features(self, images):
        """Features ``(n, latent_dim)``."""
        parts = [self.module.latents(unit) for unit in self._unit_batches(images)]
        return torch.cat(parts).cpu().numpy()

    @torch.no_grad()
    def maps(self, images, n_layers):
        """Yield ``(values, atoms, counts)`` of the maps of a layer, batch after batch.

        The non-zeros site by site, and how many each site has.
        """
        for unit in self._unit_batches(images):
            maps = self.module.backbone.maps(unit, n_layers)
            yield code_coordinates(maps.permute(0, 2, 3, 1))

    @torch.no_grad()
    def reconstruct(self, images):
        """Yield images regenerated from the features of images, batch after batch."""
        for unit in self._unit_batches(images):
            yield self._finish(self.module.latents(unit))

    @torch.no_grad()
    def decode(self, features):
        """Images ``(n, H, W, C)`` of features ``(n, latent_dim)``."""
        return self._finish(torch.from_numpy(features).to(self.device))

    def _finish(self, features):
        images = self.module.from_unit(self.module.images(features))
        return images.contiguous().cpu().numpy()

    def components(self):
        """Return unit kernels ``(n_kernels, n_channels, k, k)`` of every layer."""
        layers = self.module.backbone.layers
        return [layer.kernels.detach().cpu().numpy().copy() for layer in layers]
