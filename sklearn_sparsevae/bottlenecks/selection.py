"""The common part of bottlenecks that select a few atoms per site (LASERS)."""

import abc
from typing import Any

import torch
from torch import nn

from sklearn_sparsevae.bottlenecks.base import Bottleneck, CompactCodes, combine
from sklearn_sparsevae.bottlenecks.dead_atoms import DeadAtomsReset
from sklearn_sparsevae.sparse import normalize_atoms


class AtomSelection(DeadAtomsReset, Bottleneck):
    """Selects atoms by a rule that has no gradient (LASERS, Section 3).

    The decoder sees the combination of the atoms, the encoder receives the decoder's
    gradient straight through (Eq. 7); a codebook term moves the atoms to the latents,
    a commitment term the latents to the atoms (Eqs. 3 and 13).

    A subclass says what is selected (`_select`), and may train its atoms itself
    (`_learn`).

    Parameters
    ----------
    latent_dim, n_components : int
        Length n of a latent and number K of atoms.
    commitment_weight : float
        Weight beta of the commitment term.
    patch_size : int
        Side of the square of latents that is coded together (LASERS, Section 3.2).
    by_gradient : bool
        Let the optimizer train the atoms by the codebook term.
    """

    def __init__(
        self,
        latent_dim: int,
        n_components: int,
        commitment_weight: float,
        patch_size: int,
        by_gradient: bool,
    ) -> None:
        super().__init__()
        self.latent_dim, self.n_components = latent_dim, n_components
        self.commitment_weight, self.patch_size = commitment_weight, patch_size
        self.by_gradient = by_gradient
        generator = torch.Generator().manual_seed(0)
        start = torch.randn(
            n_components, latent_dim * patch_size**2, generator=generator
        )
        self.atoms = nn.Parameter(normalize_atoms(start), requires_grad=by_gradient)
        self._watch()

    @abc.abstractmethod
    def _select(self, rows):
        """Return indices and values, ``(N, S)`` each, of rows ``(N, n)``."""

    def _learn(self, rows, indices, values):
        """Train the atoms on a batch, where no optimizer does."""

    def _targets(self, rows, indices):
        """Return what the selected atoms represent, ``(N, any number, n)``."""
        return rows[:, None]

    def _pass_on(self, rows, decoded):
        """Give the decoder what was decoded, and the encoder its gradient."""
        return rows + (decoded - rows).detach()  # [LASERS Eq. 7]

    def encode(self, latents: torch.Tensor) -> CompactCodes:
        """Compact codes."""
        rows = self.to_rows(latents)
        indices, values = self._select(rows.flatten(0, 2))
        grid = rows.shape[:3]
        return CompactCodes(indices.unflatten(0, grid), values.unflatten(0, grid))

    def forward(self, latents: torch.Tensor) -> dict[str, Any]:
        """Code and decode, with the terms of LASERS' Eqs. 3 and 13, mean over sites."""
        grid_rows = self.to_rows(latents)
        rows, grid = grid_rows.flatten(0, 2), grid_rows.shape[:3]
        indices, values = self._select(rows.detach())
        decoded = combine(CompactCodes(indices, values), self.components)
        distance = _distance(rows, decoded.detach())
        losses = {"commitment": self.commitment_weight * distance}  # [LASERS Eq. 3, 13]
        if self.by_gradient:
            losses["codebook"] = _distance(rows.detach(), decoded)  # [LASERS Eq. 3, 13]
        if self.training:
            targets = self._targets(rows.detach(), indices).flatten(0, 1)
            self._observe(targets, indices)
            if not self.by_gradient:
                self._learn(rows.detach(), indices, values)
        passed = self._pass_on(rows, decoded)
        return {
            "latents": self.from_rows(passed.unflatten(0, grid)),
            "codes": CompactCodes(
                indices.unflatten(0, grid), values.unflatten(0, grid)
            ),
            "losses": losses,
        }


def _distance(a, b):
    """Mean over sites of the squared distance."""
    return (a - b).pow(2).sum(1).mean()
