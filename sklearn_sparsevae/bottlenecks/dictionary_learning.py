"""Dictionary learning with orthogonal matching pursuit: LASERS' DL-VAE bottleneck."""

from typing import Any

import torch

from sklearn_sparsevae._ranks import n_rows, total
from sklearn_sparsevae.bottlenecks.selection import AtomSelection
from sklearn_sparsevae.sparse import (
    batch_omp,
    dense_codes,
    learn_dictionary,
    normalize_atoms,
    update_atoms,
)

# Non-zeros with which the dictionary is learned that training starts from, where a
# penalty decides how many a site has.
_N_START = 5


class DictionaryLearning(AtomSelection):
    """At most S atoms of a learned dictionary per site (LASERS, Section 3.2).

    Parameters
    ----------
    latent_dim, n_components, commitment_weight, patch_size
        See `AtomSelection`.
    n_nonzero_coefs : int
        Largest number S of non-zeros per site.
    alpha : float
        Threshold of an l0 penalty, in units of the latents: an atom is taken if that
        lowers the squared error by more than ``alpha ** 2``.
    selection : {"omp", "ols"}
        See `sklearn_sparsevae.sparse.batch_omp`.
    dictionary_update : {"gradient", "online"}
        Train the atoms by the gradient of Eq. 13, or by the online block-coordinate
        descent of Eqs. 23 to 28.
    """

    code_kind = "n_nonzero_coefs"

    def __init__(
        self,
        latent_dim: int,
        n_components: int,
        n_nonzero_coefs: int = 5,
        *,
        alpha: float = 0.0,
        selection: str = "ols",
        dictionary_update: str = "gradient",
        commitment_weight: float = 0.25,
        patch_size: int = 1,
    ) -> None:
        by_gradient = dictionary_update == "gradient"
        super().__init__(
            latent_dim, n_components, commitment_weight, patch_size, by_gradient
        )
        self.n_nonzero_coefs, self.alpha = n_nonzero_coefs, alpha
        self.selection = selection
        if not by_gradient:
            self.register_buffer("a", torch.zeros(n_components, n_components))
            self.register_buffer("b", torch.zeros_like(self.atoms))
            self.register_buffer("n_updates", torch.zeros((), dtype=torch.int64))

    @property
    def components(self) -> torch.Tensor:
        """Atoms ``(K, n)`` of unit norm."""
        return normalize_atoms(self.atoms)

    def initialize(self, rows: torch.Tensor, seed: int) -> None:
        """Learn the dictionary on latents."""
        n_start = self.n_nonzero_coefs
        if self.alpha:
            n_start = min(n_start, _N_START)
        learned = learn_dictionary(
            rows,
            self.n_components,
            n_nonzero_coefs=n_start,
            selection=self.selection,
            n_iter=100,
            batch_size=4096,
            seed=seed,
        )
        self.atoms.data.copy_(learned)

    def forward(self, latents: torch.Tensor) -> dict[str, Any]:
        """As all that select; the penalty has no gradient."""
        coded = super().forward(latents)
        if self.alpha:
            counts = (coded["codes"].values != 0).sum(-1).to(latents)
            coded["losses"]["sparsity"] = self.alpha**2 * counts.mean()
        return coded

    def _select(self, rows):
        atoms = self.components.detach()
        return batch_omp(
            rows,
            atoms,
            self.n_nonzero_coefs,
            selection=self.selection,
            min_decrease=self.alpha**2,
            check_finite=False,
        )

    def _fresh_atoms(self, rows):
        return normalize_atoms(rows)

    def _restart(self, atoms):
        """Drop what the accumulators hold of the replaced atoms."""
        if not self.atoms.requires_grad:
            self.a[atoms], self.a[:, atoms], self.b[atoms] = 0, 0, 0

    @torch.no_grad()
    def _learn(self, rows, indices, values):
        self.n_updates += 1
        t, n = int(self.n_updates), n_rows(rows)
        theta = t * n if t < n else n**2 + t - n  # [LASERS Eq. 26]
        beta = (theta + 1 - n) / (theta + 1)  # [LASERS Eq. 25]
        codes = dense_codes(indices, values, self.n_components)
        of_codes, of_rows = total(codes.mT @ codes, codes.mT @ rows)
        self.a.mul_(beta).add_(of_codes)  # [LASERS Eq. 23]
        self.b.mul_(beta).add_(of_rows)  # [LASERS Eq. 24]
        self.atoms.data.copy_(update_atoms(self.components, self.a, self.b))
