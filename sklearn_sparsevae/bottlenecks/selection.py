"""The common part of bottlenecks that select a few atoms per site (LASERS)."""

import abc

import torch
from torch import nn

from sklearn_sparsevae.bottlenecks.base import Bottleneck, CompactCodes, combine
from sklearn_sparsevae.sparse import normalize_atoms

# At most this share of the atoms is replaced at once.
_RESET_AT_ONCE = 0.05
# An atom is replaced when it is used less than this share of the mean usage.
_LITTLE_USED = 0.5
# A latent of smaller norm is no atom to start from.
_FLAT = 1e-6


class AtomSelection(Bottleneck):
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
    train_atoms : bool
        Let the optimizer train the atoms by the codebook term.
    """

    def __init__(
        self, latent_dim, n_components, commitment_weight, patch_size, train_atoms
    ):
        super().__init__()
        self.latent_dim, self.n_components = latent_dim, n_components
        self.commitment_weight, self.patch_size = commitment_weight, patch_size
        generator = torch.Generator().manual_seed(0)
        start = torch.randn(
            n_components, latent_dim * patch_size**2, generator=generator
        )
        self.atoms = nn.Parameter(normalize_atoms(start), requires_grad=train_atoms)
        self.register_buffer("usage", torch.zeros(n_components), persistent=False)
        # Latents of the last batch, which replace dead atoms.
        self.register_buffer("fresh", torch.empty(0, start.shape[1]), persistent=False)

    @abc.abstractmethod
    def _select(self, rows):
        """Return indices and values, ``(N, S)`` each, of rows ``(N, n)``."""

    def _learn(self, rows, indices, values):
        """Train the atoms on a batch, where no optimizer does."""

    def _targets(self, rows, indices):
        """Return what the selected atoms represent, ``(N, any number, n)``."""
        return rows[:, None]

    def _fresh_atoms(self, rows):
        """Return the atoms that ``rows`` of latents become."""
        return rows

    def _restart(self, atoms):
        """Reset the statistics of the atoms of these indices."""

    def encode(self, latents):
        """Compact codes."""
        rows = self.to_rows(latents)
        indices, values = self._select(rows.flatten(0, 2))
        grid = rows.shape[:3]
        return CompactCodes(indices.unflatten(0, grid), values.unflatten(0, grid))

    def forward(self, latents):
        """Code and decode, with the terms of LASERS' Eqs. 3 and 13, mean over sites."""
        grid_rows = self.to_rows(latents)
        rows, grid = grid_rows.flatten(0, 2), grid_rows.shape[:3]
        indices, values = self._select(rows.detach())
        decoded = combine(CompactCodes(indices, values), self.components)
        distance = _distance(rows, decoded.detach())
        losses = {"commitment": self.commitment_weight * distance}  # [LASERS Eq. 3, 13]
        if self.atoms.requires_grad:
            losses["codebook"] = _distance(rows.detach(), decoded)  # [LASERS Eq. 3, 13]
        if self.training:
            self._observe(rows.detach(), indices)
            if not self.atoms.requires_grad:
                self._learn(rows.detach(), indices, values)
        passed = rows + (decoded - rows).detach()  # [LASERS Eq. 7]
        return {
            "latents": self.from_rows(passed.unflatten(0, grid)),
            "codes": CompactCodes(
                indices.unflatten(0, grid), values.unflatten(0, grid)
            ),
            "losses": losses,
        }

    @torch.no_grad()
    def _observe(self, rows, indices):
        """Count how often atoms are used, and keep some of what they represent."""
        used = indices.flatten()
        self.usage += torch.bincount(used[used >= 0], minlength=len(self.usage))
        targets = self._targets(rows, indices).flatten(0, 1)
        n_fresh = max(1, int(_RESET_AT_ONCE * self.n_components))
        chosen = torch.randperm(len(targets), device=targets.device)[:n_fresh]
        self.fresh = targets[chosen]

    @torch.no_grad()
    def reset_dead_atoms(self):
        """Replace the atoms that were used least by random latents of the last batch.

        Random latents are found where latents are dense, which makes usage more even.
        """
        fresh = self.fresh[self.fresh.norm(dim=1) > _FLAT]
        order = torch.argsort(self.usage, stable=True)[: len(fresh)]
        weak = order[self.usage[order] < _LITTLE_USED * self.usage.mean()]
        self.usage.zero_()
        self.atoms[weak] = self._fresh_atoms(fresh[: len(weak)])
        self._restart(weak)
        return {self.atoms: weak} if len(weak) else {}


def _distance(a, b):
    """Mean over sites of the squared distance."""
    return (a - b).pow(2).sum(1).mean()
