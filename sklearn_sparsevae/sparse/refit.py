"""Coefficients of atoms that have been selected, and what each of them is worth."""

import torch

from sklearn_sparsevae.sparse._arrays import (
    accepts_arrays,
    check_atoms,
    check_signals,
    check_tensor,
    in_float,
)

# Added to the Gram matrix of selected atoms, whose diagonal is about 1: float32 cannot
# factorise one whose smallest eigenvalue is below its rounding.
_RIDGE = 1e-6


@accepts_arrays
def refit(signals, dictionary, indices):
    """Least-squares coefficients of given atoms, differentiable in signals and atoms.

    Minimises ``||x - z D||^2`` over the coefficients of the atoms of each signal: what
    :func:`batch_omp` has at its end, but with a gradient.

    Parameters
    ----------
    signals : (N, n) tensor or ndarray
        The signals x, one a row.
    dictionary : (K, n) tensor or ndarray
        Atoms of about unit norm, one a row.
    indices : (N, S) int64 tensor or ndarray
        Atoms of each signal, each at most once and linearly independent; -1 for none.

    Returns
    -------
    values : (N, S) tensor or ndarray
        Their coefficients, 0 where there is no atom.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_sparsevae.sparse import refit
    >>> refit(np.array([[3.0, 0.5, 2.0]]), np.eye(3), np.array([[2, 0, -1]])).round(4)
    array([[2., 3., 0.]])
    """
    check_signals(signals, dictionary, "dictionary", check_finite=False)
    _check_indices(indices, len(signals), len(dictionary))
    signals, dictionary = in_float(signals, dictionary)
    chosen, factor = _factorize(dictionary, indices)
    correlations = chosen @ signals[..., None]
    return torch.cholesky_solve(correlations, factor)[..., 0] * (indices >= 0)


@accepts_arrays
def removal_costs(dictionary, indices, values):
    """Return what leaving out one atom, the others refitted, adds to the squared error.

    For least-squares coefficients ``z`` that is ``z_k^2 / (G^-1)_kk``, with the Gram
    matrix ``G`` of the atoms taken.

    Parameters
    ----------
    dictionary : (K, n) tensor or ndarray
        Atoms of about unit norm, one a row.
    indices : (N, S) int64 tensor or ndarray
        Atoms of each signal, as in :func:`refit`.
    values : (N, S) tensor or ndarray
        Their least-squares coefficients.

    Returns
    -------
    costs : (N, S) tensor or ndarray
        Non-negative, 0 where there is no atom.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_sparsevae.sparse import removal_costs
    >>> indices, values = np.array([[2, 0, -1]]), np.array([[2.0, 3.0, 0.0]])
    >>> removal_costs(np.eye(3), indices, values).round(4)
    array([[4., 9., 0.]])
    """
    check_atoms("dictionary", dictionary)
    check_tensor("values", values, ("N", "S"))
    _check_indices(indices, len(values), len(dictionary))
    values, dictionary = in_float(values, dictionary)
    _, factor = _factorize(dictionary, indices)
    inverse = torch.cholesky_inverse(factor).diagonal(dim1=-2, dim2=-1)
    return values.square() / inverse * (indices >= 0)


def _factorize(dictionary, indices):
    """Atoms taken ``(N, S, n)``, and the Cholesky factor of their Gram matrix."""
    used = (indices >= 0)[..., None]
    chosen = dictionary[indices.clamp(min=0)] * used
    # Where there is no atom, the identity: the coefficient of a zero is zero.
    gram = chosen @ chosen.mT + torch.diag_embed((~used[..., 0]).to(chosen) + _RIDGE)
    return chosen, torch.linalg.cholesky_ex(gram)[0]


def _check_indices(indices, n_signals, n_atoms):
    check_tensor("indices", indices, ("N", "S"), floating=False)
    if indices.dtype != torch.int64:
        raise TypeError(f"indices must be int64, got {indices.dtype}: convert them.")
    if len(indices) != n_signals:
        raise ValueError(
            f"indices of {len(indices)} signals do not fit {n_signals} signals: give a "
            "row for each."
        )
    if indices.numel() and not -1 <= indices.min() <= indices.max() < n_atoms:
        raise ValueError(
            f"indices run from {int(indices.min())} to {int(indices.max())}, expected "
            f"-1 (none) to {n_atoms - 1}."
        )
