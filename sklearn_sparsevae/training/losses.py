"""What a reconstructed image costs: its pixels, and what a network sees in it."""

import copy
import functools

import torch
from torch import nn

# Allowed values of ``pixel_loss=`` in the estimators: the cost of one pixel's error.
PIXEL_LOSSES = {"mse": torch.square, "l1": torch.abs}
# The deepest of VGG16's features that LPIPS compares are 16 times coarser.
_SMALLEST_FOR_VGG = 16


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
    perceptual_network : callable or None
        See `PerceptualDistance`; None is LPIPS with VGG16, from the extra "metrics".
    """

    def __init__(self, pixel_loss, perceptual_weight, perceptual_network):
        super().__init__()
        self.pixel_cost = PIXEL_LOSSES[pixel_loss]
        self.perceptual_weight = perceptual_weight
        self.distance = None
        if perceptual_weight > 0:
            if perceptual_network is None:
                perceptual_network = _lpips_network()
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


class _LPIPSNetwork(nn.Module):
    """VGG16 and the channel weights that were fitted to what people see."""

    def __init__(self, lpips):
        super().__init__()
        self.scale, self.body = lpips.scaling_layer, lpips.net
        self.heads = nn.ModuleList(head.model[-1] for head in lpips.lins)

    @property
    def channel_weights(self):
        return [head.weight.flatten() for head in self.heads]

    def forward(self, images):
        height, width = images.shape[-2:]
        if min(height, width) < _SMALLEST_FOR_VGG:
            raise ValueError(
                f"LPIPS needs images of at least {_SMALLEST_FOR_VGG} pixels a side, "
                f"got {height}x{width}: give larger images, a perceptual_network of "
                "your own, or perceptual_weight=0."
            )
        return list(self.body(self.scale(2 * images - 1)))


@functools.cache
def _lpips_network():
    """LPIPS as published; torchvision downloads VGG16's weights the first time."""
    try:
        from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

        lpips = LearnedPerceptualImagePatchSimilarity(net_type="vgg")
    except ImportError as error:
        raise ImportError(
            "perceptual_weight above 0 without a perceptual_network needs torchmetrics "
            f"and torchvision ({error}): run `pip install sklearn-sparsevae[metrics]`, "
            "or give a perceptual_network."
        ) from error
    return _LPIPSNetwork(lpips.net)
