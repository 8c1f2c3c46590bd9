"""Sparse autoencoders of activations: one linear layer, and few of its outputs on.

The latents are freed of their mean and of their scale first, so that thresholds and
penalties mean the same for activations of any network, and the codes are given back in
the unit of the latents.

Longer than other modules because four ways to keep few share all else.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from sklearn_sparsevae import _ranks
from sklearn_sparsevae.bottlenecks.base import Bottleneck, CompactCodes, combine
from sklearn_sparsevae.sparse import normalize_atoms
from sklearn_sparsevae.sparse.rows import power_of_two, row_products

SPARSITIES = ("topk", "batch_topk", "jumprelu", "l1")

# Width of the box that stands for the derivative of the step at the thresholds of
# "jumprelu", and how much faster than the rest they train; both of their logarithms,
# since an optimizer would need thousands of steps from one order to the next.
_BANDWIDTH, _FASTER = 0.5, 10
# How fast the threshold of "batch_topk" follows those of the batches.
_FOLLOW = 0.1
# Atoms that may describe what the others leave: this share of the latent's length.
_SPARE = 0.5
# At most this share of the atoms is replaced at once.
_RESET_AT_ONCE = 0.25
# What is added to the variance in every direction, as a share of the mean, before the
# covariance is inverted.
_SHRINKAGE = 0.005
_SMALLEST = 1e-30


class SparseActivation(Bottleneck):
    """Rectified linear codes of which few are on: a sparse autoencoder's middle.

    Parameters
    ----------
    latent_dim, n_components : int
        Length n of a latent and number K of atoms.
    sparsity : {"topk", "batch_topk", "jumprelu", "l1"}
        Keep the S largest of each site [1]_; the S largest for each site in the mean
        over a batch of training, and afterwards what exceeds a threshold that stands
        for that [2]_; what exceeds the atom's own trained threshold [3]_; or all that
        is positive, with a penalty on the sum.
    n_nonzero_coefs : int
        S, for "topk" and "batch_topk".
    alpha : float
        For "l1" the weight of the sum of a site's codes. For "jumprelu" half its square
        is that of their number, and thresholds start there: what a single code has to
        exceed to be worth it. In units of the latents' deviation.
    tied : bool
        Whether the atoms are the encoder's filters too.
    prefixes : sequence of int
        Numbers of first atoms that have to describe a latent by themselves as well
        (Matryoshka [4]_).
    auxiliary_weight : float
        Weight of the term that lets atoms which have long been off describe what the
        others leave [1]_.
    dead_after : int
        Sites after which an atom that was never on counts as dead, and after which it
        becomes what the others leave of a latent.

    References
    ----------
    .. [1] L. Gao et al. "Scaling and Evaluating Sparse Autoencoders". ICLR 2025.
    .. [2] B. Bussmann, P. Leask, N. Nanda. "BatchTopK Sparse Autoencoders", 2024.
    .. [3] S. Rajamanoharan et al. "Jumping Ahead: Improving Reconstruction Fidelity
       with JumpReLU Sparse Autoencoders", 2024.
    .. [4] B. Bussmann et al. "Learning Multi-Level Features with Matryoshka Sparse
       Autoencoders". ICML 2025.
    """

    def __init__(
        self,
        latent_dim: int,
        n_components: int,
        *,
        sparsity: str = "batch_topk",
        n_nonzero_coefs: int = 32,
        alpha: float = 0.5,
        tied: bool = False,
        prefixes: Sequence[int] = (),
        auxiliary_weight: float = 1 / 32,
        dead_after: int = 10_000,
    ) -> None:
        super().__init__()
        self.latent_dim, self.n_components = latent_dim, n_components
        self.sparsity, self.alpha = sparsity, alpha
        self.n_nonzero_coefs = min(n_nonzero_coefs, n_components)
        self.code_kind = "n_nonzero_coefs" if sparsity == "topk" else "exact zeros"
        self.prefixes, self.dead_after = tuple(prefixes), dead_after
        self.auxiliary_weight = auxiliary_weight
        generator = torch.Generator().manual_seed(0)
        start = normalize_atoms(
            torch.randn(n_components, latent_dim, generator=generator)
        )
        self.atoms = nn.Parameter(start)
        if not tied:
            self.filters = nn.Parameter(start.clone())
            # Inverse covariance of the latents.
            self.register_buffer("precision", torch.eye(latent_dim))
        self.filter_bias = nn.Parameter(torch.zeros(n_components))
        self.bias = nn.Parameter(torch.zeros(latent_dim))
        if sparsity == "jumprelu":
            first = torch.full((n_components,), float(alpha))
            self.log_threshold = nn.Parameter(first.log())
        if sparsity == "batch_topk":
            self.register_buffer("threshold", torch.tensor(0.0))
        self.register_buffer("mean", torch.zeros(latent_dim))
        self.register_buffer("scale", torch.tensor(1.0))
        # Sites since each atom was on.
        self.register_buffer("idle", torch.zeros(n_components, dtype=torch.int64))
        # What the last batch of training left, for new atoms.
        self.register_buffer("left", torch.empty(0, latent_dim), persistent=False)

    @property
    def components(self) -> torch.Tensor:
        """Atoms ``(K, n)`` of unit norm."""
        return normalize_atoms(self.atoms)

    @torch.no_grad()
    def initialize(self, rows: torch.Tensor, seed: int) -> None:
        """Take mean, scale and covariance of latents, and some of them for atoms."""
        unit = max(power_of_two(rows), _SMALLEST)
        rows = rows.double() / unit
        mean = rows.mean(0)
        rows = rows - mean
        scale = rows.square().mean().sqrt().clamp(min=1e-12)
        self.mean.copy_(unit * mean)
        self.scale.fill_(max(float(unit * scale), _SMALLEST))
        generator = torch.Generator().manual_seed(seed)
        rows = (rows / scale).float()
        chosen = torch.randint(len(rows), (self.n_components,), generator=generator)
        # Something random in each: repeated rows, and zeros, are no atoms.
        noise = torch.randn(self.atoms.shape, generator=generator).to(self.atoms)
        found = normalize_atoms(rows[chosen.to(rows.device)])
        noise *= 0.05 / self.latent_dim**0.5
        self.atoms.copy_(normalize_atoms(found + noise))
        self.filter_bias.zero_()
        self.bias.zero_()
        if hasattr(self, "filters"):
            self.precision.copy_(_precision(rows))
            self.filters.copy_(self._matched(self.atoms))
            self._note_threshold(rows)
            self.filters.mul_(self._best_scale(rows))
        self._note_threshold(rows)

    def _matched(self, atoms):
        """Return filters that give 1 for their unit atoms, and the least for the rest.

        Atoms themselves answer above all to the few directions of most variance, which
        all of them share: most of them would never be among the largest.
        """
        filters = atoms @ self.precision
        return filters / (filters * atoms).sum(1, keepdim=True).clamp(min=_SMALLEST)

    @torch.no_grad()
    def reset_dead_atoms(self) -> dict[nn.Parameter, torch.Tensor]:
        """Make atoms that have long been off of what others leave of the last batch."""
        left = self.left[self.left.square().sum(1) > _SMALLEST]
        dead = torch.nonzero(self.idle > self.dead_after).flatten()[: len(left)]
        if not len(dead):
            return {}
        changed = {self.atoms: dead, self.filter_bias: dead}
        self.atoms[dead] = normalize_atoms(left[: len(dead)])
        self.filter_bias[dead] = 0
        if self.sparsity == "jumprelu":
            changed[self.log_threshold] = dead
            self.log_threshold[dead] = math.log(self.alpha)
        if hasattr(self, "filters"):
            gain = (self.filters * self.components).sum(1)[self.idle == 0].mean()
            self.filters[dead] = gain.nan_to_num(1) * self._matched(self.atoms[dead])
            changed[self.filters] = dead
        self.idle[dead] = 0
        return changed

    def _note_threshold(self, rows):
        if self.sparsity == "batch_topk":
            self.threshold.copy_(self._batch_threshold(self._responses(rows)))

    def _best_scale(self, rows):
        """Return the number times which codes describe rows best: atoms overlap."""
        described = combine(self._kept(self._responses(rows)), self.components)
        energy = float(described.square().sum())
        return float((described * rows).sum()) / energy if energy > 0 else 1.0

    def parameter_groups(self, lr: float) -> list[dict[str, Any]]:
        """Thresholds train faster than the rest."""
        first, *others = super().parameter_groups(lr)
        if self.sparsity != "jumprelu":
            return [first, *others]
        rest = [p for p in first["params"] if p is not self.log_threshold]
        return [
            {"params": rest, "lr": lr},
            {"params": [self.log_threshold], "lr": _FASTER * lr},
        ]

    def encode(self, latents: torch.Tensor) -> CompactCodes | torch.Tensor:
        """Codes that do not depend on what else is in the batch."""
        grid_rows = self.to_rows(latents)
        rows, grid = grid_rows.flatten(0, 2), grid_rows.shape[:3]
        return self._on_grid(self._kept(self._responses(self._unit(rows))), grid)

    def decode(self, codes: CompactCodes | torch.Tensor) -> torch.Tensor:
        """Latents of codes: linear in them, plus what is decoded from none."""
        nothing = self.mean + self.scale * self.bias
        return self.from_rows(combine(codes, self.components) + nothing)

    def forward(self, latents: torch.Tensor) -> dict[str, Any]:
        """Code and decode; the terms of the loss are in units of the latents."""
        grid_rows = self.to_rows(latents)
        rows, grid = grid_rows.flatten(0, 2), grid_rows.shape[:3]
        unit = self._unit(rows)
        responses = self._responses(unit)
        codes = self._of_batch(responses) if self.training else self._kept(responses)
        components = self.components
        left = unit - self.bias - combine(codes, components)
        losses = {"auxiliary": self._auxiliary(left.detach(), responses, components)}
        if self.prefixes:
            losses["prefixes"] = self._of_prefixes(unit, codes, components)
        if self.sparsity in ("jumprelu", "l1"):
            losses["sparsity"] = self._penalty(responses)
        if self.training:
            self._note_use(codes, left)
        square = self.scale**2
        return {
            "latents": self.from_rows((rows - self.scale * left).unflatten(0, grid)),
            "codes": self._on_grid(codes, grid),
            "losses": {name: square * value for name, value in losses.items()},
        }

    # ---- codes ----------------------------------------------------------------------

    def _unit(self, rows):
        """Rows of mean 0 and mean square 1."""
        return (rows - self.mean) / self.scale

    def _responses(self, unit):
        """Return what atoms find of themselves in rows, rectified: ``(N, K)``."""
        filters = getattr(self, "filters", None)
        filters = self.components if filters is None else filters
        return torch.relu(row_products(unit - self.bias, filters) + self.filter_bias)

    def _kept(self, responses):
        """Codes of rows, by what is known of each row alone."""
        if self.sparsity == "topk":
            values, indices = responses.topk(self.n_nonzero_coefs, dim=1)
            return CompactCodes(indices, values)
        if self.sparsity == "batch_topk":
            return responses * (responses > self.threshold)
        if self.sparsity == "jumprelu":
            return _JumpReLU.apply(responses, self.log_threshold)
        return responses

    def _of_batch(self, responses):
        """Codes of the rows of a batch of training."""
        if self.sparsity != "batch_topk":
            return self._kept(responses)
        least = self._batch_threshold(responses.detach())
        self.threshold.lerp_(least, _FOLLOW)
        return responses * (responses >= least)

    def _batch_threshold(self, responses):
        """Smallest of the S largest responses for each row, over all rows."""
        responses = _ranks.take(responses).flatten()
        n_kept = self.n_nonzero_coefs * (len(responses) // self.n_components)
        return responses.topk(n_kept).values[-1].clamp(min=torch.finfo().tiny)

    def _on_grid(self, codes, grid):
        """Codes of the sites of a grid, in the unit of the latents."""
        if not isinstance(codes, CompactCodes):
            return (self.scale * codes).unflatten(0, grid)
        # What is off has no atom.
        indices = codes.indices.masked_fill(codes.values == 0, -1)
        values = self.scale * codes.values
        return CompactCodes(indices.unflatten(0, grid), values.unflatten(0, grid))

    # ---- terms of the loss ----------------------------------------------------------

    def _auxiliary(self, left, responses, components):
        """Return what dead atoms cannot describe of what the others leave."""
        dead = self.idle > self.dead_after
        n_spare = min(int(dead.sum()), max(1, int(_SPARE * self.latent_dim)))
        if not n_spare or not self.auxiliary_weight:
            return 0 * responses.sum()
        values, indices = (responses * dead).topk(n_spare, dim=1)
        described = combine(CompactCodes(indices, values), components)
        error = (left - described).square().sum(1).mean()
        return self.auxiliary_weight * error / 2  # [Gao 2025 auxiliary]

    def _of_prefixes(self, unit, codes, components):
        """Errors of what the first atoms describe, in the mean over the prefixes."""
        errors = []
        for n_first in self.prefixes:
            first = _first_of(codes, n_first)
            left = unit - self.bias - combine(first, components)
            errors.append(left.square().sum(1).mean() / 2)
        return torch.stack(errors).mean()  # [Bussmann 2025 prefixes]

    def _penalty(self, responses):
        if self.sparsity == "l1":
            return self.alpha * responses.sum(1).mean()
        on = _Step.apply(responses, self.log_threshold)
        return self.alpha**2 / 2 * on.sum(1).mean()  # [Rajamanoharan 2024 L0]

    @torch.no_grad()
    def _note_use(self, codes, left):
        """Count the sites since each atom was on, and keep some of what is left."""
        values = codes.values if isinstance(codes, CompactCodes) else codes
        if isinstance(codes, CompactCodes):
            used = codes.indices[values > 0]
            counts = torch.bincount(used, minlength=self.n_components)
        else:
            counts = (values > 0).sum(0)
        (counts,) = _ranks.total(counts)
        self.idle += _ranks.n_rows(values)
        self.idle[counts > 0] = 0
        chosen = torch.randperm(_ranks.n_rows(left), device=left.device)
        n_fresh = max(1, int(_RESET_AT_ONCE * self.n_components))
        self.left = _ranks.take(left, chosen[:n_fresh])


def _precision(rows):
    """Inverse of the covariance of rows, with a part of the identity in it."""
    covariance = (rows.mT @ rows / len(rows)).double()
    floor = _SHRINKAGE * covariance.diagonal().mean() + _SMALLEST
    identity = torch.eye(len(covariance)).to(covariance)
    return torch.linalg.inv(covariance + floor * identity).float()


def _first_of(codes, n_first):
    """Codes without all but the first atoms."""
    if isinstance(codes, CompactCodes):
        values = codes.values * (codes.indices < n_first)
        return CompactCodes(codes.indices, values)
    return codes * (torch.arange(codes.shape[1], device=codes.device) < n_first)


def _box(responses, log_threshold):
    """Stand-in for the derivative of the step, by the logarithm of the threshold."""
    return (abs(responses.log() - log_threshold) < _BANDWIDTH / 2) / _BANDWIDTH


class _JumpReLU(torch.autograd.Function):
    """What exceeds a threshold, with a gradient for the threshold's logarithm."""

    @staticmethod
    def forward(ctx: Any, responses: Any, log_threshold: Any) -> torch.Tensor:
        ctx.save_for_backward(responses, log_threshold)
        return responses * (responses > log_threshold.exp())

    @staticmethod
    def backward(ctx: Any, gradient: Any) -> Any:
        responses, log_threshold = ctx.saved_tensors
        threshold = log_threshold.exp()
        of_threshold = -threshold * (_box(responses, log_threshold) * gradient).sum(0)
        return gradient * (responses > threshold), of_threshold


class _Step(torch.autograd.Function):
    """Whether a response exceeds its threshold, with a gradient for its logarithm."""

    @staticmethod
    def forward(ctx: Any, responses: Any, log_threshold: Any) -> torch.Tensor:
        ctx.save_for_backward(responses, log_threshold)
        return (responses > log_threshold.exp()).to(responses.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Any) -> Any:
        responses, log_threshold = ctx.saved_tensors
        return None, -(_box(responses, log_threshold) * gradient).sum(0)
