"""The contract of a bottleneck: what sits between every encoder and decoder."""

import abc
import dataclasses

import torch
from torch import nn
from torch.nn import functional as F


@dataclasses.dataclass(frozen=True)
class CompactCodes:
    """Codes of at most S atoms a site, never written out over all atoms.

    Attributes
    ----------
    indices : (batch, h, w, S) int64 tensor
        Atoms of a site; -1 where there is none. An atom may come more than once: its
        values add up.
    values : (batch, h, w, S) tensor
        Their coefficients; 0 where there is no atom.
    """

    indices: torch.Tensor
    values: torch.Tensor


class Bottleneck(nn.Module, abc.ABC):
    """Turns a grid of latents into codes and back.

    Latents are ``(batch, latent_dim, h, w)``; a vector is a 1 x 1 grid. A bottleneck
    knows nothing of images, training or discriminators, and the code of a sample never
    depends on the other samples of its batch.

    Codes are a tensor ``(batch, h, w, n_components)``, or `CompactCodes` where the
    number of non-zeros is bounded.
    """

    #: What the codes promise: "exact zeros", "n_nonzero_coefs", "counts" or "dense".
    sparsity: str
    #: Latents a side that are coded together; sites are that much coarser.
    patch_size = 1

    @property
    @abc.abstractmethod
    def components(self) -> torch.Tensor:
        """The atoms, ``(n_components, latent_dim * patch_size ** 2)``."""

    def initialize(self, rows: torch.Tensor, seed: int) -> None:  # noqa: B027
        """Start from data: rows of latents as `to_rows` gives them."""

    @abc.abstractmethod
    def encode(self, latents: torch.Tensor):
        """Codes of latents."""

    def decode(self, codes) -> torch.Tensor:
        """Latents ``Z D`` of codes (SC-VAE Section 4.1, LASERS Eq. 12)."""
        atoms = self.components
        if not isinstance(codes, CompactCodes):
            return self.from_rows(codes @ atoms.to(codes.dtype))
        grid = codes.indices.shape[:3]
        rows = combine(codes.indices.flatten(0, 2), codes.values.flatten(0, 2), atoms)
        return self.from_rows(rows.unflatten(0, grid))

    @abc.abstractmethod
    def forward(self, latents: torch.Tensor) -> dict:
        """Return ``latents`` (decoded), ``codes`` and ``losses``: scalars by name."""

    def revive(self) -> dict:
        """Replace atoms that were little used since the last call.

        Returns
        -------
        replaced : dict of {Parameter: index tensor}
            The rows that changed, whose optimizer state must start anew.
        """
        return {}

    def advance(self, n_epochs: float) -> None:  # noqa: B027
        """Take note of the epochs trained so far, in fractions, before every batch."""

    def parameter_groups(self, lr: float) -> list[dict]:
        """Optimizer groups: every parameter once, with its learning rate."""
        return [{"params": list(self.parameters()), "lr": lr}]

    def to_rows(self, latents: torch.Tensor) -> torch.Tensor:
        """Latents site by site: ``(batch, h, w, latent_dim * patch_size ** 2)``."""
        return F.pixel_unshuffle(latents, self.patch_size).permute(0, 2, 3, 1)

    def from_rows(self, rows: torch.Tensor) -> torch.Tensor:
        """Inverse of `to_rows`."""
        return F.pixel_shuffle(rows.permute(0, 3, 1, 2), self.patch_size)


def combine(indices, values, atoms):
    """Linear combinations ``(N, n)`` of atoms: LASERS Eq. 12 for compact codes.

    ``indices`` and ``values`` are ``(N, S)``, ``atoms`` ``(K, n)``; an index of -1
    counts for nothing.
    """
    return F.embedding_bag(
        indices.clamp(min=0), atoms, per_sample_weights=values, mode="sum"
    )


def branch_from_zero(layer, width, n_in, n_out):
    """Network with ``width`` hidden units whose output starts at zero.

    ``layer(n_in, n_out)`` makes its two layers.
    """
    last = layer(width, n_out)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(layer(n_in, width), nn.ReLU(), last)
