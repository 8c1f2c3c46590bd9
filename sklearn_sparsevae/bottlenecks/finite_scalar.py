"""Finite scalar quantisation: a grid in the place of a codebook (FSQ)."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from sklearn_sparsevae.bottlenecks.base import Bottleneck, CompactCodes
from sklearn_sparsevae.sparse.rows import power_of_two, principal_axes, row_products

# Deviations of a direction that fall into the steep part of tanh, from which a start
# takes what leaves least; with the third, normal numbers use all levels alike.
_STRETCHES = (0.3, 0.5, 0.85, 1.4)
# Directions with less than this share of the largest deviation are rounding.
_FLAT = 1e-6
# The least that counts as large, so that nothing that is divided by it overflows.
_SMALLEST = 1e-30


class FiniteScalarQuantization(Bottleneck):
    """A few numbers of a site, each rounded to one of its levels [1]_.

    Every combination of levels is a code: K is their product, and nothing can fall out
    of use by training. The numbers are linear in a latent, and so is what is decoded
    from them. There is no loss but that of the images.

    Parameters
    ----------
    latent_dim : int
        Length n of a latent.
    levels : sequence of int
        Levels L, at least 2, of each number.
    patch_size : int
        Side of the square of latents that is coded together.

    References
    ----------
    .. [1] F. Mentzer, D. Minnen, E. Agustsson, M. Tschannen. "Finite Scalar
       Quantization: VQ-VAE Made Simple". ICLR 2024.
    """

    code_kind = "counts"
    n_quantizers = 1

    def __init__(
        self,
        latent_dim: int,
        levels: Sequence[int],
        *,
        patch_size: int = 1,
    ) -> None:
        super().__init__()
        self.latent_dim, self.patch_size = latent_dim, patch_size
        self.n_components = math.prod(levels)
        length, n_numbers = latent_dim * patch_size**2, len(levels)
        if n_numbers > length:
            raise ValueError(
                f"levels={tuple(levels)} has {n_numbers} numbers for each site, more "
                f"than the {length} of its latent. Give fewer, larger levels, or a "
                "larger latent_dim."
            )
        self.register_buffer("levels", torch.tensor(levels), persistent=False)
        # Mixed radix: the first number is the digit that counts least.
        places = torch.tensor([math.prod(levels[:i]) for i in range(n_numbers)])
        self.register_buffer("places", places, persistent=False)
        # Of the latents: what is trained is in this unit, whatever theirs is.
        self.register_buffer("unit", torch.tensor(1.0))
        self.filters = nn.Parameter(torch.eye(n_numbers, length))
        self.bias = nn.Parameter(torch.zeros(n_numbers))
        # What is decoded: the first row, and one row times each number.
        self.atoms = nn.Parameter(torch.eye(n_numbers + 1, length).roll(-1, 0))

    @property
    def components(self) -> torch.Tensor:
        """Codes ``(K, n)``: what every combination of levels decodes to."""
        index = torch.arange(self.n_components, device=self.places.device)
        return self._from_numbers(self._to_unit(index[:, None] // self.places))

    @torch.no_grad()
    def initialize(self, rows: torch.Tensor, seed: int) -> None:
        """Start from the principal axes of latents, decoded by least squares."""
        self.unit.fill_(max(power_of_two(rows), _SMALLEST))
        rows = rows.double() / self.unit
        center = rows.mean(0)
        axes, moments = principal_axes(rows - center)
        deviations = moments.sqrt()[: len(self.levels)]
        known = deviations > _FLAT * deviations.max().clamp(min=_FLAT)
        scale = torch.where(known, 1 / deviations.clamp(min=_FLAT**2), 0)
        directions = axes[: len(self.levels)] * scale[:, None]
        projected = (rows - center) @ directions.mT
        fits = [self._fit(rows, projected, stretch) for stretch in _STRETCHES]
        _, stretch, atoms = min(fits, key=lambda fit: fit[0])
        self.atoms.copy_(atoms)
        self.filters.copy_(stretch * directions)
        self.bias.copy_(-stretch * directions @ center)

    def _fit(self, rows, projected, stretch):
        """Return error, stretch and atoms of the best fit of rows by their levels."""
        numbers = self._to_unit(self._to_level(torch.tanh(stretch * projected)))
        design = torch.cat([torch.ones_like(numbers[:, :1]), numbers.double()], 1)
        atoms = torch.linalg.pinv(design) @ rows
        return float((rows - design @ atoms).pow(2).sum()), stretch, atoms

    def encode(self, latents: torch.Tensor) -> CompactCodes:
        """One code for each site."""
        rows = self.to_rows(latents)
        levels = self._to_level(self._bounded(rows.flatten(0, 2)))
        return self._codes(levels, rows.shape[:3])

    def forward(self, latents: torch.Tensor) -> dict[str, Any]:
        """Round; the gradient passes straight through that."""
        grid_rows = self.to_rows(latents)
        rows, grid = grid_rows.flatten(0, 2), grid_rows.shape[:3]
        bounded = self._bounded(rows)
        levels = self._to_level(bounded.detach())
        rounded = bounded + (self._to_unit(levels) - bounded).detach()
        decoded = self._from_numbers(rounded)
        return {
            "latents": self.from_rows(decoded.unflatten(0, grid)),
            "codes": self._codes(levels, grid),
            "losses": {},
        }

    def _bounded(self, rows):
        """Numbers in (-1, 1), ``(N, d)``."""
        return torch.tanh(row_products(rows / self.unit, self.filters) + self.bias)

    def _to_level(self, bounded):
        """Return the nearest of L levels, evenly in [-1, 1] and counted from 0."""
        steps = (bounded + 1) / 2 * (self.levels - 1)  # [FSQ rounding]
        return steps.round().long()

    def _to_unit(self, levels):
        """Turn levels, counted modulo L, into numbers in [-1, 1]."""
        steps = (levels % self.levels).to(self.atoms.dtype)
        return 2 * steps / (self.levels - 1) - 1

    def _from_numbers(self, numbers):
        return self.unit * (self.atoms[0] + numbers @ self.atoms[1:])

    def _codes(self, levels, grid):
        indices = (levels * self.places).sum(1, keepdim=True)  # [FSQ index]
        values = torch.ones_like(indices, dtype=self.atoms.dtype)
        return CompactCodes(indices.unflatten(0, grid), values.unflatten(0, grid))
