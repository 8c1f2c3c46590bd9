"""The two kinds of sparse distribution: VSC's spikes, VSCLT's learned thresholds.

A policy maps the means ``(N, K)`` of a posterior, and what a network adds to its other
numbers, to the posterior; says what its code is, draws samples, and computes the KL
divergence from its prior. See `sklearn_sparsevae.bottlenecks.spike_slab` for the papers
and for what departs from them.
"""

import math
from typing import NamedTuple

import torch
from torch import nn
from torch.distributions import Gamma, Laplace

from sklearn_sparsevae._ranks import draw_like, own_rows, take
from sklearn_sparsevae.bottlenecks.divergences import (
    bernoulli_kl,
    gamma_kl,
    laplace_kl,
    normal_kl,
)
from sklearn_sparsevae.sparse import soft_threshold

_SHARPNESS = 20.0, 200.0  # of relaxed spikes, at first and after an epoch
_SHRINKAGE = 0.025  # by VSCLT's prior, in thresholds: keeps its share of non-zeros
_NOISE = 0.1  # VSCLT's noise at the start, in thresholds
_SHAPE = 30.0  # shape of VSCLT's Gamma posterior of thresholds at the start
_PRIOR_SHAPE = 3.0  # and of its prior


# ---- the two kinds of posterior and prior -------------------------------------------


class Spikes(NamedTuple):
    """Posterior ``gamma N(mean, exp(log_var)) + (1 - gamma) delta``, ``(N, K)`` each.

    ``logits`` are those of gamma.
    """

    mean: torch.Tensor
    log_var: torch.Tensor
    logits: torch.Tensor


class Thresholded(NamedTuple):
    """Posterior: a Laplace variable, shrunk by a Gamma one of given mean and shape."""

    mean: torch.Tensor
    log_scale: torch.Tensor
    log_threshold: torch.Tensor
    log_shape: torch.Tensor


class SpikeAndSlab(nn.Module):
    """Each dimension is off, or normal (VSC).

    Parameters
    ----------
    n_dims : int
        Dimensions K.
    share : float
        Prior probability alpha of a spike.
    """

    n_maps = 3  # numbers a dimension that the network adds to: those of `Spikes`

    def __init__(self, n_dims, share):
        super().__init__()
        self.prior_logit = math.log(share / (1 - share))
        self.sharpness = _SHARPNESS[0]
        self.log_threshold = nn.Parameter(torch.zeros(n_dims))
        self.log_slope = nn.Parameter(torch.zeros(n_dims))
        self.log_var = nn.Parameter(torch.zeros(n_dims))
        self.log_scale = nn.Parameter(torch.zeros(n_dims))  # of the prior's slab

    def select(self, responses, threshold):
        """Codes of filter responses by one threshold: those larger are kept."""
        return responses * (responses.abs() > threshold)

    @torch.no_grad()
    def start(self, responses, threshold, noise_variance):
        """Start nearly as the posterior would be if atoms were orthonormal.

        The log-odds of a spike are then about ``a^2 / 2c - slope`` for the response a
        of its atom, with ``slope = log(1 / alpha - 1) + 1/2 log(1 + t^2 / c)``, t the
        scale of the slab and c the noise variance. They are zero at the threshold.

        Returns
        -------
        noise_variance : float
            As given; if None, the one for which the threshold is the right one.
        """
        used = responses.abs() > threshold
        energy = (responses * used).pow(2).sum(0)
        overall = energy.sum() / used.sum().clamp(min=1) + threshold**2
        variance = (energy + overall) / (used.sum(0) + 1)
        c = noise_variance or threshold**2
        for _ in range(10):  # until slope and c agree
            slope = max(1.0, 0.5 * math.log1p(overall / c) - self.prior_logit)
            c = noise_variance or threshold**2 / (2 * slope)
        self.log_threshold.fill_(math.log(threshold))
        self.log_slope.fill_(math.log(slope))
        self.log_scale.copy_(0.5 * variance.log())
        self.log_var.copy_(-(1 / c + 1 / variance).log())
        return c

    def posterior(self, mean, added):
        """Posterior of means ``(N, K)``, with what the network adds to the others."""
        threshold, slope = _exp(self.log_threshold), _exp(self.log_slope)
        logits = slope * ((mean / threshold).pow(2) - 1) + added[1]
        return Spikes(mean, _limited(self.log_var + _bounded(added[0])), logits)

    def code(self, q):
        """Codes ``(N, K)``: the mean where a spike is more likely than none."""
        return q.mean * (q.logits > 0)

    def sample(self, q):
        """Relaxed sample ``(mu + sigma eps) sigmoid(c (u - 1 + gamma))`` (VSC).

        u is uniform in [0, 1) and c the sharpness; for a large c a dimension is on
        with probability gamma.
        """
        noise, u = draw_like(q.mean), draw_like(q.mean, torch.rand_like)
        spikes = torch.sigmoid(self.sharpness * (u - torch.sigmoid(-q.logits)))
        slab = q.mean + (0.5 * q.log_var).exp() * noise
        return slab * spikes  # [VSC reparameterisation]

    def prior_logits(self, pseudo):
        """Logits ``(P, K)`` of the prior's spikes, given the pseudo-inputs' posterior.

        Bounded, so that no spike is impossible; without pseudo-inputs P is 1.
        """
        if pseudo is None:
            return torch.full_like(self.log_scale, self.prior_logit)[None]
        limit = 2 * max(1.0, abs(self.prior_logit))
        return _bounded(pseudo.logits, limit)  # [VSC pseudo-inputs]

    def kl(self, q, pseudo):
        """Terms of the KL divergence ``(N,)`` from the prior, by name.

        That of spike-and-slab distributions is ``gamma KL(slabs) + KL(spikes)``. From
        a mixture over P pseudo-inputs it is at most
        ``-log(1/P sum_p exp(-KL_p))``, with equality for one.
        """
        slab = normal_kl(q.mean, q.log_var, 0.0, 2 * _limited(self.log_scale))
        logits = self.prior_logits(pseudo)
        spikes = bernoulli_kl(q.logits, logits)
        mixed = math.log(len(logits)) - torch.logsumexp(-spikes, 1)
        slabs = (torch.sigmoid(q.logits) * slab).sum(1)
        terms = {"values": slabs, "spikes": mixed}  # [VSC prior term]
        if pseudo is not None:  # J KL(mean spike probability || alpha) of VSC
            share = torch.sigmoid(logits).mean(1).logit()[:, None]
            alpha = torch.full_like(share[:1], self.prior_logit)
            terms["share"] = logits.shape[1] * bernoulli_kl(share, alpha)[:, 0]
        return terms

    def draw(self, n, pseudo):
        """Codes ``(n, K)`` from the prior."""
        logits = self.prior_logits(pseudo)
        logits = logits[torch.randint(len(logits), (n,), device=logits.device)]
        spikes = torch.rand_like(logits) < torch.sigmoid(logits)
        return spikes * torch.randn_like(logits) * _exp(self.log_scale)

    def advance(self, n_epochs):
        """Sharpen the relaxed spikes during the first epoch."""
        first, last = _SHARPNESS
        self.sharpness = first * (last / first) ** min(1.0, n_epochs)


class LearnedThreshold(nn.Module):
    """A Laplace variable, soft-thresholded by one that is Gamma distributed (VSCLT).

    Parameters
    ----------
    n_dims : int
        Dimensions K.
    share : float
        Part of the prior's Laplace variables that exceeds its thresholds. Those of
        mean m in units of the Laplace scale, and shape k, leave ``(1 + m / k) ** -k``.
    """

    n_maps = 4  # those of `Thresholded`

    def __init__(self, n_dims, share):
        super().__init__()
        self.distance = _PRIOR_SHAPE * (share ** (-1 / _PRIOR_SHAPE) - 1)
        self.log_threshold = nn.Parameter(torch.zeros(n_dims))
        self.log_noise = nn.Parameter(torch.zeros(n_dims))
        self.log_shape = nn.Parameter(torch.full((n_dims,), math.log(_SHAPE)))
        self.log_scale = nn.Parameter(torch.zeros(n_dims))  # of the prior

    def select(self, responses, threshold):
        """Codes of filter responses by one threshold, shrunk by it."""
        return soft_threshold(responses, threshold)

    @torch.no_grad()
    def start(self, responses, threshold, noise_variance):
        """Start with one threshold; return the noise variance.

        If it is None the one is taken for which the prior, whose penalty of a mean is
        c over its scale, shrinks codes by a fortieth of the threshold.
        """
        used = responses.abs() > threshold
        excess = (responses.abs() - threshold) * used  # its mean is a Laplace scale
        overall = float(excess.sum() / used.sum().clamp(min=1))
        overall = max(overall, threshold / self.distance)
        scale = (excess.sum(0) + overall) / (used.sum(0) + 1)
        self.log_threshold.fill_(math.log(threshold))
        self.log_noise.fill_(math.log(_NOISE * threshold))
        self.log_scale.copy_(scale.log())
        return noise_variance or _SHRINKAGE * threshold * overall

    def posterior(self, mean, added):
        """Posterior of means ``(N, K)``, with what the network adds to the others."""
        return Thresholded(
            mean,
            _limited(self.log_noise + _bounded(added[0])),
            _limited(self.log_threshold + _bounded(added[1])),
            (self.log_shape + _bounded(added[2])).clamp(0, 7),
        )

    def code(self, q):
        """Codes ``(N, K)``: the mean, shrunk by the mean threshold."""
        return soft_threshold(q.mean, q.log_threshold.exp())

    def sample(self, q):
        """Thresholded sample, whose gradient goes straight through to the variable.

        That of the threshold is the shrinkage's (VSCLT).
        """
        noise = draw_like(q.mean, _standard_laplace)
        variable = q.mean + q.log_scale.exp() * noise
        # How many numbers a draw of a Gamma variable takes depends on its shape.
        shapes = take(q.log_shape.exp())
        draws = own_rows(Gamma(shapes, 1.0, validate_args=False).rsample())
        threshold = draws / (q.log_shape - q.log_threshold).exp()
        shrunk = soft_threshold(variable.detach(), threshold)
        return shrunk + (variable - variable.detach())  # [VSCLT reparameterisation]

    def kl(self, q, pseudo):
        """Terms of the KL divergence ``(N,)`` from the prior, by name."""
        scale = _limited(self.log_scale)
        values = laplace_kl(q.mean, q.log_scale, scale)
        prior_mean = scale + math.log(self.distance)
        thresholds = gamma_kl(q.log_shape, q.log_threshold, _PRIOR_SHAPE, prior_mean)
        values, thresholds = values.sum(1), thresholds.sum(1)
        return {"values": values, "thresholds": thresholds}  # [VSCLT prior term]

    def draw(self, n, pseudo):
        """Codes ``(n, K)`` from the prior."""
        scale = _exp(self.log_scale).expand(n, -1)
        variable = Laplace(torch.zeros_like(scale), scale).sample()
        shape = torch.full_like(scale, _PRIOR_SHAPE)
        threshold = Gamma(shape, _PRIOR_SHAPE / (self.distance * scale)).sample()
        return soft_threshold(variable, threshold)

    def advance(self, n_epochs):
        """Nothing here depends on the epoch."""


def _standard_laplace(like):
    return Laplace(torch.zeros_like(like), 1.0, validate_args=False).sample()


# Names of ``prior=`` in the estimator.
PRIORS = {"spike_slab": SpikeAndSlab, "threshold": LearnedThreshold}


def _bounded(value, limit=4.0):
    """Value where it is small, never beyond the limit, and never without gradient."""
    return limit * torch.tanh(value / limit)


def _limited(log_value):
    """Logarithm whose exponential, squared, is a float."""
    return log_value.clamp(-30, 30)


def _exp(log_value):
    return _limited(log_value).exp()
