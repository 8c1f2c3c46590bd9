"""Code metrics: how sparse codes are and which atoms they use, over all sites."""

import numbers

import numpy as np
from scipy import sparse

from sklearn_sparsevae.metrics._input import as_array


def hoyer(codes, n_atoms=None):
    r"""Hoyer's sparsity of the codes, per site and then averaged.

    :math:`(\sqrt K - \|z\|_1 / \|z\|_2) / (\sqrt K - 1)` for the code `z` of one site
    over `K` atoms. It measures how unequal the magnitudes are, not how many are zero:
    see :func:`zero_fraction` for that.

    Parameters
    ----------
    codes : SparseCodes, list of SparseCodes, sparse matrix or array-like, 2-D
        Codes; of a list, those of all sites of all images. A plain array has one row
        per site, or per image where ``n_atoms`` is given.
    n_atoms : int, optional
        Atoms per site of a plain matrix. A sparse one has to have it, since its rows
        may be images or sites; :class:`~sklearn_sparsevae.codes.SparseCodes` knows its
        own.

    Returns
    -------
    hoyer : float
        In [0, 1]: 0 where all atoms weigh the same, 1 where each site has one atom. A
        site without any counts as 1.

    Raises
    ------
    ValueError, TypeError
        If ``codes`` is not 2-D and finite, ``n_atoms`` is missing or does not divide
        its columns, or there is only one atom.

    References
    ----------
    P. O. Hoyer. "Non-negative matrix factorization with sparseness constraints". JMLR,
    2004, section 3.1.

    Examples
    --------
    >>> from sklearn_sparsevae.metrics import hoyer
    >>> hoyer([[0.0, 3.0, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0]])
    0.5
    """
    sites = _as_sites(codes, n_atoms)
    root = np.sqrt(sites.shape[1])
    if root == 1:
        raise ValueError(
            "Got codes of one atom per site; expected at least two, between which "
            "Hoyer's sparsity can tell. Pass n_atoms, or one column per atom."
        )
    l1 = _sum_per_site(sites, np.abs)
    l2 = np.sqrt(_sum_per_site(sites, np.square))
    ratio = np.divide(l1, l2, out=np.ones(len(l1)), where=l2 > 0)
    values = (root - ratio) / (root - 1)  # [Hoyer 2004 Section 3.1]
    return float(np.clip(values, 0.0, 1.0).mean())


def nonzeros_per_site(codes, n_atoms=None):
    """Count the non-zeros of a site's code, on average over all sites.

    Parameters
    ----------
    codes, n_atoms
        As in :func:`hoyer`.

    Returns
    -------
    nonzeros : float
        In [0, K] for K atoms. Lower is sparser.

    Raises
    ------
    ValueError, TypeError
        If ``codes`` is not 2-D and finite, or ``n_atoms`` is missing or does not divide
        its columns.

    Examples
    --------
    >>> from sklearn_sparsevae.metrics import nonzeros_per_site
    >>> nonzeros_per_site([[0.0, 3.0, 0.0, 1.0, 1.0, 1.0]], n_atoms=3)
    2.0
    """
    sites = _as_sites(codes, n_atoms)
    return float(np.count_nonzero(sites.data) / sites.shape[0])


def zero_fraction(codes, n_atoms=None):
    """Fraction of the codes' coefficients that are exactly zero.

    Parameters
    ----------
    codes, n_atoms
        As in :func:`hoyer`.

    Returns
    -------
    fraction : float
        In [0, 1], over all atoms of all sites. Higher is sparser.

    Raises
    ------
    ValueError, TypeError
        As :func:`nonzeros_per_site`.

    Examples
    --------
    >>> from sklearn_sparsevae.metrics import zero_fraction
    >>> zero_fraction([[0.0, 3.0, 0.0, 0.0]])
    0.75
    """
    sites = _as_sites(codes, n_atoms)
    return float(1 - np.count_nonzero(sites.data) / np.prod(sites.shape, dtype=float))


def atom_usage(codes, n_atoms=None):
    """Count the sites that use each atom, over the whole set.

    Parameters
    ----------
    codes, n_atoms
        As in :func:`hoyer`.

    Returns
    -------
    usage : ndarray of int of shape (n_atoms,)
        Sites whose coefficient of that atom is not zero; 0 for a dead atom.

    Raises
    ------
    ValueError, TypeError
        As :func:`nonzeros_per_site`.

    Examples
    --------
    >>> from sklearn_sparsevae.metrics import atom_usage
    >>> atom_usage([[0.0, 3.0, 0.0, 1.0, 1.0, 0.0]], n_atoms=3)
    array([1, 2, 0])
    """
    sites = _as_sites(codes, n_atoms)
    return np.bincount(sites.indices[sites.data != 0], minlength=sites.shape[1])


def usage_perplexity(codes, n_atoms=None):
    r"""Perplexity of the atoms' usage over the whole set.

    :math:`\exp(-\sum_k p_k \log p_k)`, where :math:`p_k` is the share of atom `k` in
    all non-zeros: the number of atoms that, used equally often, would be as varied.
    Give it a whole set: on a small batch it is bounded by the number of non-zeros.

    Parameters
    ----------
    codes, n_atoms
        As in :func:`hoyer`.

    Returns
    -------
    perplexity : float
        In [1, K] for K atoms, or 0 where no atom is used. Higher is more varied.

    Raises
    ------
    ValueError, TypeError
        As :func:`nonzeros_per_site`.

    Examples
    --------
    >>> from sklearn_sparsevae.metrics import usage_perplexity
    >>> round(usage_perplexity([[1.0, 0.0, 0.0], [0.0, -2.0, 0.0]]), 6)
    2.0
    """
    usage = atom_usage(codes, n_atoms)
    if not usage.any():
        return 0.0
    share = usage[usage > 0] / usage.sum()
    return float(np.exp(-np.sum(share * np.log(share))))


def _as_sites(codes, n_atoms=None):
    """Codes as a CSR array with one row per site."""
    _check_n_atoms(n_atoms)
    if isinstance(codes, list | tuple) and any(hasattr(c, "sites") for c in codes):
        sites = join_sites(codes, n_atoms)
    elif hasattr(codes, "sites"):
        sites = join_sites([codes], n_atoms)
    else:
        sites = _plain_sites(codes, n_atoms)
    if 0 in sites.shape:
        raise ValueError(
            f"Got codes of {sites.shape[0]} sites and {sites.shape[1]} atoms; expected "
            "at least one of each."
        )
    if not np.isfinite(sites.data).all():
        raise ValueError("Got codes with NaN or infinite values; expected finite ones.")
    return sites


def join_sites(parts, n_atoms=None):
    """Sites of all SparseCodes of a list, as one CSR array.

    Their atoms must be as many, and as many as ``n_atoms`` where that is given.
    """
    found = {getattr(part, "n_atoms", None) for part in parts}
    if None in found or len(found) > 1:
        raise ValueError(
            f"Got a list of codes with n_atoms of {found}; expected SparseCodes with "
            "equally many atoms per site, as transform gives them for photos of "
            "different sizes."
        )
    known = found.pop()
    if n_atoms not in (None, known):
        raise ValueError(
            f"Got n_atoms={n_atoms} for codes of {known} atoms per site. Leave n_atoms "
            "out: the codes know their own."
        )
    sites = [sparse.csr_array(part.sites()) for part in parts]
    return sites[0] if len(sites) == 1 else sparse.vstack(sites, "csr")


def _plain_sites(codes, n_atoms):
    """Sites of a matrix that does not know its grid."""
    if sparse.issparse(codes):
        if n_atoms is None:
            raise ValueError(
                f"Got a plain sparse matrix of shape {codes.shape} as codes, whose "
                "rows may be images or sites; expected SparseCodes, or n_atoms, the "
                "atoms per site: n_atoms=codes.shape[1] where a row is a site. What "
                "joins SparseCodes and keeps their grid is a list of them."
            )
    else:
        codes = as_array(codes, "codes")
    if codes.ndim != 2 or 0 in codes.shape:
        raise ValueError(
            f"Got codes of shape {codes.shape}; expected a matrix with one row per "
            "image or per site, and at least one row and column."
        )
    if codes.dtype.kind not in "fiu":
        raise ValueError(
            f"Got codes of type {codes.dtype}; expected real numbers. Convert them "
            "with .astype(float)."
        )
    if codes.dtype == np.float16:  # scipy's matrices know no halves
        codes = codes.astype(np.float32)
    sites = sparse.csr_array(codes)
    if not sites.has_canonical_format:  # repeated entries are one number
        sites = sites.copy()
        sites.sum_duplicates()
    if n_atoms is None or n_atoms == sites.shape[1]:
        return sites
    if sites.shape[1] % n_atoms:
        raise ValueError(
            f"Got codes with {sites.shape[1]} columns; expected a multiple of "
            f"n_atoms={n_atoms}. Pass the number of atoms of the model that made them."
        )
    return sites.reshape(-1, n_atoms).tocsr()


def _check_n_atoms(n_atoms):
    if n_atoms is None:
        return
    is_integer = isinstance(n_atoms, numbers.Integral)
    if not is_integer or isinstance(n_atoms, bool | np.bool_):
        raise TypeError(
            f"Got n_atoms={n_atoms!r}; expected an integer, the atoms per site."
        )
    if n_atoms < 1:
        raise ValueError(
            f"Got n_atoms={n_atoms}; expected at least 1, the atoms per site."
        )


def _sum_per_site(sites, function):
    """Sum of ``function(z)`` over each row, in float64 and without a dense copy."""
    rows = np.repeat(np.arange(sites.shape[0]), np.diff(sites.indptr))
    weights = function(sites.data.astype(np.float64))
    return np.bincount(rows, weights=weights, minlength=sites.shape[0])
