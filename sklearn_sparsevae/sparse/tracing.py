"""What stands for the loops of this folder while a model is traced into a graph.

A graph, such as an ONNX file, has neither branches nor loops that look at numbers, no
numba, and no decompositions of matrices. Inside ``tracing()`` functions under
`traced_as` give way to forms of plain tensor operations, which compute the same up to
rounding; kernels know nothing of it. Those under `constant_when_traced`, which depend
on parameters alone, are computed beforehand: run the model once inside
``recording(constants)``, then trace it inside ``tracing(constants)``.
"""

import contextlib
import functools
import threading

import torch
from torch.nn import functional as F

# As in `batch_omp`.
_PIVOT_FLOOR = 32


class _State(threading.local):
    active = False
    found = None  # constants, in the order in which they were computed
    known = None  # the same, as an iterator, for those who ask again


_state = _State()


def is_tracing():
    """Whether what runs in this thread has to be fit for a graph."""
    return _state.active


@contextlib.contextmanager
def recording(constants):
    """Run the traced forms, and append to a list what is to be a constant."""
    with _set(active=True, found=constants):
        yield


@contextlib.contextmanager
def tracing(constants):
    """Run the traced forms, with the constants that `recording` found."""
    with _set(active=True, known=iter(constants)):
        yield


@contextlib.contextmanager
def _set(**attributes):
    _state.__dict__.update(attributes)
    try:
        yield
    finally:
        _state.__dict__.clear()


def traced_as(form):
    """Let a function of the same arguments take the place of one in a trace."""

    def decorate(function):
        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            return (form if _state.active else function)(*args, **kwargs)

        return wrapper

    return decorate


def constant_when_traced(function):
    """Let a function of parameters alone be a constant in a trace."""

    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        if _state.known is not None:
            return next(_state.known)
        result = function(*args, **kwargs)
        if _state.found is not None:
            _state.found.append(result)
        return result

    return wrapper


def row_products(rows, matrix):
    """Form of `row_products`: how many rows there are is not known in a graph."""
    return rows @ matrix.mT


def nearest_code(signals, codebook, *, check_finite=True):
    """Form of `nearest_code`, which is centred at the mean."""
    center = codebook.mean(0)
    codebook = codebook - center
    half_norms = codebook.square().sum(1) / 2
    return ((signals - center) @ codebook.mT - half_norms).argmax(1)


def batch_omp(
    signals,
    dictionary,
    n_nonzero_coefs,
    tol=None,
    *,
    selection="omp",
    min_decrease=0.0,
    check_finite=True,
):
    """Form of `batch_omp`: the same rules, with atoms orthonormalised one by one.

    With q_s the s-th atom selected, orthonormalised against those before it, a step
    takes ``<x, q_s> <q_s, d_k>`` from the correlations, and ``<q_s, d_k>^2`` from what
    is left of the atoms.
    """
    n_steps = min(n_nonzero_coefs, *dictionary.shape)
    eps = torch.finfo(signals.dtype).eps
    ols, tol = selection == "ols", 0.0 if tol is None else tol
    norms = dictionary.square().sum(1)
    energy = signals.square().sum(1, keepdim=True)
    numbers = torch.arange(len(dictionary), device=signals.device)

    def step(state, place):
        """Take an atom of each signal; ``place`` (S,) is one at the step's number."""
        correlations, powers, free, alive, rest, basis, combinations, values = state
        if ols:
            usable = free & (powers > _PIVOT_FLOOR * eps * norms)
            usable = usable & (correlations.square() > eps * energy * norms)
            scores = correlations.square() / torch.where(usable, powers, 1.0)
            scores = torch.where(usable, scores - min_decrease, 0.0).clamp(min=0)
        else:
            scores = torch.where(free, correlations.abs(), 0.0)
        atom = scores.argmax(1, keepdim=True)  # [LASERS Eq. 19]
        if ols:
            alive = alive & (scores.gather(1, atom) > 0)
        row = dictionary[atom[:, 0]]
        least = _PIVOT_FLOOR * eps * row.square().sum(1, keepdim=True)
        overlaps = row[:, None] @ basis.mT
        row = row - (overlaps @ basis)[:, 0]
        combination = place - (overlaps @ combinations)[:, 0]
        pivot = row.square().sum(1, keepdim=True)
        correlation = correlations.gather(1, atom)
        alive = alive & (rest > tol) & (pivot > least)
        alive = alive & (correlation.square() > eps * energy * norms[atom])
        if not ols:
            alive = alive & (correlation.square() > min_decrease * pivot)
        scale = torch.where(alive, pivot, torch.inf).rsqrt()
        row, combination = row * scale, combination * scale
        projection = torch.where(alive, correlation, 0.0) * scale
        shadow, here = F.linear(row, dictionary), place[:, None] > 0
        state = (
            correlations - projection * shadow,  # [LASERS Eq. 22]
            powers - shadow.square(),
            free & (numbers != atom),
            alive,
            rest - projection.square(),
            torch.where(here, row[:, None], basis),
            torch.where(here, combination[:, None], combinations),
            values + projection * combination,  # [LASERS Eq. 21]
        )
        return state, torch.where(alive, atom, -1)[:, 0]

    correlations = signals @ dictionary.mT
    values = correlations[:, :1] * signals.new_zeros(n_steps)
    state = (
        correlations,
        norms + torch.zeros_like(correlations),
        torch.ones_like(correlations, dtype=torch.bool),
        torch.ones_like(energy, dtype=torch.bool),
        energy.clone(),
        values[..., None] * signals[:, None],
        values[..., None] * values[:, None],
        values,
    )
    places = torch.eye(n_steps, dtype=signals.dtype, device=signals.device)
    state, found = _repeat(step, state, places)
    return found.mT, state[-1]


def _repeat(step, state, inputs):
    """State after steps with each of the inputs, and what they gave, one a row.

    In a graph that is one loop: written out, a hundred nodes for every step would take
    minutes to export.
    """
    if _state.known is not None:
        from torch._higher_order_ops import scan  # not in every torch that we take

        return scan(step, state, inputs)
    given = []
    for row in inputs:
        state, output = step(state, row)
        given.append(output)
    return state, torch.stack(given)


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
    """Form of `unrolled_ista`: its equations, step by step."""
    ones = torch.ones_like(momentum)
    gains = ones if gains is None else gains
    threshold_gains = ones if threshold_gains is None else threshold_gains

    def step(state, scalars):
        codes, point = state
        gain, threshold_gain, next_momentum = scalars[0], scalars[1], scalars[2]
        if inhibition is None:
            change = F.linear(signals - point @ dictionary, filters)
        else:
            change = F.linear(signals, filters) - F.linear(point, inhibition)
        target = point + gain * change  # [SC-VAE Eq. 2], W_e x + S y
        bound = gain * threshold_gain * thresholds
        shrunk = target - target.clamp(-bound, bound)  # [SC-VAE Eq. 2], h_theta
        state = shrunk, shrunk + next_momentum * (shrunk - codes)
        return state, gain.clone()

    nothing = torch.zeros_like(F.linear(signals, filters))
    momentum = torch.cat([momentum[1:], momentum[:1]])  # the first is not used
    scalars = torch.stack([gains, threshold_gains, momentum], 1)
    (codes, _), _ = _repeat(step, (nothing, nothing.clone()), scalars)
    return codes
