"""Iterative shrinkage-thresholding: the algorithm that learned ISTA unrolls.

References
----------
.. [1] I. Daubechies, M. Defrise, C. De Mol. "An iterative thresholding algorithm for
   linear inverse problems with a sparsity constraint". CPAM 57(11), 2004.
.. [2] A. Beck, M. Teboulle. "A fast iterative shrinkage-thresholding algorithm for
   linear inverse problems". SIAM J. Imaging Sciences 2(1), 2009.
"""

import torch

from sklearn_sparsevae.sparse import tracing
from sklearn_sparsevae.sparse._arrays import (
    Array,
    accepts_arrays,
    check_atoms,
    check_count,
    check_number,
    check_signals,
    check_tensor,
    in_float,
    refuse_nonfinite,
)
from sklearn_sparsevae.sparse.unrolled import fista_momentum, unrolled_ista


@accepts_arrays
def soft_threshold(values: Array, threshold: Array | float) -> Array:
    """Shrink towards zero: ``sign(v) * max(|v| - threshold, 0)``.

    The proximal map of ``threshold * ||.||_1``, SC-VAE's shrinkage function (below its
    Eq. 2). Threshold is non-negative, a number or an array that broadcasts against
    ``values``.
    """
    check_tensor("values", values)
    _check_numbers("threshold", threshold)
    threshold = torch.as_tensor(threshold, dtype=values.dtype, device=values.device)
    return values - torch.maximum(torch.minimum(values, threshold), -threshold)


@tracing.constant_when_traced
@accepts_arrays
def lipschitz_constant(dictionary: Array) -> Array:
    """Largest eigenvalue of the Gram matrix of ``dictionary``, a scalar tensor.

    It bounds the curvature of ``1/2 ||x - zD||^2`` in ``z``: the L of SC-VAE's Eq. 2.
    It is the *spectral* norm squared, not the Frobenius norm squared, which is larger
    by up to the rank and makes the steps that much too short.
    """
    check_atoms("dictionary", dictionary)
    refuse_nonfinite("dictionary", dictionary)
    (dictionary,) = in_float(dictionary)
    n_components, latent_dim = dictionary.shape
    small = (
        dictionary.mT @ dictionary
        if latent_dim <= n_components
        else dictionary @ dictionary.mT
    )
    return torch.linalg.eigvalsh(small)[-1].clamp(min=1e-12)


@accepts_arrays
def ista(
    signals: Array,
    dictionary: Array,
    alpha: Array | float,
    n_steps: int,
    momentum: bool = False,
    *,
    check_finite: bool = True,
) -> Array:
    """Sparse codes by proximal gradient steps from zero.

    Minimises SC-VAE's Eq. 1::

        1/2 ||x - z D||_2^2 + alpha ||z||_1

    with steps of length 1/L, L the largest eigenvalue of ``D D^T`` (Eq. 2).

    Parameters
    ----------
    signals : (n_signals, latent_dim) tensor or ndarray
        The signals x, one a row, of a floating dtype; those below float32 are coded in
        float32.
    dictionary : (n_components, latent_dim) tensor or ndarray
        The atoms, one a row, as in ``components_``.
    alpha : float or (n_components,) tensor or ndarray
        Weight of the L1 norm, non-negative; one for all atoms or one for each.
    n_steps : int
        Number of iterations, at least 1.
    momentum : bool, default=False
        Extrapolate between the steps (FISTA [2]_): same cost, far closer to the
        minimum after the same number of steps.
    check_finite : bool, default=True
        Refuse signals that are not finite, or whose squares are not. The atoms have to
        be, in any case.

    Returns
    -------
    codes : (n_signals, n_components) tensor or ndarray
        With exact zeros; in the kind of ``signals``.

    Raises
    ------
    TypeError
        When an argument is no array of a floating dtype, or ``n_steps`` no integer.
    ValueError
        When the shapes do not agree, numbers are not finite, ``n_steps < 1`` or
        ``alpha`` is negative.

    References
    ----------
    .. [1] P. Xiao et al. "SC-VAE: Sparse Coding-based Variational Autoencoder with
       Learned ISTA", Equations 1 and 2.
    .. [2] A. Beck, M. Teboulle. "A fast iterative shrinkage-thresholding algorithm for
       linear inverse problems". SIAM J. Imaging Sciences 2(1), 2009.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_sparsevae.sparse import ista
    >>> ista(np.array([[3.0, 0.5]]), np.eye(2), alpha=1.0, n_steps=1)
    array([[2., 0.]])
    """
    check_signals(signals, dictionary, "dictionary", check_finite)
    check_count("n_steps", n_steps)
    _check_weights(alpha, len(dictionary))
    asked = signals.dtype
    signals, dictionary = in_float(signals, dictionary)
    alpha = torch.as_tensor(alpha, dtype=signals.dtype, device=signals.device)
    step = 1 / lipschitz_constant(dictionary)
    codes = unrolled_ista(  # [SC-VAE Eq. 1]
        signals,
        dictionary * step,  # W_e = D^T / L
        dictionary,
        (alpha * step).expand(len(dictionary)),  # theta = alpha / L
        momentum=fista_momentum(n_steps, momentum).to(signals),
    )
    return codes.to(asked)


def _check_numbers(name, value):
    """Refuse what is neither a non-negative number nor a tensor of floats."""
    if isinstance(value, torch.Tensor):
        check_tensor(name, value)
    else:
        check_number(name, value)


def _check_weights(alpha, n_components):
    _check_numbers("alpha", alpha)
    if not isinstance(alpha, torch.Tensor):
        return
    if alpha.shape not in ((), (n_components,)):
        raise ValueError(
            f"alpha of shape {tuple(alpha.shape)} does not fit {n_components} atoms: "
            "give one number for all, or one for each."
        )
    check_number("alpha", alpha.min().item())
    check_number("alpha", alpha.max().item())
