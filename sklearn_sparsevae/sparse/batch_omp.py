"""Batch orthogonal matching pursuit: sparse codes of a bounded number of atoms.

References
----------
.. [1] R. Rubinstein, M. Zibulevsky, M. Elad. "Efficient implementation of the K-SVD
   algorithm using Batch Orthogonal Matching Pursuit". Technion CS-2008-08.
.. [2] LASERS, Algorithm 1, Equations 19 to 22.
"""

import functools
import math

import torch
import torch.nn.functional as F

from sklearn_sparsevae.sparse._arrays import accepts_arrays

# Bytes of the correlations handled together: on the CPU what stays in a core's cache,
# elsewhere what is enough work for the device.
_CPU_BYTES = 2**21
_DEVICE_BYTES = 2**28
# Products of few rows round differently; those of a multiple of this many do not.
_ROW_BLOCK = 128
# In units of the dtype's resolution: squared sine of the angle between an atom and the
# span of those selected before, below which the atom counts as one of the span.
_PIVOT_FLOOR = 32


@accepts_arrays
@torch.no_grad()
def batch_omp(signals, dictionary, n_nonzero_coefs, tol=None, *, selection="omp"):
    """Sparse codes by batch orthogonal matching pursuit (LASERS, Algorithm 1)."""
    _check(signals, dictionary, n_nonzero_coefs, tol, selection)
    dtype = torch.promote_types(signals.dtype, torch.float32)
    n_steps = min(n_nonzero_coefs, *dictionary.shape)
    with torch.autocast(signals.device.type, enabled=False):
        indices, values = _code(
            signals.to(dtype).contiguous(),
            dictionary.to(dtype).contiguous(),
            n_steps,
            0.0 if tol is None else float(tol),
            selection == "ols",
        )
    return indices, values.to(signals.dtype)


def _check(signals, dictionary, n_nonzero_coefs, tol, selection):
    if signals.ndim != 2 or signals.shape[1] != dictionary.shape[-1]:
        raise ValueError(
            f"signals of shape {tuple(signals.shape)} do not fit a dictionary of shape "
            f"{tuple(dictionary.shape)}: expected (n_signals, {dictionary.shape[-1]}). "
            "Atoms are rows, as in components_."
        )
    if n_nonzero_coefs < 1:
        raise ValueError(f"n_nonzero_coefs must be at least 1, got {n_nonzero_coefs}.")
    if tol is not None and not tol >= 0:
        raise ValueError(f"tol must be None or non-negative, got {tol}.")
    if selection not in ("omp", "ols"):
        raise ValueError(f"selection must be 'omp' or 'ols', got {selection!r}.")


@functools.cache
def _compiled_code_rows():
    """Return the compiled inner loop, or None without numba."""
    try:
        from sklearn_sparsevae.sparse._omp_compiled import code_rows
    except ImportError:
        return None
    return code_rows


def _code(signals, dictionary, n_steps, tol, ols):
    """Code chunk by chunk; returns indices and values (N, S)."""
    on_cpu = signals.device.type == "cpu"
    code_rows = (on_cpu and _compiled_code_rows()) or _code_rows
    resolution = torch.finfo(signals.dtype).eps
    gram = dictionary @ dictionary.mT
    energies = signals.square().sum(1).nan_to_num_(nan=0.0, posinf=0.0)
    found = signals.new_full((len(signals), n_steps), -1, dtype=torch.int64)
    values = signals.new_zeros(len(signals), n_steps)
    chunk = _chunk_length(gram, _CPU_BYTES if on_cpu else _DEVICE_BYTES)
    buffer = gram.new_empty(min(chunk, _rounded_up(len(signals))), len(gram))
    for start in range(0, len(signals), chunk):
        part = slice(start, start + chunk)
        code_rows(
            alphas=_correlate(signals[part], dictionary, buffer),
            energies=energies[part],
            gram=gram,
            tol=tol,
            tiny=resolution,
            floor=_PIVOT_FLOOR * resolution,
            ols=ols,
            found=found[part],
            values=values[part],
        )
    return found, values


def _chunk_length(gram, n_bytes):
    return _rounded_up(n_bytes // (len(gram) * gram.element_size()))


def _rounded_up(n_rows):
    return max(1, math.ceil(n_rows / _ROW_BLOCK)) * _ROW_BLOCK


def _correlate(signals, dictionary, buffer):
    """Correlations of signals with atoms (N, K), a row's not depending on the others.

    The library picks another kernel for few rows, and that rounds differently.
    """
    n_signals = len(signals)
    n_padding = _rounded_up(n_signals) - n_signals
    padded = F.pad(signals, (0, 0, 0, n_padding)) if n_padding else signals
    out = buffer[: len(padded)]
    return torch.mm(padded, dictionary.mT, out=out)[:n_signals]


def _code_rows(*, alphas, energies, gram, tol, tiny, floor, ols, found, values):
    """Fill ``found`` and ``values`` (B, S) from the correlations ``alphas`` (B, K).

    ``alphas`` is used up. A signal that stops goes along with zero weights, so that no
    step waits for the device.
    """
    n_signals, n_steps = found.shape
    diagonal = gram.diagonal()
    # Row s: the s-th orthonormalised atom as a combination of the selected ones, the
    # inverse of Algorithm 1's L.
    inverse = gram.new_zeros(n_steps, n_steps, n_signals)
    atoms = found.new_zeros(n_steps, n_signals)
    gamma = gram.new_zeros(n_steps, n_signals)
    alive = torch.ones_like(energies, dtype=torch.bool)
    rest = energies.clone()
    powers = diagonal.repeat(n_signals, 1) if ols else None
    scores = torch.empty_like(alphas)
    for s in range(n_steps):
        if ols:
            torch.square(alphas, out=scores).div_(powers)
            scores.masked_fill_(powers <= floor * diagonal, 0)
        else:
            torch.abs(alphas, out=scores)
        atom = _argmax(scores)  # Eq. 19
        atoms[s] = atom  # Eq. 20
        alpha = alphas.gather(1, atom[:, None])[:, 0]
        coupling = gram.take(atoms[:s] * len(gram) + atom)
        w = (inverse[:s, :s] * coupling).sum(1)  # solves L w = G_I,j
        pivot = diagonal[atom] - w.square().sum(0)
        alive &= (rest > tol) & (pivot > floor * diagonal[atom])
        alive &= alpha.square() > tiny * energies * pivot
        scale = torch.where(alive, pivot, torch.inf).rsqrt()
        inverse[s, :s] = -(w[:, None] * inverse[:s, :s]).sum(0) * scale
        inverse[s, s] = scale
        projection = torch.where(alive, alpha, 0) * scale
        rest -= projection.square()
        gamma[: s + 1] += projection * inverse[s, : s + 1]  # Eq. 21
        found[:, s] = torch.where(alive, atom, -1)
        if s + 1 == n_steps:
            break
        step = F.embedding_bag(
            atoms[: s + 1].T.contiguous(),
            gram,
            per_sample_weights=inverse[s, : s + 1].T.contiguous(),
            mode="sum",
        )
        alphas.addcmul_(step, projection[:, None], value=-1)  # Eq. 22
        alphas.scatter_(1, atoms[: s + 1].T, 0)
        if ols:
            powers.addcmul_(step, step, value=-1).scatter_(1, atom[:, None], 0)
    values.copy_(gamma.T)


def _argmax(scores):
    """First largest entry of every row; numpy is several times faster on the CPU."""
    if scores.device.type == "cpu":
        return torch.from_numpy(scores.numpy().argmax(1))
    return scores.argmax(1)
