"""Convolutional sparse coding layers, and their inverse, around features on a sphere.

The model starts as a classical one. Kernels are principal components of the patches of
their layer, plus and minus; the last, linear layer is chosen such that the decoder
gives back the principal components of the images. Training starts from there.
"""

import math

import torch
from torch import nn
from torch.nn import functional as F

from sklearn_sparsevae.sparse import (
    convolutional_fista,
    largest_curvature,
    normalize_atoms,
    power_start,
    synthesize,
)

_CHUNK = 256  # images coded at a time while the model starts from data
_N_PATCHES = 2**17  # that kernels start from, at most
_N_FIT = 512  # images that the decoder's kernels start from
_N_FIT_STEPS = 20  # of conjugate gradients
_ENCODER_PACE = 0.3  # of its learning rate, by that of the decoder
_FLAT = 1e-6  # standard deviation of a channel that is constant


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


class SparseCodingLayer(nn.Module):
    """Maps that a few steps of convolutional sparse coding find, and the way back.

    The input is standardised channel by channel, with the moments of the data that the
    layer started from, and coded over unit kernels (`convolutional_fista`). The decoder
    has free kernels of its own, which start as those that best invert the encoder.

    Parameters
    ----------
    size : tuple of int (H, W)
        Of the input in training; any size can be coded.
    n_channels, n_kernels : int
        Channels of the input and of the maps.
    kernel_size, stride : int
    alpha : float
        Weight of the L1 norm, for input of unit variance.
    n_steps : int
        Steps of FISTA.
    """

    def __init__(
        self, size, n_channels, n_kernels, kernel_size, stride, alpha, n_steps
    ):
        super().__init__()
        self.size, self.stride = tuple(size), stride
        self.alpha, self.n_steps = alpha, n_steps
        kernels = torch.randn(n_kernels, n_channels, kernel_size, kernel_size)
        self.weight = nn.Parameter(_unit(kernels))
        self.decoder_kernels = nn.Parameter(_unit(kernels))
        self.register_buffer("mean", torch.zeros(n_channels, 1, 1))
        self.register_buffer("scale", torch.ones(n_channels, 1, 1))
        self.register_buffer("probe", power_start((n_channels, *size)))

    @property
    def kernels(self):
        """Kernels ``(n_kernels, n_channels, k, k)`` of unit norm."""
        return _unit(self.weight)

    def grid_shape(self, size):
        """Sites ``(h, w)`` of the maps of input of a size."""
        return tuple(math.ceil(length / self.stride) for length in size)

    def encode(self, images):
        """Non-negative maps ``(n, n_kernels, h, w)`` with exact zeros."""
        return convolutional_fista(
            (images - self.mean) / self.scale,
            self.kernels,
            self.alpha,
            self.n_steps,
            self.stride,
            self.curvature(images.shape[1:]),
            check_finite=False,
        )

    def curvature(self, shape):
        """Curvature for input ``(C, H, W)``, found from where the last step found it.

        Input of another size than in training starts from noise.
        """
        known = self.probe.shape[1:] == tuple(shape)
        start = self.probe if known else power_start(shape).to(self.probe)
        curvature, vector = largest_curvature(self.kernels, self.stride, start)
        if self.training and known:
            self.probe.copy_(vector)
        return curvature

    def decode(self, maps):
        """Input of the layer, ``(n, n_channels, H, W)``, from maps."""
        images = synthesize(maps, self.decoder_kernels, self.stride, self.size)
        return images * self.scale + self.mean

    @torch.no_grad()
    def initialize(self, images):
        """Start from a batch of input; return its maps."""
        self.mean.copy_(images.mean((0, 2, 3))[:, None, None])
        deviation = images.std((0, 2, 3), correction=0)[:, None, None]
        self.scale.copy_(torch.where(deviation > _FLAT, deviation, 1))
        patches = self._patches((images - self.mean) / self.scale)
        kernels = _opposite_axes(patches, self.weight.flatten(1))
        self.weight.copy_(kernels.view_as(self.weight))
        maps = torch.cat([self.encode(part) for part in images.split(_CHUNK)])
        self._fit_decoder(maps[:_N_FIT], images[:_N_FIT])
        return maps

    def _patches(self, images):
        side = self.weight.shape[-1]
        patches = F.unfold(images, side, padding=side // 2, stride=self.stride)
        patches = patches.mT.flatten(0, 1)
        return patches[:: -(-len(patches) // _N_PATCHES)]

    def _fit_decoder(self, maps, images):
        """Least squares for the decoder's kernels, by conjugate gradients.

        A few steps of FISTA end short of the minimum, so that the encoder's own kernels
        would give back too little.
        """
        self.decoder_kernels.copy_(self.weight)
        residual = (images - self.decode(maps)) / self.scale
        gradient = direction = self._decoder_gradient(maps, residual)
        for _ in range(_N_FIT_STEPS):
            change = synthesize(maps, direction, self.stride, self.size)
            square = gradient.square().sum()
            length = square / change.square().sum().clamp(min=1e-30)
            self.decoder_kernels += length * direction
            residual -= length * change
            gradient = self._decoder_gradient(maps, residual)
            direction = (
                gradient + gradient.square().sum() / square.clamp(min=1e-30) * direction
            )

    def _decoder_gradient(self, maps, residual):
        """Product of the residual and what each number of a kernel adds to images."""
        with torch.enable_grad():
            kernels = self.decoder_kernels.detach().requires_grad_()
            images = synthesize(maps, kernels, self.stride, self.size)
            return torch.autograd.grad(images, kernels, residual)[0]


def _unit(kernels):
    return normalize_atoms(kernels.flatten(1)).view_as(kernels)


def _opposite_axes(patches, start):
    """Principal axes of the patches, plus and minus; what is left over stays random."""
    _, axes = torch.linalg.eigh(patches.mT @ patches)
    axes = axes.mT.flip(0)[: len(start) // 2]
    return torch.cat([axes, -axes, start[2 * len(axes) :]])


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
        self, image_shape, n_components, latent_dim, kernel_size, alpha, n_steps
    ):
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

    def grid_shape(self, size, n_layers):
        """Sites ``(h, w)`` of the maps after so many layers, for images of a size."""
        for layer in self.layers[:n_layers]:
            size = layer.grid_shape(size)
        return size

    def n_entries(self, size):
        """Numbers in the largest maps of an image of a size."""
        grids = (self.grid_shape(size, i + 1) for i in range(len(self.layers)))
        widths = (len(layer.weight) for layer in self.layers)
        return max(map(math.prod, zip(map(math.prod, grids), widths, strict=True)))

    def maps(self, images, n_layers):
        """Sparse maps of the layer after ``n_layers - 1`` others, for any size."""
        for layer in self.layers[:n_layers]:
            images = layer.encode(images)
        return images

    def encode(self, images):
        """Features ``(n, latent_dim)`` of unit norm."""
        maps = self.maps(images, len(self.layers))
        return to_sphere(self.to_vector(maps.flatten(1)) / self.norm)

    def decode(self, features):
        """Images ``(n, C, H, W)``, not yet clipped."""
        maps = self.from_vector(self.norm * from_sphere(features))
        return self._synthesize(maps.unflatten(1, self.map_shape))

    def _synthesize(self, maps):
        for layer in reversed(self.layers):
            maps = layer.decode(maps)
        return maps

    @torch.no_grad()
    def initialize(self, images):
        """Start as the principal components of images, found behind their maps."""
        maps = images
        for layer in self.layers:
            maps = layer.initialize(maps)
        axes, spread = self._principal_axes(maps)
        gains = torch.where(spread > 1e-4 * spread.max(), 1 / spread, 0)
        weight, rows = self.to_vector.weight, maps.flatten(1)
        weight.zero_()
        weight[: len(axes)] = gains[:, None] * self._adjoint(axes)
        self.to_vector.bias.copy_(-weight @ rows.mean(0))
        self._fit_from_vector(rows)

    def _principal_axes(self, maps):
        """Axes of the images behind the maps, and standard deviations along them."""
        rows = torch.cat([self._synthesize(part) for part in maps.split(_CHUNK)])
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

    def parameter_groups(self, lr):
        """Optimizer groups, ``"encoder"`` or ``"decoder"`` by name, of one tensor each.

        Adam moves every number of a tensor alike, so that an output that sums many of
        them moves far: the rate is ``lr`` divided by how many. The encoder goes slower
        still, since it must not run away from the decoder.
        """
        fans, pace = {}, {"encoder": _ENCODER_PACE, "decoder": 1}
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
