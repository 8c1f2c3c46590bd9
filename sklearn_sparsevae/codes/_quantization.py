"""Coefficients rounded to what few bits can say."""

import numbers

import numpy as np

from sklearn_sparsevae.codes._conversion import as_codes
from sklearn_sparsevae.codes._counts import are_counts
from sklearn_sparsevae.codes._layout import canonical
from sklearn_sparsevae.codes._sparse_codes import SparseCodes


def quantize_codes(codes: SparseCodes, coef_bits: int) -> SparseCodes:
    """Round coefficients to what ``coef_bits`` bits can say, as stored codes would be.

    A uniform mid-tread quantiser: ``2**coef_bits - 1`` levels, symmetric around zero
    and one step apart. One step serves all atoms, because atoms have unit norm: the
    error of a coefficient is then the error of the latents, whichever atom it weighs.
    The step is the one that leaves the smallest squared error on *these* codes, with
    larger magnitudes clipped to the largest level: few levels are not spent on a few
    outliers. Quantise a set at once if its images are to share a step.

    Codes that are counts, as vector quantisation gives them (positive integers that add
    up to the same number at every site), have no coefficients and stay as they are.

    Parameters
    ----------
    codes : SparseCodes of shape (n_images, h * w * n_atoms)
        Codes to store.
    coef_bits : int
        Bits of a coefficient, from 2 to 16.

    Returns
    -------
    codes : SparseCodes
        The same grid; coefficients at most half a step from the given ones, or at the
        largest level. Those that round to zero are gone.

    Raises
    ------
    ValueError
        If ``codes`` has no grid or is not finite, or ``coef_bits`` is out of range.

    Examples
    --------
    >>> from sklearn_sparsevae.codes import SparseCodes, quantize_codes
    >>> codes = SparseCodes([[1.0, 0.4, -3.0, 0.0]], grid_shape=(1, 2))
    >>> quantize_codes(codes, 3).toarray()
    array([[ 1.,  0., -3.,  0.]], dtype=float32)
    """
    is_integer = isinstance(coef_bits, numbers.Integral)
    if not is_integer or coef_bits not in range(2, 17):
        raise ValueError(
            f"Got coef_bits={coef_bits!r}; expected an integer from 2, which leaves "
            "the levels -1, 0 and 1, to 16."
        )
    codes = as_codes(codes)
    if are_counts(codes):
        return codes
    values = codes.data.astype(np.float64)
    largest = 2 ** (int(coef_bits) - 1) - 1
    # From no clipping to clipping at a 32nd of the largest magnitude.
    steps = np.abs(values).max() / largest * 2.0 ** -np.arange(0, 5.01, 0.25)
    errors = [np.square(_round(values, s, largest) - values).sum() for s in steps]
    quantized = codes.copy()
    rounded = _round(values, steps[np.argmin(errors)], largest)
    quantized.data = rounded.astype(np.float32)
    return canonical(quantized)


def _round(values, step, largest):
    """Nearest of the multiples of ``step`` up to ``largest``."""
    return np.clip(np.rint(values / step), -largest, largest) * step
