"""The rate of codes: bits a pixel, at fixed length, as entropy or under a prior."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import betaln

from sklearn_sparsevae._arguments import check_flag
from sklearn_sparsevae._typing import Codes, Density, Grid
from sklearn_sparsevae.codes import (
    SparseCodes,
    are_counts,
    as_codes,
    quantize_codes,
)
from sklearn_sparsevae.metrics._sites import join_sites


def bits_per_pixel(
    codes: Codes,
    coef_bits: int = 8,
    *,
    entropy: bool = False,
    ordered: bool = False,
    prior: Density | None = None,
    grid_shape: Grid | None = None,
    image_shape: Sequence[int] | None = None,
) -> float:
    r"""Bits that store the codes, per pixel of the images they stand for.

    What is counted, for `K` atoms, once coefficients are rounded to ``coef_bits`` by
    :func:`~sklearn_sparsevae.codes.quantize_codes` (what rounds to zero is not stored):

    * each site: :math:`\log_2(n_{max} - n_{min} + 1)` bits for how many non-zeros
      `n` it has, where these are the most and the fewest of any site, and
      :math:`\log_2 \binom{K}{n}` for which atoms. Their order tells nothing, and
      costs nothing.
    * its coefficients: a sign each; ``coef_bits - 1`` bits for the largest magnitude
      :math:`m_1`, in steps; :math:`\log_2 m_1` for the second, :math:`m_2`, which is
      no larger; :math:`\log_2 n (n - 1)` for which atoms these two belong to; and
      :math:`\log_2 m_2` for each of the others. Or ``coef_bits`` a coefficient, where
      that is less for the whole set.
    * codes that are counts, as vector quantisation gives them (positive integers that
      add up to the same number of levels at every site): :math:`\log_2 K` bits a
      level, and nothing else, as for VQ-VAE and RQ-VAE.
    * codes without a single zero, as those of :class:`~sklearn_sparsevae.GaussianVAE`:
      ``coef_bits`` a coefficient, and nothing else. All are stored, in order.

    With ``ordered=True`` the atoms of a site come in an order, as LASERS [1]_ counts:
    each costs :math:`\log_2 K` bits and its coefficient ``coef_bits``, so that 5 atoms
    of 512 at a site are 45 bits and 5 numbers.

    What is not: the step of the quantiser and the two limits of :math:`n`, a few bytes
    a set; the model, which the receiver has; ``thumbnails``, which no decoder reads.

    Parameters
    ----------
    codes : SparseCodes, list of SparseCodes, sparse matrix or array-like, 2-D
        Codes, one row per image; a list where photos differ in size.
    coef_bits : int, default=8
        Bits of a coefficient, from 2 to 16. Codes that are rounded to as many, with
        their atoms or without, stay as they are.
    entropy : bool, default=False
        Replace the fixed lengths by the empirical entropy, over the whole set, of
        whether a site has an atom, for each atom, and of the quantised values, in one
        histogram; with ``ordered=True`` of numbers of non-zeros, atoms and values. An
        ideal arithmetic coder needs as much that knows these frequencies and nothing
        about neighbours. Where another of these counts is less, as that of a single
        atom at every site is, that is taken: never above the fixed length.
    ordered : bool, default=False
        Count the atoms of a site one by one, as LASERS does.
    prior : CodePrior, default=None
        Count what a fitted :class:`~sklearn_sparsevae.CodePrior` predicts instead,
        which knows the neighbours: the size of what its
        :meth:`~sklearn_sparsevae.CodePrior.compress` writes, without the header.
        Coefficients are rounded to the prior's levels; ``coef_bits`` has no effect.
    grid_shape : tuple of int (h, w), optional
        The grid of a plain matrix; :class:`~sklearn_sparsevae.codes.SparseCodes` know
        their own.
    image_shape : tuple of int (H, W, C) or (H, W), optional
        Shape of an image, where the codes do not know it. Channels are no pixels.

    Returns
    -------
    bits : float
        Of all images together, in bits per pixel. Lower is smaller.

    Raises
    ------
    ValueError
        If ``codes`` is not 2-D and finite with at least one image, nothing says what
        its grid and the images' shape are, the codes of a list have different atoms,
        ``coef_bits`` is out of range, or ``entropy`` and ``prior`` are both asked for.
    TypeError
        If ``prior`` has no ``score_samples``, or a flag is neither true nor false.

    References
    ----------
    .. [1] X. Li, A. D. Sarwate. "LASERS: LAtent Space Encoding for
       Representations with Sparsity for Generative Modeling".

    Examples
    --------
    Two sites of 8 atoms for an image of 2 by 4 pixels, one non-zero each: 3 bits for
    the atom and 5 for the value, whichever way it is counted.

    >>> from sklearn_sparsevae.metrics import bits_per_pixel
    >>> codes = [[0, 0.5, 0, 0, 0, 0, 0, 0, 0, 0, 0, -2.0, 0, 0, 0, 0]]
    >>> bits_per_pixel(codes, 5, grid_shape=(1, 2), image_shape=(2, 4))
    2.0
    """
    check_flag(entropy, "entropy")
    check_flag(ordered, "ordered")
    several = isinstance(codes, list | tuple) and any(
        isinstance(part, SparseCodes) for part in codes
    )
    parts = [
        as_codes(part, grid_shape, image_shape=image_shape)
        for part in (codes if several else [codes])
    ]
    n_pixels = sum(map(_pixels, parts))
    if prior is not None:
        return _predicted_bits(parts, prior, entropy) / n_pixels
    # One quantiser and one histogram serve all sites, whatever image they are of.
    codes = SparseCodes(join_sites(parts), grid_shape=(1, 1))
    sites = quantize_codes(codes, coef_bits).sites()
    if are_counts(codes):
        kinds = [_of_counts(sites)]
    elif codes.nnz == codes.shape[0] * codes.shape[1]:
        kinds = [_of_all(sites, coef_bits)]
    elif ordered:
        kinds = _one_by_one(sites, coef_bits)
    else:
        kinds = [_of_atoms(sites), _of_values(sites, coef_bits)]
    return float(sum(min(kind) if entropy else kind[0] for kind in kinds) / n_pixels)


def _predicted_bits(parts, prior, entropy):
    """Bits of all codes of a list, as a prior predicts them."""
    if entropy:
        raise ValueError(
            "Got entropy=True and a prior, which are two ways to count; expected one "
            "of them. Call bits_per_pixel twice."
        )
    if not hasattr(prior, "score_samples"):
        raise TypeError(
            f"Got prior of type {type(prior).__name__}, which has no score_samples; "
            "expected a CodePrior that was fitted to codes of the same model."
        )
    nats = sum(float(np.sum(prior.score_samples(part))) for part in parts)
    return -nats / math.log(2)


# Each kind of symbol: bits at fixed length, and of the entropy.


def _of_counts(sites):
    usage = np.bincount(sites.indices, weights=sites.data)
    return sites.data.sum() * np.log2(sites.shape[1]), _entropy(usage)


def _of_all(sites, coef_bits):
    """Coefficients of codes that had no zero before they were rounded."""
    values = sites.toarray()
    return values.size * coef_bits, _of_histogram(values)


def _one_by_one(sites, coef_bits):
    """Numbers of non-zeros, atoms and values, each on its own."""
    numbers, index_bits = np.diff(sites.indptr), np.log2(sites.shape[1])
    yield _of_numbers(numbers), _entropy(np.bincount(numbers))
    yield sites.nnz * index_bits, _entropy(np.bincount(sites.indices))
    yield sites.nnz * coef_bits, _of_histogram(sites.data)


def _of_numbers(numbers):
    return len(numbers) * np.log2(np.ptp(numbers) + 1)


def _of_histogram(values):
    return _entropy(np.unique(values, return_counts=True)[1])


def _of_atoms(sites):
    """Which atoms every site has."""
    (n_sites, n_atoms), numbers = sites.shape, np.diff(sites.indptr)
    # log2 of the binomial coefficient "n_atoms over numbers"
    subsets = -betaln(n_atoms - numbers + 1, numbers + 1) / np.log(2)
    subsets -= np.log2(n_atoms + 1)
    used = np.bincount(sites.indices, minlength=n_atoms)
    presence = sum(_entropy(np.array([n, n_sites - n])) for n in used)
    one_by_one = _entropy(np.bincount(numbers)) + _entropy(used)
    return _of_numbers(numbers) + subsets.sum(), min(presence, one_by_one)


def _of_values(sites, coef_bits):
    """Coefficients of every site, whose atoms are known."""
    numbers, magnitudes = np.diff(sites.indptr), np.abs(sites.data)
    n_levels = 2 ** (coef_bits - 1) - 1
    top = magnitudes.max(initial=0.0) or 1.0
    levels = np.rint(magnitudes / top * n_levels)
    rows = np.repeat(np.arange(len(numbers)), numbers)
    levels = levels[np.lexsort((-levels, rows))]  # the largest of a site first
    several = numbers > 1
    largest, n = sites.indptr[:-1][several], numbers[several].astype(float)
    bits = sites.nnz + (numbers > 0).sum() * (coef_bits - 1)
    bits += np.log2(n * (n - 1) * levels[largest]).sum()
    bits += ((n - 2) * np.log2(levels[largest + 1])).sum()
    return min(bits, sites.nnz * coef_bits), _of_histogram(sites.data)


def _entropy(histogram):
    """Bits of all symbols of a histogram, at its entropy."""
    counts = histogram[histogram > 0]
    return -np.sum(counts * np.log2(counts / max(counts.sum(), 1)))


def _pixels(codes):
    """Pixels of all images that codes stand for."""
    if codes.shape[0] == 0:
        raise ValueError("Got codes of no image; expected at least one row.")
    if codes.image_shape is None:
        raise ValueError(
            "Got codes that do not say how large their images are; expected an image "
            "shape, to count its pixels. Pass image_shape=(H, W, C)."
        )
    return codes.shape[0] * math.prod(codes.image_shape[:2])
