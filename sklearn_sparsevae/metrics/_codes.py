"""Code metrics: how sparse codes are and which atoms they use, over all sites."""

import numpy as np
from scipy import sparse


def hoyer(codes, n_atoms=None):
    r"""Hoyer's sparsity of the codes, per site and then averaged.

    :math:`(\sqrt K - \|z\|_1 / \|z\|_2) / (\sqrt K - 1)` for the code `z` of one site
    over `K` atoms. It measures how unequal the magnitudes are, not how many are zero:
    see :func:`zero_fraction` for that.

    Parameters
    ----------
    codes : SparseCodes, sparse array or matrix, or array-like, 2-D
        Codes, one row per image, or per site where ``n_atoms`` is not given.
    n_atoms : int, optional
        Atoms per site of a plain matrix; :class:`~sklearn_sparsevae.codes.SparseCodes`
        knows its own.

    Returns
    -------
    hoyer : float
        In [0, 1]: 0 where all atoms weigh the same, 1 where each site has one atom. A
        site without any counts as 1.

    Raises
    ------
    ValueError
        If ``codes`` is not 2-D and finite, ``n_atoms`` does not divide its columns, or
        there is only one atom.

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
    return float(np.clip((root - ratio) / (root - 1), 0.0, 1.0).mean())


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
    ValueError
        If ``codes`` is not 2-D and finite, or ``n_atoms`` does not divide its columns.

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
    ValueError
        As :func:`nonzeros_per_site`.

    Examples
    --------
    >>> from sklearn_sparsevae.metrics import zero_fraction
    >>> zero_fraction([[0.0, 3.0, 0.0, 0.0]])
    0.75
    """
    sites = _as_sites(codes, n_atoms)
    return 1.0 - nonzeros_per_site(sites) / sites.shape[1]


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
    ValueError
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
    ValueError
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
    if hasattr(codes, "sites"):
        _check_known_atoms(codes.n_atoms, n_atoms)
        codes = codes.sites()
    codes = codes if sparse.issparse(codes) else np.asarray(codes)
    if codes.ndim != 2 or 0 in codes.shape:
        raise ValueError(
            f"Got codes of shape {codes.shape}; expected a matrix with one row per "
            "image or per site, and at least one row and column."
        )
    sites = sparse.csr_array(codes)
    if not np.isfinite(sites.data).all():
        raise ValueError("Got codes with NaN or infinite values; expected finite ones.")
    if n_atoms is None or n_atoms == sites.shape[1]:
        return sites
    if n_atoms < 1 or sites.shape[1] % n_atoms:
        raise ValueError(
            f"Got codes with {sites.shape[1]} columns; expected a multiple of "
            f"n_atoms={n_atoms}. Pass the number of atoms of the model that made them."
        )
    return sites.reshape(-1, n_atoms).tocsr()


def _check_known_atoms(known, given):
    if given not in (None, known):
        raise ValueError(
            f"Got n_atoms={given} for codes of {known} atoms per site. Leave n_atoms "
            "out: the codes know their own."
        )


def _sum_per_site(sites, function):
    """Sum of ``function(z)`` over each row, in float64 and without a dense copy."""
    rows = np.repeat(np.arange(sites.shape[0]), np.diff(sites.indptr))
    weights = function(sites.data.astype(np.float64))
    return np.bincount(rows, weights=weights, minlength=sites.shape[0])
