"""Our own image backbone: classical patch coding, and a network that learns the rest.

The encoder cuts the image into patches (pixel-unshuffle) and maps each by an
orthonormal matrix; the decoder is the transpose. Beside both runs a convolutional
branch whose last layer starts at zero. Before the first step encoder and decoder are
therefore an exact isometry, the bottleneck between them codes patches of pixels, and
whatever training changes can be measured against that.
"""

import torch
from torch import nn
from torch.nn import functional as F

from sklearn_sparsevae.backbones.base import Backbone
from sklearn_sparsevae.sparse import dct_dictionary, normalize_atoms
from sklearn_sparsevae.sparse.rows import principal_axes


class ResidualBackbone(Backbone):
    """Linear patch path plus convolutional branches that start at zero.

    Parameters
    ----------
    n_channels : int
        Image channels C.
    n_downsamples : int
        A site is a square patch whose side is ``2 ** n_downsamples`` pixels.
    latent_dim : int, default=None
        At most ``C * 4 ** n_downsamples``, the default; a smaller one keeps the channel
        means and the first principal components of the rest.
    width : int, default=None
        Channels of the branches; None takes ``16 * 2 ** n_downsamples``, which costs
        the same for every pixel whatever ``n_downsamples``.
    n_blocks : int
        Residual blocks of a branch.
    """

    def __init__(
        self,
        n_channels: int,
        n_downsamples: int,
        latent_dim: int | None = None,
        width: int | None = None,
        n_blocks: int = 2,
    ) -> None:
        super().__init__()
        width = 16 * 2**n_downsamples if width is None else width
        self.side = 2**n_downsamples
        self.n_channels = self.n_mean_dims = n_channels
        patch_dim = n_channels * self.side**2
        self.latent_dim = patch_dim if latent_dim is None else latent_dim
        if not n_channels <= self.latent_dim <= patch_dim:
            raise ValueError(
                f"latent_dim={latent_dim} must lie between the number of channels "
                f"({n_channels}) and the {patch_dim} numbers of a patch of "
                f"{self.side}x{self.side} pixels: the residual backbone starts as a "
                "linear map of patches. Raise n_downsamples for longer latents."
            )
        n_kept = -(-self.latent_dim // n_channels)  # of each channel
        basis = _patch_dct(n_channels, self.side, n_kept)
        self.register_buffer("basis", basis[: self.latent_dim].clone())
        self.encoder_branch = _Branch(patch_dim, self.latent_dim, width, n_blocks)
        self.decoder_branch = _Branch(self.latent_dim, patch_dim, width, n_blocks)

    @property
    def _map(self):
        return self.basis[:, :, None, None]

    def initialize(self, images: torch.Tensor) -> None:
        """Align the latents with the principal axes if some are dropped."""
        n_means = self.n_mean_dims
        if len(self.basis) == self.basis.shape[1]:
            return
        full = _patch_dct(self.n_channels, self.side).to(images)
        patches = self._patches(images).permute(0, 2, 3, 1).flatten(0, 2)
        detail = patches @ full[n_means:].mT
        axes, _ = principal_axes(detail)
        kept = axes[: self.latent_dim - n_means].to(full)
        self.basis[n_means:] = kept @ full[n_means:]

    def _patches(self, images):
        return F.pixel_unshuffle(images - 0.5, self.side)

    def encode(self, images: torch.Tensor) -> torch.Tensor:
        """Orthonormal map of patches, plus the branch.

        The branch may rotate the detail of a site, not scale it: smaller latents would
        be penalised less, and the decoder could undo the scaling.
        """
        patches, n_means = self._patches(images), self.n_mean_dims
        linear = F.conv2d(patches, self._map)
        latents = linear + self.encoder_branch(patches)
        means, detail = latents[:, :n_means], latents[:, n_means:]
        norm = detail.norm(dim=1, keepdim=True).clamp(min=1e-8)
        target = linear[:, n_means:].norm(dim=1, keepdim=True)
        return torch.cat([means, detail * (target / norm)], 1)

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Transpose of the orthonormal map, plus the branch."""
        patches = F.conv_transpose2d(latents, self._map) + self.decoder_branch(latents)
        return F.pixel_shuffle(patches, self.side) + 0.5

    @property
    def last_layer(self) -> nn.Parameter:
        """Weight of the decoder branch's last layer."""
        return self.decoder_branch[-1].weight

    def dct_dictionary(self, n_components: int) -> torch.Tensor:
        """Overcomplete DCT of the pixels of a patch, without the channel means."""
        shape = (self.n_channels, self.side, self.side)
        n_wanted, surplus = n_components - self.n_mean_dims, 2 * n_components
        atoms = dct_dictionary(self.basis.shape[1], surplus, shape)
        detail = self.basis.clone()
        detail[: self.n_mean_dims] = 0
        latents = (atoms @ detail.cpu().mT)[:, self.n_mean_dims :]
        told_apart = latents.norm(dim=1) > 0.3  # the rest is mean, or dropped
        latents = normalize_atoms(latents[told_apart])
        repeats = (latents @ latents.mT).abs().tril(-1) > 0.999
        latents = latents[~repeats.any(1)]
        if len(latents) < n_wanted:
            raise ValueError(
                f"The DCT has only {len(latents)} distinct atoms for patches of "
                f"{self.side}x{self.side} pixels, {n_wanted} were asked for: lower "
                "n_components or learn the dictionary."
            )
        return latents[:n_wanted]


class _Branch(nn.Sequential):
    """Convolutions on the site grid whose output starts at exactly zero."""

    def __init__(self, in_dim, out_dim, width, n_blocks):
        last = nn.Conv2d(width, out_dim, 1)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        super().__init__(
            nn.Conv2d(in_dim, width, 3, padding=1),
            *(ResidualBlock(width) for _ in range(n_blocks)),
            nn.ReLU(),
            last,
        )


class ResidualBlock(nn.Module):
    """Two convolutions beside the identity (He et al. 2016, pre-activation)."""

    def __init__(self, width):
        super().__init__()
        self.body = nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Features ``(batch, width, h, w)`` of features."""
        return x + self.body(x)


def _patch_dct(n_channels, side, n_kept=None):
    """Orthonormal DCT of each channel of a patch; the channel means come first.

    ``n_kept`` are the atoms of a channel, those of low frequencies; by default all.
    """
    plane = dct_dictionary(side * side, side * side, (side, side))[:n_kept]
    basis = torch.kron(torch.eye(n_channels), plane)
    order = torch.arange(len(basis)).reshape(n_channels, -1).T.flatten()
    return basis[order]
