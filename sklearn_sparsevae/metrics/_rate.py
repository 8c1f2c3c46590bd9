"""The rate of codes: bits a pixel, at fixed length, as entropy or under a prior."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

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
    prior: Density | None = None,
    grid_shape: Grid | None = None,
    image_shape: Sequence[int] | None = None,
) -> float:
    r"""Bits that store the codes, per pixel of the images they stand for.

    What is counted, for `K` atoms, once coefficients are rounded to ``coef_bits`` by
    :func:`~sklearn_sparsevae.codes.quantize_codes` (what rounds to zero is not stored):

    * each non-zero: :math:`\log_2 K` bits for its atom and ``coef_bits`` for its
      value. So LASERS [1]_ counts: 5 atoms of 512 at a site are 45 bits and 5 numbers.
      The logarithm is not rounded up, since several indices can share bits; nor is it
      lowered because the order of a site's atoms tells nothing.
    * each site: :math:`\log_2(n_{max} - n_{min} + 1)` bits for how many non-zeros it
      has, where these are the most and the fewest of any site. Nothing is spent where
      all sites have equally many.
    * codes that are counts, as vector quantisation gives them (positive integers that
      add up to the same number of levels at every site): :math:`\log_2 K` bits a
      level, and nothing else, as for VQ-VAE and RQ-VAE.
    * codes without a single zero, as those of :class:`~sklearn_sparsevae.GaussianVAE`:
      ``coef_bits`` a coefficient, and nothing else. All are stored, in order.

    What is not: the step of the quantiser and the two limits of :math:`n`, a few bytes
    a set; the model, which the receiver has; ``thumbnails``, which no decoder reads.

    Parameters
    ----------
    codes : SparseCodes, list of SparseCodes, sparse matrix or array-like, 2-D
        Codes, one row per image; a list where photos differ in size.
    coef_bits : int, default=8
        Bits of a coefficient, from 2 to 16.
    entropy : bool, default=False
        Replace each fixed length by the empirical entropy, over the whole set, of the
        same symbols: numbers of non-zeros, atoms, quantised values, each on its own.
        An ideal arithmetic coder needs as much that writes these symbols one by one,
        knows their three histograms and nothing about neighbours. Never above the
        fixed length.
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
        If ``prior`` has no ``score_samples``.

    References
    ----------
    .. [1] X. Li, A. D. Sarwate. "LASERS: LAtent Space Encoding for
       Representations with Sparsity for Generative Modeling".

    Examples
    --------
    Two sites of 8 atoms for an image of 2 by 4 pixels, one non-zero each: 3 bits for
    the atom and 5 for the value.

    >>> from sklearn_sparsevae.metrics import bits_per_pixel
    >>> codes = [[0, 0.5, 0, 0, 0, 0, 0, 0, 0, 0, 0, -2.0, 0, 0, 0, 0]]
    >>> bits_per_pixel(codes, 5, grid_shape=(1, 2), image_shape=(2, 4))
    2.0
    """
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
    bits = 0.0
    for histogram, length in _symbols(codes, coef_bits):
        bits += histogram.sum() * (_entropy(histogram) if entropy else length)
    return float(bits / n_pixels)


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


def _symbols(codes, coef_bits):
    """Histogram of each kind of symbol to store, and its bits at fixed length."""
    sites = quantize_codes(codes, coef_bits).sites()
    index_bits = np.log2(codes.n_atoms)
    if are_counts(codes):
        yield np.bincount(sites.indices, weights=sites.data), index_bits
        return
    if codes.nnz == codes.shape[0] * codes.shape[1]:
        yield np.unique(sites.toarray(), return_counts=True)[1], coef_bits
        return
    numbers = np.diff(sites.indptr)
    yield np.bincount(numbers), np.log2(np.ptp(numbers) + 1)
    yield np.bincount(sites.indices), index_bits
    yield np.unique(sites.data, return_counts=True)[1], coef_bits


def _entropy(histogram):
    """Entropy of a histogram in bits a symbol; 0 for an empty one."""
    share = histogram[histogram > 0] / max(histogram.sum(), 1)
    return -np.sum(share * np.log2(share))


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
