"""How far distributions are from one another: KL divergences, in nats, and the MMD."""

import torch
from torch.nn import functional as F

# Scales of the kernel of the MMD.
_MMD_SCALES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


def normal_kl(mean, log_variance, prior_mean=0.0, prior_log_variance=0.0):
    """KL divergence of normal distributions, from the first to the second, in nats.

    By default ``KL(N(g(x), h(x)) || N(0, I))``, the second term of a VAE's loss.
    """
    log_ratio = log_variance - prior_log_variance
    distance = (mean - prior_mean) ** 2 / torch.as_tensor(prior_log_variance).exp()
    return 0.5 * (log_ratio.exp() - 1 - log_ratio + distance)  # [Lecture KL term]


def laplace_kl(mean, log_scale, prior_log_scale):
    """KL divergence of a Laplace distribution from one around zero."""
    size, difference = mean.abs(), log_scale - prior_log_scale
    tail = (difference - size * (-log_scale).exp()).exp()
    return size * (-prior_log_scale).exp() + tail - 1 - difference


def bernoulli_kl(logits, prior_logits):
    """KL divergences ``(N, P)`` of N sets of K coins from P others, by their logits."""
    on = torch.sigmoid(logits)
    negative_entropy = on * F.logsigmoid(logits)
    negative_entropy = negative_entropy + (1 - on) * F.logsigmoid(-logits)
    cross_entropy = F.softplus(prior_logits).sum(1) - on @ prior_logits.mT
    return negative_entropy.sum(1, keepdim=True) + cross_entropy


def gamma_kl(log_shape, log_mean, prior_shape, prior_log_mean):
    """KL divergence of a Gamma distribution from another, by shapes and means."""
    shape, prior_shape = log_shape.exp(), torch.as_tensor(prior_shape).to(log_shape)
    ratio = (prior_shape.log() - prior_log_mean) - (log_shape - log_mean)  # of rates
    return (
        (shape - prior_shape) * torch.digamma(shape)
        - torch.lgamma(shape)
        + torch.lgamma(prior_shape)
        - prior_shape * ratio
        + shape * (ratio.exp() - 1)
    )


def mmd(a, b):
    """Squared maximum mean discrepancy of rows ``(N, K)`` and ``(M, K)``, unbiased.

    Under a sum of inverse multiquadratic kernels ``C / (C + ||x - y||^2)`` of several
    scales, C = 2 K at scale 1, as in Tolstikhin et al. (2018). 0 if a batch has a
    single row.
    """
    n, m = len(a), len(b)
    if min(n, m) < 2:
        return (a.sum() + b.sum()) * 0.0
    within = (_kernel(a, a).sum() - len(_MMD_SCALES) * n) / (n * (n - 1))
    within = within + (_kernel(b, b).sum() - len(_MMD_SCALES) * m) / (m * (m - 1))
    return within - 2 * _kernel(a, b).mean()  # [Tolstikhin 2018 MMD]


def _kernel(a, b):
    """Kernel matrix; 1 for each scale where the rows are equal."""
    products = a @ b.mT
    lengths = a.square().sum(1)[:, None] + b.square().sum(1)
    squared = (lengths - 2 * products).clamp(min=0)
    unit = 2 * a.shape[1]
    return sum(s * unit / (s * unit + squared) for s in _MMD_SCALES)
