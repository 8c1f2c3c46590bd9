"""The feature network of LPIPS: VGG16, and weights fitted to what people see.

Zhang et al. 2018. Neither torchvision nor its weights are needed to import this: the
body is loaded from a file or downloaded, the linear heads come with torchmetrics.
"""

import functools
import importlib.util
import pathlib

import torch
from torch import nn

# torchvision's weights, trained on ImageNet; the name ends in the start of the SHA-256.
_URL = "https://download.pytorch.org/models/vgg16-397923af.pth"
_HEADS = "functional/image/lpips_models/vgg.pth"  # in torchmetrics
# Widths of the convolutions between the poolings.
_STAGES = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
# The deepest features are 16 times coarser.
_SMALLEST = 16


class LPIPSNetwork(nn.Module):
    """Features of VGG16 before each pooling, and how much each channel counts.

    Parameters
    ----------
    body : dict of tensors
        torchvision's weights of VGG16 (``features.0.weight`` and so on).
    heads : dict of tensors
        LPIPS' linear heads (``lin0.model.1.weight`` and so on).
    """

    def __init__(self, body, heads):
        super().__init__()
        layers, channels = [], 3
        self.taps = []  # the last activation of each stage
        for widths in _STAGES:
            for width in widths:
                layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
                channels = width
            self.taps.append(len(layers) - 1)
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers[:-1])
        own = {k: v for k, v in body.items() if k.startswith("features.")}
        self.load_state_dict(own)
        for i in range(len(_STAGES)):
            self.register_buffer(f"head{i}", heads[f"lin{i}.model.1.weight"].flatten())
        # ImageNet's means and deviations, as LPIPS has them.
        for name, values in (
            ("mean", (0.485, 0.456, 0.406)),
            ("deviation", (0.229, 0.224, 0.225)),
        ):
            self.register_buffer(name, torch.tensor(values).view(3, 1, 1))

    @property
    def channel_weights(self):
        """Weights ``(channels,)`` for each feature map."""
        return [getattr(self, f"head{i}") for i in range(len(_STAGES))]

    def forward(self, images):
        """Five feature maps of images ``(n, 3, H, W)`` in [0, 1]."""
        height, width = images.shape[-2:]
        if min(height, width) < _SMALLEST:
            raise ValueError(
                f"LPIPS needs images of at least {_SMALLEST} pixels a side, got "
                f"{height}x{width}: give larger images, a perceptual_network of your "
                "own, or perceptual_weight=0."
            )
        x, found = (images - self.mean) / self.deviation, []
        for i, layer in enumerate(self.features):
            x = layer(x)
            if i in self.taps:
                found.append(x)
        return found


@functools.cache
def load_lpips(path=None):
    """Load LPIPS with VGG16.

    Parameters
    ----------
    path : str or None
        File with torchvision's weights of VGG16; None downloads it once, into torch's
        cache.

    Raises
    ------
    ImportError
        Without torchmetrics, whose wheel holds the heads.
    FileNotFoundError, ValueError
        When there is no such file, or other weights are in it.
    """
    found = importlib.util.find_spec("torchmetrics")
    if found is None:
        raise ImportError(
            "perceptual_weight above 0 needs a perceptual_network of your own, or "
            "torchmetrics: run `pip install sklearn-sparsevae[metrics]`."
        )
    heads = _load(pathlib.Path(found.origin).parent / _HEADS)
    if path is None:
        body = torch.hub.load_state_dict_from_url(
            _URL, map_location="cpu", check_hash=True
        )
    else:
        body = _load(path)
    try:
        return LPIPSNetwork(body, heads)
    except (KeyError, RuntimeError) as error:
        raise ValueError(
            f"{path or _URL} does not hold torchvision's weights of VGG16 ({error})."
        ) from error


def _load(path):
    return torch.load(path, map_location="cpu", weights_only=True)
