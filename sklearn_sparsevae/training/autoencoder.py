"""Encoder, bottleneck and decoder as one module: the picture all systems share."""

import torch
from torch import nn
from torch.nn import functional as F

from sklearn_sparsevae.training.devices import autocast


class Autoencoder(nn.Module):
    """LASERS, Figure 1: encoder, compression bottleneck, decoder.

    It sees unit images, whose range is at [0, 1], channels first inside.

    Parameters
    ----------
    backbone : Backbone
    bottleneck : Bottleneck
        Runs in float32 whatever the precision of the backbone.
    site_size : int
        Pixels a side of a site; images are padded to a multiple of it.
    precision : {"float32", "bf16"}
    """

    def __init__(self, backbone, bottleneck, site_size, precision):
        super().__init__()
        self.backbone, self.bottleneck = backbone, bottleneck
        self.site_size, self.precision = site_size, precision

    def pad(self, images: torch.Tensor) -> torch.Tensor:
        """Repeat the last row and column up to a whole number of sites."""
        return pad_to_sites(images, self.site_size)

    def latents(self, images: torch.Tensor) -> torch.Tensor:
        """Latents ``E(x)`` of padded unit images."""
        with autocast(images.device, self.precision):
            return self.backbone.encode(images).float()

    def images(self, latents: torch.Tensor) -> torch.Tensor:
        """Decode to unit images ``G(latents)``, not clipped."""
        with autocast(latents.device, self.precision):
            return self.backbone.decode(latents).float()

    def forward(self, images: torch.Tensor, **condition) -> dict:
        """Reconstruct channels-last images; see `Bottleneck.forward` for the rest.

        ``condition=`` rows ``(n, p)`` are for a bottleneck that takes them.
        """
        unit = channels_first(images)
        coded = self.bottleneck(self.latents(self.pad(unit)), **condition)
        height, width = unit.shape[-2:]
        output = self.images(coded["latents"])[..., :height, :width]
        return {"images": output, **coded}

    @torch.no_grad()
    def initialize(
        self, images: torch.Tensor, seed: int, condition=None, max_sites=100_000
    ) -> None:
        """Start backbone and bottleneck from channels-last unit images."""
        unit = self.pad(channels_first(images))
        self.backbone.initialize(unit)
        rows = self.bottleneck.to_rows(self.latents(unit))
        given = {}
        if condition is not None:
            n_sites = rows.shape[1] * rows.shape[2]
            of_sites = condition.repeat_interleave(n_sites, 0)
            given["condition"] = of_sites[:max_sites]
        self.bottleneck.initialize(rows.flatten(0, 2)[:max_sites], seed, **given)

    def parameter_groups(self, lr: float) -> list[dict]:
        """Optimizer groups: the backbone's at ``lr``, the bottleneck's as it says."""
        backbone = {"params": list(self.backbone.parameters()), "lr": lr}
        groups = [backbone, *self.bottleneck.parameter_groups(lr)]
        return [group for group in groups if group["params"]]


def pad_to_sites(images: torch.Tensor, side: int) -> torch.Tensor:
    """Repeat the last row and column up to a whole number of sites of a side."""
    height, width = images.shape[-2:]
    right, below = -width % side, -height % side
    if not (right or below):
        return images
    return F.pad(images, (0, right, 0, below), mode="replicate")


def channels_first(images: torch.Tensor) -> torch.Tensor:
    """View of images ``(n, H, W, C)`` as torch wants them, ``(n, C, H, W)``."""
    return images.permute(0, 3, 1, 2)


def channels_last(images: torch.Tensor) -> torch.Tensor:
    """View of images ``(n, C, H, W)`` as users have them, ``(n, H, W, C)``."""
    return images.permute(0, 2, 3, 1)
