"""The inner loop of ``batch_omp`` for the CPU, compiled by numba."""

from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
import torch


@numba.njit(nogil=True, cache=True, fastmath={"reassoc", "contract", "nsz", "nnan"})
def _code_rows(alphas, energies, gram, diagonal, tol, tiny, floor, ols, found, values):
    """Code one signal after the other; fills ``found`` and ``values``.

    ``alphas`` is used up. The names are those of LASERS' Algorithm 1. All sums over
    atoms run over contiguous rows.
    """
    n_steps, n_atoms = found.shape[1], len(gram)
    # Row s: correlation of every atom with the s-th orthonormalised atom.
    basis = np.empty((n_steps, n_atoms), gram.dtype)
    cholesky = np.empty((n_steps, n_steps), gram.dtype)
    projections = np.empty(n_steps, gram.dtype)
    scores = np.empty(n_atoms, gram.dtype)
    powers = np.empty(n_atoms, gram.dtype)
    for row in range(len(alphas)):
        alpha, selected = alphas[row], found[row]
        rest = energies[row]
        powers[:] = diagonal
        size = 0
        while size < n_steps and rest > tol:
            if ols:
                for k in range(n_atoms):
                    usable = powers[k] > floor * diagonal[k]
                    scores[k] = alpha[k] * alpha[k] / powers[k] if usable else 0
            else:
                for k in range(n_atoms):
                    scores[k] = abs(alpha[k])
            best = scores[0]
            for k in range(n_atoms):
                best = max(best, scores[k])
            atom = 0
            while atom < n_atoms - 1 and scores[atom] != best:
                atom += 1  # Eq. 19

            pivot = diagonal[atom]
            for s in range(size):
                weight = basis[s, atom]  # solves L w = G_I,j
                cholesky[size, s] = weight
                pivot -= weight * weight
            gain = alpha[atom] * alpha[atom]
            if pivot <= floor * diagonal[atom] or gain <= tiny * energies[row] * pivot:
                break
            pivot = np.sqrt(pivot)
            cholesky[size, size] = pivot
            projection = alpha[atom] / pivot
            projections[size] = projection
            rest -= projection * projection
            selected[size] = atom  # Eq. 20

            new = basis[size]
            new[:] = gram[atom]
            for s in range(size):
                weight = cholesky[size, s]
                for k in range(n_atoms):
                    new[k] -= weight * basis[s, k]
            for k in range(n_atoms):
                new[k] /= pivot
                alpha[k] -= projection * new[k]  # Eq. 22
            if ols:
                for k in range(n_atoms):
                    powers[k] -= new[k] * new[k]
                powers[atom] = 0
            size += 1
            for s in range(size):
                alpha[selected[s]] = 0

        for s in range(size - 1, -1, -1):  # Eq. 21: L^T gamma = projections
            value = projections[s]
            for t in range(s + 1, size):
                value -= cholesky[t, s] * values[row, t]
            values[row, s] = value / cholesky[s, s]


def code_rows(*, alphas, energies, gram, tol, tiny, floor, ols, found, values):
    """Fill ``found`` and ``values`` (N, S) from the correlations ``alphas`` (N, K)."""
    gram = gram.numpy()
    diagonal = gram.diagonal().copy()
    arrays = [t.numpy() for t in (alphas, energies, found, values)]
    scalars = [gram.dtype.type(v) for v in (tol, tiny, floor)]

    def run(part):
        a, e, f, v = (array[part] for array in arrays)
        _code_rows(a, e, gram, diagonal, *scalars, ols, f, v)

    n_threads = min(torch.get_num_threads(), len(found))
    edges = np.linspace(0, len(found), n_threads + 1).astype(int)
    parts = [slice(a, b) for a, b in zip(edges[:-1], edges[1:], strict=True)]
    if n_threads == 1:
        run(parts[0])
    else:
        with ThreadPoolExecutor(n_threads) as pool:
            list(pool.map(run, parts))
