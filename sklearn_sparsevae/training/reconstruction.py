"""The skorch net that trains every autoencoder to reconstruct (SC-VAE, Section 4.2)."""

import dataclasses
import functools

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import EarlyStopping, LRScheduler
from skorch.helper import predefined_split
from torch.nn import functional as F

from sklearn_sparsevae.training.adversarial import Adversary
from sklearn_sparsevae.training.batching import ImageBatches, identity
from sklearn_sparsevae.training.callbacks import (
    Advance,
    DeadAtomReset,
    EpochTerms,
    GradientClipping,
    ProgressBar,
    not_finite,
)
from sklearn_sparsevae.training.devices import resolve_device, seeded
from sklearn_sparsevae.training.losses import ImageLoss

# Images from which backbone and bottleneck start.
_N_START = 2048


@dataclasses.dataclass(frozen=True)
class TrainingSettings:
    """How to train; the fields are the estimators' parameters of the same name."""

    max_epochs: int
    batch_size: int
    lr: float
    lr_schedule: str | None
    gradient_clip: float
    pixel_loss: str
    perceptual_weight: float
    perceptual_network: object
    adversarial_weight: float
    adversarial_start: int
    crop_size: int | None
    degrade: object
    early_stopping: bool
    validation_fraction: float
    n_epochs_no_change: int
    tol: float
    device: str
    precision: str
    callbacks: tuple
    verbose: int


class ReconstructionNet(NeuralNet):
    """skorch's engine with our loss, our parameter groups, and errors that surface.

    Attributes
    ----------
    criterion_ : ImageLoss
    adversary_ : Adversary or None
        There where training is adversarial.
    """

    adversary_ = None

    def get_params_for_optimizer(self, prefix, named_parameters):
        """Let the module say which parameters train how fast."""
        return (self.module_.parameter_groups(self.lr),), self.get_params_for(prefix)

    def get_loss(self, y_pred, y_true, X=None, training=False):
        """SC-VAE's Eq. 5, all terms per site.

        The paper sums Eq. 3 over all pixels but averages Eq. 4 over the sites, so that
        the sparsity term fades as images grow. Here Eq. 3 too is divided by the number
        of sites, which leaves their balance to alpha, at any size, and has the 1/2 of
        Eq. 1.
        """
        target = self.module_.to_unit(y_true.to(self.device))
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
            reals = self.module_.to_unit(batch[1].to(self.device))
            loss = self.adversary_.step(self, reals, step["y_pred"]["images"])
            self.history.record_batch("train_discriminator", loss)
        return step

    def _adversary_takes_part(self):
        return self.adversary_ is not None and len(self.history) > self.adversary_.start

    @torch.no_grad()
    def _record(self, terms, mse, codes, training):
        prefix = "train_" if training else "valid_"
        values = {name: float(value) for name, value in terms.items()}
        for name, value in values.items():
            if not np.isfinite(value):
                raise not_finite(f"{name} term of the loss", value, self)
        values["psnr"] = float(-10 * torch.log10(mse.clamp(min=1e-12)))
        values |= self.module_.bottleneck.figures(codes)
        for name, value in values.items():
            self.history.record_batch(prefix + name, value)

    def run(self, batches, epochs):
        """Train for ``epochs`` epochs; Ctrl-C raises, unlike in skorch's ``fit``."""
        self.notify("on_train_begin", X=batches, y=None)
        try:
            self.fit_loop(batches, epochs=epochs)
        except KeyboardInterrupt as stop:
            if not self._has_stopped_early():
                raise KeyboardInterrupt(
                    f"Training was interrupted in epoch {len(self.history)} and is "
                    "not complete: fit again."
                ) from stop
        finally:
            self.notify("on_train_end", X=batches, y=None)
            self.train_split = None  # it holds the validation images

    def _has_stopped_early(self):
        """Whether skorch's `EarlyStopping` raised the interrupt, as it does."""
        return any(
            isinstance(callback, EarlyStopping)
            and callback.misses_ >= callback.patience
            for _, callback in self.callbacks_
        )

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

    def forget_training(self):
        """Drop all that only further training needs (it may hold device memory)."""
        self.module_.eval()
        self.module_.zero_grad(set_to_none=True)
        self.__dict__.update(_no_training())

    def resume_training(self):
        """Have an optimizer whose learning rates are those of a first epoch."""
        if self.optimizer_ is None:
            self.initialize_optimizer()
        fresh = self.module_.parameter_groups(self.lr)
        for group, start in zip(self.optimizer_.param_groups, fresh, strict=True):
            group["lr"] = start["lr"]
            group.pop("initial_lr", None)  # a schedule's, which has run out

    def __getstate__(self):
        """Pickle the module on the CPU and nothing of the training.

        So any machine can load it; further training starts with a fresh optimizer.
        """
        self.module_.to("cpu")
        return self.__dict__ | _no_training()

    def __setstate__(self, state):
        self.__dict__.update(state)


def _no_training():
    """Attributes of a net that nothing is kept to train with."""
    names = ("optimizer_", "criterion_", "adversary_", "callbacks")
    return dict.fromkeys(names) | {"callbacks_": []}


def make_net(build, images, targets, settings, seed, condition=None):
    """Build a net, start it from the data and train it.

    Parameters
    ----------
    build : callable
        Returns a fresh `Autoencoder`; called under the seed.
    images : ndarray (n, H, W, C) or sequence of ndarrays (H, W, C)
        As in `ImageBatches`.
    targets : like ``images``, or None
        What to restore the images to; None stands for the images themselves.
    settings : TrainingSettings
    seed : int
    condition : ndarray (n, p), default=None
        As in `ImageBatches`.

    Returns
    -------
    net : ReconstructionNet
    """
    device = resolve_device(settings.device)
    train, valid = _split(images, targets, settings, seed, condition)
    with seeded(seed, device):
        module = build().to(device=device, memory_format=torch.channels_last)
        # From what it is to produce: its atoms are then clean, and a short code of
        # something spoilt already restores much of it.
        inputs, start = train.sample(_N_START)
        given = None if condition is None else inputs["condition"].to(device)
        module.initialize(start.to(device), seed, given)
        net = ReconstructionNet(
            module,
            criterion=torch.nn.Module,  # `set_losses` has ours
            optimizer=functools.partial(torch.optim.Adam, betas=(0.9, 0.99)),
            lr=settings.lr,
            max_epochs=settings.max_epochs,
            batch_size=settings.batch_size,
            iterator_train__shuffle=True,
            iterator_train__collate_fn=identity,
            iterator_valid__collate_fn=identity,
            train_split=None if valid is None else predefined_split(valid),
            callbacks=_callbacks(settings, len(train), valid is not None),
            callbacks__print_log=None,
            callbacks__train_loss=None,
            callbacks__valid_loss=None,
            device=device,
            verbose=0,
        ).initialize()
        with seeded(seed, device):  # all else is to train as it does without a network
            net.set_losses(settings, train)
        net.run(train, settings.max_epochs)
    return net


def continue_training(net, images, targets, settings, seed, condition=None):
    """Train a net further, with its optimizer if it still has one."""
    device = resolve_device(settings.device)
    train, valid = _split(images, targets, settings, seed, condition)
    net.module_.to(device)
    net.device, net.lr, net.batch_size = device, settings.lr, settings.batch_size
    net.train_split = None if valid is None else predefined_split(valid)
    net.callbacks = _callbacks(settings, len(train), valid is not None)
    net.initialize_callbacks()
    net.resume_training()
    with seeded(seed, device):
        net.set_losses(settings, train)
    with seeded(seed, device):
        net.run(train, settings.max_epochs)
    return net


def _split(images, targets, settings, seed, condition):
    """Training batches, and validation batches when early stopping needs them."""
    batches = functools.partial(
        ImageBatches,
        images,
        settings.crop_size,
        targets=targets,
        degrade=settings.degrade,
        condition=condition,
    )
    if not settings.early_stopping:
        return batches(), None
    order = np.random.RandomState(seed).permutation(len(images))
    n_valid = max(1, round(settings.validation_fraction * len(images)))
    if n_valid >= len(images):
        raise ValueError(
            f"early_stopping holds out {n_valid} of {len(images)} images and leaves "
            "none to train on: give more images or turn early_stopping off."
        )
    valid, train = np.sort(order[:n_valid]), np.sort(order[n_valid:])
    return batches(members=train), batches(members=valid, fixed=True)


def _callbacks(settings, n_items, has_valid):
    """Build the callbacks of one run; the user's come last."""
    epochs = settings.max_epochs
    steps = max(1, epochs * -(-n_items // settings.batch_size))
    callbacks = [("terms", EpochTerms()), ("advance", Advance())]
    if settings.lr_schedule == "cosine":
        policy = torch.optim.lr_scheduler.CosineAnnealingLR
        # last_epoch: start anew, though the history may be that of earlier runs
        rate = LRScheduler(policy, step_every="batch", T_max=steps, last_epoch=-1)
        callbacks.append(("lr", rate))
    callbacks.append(("clip", GradientClipping(settings.gradient_clip)))
    callbacks.append(("dead_atoms", DeadAtomReset(steps)))
    if has_valid and epochs:
        stopping = EarlyStopping(
            "valid_loss",
            patience=settings.n_epochs_no_change,
            threshold=settings.tol,
            load_best=True,
        )
        callbacks.append(("stopping", stopping))
    if settings.verbose:
        callbacks.append(("progress", ProgressBar(epochs)))
    named = [c if isinstance(c, tuple) else (None, c) for c in settings.callbacks]
    return callbacks + [(n, c) if n else c for n, c in named]
