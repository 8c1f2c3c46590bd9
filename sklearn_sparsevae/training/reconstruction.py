"""The net that trains every autoencoder to reconstruct (SC-VAE, Section 4.2)."""

import dataclasses
import functools
import math

import numpy as np
import torch
from torch.nn import functional as F

from sklearn_sparsevae._progress import showing
from sklearn_sparsevae.training.adversarial import Adversary
from sklearn_sparsevae.training.autoencoder import channels_first
from sklearn_sparsevae.training.batching import ImageBatches
from sklearn_sparsevae.training.callbacks import (
    Advance,
    DeadAtomReset,
    UsagePerplexity,
    not_finite,
)
from sklearn_sparsevae.training.devices import resolve_device
from sklearn_sparsevae.training.losses import ImageLoss
from sklearn_sparsevae.training.net import Net, RunSettings
from sklearn_sparsevae.training.ranks import average, check_same_data, start_alike
from sklearn_sparsevae.training.seeds import OwnGenerator

# Images from which backbone and bottleneck start.
_N_START = 2048


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingSettings(RunSettings):
    """How to train; the fields are the estimators' parameters of the same name."""

    pixel_loss: str = "mse"
    perceptual_weight: float = 0.0
    perceptual_network: object = None
    adversarial_weight: float = 0.0
    adversarial_start: int = 0
    degrade: object = None
    augment: bool = False
    early_stopping: bool = False
    validation_fraction: float = 0.1


class ReconstructionNet(Net):
    """Losses of images and of the bottleneck, and a discriminator where one trains.

    Attributes
    ----------
    criterion_ : ImageLoss
    adversary_ : Adversary or None
        There where training is adversarial.
    """

    memory_format = torch.channels_last
    adversary_ = None

    def own_callbacks(self, n_steps):
        """Tell the bottleneck of the progress, let it replace atoms that are unused."""
        return [
            ("advance", Advance()),
            ("usage", UsagePerplexity()),
            ("dead_atoms", DeadAtomReset(n_steps)),
        ]

    def training_state(self):
        """Include the discriminator."""
        return {**super().training_state(), "adversary": self.adversary_}

    def get_loss(self, y_pred, y_true, X=None, training=False):
        """SC-VAE's Eq. 5, all terms per site.

        The paper sums Eq. 3 over all pixels but averages Eq. 4 over the sites, so that
        the sparsity term fades as images grow. Here Eq. 3 too is divided by the number
        of sites, which leaves their balance to alpha, at any size, and has the 1/2 of
        Eq. 1.
        """
        target = channels_first(y_true.to(self.device))
        n_sites = y_pred["latents"].shape[0] * y_pred["latents"].shape[2:].numel()
        image_terms = self.criterion_(y_pred["images"], target, n_sites)
        terms = {**image_terms, **y_pred["losses"]}
        if training and self._adversary_takes_part():
            terms["adversarial"], adaptive = self.adversary_.term(
                y_pred["images"],
                sum(image_terms.values()),
                self.module_.backbone.last_layer,
            )
            self.history.record_batch("train_adaptive_weight", float(adaptive))
        mse = F.mse_loss(y_pred["images"].detach(), target)
        self._record(terms, mse, y_pred["codes"], training)
        loss = sum(terms.values())  # [SC-VAE Eq. 5]
        # Where the bottleneck trains itself and is all there is, no gradient is needed.
        return loss if loss.requires_grad else loss.requires_grad_()

    def train_step(self, batch, **fit_params):
        """Train on a batch; after that the discriminator does, where it takes part."""
        step = super().train_step(batch, **fit_params)
        if self._adversary_takes_part():
            reals = channels_first(batch[1].to(self.device))
            loss = self.adversary_.step(self, reals, step["y_pred"]["images"])
            self.history.record_batch("train_discriminator", loss)
        return step

    def _adversary_takes_part(self):
        return self.adversary_ is not None and len(self.history) > self.adversary_.start

    @torch.no_grad()
    def _record(self, terms, mse, codes, training):
        prefix = "train_" if training else "valid_"
        figures = self.module_.bottleneck.figures(codes)
        values = average({**terms, "psnr": mse, **figures})
        for name in terms:
            if not np.isfinite(values[name]):
                raise not_finite(f"{name} term of the loss", values[name], self)
        values["psnr"] = -10 * math.log10(max(values["psnr"], 1e-12))
        for name, value in values.items():
            self.history.record_batch(prefix + name, value)

    def set_losses(self, settings, batches):
        """Have the losses of the settings; a discriminator that is there goes on."""
        self.criterion_ = ImageLoss(
            settings.pixel_loss, settings.perceptual_weight, settings.perceptual_network
        ).to(self.device)
        if settings.adversarial_weight == 0:
            self.adversary_ = None
            return
        if self.adversary_ is None:
            *sides, n_channels = batches.image_shape
            self.adversary_ = Adversary(n_channels, min(sides), self.device)
        self.adversary_.weight = settings.adversarial_weight
        self.adversary_.start = settings.adversarial_start
        self.adversary_.max_norm = settings.gradient_clip


def train_net(build, photos, settings, seed, net=None):
    """Train a net on photos: a new one that starts from them, or one further.

    Parameters
    ----------
    build : callable
        Returns a fresh `Autoencoder`; called under the seed.
    photos : Photos
        With what they are to become, if that is not themselves.
    settings : TrainingSettings
    seed : int
    net : ReconstructionNet, default=None
        The net to train further, with its optimizer if it still has one.

    Returns
    -------
    net : ReconstructionNet
    """
    check_same_data(photos.items, net)
    train, valid = _split(photos, settings, seed)
    device = resolve_device(settings.device)
    if net is None:
        with OwnGenerator(seed), showing(settings.verbose):
            module = build().to(
                device=device, memory_format=ReconstructionNet.memory_format
            )
            if not settings.checkpoints.is_found:
                start_alike(module, lambda: _start(module, train, device, seed))
            net = ReconstructionNet.around(module, settings)
    with OwnGenerator(seed):
        net.set_losses(settings, train)
    net.run(train, valid, settings, seed)
    return net


def _start(module, train, device, seed):
    """Start a module from images of the training set."""
    # From what it is to produce: its atoms are then clean, and a short code of a
    # degraded image already restores much of it.
    inputs, targets = train.sample(_N_START)
    given = inputs["condition"].to(device) if isinstance(inputs, dict) else None
    module.initialize(targets.to(device), seed, given)


def _split(photos, settings, seed):
    """Training batches, and validation batches when early stopping needs them."""
    batches = functools.partial(
        ImageBatches, photos, degrade=settings.degrade, augment=settings.augment
    )
    if not settings.early_stopping:
        return batches(), None
    order = np.random.RandomState(seed).permutation(len(photos))
    n_valid = max(1, round(settings.validation_fraction * len(photos)))
    if n_valid >= len(photos):
        raise ValueError(
            f"early_stopping holds out {n_valid} of {len(photos)} images and leaves "
            "none to train on: give more images or turn early_stopping off."
        )
    valid, train = np.sort(order[:n_valid]), np.sort(order[n_valid:])
    return batches(members=train), batches(members=valid, fixed=True)
