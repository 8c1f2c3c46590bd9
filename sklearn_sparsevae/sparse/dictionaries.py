"""Dictionaries: the overcomplete DCT, and learning one from signals.

Longer than other modules by what the functions say of their arguments.
"""

from typing import Literal

import numpy as np
import torch

from sklearn_sparsevae._progress import tracked
from sklearn_sparsevae.sparse._arrays import (
    Array,
    accepts_arrays,
    check_count,
    check_number,
    check_tensor,
    in_float,
    refuse_nan,
)
from sklearn_sparsevae.sparse.batch_omp import batch_omp, check_selection
from sklearn_sparsevae.sparse.ista import ista
from sklearn_sparsevae.sparse.nearest_code import nearest_code
from sklearn_sparsevae.sparse.rows import power_of_two

# An atom whose accumulated squared coefficient is below this was not used.
_UNUSED = 1e-8
# Batches that online learning remembers: older codes are those of another dictionary.
_MEMORY = 20


@accepts_arrays
def normalize_atoms(dictionary: Array) -> Array:
    """Scale every row of ``dictionary`` to unit Euclidean norm (zero rows stay zero).

    Unit atoms are what keeps an L1 penalty from being scaled away.
    """
    check_tensor("dictionary", dictionary, ("n_components", "latent_dim"))
    return dictionary / dictionary.norm(dim=1, keepdim=True).clamp(min=1e-12)


@accepts_arrays
def learn_dictionary(
    signals: Array,
    n_components: int,
    alpha: float | None = None,
    *,
    n_nonzero_coefs: int | None = None,
    selection: Literal["omp", "ols"] = "omp",
    n_iter: int = 30,
    batch_size: int = 2048,
    seed: int = 0,
) -> Array:
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
    TypeError
        When ``signals`` are no array of a floating dtype, or a number is no integer.
    ValueError
        When neither or both of ``alpha`` and ``n_nonzero_coefs`` are given, there is no
        signal, signals are not finite, or a number is out of range.

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
    if alpha is not None:
        check_number("alpha", alpha)
    else:
        check_count("n_nonzero_coefs", n_nonzero_coefs)
    check_selection(selection)
    check_count("batch_size", batch_size)
    signals = _check_learning(signals, n_components, n_iter, seed)
    generator = torch.Generator().manual_seed(int(seed))
    unit = power_of_two(signals)
    signals = signals / unit
    dictionary = _draw_atoms(signals, n_components, generator)
    a = signals.new_zeros(n_components, n_components)
    b = torch.zeros_like(dictionary)
    for iteration in tracked(range(n_iter), "dictionary", "batches"):
        picked = torch.randint(
            len(signals), (min(batch_size, len(signals)),), generator=generator
        )
        batch = signals[picked.to(signals.device)]
        if n_nonzero_coefs is None:
            codes = ista(
                batch,
                dictionary,
                alpha / unit,
                n_steps=40,
                momentum=True,
                check_finite=False,
            )
        else:
            atoms, values = batch_omp(
                batch,
                dictionary,
                n_nonzero_coefs,
                selection=selection,
                check_finite=False,
            )
            codes = dense_codes(atoms, values, n_components)
        forget = 1 - 1 / min(iteration + 1, _MEMORY)
        a = a.mul_(forget).addmm_(codes.mT, codes)  # [Mairal 2010 Alg. 1]
        b = b.mul_(forget).addmm_(codes.mT, batch)  # [Mairal 2010 Alg. 1]
        dictionary = update_atoms(dictionary, a, b)
        _replace_unused_atoms(dictionary, a, batch, codes)
    return dictionary


@accepts_arrays
def dense_codes(indices: Array, values: Array, n_components: int) -> Array:
    """Codes ``(N, K)`` of the indices and values ``(N, S)`` that `batch_omp` gives."""
    check_tensor("indices", indices, ("N", "S"), floating=False)
    check_tensor("values", values, ("N", "S"))
    check_count("n_components", n_components)
    if indices.shape != values.shape:
        raise ValueError(
            f"indices of shape {tuple(indices.shape)} do not fit values of shape "
            f"{tuple(values.shape)}: expected one index for each."
        )
    if indices.numel() and not -1 <= int(indices.min()) <= int(indices.max()) < (
        n_components
    ):
        raise ValueError(
            f"indices run from {int(indices.min())} to {int(indices.max())}, expected "
            f"-1 (none) to {n_components - 1}: check n_components."
        )
    codes = values.new_zeros(len(values), n_components)
    return codes.scatter_add_(1, indices.long().clamp(min=0), values)


def _draw_atoms(signals, n_components, generator):
    norms = torch.linalg.vector_norm(signals, dim=1, dtype=torch.float64).cpu()
    weights = norms + norms.mean() * 1e-3 + 1e-12
    replacement = len(signals) < n_components
    # multinomial takes at most 2^24 categories
    drawn = torch.multinomial(
        weights[: 2**24], n_components, replacement, generator=generator
    )
    atoms = signals[drawn.to(signals.device)]
    noise = torch.randn(atoms.shape, generator=generator).to(atoms)
    # The noise tells repeated and zero signals apart.
    scale = atoms.norm(dim=1, keepdim=True).clamp(min=1e-6)
    return normalize_atoms(atoms + 1e-3 * scale * noise)


@accepts_arrays
def update_atoms(dictionary: Array, a: Array, b: Array) -> Array:
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
    check_tensor("dictionary", dictionary, ("K", "n"))
    n_components = len(dictionary)
    expected = {"a": (a, (n_components,) * 2), "b": (b, tuple(dictionary.shape))}
    for name, (tensor, shape) in expected.items():
        check_tensor(name, tensor, ("K", "K" if name == "a" else "n"))
        if tuple(tensor.shape) != shape:
            raise ValueError(
                f"{name} must have the shape {shape} for a dictionary of shape "
                f"{tuple(dictionary.shape)}, got {tuple(tensor.shape)}."
            )
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


@accepts_arrays
def learn_codebook(
    signals: Array,
    n_components: int,
    *,
    n_levels: int = 1,
    n_iter: int = 10,
    seed: int = 0,
) -> Array:
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

    Raises
    ------
    TypeError
        When ``signals`` are no array of a floating dtype, or a number is no integer.
    ValueError
        When there is no signal, signals are not finite, or a number is out of range.
    """
    check_count("n_levels", n_levels)
    signals = _check_learning(signals, n_components, n_iter, seed)
    generator = torch.Generator().manual_seed(int(seed))
    n_levels = min(n_levels, n_components)
    unit = power_of_two(signals)
    signals = signals / unit
    parts: list[torch.Tensor] = []
    for level in range(n_levels):
        n_found = sum(len(part) for part in parts)
        n_codes = (n_components * (level + 1)) // n_levels - n_found
        what = "codebook" if n_levels == 1 else f"codebook {level + 1} of {n_levels}"
        steps = tracked(range(n_iter), what, "steps")
        codes = _k_means(signals, n_codes, steps, generator)
        nearest = nearest_code(signals, codes, check_finite=False)
        signals = signals - codes[nearest]
        parts.append(codes)
    return torch.cat(parts) * unit


def _check_learning(signals, n_components, n_iter, seed):
    """Signals to learn from, in float32 at least."""
    check_tensor("signals", signals, ("n_signals", "latent_dim"))
    if 0 in signals.shape:
        raise ValueError(
            "signals must be at least one, of at least one number, got shape "
            f"{tuple(signals.shape)}."
        )
    refuse_nan("signals", signals)
    check_count("n_components", n_components)
    check_count("n_iter", n_iter, least=0)
    check_count("seed", seed, least=0)
    if seed >= 2**63:
        raise ValueError(f"seed must be below 2**63, got {seed}.")
    return in_float(signals)[0]


def _k_means(signals, n_codes, steps, generator):
    # Not k-means++: on patches of photos its codes are no nearer, but used less evenly.
    drawn = torch.randperm(len(signals), generator=generator)
    drawn = drawn.repeat(-(-n_codes // len(drawn)))[:n_codes]
    codes = signals[drawn.to(signals.device)].clone()
    for _ in steps:
        nearest = nearest_code(signals, codes, check_finite=False)
        counts = torch.bincount(nearest, minlength=n_codes)
        sums = torch.zeros_like(codes).index_add_(0, nearest, signals)
        used = counts > 0
        codes[used] = sums[used] / counts[used, None]
    return codes
