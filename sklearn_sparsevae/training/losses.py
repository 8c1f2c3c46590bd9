"""Losses of reconstructed images: of pixels, and in the features of a network."""

import torch
from torch import nn

from sklearn_sparsevae.perceptual.distance import PerceptualDistance

# Allowed values of ``pixel_loss=`` in the estimators: the cost of one pixel's error.
PIXEL_LOSSES = {"mse": torch.square, "l1": torch.abs}


class ImageLoss(nn.Module):
    """Pixel loss and perceptual distance of reconstructions (LASERS, Eq. 6).

    Both are means over an image, weighted ``eta`` and ``1 - eta``; the result is
    multiplied by half the numbers of a site, which makes it a sum per site like the
    terms of the bottlenecks. So neither their balance nor that with the bottleneck
    depends on the size of the images or the number of sites.

    Parameters
    ----------
    pixel_loss : {"mse", "l1"}
        Squared or absolute error.
    perceptual_weight : float
        ``1 - eta``, in [0, 1).
    perceptual_network : callable, str or None
        See `PerceptualDistance`.
    """

    def __init__(self, pixel_loss, perceptual_weight, perceptual_network):
        super().__init__()
        self.pixel_cost = PIXEL_LOSSES[pixel_loss]
        self.perceptual_weight = perceptual_weight
        self.distance = None
        if perceptual_weight > 0:
            self.distance = PerceptualDistance(perceptual_network)

    def forward(self, output, target, n_sites: int) -> dict:
        """Loss terms by name, for unit images ``(n, C, H, W)`` that have ``n_sites``.

        ``"perceptual"`` is among them where it has a weight.
        """
        pixels = self.pixel_cost(output - target).sum()
        eta = 1 - self.perceptual_weight
        reconstruction = 0.5 * pixels / n_sites  # [SC-VAE Eq. 3]
        terms = {"reconstruction": eta * reconstruction}  # [LASERS Eq. 6]
        if self.distance is not None:
            half_site = 0.5 * output.numel() / n_sites
            distance = self.distance(output, target).mean()
            terms["perceptual"] = (1 - eta) * half_site * distance  # [LASERS Eq. 6]
        return terms
