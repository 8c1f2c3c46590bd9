"""Distance of images in the features of a network: LPIPS, where that is its own."""

import torch

from sklearn_sparsevae.perceptual.fixed import FixedNetwork, own_or_loaded
from sklearn_sparsevae.perceptual.vgg import load_lpips


class PerceptualDistance(FixedNetwork):
    """Distance of images in the features of a fixed network (Zhang et al., 2018).

    At each layer the features of a position are brought to unit length; squared
    differences are weighted by channel, added up over the channels, averaged over
    positions, and added up over the layers.

    Parameters
    ----------
    network : callable, str or None
        Turns images ``(n, 3, H, W)`` in [0, 1] into a list of features
        ``(n, channels, h, w)``. A module is copied, and the copy never trained. May
        have the attribute ``channel_weights``, a list of vectors ``(channels,)``; all
        channels count 1 otherwise. A path or None is LPIPS, see
        :func:`~sklearn_sparsevae.perceptual.vgg.load_lpips`.

    References
    ----------
    R. Zhang, P. Isola, A. A. Efros, E. Shechtman, O. Wang. "The unreasonable
    effectiveness of deep features as a perceptual metric". CVPR 2018, Eq. 1.
    """

    def __init__(self, network):
        super().__init__(own_or_loaded(network, load_lpips))

    def forward(self, output, target):
        """Distances ``(n,)`` of images ``(n, C, H, W)``; one channel is shown as grey.

        No gradient reaches ``target``.
        """
        with torch.no_grad():
            wanted = self._features(target)
        layers = list(zip(self._features(output), wanted, strict=True))
        weights = getattr(self.network, "channel_weights", [1.0] * len(layers))
        return sum(  # [Zhang 2018 Eq. 1]
            _weighted((a - b).square(), w).sum(1).mean((1, 2))
            for (a, b), w in zip(layers, weights, strict=True)
        )

    def _features(self, images):
        if images.shape[1] == 1:
            images = images.expand(-1, 3, -1, -1)
        layers = self.network(images)
        is_list = isinstance(layers, list | tuple)
        if not is_list or not all(getattr(f, "ndim", 0) == 4 for f in layers):
            came = f"a {type(layers).__name__}"
            if hasattr(layers, "shape"):
                came = f"a tensor of shape {tuple(layers.shape)}"
            raise TypeError(
                f"The feature network returned {came}; expected a list of feature maps "
                "(n, channels, h, w): let it return [features]."
            )
        return [f * (f.square().sum(1, keepdim=True) + 1e-8).rsqrt() for f in layers]


def _weighted(features, weights):
    return features * torch.as_tensor(weights, device=features.device).view(-1, 1, 1)
