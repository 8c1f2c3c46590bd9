"""Coefficients rounded to what few bits can say."""

from __future__ import annotations

import numbers

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_array

from sklearn_sparsevae._arguments import as_table
from sklearn_sparsevae.codes._conversion import as_codes
from sklearn_sparsevae.codes._counts import are_counts
from sklearn_sparsevae.codes._layout import canonical
from sklearn_sparsevae.codes._sparse_codes import SparseCodes

# Part of the diagonal that is added to the Gram matrix of a site's atoms: coefficients
# of atoms that are all but the same would otherwise grow in making up for one another.
_RIDGE = 1e-3
# Numbers in the arrays of sites that are rounded together.
_BLOCK_ENTRIES = 2**21


def quantize_codes(
    codes: SparseCodes, coef_bits: int, components: ArrayLike | None = None
) -> SparseCodes:
    r"""Round coefficients to what ``coef_bits`` bits can say, as stored codes would be.

    A uniform mid-tread quantiser: ``2**coef_bits - 1`` levels, symmetric around zero
    and one step apart. One step serves all atoms, because atoms have unit norm: the
    error of a coefficient is then the error of the latents, whichever atom it weighs.
    The step is the one that leaves the smallest squared error on *these* codes, with
    larger magnitudes clipped to the largest level: few levels are not spent on a few
    outliers. Quantise a set at once if its images are to share a step.

    With the atoms D as ``components`` the coefficients of a site are rounded one after
    another, the largest first, and those that are left are refitted each time so that
    they make up for the error: less is left of :math:`\|z D - q D\|^2` at the same
    bits, the more the more similar atoms are. (It is the nearest plane algorithm of
    Babai [1]_.) Whoever decodes need not know.

    Codes that are counts, as vector quantisation gives them (positive integers that add
    up to the same number at every site), have no coefficients and stay as they are.

    Parameters
    ----------
    codes : SparseCodes of shape (n_images, h * w * n_atoms)
        Codes to store.
    coef_bits : int
        Bits of a coefficient, from 2 to 16.
    components : array-like of shape (n_atoms, n), default=None
        The atoms, of unit norm: ``components_`` of the estimator that the codes are of.
        None rounds each coefficient by itself.

    Returns
    -------
    codes : SparseCodes
        The same grid; coefficients that are multiples of a step, up to the largest
        level. Without ``components`` they are at most half a step from the given ones,
        or at that level. Those that round to zero are gone.

    Raises
    ------
    ValueError
        If ``codes`` has no grid or is not finite, ``coef_bits`` is out of range, or
        ``components`` is no finite matrix with a row for each atom.

    References
    ----------
    .. [1] L. Babai. "On Lovasz' lattice reduction and the nearest lattice point
       problem". Combinatorica 6, 1986.

    Examples
    --------
    >>> from sklearn_sparsevae.codes import SparseCodes, quantize_codes
    >>> codes = SparseCodes([[1.0, 0.4, -3.0, 0.0]], grid_shape=(1, 2))
    >>> quantize_codes(codes, 3).toarray()
    array([[ 1.,  0., -3.,  0.]], dtype=float32)

    The second atom takes over what rounding takes from the first, which is similar:

    >>> atoms = [[1.0, 0.0], [0.8, 0.6]]
    >>> codes = SparseCodes([[3.0, 0.0, 1.4, 0.45]], grid_shape=(1, 2))
    >>> quantize_codes(codes, 3).toarray()
    array([[3., 0., 1., 0.]], dtype=float32)
    >>> quantize_codes(codes, 3, atoms).toarray()
    array([[3., 0., 1., 1.]], dtype=float32)
    """
    is_integer = isinstance(coef_bits, numbers.Integral)
    if not is_integer or coef_bits not in range(2, 17):
        raise ValueError(
            f"Got coef_bits={coef_bits!r}; expected an integer from 2, which leaves "
            "the levels -1, 0 and 1, to 16."
        )
    codes = as_codes(codes)
    if components is not None:
        components = _check_components(components, codes.n_atoms)
    if are_counts(codes):
        return codes
    values = codes.data.astype(np.float64)
    largest = 2 ** (int(coef_bits) - 1) - 1
    # From no clipping to clipping at a 32nd of the largest magnitude.
    steps = np.abs(values).max() / largest * 2.0 ** -np.arange(0, 5.01, 0.25)
    errors = [np.square(_levels(values / s, largest) * s - values).sum() for s in steps]
    step = steps[np.argmin(errors)]
    if components is None:
        levels = _levels(values / step, largest)
    else:
        levels = _compensating(codes.sites(), values / step, largest, components)
    quantized = codes.copy()
    quantized.data = (levels * step).astype(np.float32)
    return canonical(quantized)


def _levels(values, largest):
    """Nearest integers up to ``largest``."""
    return np.clip(np.rint(values), -largest, largest)


def _check_components(components, n_atoms):
    """Atoms ``(n_atoms, n)`` in float64, of any one scale."""
    components = as_table(components, "components", check_array, dtype=np.float64)
    if len(components) != n_atoms:
        raise ValueError(
            f"Got components of shape {components.shape} for codes of {n_atoms} atoms "
            "per site; expected a row for each. Pass components_ of the estimator that "
            "the codes are of."
        )
    return components / (np.abs(components).max() or 1.0)


def _compensating(sites, values, largest, components):
    """Levels of values that make up for one another's errors, site by site.

    ``values`` are those of ``sites``, in steps.
    """
    levels, counts = np.zeros_like(values), np.diff(sites.indptr)
    most = max(1, int(counts.max()))
    n_together = max(1, _BLOCK_ENTRIES // (most * max(most, components.shape[1])))
    for start in range(0, len(counts), n_together):
        block = slice(start, start + n_together)
        own = slice(*sites.indptr[[start, min(start + n_together, len(counts))]])
        used = np.arange(most) < counts[block, None]
        atoms, padded = np.zeros(used.shape, int), np.zeros(used.shape)
        atoms[used], padded[used] = sites.indices[own], values[own]
        # The smallest first, since rounding goes from the last to the first.
        order = np.argsort(np.abs(padded), axis=1, kind="stable")
        ranked = [np.take_along_axis(x, order, 1) for x in (atoms, padded, used)]
        found = _nearest_plane(*ranked, largest, components)
        np.put_along_axis(padded, order, found, 1)
        levels[own] = padded[used]
    return levels


def _nearest_plane(atoms, values, used, largest, components):
    """Levels ``(N, S)`` of the values of sites; Babai 1986.

    With ``G = R^T R`` the products of a site's atoms and e the errors of what is
    rounded, ``||e D||^2 = sum_j (R_jj e_j + sum_{i > j} R_ji e_i)^2``: each j in turn,
    from the last, is moved to where its term vanishes, and rounded.
    """
    chosen = components[atoms] * used[..., None]
    gram = chosen @ chosen.mT
    n_slots = atoms.shape[1]
    powers = gram.diagonal(axis1=1, axis2=2)
    gram[:, range(n_slots), range(n_slots)] += _RIDGE * powers + (powers == 0)
    factor = np.linalg.cholesky(gram).mT
    levels, errors = np.zeros_like(values), np.zeros_like(values)
    for j in reversed(range(n_slots)):
        later = (factor[:, j, j + 1 :] * errors[:, j + 1 :]).sum(1)
        levels[:, j] = _levels(values[:, j] + later / factor[:, j, j], largest)
        levels[:, j] *= used[:, j]
        errors[:, j] = values[:, j] - levels[:, j]
    return levels
