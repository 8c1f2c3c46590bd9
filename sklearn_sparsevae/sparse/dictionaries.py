"""Dictionaries: the overcomplete DCT, and learning one from signals."""

import math

import numpy as np
import torch

from sklearn_sparsevae.sparse._arrays import accepts_arrays, power_of_two
from sklearn_sparsevae.sparse.batch_omp import batch_omp
from sklearn_sparsevae.sparse.ista import ista
from sklearn_sparsevae.sparse.nearest_code import nearest_code

# An atom whose accumulated squared coefficient is below this was not used.
_UNUSED = 1e-8
# Batches that online learning remembers: older codes are those of another dictionary.
_MEMORY = 20


@accepts_arrays
def normalize_atoms(dictionary):
    """Scale every row of ``dictionary`` to unit Euclidean norm (zero rows stay zero).

    Unit atoms are what keeps an L1 penalty from being scaled away.
    """
    return dictionary / dictionary.norm(dim=1, keepdim=True).clamp(min=1e-12)


def dct_dictionary(latent_dim, n_components, shape=None):
    """Overcomplete Kronecker DCT with unit atoms and coherence below one.

    The fixed dictionary of SC-VAE (Section 5). An orthogonal 256 x 512 matrix, as the
    paper calls it, cannot exist; this is the standard overcomplete DCT of
    Rubinstein et al. [1]_: for each axis of length m, ``q >= m`` sampled cosines
    ``cos(pi k i / q)``, the mean removed from all but the constant one, unit norm; then
    the Kronecker product over the axes. Of the products the ``n_components`` of lowest
    total frequency are kept, so that the finest detail is left out.

    Parameters
    ----------
    latent_dim : int
        Length n of an atom.
    n_components : int
        Number K of atoms.
    shape : tuple of int, default=None
        Axes whose product is ``latent_dim``, for instance ``(3, 8, 8)`` for the pixels
        of colour patches; None takes the two factors nearest to a square.

    Returns
    -------
    dictionary : (n_components, latent_dim) float32 tensor
        Ordered from low to high frequency; the first atom is constant.

    Raises
    ------
    ValueError
        When the product of ``shape`` is not ``latent_dim``.

    References
    ----------
    .. [1] R. Rubinstein, A. Bruckstein, M. Elad. "Dictionaries for Sparse
       Representation Modeling". Proc. IEEE 98(6), 2010.

    Examples
    --------
    >>> from sklearn_sparsevae.sparse import dct_dictionary
    >>> tuple(dct_dictionary(256, 512).shape)
    (512, 256)
    """
    shape = _nearly_square(latent_dim) if shape is None else tuple(shape)
    if math.prod(shape) != latent_dim:
        raise ValueError(
            f"shape={shape} has {math.prod(shape)} entries, but latent_dim is "
            f"{latent_dim}: give axes whose product is latent_dim."
        )
    sizes = _atoms_per_axis(shape, n_components)
    dictionary = torch.ones(1, 1, dtype=torch.float64)
    frequency = torch.zeros(1, dtype=torch.float64)
    for length, n_atoms in zip(shape, sizes, strict=True):
        axis = _dct_axis(length, n_atoms)
        dictionary = torch.kron(dictionary, axis)  # [SC-VAE Section 5]
        relative = torch.arange(n_atoms, dtype=torch.float64) / max(n_atoms, 1)
        frequency = (frequency[:, None] + relative[None, :]).flatten()
    keep = torch.argsort(frequency, stable=True)[:n_components]
    return normalize_atoms(dictionary[keep]).float()


def _nearly_square(n):
    a = next(a for a in range(math.isqrt(n), 0, -1) if n % a == 0)
    return (n // a, a)


def _atoms_per_axis(shape, n_components):
    """Smallest common overcompleteness that yields at least ``n_components`` atoms."""
    sizes = list(shape)
    while math.prod(sizes) < n_components:
        long_axes = [i for i, m in enumerate(shape) if m > 1] or [0]
        thinnest = min(long_axes, key=lambda i: sizes[i] / shape[i])
        sizes[thinnest] += 1
    return sizes


def _dct_axis(length, n_atoms):
    """``n_atoms`` cosines of ``length`` samples, one a row, unit norm."""
    k = torch.arange(n_atoms, dtype=torch.float64)[:, None]
    i = torch.arange(length, dtype=torch.float64)[None, :]
    # Half-sample offset: with n_atoms == length this is the orthonormal DCT-II.
    atoms = torch.cos(math.pi * k * (i + 0.5) / n_atoms)
    if length > 1:
        atoms[1:] -= atoms[1:].mean(dim=1, keepdim=True)
    return normalize_atoms(atoms)


def learn_dictionary(
    signals,
    n_components,
    alpha=None,
    *,
    n_nonzero_coefs=None,
    selection="omp",
    n_iter=30,
    batch_size=2048,
    seed=0,
):
    """Learn unit atoms by online dictionary learning (Mairal et al. 2010 [1]_).

    Alternates sparse codes of a batch with one pass of block coordinate descent over
    the atoms. Starts from signals drawn in proportion to their norm, so that flat
    patches do not fill the dictionary; an atom that no recent batch used is replaced
    by the signal that is coded worst. Signals may have any scale.

    Parameters
    ----------
    signals : (n_signals, latent_dim) tensor
    n_components : int
    alpha : float, default=None
        Weight of the L1 norm, for codes by FISTA on SC-VAE's Eq. 1. Give either this or
        ``n_nonzero_coefs``.
    n_nonzero_coefs : int, default=None
        Most non-zeros of a signal, for codes by `batch_omp`.
    selection : {"omp", "ols"}, default="omp"
        How `batch_omp` selects.
    n_iter, batch_size : int
        Batches, signals a batch.
    seed : int
        Seed of the draws.

    Returns
    -------
    dictionary : (n_components, latent_dim) tensor

    Raises
    ------
    ValueError
        When neither or both of ``alpha`` and ``n_nonzero_coefs`` are given.

    References
    ----------
    .. [1] J. Mairal, F. Bach, J. Ponce, G. Sapiro. "Online learning for matrix
       factorization and sparse coding". JMLR 11, 2010 (Algorithms 1 and 2).
    """
    if (alpha is None) == (n_nonzero_coefs is None):
        raise ValueError(
            f"Give either alpha or n_nonzero_coefs, got alpha={alpha} and "
            f"n_nonzero_coefs={n_nonzero_coefs}."
        )
    generator = torch.Generator().manual_seed(seed)
    unit = power_of_two(signals)
    dictionary = _draw_atoms(signals, unit, n_components, generator)
    a = signals.new_zeros(n_components, n_components)
    b = torch.zeros_like(dictionary)
    for iteration in range(n_iter):
        picked = torch.randint(
            len(signals), (min(batch_size, len(signals)),), generator=generator
        )
        batch = signals[picked.to(signals.device)] / unit
        if n_nonzero_coefs is None:
            codes = ista(batch, dictionary, alpha / unit, n_steps=40, momentum=True)
        else:
            selected = batch_omp(
                batch, dictionary, n_nonzero_coefs, selection=selection
            )
            codes = dense_codes(*selected, n_components)
        forget = 1 - 1 / min(iteration + 1, _MEMORY)
        a = a.mul_(forget).addmm_(codes.mT, codes)  # [Mairal 2010 Alg. 1]
        b = b.mul_(forget).addmm_(codes.mT, batch)  # [Mairal 2010 Alg. 1]
        dictionary = update_atoms(dictionary, a, b)
        _replace_unused_atoms(dictionary, a, batch, codes)
    return dictionary


def dense_codes(indices, values, n_components):
    """Codes ``(N, K)`` of the indices and values ``(N, S)`` that `batch_omp` gives."""
    codes = values.new_zeros(len(values), n_components)
    return codes.scatter_add_(1, indices.clamp(min=0), values)


def _draw_atoms(signals, unit, n_components, generator):
    norms = torch.linalg.vector_norm(signals, dim=1, dtype=torch.float64).cpu() / unit
    weights = norms + norms.mean() * 1e-3 + 1e-12
    replacement = len(signals) < n_components
    # multinomial takes at most 2^24 categories
    drawn = torch.multinomial(
        weights[: 2**24], n_components, replacement, generator=generator
    )
    atoms = signals[drawn.to(signals.device)] / unit
    noise = torch.randn(atoms.shape, generator=generator).to(atoms)
    # The noise tells repeated and zero signals apart.
    scale = atoms.norm(dim=1, keepdim=True).clamp(min=1e-6)
    return normalize_atoms(atoms + 1e-3 * scale * noise)


def update_atoms(dictionary, a, b):
    """One pass of block coordinate descent over unit atoms.

    Mairal et al. 2010, Algorithm 2 and Eq. 10; LASERS Eqs. 27 and 28. In ndarrays:
    hundreds of products too small to be worth a tensor's overhead.

    Parameters
    ----------
    dictionary : (K, n) tensor
    a : (K, K) tensor
        Accumulated products of codes.
    b : (K, n) tensor
        Accumulated products of codes and signals.

    Returns
    -------
    dictionary : (K, n) tensor
        An atom that ``a`` has no use of stays as it is.
    """
    a, b, atoms = (t.cpu().numpy() for t in (a, b, dictionary.clone()))
    for k in range(len(atoms)):
        if a[k, k] > _UNUSED:
            atom = atoms[k] + (b[k] - a[k] @ atoms) / a[k, k]  # [LASERS Eq. 27]
            atoms[k] = atom / max(np.sqrt(atom @ atom), 1e-12)  # [LASERS Eq. 28]
    return torch.from_numpy(atoms).to(dictionary)


def _replace_unused_atoms(dictionary, a, batch, codes):
    dead = (a.diagonal() <= _UNUSED).nonzero().flatten()
    if len(dead) == 0:
        return
    error = (batch - codes @ dictionary).pow(2).sum(1)
    worst = torch.argsort(error, descending=True)[: len(dead)]
    dead = dead[: len(worst)]
    norms = batch[worst].norm(dim=1)
    usable = norms > 1e-6
    dictionary[dead[usable]] = normalize_atoms(batch[worst[usable]])


def learn_codebook(signals, n_components, *, n_levels=1, n_iter=10, seed=0):
    """Place codes by k-means, a share of them for each level of residuals.

    Parameters
    ----------
    signals : (n_signals, latent_dim) tensor
    n_components : int
        Codes in all.
    n_levels : int
        Levels of residual quantisation that share the codes.
    n_iter : int
        Steps of Lloyd's algorithm for each level.
    seed : int
        Seed of the draws.

    Returns
    -------
    codebook : (n_components, latent_dim) tensor
    """
    generator = torch.Generator().manual_seed(seed)
    n_levels = min(n_levels, n_components)
    unit = power_of_two(signals)
    signals, parts = signals / unit, []
    for level in range(n_levels):
        n_codes = (n_components * (level + 1)) // n_levels - sum(map(len, parts))
        codes = _k_means(signals, n_codes, n_iter, generator)
        signals = signals - codes[nearest_code(signals, codes)]
        parts.append(codes)
    return torch.cat(parts) * unit


def _k_means(signals, n_codes, n_iter, generator):
    # Not k-means++: on patches of photos its codes are no nearer, but used less evenly.
    drawn = torch.randperm(len(signals), generator=generator)
    drawn = drawn.repeat(-(-n_codes // len(drawn)))[:n_codes]
    codes = signals[drawn.to(signals.device)].clone()
    for _ in range(n_iter):
        nearest = nearest_code(signals, codes)
        counts = torch.bincount(nearest, minlength=n_codes)
        sums = torch.zeros_like(codes).index_add_(0, nearest, signals)
        used = counts > 0
        codes[used] = sums[used] / counts[used, None]
    return codes
