"""Callbacks: gradient clipping, dead atoms, schedule, figures, progress bar."""

import math
import sys
import time

import numpy as np
import torch
from skorch.callbacks import Callback
from torch.nn.utils import clip_grad_norm_

from sklearn_sparsevae import _ranks
from sklearn_sparsevae._progress import bar_class
from sklearn_sparsevae._usage import perplexity


def not_finite(what, value, net):
    """Error that says what stopped being finite, and when."""
    return FloatingPointError(
        f"The {what} became {value} in epoch {len(net.history)}. Lower lr, or alpha if "
        "it is above 1, and check the scale of the input: values far above 1 have "
        "squares that overflow."
    )


def clip_gradients(parameters, max_norm, what, net):
    """Limit the norm of the gradient; one that is not finite ends the training."""
    norm = float(clip_grad_norm_(parameters, max_norm))
    if not math.isfinite(norm):
        raise not_finite(what, norm, net)


class GradientClipping(Callback):
    """Clip the gradient of the net before the optimizer's step."""

    def __init__(self, max_norm):
        self.max_norm = max_norm

    def on_grad_computed(self, net, named_parameters=(), **kwargs):
        """Clip what the backward pass left."""
        parameters = [p for _, p in named_parameters]
        clip_gradients(parameters, self.max_norm, "gradient of the loss", net)


class DeadAtomReset(Callback):
    """Let the bottleneck replace little-used atoms, and reset their moments in Adam.

    Every 100 steps in the first nine tenths of ``n_steps``: what is replaced needs
    time to settle.
    """

    def __init__(self, n_steps):
        self.n_steps = n_steps

    def on_train_begin(self, net, **kwargs):
        """Count the steps of the run."""
        self.step_ = 0

    def on_batch_end(self, net, training=False, **kwargs):
        """Replace after every so many batches."""
        if not training:
            return
        self.step_ += 1
        if self.step_ % 100 or self.step_ > 0.9 * self.n_steps:
            return
        for parameter, rows in net.module_.bottleneck.reset_dead_atoms().items():
            for moments in net.optimizer_.state.get(parameter, {}).values():
                if moments.shape == parameter.shape:
                    moments[rows] = 0


class Advance(Callback):
    """Tell the bottleneck how far the training is, all fits of a net together."""

    def on_train_begin(self, net, **kwargs):
        """Have the bottleneck that is told."""
        self.bottleneck, self.told = net.module_.bottleneck, None

    def state_dict(self):
        """Return what the bottleneck was told last."""
        return {"told": self.told}

    def load_state_dict(self, state):
        """Tell it that again."""
        self.told = state["told"]
        if self.told is not None:
            self.bottleneck.advance(self.told)

    def on_epoch_begin(self, net, dataset_train=None, **kwargs):
        """Count the batches to come."""
        self.n_batches_ = math.ceil(len(dataset_train) / net.batch_size)
        self.step_ = 0

    def on_batch_begin(self, net, training=False, **kwargs):
        """Tell epochs and fractions of one."""
        if training:
            self.told = len(net.history) - 1 + self.step_ / self.n_batches_
            self.bottleneck.advance(self.told)
            self.step_ += 1


class EpochTerms(Callback):
    """Average what the batches recorded into the history of the epoch."""

    def on_batch_end(self, net, training=False, **kwargs):
        """Have the images of the batch on all ranks, where skorch has its own."""
        name = "train_batch_size" if training else "valid_batch_size"
        n_images = _ranks.n_images() or net.history[-1, "batches", -1, name]
        net.history.record_batch(name, n_images)

    def on_epoch_end(self, net, **kwargs):
        """Average every recorded name, weighted by the size of the batches."""
        for prefix in ("train", "valid"):
            batches = [
                b for b in net.history[-1]["batches"] if f"{prefix}_batch_size" in b
            ]
            weights = [b[f"{prefix}_batch_size"] for b in batches]
            names = {k for b in batches for k in b if k.startswith(f"{prefix}_")}
            for name in sorted(names - {f"{prefix}_batch_size"}):
                values = [b[name] for b in batches]
                net.history.record(name, float(np.average(values, weights=weights)))
        for name in ("train_loss", "valid_loss"):  # what skorch's callbacks look at
            losses = [epoch[name] for epoch in net.history if name in epoch]
            if name in net.history[-1]:
                net.history.record(f"{name}_best", losses[-1] <= min(losses))
        del net.history[-1]["batches"][:-1]


class UsagePerplexity(Callback):
    """Record the perplexity of the usage of the atoms, counted over the whole epoch."""

    def on_epoch_begin(self, net, **kwargs):
        """Count anew."""
        self.counts_ = {}

    def on_batch_end(self, net, training=False, y_pred=None, **kwargs):
        """Add the counts of a batch, if its codes have any."""
        counts = net.module_.bottleneck.usage_counts(y_pred["codes"])
        if counts is not None:
            counts = _ranks.total(torch.from_numpy(counts))[0].numpy()
            name = "train_perplexity" if training else "valid_perplexity"
            self.counts_[name] = self.counts_.get(name, 0) + counts

    def on_epoch_end(self, net, **kwargs):
        """Record the perplexity."""
        for name, counts in self.counts_.items():
            net.history.record(name, perplexity(counts))


class ProgressBar(Callback):
    """One line that shows epoch, time left, images a second, loss terms and PSNR.

    In a notebook it is a widget, where there are any.
    """

    def __init__(self, max_epochs, file=None, n_done=0):
        self.max_epochs, self.file, self.n_done = max_epochs, file, n_done

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        """Open the bar; its unit is an epoch, in fractions."""
        self.bar_ = bar_class()(
            total=self.max_epochs,
            initial=self.n_done,
            file=self.file or sys.stderr,
            bar_format="{l_bar}{bar}| epoch {n:.1f}/{total} "
            "[{elapsed}<{remaining}{postfix}]",
        )
        self.n_images_, self.start_ = 0, time.perf_counter()

    def on_epoch_begin(self, net, dataset_train=None, **kwargs):
        """Count the batches to come."""
        self.fraction_ = 1 / math.ceil(len(dataset_train) / net.batch_size)

    def on_batch_end(self, net, training=False, **kwargs):
        """Advance, and show the terms of the batch."""
        if not training:
            return
        last = net.history[-1]["batches"][-1]
        self.n_images_ += last["train_batch_size"]
        rate = self.n_images_ / max(time.perf_counter() - self.start_, 1e-9)
        shown = [f"{rate:.3g} images/s"] + [
            f"{name.removeprefix('train_')}={value:.3g}"
            for name, value in last.items()
            if name.startswith("train_") and name != "train_batch_size"
        ]
        self.bar_.set_postfix_str(", ".join(shown), refresh=False)
        self.bar_.update(self.fraction_)

    def on_train_end(self, net, X=None, **kwargs):
        """Close the bar, which is full unless something went wrong."""
        if X is not None:  # whole, whatever the sum of its parts, and if it stops early
            self.bar_.n = self.bar_.total = round(self.bar_.n)
        self.bar_.close()
        del self.bar_
