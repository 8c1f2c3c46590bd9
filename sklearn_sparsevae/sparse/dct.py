"""The overcomplete DCT dictionary of SC-VAE."""

import math
from collections.abc import Sequence

import torch

from sklearn_sparsevae.sparse._arrays import check_count
from sklearn_sparsevae.sparse.dictionaries import normalize_atoms

# Numbers of the largest dictionary to be made, 8 GiB of float32.
_LARGEST = 2**31


def dct_dictionary(
    latent_dim: int, n_components: int, shape: Sequence[int] | None = None
) -> torch.Tensor:
    """Overcomplete Kronecker DCT with unit atoms and coherence below one.

    The fixed dictionary of SC-VAE (Section 5). An orthogonal 256 x 512 matrix, as the
    paper calls it, cannot exist; this is the standard overcomplete DCT of
    Rubinstein et al. [1]_: for each axis of length m, ``q >= m`` sampled cosines
    ``cos(pi k i / q)``, the mean removed from all but the constant one, unit norm; then
    the Kronecker product over the axes. Of the products the ``n_components`` of lowest
    total frequency are kept, so that what is left out is the finest detail.

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
    TypeError
        When a size is no integer.
    ValueError
        When the product of ``shape`` is not ``latent_dim``, or a size is below 1.

    References
    ----------
    .. [1] R. Rubinstein, A. Bruckstein, M. Elad. "Dictionaries for Sparse
       Representation Modeling". Proc. IEEE 98(6), 2010.

    Examples
    --------
    >>> from sklearn_sparsevae.sparse import (dct_dictionary)
    >>> tuple(dct_dictionary(256, 512).shape)
    (512, 256)
    """
    check_count("latent_dim", latent_dim)
    check_count("n_components", n_components)
    if latent_dim * n_components > _LARGEST:
        raise ValueError(
            f"n_components={n_components} atoms of latent_dim={latent_dim} do not fit "
            "into memory: give fewer or shorter ones."
        )
    shape = _axes_of(latent_dim) if shape is None else _check_shape(shape)
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


def _check_shape(shape):
    if not isinstance(shape, tuple | list) or not shape:
        raise ValueError(f"shape must be a tuple of integers, got {shape!r}.")
    for length in shape:
        check_count("each number of shape", length)
    return tuple(shape)


def _axes_of(n):
    """Two factors of n, nearest to a square."""
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
