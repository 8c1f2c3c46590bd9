"""Gaussian codes: the bottleneck of VAE, beta-VAE, InfoVAE and their relatives.

The model starts as probabilistic PCA (Tipping and Bishop 1999), in closed form: between
linear isometries the evidence lower bound is then the evidence itself (Lucas et al.
2019), and directions whose variance is below that of the noise start switched off.
Training adds the non-linear part.

All trained parts work in whitened coordinates: latents less their mean, along their
principal axes, in units of their standard deviation there. One learning rate then suits
strong and weak directions, and latents of any scale.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from sklearn_sparsevae import _ranks
from sklearn_sparsevae.bottlenecks.base import TorchCodes, branch_from_zero, combine
from sklearn_sparsevae.bottlenecks.divergences import mmd, normal_kl
from sklearn_sparsevae.bottlenecks.probabilistic import ProbabilisticBottleneck
from sklearn_sparsevae.sparse.rows import principal_axes

_WIDTH = 128  # hidden units of the non-linear part
# Log-variances stay between these, smoothly, so that the gradient never vanishes.
_LOG_VARIANCES = (-30.0, 10.0)
# Smallest variance of a direction, relative to that of the strongest one.
_FLAT = 1e-6
# Largest number of codes of a batch that are compared with the prior.
_MMD_ROWS = 512


class Gaussian(ProbabilisticBottleneck):
    """Codes with a normal posterior ``q(z|x)`` and prior ``N(0, I)`` [1]_.

    The decoder of the whole model is ``p(x|z) = N(f(z), c I)``. The evidence lower
    bound is multiplied by ``c`` here, which leaves its optimum where it is: the
    squared error then counts one half, as in all autoencoders of this package, and the
    KL divergence counts ``beta * c``.

    Parameters
    ----------
    latent_dim, n_components : int
        Length n of a latent and number K of dimensions of z per site.
    noise_variance : float
        Variance c of a number of the decoder's output, positive.
    beta : float
        Weight of the KL divergence: 1 is the VAE, more is beta-VAE [2]_.
    beta_warmup : float
        Epochs over which that weight rises from 0 while training.
    mmd_weight : float
        Weight, times c, of the maximum mean discrepancy between the codes of a batch
        and the prior (InfoVAE [3]_).
    n_levels : {1, 2}
        With 2, ``p(z1) = N(0, I)`` gives way to ``p(z1|z2) = N(mu(z2), sigma(z2))``
        with ``p(z2) = N(0, I)`` and ``q(z2|z1)``. Codes are z1. There is a z2 of half
        as many dimensions at every site; both maps are convolutions that see the 3x3
        sites around one, so that z2 ties neighbours together.
    n_conditions : int
        Numbers p of a condition y; with it posterior and decoder are ``q(z|x, y)`` and
        ``p(x|z, y)``.

    References
    ----------
    .. [1] D. P. Kingma, M. Welling. "Auto-encoding variational Bayes". ICLR 2014.
    .. [2] I. Higgins et al. "beta-VAE: learning basic visual concepts with a
       constrained variational framework". ICLR 2017.
    .. [3] S. Zhao, J. Song, S. Ermon. "InfoVAE: balancing learning and inference in
       variational autoencoders". AAAI 2019.
    """

    code_kind = "dense"

    def __init__(
        self,
        latent_dim: int,
        n_components: int,
        noise_variance: float = 0.01,
        *,
        beta: float = 1.0,
        beta_warmup: float = 0,
        mmd_weight: float = 0.0,
        n_levels: int = 1,
        n_conditions: int = 0,
    ) -> None:
        super().__init__()
        self.n_components, self.noise_variance = n_components, noise_variance
        self.beta, self.beta_warmup, self.mmd_weight = beta, beta_warmup, mmd_weight
        self.n_levels, self.ramp = n_levels, 1.0
        start = torch.eye(n_components, latent_dim)
        self.atoms, self.filters = nn.Parameter(start), nn.Parameter(start.clone())
        self.bias = nn.Parameter(torch.zeros(latent_dim))
        self.log_variance = nn.Parameter(torch.zeros(n_components))
        self.branch = branch_from_zero(
            nn.Linear, _WIDTH, latent_dim + n_conditions, 2 * n_components
        )
        if n_conditions:
            self.offsets = nn.Linear(n_conditions, latent_dim, bias=False)
            self.offset_branch = branch_from_zero(
                nn.Linear, _WIDTH, n_conditions, latent_dim
            )
        if n_levels == 2:
            n_second = max(1, n_components // 2)
            self.infer = branch_from_zero(_conv3x3, _WIDTH, n_components, 2 * n_second)
            # z2 is informative from the start: p(z1|z2) could not learn from noise.
            nn.init.normal_(self.infer[-1].weight[:n_second], std=_WIDTH**-0.5 / 3)
            self.prior = branch_from_zero(_conv3x3, _WIDTH, n_second, 2 * n_components)
        self.register_buffer("mean", torch.zeros(latent_dim))
        self.register_buffer("axes", torch.eye(latent_dim))
        self.register_buffer("deviations", torch.ones(latent_dim))

    @property
    def components(self) -> torch.Tensor:
        """What one unit of each dimension adds to the latents, ``(K, n)``."""
        return self._unwhiten(self.atoms)

    def _whiten(self, rows):
        return rows @ self.axes / self.deviations

    def _unwhiten(self, rows):
        return (rows * self.deviations) @ self.axes.mT

    @torch.no_grad()
    def initialize(
        self, rows: torch.Tensor, seed: int, condition: torch.Tensor | None = None
    ) -> None:
        """Start as probabilistic PCA of rows, less what is linear in the condition.

        In whitened coordinates ``W = (I - c / Lambda)^(1/2)`` is decoder and encoder,
        and the posterior has the variance ``c / Lambda``, with ``beta * c`` for c.
        """
        rows = rows.double()
        self.mean.copy_(rows.mean(0))
        rows = rows - self.mean
        slopes = None
        if condition is not None:
            centre = condition.double().mean(0)
            given = condition - centre
            gram = torch.linalg.pinv(given.mT @ given, hermitian=True)
            slopes = gram @ (given.mT @ rows)  # least squares
            self.mean -= centre @ slopes
            rows = rows - given @ slopes
        axes, variances = principal_axes(rows)
        noise = self.beta * self.noise_variance
        smallest = max(noise, _FLAT * float(variances[0]), _FLAT**2)
        self.axes.copy_(axes.mT)
        self.deviations.copy_(variances.clamp(min=smallest).sqrt())
        unexplained = torch.ones(self.n_components).to(variances)
        n_shared = min(self.n_components, len(variances))
        unexplained[:n_shared] = (noise / variances.clamp(min=1e-30)).clamp(
            torch.finfo(torch.float32).tiny, 1
        )[:n_shared]
        for weights in (self.atoms, self.filters):
            diagonal = (1 - unexplained[:n_shared]).sqrt()  # [Tipping 1999 ML solution]
            weights.zero_().diagonal().copy_(diagonal)
        self.log_variance.copy_(unexplained.log().clamp(*_LOG_VARIANCES))
        if slopes is not None:
            self.offsets.weight.copy_(self._whiten(slopes.float()).mT)

    def advance(self, n_epochs: float) -> None:
        """Raise the weight of the KL divergence."""
        self.ramp = min(1.0, n_epochs / self.beta_warmup) if self.beta_warmup else 1.0

    def _offset(self, condition):
        """Whitened latents of code 0, ``(n,)`` or ``(batch, 1, 1, n)``."""
        if condition is None:
            return self.bias
        offset = self.bias + self.offsets(condition) + self.offset_branch(condition)
        return offset[:, None, None]

    def posterior(
        self, latents: torch.Tensor, condition: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean g(x) and log-variance log h(x) of q(z|x), ``(batch, h, w, K)`` each."""
        rows = self._whiten(self.to_rows(latents) - self.mean)
        rows = rows - self._offset(condition)
        seen = rows
        if condition is not None:
            given = condition[:, None, None].expand(*rows.shape[:3], -1)
            seen = torch.cat([rows, given], -1)
        mean, log_variance = self.branch(seen).chunk(2, -1)
        mean = mean + rows @ self.filters.mT
        return mean, _bounded(log_variance + self.log_variance)

    def encode(
        self, latents: torch.Tensor, condition: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Means of the posterior."""
        return self.posterior(latents, condition)[0]

    def decode(
        self, codes: TorchCodes, condition: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Latents of codes: linear in them, plus an offset that y decides."""
        rows = combine(codes, self.atoms) + self._offset(condition)
        return self.from_rows(self._unwhiten(rows) + self.mean)

    def figures(self, codes: TorchCodes) -> dict[str, float]:
        """Non-zeros, and how many dimensions are active in the batch."""
        rows = codes.flatten(0, 2)
        (mean,) = _ranks.batch_mean(rows.mean(0))
        (variances,) = _ranks.batch_mean((rows - mean).square().mean(0))
        return super().figures(codes) | {"active_units": self.count_active(variances)}

    def levels(self, mean: torch.Tensor, log_variance: torch.Tensor, draw: Any) -> Any:
        """Draw all levels; return codes, KL divergences by name, and the top level.

        The divergences are in nats, ``(batch, h, w, dimensions)`` each. With two levels
        there are the two of the hierarchical loss: "kl_1" from q(z1|x) to
        p(z1|z2), and "kl_2" from q(z2|z1) to p(z2).
        """
        codes = draw(mean, log_variance)
        if self.n_levels == 1:
            return codes, {"kl": normal_kl(mean, log_variance)}, codes
        second = _moments(self.infer, codes)
        top = draw(*second)
        first = normal_kl(mean, log_variance, *_moments(self.prior, top))
        terms = {"kl_1": first, "kl_2": normal_kl(*second)}  # [Lecture two levels]
        return codes, terms, top

    def forward(
        self, latents: torch.Tensor, condition: torch.Tensor | None = None
    ) -> dict[str, Any]:
        """Code, draw (in training only) and decode; terms are means over sites.

        The MMD, which compares draws, is a term in training only.
        """
        moments = self.posterior(latents, condition)
        draw = reparametrize if self.training else _mean_of
        codes, divergences, top = self.levels(*moments, draw)
        weight = self.beta * (self.ramp if self.training else 1.0)
        losses = {  # [Lecture training loss]
            name: weight * self.noise_variance * value.sum(-1).mean()
            for name, value in divergences.items()
        }
        if self.training and self.mmd_weight:
            rows = top.flatten(0, 2)
            chosen = torch.randperm(_ranks.n_rows(rows), device=rows.device)
            rows = _ranks.take(rows, chosen[:_MMD_ROWS])
            discrepancy = mmd(rows, torch.randn_like(rows))
            losses["mmd"] = self.mmd_weight * self.noise_variance * discrepancy
        return {
            "latents": self.decode(codes, condition),
            "codes": moments[0],
            "losses": losses,
        }

    def draw(
        self, latents: torch.Tensor, condition: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Latents of one draw of the posterior, and its KL divergence, ``(batch,)``.

        All samples are drawn with the same noise, so that none depends on the others.
        """
        moments = self.posterior(latents, condition)
        codes, divergences, _ = self.levels(*moments, _with_shared_noise)
        nats = sum(value.flatten(1).sum(1) for value in divergences.values())
        return self.decode(codes, condition), nats

    def usage(
        self, latents: torch.Tensor, condition: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Posterior mean and KL divergence of z1, ``(batch, h, w, K)`` each."""
        moments = self.posterior(latents, condition)
        _, divergences, _ = self.levels(*moments, _mean_of)
        return moments[0], next(iter(divergences.values()))

    def sample(self, n_samples: int, grid_shape: Sequence[int]) -> torch.Tensor:
        """Codes ``(n_samples, h, w, K)`` from the prior."""
        shape = (n_samples, *grid_shape, self.n_components)
        if self.n_levels == 1:
            return torch.randn(shape, device=self.mean.device)
        n_second = self.prior[0].in_channels
        top = torch.randn(*shape[:3], n_second, device=self.mean.device)
        return reparametrize(*_moments(self.prior, top))


def reparametrize(mean, log_variance):
    """Draw ``z = g(x) + h(x)^(1/2) * zeta`` with zeta from N(0, I)."""
    noise = _ranks.draw_like(mean)
    return mean + (0.5 * log_variance).exp() * noise  # [Lecture reparametrisation]


def _with_shared_noise(mean, log_variance):
    return mean + (0.5 * log_variance).exp() * torch.randn_like(mean[:1])


def _mean_of(mean, log_variance):
    return mean


def _conv3x3(n_in, n_out):
    return nn.Conv2d(n_in, n_out, 3, padding=1)


def _moments(network, codes):
    """Mean and log-variance of one level, by convolutions of the other's codes."""
    maps = network(codes.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
    mean, log_variance = maps.chunk(2, -1)
    return mean, _bounded(log_variance)


def _bounded(log_variance):
    low, high = _LOG_VARIANCES
    raised = low + F.softplus(log_variance - low)
    return high - F.softplus(high - raised)
