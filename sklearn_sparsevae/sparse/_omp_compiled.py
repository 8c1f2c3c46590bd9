"""The inner loop of ``batch_omp`` for the CPU, compiled by numba."""

import numba
import numpy as np
import torch

# Loops over atoms become vector code, since none adds up floats. So no fast arithmetic
# is needed, with which results would change with what else is compiled beside them.
_compiled = numba.njit(nogil=True, cache=True, error_model="numpy")


@_compiled
def _largest(bits):
    """Index of the largest of scores that are not negative, the first if tied.

    Such floats order like their bits, and of integers both loops become vector code.
    """
    best = bits[0]
    for k in range(len(bits)):
        best = max(best, bits[k])
    none = np.int32(len(bits))
    first = none
    for k in range(len(bits)):
        first = min(first, np.int32(k) if bits[k] == best else none)
    return first


@_compiled
def _score_omp(alpha, scores):
    """Fill ``scores`` with the absolute correlations."""
    for k in range(len(alpha)):
        scores[k] = abs(alpha[k])


@_compiled
def _score_ols(alpha, powers, floor, least, diagonal, asked, scores):
    """Fill ``scores`` with what each atom, once refitted, takes from the residual.

    Beyond what is ``asked`` of it, that is; 0 where it is less.
    """
    nothing = scores.dtype.type(0)
    for k in range(len(alpha)):
        square = alpha[k] * alpha[k]
        usable = (powers[k] > floor * diagonal[k]) & (square > least * diagonal[k])
        beyond = square / powers[k] - asked[k]
        scores[k] = beyond if usable & (beyond > nothing) else nothing


@_compiled
def _orthogonalize(gram, atom, cholesky, size, basis):
    """Row ``size`` of the basis: that of the Gram matrix without the rows before it.

    Four rows at a time, so that the new one is read and written a quarter as often.
    """
    for k in range(len(gram)):
        basis[size, k] = gram[atom, k]
    for s in range(0, size - 3, 4):
        w0, w1 = cholesky[size, s], cholesky[size, s + 1]
        w2, w3 = cholesky[size, s + 2], cholesky[size, s + 3]
        for k in range(len(gram)):
            first = w0 * basis[s, k] + w1 * basis[s + 1, k]
            basis[size, k] -= first + (w2 * basis[s + 2, k] + w3 * basis[s + 3, k])
    for s in range(size // 4 * 4, size):
        for k in range(len(gram)):
            basis[size, k] -= cholesky[size, s] * basis[s, k]
    scale = basis.dtype.type(1) / cholesky[size, size]  # 1 / x would be a float64
    for k in range(len(gram)):
        basis[size, k] *= scale


@_compiled
def _code_row(alpha, energy, gram, asked, rule, ols, found, values, work):
    """Code one signal from its correlations ``alpha``, which are used up.

    Whole arrays are indexed, since every view of one costs two atomic counts.
    """
    tol, tiny, floor, diagonal = rule
    # Row s of the basis: correlations of the s-th orthonormalised atom with all atoms.
    basis, cholesky, projections, powers, scores, bits = work
    if ols:
        powers[:] = diagonal
    least = tiny * energy
    size, rest = 0, energy
    while size < len(found) and rest > tol:
        if ols:
            _score_ols(alpha, powers, floor, least, diagonal, asked, scores)
        else:
            _score_omp(alpha, scores)
        for s in range(size):
            scores[found[s]] = 0
        atom = _largest(bits)  # [LASERS Eq. 19]
        if ols and scores[atom] == 0:
            break

        pivot = diagonal[atom]
        for s in range(size):
            cholesky[size, s] = basis[s, atom]  # solves L w = G_I,j
            pivot -= basis[s, atom] * basis[s, atom]
        square = alpha[atom] * alpha[atom]
        if pivot <= floor * diagonal[atom] or square <= least * diagonal[atom]:
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
def _code_rows(alphas, energies, gram, asked, rule, ols, found, values, scores, bits):
    n_steps, n_atoms = found.shape[1], len(gram)
    work = (
        np.empty((n_steps, n_atoms), gram.dtype),
        np.empty((n_steps, n_steps), gram.dtype),
        np.empty(n_steps, gram.dtype),
        np.empty(n_atoms, gram.dtype),
        scores,
        bits,
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
    asked = torch.as_tensor(min_decrease, dtype=alphas.dtype)
    if asked.ndim == 0:  # the same of all atoms and signals
        asked = asked.expand(1, len(gram)).contiguous()
    alphas, energies, gram, asked, found, values = (
        tensor.numpy() for tensor in (alphas, energies, gram, asked, found, values)
    )
    rule = *map(gram.dtype.type, (tol, tiny, floor)), gram.diagonal().copy()
    scores = np.empty(len(gram), gram.dtype)
    bits = scores.view(f"i{gram.itemsize}")
    _code_rows(alphas, energies, gram, asked, rule, ols, found, values, scores, bits)
