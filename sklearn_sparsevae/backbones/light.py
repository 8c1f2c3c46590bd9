"""The light convolutional backbone of LASERS (REF: LASERS, Section 12)."""

from torch import nn

from sklearn_sparsevae.backbones.base import Backbone


class LightBackbone(Backbone):
    """Strided 4x4 convolutions and two narrow residual blocks.

    Parameters
    ----------
    n_channels : int
        Image channels.
    n_downsamples : int
        Strided convolutions; LASERS has 2.
    latent_dim : int, default=None
        Channels of the latents; 16, as in LASERS, when None.
    width : int
        Channels after the last strided convolution; half of it after the first.
    hidden : int
        Channels inside the residual blocks: 128 in LASERS' text (Section 5), 32 in its
        released code.
    """

    def __init__(
        self,
        n_channels: int,
        n_downsamples: int = 2,
        latent_dim: int | None = None,
        width: int = 128,
        hidden: int = 32,
    ) -> None:
        super().__init__()
        self.latent_dim = 16 if latent_dim is None else latent_dim
        widths = [width // 2] * max(n_downsamples - 1, 0) + [width]
        down, channels = [], n_channels
        for out in widths[-n_downsamples:] if n_downsamples else []:
            down += [nn.Conv2d(channels, out, 4, 2, 1), nn.ReLU()]
            channels = out
        self.encoder = nn.Sequential(
            *down,
            nn.Conv2d(channels, width, 3, padding=1),
            _NarrowBlock(width, hidden),
            _NarrowBlock(width, hidden),
            nn.ReLU(),
            nn.Conv2d(width, self.latent_dim, 1),
        )
        up, channels = [], width
        for i in range(n_downsamples):
            out = n_channels if i == n_downsamples - 1 else width // 2
            up += [nn.ConvTranspose2d(channels, out, 4, 2, 1), nn.ReLU()]
            channels = out
        self.decoder = nn.Sequential(
            nn.Conv2d(self.latent_dim, width, 3, padding=1),
            _NarrowBlock(width, hidden),
            _NarrowBlock(width, hidden),
            nn.ReLU(),
            *(up[:-1] if up else [nn.Conv2d(width, n_channels, 1)]),
        )


class _NarrowBlock(nn.Module):
    def __init__(self, width, hidden):
        super().__init__()
        self.body = nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(width, hidden, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(hidden, width, 1),
        )

    def forward(self, x):
        return x + self.body(x)
