"""The unrolled shrinkage iteration: learned ISTA, and (F)ISTA as its special case."""

import math

import torch

from sklearn_sparsevae.sparse import tracing
from sklearn_sparsevae.sparse._arrays import (
    Array,
    accepts_arrays,
    check_atoms,
    check_count,
    check_flag,
    check_tensor,
)
from sklearn_sparsevae.sparse._rollout import UnrolledISTA


def fista_momentum(n_steps: int, momentum: bool = True) -> torch.Tensor:
    """Extrapolation weights of FISTA (Beck and Teboulle 2009).

    Entry ``t`` weighs ``z_t - z_{t-1}`` before step ``t``; all zero (plain ISTA) when
    ``momentum`` is false.
    """
    check_count("n_steps", n_steps)
    check_flag("momentum", momentum)
    weights, t = [0.0], 1.0
    for _ in range(n_steps - 1):
        t_next = (1 + math.sqrt(1 + 4 * t * t)) / 2  # [Beck 2009 Eq. 4.2]
        weights.append((t - 1) / t_next if momentum else 0.0)  # [Beck 2009 Eq. 4.3]
        t = t_next
    return torch.tensor(weights)


@tracing.traced_as(tracing.unrolled_ista)
@accepts_arrays
def unrolled_ista(
    signals: Array,
    filters: Array,
    dictionary: Array,
    thresholds: Array,
    *,
    momentum: torch.Tensor,
    gains: torch.Tensor | None = None,
    threshold_gains: torch.Tensor | None = None,
    inhibition: torch.Tensor | None = None,
) -> Array:
    """Run a (learned) shrinkage iteration for ``len(momentum)`` steps.

    SC-VAE's Eq. 2, with a scalar gain for each step (all one: the equation itself)::

        y = z_t + momentum_t (z_t - z_{t-1})
        z_{t+1} = h(y + gains_t (W_e x - G y), gains_t threshold_gains_t thresholds)

    where ``G = I - S`` and, when the inhibition matrix is coupled to the filters,
    ``G = W_e D^T``. With short signals, ``2 n < K``, a step then costs the two thin
    products of ``W_e x - G y = W_e (x - y D)`` instead of one K x K product.

    Parameters
    ----------
    signals : (N, n) tensor
    filters : (K, n) tensor
        W_e, one filter a row.
    dictionary : (K, n) tensor
        Atoms, one a row. Unused when ``inhibition`` is given.
    thresholds : (K,) or (N, K) tensor
        Non-negative thresholds, one for each atom, or for each signal and atom.
    momentum : (n_steps,) tensor
        Extrapolation weights; the first is not used.
    gains, threshold_gains : (n_steps,) tensor or None
        Step sizes relative to W_e, threshold factors; None stands for ones.
    inhibition : (K, K) tensor or None
        ``I - S`` of Eq. 2 when S is free; None couples it to the filters.

    Returns
    -------
    codes : (N, K) tensor
    """
    check_tensor("momentum", momentum, ("n_steps",))
    check_count("the length of momentum", len(momentum))
    ones = torch.ones_like(momentum)
    gains = ones if gains is None else gains
    threshold_gains = ones if threshold_gains is None else threshold_gains
    _check_shapes(signals, filters, dictionary, thresholds, inhibition)
    for name, scalars in (("gains", gains), ("threshold_gains", threshold_gains)):
        _check_shape(name, scalars, momentum.shape)
    n_atoms, latent_dim = filters.shape
    if inhibition is None and 2 * latent_dim >= n_atoms:
        inhibition = filters @ dictionary.mT
    second = dictionary if inhibition is None else inhibition
    return UnrolledISTA.apply(
        signals,
        filters,
        second,
        thresholds,
        momentum,
        gains,
        threshold_gains,
        inhibition is None,
        torch.is_grad_enabled(),
    )


def _check_shapes(signals, filters, dictionary, thresholds, inhibition):
    check_tensor("signals", signals, ("N", "n"))
    check_atoms("filters", filters)
    n_signals, n_atoms = len(signals), len(filters)
    _check_shape("signals", signals, (n_signals, filters.shape[1]))
    if inhibition is None:
        _check_shape("dictionary", dictionary, filters.shape)
    else:
        _check_shape("inhibition", inhibition, (n_atoms, n_atoms))
    _check_shape("thresholds", thresholds, (n_atoms,), (n_signals, n_atoms))


def _check_shape(name, tensor, *expected):
    check_tensor(name, tensor)
    if tensor.shape not in expected:
        shapes = " or ".join(str(tuple(shape)) for shape in expected)
        raise ValueError(
            f"{name} must have the shape {shapes}, got {tuple(tensor.shape)}."
        )
