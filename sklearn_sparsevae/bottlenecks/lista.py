"""Learned ISTA, the bottleneck of SC-VAE (Xiao et al., Section 3.2 and 4).

What departs from the paper, and why (``docs/methods/lista.rst`` has the measurements):

* The first ``n_mean_dims`` latents (the channel means of a patch, in the residual
  backbone) are coded by unit atoms of their own and carry no penalty: the mean is the
  strongest direction of every patch, and a dictionary that also has to code it is
  several times worse conditioned.
* Filters keep ``<w_k, d_k> = 1`` (Liu et al. 2019), and one threshold for all atoms is
  trained, where the paper has one for each: otherwise training gates off whatever
  sixteen steps cannot tell apart, and a tenth of the atoms stays in use.
* S is coupled to W_e by default (``S = I - W_e D^T``, true at the start and necessary
  for convergence, Chen et al. 2018): two thin products a step instead of a K x K one.
* Every step has a learned gain, extrapolation weight and threshold factor; they start
  at the values of FISTA, so that the untrained rollout *is* ``ista(momentum=True)``.
* Eq. 4 has no 1/2 where Eq. 1 has one, which halves the right threshold: the 1/2 of
  Eq. 1 is used in both places. Training adds the same error once more in pixels, so
  the penalty counts twice as well; otherwise the loss would ask for denser codes than
  the thresholds, and training would work against its own start.
* The penalty is by default the reweighted L1 norm (Candes et al. 2008). Under the plain
  one a rollout that has not converged leaves dozens of tiny coefficients at every site,
  which cost next to nothing in the loss.

``coupled=False``, ``threshold="atom"``, ``step_scalars=False``, ``printed_loss=True``
and ``penalty="l1"`` undo these, for who reproduces the paper.
"""

from typing import Any

import numpy as np
import torch
from torch import nn

from sklearn_sparsevae._ranks import batch_mean
from sklearn_sparsevae.bottlenecks.base import MeansApart
from sklearn_sparsevae.bottlenecks.thresholds import make_threshold, over_sites
from sklearn_sparsevae.sparse import (
    fista_momentum,
    ista,
    learn_dictionary,
    lipschitz_constant,
    unrolled_ista,
)
from sklearn_sparsevae.sparse.tracing import is_tracing


def _l1(codes, alpha):
    return alpha * codes.abs()


def _log(codes, alpha):
    """``alpha eps log(1 + |z| / eps)``: slope alpha at zero, ever less beyond eps."""
    eps = alpha / 5
    return alpha * eps * torch.log1p(codes.abs() / eps)


# Names of ``penalty=`` in the estimator.
PENALTIES = {"l1": _l1, "log": _log}


class LearnedISTA(MeansApart):
    """Sparse codes by a trained, unrolled shrinkage iteration.

    Solves, better with training than its number of steps alone allows, SC-VAE's
    Eq. 1: ``1/2 ||x - z D||^2 + alpha ||z||_1``.

    Parameters
    ----------
    latent_dim, n_components : int
        Length n of a latent and number K of atoms, the ``n_mean_dims`` included.
    alpha : float
        Weight of the L1 norm, positive.
    n_rollout_steps : int
        Steps s of the rollout, at least 1.
    momentum : bool
        Start as FISTA (and learn the extrapolation); otherwise as ISTA.
    coupled : bool
        Tie S to W_e and D; otherwise S is a free K x K matrix, shared over the steps.
    learn_alpha : bool
        Train the thresholds from ``alpha``; otherwise they stay at ``alpha / L``.
    dictionary : (K, n) tensor or ndarray, or None
        Fixed atoms; None learns them, starting from the data in `initialize`.
    n_mean_dims : int
        Leading latents that are coded apart, without a penalty.
    penalty : str
        A key of ``PENALTIES``.
    threshold : str
        A key of ``THRESHOLDS``.
    threshold_width : int
        Channels inside the residual blocks that infer thresholds.
    step_scalars : bool
        Train a gain, an extrapolation weight and a threshold factor for every step;
        otherwise all steps are the same.
    printed_loss : bool
        Weigh the terms of Eq. 4 as the paper prints them: means over the sites beside
        pixels summed over the image, without the 1/2 of Eq. 1.
    """

    code_kind = "exact zeros"

    # Learning rates relative to the backbone's. Gains, thresholds and extrapolation
    # weights have to move by factors, not by thousandths, to become sparse in minutes.
    _MATRIX_LR = 3.0
    _SCALAR_LR = 100.0

    def __init__(
        self,
        latent_dim: int,
        n_components: int,
        alpha: float = 0.1,
        n_rollout_steps: int = 16,
        *,
        momentum: bool = True,
        coupled: bool = True,
        learn_alpha: bool = True,
        dictionary: torch.Tensor | np.ndarray | None = None,
        n_mean_dims: int = 0,
        penalty: str = "log",
        threshold: str = "scalar",
        threshold_width: int = 16,
        step_scalars: bool = True,
        printed_loss: bool = False,
    ) -> None:
        super().__init__(latent_dim, n_components, n_mean_dims)
        self.alpha, self.penalty = alpha, PENALTIES[penalty]
        self.printed_loss = printed_loss
        n_atoms, dim = self.atom_shape
        self.learn_dictionary = dictionary is None
        dictionary = self.first_atoms(dictionary)
        self.atoms = nn.Parameter(dictionary, requires_grad=self.learn_dictionary)
        self.filters = nn.Parameter(torch.empty(n_atoms, dim))
        self.inhibition = (
            None if coupled else nn.Parameter(torch.empty(n_atoms, n_atoms))
        )
        self.register_buffer("lipschitz", torch.ones(()))
        self.thresholds = make_threshold(
            threshold, latent_dim, n_atoms, alpha, learn_alpha, threshold_width
        )
        self.momentum = nn.Parameter(
            fista_momentum(n_rollout_steps, momentum),
            requires_grad=momentum and step_scalars,
        )
        self.log_gains = nn.Parameter(
            torch.zeros(n_rollout_steps), requires_grad=step_scalars
        )
        self.log_threshold_gains = nn.Parameter(
            torch.zeros(n_rollout_steps), requires_grad=learn_alpha and step_scalars
        )
        self._start_as_ista()

    @torch.no_grad()
    def _start_as_ista(self):
        """Set W_e and S to the values of Eq. 2 for the present dictionary."""
        atoms = self.unit_atoms
        self.lipschitz.copy_(lipschitz_constant(atoms))
        self.filters.copy_(atoms)  # W_e = D^T / L; the division by L follows in _code
        if self.inhibition is not None:
            self.inhibition.copy_(atoms @ atoms.mT)  # S = I - D^T D / L, likewise

    def initialize(self, latents: torch.Tensor, seed: int) -> None:
        """Learn the dictionary on latents, unless it is fixed; start as ISTA on it."""
        if self.learn_dictionary:
            rows = latents[:, self.n_mean_dims :]
            learned = learn_dictionary(rows, len(self.atoms), self.alpha, seed=seed)
            self.atoms.data.copy_(learned)
        self._start_as_ista()

    def encode(self, latents: torch.Tensor) -> torch.Tensor:
        """Codes ``(batch, h, w, K)`` with exact zeros."""
        means, x, grid = self.split(latents)
        codes, _ = self._code(x, self.unit_atoms, self.thresholds(latents))
        return self.join(means, codes, grid)

    def forward(self, latents: torch.Tensor) -> dict[str, Any]:
        """Code and decode, with the terms of SC-VAE's Eq. 4 averaged over the sites.

        What the images cost is halved and divided by the sites as well, see
        `ReconstructionNet.get_loss`. So are the terms of Eq. 4 as printed, which the
        paper adds to the sum over all pixels.
        """
        means, x, grid = self.split(latents)
        thresholds = self.thresholds(latents)
        codes, decoded = self._code(x, self.unit_atoms, thresholds)
        latent = 0.5 * (x - decoded).pow(2).sum(1).mean()  # [SC-VAE Eq. 4], first term
        weights = self._penalty_weights(thresholds)
        penalty = self.penalty(codes, weights).sum(1).mean()  # [SC-VAE Eq. 4], second
        if self.printed_loss:
            n_sites = grid[1] * grid[2]
            losses = {"latent": latent / n_sites, "sparsity": penalty / (2 * n_sites)}
        else:
            losses = {"latent": latent, "sparsity": 2 * penalty}
        decoded = torch.cat([means, decoded], 1).unflatten(0, grid)
        return {
            "latents": self.from_rows(decoded),
            "codes": self.join(means, codes, grid),
            "losses": losses,
        }

    def site_thresholds(self, latents: torch.Tensor) -> torch.Tensor:
        """Thresholds ``(batch, h, w, n_atoms)``, in units of ``alpha``."""
        return over_sites(self.thresholds(latents), latents)

    def _penalty_weights(self, thresholds):
        """Weights of the L1 norm: alpha, or weights around it (SSC-VAE, Eq. 7).

        Those of Eq. 7 are the thresholds themselves: training lowers both where there
        are codes, and the penalty fades (51 dB, but 163 non-zeros per site, after an
        epoch). Here they are constants for the gradient and scatter around alpha, and
        no atom is penalised more than twice as much as another.
        """
        if thresholds.ndim == 1:
            return self.alpha
        thresholds = thresholds.detach()
        (mean,) = batch_mean(thresholds.mean())
        relative = thresholds / mean.clamp(min=1e-12)
        return self.alpha * relative.clamp(0.5**0.5, 2**0.5)  # [SSC-VAE Eq. 7]

    def _code(self, x, atoms, thresholds):
        """Codes of rows ``(N, n)`` and what they decode to.

        A trained rollout takes steps that are too long for signals unlike any it was
        trained on. Where its code explains less than no code would, plain ISTA's,
        which cannot diverge, takes its place.
        """
        codes = self._roll_out(x, atoms, thresholds)
        decoded = codes @ atoms
        with torch.no_grad():
            energy = x.pow(2).sum(1)
            diverged = ~((x - decoded).pow(2).sum(1) <= energy * (1 + 1e-4))
        if is_tracing():  # no branches: both codes, and a choice
            n_steps = len(self.momentum)
            safe = ista(x, atoms, self.alpha, n_steps, check_finite=False)
            codes = torch.where(diverged[:, None], safe, codes)
            return codes, codes @ atoms
        if diverged.any():
            with torch.no_grad():
                n_steps = len(self.momentum)
                safe = ista(x[diverged], atoms, self.alpha, n_steps, check_finite=False)
            # Coded as zeros, so that what overflowed leaves no NaN in the gradients.
            x = x.masked_fill(diverged[:, None], 0)
            codes = self._roll_out(x, atoms, thresholds)
            codes = codes.index_put((diverged,), safe)
            decoded = codes @ atoms
        return codes, decoded

    def _roll_out(self, x, atoms, thresholds):
        return unrolled_ista(
            x,
            self._filters(atoms) / self.lipschitz,
            atoms,
            thresholds / self.lipschitz,
            momentum=self.momentum,
            gains=self.log_gains.exp(),
            threshold_gains=self.log_threshold_gains.exp(),
            inhibition=None
            if self.inhibition is None
            else self.inhibition / self.lipschitz,
        )

    def _filters(self, atoms):
        """W_e, in which no filter can fade out and gate its atom off.

        Where S is coupled, ``<w_k, d_k> = 1`` as in Liu et al. 2019 (ALISTA): a filter
        trains only across its atom.
        """
        if self.inhibition is not None:
            return self.filters
        along = (self.filters * atoms).sum(1, keepdim=True)
        return self.filters + (1 - along) * atoms

    def parameter_groups(self, lr: float) -> list[dict[str, Any]]:
        """Matrices at 3 times ``lr``, thresholds and step scalars at 100 times."""
        matrices = [self.atoms, self.filters, self.inhibition]
        scalars = [self.momentum, self.log_gains, self.log_threshold_gains]
        scalars += self.thresholds.scalars()
        groups = [
            {"params": [p for p in params if p is not None], "lr": lr * factor}
            for params, factor in (
                (matrices, self._MATRIX_LR),
                (scalars, self._SCALAR_LR),
                (self.thresholds.networks(), 1.0),
            )
        ]
        return [group for group in groups if group["params"]]
