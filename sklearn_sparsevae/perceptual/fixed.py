"""A network that is used as it is and never trained."""

import copy
import os

import torch
from torch import nn


class FixedNetwork(nn.Module):
    """A frozen copy of a network of images.

    Parameters
    ----------
    network : callable
        Takes images ``(n, 3, H, W)`` in [0, 1]. A module is copied, and the copy never
        trained.
    """

    def __init__(self, network):
        super().__init__()
        self.network = copy.deepcopy(network)
        self.requires_grad_(False).eval()

    def train(self, mode=True):
        """Stay in evaluation mode, whatever is asked for."""
        return super().train(False)

    def forward(self, images):
        """Return what the network says of images ``(n, 3, H, W)``."""
        return self.network(images)

    def on_arrays(self, *images):
        """Take float32 arrays ``(n, H, W, 3)`` and return an array.

        A module runs on the GPU where there is one, any other callable on the CPU.
        """
        on_gpu = isinstance(self.network, nn.Module) and torch.cuda.is_available()
        device = "cuda" if on_gpu else "cpu"
        self.to(device)
        tensors = (torch.from_numpy(x).permute(0, 3, 1, 2).to(device) for x in images)
        with torch.no_grad():
            return self(*tensors).cpu().numpy()


def own_or_loaded(network, load):
    """Return a network of the user's, or what ``load`` makes of a path or None."""
    if callable(network):
        return network
    if network is not None and not isinstance(network, str | os.PathLike):
        raise TypeError(
            f"Got network={network!r}; expected a callable, the path of a file of "
            "weights, or None."
        )
    return load(network)
