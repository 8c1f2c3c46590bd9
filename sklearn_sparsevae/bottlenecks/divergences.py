"""KL divergences of distributions from one another, in nats, in closed form."""

import torch
from torch.nn import functional as F


def normal_kl(mean, log_variance, prior_mean=0.0, prior_log_variance=0.0):
    """KL divergence of normal distributions, from the first to the second, in nats.

    The second term of the loss: ``KL(N(g(x), h(x)) || N(0, I))`` unless told otherwise.
    """
    log_ratio = log_variance - prior_log_variance
    distance = (mean - prior_mean) ** 2 / torch.as_tensor(prior_log_variance).exp()
    return 0.5 * (log_ratio.exp() - 1 - log_ratio + distance)


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
