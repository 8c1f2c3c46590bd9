"""Least squares on selected atoms: what they give, and what each of them is worth."""

import torch

from sklearn_sparsevae.sparse._arrays import (
    Array,
    accepts_arrays,
    check_atoms,
    check_signals,
    check_tensor,
    in_float,
)
from sklearn_sparsevae.sparse.dictionaries import dense_codes

# Added to the Gram matrix of selected atoms, whose diagonal is about 1: float32 cannot
# factorise one whose smallest eigenvalue is below its rounding.
_RIDGE = 1e-6


@accepts_arrays
def refit(signals: Array, dictionary: Array, indices: Array) -> Array:
    """Least-squares coefficients of given atoms.

    Minimises ``||x - z D||^2`` over the coefficients of the atoms of each signal: what
    :func:`batch_omp` has at its end, but differentiable.

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
    correlations = (signals @ dictionary.mT).gather(1, indices.clamp(min=0))
    factor = _factorize(dictionary, indices)
    values = torch.cholesky_solve(correlations[..., None], factor)[..., 0]
    return values * (indices >= 0)


@accepts_arrays
def project(signals: Array, dictionary: Array, indices: Array, values: Array) -> Array:
    """Least-squares approximations of signals by given atoms, with their gradient.

    With D_I the atoms of a signal x, that is its projection ``P x = x D_I^+ D_I`` onto
    their span. The gradient g of a loss by ``P x`` has the coefficients
    ``w = g D_I^+`` on the same atoms, and with the residual ``r = x - P x``::

        dx = w D_I,    dD_I = z^T (g - w D_I) + w^T r

    so that a backward pass is one more least squares, and no factorisation has to be
    differentiated.

    Parameters
    ----------
    signals, dictionary, indices
        As in :func:`refit`.
    values : (N, S) tensor or ndarray
        The least-squares coefficients, of :func:`batch_omp` or :func:`refit`; no
        gradient flows through them.

    Returns
    -------
    approximations : (N, n) tensor or ndarray

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_sparsevae.sparse import project
    >>> indices, values = np.array([[2, 0]]), np.array([[2.0, 3.0]])
    >>> project(np.array([[3.0, 0.5, 2.0]]), np.eye(3), indices, values)
    array([[3., 0., 2.]])
    """
    check_signals(signals, dictionary, "dictionary", check_finite=False)
    check_tensor("values", values, ("N", "S"))
    _check_indices(indices, len(signals), len(dictionary))
    signals, dictionary = in_float(signals, dictionary)
    codes = dense_codes(indices, values.detach().to(signals), len(dictionary))
    return _Projection.apply(signals, dictionary, indices, codes)


class _Projection(torch.autograd.Function):
    @staticmethod
    def forward(ctx, signals, dictionary, indices, codes):
        approximations = codes @ dictionary
        ctx.save_for_backward(signals - approximations, dictionary, indices, codes)
        return approximations

    @staticmethod
    def backward(ctx, gradient):
        residuals, dictionary, indices, codes = ctx.saved_tensors
        values = refit(gradient, dictionary, indices)
        weights = dense_codes(indices, values, len(dictionary))
        of_signals = weights @ dictionary
        of_atoms = codes.mT @ (gradient - of_signals) + weights.mT @ residuals
        return of_signals, of_atoms, None, None


@accepts_arrays
def removal_costs(dictionary: Array, indices: Array, values: Array) -> Array:
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
    inverse = torch.cholesky_inverse(_factorize(dictionary, indices))
    return values.square() / inverse.diagonal(dim1=-2, dim2=-1) * (indices >= 0)


def _factorize(dictionary, indices):
    """Cholesky factors ``(N, S, S)`` of the Gram matrices of the atoms taken."""
    used, atoms = indices >= 0, indices.clamp(min=0)
    gram = dictionary @ dictionary.mT
    gram = gram[atoms[:, :, None], atoms[:, None]] * (used[:, :, None] & used[:, None])
    # Where there is no atom, the identity: the coefficient of a zero is zero.
    gram = gram + torch.diag_embed((~used).to(gram) + _RIDGE)
    return torch.linalg.cholesky_ex(gram)[0]


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
