"""The feature network of LPIPS: VGG16, and weights fitted to what people see.

Zhang et al. 2018. Neither torchvision nor its weights are needed to import this: the
body is loaded from a file or downloaded, the linear heads come with torchmetrics.
"""

import functools
import importlib.util
import pathlib

import torch
from torch import nn

from sklearn_sparsevae.perceptual.weights import contents, read_weights, weights_file

# torchvision's weights, trained on ImageNet.
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
                f"LPIPS needs images of at least {_SMALLEST}x{_SMALLEST} pixels, got "
                f"{height}x{width}: give larger images, or a network of your own that "
                "takes these."
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
        File with torchvision's weights of VGG16 (``vgg16-397923af.pth``); None
        downloads it once, into torch's cache.

    Raises
    ------
    ImportError
        Without torchmetrics, whose wheel holds the heads.
    FileNotFoundError, ValueError
        When there is no such file, or other weights are in it.
    OSError
        When it cannot be downloaded.
    """
    found = importlib.util.find_spec("torchmetrics")
    if found is None:
        raise ImportError(
            "LPIPS needs torchmetrics, which holds its linear heads: run `pip install "
            "sklearn-sparsevae[metrics]`, or give a feature network of your own."
        )
    heads = read_weights(pathlib.Path(found.origin).parent / _HEADS)
    file = weights_file(path, _URL)
    body = read_weights(file)
    try:
        return LPIPSNetwork(body, heads)
    except RuntimeError as error:
        raise ValueError(
            f"{file} holds {contents(body)}; expected torchvision's weights of VGG16, "
            f"which are at {_URL}."
        ) from error
