"""One layer of convolutional sparse coding, and the way back from its maps.

Its kernels start as principal components of the patches of its input, plus and minus.
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
from sklearn_sparsevae.sparse.rows import principal_axes

CHUNK = 256  # images coded at a time while a model starts from data
_N_PATCHES = 2**17  # largest number of patches that kernels start from
_N_FIT = 512  # images that the decoder's kernels start from
_N_FIT_STEPS = 20  # of conjugate gradients
FLAT = 1e-6  # standard deviation of what is constant


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
        self.scale.copy_(torch.where(deviation > FLAT, deviation, 1))
        patches = self._patches((images - self.mean) / self.scale)
        kernels = _opposite_axes(patches, self.weight.flatten(1))
        self.weight.copy_(kernels.view_as(self.weight))
        maps = torch.cat([self.encode(part) for part in images.split(CHUNK)])
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
    """Principal axes of the patches, plus and minus; surplus kernels stay random."""
    axes = principal_axes(patches)[0][: len(start) // 2].to(patches)
    return torch.cat([axes, -axes, start[2 * len(axes) :]])
