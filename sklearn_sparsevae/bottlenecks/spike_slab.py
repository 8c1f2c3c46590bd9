"""Variational sparse coding: the bottleneck of VSC [1]_ and of VSCLT [2]_.

A row x of latents gets a distribution over sparse codes, a dictionary of unit atoms
turns codes back into rows. What departs from the papers or their codes, and why:

* The means of the posterior are a linear analysis of x, spikes and thresholds follow
  from the size of the means, and a small network that starts at zero adds to all.
  An orthonormal basis is learned from data first: the untrained model *is* thresholded
  analysis by that basis, with about the posterior that a linear model has.
* Atoms have unit norm, so that the slab of the prior has a learned scale for each
  dimension, where the papers have a scale of 1 and free atoms: the same model.
* The first ``n_mean_dims`` latents are coded apart, as normal and always on.
* Spike probabilities are computed from logits. In VSC's code their logarithm is
  ``-relu(-a)``, without a gradient where ``a`` is positive.
* The warm-up raises the weight of the whole KL divergence. VSC's warm-up scales
  means and variances from those of the prior, which would undo a start from data.
* VSC lets a classifier choose one pseudo-input, whose posterior is the prior. Here the
  prior of the spikes is the mixture over all pseudo-inputs, by a bound without a
  classifier; slabs keep theirs. Pseudo-inputs are rows of latents.
* VSCLT thresholds noise, and adds the mean to the result, so that the mean alone has
  no code. Here mean and noise are thresholded together.

References
----------
.. [1] F. Tonolini, B. S. Jensen, R. Murray-Smith. "Variational Sparse Coding". UAI
   2019.
.. [2] K. Fallah, C. J. Rozell. "Variational Sparse Coding with Learned Thresholding".
   ICML 2022.
.. [3] S. Lesage, R. Gribonval, F. Bimbot, L. Benaroya. "Learning unions of orthonormal
   bases with thresholded singular value decomposition". ICASSP 2005.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from sklearn_sparsevae._ranks import draw_like
from sklearn_sparsevae.bottlenecks.base import MeansApart, branch_from_zero
from sklearn_sparsevae.bottlenecks.divergences import normal_kl
from sklearn_sparsevae.bottlenecks.probabilistic import ProbabilisticBottleneck
from sklearn_sparsevae.bottlenecks.spike_priors import PRIORS
from sklearn_sparsevae.sparse import normalize_atoms
from sklearn_sparsevae.sparse.rows import power_of_two, principal_axes, row_products

_N_START = 8192  # rows from which thresholds and scales start
_SMALLEST = 1e-6  # threshold to start from where latents are zero
_LEAST_THRESHOLD = 1e-3  # of the root mean square of the latents
_HIDDEN = 64  # units of the network beside the linear heads


class SpikeSlab(MeansApart, ProbabilisticBottleneck):
    """Sparse codes by variational inference (VSC and VSCLT).

    Evaluation is deterministic. Training decodes a sample of the posterior, and adds
    its KL divergence from the prior, times ``beta`` and the noise variance c: with
    half the squared error of the images that is c times the negative evidence lower
    bound of a decoder ``N(f(z), c I)``.

    Parameters
    ----------
    latent_dim, n_components : int
        Length n of a latent and number K of dimensions, the ``n_mean_dims`` included.
    prior : str
        A key of ``PRIORS``.
    sparsity : float
        Prior share of non-zeros, in (0, 1).
    beta : float
        Weight of the KL divergence.
    beta_warmup : float
        Epochs in which that weight rises from zero.
    noise_variance : float or None
        The c above, in squared units of the latents; None takes the one that fits the
        thresholds of the start, see `initialize`.
    n_pseudo_inputs : int
        Pseudo-inputs P of the prior of the spikes; 0 gives all dimensions and rows the
        prior probability ``sparsity``.
    n_mean_dims : int
        Leading latents that are coded apart, as always on.
    """

    code_kind = "exact zeros"

    # Learning rates relative to the backbone's.
    _MATRIX_LR = 3.0
    _SCALAR_LR = 10.0

    def __init__(
        self,
        latent_dim: int,
        n_components: int,
        prior: str = "spike_slab",
        *,
        sparsity: float = 0.1,
        beta: float = 1.0,
        beta_warmup: float = 0,
        noise_variance: float | None = None,
        n_pseudo_inputs: int = 0,
        n_mean_dims: int = 0,
    ) -> None:
        super().__init__(latent_dim, n_components, n_mean_dims)
        self.sparsity, self.beta, self.beta_warmup = sparsity, beta, beta_warmup
        self.given_variance = noise_variance
        n_dims, dim = self.atom_shape
        if n_pseudo_inputs and prior != "spike_slab":
            raise ValueError(
                f"n_pseudo_inputs={n_pseudo_inputs} are for the spikes of "
                f"prior='spike_slab', got prior={prior!r}: set it to 0."
            )
        generator = torch.Generator().manual_seed(0)
        atoms = normalize_atoms(torch.randn(n_dims, dim, generator=generator))
        self.atoms, self.filters = nn.Parameter(atoms), nn.Parameter(atoms.clone())
        self.distribution = PRIORS[prior](n_dims, sparsity)
        n_numbers = n_dims * self.distribution.n_maps
        self.branch = branch_from_zero(nn.Linear, _HIDDEN, dim, n_numbers)
        self.mean_prior = self.pseudo_inputs = None
        if n_mean_dims:  # mean and log-variance
            self.mean_prior = nn.Parameter(torch.zeros(2, n_mean_dims))
        if n_pseudo_inputs:
            rows = torch.randn(n_pseudo_inputs, dim, generator=generator)
            self.pseudo_inputs = nn.Parameter(rows)
        self.register_buffer("unit", torch.ones(()))  # threshold at the start
        self.register_buffer("c", torch.tensor(float(noise_variance or 1)))
        self.advance(0.0)

    @property
    def noise_variance(self) -> float:  # type: ignore[override]
        """Variance c of the decoder: as given, or what the start chose."""
        return float(self.c)

    @torch.no_grad()
    def initialize(self, rows: torch.Tensor, seed: int) -> None:
        """Start as thresholded analysis by an orthonormal basis, learned on rows.

        One threshold keeps the prior's share of the responses of the atoms; responses
        and threshold are scaled so that the codes explain most. Dimensions beyond the
        length of the latents start without a response.
        """
        means, rows = _some(rows, seed).tensor_split([self.n_mean_dims], 1)
        basis = _learn_basis(rows, len(self.atoms), self.sparsity)
        responses = rows.new_zeros(len(rows), len(self.atoms))
        responses[:, : len(basis)] = rows @ basis.mT
        threshold = max(
            _upper_quantile(responses, self.sparsity),
            _SMALLEST,
            _LEAST_THRESHOLD * float(rows.double().pow(2).mean().sqrt()),
        )
        self.atoms[: len(basis)] = basis
        selected = self.distribution.select(responses, threshold)
        gain = _best_gain(rows, selected @ self.atoms)
        self.filters.zero_()
        self.filters[: len(basis)] = gain * basis
        self.unit.fill_(gain * threshold)
        c = self.distribution.start(
            gain * responses.double(), gain * threshold, self.given_variance
        )
        c = min(c, torch.finfo(self.c.dtype).max)
        self.c.fill_(c)
        if self.mean_prior is not None:
            variance, mean = torch.var_mean(means.double(), 0, correction=0)
            self.mean_prior.copy_(torch.stack([mean, (variance + c).log()]))
        if self.pseudo_inputs is not None:
            order = torch.arange(len(self.pseudo_inputs)) % len(rows)
            self.pseudo_inputs.copy_(rows[order.to(rows.device)])

    def encode(self, latents: torch.Tensor) -> torch.Tensor:
        """Codes ``(batch, h, w, K)`` with exact zeros."""
        means, rows, grid = self.split(latents)
        codes = self.distribution.code(self._posterior(rows))
        return self.join(means, codes, grid)

    def forward(self, latents: torch.Tensor) -> dict[str, Any]:
        """Decode a sample (the code, in evaluation), with the terms of the KL.

        ``codes`` are those of `encode` in both modes: samples of relaxed spikes have no
        exact zeros.
        """
        means, rows, grid = self.split(latents)
        q = self._posterior(rows)
        codes = decoded = self.join(means, self.distribution.code(q), grid)
        if self.training:
            noise = self.c.sqrt() * draw_like(means)
            decoded = self.join(means + noise, self.distribution.sample(q), grid)
        return {
            "latents": self.decode(decoded),
            "codes": codes,
            "losses": self._losses(q, means),
        }

    def _losses(self, q, means):
        weight = self.beta * self.c
        if self.training:
            weight = weight * self.ramp
        terms = self.distribution.kl(q, self._pseudo())
        if self.mean_prior is not None:
            slab = normal_kl(means, self.c.log(), *self.mean_prior)
            terms["values"] = terms["values"] + slab.sum(1)
        return {f"kl_{name}": weight * term.mean() for name, term in terms.items()}

    def sample(self, n_samples: int, grid_shape: Sequence[int]) -> torch.Tensor:
        """Codes ``(n_samples, h, w, K)`` from the prior, every site by itself."""
        n_rows = n_samples * math.prod(grid_shape)
        codes = self.distribution.draw(n_rows, self._pseudo())
        if self.mean_prior is not None:
            mean, log_var = self.mean_prior
            noise = torch.randn(n_rows, len(mean), device=mean.device)
            codes = torch.cat([mean + (0.5 * log_var).exp() * noise, codes], 1)
        return codes.unflatten(0, (n_samples, *grid_shape))

    def advance(self, n_epochs: float) -> None:
        """Warm up: the weight of the KL divergence, and the sharpness of spikes."""
        self.ramp = min(1.0, n_epochs / self.beta_warmup) if self.beta_warmup else 1.0
        self.distribution.advance(n_epochs)

    def parameter_groups(self, lr: float) -> list[dict[str, Any]]:
        """Matrices at 3 times ``lr``, the numbers of a dimension at 10 times."""
        scalars = list(self.distribution.parameters())
        scalars += [] if self.mean_prior is None else [self.mean_prior]
        matrices = [self.atoms, self.filters]
        matrices += [] if self.pseudo_inputs is None else [self.pseudo_inputs]
        return [
            {"params": matrices, "lr": self._MATRIX_LR * lr},
            {"params": scalars, "lr": self._SCALAR_LR * lr},
            {"params": list(self.branch.parameters()), "lr": lr},
        ]

    def _posterior(self, rows):
        added = self.branch(rows / self.unit)
        extra, *others = added.unflatten(1, (self.distribution.n_maps, -1)).unbind(1)
        mean = row_products(rows, self.filters) + self.unit * extra
        return self.distribution.posterior(mean, others)

    def _pseudo(self):
        if self.pseudo_inputs is None:
            return None
        return self._posterior(self.pseudo_inputs)


def _some(rows, seed):
    """Draw at most ``_N_START`` of the rows, in random order."""
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randperm(len(rows), generator=generator)[:_N_START]
    return rows[drawn.to(rows.device)]


def _learn_basis(rows, n_atoms, share, n_iter=60):
    """Orthonormal atoms, at most ``n_atoms``, whose largest responses explain most.

    Alternates hard thresholding of the responses with the best basis for what is kept,
    starting from the principal axes (Lesage et al. 2005 [3]_). ``share * n_atoms``
    responses of a row are kept.
    """
    rows = rows / power_of_two(rows)
    basis = principal_axes(rows)[0][:n_atoms].to(rows)
    share = min(1.0, share * n_atoms / len(basis))
    for _ in range(n_iter):
        responses = rows @ basis.mT
        kept = responses * (responses.abs() > _upper_quantile(responses, share))
        left, _, right = torch.linalg.svd(kept.mT @ rows, full_matrices=False)
        basis = left @ right
    return basis


def _upper_quantile(values, share):
    """Magnitude that a share of the values exceeds."""
    sizes = values.abs().flatten()
    rank = min(len(sizes), 1 + int((1 - share) * len(sizes)))
    return float(sizes.kthvalue(rank).values)


def _best_gain(rows, decoded):
    """Factor that brings the decoded rows closest to the rows."""
    rows, decoded = rows.double(), decoded.double()
    energy = float(decoded.pow(2).sum())
    gain = float((decoded * rows).sum()) / energy if energy > 0 else 1.0
    return gain if gain > 0 else 1.0
