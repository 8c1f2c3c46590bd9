"""The unrolled shrinkage iteration with a fused backward pass.

Written step by step under autograd, a rollout stores about six tensors of the size of
the codes for every step. Here the backward pass is written out by hand: forward keeps
only the iterates, everything else is rebuilt from them, and on the CPU both passes go
through the signals in chunks that stay in the cache.
"""

import math

import torch

# Rows handled together on the CPU: 1024 codes of 512 atoms are 2 MiB, a core's cache.
_CHUNK = 1024


def fista_momentum(n_steps: int, momentum: bool = True) -> torch.Tensor:
    """Extrapolation weights of FISTA (Beck and Teboulle 2009, Eq. 4.2 and 4.3).

    Entry ``t`` weighs ``z_t - z_{t-1}`` before step ``t``; all zero (plain ISTA) when
    ``momentum`` is false.
    """
    weights, t = [0.0], 1.0
    for _ in range(n_steps - 1):
        t_next = (1 + math.sqrt(1 + 4 * t * t)) / 2  # Eq. 4.2
        weights.append((t - 1) / t_next if momentum else 0.0)  # Eq. 4.3
        t = t_next
    return torch.tensor(weights)


def unrolled_ista(
    signals,
    filters,
    dictionary,
    thresholds,
    *,
    momentum,
    gains=None,
    threshold_gains=None,
    inhibition=None,
):
    """Run a (learned) shrinkage iteration for ``len(momentum)`` steps.

    SC-VAE's Eq. 2, with a scalar gain for each step (all one: the equation itself)::

        y = z_t + momentum_t (z_t - z_{t-1})
        z_{t+1} = h(y + gains_t (W_e x - G y), gains_t threshold_gains_t thresholds)

    where ``G = I - S`` and, when the inhibition matrix is coupled to the filters,
    ``G = W_e D^T``, so that ``W_e x - G y = W_e (x - y D)`` costs two thin products
    instead of one K x K product.

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
    ones = torch.ones_like(momentum)
    gains = ones if gains is None else gains
    threshold_gains = ones if threshold_gains is None else threshold_gains
    second = dictionary if inhibition is None else inhibition
    return _UnrolledISTA.apply(
        signals,
        filters,
        second,
        thresholds,
        momentum,
        gains,
        threshold_gains,
        inhibition is None,
    )


class _Coupled:
    """``c(y) = W_e (x - y D)``: S is tied to the filters and the dictionary."""

    def __init__(self, x, filters, dictionary):
        self.x, self.filters, self.dictionary = x, filters, dictionary

    def residual(self, y):
        return self.x if y is None else torch.addmm(self.x, y, self.dictionary, alpha=-1)

    def correlate(self, y):
        return self.residual(y) @ self.filters.mT

    def backward(self, grad_c, y, grads):
        """Add to the gradients of x, W_e, D; return that of y (None if y is None)."""
        grad_r = grad_c @ self.filters
        grads.x += grad_r
        grads.filters.addmm_(grad_c.mT, self.residual(y))
        if y is None:
            return None
        grads.second.addmm_(y.mT, grad_r, alpha=-1)
        return (grad_r @ self.dictionary.mT).neg_()


class _Free:
    """``c(y) = W_e x - G y`` with ``S = I - G`` a parameter of its own."""

    def __init__(self, x, filters, inhibition):
        self.x, self.filters, self.inhibition = x, filters, inhibition
        self.projected = x @ filters.mT

    def correlate(self, y):
        if y is None:
            return self.projected.clone()
        return torch.addmm(self.projected, y, self.inhibition.mT, alpha=-1)

    def backward(self, grad_c, y, grads):
        grads.x.addmm_(grad_c, self.filters)
        grads.filters.addmm_(grad_c.mT, self.x)
        if y is None:
            return None
        grads.second.addmm_(grad_c.mT, y, alpha=-1)
        return (grad_c @ self.inhibition).neg_()


class _Gradients:
    """Accumulators for one backward pass."""

    def __init__(self, x, filters, second, thresholds, n_steps):
        self.x_all = torch.zeros_like(x)
        self.x = None
        self.filters = torch.zeros_like(filters)
        self.second = torch.zeros_like(second)
        self.thresholds = torch.zeros_like(thresholds)
        self.momentum = x.new_zeros(n_steps)
        self.gains = x.new_zeros(n_steps)
        self.threshold_gains = x.new_zeros(n_steps)


def _chunks(n_rows, device):
    size = _CHUNK if device.type == "cpu" else max(n_rows, 1)
    return [slice(s, min(s + size, n_rows)) for s in range(0, n_rows, size)]


def _rows(thresholds, chunk):
    return thresholds[chunk] if thresholds.ndim == 2 else thresholds


def _extrapolate(z, z_before, weight):
    """``y_t`` from the last two iterates; ``None`` stands for zero."""
    if z is None or weight == 0:
        return z
    return z * (1 + weight) if z_before is None else torch.lerp(z_before, z, 1 + weight)


class _UnrolledISTA(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx, x, filters, second, thresholds, momentum, gains, threshold_gains, coupled
    ):
        rollout = _Coupled if coupled else _Free
        schedule = _schedule(momentum, gains, threshold_gains)
        keep = any(ctx.needs_input_grad)
        n_kept = len(schedule) if keep else min(len(schedule), 3)
        iterates = x.new_empty(n_kept, len(x), len(filters))
        for chunk in _chunks(len(x), x.device):
            step = rollout(x[chunk], filters, second)
            theta = _rows(thresholds, chunk)
            z = z_before = None
            for t, (beta, gain, theta_gain) in enumerate(schedule):
                y = _extrapolate(z, z_before, beta)
                u = step.correlate(y)
                u = u.mul_(gain) if y is None else torch.add(y, u, alpha=gain, out=u)
                scaled = theta * (gain * theta_gain)
                z_before, z = z, iterates[t % n_kept, chunk]
                torch.sub(u, torch.clamp(u, -scaled, scaled), out=z)  # h_theta, Eq. 2
        last = iterates[(len(schedule) - 1) % n_kept]
        ctx.coupled = coupled
        if keep:
            ctx.save_for_backward(
                x, filters, second, thresholds, momentum, gains, threshold_gains, iterates
            )
            return last.clone()
        return last

    @staticmethod
    def backward(ctx, grad_codes):
        *inputs, iterates = ctx.saved_tensors
        x, filters, second, thresholds, *scalars = inputs
        schedule = _schedule(*scalars)
        grads = _Gradients(x, filters, second, thresholds, len(schedule))
        rollout = _Coupled if ctx.coupled else _Free
        for chunk in _chunks(len(x), x.device):
            grads.x = grads.x_all[chunk]
            _backward_chunk(
                rollout(x[chunk], filters, second),
                iterates[:, chunk],
                _rows(thresholds, chunk),
                _rows(grads.thresholds, chunk),
                schedule,
                grad_codes[chunk].clone(),
                grads,
            )
        return (
            grads.x_all,
            grads.filters,
            grads.second,
            grads.thresholds,
            grads.momentum,
            grads.gains,
            grads.threshold_gains,
            None,
        )


def _schedule(momentum, gains, threshold_gains):
    return list(
        zip(momentum.tolist(), gains.tolist(), threshold_gains.tolist(), strict=True)
    )


def _backward_chunk(step, iterates, theta, grad_theta, schedule, grad_z, grads):
    """Reverse the steps of one chunk of signals; only active atoms pass a gradient."""
    grad_before = None
    for t in reversed(range(len(schedule))):
        beta, gain, theta_gain = schedule[t]
        z_next = iterates[t]
        z = iterates[t - 1] if t > 0 else None
        z_before = iterates[t - 2] if t > 1 else None
        y = _extrapolate(z, z_before, beta)

        sign = torch.sign(z_next)
        grad_u = grad_z.mul_(sign.abs())
        pull = sign.mul_(grad_u)  # minus the gradient of the scaled threshold
        _add_threshold_gradients(pull, theta, grad_theta, gain, theta_gain, t, grads)
        # d z_next / d gain = c - sign theta_gain theta = (z_next - y) / gain
        change = (grad_u * (z_next if y is None else z_next - y)).sum()
        grads.gains[t] += change / gain
        grad_c = grad_u * gain
        grad_y = step.backward(grad_c, y, grads)
        if y is None:
            return
        grad_y.add_(grad_u)
        if t > 0:
            delta = z if z_before is None else z - z_before
            grads.momentum[t] += (grad_y * delta).sum()
        grad_z = grad_y if beta == 0 else grad_y * (1 + beta)
        if grad_before is not None:
            grad_z = grad_z.add_(grad_before)
        grad_before = None if beta == 0 else grad_y.mul_(-beta)


def _add_threshold_gradients(pull, theta, grad_theta, gain, theta_gain, t, grads):
    """Add what the scaled threshold ``gain * theta_gain * theta`` passes back.

    Its share in the gradient of ``gain`` is counted by the caller.
    """
    weighted = (pull * theta).sum()
    grads.threshold_gains[t] -= weighted * gain
    if theta.ndim == 2:
        grad_theta.sub_(pull, alpha=gain * theta_gain)
    else:
        grad_theta.sub_(pull.sum(0), alpha=gain * theta_gain)
