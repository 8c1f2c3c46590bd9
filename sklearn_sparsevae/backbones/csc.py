"""Convolutional sparse coding layers, and their inverse, around features on a sphere.

The model starts as a classical one. Kernels are principal components of the patches of
their layer, plus and minus; the last, linear layer is chosen such that the decoder
gives back the principal components of the images. Training starts from there.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from sklearn_sparsevae.backbones.csc_layer import CHUNK, FLAT, SparseCodingLayer

_DECODER_PACE = 0.3  # the decoder's learning rate, relative to the encoder's


def to_sphere(vectors):
    """Stereographic projection of rows ``(n, d - 1)`` to unit rows ``(n, d)``.

    Unlike division by the norm it forgets nothing: `from_sphere` inverts it.
    """
    square = vectors.square().sum(1, keepdim=True)
    return torch.cat([2 * vectors, square - 1], 1) / (square + 1)


def from_sphere(features):
    """Inverse of `to_sphere`; rows ``(n, d)`` of any norm are scaled to unit norm."""
    features = F.normalize(features, dim=1)
    return features[:, :-1] / (1 - features[:, -1:]).clamp(min=1e-3)


class ConvolutionalSparseCoding(nn.Module):
    """Images of one size to features on the sphere and back, through sparse maps.

    Parameters
    ----------
    image_shape : tuple of int (H, W, C)
    n_components : sequence of int
        Kernels of each layer, every one of which halves the resolution.
    latent_dim : int
        Length of the features, at least 2.
    kernel_size : int
        Odd side of the kernels.
    alpha : float
        Weight of the L1 norm.
    n_steps : int
        Steps of FISTA in each layer.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        n_components: Sequence[int],
        latent_dim: int,
        kernel_size: int,
        alpha: float,
        n_steps: int,
    ) -> None:
        super().__init__()
        *size, n_channels = image_shape
        stride = 1 if kernel_size == 1 else 2
        layers = []
        for n_kernels in n_components:
            layers.append(
                SparseCodingLayer(
                    size, n_channels, n_kernels, kernel_size, stride, alpha, n_steps
                )
            )
            size, n_channels = layers[-1].grid_shape(size), n_kernels
        self.layers = nn.ModuleList(layers)
        self.norm = math.sqrt(latent_dim - 1)
        self.map_shape = (n_channels, *size)
        n_numbers = math.prod(self.map_shape)
        self.to_vector = nn.Linear(n_numbers, latent_dim - 1)
        self.from_vector = nn.Linear(latent_dim - 1, n_numbers)

    def grid_shape(self, size: Sequence[int], n_layers: int) -> tuple[int, int]:
        """Sites ``(h, w)`` of the maps after so many layers, for images of a size."""
        for layer in self.layers[:n_layers]:
            size = layer.grid_shape(size)
        return size

    def n_entries(self, size: Sequence[int]) -> int:
        """Numbers in the largest maps of an image of a size."""
        grids = (self.grid_shape(size, i + 1) for i in range(len(self.layers)))
        widths = (len(layer.weight) for layer in self.layers)
        return max(map(math.prod, zip(map(math.prod, grids), widths, strict=True)))

    def maps(self, images: torch.Tensor, n_layers: int) -> torch.Tensor:
        """Sparse maps of the layer after ``n_layers - 1`` others, for any size."""
        for layer in self.layers[:n_layers]:
            images = layer.encode(images)
        return images

    def encode(self, images: torch.Tensor) -> torch.Tensor:
        """Features ``(n, latent_dim)`` of unit norm."""
        maps = self.maps(images, len(self.layers))
        return to_sphere(self.to_vector(maps.flatten(1)) / self.norm)

    def decode(self, features: torch.Tensor) -> torch.Tensor:
        """Images ``(n, C, H, W)``, not yet clipped."""
        maps = self.from_vector(self.norm * from_sphere(features))
        return self._synthesize(maps.unflatten(1, self.map_shape))

    def _synthesize(self, maps):
        for layer in reversed(self.layers):
            maps = layer.decode(maps)
        return maps

    @torch.no_grad()
    def initialize(self, images: torch.Tensor) -> None:
        """Start as the principal components of images, found behind their maps."""
        maps = images
        for layer in self.layers:
            maps = layer.initialize(maps)
        axes, spread = self._principal_axes(maps)
        least = (1e-4 * spread.max()).clamp(min=FLAT)
        gains = torch.where(spread > least, 1 / spread, 0)
        weight, rows = self.to_vector.weight, maps.flatten(1)
        weight.zero_()
        weight[: len(axes)] = gains[:, None] * self._adjoint(axes)
        self.to_vector.bias.copy_(-weight @ rows.mean(0))
        self._fit_from_vector(rows)

    def _principal_axes(self, maps):
        """Axes of the images behind the maps, and standard deviations along them."""
        rows = torch.cat([self._synthesize(part) for part in maps.split(CHUNK)])
        rows = rows.flatten(1) - rows.flatten(1).mean(0)
        _, values, axes = torch.linalg.svd(rows, full_matrices=False)
        n_axes = self.to_vector.out_features
        return axes[:n_axes], values[:n_axes] / math.sqrt(len(rows))

    def _adjoint(self, axes):
        """Adjoint of the (affine) synthesis, applied to flat images."""
        with torch.enable_grad():
            maps = axes.new_zeros(len(axes), *self.map_shape, requires_grad=True)
            images = self._synthesize(maps).flatten(1)
            return torch.autograd.grad(images, maps, axes)[0].flatten(1)

    def _fit_from_vector(self, rows):
        """Least squares of the maps, given their vectors, which have mean zero."""
        vectors, mean = self.to_vector(rows), rows.mean(0)
        scatter = vectors.mT @ vectors
        scatter.diagonal().add_(1e-6 * scatter.diagonal().mean() + 1e-30)
        solution = torch.linalg.solve(scatter, vectors.mT @ (rows - mean))
        self.from_vector.weight.copy_(solution.mT)
        self.from_vector.bias.copy_(mean)

    def parameter_groups(self, lr: float) -> list[dict[str, Any]]:
        """Optimizer groups, ``"encoder"`` or ``"decoder"`` by name, of one tensor each.

        Adam moves all entries of a tensor by similar amounts, so that an output that
        sums many of them moves far: the rate is ``lr`` divided by their number. The
        decoder is slower still: what the objective does not see of its steps is lost
        from the images.
        """
        fans, pace = {}, {"encoder": 1, "decoder": _DECODER_PACE}
        for layer in self.layers:
            fans[layer.weight] = "encoder", layer.weight[0].numel()
            overlap = layer.decoder_kernels[:, 0].numel() / layer.stride**2
            fans[layer.decoder_kernels] = "decoder", overlap
        for name, linear in {
            "encoder": self.to_vector,
            "decoder": self.from_vector,
        }.items():
            fans[linear.weight] = name, linear.in_features
            fans[linear.bias] = name, 1
        return [
            {"params": [parameter], "lr": pace[name] * lr / fan, "name": name}
            for parameter, (name, fan) in fans.items()
        ]
