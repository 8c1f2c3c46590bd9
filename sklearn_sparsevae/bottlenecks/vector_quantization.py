"""Vector quantisation, plain and residual: the bottleneck of VQ-VAE and RQ-VAE."""

import torch
from torch import nn
from torch.nn import functional as F

from sklearn_sparsevae._ranks import total
from sklearn_sparsevae.bottlenecks.selection import AtomSelection
from sklearn_sparsevae.sparse import learn_codebook, nearest_code

# Laplace smoothing of the counts, which keeps unused codes from dividing by zero.
_SMOOTHING = 1e-5
# Latent and code that point against one another (cosine below) have no one rotation.
_OPPOSITE = -0.999


class VectorQuantization(AtomSelection):
    """The nearest code for every site; further levels quantise the residual [1]_ [2]_.

    All levels share one codebook, so that the codes are counts: how often each code is
    part of the sum.

    Parameters
    ----------
    latent_dim, n_components, commitment_weight, patch_size
        See `AtomSelection`.
    n_quantizers : int
        Levels. 1 is VQ-VAE, more is RQ-VAE.
    codebook_update : {"gradient", "ema"}
        Train the codes by the gradient of LASERS' Eq. 3, or by exponential moving
        averages of the latents they stand for.
    decay : float
        Of the moving averages, in [0, 1).
    gradient : {"straight_through", "rotation"}
        What the encoder receives: the gradient of the decoder as it is, or turned and
        scaled as the latent would be to become its code [3]_.
    codebook : {"free", "linear"}
        Codes that are trained one by one, or fixed ones times a matrix that is trained,
        so that all move together and none falls out of use [4]_.

    References
    ----------
    .. [1] A. van den Oord, O. Vinyals, K. Kavukcuoglu. "Neural Discrete Representation
       Learning". NeurIPS 2017 (appendix A.1: moving averages).
    .. [2] D. Lee et al. "Autoregressive Image Generation using Residual Quantization".
       CVPR 2022.
    .. [3] C. Fifty et al. "Restructuring Vector Quantization with the Rotation Trick".
       ICLR 2025.
    .. [4] Y. Zhu et al. "Addressing Representation Collapse in Vector Quantized Models
       with One Linear Layer" (SimVQ). ICCV 2025.
    """

    code_kind = "counts"

    def __init__(
        self,
        latent_dim: int,
        n_components: int,
        n_quantizers: int = 1,
        *,
        codebook_update: str = "gradient",
        decay: float = 0.99,
        gradient: str = "straight_through",
        codebook: str = "free",
        commitment_weight: float = 0.25,
        patch_size: int = 1,
    ) -> None:
        by_gradient = codebook_update == "gradient"
        super().__init__(
            latent_dim, n_components, commitment_weight, patch_size, by_gradient
        )
        self.n_quantizers, self.decay, self.gradient = n_quantizers, decay, gradient
        if codebook == "linear":
            self.atoms.requires_grad_(False)
            self.transform = nn.Parameter(torch.eye(self.atoms.shape[1]))
        self.register_buffer("counts", torch.ones(n_components))
        self.register_buffer("sums", self.atoms.detach().clone())

    @property
    def components(self) -> torch.Tensor:
        """Codes ``(K, n)``."""
        if self._is_linear:
            return self.atoms @ self.transform  # [SimVQ codebook]
        return self.atoms

    @property
    def _is_linear(self):
        return hasattr(self, "transform")

    def initialize(self, rows: torch.Tensor, seed: int) -> None:
        """Place the codes by k-means on latents."""
        codebook = learn_codebook(
            rows, self.n_components, n_levels=self.n_quantizers, seed=seed
        )
        self.atoms.data.copy_(codebook)
        if self._is_linear:
            nn.init.eye_(self.transform)
        self._restart(torch.arange(self.n_components, device=rows.device))

    def _select(self, rows):
        codebook, left = self.components.detach(), rows
        indices = []
        for _ in range(self.n_quantizers):
            indices.append(nearest_code(left, codebook, check_finite=False))
            left = left - codebook[indices[-1]]
        indices = torch.stack(indices, 1)
        return indices, torch.ones_like(indices, dtype=rows.dtype)

    def _targets(self, rows, indices):
        """Return the residuals that each level quantises, ``(N, n_quantizers, n)``."""
        codebook, left = self.components.detach(), [rows]
        for index in indices.unbind(1)[:-1]:
            left.append(left[-1] - codebook[index])
        return torch.stack(left, 1)

    def _pass_on(self, rows, decoded):
        if self.gradient == "rotation":
            return rotate_to(rows, decoded.detach())
        return super()._pass_on(rows, decoded)

    def _fresh_atoms(self, rows):
        if self._is_linear:  # what the matrix takes to the rows
            return rows @ torch.linalg.pinv(self.transform)
        return rows

    @torch.no_grad()
    def _learn(self, rows, indices, values):
        index, targets = indices.flatten(), self._targets(rows, indices).flatten(0, 1)
        batch_counts = torch.bincount(index, minlength=len(self.counts)).to(self.counts)
        batch_sums = torch.zeros_like(self.sums).index_add_(0, index, targets)
        batch_counts, batch_sums = total(batch_counts, batch_sums)
        self.counts.lerp_(batch_counts, 1 - self.decay)
        self.sums.lerp_(batch_sums, 1 - self.decay)
        n = self.counts.sum()
        smooth = (self.counts + _SMOOTHING) * (n / (n + len(self.counts) * _SMOOTHING))
        self.atoms.data.copy_(self.sums / smooth[:, None])

    @torch.no_grad()
    def _restart(self, atoms):
        """Set counts to 1 and sums to the codes."""
        self.counts[atoms] = 1.0
        self.sums[atoms] = self.atoms[atoms]


def rotate_to(rows, targets):
    """Return the targets, whose gradient reaches the rows turned and scaled [1]_.

    The rotation in the plane of both, and the ratio of their lengths, which take a row
    to its target, count as constants. Rows without a direction, or against their
    target's, get the gradient straight through.

    Parameters
    ----------
    rows, targets : (N, n) tensor

    References
    ----------
    .. [1] C. Fifty et al. "Restructuring Vector Quantization with the Rotation Trick".
       ICLR 2025.
    """
    with torch.no_grad():
        lengths, wanted = (t.norm(dim=1, keepdim=True) for t in (rows, targets))
        start, end = F.normalize(rows), F.normalize(targets)
        scale = wanted / lengths.clamp(min=torch.finfo(rows.dtype).tiny)
        cosine = (start * end).sum(1, keepdim=True)
        turns = (cosine > _OPPOSITE) & (lengths > 0) & (wanted > 0) & scale.isfinite()
        between = F.normalize(start + end)
    along = 2 * (rows * between).sum(1, keepdim=True) * between
    onto = 2 * (rows * start).sum(1, keepdim=True) * end
    turned = scale * (rows - along + onto)  # [Fifty 2024 rotation]
    passed = torch.where(turns, turned, rows)
    return passed + (targets - passed).detach()
