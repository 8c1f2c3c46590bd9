"""An image freed of noise by the sparse codes of its own patches."""

import functools
import math
import numbers
from collections.abc import Sequence

import torch
from torch.nn import functional as F

from sklearn_sparsevae._progress import progress
from sklearn_sparsevae.sparse._arrays import (
    Array,
    accepts_arrays,
    check_count,
    check_number,
    check_tensor,
    refuse_nonfinite,
)
from sklearn_sparsevae.sparse._patch_groups import shrink_groups
from sklearn_sparsevae.sparse._patches import (
    JOINT,
    add_patches,
    averaged,
    extract_patches,
    tiles_of,
)
from sklearn_sparsevae.sparse.batch_omp import batch_omp
from sklearn_sparsevae.sparse.dictionaries import learn_dictionary

_SIZE = 8  # of the patches that are coded sparsely
_GAIN = 1.05  # by how much the residual may exceed the noise's deviation
_N_ATOMS = 256
_LEARNT_FROM = 20_000  # patches
_MOST_ATOMS = 32  # in the code of a patch
_TILE = 128  # patches along a side that are coded at a time
# An image as large as this, in deviations of its noise, is too fine for float32.
_FINE = 100.0
# Noise is nothing below this share of an image's largest number.
_NOTHING = 1e-7


@accepts_arrays
def denoise_patches(
    image: Array,
    sigma: float | Sequence[float] | Array,
    *,
    seed: int = 0,
    verbose: int = 0,
) -> Array:
    """Denoise an image from itself alone, by sparse codes of its patches.

    Nothing is trained before, and no other image is needed. The noise is additive,
    normal, independent from pixel to pixel and channel to channel, and its deviation is
    known; values beyond the range that noise caused should not have been clipped.

    Two passes. First a dictionary is learned from the noisy patches of 8x8 pixels
    themselves; each overlapping patch is coded by `batch_omp` with as few atoms as
    leave a residual no larger than the noise, and the patches are averaged (Elad and
    Aharon 2006 [1]_). Then, for every few pixels, the 4x4 patches most similar in that
    estimate are found nearby, and all of them are shrunk in their own principal axes, a
    basis for each group (NL-Bayes [2]_).

    Parameters
    ----------
    image : (H, W, C) tensor or ndarray
        Noisy image of a floating dtype. It is computed in float32 (in float64 where
        there is next to no noise).
    sigma : float or (C,) array
        Standard deviation of the noise in units of ``image``, one number or one for
        each channel. A channel of 0, or of less than 1e-7 of its largest number, is
        returned as it is.
    seed : int, default=0
        Seed of the patches that the dictionary is learned from.
    verbose : int, default=0
        Show the progress.

    Returns
    -------
    restored : (H, W, C) tensor or ndarray
        In the dtype of ``image``, not clipped.

    Raises
    ------
    TypeError
        When ``image`` is no array of a floating dtype, or ``sigma`` no number.
    ValueError
        When ``image`` has another number of axes, no pixel or channel, or numbers that
        are not finite; when ``sigma`` is negative or of another length.

    References
    ----------
    .. [1] M. Elad, M. Aharon. "Image denoising via sparse and redundant representations
       over learned dictionaries". IEEE Trans. Image Processing 15(12), 2006.
    .. [2] M. Lebrun, A. Buades, J.-M. Morel. "A nonlocal Bayesian image denoising
       algorithm". SIAM J. Imaging Sciences 6(3), 2013.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_sparsevae.sparse import denoise_patches
    >>> clean = np.tile(np.linspace(0, 1, 64), (64, 1))[:, :, None]
    >>> noise = np.random.default_rng(0).normal(0, 0.1, clean.shape)
    >>> restored = denoise_patches(clean + noise, sigma=0.1)
    >>> bool(np.abs(restored - clean).mean() < np.abs(noise).mean() / 3)
    True
    """
    check_tensor("image", image, ("H", "W", "C"))
    if 0 in image.shape:
        raise ValueError(
            "image must have at least one pixel and one channel, got the shape "
            f"{tuple(image.shape)}."
        )
    refuse_nonfinite("image", image)
    check_count("seed", seed, least=0)
    deviations = _check_sigma(sigma, image.shape[2])
    image = image.detach()
    peaks = image.abs().flatten(0, 1).amax(0).cpu()
    noisy = (deviations > _NOTHING * peaks).nonzero().flatten()
    if not len(noisy):
        return image.clone()
    if len(noisy) == len(deviations):
        restored = _denoise(image.cpu(), deviations, int(seed), verbose)
        return restored.to(image)
    part = _denoise(image.cpu()[..., noisy], deviations[noisy], int(seed), verbose)
    restored = image.clone()
    restored[..., noisy.to(image.device)] = part.to(image)
    return restored


def _check_sigma(sigma, n_channels):
    """Deviations (C,) in float64."""
    if isinstance(sigma, torch.Tensor):
        sigma = sigma.flatten().tolist() if sigma.ndim == 1 else sigma
    if isinstance(sigma, list | tuple):
        if len(sigma) != n_channels:
            raise ValueError(
                f"sigma has {len(sigma)} numbers, but the image {n_channels} channels: "
                "expected one number, or one for each channel."
            )
        for value in sigma:
            check_number("each number of sigma", value)
        return torch.tensor([float(value) for value in sigma], dtype=torch.float64)
    if not isinstance(sigma, numbers.Real):
        raise TypeError(
            "sigma must be a number, or one for each channel of the image, got "
            f"{type(sigma).__name__}."
        )
    check_number("sigma", sigma)
    return torch.full((n_channels,), float(sigma), dtype=torch.float64)


def _denoise(image, deviations, seed, verbose):
    """Denoise channels that all have noise: in units of it, where it is white."""
    offset = image.mean((0, 1), dtype=torch.float64)
    noisy = (image.double() - offset).div_(deviations)
    if math.sqrt(len(deviations)) * float(noisy.abs().amax()) < _FINE:
        noisy = noisy.float()
    axes = _channel_axes(noisy)
    noisy = noisy @ axes
    n_pixels = noisy.shape[0] * noisy.shape[1]
    with progress("denoise", 2 * n_pixels, verbose, "pixels") as bar:
        guide = _code_patches(noisy, seed, bar)
        restored = shrink_groups(noisy, guide, bar)
    return (restored @ axes.mT) * deviations.to(restored) + offset


def _channel_axes(image):
    """Orthonormal axes (C, C) along which channels are uncorrelated, one a column."""
    flat = image.flatten(0, 1)
    return torch.linalg.eigh((flat.mT @ flat).double())[1].flip(1).to(image)


def _code_patches(noisy, seed, bar):
    """Denoise by sparse codes of all patches that leave the noise."""
    size = min(_SIZE, *noisy.shape[:2])
    grid = [n - size + 1 for n in noisy.shape[:2]]
    atoms = [_learn(part, size, seed) for part in noisy.split(JOINT, dim=2)]
    estimate = functools.partial(_estimate_tile, noisy, size, atoms)
    return averaged(estimate, tiles_of(*map(range, grid), _TILE), noisy, bar)


def _estimate_tile(noisy, size, atoms, tile):
    """Code the patches at the rows and columns of a tile, for `averaged`."""
    inside = tuple(slice(at[0], at[-1] + size) for at in tile)
    noisy = noisy[inside]
    total, weight = torch.zeros_like(noisy), torch.zeros_like(noisy)
    for start, own in zip(range(0, noisy.shape[2], JOINT), atoms, strict=True):
        part = ..., slice(start, start + JOINT)
        _add_coded(noisy[part], size, own, total[part], weight[part])
    return inside, total, weight


def _split(patches, n_channels):
    """Mean of each channel of the patches (N, C, 1), and what is left (N, n)."""
    by_channel = patches.view(len(patches), n_channels, -1)
    means = by_channel.mean(2, keepdim=True)
    return means, (by_channel - means).flatten(1)


def _learn(part, size, seed):
    """Atoms (K, n) for patches of some channels, learned from them."""
    grid = [n - size + 1 for n in part.shape[:2]]
    generator = torch.Generator().manual_seed(seed)
    n_patches = grid[0] * grid[1]
    if n_patches > _LEARNT_FROM:
        drawn = torch.randint(n_patches, (_LEARNT_FROM,), generator=generator)
    else:
        drawn = torch.arange(n_patches)
    patches = part.unfold(0, size, 1).unfold(1, size, 1)
    patches = patches[drawn // grid[1], drawn % grid[1]].flatten(1)
    rest = _split(patches, part.shape[2])[1]
    above = rest[rest.square().sum(1) > _bound(rest)]
    if not len(above):
        return rest.new_zeros(1, rest.shape[1])
    return learn_dictionary(above, _N_ATOMS, n_nonzero_coefs=4, n_iter=5, seed=seed)


def _bound(rows):
    """Squared norm of what noise of variance 1 leaves."""
    return _GAIN**2 * rows.shape[1]


def _add_coded(noisy, size, atoms, total, weight):
    """Add coded patches of a tile to ``total``, and their weights to ``weight``."""
    patches = extract_patches(noisy, size)
    height, width, n = patches.shape
    means, rest = _split(patches.flatten(0, 1), noisy.shape[2])
    indices, values = batch_omp(
        rest, atoms, _MOST_ATOMS, _bound(rest), check_finite=False
    )  # [Elad 2006 sparse codes of noisy patches]
    coded = F.embedding_bag(
        indices.clamp(min=0), atoms, per_sample_weights=values, mode="sum"
    )
    coded = (coded.view(len(rest), noisy.shape[2], -1) + means).flatten(1)
    # Patches of few atoms hold less noise.
    sure = 1 / (1 + (indices >= 0).sum(1, keepdim=True)).to(coded)
    add_patches((coded * sure).view(height, width, n), size, total)
    add_patches(sure.expand(-1, n).view(height, width, n), size, weight)
