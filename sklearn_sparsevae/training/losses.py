"""What a reconstructed image costs: its pixels, and what a network sees in it."""

import copy

import torch
from torch import nn

from sklearn_sparsevae.training.lpips import load_lpips

# Allowed values of ``pixel_loss=`` in the estimators: the cost of one pixel's error.
PIXEL_LOSSES = {"mse": torch.square, "l1": torch.abs}


class ImageLoss(nn.Module):
    """Pixel loss and perceptual distance of reconstructions (LASERS, Eq. 6).

    Both are means over all that is in an image, mixed as ``eta`` to ``1 - eta``; their
    mix is multiplied by half the numbers of a site, which makes it a sum per site like
    the terms of the bottlenecks. So neither their balance nor that with the bottleneck
    depends on the size of the images or the number of sites.

    Parameters
    ----------
    pixel_loss : {"mse", "l1"}
        Squared or absolute error.
    perceptual_weight : float
        ``1 - eta``, in [0, 1).
    perceptual_network : callable, str or None
        See `PerceptualDistance`; otherwise LPIPS, see `load_lpips`.
    """

    def __init__(self, pixel_loss, perceptual_weight, perceptual_network):
        super().__init__()
        self.pixel_cost = PIXEL_LOSSES[pixel_loss]
        self.perceptual_weight = perceptual_weight
        self.distance = None
        if perceptual_weight > 0:
            if not callable(perceptual_network):
                perceptual_network = load_lpips(perceptual_network)
            self.distance = PerceptualDistance(perceptual_network)

    def forward(self, output, target, n_sites: int) -> dict:
        """Loss terms by name, for unit images ``(n, C, H, W)`` that have ``n_sites``.

        ``"perceptual"`` is among them where it has a weight.
        """
        pixels = self.pixel_cost(output - target).sum()
        eta = 1 - self.perceptual_weight
        terms = {"reconstruction": eta * (0.5 * pixels / n_sites)}  # SC-VAE's Eq. 3
        if self.distance is not None:
            half_site = 0.5 * output.numel() / n_sites
            distance = self.distance(output, target)
            terms["perceptual"] = (1 - eta) * half_site * distance  # LASERS, Eq. 6
        return terms


class PerceptualDistance(nn.Module):
    """Distance of images in the features of a fixed network (Zhang et al., 2018).

    At each layer the features of a position are brought to unit length; squared
    differences are weighted by channel, added up over the channels, averaged over
    positions and images, and added up over the layers.

    Parameters
    ----------
    network : callable
        Turns images ``(n, 3, H, W)`` in [0, 1] into a list of features
        ``(n, channels, h, w)``. A module is copied, and the copy never trained. May
        have the attribute ``channel_weights``, a list of vectors ``(channels,)``; all
        channels count 1 otherwise.

    References
    ----------
    R. Zhang, P. Isola, A. A. Efros, E. Shechtman, O. Wang. "The unreasonable
    effectiveness of deep features as a perceptual metric". CVPR 2018, Eq. 1.
    """

    def __init__(self, network):
        super().__init__()
        self.network = copy.deepcopy(network)
        self.requires_grad_(False).eval()

    def train(self, mode=True):
        """Stay in evaluation mode, whatever is asked for."""
        return super().train(False)

    def forward(self, output, target):
        """Mean distance of images ``(n, C, H, W)``; one channel is shown as grey."""
        with torch.no_grad():
            wanted = self._features(target)
        layers = list(zip(self._features(output), wanted, strict=True))
        weights = getattr(self.network, "channel_weights", [1.0] * len(layers))
        return sum(
            ((a - b).square() * torch.as_tensor(w).view(-1, 1, 1)).sum(1).mean()
            for (a, b), w in zip(layers, weights, strict=True)
        )

    def _features(self, images):
        if images.shape[1] == 1:
            images = images.expand(-1, 3, -1, -1)
        layers = self.network(images)
        if isinstance(layers, torch.Tensor):
            raise TypeError(
                f"perceptual_network returned a tensor of shape {tuple(layers.shape)}; "
                "expected a list of feature maps: let it return [features]."
            )
        return [f * (f.square().sum(1, keepdim=True) + 1e-8).rsqrt() for f in layers]
