"""Which atoms are in use, and new ones for those that are not."""

import torch
from torch import nn

from sklearn_sparsevae import _ranks

# At most this share of the atoms is replaced at once.
_RESET_AT_ONCE = 0.05
# An atom is replaced when it is used less than this share of the mean usage.
_LITTLE_USED = 0.5
# A latent of smaller norm is no atom to start from.
_FLAT = 1e-6


class DeadAtomsReset:
    """Counts the use of the parameter ``atoms`` and replaces what is hardly used.

    For a `Bottleneck`, which calls `_watch` when it is built and `_observe` for every
    training batch.
    """

    def _watch(self):
        """Start counting; ``atoms`` is there."""
        n_atoms, dim = self.atoms.shape
        self.register_buffer("usage", torch.zeros(n_atoms), persistent=False)
        # Latents of the last batch, which replace dead atoms.
        self.register_buffer("fresh", torch.empty(0, dim), persistent=False)

    @torch.no_grad()
    def _observe(self, targets, indices):
        """Count how often atoms are used, and keep some of what they represent.

        Parameters
        ----------
        targets : (N, n) tensor
            Rows that an atom would represent.
        indices : int tensor
            Atoms that were used, any number of them; -1 is none.
        """
        used = indices.flatten()
        counts = torch.bincount(used[used >= 0], minlength=len(self.usage))
        self.usage += _ranks.total(counts)[0]
        n_fresh = max(1, int(_RESET_AT_ONCE * len(self.usage)))
        chosen = torch.randperm(_ranks.n_rows(targets), device=targets.device)
        self.fresh = _ranks.take(targets, chosen[:n_fresh])

    def _fresh_atoms(self, rows):
        """Return the atoms that ``rows`` of latents become."""
        return rows

    def _restart(self, atoms):
        """Reset the statistics of the atoms of these indices."""

    @torch.no_grad()
    def reset_dead_atoms(self) -> dict[nn.Parameter, torch.Tensor]:
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
