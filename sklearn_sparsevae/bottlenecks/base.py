"""The contract of a bottleneck: what sits between every encoder and decoder."""

import abc

import torch
from torch import nn


class Bottleneck(nn.Module, abc.ABC):
    """Turns a grid of latents into codes and back.

    Latents are ``(batch, latent_dim, h, w)``; a vector is a 1 x 1 grid. A bottleneck
    knows nothing of images, training or discriminators, and the code of a sample never
    depends on the other samples of its batch.
    """

    #: What the codes promise: "exact zeros", "n_nonzero_coefs", "one of K" or "dense".
    sparsity: str

    @property
    @abc.abstractmethod
    def components(self) -> torch.Tensor:
        """The atoms, ``(n_components, latent_dim)``."""

    def initialize(self, latents: torch.Tensor, seed: int) -> None:  # noqa: B027
        """Start from data: ``(n, latent_dim)`` latents of the first images."""

    @abc.abstractmethod
    def encode(self, latents: torch.Tensor):
        """Codes of latents: ``(batch, h, w, n_components)``, or values and indices."""

    @abc.abstractmethod
    def decode(self, codes) -> torch.Tensor:
        """Latents ``(batch, latent_dim, h, w)`` of codes."""

    @abc.abstractmethod
    def forward(self, latents: torch.Tensor) -> dict:
        """Return ``latents`` (decoded), ``codes`` and ``losses``: scalars by name."""

    def parameter_groups(self, lr: float) -> list[dict]:
        """Optimizer groups: every parameter once, with its learning rate."""
        return [{"params": list(self.parameters()), "lr": lr}]
