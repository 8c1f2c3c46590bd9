"""The network of a denoiser: what is noise, in images with noise of known strength.

Like the residual backbone it works on a grid of 2x2 pixels, and its last layer starts
at zero: before the first step what comes in is what comes out. Unlike in an autoencoder
nothing has to pass through the middle, where there may be

* a grid twice as coarse (`CoarserScale`), which sees four times as much for a quarter
  of the work of each convolution; or
* a bottleneck of sparse codes, see `~sklearn_sparsevae.training.denoising_module`.
"""

import torch
from torch import nn
from torch.nn import functional as F

from sklearn_sparsevae.backbones.residual import ResidualBlock

_SIDE = 2  # pixels a side of a site
# Bring pixels around grey, and deviations of noise, to numbers of about one.
_PIXEL_SCALE, _NOISE_SCALE = 2.0, 5.0
# Logarithm of the variance of errors before training: of 6 in 255.
_FIRST_LOG_VARIANCE = -7.5


class DenoisingBackbone(nn.Module):
    """Features of noisy images, and the noise that they tell of.

    Parameters
    ----------
    n_channels : int
        Image channels C.
    width : int
        Channels of the features.
    n_blocks : int
        Residual blocks before and after the middle each.
    """

    side = _SIDE

    def __init__(self, n_channels: int, width: int = 64, n_blocks: int = 1) -> None:
        super().__init__()
        patch_dim = n_channels * _SIDE**2
        self.width = width
        # How strong the noise is in each channel stands beside the pixels [FFDNet].
        self.first = nn.Conv2d(patch_dim + n_channels, width, 3, padding=1)
        self.before = _blocks(width, n_blocks)
        self.after = _blocks(width, n_blocks)
        self.noise = nn.Conv2d(width, patch_dim, 1)
        self.log_variance = nn.Conv2d(width, patch_dim, 1)
        nn.init.zeros_(self.noise.weight)
        nn.init.zeros_(self.noise.bias)
        nn.init.zeros_(self.log_variance.weight)
        nn.init.constant_(self.log_variance.bias, _FIRST_LOG_VARIANCE)

    def encode(self, images: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        """Features ``(batch, width, h, w)``.

        ``images`` are ``(batch, C, H, W)`` with the range at [0, 1] and noise around
        it, H and W even; ``sigma`` deviations of the noise ``(batch, C)``.
        """
        patches = F.pixel_unshuffle(images - 0.5, _SIDE)
        strength = sigma[:, :, None, None].expand(-1, -1, *patches.shape[2:])
        scaled = [_PIXEL_SCALE * patches, _NOISE_SCALE * strength]
        return self.before(self.first(torch.cat(scaled, 1)))

    def decode(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Noise, and logarithms of the variance of what it leaves, as images.

        The variance is read off the features, without a say in what they are.
        """
        features = F.relu(self.after(features))
        noise = self.noise(features)
        log_variance = self.log_variance(features.detach())
        return F.pixel_shuffle(noise, _SIDE), F.pixel_shuffle(log_variance, _SIDE)


class CoarserScale(nn.Module):
    """Residual blocks on a grid twice as coarse, beside the identity.

    Parameters
    ----------
    width, inner_width : int
        Channels of the features and of those on the coarser grid.
    n_blocks : int
    """

    def __init__(self, width: int, inner_width: int, n_blocks: int = 2) -> None:
        super().__init__()
        self.down = nn.Conv2d(width, inner_width, 2, stride=2)
        self.body = _blocks(inner_width, n_blocks)
        self.up = nn.ConvTranspose2d(inner_width, width, 2, stride=2)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Features ``(batch, width, h, w)`` of features, h and w even."""
        return features + self.up(self.body(self.down(features)))


def _blocks(width, n_blocks):
    return nn.Sequential(*(ResidualBlock(width) for _ in range(n_blocks)))
