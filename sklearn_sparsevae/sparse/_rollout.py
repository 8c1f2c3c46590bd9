"""The unrolled shrinkage iteration as one function with a fused backward pass.

Written step by step under autograd, a rollout stores about six tensors of the size of
the codes for every step. Here the backward pass is written out by hand: forward keeps
only the iterates, and none where no gradient is asked for; everything else is rebuilt
from them, and on the CPU both passes go through the signals in chunks that stay in the
cache. With ``G = I - S``, a step is::

    y  = z + beta (z - z_before)                        extrapolation, none in ISTA
    u  = y + gain c(y),   c(y) = W_e x - G y
    z' = h(u, gain theta_gain theta)                    soft threshold
"""

import functools

import torch

# Rows handled together on the CPU: 1024 codes of 512 atoms are 2 MiB, a core's cache.
_CHUNK = 1024


class _Coupled:
    """``c(y) = W_e (x - y D)``: S is tied to the filters and the dictionary."""

    def __init__(self, x, filters, dictionary):
        self.x, self.filters, self.dictionary = x, filters, dictionary

    def residual(self, y):
        return (
            self.x if y is None else torch.addmm(self.x, y, self.dictionary, alpha=-1)
        )

    def gradient_step(self, y, gain, out):
        """Write ``y + gain c(y)`` to ``out``."""
        start, beta = (out, 0) if y is None else (y, 1)
        residual, filters = self.residual(y), self.filters.mT
        torch.addmm(start, residual, filters, beta=beta, alpha=gain, out=out)

    def backward(self, grad_c, y, grads, out):
        """Add to the gradients of x, W_e, D; write minus that of y to ``out``."""
        grad_r = grad_c @ self.filters
        grads.x += grad_r
        grads.filters.addmm_(grad_c.mT, self.residual(y))
        if y is not None:
            grads.second.addmm_(y.mT, grad_r, alpha=-1)
            torch.mm(grad_r, self.dictionary.mT, out=out)


class _Free:
    """``c(y) = W_e x - G y`` with ``S = I - G`` a parameter of its own."""

    def __init__(self, x, filters, inhibition):
        self.x, self.filters, self.inhibition = x, filters, inhibition

    @functools.cached_property
    def start(self):
        """``W_e x``, the same at every step."""
        return self.x @ self.filters.mT

    @functools.cached_property
    def grad_start(self):
        return self.x.new_zeros(len(self.x), len(self.filters))

    def gradient_step(self, y, gain, out):
        if y is None:
            torch.mul(self.start, gain, out=out)
        else:
            torch.addmm(self.start, y, self.inhibition.mT, alpha=-1, out=out)
            torch.add(y, out, alpha=gain, out=out)

    def backward(self, grad_c, y, grads, out):
        self.grad_start += grad_c
        if y is not None:
            grads.second.addmm_(grad_c.mT, y, alpha=-1)
            torch.mm(grad_c, self.inhibition, out=out)
        else:  # the first step, which is the last to be reversed
            grads.x.addmm_(self.grad_start, self.filters)
            grads.filters.addmm_(self.grad_start.mT, self.x)


class _Gradients:
    """Accumulators for one backward pass; None for scalars of steps not asked for."""

    def __init__(self, x, filters, second, thresholds, scalars, asked):
        self.x_all = torch.zeros_like(x)
        self.x = None
        self.filters = torch.zeros_like(filters)
        self.second = torch.zeros_like(second)
        self.thresholds = torch.zeros_like(thresholds)
        self.momentum, self.gains, self.threshold_gains = (
            torch.zeros_like(scalar) if wanted else None
            for scalar, wanted in zip(scalars, asked, strict=True)
        )


def _chunks(n_rows, device):
    size = _CHUNK if device.type == "cpu" else max(n_rows, 1)
    return [slice(s, min(s + size, n_rows)) for s in range(0, n_rows, size)]


def _rows(thresholds, chunk):
    return thresholds[chunk] if thresholds.ndim == 2 else thresholds


def _extrapolate(z, z_before, weight, out):
    """``y_t`` from the last two iterates; ``None`` stands for zero."""
    if z is None or weight == 0:
        return z
    if z_before is None:
        return torch.mul(z, 1 + weight, out=out)
    return torch.lerp(z_before, z, 1 + weight, out=out)


class UnrolledISTA(torch.autograd.Function):
    """All steps; the arguments are those of `unrolled_ista`, in its order."""

    @staticmethod
    def forward(
        ctx,
        x,
        filters,
        second,
        thresholds,
        momentum,
        gains,
        threshold_gains,
        coupled,
        keep,
    ):
        ctx.rollout = _Coupled if coupled else _Free
        keep = keep and any(ctx.needs_input_grad)
        schedule = _schedule(momentum, gains, threshold_gains)
        codes = x.new_empty(len(x), len(filters))
        earlier = x.new_empty(len(schedule) - 1 if keep else 0, *codes.shape)
        chunks = _chunks(len(x), x.device)
        scratch = _scratch(5, chunks, filters)
        for chunk in chunks:
            *last_two, y_out, u, work = (b[: len(x[chunk])] for b in scratch)
            iterates = earlier[:, chunk] if keep else last_two * len(schedule)
            _forward_chunk(
                ctx.rollout(x[chunk], filters, second),
                [*iterates[: len(schedule) - 1], codes[chunk]],
                _rows(thresholds, chunk),
                schedule,
                (y_out, u, work),
            )
        if keep:
            inputs = x, filters, second, thresholds, momentum, gains, threshold_gains
            ctx.save_for_backward(*inputs, earlier, codes)
        return codes

    @staticmethod
    def backward(ctx, grad_codes):
        *inputs, earlier, codes = ctx.saved_tensors
        x, filters, second, thresholds, *scalars = inputs
        schedule = _schedule(*scalars)
        asked = ctx.needs_input_grad[4:7]
        grads = _Gradients(x, filters, second, thresholds, scalars, asked)
        chunks = _chunks(len(x), x.device)
        scratch = _scratch(5, chunks, filters)
        for chunk in chunks:
            grads.x = grads.x_all[chunk]
            _backward_chunk(
                ctx.rollout(x[chunk], filters, second),
                [*earlier[:, chunk], codes[chunk]],
                _rows(thresholds, chunk),
                _rows(grads.thresholds, chunk),
                schedule,
                grad_codes[chunk],
                grads,
                [buffer[: len(grads.x)] for buffer in scratch],
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
            None,
        )


def _schedule(momentum, gains, threshold_gains):
    return list(
        zip(momentum.tolist(), gains.tolist(), threshold_gains.tolist(), strict=True)
    )


def _scratch(n_buffers, chunks, filters):
    """Buffers for one chunk of codes: fresh ones of this size cost page faults."""
    n_rows = max((c.stop - c.start for c in chunks), default=0)
    return filters.new_empty(n_buffers, n_rows, len(filters))


def _forward_chunk(step, iterates, theta, schedule, scratch):
    """Write the steps of one chunk of signals to the iterates, a buffer for each."""
    y_out, u, work = scratch
    # y is not needed any more where the bounds are.
    bounds = (y_out, work) if theta.ndim == 2 else theta.new_empty(2, len(theta))
    z = z_before = None
    for z_next, (beta, gain, theta_gain) in zip(iterates, schedule, strict=True):
        y = _extrapolate(z, z_before, beta, y_out)
        step.gradient_step(y, gain, u)  # [SC-VAE Eq. 2], W_e x + S y
        for bound, sign in zip(bounds, (-1, 1), strict=True):
            torch.mul(theta, sign * gain * theta_gain, out=bound)
        torch.clamp(u, *bounds, out=z_next)
        torch.sub(u, z_next, out=z_next)  # [SC-VAE Eq. 2], h_theta
        z_before, z = z, z_next


def _backward_chunk(step, iterates, theta, grad_theta, schedule, grad, grads, scratch):
    """Reverse the steps of one chunk of signals.

    In the notation of the module, with ``s = sign(z')``, zero where an atom is off::

        grad u = s^2 grad z'         grad theta -= gain theta_gain s grad z'
        grad c = gain grad u         grad y = grad u - G^T grad c
        grad z = (1 + beta) grad y   grad z_before = -beta grad y
    """
    grad_z, grad_before, grad_y, y_out, work = scratch
    extrapolated = any(beta for beta, _, _ in schedule)
    grad_z.copy_(grad)
    grad_before.zero_()
    for t in reversed(range(len(schedule))):
        beta, gain, theta_gain = schedule[t]
        z_next = iterates[t]
        z = iterates[t - 1] if t > 0 else None
        z_before = iterates[t - 2] if t > 1 else None
        y = _extrapolate(z, z_before, beta, y_out)

        sign = torch.sign(z_next, out=work)
        signed = grad_z.mul_(sign)  # minus the gradient of the threshold
        total = signed if theta.ndim == 2 else signed.sum(0)
        grad_theta.sub_(total, alpha=gain * theta_gain)
        if grads.threshold_gains is not None:
            grads.threshold_gains[t] -= gain * _dot(total, theta)
        grad_u = signed.mul_(sign)
        if grads.gains is not None:
            # d z_next / d gain = c - sign theta_gain theta = (z_next - y) / gain
            grads.gains[t] += (_dot(grad_u, z_next) - _dot(grad_u, y)) / gain

        grad_c = grad_u if gain == 1 else torch.mul(grad_u, gain, out=work)
        step.backward(grad_c, y, grads, grad_y)
        if y is None:
            return
        torch.sub(grad_u, grad_y, out=grad_y)
        if grads.momentum is not None:
            grads.momentum[t] += _dot(grad_y, z) - _dot(grad_y, z_before)
        if extrapolated:
            torch.add(grad_before, grad_y, alpha=1 + beta, out=grad_z)
            torch.mul(grad_y, -beta, out=grad_before)
        else:
            grad_z, grad_y = grad_y, grad_z


def _dot(a, b):
    """Sum of products; ``None`` stands for zero."""
    return 0.0 if b is None else torch.dot(a.reshape(-1), b.reshape(-1))
