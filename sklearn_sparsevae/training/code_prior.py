"""Training a density of tokenised codes, its likelihoods and its draws.

`CodeTransformer` says what tokens are.
"""

import copy
import functools

import numpy as np
import torch
from skorch.callbacks import EarlyStopping, LRScheduler
from skorch.helper import predefined_split
from torch import nn
from torch.utils.data import TensorDataset

from sklearn_sparsevae.training.callbacks import (
    EpochTerms,
    GradientClipping,
    ProgressBar,
    not_finite,
)
from sklearn_sparsevae.training.devices import resolve_device, seeded
from sklearn_sparsevae.training.reconstruction import ReconstructionNet

# Logits that one batch may hold without gradients: 64 MiB of float64.
_BATCH_ENTRIES = 2**23
_LONGEST_GRADIENT = 1.0


class PriorNet(ReconstructionNet):
    """The same engine; its loss is the mean negative log-likelihood of a site."""

    def get_loss(self, y_pred, y_true, X=None, training=False):
        """Nats of a site, mean over sites and images."""
        loss = -y_pred.sum(2).mean()
        if not loss.isfinite():
            raise not_finite("loss", loss.item(), self)
        return loss


def train_prior(
    build,
    tokens,
    valid,
    *,
    max_epochs,
    batch_size,
    lr,
    n_epochs_no_change,
    tol,
    device,
    verbose,
    seed,
):
    """Train a `CodeTransformer` on tokens by maximum likelihood.

    Parameters
    ----------
    build : callable
        Returns a fresh module; called under the seed.
    tokens : ndarray of int (n, n_sites, n_slots, 2)
    valid : ndarray like ``tokens``, or None
        Tokens that say when to stop; the best weights are kept. Without them training
        goes on for all epochs.
    max_epochs, batch_size, lr, n_epochs_no_change, tol, device, verbose, seed
        As in the estimator.

    Returns
    -------
    net : PriorNet
    """
    device = resolve_device(device)
    n_steps = max_epochs * -(-len(tokens) // batch_size)
    callbacks = _callbacks(max_epochs, n_steps, verbose)
    if valid is not None:
        patience = {"patience": n_epochs_no_change, "threshold": tol}
        stopping = EarlyStopping("valid_loss", load_best=True, **patience)
        callbacks.append(("stopping", stopping))
    with seeded(seed, device):
        net = PriorNet(
            build().to(device),
            criterion=nn.Module,
            optimizer=functools.partial(torch.optim.AdamW, betas=(0.9, 0.98)),
            lr=lr,
            max_epochs=max_epochs,
            batch_size=batch_size,
            iterator_train__shuffle=True,
            train_split=None if valid is None else predefined_split(_dataset(valid)),
            callbacks=callbacks,
            callbacks__print_log=None,
            callbacks__train_loss=None,
            callbacks__valid_loss=None,
            device=device,
            verbose=0,
        ).initialize()
        net.run(_dataset(tokens), max_epochs)
    return net


def _callbacks(max_epochs, n_steps, verbose):
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR
    callbacks = [
        ("terms", EpochTerms()),
        ("lr", LRScheduler(cosine, step_every="batch", T_max=n_steps)),
        ("clip", GradientClipping(_LONGEST_GRADIENT)),
    ]
    if verbose:
        callbacks.append(("progress", ProgressBar(max_epochs)))
    return callbacks


def _dataset(tokens):
    """Items as skorch wants them, with a target."""
    tokens = torch.from_numpy(tokens)
    return TensorDataset(tokens, tokens)


@torch.no_grad()
def log_likelihood(module, tokens, device):
    """Log-likelihood of every image, in nats.

    In float64, so that it does not depend on what else is in a batch.

    Parameters
    ----------
    module : CodeTransformer
    tokens : ndarray of int (n, n_sites, n_slots, 2)
    device : str
        As in the estimator.

    Returns
    -------
    values : ndarray of float64 (n,)
    """
    device, space = resolve_device(device), module.space
    module = copy.deepcopy(module).to(device, torch.float64).eval()
    entries = space.n_sites * space.n_slots * (space.n_atoms + space.n_bins + 1)
    batches = torch.from_numpy(tokens).split(max(1, _BATCH_ENTRIES // entries))
    values = [module(batch.to(device)).sum((1, 2)).cpu() for batch in batches]
    return np.concatenate(values)


def draw_tokens(module, n_samples, device, seed):
    """Draw tokens ``(n_samples, n_sites, n_slots, 2)`` from a trained module."""
    device = resolve_device(device)
    with seeded(seed, device):
        return module.to(device).eval().sample(n_samples).cpu().numpy()
