"""The contract of a backbone: an encoder and the decoder that belongs to it."""

import torch
from torch import nn

from sklearn_sparsevae.sparse import dct_dictionary


class Backbone(nn.Module):
    """Images ``(batch, channels, H, W)`` in [0, 1] to latents and back.

    H and W are multiples of ``2 ** n_downsamples``; latents are
    ``(batch, latent_dim, H / 2**d, W / 2**d)``.
    """

    latent_dim: int
    #: Leading latents that are channel means, which a bottleneck may code apart.
    n_mean_dims = 0

    def initialize(self, images: torch.Tensor) -> None:
        """Start from data: a batch of images."""

    def encode(self, images: torch.Tensor) -> torch.Tensor:
        """Latents of images."""
        return self.encoder(images)

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Images of latents, not yet clipped to [0, 1]."""
        return self.decoder(latents)

    @property
    def last_layer(self) -> nn.Parameter:
        """Weight of the decoder's last layer, where losses are balanced."""
        return self.decoder[-1].weight

    def dct_dictionary(self, n_components: int) -> torch.Tensor:
        """DCT atoms ``(n_components, latent_dim)`` in the coordinates of the latents.

        Without those for the ``n_mean_dims``, which have atoms of their own.
        """
        return dct_dictionary(self.latent_dim, n_components)
