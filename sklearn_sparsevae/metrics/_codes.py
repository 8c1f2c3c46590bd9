"""Code metrics: how sparse codes are and which atoms they use, over all sites."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sklearn_sparsevae._typing import Codes
from sklearn_sparsevae._usage import perplexity
from sklearn_sparsevae.metrics._sites import as_sites, n_mean_atoms_of


def hoyer(codes: Codes, n_atoms: int | None = None) -> float:
    r"""Hoyer's sparsity of the codes, per site and then averaged.

    :math:`(\sqrt K - \|z\|_1 / \|z\|_2) / (\sqrt K - 1)` for the code `z` of one site
    over `K` atoms. It measures how unequal the magnitudes are, not how many are zero:
    see :func:`zero_fraction` for that. All atoms count, those of channel means too.

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
    sites = as_sites(codes, n_atoms)
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


def nonzeros_per_site(codes: Codes, n_atoms: int | None = None) -> float:
    """Count the non-zeros of a site's code, on average over all sites.

    All atoms count, those of channel means too: what is coded has to be stored.

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
    sites = as_sites(codes, n_atoms)
    return float(np.count_nonzero(sites.data) / sites.shape[0])


def zero_fraction(codes: Codes, n_atoms: int | None = None) -> float:
    """Fraction of the codes' coefficients that are exactly zero.

    All atoms count, those of channel means too.

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
    sites = as_sites(codes, n_atoms)
    return float(1 - np.count_nonzero(sites.data) / np.prod(sites.shape, dtype=float))


def atom_usage(
    codes: Codes, n_atoms: int | None = None, *, n_mean_atoms: int | None = None
) -> NDArray[np.integer]:
    """Count the sites that use each atom, over the whole set.

    The leading atoms that code channel means are left out: they are always on, which
    says nothing about what chooses.

    Parameters
    ----------
    codes, n_atoms
        As in :func:`hoyer`.
    n_mean_atoms : int, optional
        Leading atoms of a site that code means. By default as many as
        :class:`~sklearn_sparsevae.codes.SparseCodes` say, and none of a plain matrix.

    Returns
    -------
    usage : ndarray of int of shape (n_atoms - n_mean_atoms,)
        Sites whose coefficient of an atom is not zero; 0 for a dead atom. ``usage[k]``
        belongs to ``components_[n_mean_atoms + k]`` of the model.

    Raises
    ------
    ValueError, TypeError
        As :func:`nonzeros_per_site`; or if ``n_mean_atoms`` is not in [0, n_atoms), or
        not what the codes say.

    Examples
    --------
    >>> from sklearn_sparsevae.metrics import atom_usage
    >>> atom_usage([[0.0, 3.0, 0.0, 1.0, 1.0, 0.0]], n_atoms=3)
    array([1, 2, 0])
    """
    sites = as_sites(codes, n_atoms)
    n_means = n_mean_atoms_of(codes, sites.shape[1], n_mean_atoms)
    usage = np.bincount(sites.indices[sites.data != 0], minlength=sites.shape[1])
    return usage[n_means:]


def usage_perplexity(
    codes: Codes, n_atoms: int | None = None, *, n_mean_atoms: int | None = None
) -> float:
    r"""Perplexity of the atoms' usage over the whole set.

    :math:`\exp(-\sum_k p_k \log p_k)`, where :math:`p_k` is the share of atom `k` in
    their non-zeros: the number of atoms that, used equally often, would be as varied.
    As in :func:`atom_usage`, the atoms of channel means are left out: always on, they
    would bound the perplexity of all from above. Give it a whole set: on a small batch
    it is bounded by the number of non-zeros.

    Parameters
    ----------
    codes, n_atoms, n_mean_atoms
        As in :func:`atom_usage`.

    Returns
    -------
    perplexity : float
        In [1, K] for K atoms without those of means, or 0 where no atom is used. Higher
        is more varied.

    Raises
    ------
    ValueError, TypeError
        As :func:`atom_usage`.

    Examples
    --------
    >>> from sklearn_sparsevae.metrics import usage_perplexity
    >>> round(usage_perplexity([[1.0, 0.0, 0.0], [0.0, -2.0, 0.0]]), 6)
    2.0
    """
    return perplexity(atom_usage(codes, n_atoms, n_mean_atoms=n_mean_atoms))


def _sum_per_site(sites, function):
    """Sum of ``function(z)`` over each row, in float64 and without a dense copy."""
    rows = np.repeat(np.arange(sites.shape[0]), np.diff(sites.indptr))
    weights = function(sites.data.astype(np.float64))
    return np.bincount(rows, weights=weights, minlength=sites.shape[0])
