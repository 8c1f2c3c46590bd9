"""The inner loop of ``batch_omp`` for the CPU, compiled by numba."""

import numba
import numpy as np
import torch

# Sums and products may be reordered, so that loops over atoms become vector code.
_compiled = numba.njit(
    nogil=True,
    cache=True,
    error_model="numpy",
    fastmath={"reassoc", "contract", "nsz", "nnan"},
)


@_compiled
def _largest(scores):
    """Index of the largest of the non-negative ``scores`` (float64), the first if tied.

    Floats that are not negative order like their bits. The last bits, which float32
    leaves zero, give way to the index: one reduction that becomes vector code.
    """
    n = len(scores)
    low = 1
    while low <= n:
        low *= 2
    low -= 1
    bits = scores.view(np.int64)
    best = 0
    for k in range(n):
        best = max(best, (bits[k] & ~low) | (n - k))
    return n - (best & low)


@_compiled
def _score_omp(alpha, scores):
    """Fill ``scores`` with the absolute correlations."""
    for k in range(len(alpha)):
        scores[k] = abs(alpha[k])


@_compiled
def _score_ols(alpha, powers, limits, diagonal, least, asked, scores):
    """Fill ``scores`` with what each atom, once refitted, takes from the residual.

    Beyond what is ``asked`` of it, that is; 0 where it is less.
    """
    for k in range(len(alpha)):
        square = alpha[k] * alpha[k]
        usable = (powers[k] > limits[k]) & (square > least * diagonal[k])
        beyond = square / powers[k] - asked[k]
        scores[k] = beyond if usable & (beyond > 0) else 0.0


@_compiled
def _orthogonalize(gram, atom, cholesky, size, basis):
    """Row ``size`` of the basis: that of the Gram matrix without the rows before it."""
    scale = basis.dtype.type(1) / cholesky[size, size]  # 1 / x would be a float64
    for k in range(len(gram)):
        basis[size, k] = scale * gram[atom, k]
    for s in range(size):
        weight = scale * cholesky[size, s]
        for k in range(len(gram)):
            basis[size, k] -= weight * basis[s, k]


@_compiled
def _code_row(alpha, energy, gram, asked, rule, ols, found, values, work):
    """Code one signal from its correlations ``alpha``, which are used up.

    Whole arrays are indexed, since every view of one costs two atomic counts.
    """
    tol, tiny, diagonal, limits = rule
    # Row s of the basis: correlations of the s-th orthonormalised atom with all atoms.
    basis, cholesky, projections, powers, scores = work
    if ols:
        powers[:] = diagonal
    least = tiny * energy
    size, rest = 0, energy
    while size < len(found) and rest > tol:
        if ols:
            _score_ols(alpha, powers, limits, diagonal, least, asked, scores)
        else:
            _score_omp(alpha, scores)
        for s in range(size):
            scores[found[s]] = 0
        atom = _largest(scores)  # [LASERS Eq. 19]
        if ols and scores[atom] == 0:
            break

        pivot = diagonal[atom]
        for s in range(size):
            cholesky[size, s] = basis[s, atom]  # solves L w = G_I,j
            pivot -= basis[s, atom] * basis[s, atom]
        square = alpha[atom] * alpha[atom]
        if pivot <= limits[atom] or square <= least * diagonal[atom]:
            break
        if not ols and square <= asked[atom] * pivot:
            break
        cholesky[size, size] = np.sqrt(pivot)
        projection = alpha[atom] / cholesky[size, size]
        projections[size] = projection
        rest -= projection * projection
        found[size] = atom  # [LASERS Eq. 20]
        if size + 1 < len(found):
            _orthogonalize(gram, atom, cholesky, size, basis)
            for k in range(len(alpha)):
                alpha[k] -= projection * basis[size, k]  # [LASERS Eq. 22]
            if ols:
                for k in range(len(alpha)):
                    powers[k] -= basis[size, k] * basis[size, k]
        size += 1

    for s in range(size - 1, -1, -1):  # [LASERS Eq. 21]: L^T gamma = projections
        value = projections[s]
        for t in range(s + 1, size):
            value -= cholesky[t, s] * values[t]
        values[s] = value / cholesky[s, s]


@_compiled
def _code_rows(alphas, energies, gram, asked, rule, ols, found, values):
    n_steps, n_atoms = found.shape[1], len(gram)
    work = (
        np.empty((n_steps, n_atoms), gram.dtype),
        np.empty((n_steps, n_steps), gram.dtype),
        np.empty(n_steps, gram.dtype),
        np.empty(n_atoms, gram.dtype),
        np.empty(n_atoms),
    )
    for i in range(len(alphas)):
        _code_row(
            alphas[i],
            energies[i],
            gram,
            asked[i if len(asked) > 1 else 0],
            rule,
            ols,
            found[i],
            values[i],
            work,
        )


def code_rows(
    *, alphas, energies, gram, tol, min_decrease, tiny, floor, ols, found, values
):
    """Fill ``found`` and ``values`` (B, S) from the correlations ``alphas`` (B, K).

    The arguments are tensors of one dtype on the CPU; ``alphas`` is used up.
    """
    dtype = alphas.numpy().dtype.type
    diagonal = gram.diagonal().numpy().copy()
    rule = *map(dtype, (tol, tiny)), diagonal, dtype(floor) * diagonal
    asked = torch.as_tensor(min_decrease, dtype=alphas.dtype)
    if asked.ndim == 0:  # the same of all atoms and signals
        asked = asked.expand(1, len(gram)).contiguous()
    alphas, energies, gram, asked, found, values = (
        tensor.numpy() for tensor in (alphas, energies, gram, asked, found, values)
    )
    _code_rows(alphas, energies, gram, asked, rule, ols, found, values)
