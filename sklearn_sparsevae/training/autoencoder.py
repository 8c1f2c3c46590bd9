"""Encoder, bottleneck and decoder as one module: the picture all systems share."""

import torch
from torch import nn
from torch.nn import functional as F

from sklearn_sparsevae.training.devices import autocast


class Autoencoder(nn.Module):
    """LASERS, Figure 1: encoder, compression bottleneck, decoder.

    Parameters
    ----------
    backbone : Backbone
    bottleneck : Bottleneck
        Runs in float32 whatever the precision of the backbone.
    site_size : int
        Pixels a side of a site; images are padded to a multiple of it.
    value_range : tuple of float
        What 0 and 1 of the network stand for in floating point input. uint8 input is
        divided by 255.
    precision : {"float32", "bf16"}
    """

    def __init__(self, backbone, bottleneck, site_size, value_range, precision):
        super().__init__()
        self.backbone, self.bottleneck = backbone, bottleneck
        self.site_size, self.precision = site_size, precision
        self.low, self.high = map(float, value_range)

    def to_unit(self, images: torch.Tensor) -> torch.Tensor:
        """Channels-last images of any input type to ``(n, C, H, W)`` in [0, 1]."""
        images = images.permute(0, 3, 1, 2)
        if images.dtype == torch.uint8:
            return images.float() / 255
        return (images.float() - self.low) / (self.high - self.low)

    def from_unit(self, images: torch.Tensor) -> torch.Tensor:
        """Back to channels last and to the range of the input."""
        return (images * (self.high - self.low) + self.low).permute(0, 2, 3, 1)

    def pad(self, images: torch.Tensor) -> torch.Tensor:
        """Repeat the last row and column up to a whole number of sites."""
        height, width = images.shape[-2:]
        right, below = -width % self.site_size, -height % self.site_size
        if not (right or below):
            return images
        return F.pad(images, (0, right, 0, below), mode="replicate")

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
        unit = self.to_unit(images)
        coded = self.bottleneck(self.latents(self.pad(unit)), **condition)
        height, width = unit.shape[-2:]
        output = self.images(coded["latents"])[..., :height, :width]
        return {"images": output, **coded}

    @torch.no_grad()
    def initialize(
        self, images: torch.Tensor, seed: int, condition=None, max_sites=100_000
    ) -> None:
        """Start backbone and bottleneck from data."""
        unit = self.pad(self.to_unit(images))
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
