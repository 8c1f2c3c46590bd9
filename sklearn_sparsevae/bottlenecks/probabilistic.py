"""The contract of bottlenecks whose codes have a distribution."""

import abc
from collections.abc import Sequence

import torch

from sklearn_sparsevae.bottlenecks.base import Bottleneck


class ProbabilisticBottleneck(Bottleneck):
    """Bottleneck with a prior p(z) over codes, and a posterior q(z|x).

    `sample` is what new images need, and every subclass has it. `posterior`, `draw` and
    `usage` are what the evidence lower bound and the figures of a fit need; a subclass
    whose posterior has no closed form leaves them out.

    Methods that take latents may take ``condition=``, rows ``(batch, p)``, as well.
    """

    #: Variance c of each number that the decoder gives: ``p(x|z) = N(f(z), c I)``.
    noise_variance: float
    #: A dimension is active where its posterior mean varies more than this over the
    #: data (Burda et al. 2016).
    active_variance = 0.01

    @abc.abstractmethod
    def sample(self, n_samples: int, grid_shape: Sequence[int]) -> torch.Tensor:
        """Codes ``(n_samples, h, w, K)`` from the prior, for a grid ``(h, w)``."""

    def posterior(self, latents: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and log-variance of q(z|x), ``(batch, h, w, K)`` each."""
        raise self._absent("posterior")

    def draw(self, latents: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Latents of one draw of the posterior, and its KL divergence from the prior.

        The divergence is ``(batch,)``, in nats. All samples are drawn with the same
        noise, so that none depends on the others.
        """
        raise self._absent("draw")

    def usage(self, latents: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Posterior mean, and KL divergence in nats, ``(batch, h, w, K)`` each."""
        raise self._absent("usage")

    def count_active(self, variances: torch.Tensor) -> int:
        """How many dimensions are active, given the variances of their means."""
        return int((variances > self.active_variance).sum())

    def _absent(self, method):
        return NotImplementedError(
            f"{type(self).__name__} has no {method}(): its posterior has no "
            "closed form that would answer this."
        )
