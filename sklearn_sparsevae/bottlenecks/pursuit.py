"""Unrolled pursuit: SC-VAE's bottleneck with selection in place of shrinkage.

SC-VAE unrolls ``z <- h_theta(W_e x + S z)`` (Eq. 2), in which a soft threshold decides
which atoms are on. In sixteen steps it cannot tell coherent atoms apart, and training
keeps the few that are not coherent. Here each step takes the one atom that lowers the
error most once all coefficients are refitted (orthogonal least squares), as long as
that is worth its place::

    1/2 ||x - z D||^2 + 1/2 alpha^2 ||z||_0

and the coefficients are those of least squares on the atoms taken, with a gradient to
latents and atoms (`project`). The selection has none. Related: deep l0 encoders (Wang
et al. 2016), LISTA with support selection (Chen et al. 2018).

SSC-VAE's thresholds take the place of alpha in the selection: atom k has to lower the
squared error by more than ``tau_k ** 2``, and the one that exceeds this most is taken.
An atom is present or not, a step function of ``m_k - tau_k`` where ``m_k ** 2`` is what
leaving it out adds to the squared error; in the gradient a logistic function stands for
the step. What the presence is worth is taken to second order, since the first alone is
zero after least squares: with g_k the gradient of the loss, leaving atom k out adds
``m_k ** 2 - g_k`` in latents and pixels together, and saves ``alpha ** 2``.
"""

from typing import Any

import numpy as np
import torch
from torch import nn

from sklearn_sparsevae.bottlenecks.base import CompactCodes, MeansApart, combine
from sklearn_sparsevae.bottlenecks.dead_atoms import DeadAtomsReset
from sklearn_sparsevae.bottlenecks.thresholds import make_threshold, over_sites
from sklearn_sparsevae.sparse import (
    batch_omp,
    learn_dictionary,
    normalize_atoms,
    project,
    removal_costs,
)

# Non-zeros with which the dictionary that training starts from is learned.
_N_START = 5
# Width, per alpha, of the logistic function that stands for the step at a threshold.
_SOFTNESS = 0.25


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
    threshold : str
        A key of ``THRESHOLDS``: "scalar" is alpha, the others are trained from it.
    threshold_width : int
        Channels inside the residual blocks that infer thresholds.
    learn_alpha : bool
        Train the thresholds; otherwise they stay at ``alpha``.
    """

    code_kind = "n_nonzero_coefs"

    # Learning rates relative to the backbone's.
    _ATOMS_LR, _SCALAR_LR = 3.0, 10.0

    def __init__(
        self,
        latent_dim: int,
        n_components: int,
        alpha: float = 0.03,
        n_rollout_steps: int = 16,
        *,
        dictionary: torch.Tensor | np.ndarray | None = None,
        n_mean_dims: int = 0,
        threshold: str = "scalar",
        threshold_width: int = 16,
        learn_alpha: bool = True,
    ) -> None:
        super().__init__(latent_dim, n_components, n_mean_dims)
        self.alpha = alpha
        self.n_steps = min(n_rollout_steps, *self.atom_shape)
        self.n_nonzero_coefs = self.n_steps + n_mean_dims
        self.learn_dictionary = dictionary is None
        atoms = self.first_atoms(dictionary)
        self.atoms = nn.Parameter(atoms, requires_grad=self.learn_dictionary)
        # A threshold of all atoms would only learn alpha, which is what was asked for.
        self.thresholds = None
        if learn_alpha and threshold != "scalar":
            self.thresholds = make_threshold(
                threshold, latent_dim, len(atoms), alpha, True, threshold_width
            )
        self._watch()

    def initialize(self, rows: torch.Tensor, seed: int) -> None:
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

    def encode(self, latents: torch.Tensor) -> CompactCodes:
        """Compact codes."""
        means, x, grid = self.split(latents)
        codes = self._select(x, self.unit_atoms, self._thresholds_of(latents))
        return self.join(means, codes, grid)

    def forward(self, latents: torch.Tensor) -> dict[str, Any]:
        """Code and decode; the terms of SC-VAE's Eq. 4, the second of them with l0."""
        means, x, grid = self.split(latents)
        atoms, thresholds = self.unit_atoms, self._thresholds_of(latents)
        codes = self._select(x.detach(), atoms.detach(), thresholds)
        n_nonzeros = (codes.indices >= 0).sum() / max(1, len(x))
        penalty = self.alpha**2 * n_nonzeros  # [SC-VAE Eq. 4], second term, with l0
        decoded = project(x, atoms, codes.indices, codes.values)
        if self.training:
            self._observe(x.detach(), codes.indices)
        if self.training and thresholds is not None:
            present, saved = self._presence(codes, atoms.detach(), thresholds)
            decoded, penalty = decoded + present, penalty + saved
        latent = 0.5 * (x - decoded).pow(2).sum(1).mean()  # [SC-VAE Eq. 4], first term
        decoded = torch.cat([means, decoded], 1).unflatten(0, grid)
        return {
            "latents": self.from_rows(decoded),
            "codes": self.join(means, codes, grid),
            "losses": {"latent": latent, "sparsity": penalty},
        }

    def site_thresholds(self, latents: torch.Tensor) -> torch.Tensor:
        """Thresholds ``(batch, h, w, n_atoms)``, in units of ``alpha``."""
        if self.thresholds is None:
            return over_sites(latents.new_full((len(self.atoms),), self.alpha), latents)
        return over_sites(self.thresholds(latents), latents)

    def _thresholds_of(self, latents):
        """Thresholds ``(N, K)``, or None where they are alpha."""
        if self.thresholds is None:
            return None
        thresholds = self.thresholds(latents)
        n_sites = latents.shape[0] * latents.shape[2:].numel()
        return thresholds.expand(n_sites, -1)

    def _select(self, x, atoms, thresholds):
        if thresholds is None:
            min_decrease = self.alpha**2
        else:
            min_decrease = thresholds.detach().square()
        indices, values = batch_omp(
            x,
            atoms,
            self.n_steps,
            selection="ols",
            min_decrease=min_decrease,
            check_finite=False,
        )
        return CompactCodes(indices, values)

    def _presence(self, codes, atoms, thresholds):
        """Zeros whose gradients tell the thresholds what atoms are worth.

        The first, of the shape of the latents, has what they decode to: how the loss
        changes to first order. The second is what that leaves out, ``alpha^2 - m^2``
        for each that is present. Both for atoms at their thresholds, ``m_k = tau_k``,
        of which those not far above speak.
        """
        indices, values = codes.indices, codes.values
        tau = thresholds.gather(1, indices.clamp(min=0))
        with torch.no_grad():
            m = removal_costs(atoms, indices, values).sqrt()
            ratio = tau / m.clamp(min=torch.finfo(m.dtype).tiny)
            saving = self.alpha**2 - tau.square()
        soft = torch.sigmoid((m - tau) / (_SOFTNESS * self.alpha)) * (indices >= 0)
        change = soft - soft.detach()
        present = change * ratio.clamp(max=1) * values
        present = combine(CompactCodes(indices, present), atoms)
        return present, (change * saving).sum(1).mean()

    def _fresh_atoms(self, rows):
        return normalize_atoms(rows)

    def reset_dead_atoms(self) -> dict[nn.Parameter, torch.Tensor]:
        """Replace hardly used atoms, unless the dictionary is fixed."""
        return super().reset_dead_atoms() if self.learn_dictionary else {}

    def parameter_groups(self, lr: float) -> list[dict[str, Any]]:
        """Atoms at 3 times ``lr``, the threshold of all atoms at 10 times."""
        groups = [{"params": [self.atoms], "lr": lr * self._ATOMS_LR}]
        if self.thresholds is not None:
            scalars, networks = self.thresholds.scalars(), self.thresholds.networks()
            groups.append({"params": scalars, "lr": lr * self._SCALAR_LR})
            groups.append({"params": networks, "lr": lr})
        return [group for group in groups if group["params"]]
