"""Training a density of tokenised codes, its likelihoods and its draws.

`CodeTransformer` says what tokens are.
"""

import copy
import math

import numpy as np
import torch
from torch.utils.data import Dataset

from sklearn_sparsevae._progress import progress
from sklearn_sparsevae.training.callbacks import not_finite
from sklearn_sparsevae.training.devices import resolve_device
from sklearn_sparsevae.training.net import Net
from sklearn_sparsevae.training.ranks import average, check_same_data
from sklearn_sparsevae.training.seeds import OwnGenerator

# Numbers that one batch may hold without gradients: 64 MiB of float64.
BATCH_ENTRIES = 2**23


class PriorNet(Net):
    """Its loss is the mean negative log-likelihood of the codes of a site."""

    optimizer_class, betas = torch.optim.AdamW, (0.9, 0.98)

    def parameter_groups(self):
        """All parameters alike."""
        return [{"params": list(self.module_.parameters()), "lr": self.lr}]

    def get_loss(self, y_pred, y_true, X=None, training=False):
        """Nats per site, mean over sites and images."""
        loss = -y_pred.sum(2).mean()
        value = average({"loss": loss})["loss"]
        if not math.isfinite(value):
            raise not_finite("loss", value, self)
        return loss


def train_prior(build, tokens, valid, settings, seed):
    """Train a `CodeTransformer` on tokens by maximum likelihood.

    Parameters
    ----------
    build : callable
        Returns a fresh module; called under the seed.
    tokens : ndarray of int (n, n_sites, n_slots, 2)
    valid : ndarray like ``tokens``, or None
        Tokens that say when to stop; the best weights are kept. Without them training
        goes on for all epochs.
    settings : RunSettings
    seed : int

    Returns
    -------
    net : PriorNet
    """
    check_same_data(tokens)
    with OwnGenerator(seed):
        net = PriorNet.around(build(), settings)
    valid = None if valid is None else _TokenBatches(valid)
    net.run(_TokenBatches(tokens), valid, settings, seed)
    return net


class _TokenBatches(Dataset):
    """Tokens as inputs and as targets; `BatchLoader` plans and makes batches."""

    n_workers = 0  # to make a batch is no work

    def __init__(self, tokens):
        self.tokens = torch.from_numpy(tokens)

    def __len__(self):
        return len(self.tokens)

    def __getitem__(self, index):
        return self.make([index])

    def plan(self, indices):
        """Plan a batch: its items."""
        return indices

    def make(self, plan):
        """Return inputs and targets."""
        tokens = self.tokens[torch.as_tensor(plan)]
        return tokens, tokens


def exact(module, device):
    """Copy of a module in float64, where the order of sums hardly matters."""
    return copy.deepcopy(module).to(device, torch.float64).eval()


@torch.no_grad()
def log_likelihood(module, tokens, device, verbose=0):
    """Log-likelihood of every image, in nats.

    In float64, so that it does not depend on what else is in a batch.

    Parameters
    ----------
    module : CodeTransformer
    tokens : ndarray of int (n, n_sites, n_slots, 2)
    device : str
        As in the estimator.
    verbose : int
        As in the estimator.

    Returns
    -------
    values : ndarray of float64 (n,)
    """
    device, space = resolve_device(device), module.space
    module = exact(module, device)
    entries = space.n_sites * space.n_slots * (space.n_atoms + space.n_bins + 1)
    batches = torch.from_numpy(tokens).split(max(1, BATCH_ENTRIES // entries))
    values = []
    with progress("CodePrior.score_samples", len(tokens), verbose) as bar:
        for batch in batches:
            values.append(module(batch.to(device)).sum((1, 2)).cpu())
            bar.update(len(batch))
    return np.concatenate(values)


def draw_tokens(module, n_samples, device, seed, verbose=0):
    """Draw tokens ``(n_samples, n_sites, n_slots, 2)`` from a trained module."""
    module = module.to(resolve_device(device)).eval()

    def draw(log_probabilities, place):
        return torch.multinomial(log_probabilities.exp(), 1)[:, 0]

    with (
        OwnGenerator(seed),
        progress("CodePrior.sample", n_samples, verbose) as bar,
    ):
        return module.generate(n_samples, draw, bar).cpu().numpy()
