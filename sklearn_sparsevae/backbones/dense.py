"""Backbone for plain vectors, each a grid of one site."""

import torch
from torch import nn

from sklearn_sparsevae.backbones.base import Backbone
from sklearn_sparsevae.sparse.rows import principal_axes


class DenseBackbone(Backbone):
    """Standardised features, a linear path, and an MLP branch that starts at zero.

    The data decide mean and scale (one scale for all features, so that distances keep
    their meaning); a ``latent_dim`` below the number of features keeps that many
    principal components.

    Parameters
    ----------
    n_channels : int
        Number of features.
    n_downsamples : int
        Not used: a vector is one site.
    latent_dim : int, default=None
        Up to the number of features, the default.
    width : int
        Hidden units of a branch.
    """

    def __init__(
        self,
        n_channels: int,
        n_downsamples: int = 0,
        latent_dim: int | None = None,
        width: int = 128,
    ) -> None:
        super().__init__()
        self.latent_dim = n_channels if latent_dim is None else latent_dim
        if self.latent_dim > n_channels:
            raise ValueError(
                f"latent_dim={latent_dim} exceeds the {n_channels} features: the dense "
                "backbone starts as a linear map. Use a smaller latent_dim or None."
            )
        self.register_buffer("mean", torch.zeros(n_channels))
        self.register_buffer("scale", torch.ones(()))
        self.register_buffer("basis", torch.eye(n_channels)[: self.latent_dim].clone())
        self.encoder_branch = _mlp(n_channels, self.latent_dim, width)
        self.decoder_branch = _mlp(self.latent_dim, n_channels, width)

    def initialize(self, images: torch.Tensor) -> None:
        """Take mean, scale and principal axes from the data."""
        rows = images.flatten(1).double()
        self.mean.copy_(rows.mean(0))
        centred = rows - self.mean
        self.scale.copy_(centred.pow(2).mean().sqrt().clamp(min=1e-12))
        if self.latent_dim < rows.shape[1]:
            self.basis.copy_(principal_axes(centred)[0][: self.latent_dim])

    def encode(self, images: torch.Tensor) -> torch.Tensor:
        """Latents ``(batch, latent_dim, 1, 1)`` of ``(batch, features, 1, 1)``."""
        rows = (images.flatten(1) - self.mean) / self.scale
        return (rows @ self.basis.mT + self.encoder_branch(rows))[:, :, None, None]

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Vectors ``(batch, features, 1, 1)`` of latents."""
        flat = latents.flatten(1)
        rows = flat @ self.basis + self.decoder_branch(flat)
        return (rows * self.scale + self.mean)[:, :, None, None]

    @property
    def last_layer(self) -> nn.Parameter:
        """Weight of the decoder branch's last layer."""
        return self.decoder_branch[-1].weight


def _mlp(n_in, n_out, width):
    last = nn.Linear(width, n_out)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(nn.Linear(n_in, width), nn.ReLU(), last)
