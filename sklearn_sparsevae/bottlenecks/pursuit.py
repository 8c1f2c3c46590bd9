"""Unrolled pursuit: SC-VAE's bottleneck with selection in place of shrinkage.

SC-VAE unrolls ``z <- h_theta(W_e x + S z)`` (Eq. 2), in which a soft threshold decides
which atoms are on. In sixteen steps it cannot tell coherent atoms apart, and training
keeps the few that are not coherent. Here each step takes the one atom that lowers the
error most once all coefficients are refitted (orthogonal least squares), as long as
that is worth its place::

    1/2 ||x - z D||^2 + 1/2 alpha^2 ||z||_0

and the coefficients are those of least squares on the atoms taken, with a gradient to
latents and atoms. The selection has none. Related: deep l0 encoders (Wang et al. 2016),
LISTA with support selection (Chen et al. 2018).
"""

import torch
from torch import nn

from sklearn_sparsevae.bottlenecks.base import CompactCodes, MeansApart, combine
from sklearn_sparsevae.bottlenecks.dead_atoms import DeadAtomsReset
from sklearn_sparsevae.sparse import (
    batch_omp,
    learn_dictionary,
    normalize_atoms,
    refit,
)

# Non-zeros with which the dictionary that training starts from is learned.
_N_START = 5


class LearnedPursuit(DeadAtomsReset, MeansApart):
    """Sparse codes by a pursuit whose dictionary is trained through its coefficients.

    Parameters
    ----------
    latent_dim, n_components : int
        Length n of a latent and number K of atoms, the ``n_mean_dims`` included.
    alpha : float
        Threshold of the l0 penalty, in units of the latents: an atom is taken if that
        lowers the squared error by more than ``alpha ** 2``.
    n_rollout_steps : int
        Steps, each of which takes an atom at most.
    dictionary : (K, n) tensor or ndarray, or None
        Fixed atoms; None learns them, starting from the data in `initialize`.
    n_mean_dims : int
        Leading latents that are coded apart, without a penalty.
    """

    code_kind = "n_nonzero_coefs"

    _ATOMS_LR = 3.0  # relative to the backbone's

    def __init__(
        self,
        latent_dim,
        n_components,
        alpha=0.03,
        n_rollout_steps=16,
        *,
        dictionary=None,
        n_mean_dims=0,
    ):
        super().__init__(latent_dim, n_components, n_mean_dims)
        self.alpha = alpha
        self.n_steps = min(n_rollout_steps, *self.atom_shape)
        self.n_nonzero_coefs = self.n_steps + n_mean_dims
        self.learn_dictionary = dictionary is None
        atoms = self.first_atoms(dictionary)
        self.atoms = nn.Parameter(atoms, requires_grad=self.learn_dictionary)
        self._watch()

    def initialize(self, rows, seed):
        """Learn the dictionary on latents, unless it is fixed."""
        if not self.learn_dictionary:
            return
        learned = learn_dictionary(
            rows[:, self.n_mean_dims :],
            len(self.atoms),
            n_nonzero_coefs=min(_N_START, self.n_steps),
            selection="ols",
            n_iter=100,
            batch_size=4096,
            seed=seed,
        )
        self.atoms.data.copy_(learned)

    def encode(self, latents):
        """Compact codes."""
        means, x, grid = self.split(latents)
        return self.join(means, self._select(x, self.unit_atoms), grid)

    def forward(self, latents):
        """Code and decode; the loss is the first term of SC-VAE's Eq. 4."""
        means, x, grid = self.split(latents)
        atoms = self.unit_atoms
        codes = self._select(x.detach(), atoms.detach())
        if self.training:
            self._observe(x.detach(), codes.indices)
            values = refit(x, atoms, codes.indices)
            codes = CompactCodes(codes.indices, values)
        decoded = combine(codes, atoms)
        latent = 0.5 * (x - decoded).pow(2).sum(1).mean()  # [SC-VAE Eq. 4], first term
        decoded = torch.cat([means, decoded], 1).unflatten(0, grid)
        return {
            "latents": self.from_rows(decoded),
            "codes": self.join(means, codes, grid),
            "losses": {"latent": latent},
        }

    def _select(self, x, atoms):
        indices, values = batch_omp(
            x,
            atoms,
            self.n_steps,
            selection="ols",
            min_decrease=self.alpha**2,
            check_finite=False,
        )
        return CompactCodes(indices, values)

    def _fresh_atoms(self, rows):
        return normalize_atoms(rows)

    def reset_dead_atoms(self):
        """Replace hardly used atoms, unless the dictionary is fixed."""
        return super().reset_dead_atoms() if self.learn_dictionary else {}

    def parameter_groups(self, lr):
        """Atoms at 3 times ``lr``."""
        return [{"params": [self.atoms], "lr": lr * self._ATOMS_LR}]
