"""Nearest code of a codebook: the quantiser of VQ-VAE."""

import torch

from sklearn_sparsevae.sparse import tracing
from sklearn_sparsevae.sparse._arrays import (
    Array,
    accepts_arrays,
    check_signals,
    in_float,
)
from sklearn_sparsevae.sparse.rows import (
    ROW_BLOCK,
    argmax_of_rows,
    pad_rows,
    power_of_two,
)

# Entries of the table of scores that is made at a time.
_SCORES = 2**20


@tracing.traced_as(tracing.nearest_code)
@accepts_arrays
@torch.no_grad()
def nearest_code(
    signals: Array, codebook: Array, *, check_finite: bool = True
) -> Array:
    """Index of the code that is nearest to each signal (LASERS, Eq. 1).

    Parameters
    ----------
    signals : (n_signals, latent_dim) tensor or ndarray
        Of a floating dtype; those below float32 are compared in float32.
    codebook : (n_components, latent_dim) tensor or ndarray
        The codes, one a row, as in ``components_``.
    check_finite : bool, default=True
        Refuse numbers that are not finite, or whose squares are not.

    Returns
    -------
    indices : (n_signals,) int64 tensor or ndarray
        The first of several that are equally near.

    Raises
    ------
    TypeError
        When an argument is no array of a floating dtype.
    ValueError
        When the shapes do not agree or numbers are not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_sparsevae.sparse import (nearest_code)
    >>> nearest_code(np.array([[0.9, 0.2]]), np.eye(2))
    array([0])
    """
    check_signals(signals, codebook, "codebook", check_finite)
    signals, codebook = in_float(signals, codebook)
    # Far from the origin, norms would round away what tells neighbours apart.
    center = codebook.median(0).values
    codebook = codebook - center
    unit = power_of_two(codebook)
    codebook = codebook / unit
    half_norms = codebook.pow(2).sum(1) / 2
    # A block at least: fewer rows would be padded to one.
    n_rows = max(1, min(len(signals), max(ROW_BLOCK, _SCORES // len(codebook))))
    buffer = codebook.new_empty(n_rows + -n_rows % ROW_BLOCK, len(codebook))
    parts = [
        argmax_of_rows(  # [LASERS Eq. 1]
            _scores((chunk - center) / unit, codebook, half_norms, buffer)
        )
        for chunk in signals.split(n_rows)
    ]
    return torch.cat(parts)


def _scores(signals, codebook, half_norms, buffer):
    """Half of ||x||^2 - ||x - e||^2, which is x e - ||e||^2 / 2, in the buffer."""
    padded = pad_rows(signals)
    out = buffer[: len(padded)]
    torch.addmm(half_norms, padded, codebook.mT, beta=-1, out=out)
    return out[: len(signals)]
