"""Batch orthogonal matching pursuit: sparse codes of a bounded number of atoms.

Two inner loops do the same: a compiled one, which goes through the signals one by one
(on the CPU, when numba can be imported), and one in tensor operations, which goes
through the steps with all signals of a chunk at once (on any device).
"""

import contextlib
import functools
import math
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import torch
import torch.nn.functional as F

from sklearn_sparsevae.sparse import tracing
from sklearn_sparsevae.sparse._arrays import (
    Array,
    accepts_arrays,
    check_count,
    check_number,
    check_signals,
    check_tensor,
)
from sklearn_sparsevae.sparse.rows import ROW_BLOCK, argmax_of_rows, pad_rows

# Bytes of the correlations handled together: what stays in a core's cache; more where
# every step is a call of torch, and what is enough work for a device.
_BYTES = {"compiled": 2**20, "tensors": 2**22, "device": 2**28}
# The number of atoms is rounded up to a multiple of this.
_ATOM_BLOCK = 32
_SELECTIONS = ("omp", "ols")
# In units of the dtype's resolution: squared sine of the angle between an atom and the
# span of those selected before, below which the atom counts as one of the span.
_PIVOT_FLOOR = 32


@tracing.traced_as(tracing.batch_omp)
@accepts_arrays
@torch.no_grad()
def batch_omp(
    signals: Array,
    dictionary: Array,
    n_nonzero_coefs: int,
    tol: float | None = None,
    *,
    selection: Literal["omp", "ols"] = "omp",
    min_decrease: Array | float = 0.0,
    check_finite: bool = True,
) -> tuple[Array, Array]:
    """Sparse codes by batch orthogonal matching pursuit (Batch-OMP [1]_).

    Approximately minimises, for every signal x::

        ||x - z D||_2^2   subject to   ||z||_0 <= n_nonzero_coefs

    by selecting one atom after another, and refitting all coefficients after each
    (LASERS [2]_, Algorithm 1). Only correlations are updated, from the Gram matrix of
    the atoms; no residual is formed.

    A signal stops early when its residual is as small as ``tol`` asks, when the atom to
    be taken lowers it by no more than ``min_decrease``, when that atom lies in the span
    of those taken before, and when its correlation with the residual, relative to the
    norms of atom and signal, is no more than the square root of the dtype's resolution:
    what remains is rounding. So zero signals, zero atoms and repeated atoms are
    harmless. A signal's code does not depend on the other signals of the call.

    Parameters
    ----------
    signals : (n_signals, latent_dim) tensor or ndarray
        The signals x, one a row, of a floating dtype; those below float32 are coded
        in float32.
    dictionary : (n_components, latent_dim) tensor or ndarray
        The atoms, one a row, as in ``components_``; on the device of ``signals``.
        Atoms of any norm are taken as they are, so that long ones are preferred.
    n_nonzero_coefs : int
        Largest number of atoms in a code, at least 1. Not more than ``latent_dim`` and
        ``n_components`` are used.
    tol : float, default=None
        Squared norm of the residual at which a signal stops; a signal that is no larger
        itself gets an empty code. None goes on up to ``n_nonzero_coefs``.
    selection : {"omp", "ols"}, default="omp"
        Which atom is taken next: the one of largest absolute correlation with the
        residual (``"omp"``, Equation 19 of [2]_), or the one that lowers the residual
        most once all coefficients are refitted (``"ols"``, orthogonal least squares
        [3]_; smaller residuals when atoms are similar to one another).
    min_decrease : float or (n_signals, n_components) tensor or ndarray, default=0.0
        What the next atom has to lower the squared norm of the residual by. With
        ``alpha ** 2`` a signal takes atoms as long as that lowers the penalised
        ``1/2 ||x - z D||^2 + 1/2 alpha^2 ||z||_0``. With a number for each signal and
        atom (for ``"ols"`` only) the atom taken is the one whose decrease exceeds its
        number most.
    check_finite : bool, default=True
        Refuse numbers that are not finite, or whose squares are not. Without the check
        a signal that is not finite gets an empty code.

    Returns
    -------
    indices : (n_signals, S) int64 tensor or ndarray
        Atoms in the order in which they were taken, -1 after the last; S is
        ``min(n_nonzero_coefs, latent_dim, n_components)``. They are int64 because
        torch's ``gather`` and ``scatter`` take nothing else.
    values : (n_signals, S) tensor or ndarray
        Their coefficients, 0 after the last, in the dtype of ``signals``. No gradient
        flows through them.

    Raises
    ------
    TypeError
        When ``signals``, ``dictionary`` or ``min_decrease`` is no array of a floating
        dtype, or ``n_nonzero_coefs`` no integer.
    ValueError
        When the shapes do not agree, numbers are not finite, ``n_nonzero_coefs < 1``,
        ``tol`` or ``min_decrease`` is negative or ``selection`` is unknown.

    References
    ----------
    .. [1] R. Rubinstein, M. Zibulevsky, M. Elad. "Efficient implementation of the K-SVD
       algorithm using Batch Orthogonal Matching Pursuit". Technion CS-2008-08, 2008.
    .. [2] "LASERS: LAtent Space Encoding for Representations with Sparsity for
       generative modeling", Algorithm 1, Equations 19 to 22.
    .. [3] S. Chen, S. A. Billings, W. Luo. "Orthogonal least squares methods and their
       application to non-linear system identification". Int. J. Control 50(5), 1989.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_sparsevae.sparse import (batch_omp)
    >>> indices, values = batch_omp(np.array([[3.0, 0.5, 2.0]]), np.eye(3), 2)
    >>> indices
    array([[0, 2]])
    >>> values
    array([[3., 2.]])
    """
    check_signals(signals, dictionary, "dictionary", check_finite)
    check_count("n_nonzero_coefs", n_nonzero_coefs)
    if tol is not None:
        check_number("tol", tol)
    check_selection(selection)
    _check_min_decrease(min_decrease, (len(signals), len(dictionary)), selection)
    dtype = torch.promote_types(signals.dtype, torch.float32)
    n_steps = min(n_nonzero_coefs, *dictionary.shape)
    n_threads = torch.get_num_threads() if signals.device.type == "cpu" else 1
    with torch.autocast(signals.device.type, enabled=False), _one_torch_thread():
        indices, values = _code(
            signals.detach().to(dtype).contiguous(),
            dictionary.detach().to(dtype).contiguous(),
            n_steps,
            0.0 if tol is None else float(tol),
            min_decrease.detach().to(dtype).contiguous()
            if isinstance(min_decrease, torch.Tensor)
            else float(min_decrease),
            selection == "ols",
            n_threads,
        )
    return indices, values.to(signals.dtype)


def check_selection(selection):
    """Refuse what is no way to select atoms."""
    if not isinstance(selection, str) or selection not in _SELECTIONS:
        raise ValueError(f"selection must be one of {_SELECTIONS}, got {selection!r}.")


def _check_min_decrease(value, shape, selection):
    if not isinstance(value, torch.Tensor):
        check_number("min_decrease", value)
        return
    check_tensor("min_decrease", value)
    if tuple(value.shape) != shape:
        raise ValueError(
            f"min_decrease has the shape {tuple(value.shape)}, expected a number or "
            f"(n_signals, n_components) = {shape}."
        )
    if selection != "ols":
        raise ValueError(
            f"min_decrease of every signal and atom needs selection='ols', got "
            f"{selection!r}: pass one number, or select by 'ols'."
        )
    if not bool((value >= 0).all()):
        raise ValueError("min_decrease must be non-negative, got NaN or a number < 0.")


@functools.cache
def _compiled_code_rows():
    """Return the compiled inner loop, or None without numba."""
    try:
        from sklearn_sparsevae.sparse._omp_compiled import code_rows
    except (ImportError, RuntimeError):  # numba has no folder to write to
        return None
    return code_rows


def _code(signals, dictionary, n_steps, tol, min_decrease, ols, n_threads):
    """Code chunk by chunk; returns indices and values (N, S)."""
    on_cpu = signals.device.type == "cpu"
    compiled = _compiled_code_rows() if on_cpu else None
    code_rows = compiled or _code_rows
    resolution = torch.finfo(signals.dtype).eps
    # Zero atoms, which are never taken: loops over whole vectors of atoms are faster.
    n_zero = -len(dictionary) % _ATOM_BLOCK
    dictionary = F.pad(dictionary, (0, 0, 0, n_zero))
    if isinstance(min_decrease, torch.Tensor):
        min_decrease = F.pad(min_decrease, (0, n_zero))
    gram = dictionary @ dictionary.mT
    energies = signals.square().sum(1).nan_to_num_(nan=0.0, posinf=0.0)
    found = signals.new_full((len(signals), n_steps), -1, dtype=torch.int64)
    values = signals.new_zeros(len(signals), n_steps)
    path = "device" if not on_cpu else "compiled" if compiled else "tensors"
    chunk = min(
        _rounded_up(_BYTES[path] // (len(gram) * gram.element_size())),
        _rounded_up(len(signals) / n_threads),
    )

    def work(starts):
        buffer = gram.new_empty(chunk, len(gram))
        for start in starts:
            part = slice(start, start + chunk)
            code_rows(
                alphas=_correlate(signals[part], dictionary, buffer),
                energies=energies[part],
                gram=gram,
                tol=tol,
                min_decrease=min_decrease[part]
                if isinstance(min_decrease, torch.Tensor)
                else min_decrease,
                tiny=resolution,
                floor=_PIVOT_FLOOR * resolution,
                ols=ols,
                found=found[part],
                values=values[part],
            )

    _share(work, range(0, len(signals), chunk), n_threads)
    return found, values


def _share(work, starts, n_threads):
    """Let threads take the starts in turn.

    numba's own threads must not be entered by several callers at once; these may.
    """
    if n_threads == 1 or len(starts) == 1:
        work(starts)
        return
    shared = iter(starts)
    with ThreadPoolExecutor(n_threads, "omp", torch.set_num_threads, (1,)) as pool:
        list(pool.map(work, [shared] * n_threads))


@contextlib.contextmanager
def _one_torch_thread():
    """Keep torch to the calling thread; each thread has a setting of its own.

    What is done here by all signals at once takes less than waking another thread does.
    """
    outside = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(outside)


def _rounded_up(n_rows):
    return max(1, math.ceil(n_rows / ROW_BLOCK)) * ROW_BLOCK


def _correlate(signals, dictionary, buffer):
    """Correlations of signals with atoms (N, K), each row's alone."""
    padded = pad_rows(signals)
    out = buffer[: len(padded)]
    return torch.mm(padded, dictionary.mT, out=out)[: len(signals)]


def _code_rows(
    *, alphas, energies, gram, tol, min_decrease, tiny, floor, ols, found, values
):
    """Fill ``found`` and ``values`` (B, S) from the correlations ``alphas`` (B, K).

    ``alphas`` is used up. A signal that has stopped stays with zero weights, so that no
    step waits for the device. Of the arrays as large as ``alphas`` that a step makes,
    each is freed before the next: two of them the allocator would return to the system,
    and the page faults of allocating them again cost as much as all the arithmetic.
    """
    n_signals, n_steps = found.shape
    diagonal = gram.diagonal()
    # G_I = L L^T of the selected atoms I, as in Algorithm 1; row s of the inverse of L
    # gives q_s, the s-th atom orthonormalised against those before it, as a combination
    # of the rows of D_I. With p_s = <x, q_s>, the projections:
    #   gamma = L^-T p,   <d_k, x - gamma D_I> = <d_k, x> - sum_s p_s <d_k, q_s>.
    inverse = gram.new_zeros(n_steps, n_steps, n_signals)
    atoms = found.new_zeros(n_steps, n_signals)
    gamma = gram.new_zeros(n_steps, n_signals)
    alive = torch.ones_like(energies, dtype=torch.bool)
    rest = energies.clone()
    if ols:
        powers = diagonal.repeat(n_signals, 1)
        least = tiny * energies[:, None] * diagonal
    for s in range(n_steps):
        if ols:
            scores = alphas.square()
            unusable = (powers <= floor * diagonal) | (scores <= least)
            scores.div_(powers).sub_(min_decrease).masked_fill_(unusable, 0)
            scores.clamp_(min=0)
        else:
            scores = alphas.abs()
        atom = argmax_of_rows(scores)  # [LASERS Eq. 19]
        if ols:
            alive &= scores.gather(1, atom[:, None])[:, 0] > 0
        del scores
        atoms[s] = atom  # [LASERS Eq. 20]
        alpha = alphas.gather(1, atom[:, None])[:, 0]
        coupling = gram.take(atoms[:s] * len(gram) + atom)
        w = (inverse[:s, :s] * coupling).sum(1)  # solves L w = G_I,j
        pivot = diagonal[atom] - w.square().sum(0)
        alive &= (rest > tol) & (pivot > floor * diagonal[atom])
        alive &= alpha.square() > tiny * energies * diagonal[atom]
        if not ols:
            alive &= alpha.square() > min_decrease * pivot
        scale = torch.where(alive, pivot, torch.inf).rsqrt()
        inverse[s, :s] = -(w[:, None] * inverse[:s, :s]).sum(0) * scale
        inverse[s, s] = scale
        projection = torch.where(alive, alpha, 0) * scale
        rest -= projection.square()
        gamma[: s + 1] += projection * inverse[s, : s + 1]  # [LASERS Eq. 21]
        found[:, s] = torch.where(alive, atom, -1)
        if s + 1 == n_steps:
            break
        bags = atoms[: s + 1].T.contiguous()
        weights = inverse[s, : s + 1].T.contiguous()
        step = F.embedding_bag(bags, gram, per_sample_weights=weights, mode="sum")
        alphas.addcmul_(step, projection[:, None], value=-1)  # [LASERS Eq. 22]
        alphas.scatter_(1, bags, 0)
        if ols:
            powers.addcmul_(step, step, value=-1).scatter_(1, atom[:, None], 0)
        del step
    values.copy_(gamma.T)
