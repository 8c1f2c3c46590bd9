"""The VQGAN encoder and decoder that SC-VAE uses (its Table 4; Esser et al. 2021)."""

import torch
from torch import nn
from torch.nn import functional as F

from sklearn_sparsevae.backbones.base import Backbone

# Channel multipliers for each resolution, finest first: SC-VAE's configurations, and
# with 5 halvings that of RQ-VAE (Lee et al. 2022), which has the same blocks.
_MULTIPLIERS = {
    3: (1, 2, 2, 4),
    4: (1, 1, 2, 2, 4),
    5: (1, 1, 2, 2, 4, 4),
    6: (1, 1, 1, 2, 2, 4, 4),
    8: (1, 1, 1, 2, 2, 2, 4, 4, 4),
}
# Level with a non-local block beside those in the middle: 16 x 16 of 256 x 256.
_ATTENTION_LEVEL = 4


class VQGANBackbone(Backbone):
    """Residual blocks, non-local blocks, group normalisation and swish.

    Parameters
    ----------
    n_channels : int
        Image channels.
    n_downsamples : {3, 4, 5, 6, 8}
        As in SC-VAE; at 256 x 256 pixels 32, 16, 4 or 1 sites along each axis. 5 is as
        in RQ-VAE, 8 sites.
    latent_dim : int, default=None
        Channels of the latents; 256, as in SC-VAE, when None.
    width : int
        Channels of the finest level, a multiple of 32.
    """

    def __init__(
        self,
        n_channels: int,
        n_downsamples: int = 3,
        latent_dim: int | None = None,
        width: int = 128,
    ) -> None:
        super().__init__()
        if n_downsamples not in _MULTIPLIERS:
            raise ValueError(
                f"The vqgan backbone knows n_downsamples of {sorted(_MULTIPLIERS)}, "
                f"got {n_downsamples}."
            )
        if width % 32:
            raise ValueError(f"width must be a multiple of 32, got {width}.")
        self.latent_dim = 256 if latent_dim is None else latent_dim
        widths = [m * width for m in _MULTIPLIERS[n_downsamples]]
        self.encoder = _encoder(n_channels, widths, self.latent_dim)
        self.decoder = _decoder(n_channels, widths, self.latent_dim)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)


def _encoder(n_channels, widths, latent_dim):
    layers, channels = [nn.Conv2d(n_channels, widths[0], 3, padding=1)], widths[0]
    for level, width in enumerate(widths):
        layers += _level(channels, width, 2, level)
        channels = width
        if level < len(widths) - 1:
            layers.append(_Downsample(channels))
    return nn.Sequential(*layers, *_middle(channels), *_head(channels, latent_dim))


def _decoder(n_channels, widths, latent_dim):
    channels = widths[-1]
    layers = [nn.Conv2d(latent_dim, channels, 3, padding=1), *_middle(channels)]
    for level in reversed(range(len(widths))):
        layers += _level(channels, widths[level], 3, level)
        channels = widths[level]
        if level > 0:
            layers += [nn.Upsample(scale_factor=2, mode="nearest")]
            layers += [nn.Conv2d(channels, channels, 3, padding=1)]
    return nn.Sequential(*layers, *_head(channels, n_channels))


def _level(in_channels, channels, n_blocks, level):
    blocks = []
    for i in range(n_blocks):
        blocks.append(_ResidualBlock(in_channels if i == 0 else channels, channels))
        if level == _ATTENTION_LEVEL:
            blocks.append(_NonLocalBlock(channels))
    return blocks


def _middle(channels):
    return [
        _ResidualBlock(channels, channels),
        _NonLocalBlock(channels),
        _ResidualBlock(channels, channels),
    ]


def _head(channels, out_channels):
    return [_norm(channels), nn.SiLU(), nn.Conv2d(channels, out_channels, 3, padding=1)]


def _norm(channels):
    return nn.GroupNorm(32, channels, eps=1e-6)


class _ResidualBlock(nn.Module):
    def __init__(self, in_channels, channels):
        super().__init__()
        self.body = nn.Sequential(
            *_head(in_channels, channels), *_head(channels, channels)
        )
        same = in_channels == channels
        self.skip = nn.Identity() if same else nn.Conv2d(in_channels, channels, 1)

    def forward(self, x):
        return self.skip(x) + self.body(x)


class _NonLocalBlock(nn.Module):
    """Single-head self-attention over all positions."""

    def __init__(self, channels):
        super().__init__()
        self.norm = _norm(channels)
        self.qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)

    def forward(self, x):
        # One head: an axis that ONNX asks for.
        tokens = self.qkv(self.norm(x)).flatten(2).mT[:, None]
        attended = F.scaled_dot_product_attention(*tokens.chunk(3, dim=3))
        return x + self.out(attended.mT.reshape(x.shape))


class _Downsample(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(F.pad(x, (0, 1, 0, 1)))
