"""No backbone: the input already is a grid of latents."""

import torch

from sklearn_sparsevae.backbones.base import Backbone


class IdentityBackbone(Backbone):
    """Hands latents of any range to the bottleneck and back, unchanged."""

    def __init__(
        self, n_channels: int, n_downsamples: int = 0, latent_dim: int | None = None
    ) -> None:
        super().__init__()
        if latent_dim not in (None, n_channels):
            raise ValueError(
                f"latent_dim={latent_dim}, but the given latents have {n_channels} "
                "channels: leave latent_dim at None with the identity backbone."
            )
        self.latent_dim = n_channels

    def encode(self, images: torch.Tensor) -> torch.Tensor:
        """Return the input."""
        return images

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Return the input."""
        return latents
