"""A training loop without skorch, and networks to train with it."""

import torch
from torch import nn

from sklearn_sparsevae.backbones.base import Backbone
from sklearn_sparsevae.training.autoencoder import channels_first
from sklearn_sparsevae.training.losses import ImageLoss

LR, GRADIENT_CLIP, BETAS = 1e-3, 1.0, (0.9, 0.99)


class NoBottleneck(nn.Module):
    """Hands the latents on."""

    patch_size = 1

    def initialize(self, rows, seed):
        """There is nothing to start."""

    def to_rows(self, latents):
        """Latents site by site."""
        return latents.permute(0, 2, 3, 1)

    def forward(self, latents):
        """Latents as they came, no terms of a loss."""
        return {"latents": latents, "codes": self.to_rows(latents), "losses": {}}

    def parameter_groups(self, lr):
        """No parameters."""
        return []

    def advance(self, n_epochs):
        """Nothing here changes with time."""

    def figures(self, codes):
        """Nothing is counted."""
        return {}

    def usage_counts(self, codes):
        """Latents use no atoms."""

    def reset_dead_atoms(self):
        """There is nothing to replace."""
        return {}


class OneLayer(Backbone):
    """One 1x1 convolution each way: next to no work for a network."""

    def __init__(self, n_channels, latent_dim=16):
        super().__init__()
        self.encoder = nn.Conv2d(n_channels, latent_dim, 1)
        self.decoder = nn.Sequential(nn.Conv2d(latent_dim, n_channels, 1))


class Trainer:
    """A module and what it takes to train it: loss, optimizer, clipping."""

    def __init__(self, module):
        self.module, self.loss = module, ImageLoss("mse", 0.0, None)
        groups = module.parameter_groups(LR)
        self.optimizer = torch.optim.Adam(groups, lr=LR, betas=BETAS)
        self.forward = module

    def step(self, images, targets):
        """Train on one batch."""
        self.optimizer.zero_grad()
        output = self.forward(images)
        n_sites = output["latents"][:, 0].numel()
        terms = self.loss(output["images"], channels_first(targets), n_sites)
        sum({**terms, **output["losses"]}.values()).backward()
        nn.utils.clip_grad_norm_(self.module.parameters(), GRADIENT_CLIP)
        self.optimizer.step()

    def epoch(self, batches, batch_size):
        """Train once on all images, in another order each time."""
        for indices in torch.randperm(len(batches)).split(batch_size):
            self.step(*batches.batch(indices))
