"""Groups of similar patches, each coded in its own principal axes (NL-Bayes)."""

import functools
import math

import torch
from torch.nn import functional as F

from sklearn_sparsevae.sparse._patches import (
    JOINT,
    add_patches,
    averaged,
    extract_patches,
    starts_of,
    tiles_of,
)

# What measured best on photos of the BSDS500 test split at sigma 25.
SIZE = 4  # of a patch
STEP = 3  # between the patches that others are compared with
REACH = 16  # of the search for them, to each side
N_SIMILAR = 100
# Share of the noise in the Wiener factor. An estimate of the signal has lost some of
# its energy already; that the factor is squared makes up for it the other way.
NOISE_SHARE = 0.15
# Patches compared with others at a time, along one side: a megabyte or few of distances
# and groups, what fits into a core's cache.
_TILE = 32
_CHUNK = 512


def shrink_groups(noisy, guide, bar):
    """Denoise an image ``(H, W, C)`` whose noise is white, of variance 1.

    Parameters
    ----------
    noisy, guide : (H, W, C) tensors
        The image, and an estimate of what it is without noise: in it similar patches
        are found, and from it their covariance is computed.
    bar : object
        Told of the pixels that are done.

    Returns
    -------
    restored : (H, W, C) tensor
    """
    size = min(SIZE, *noisy.shape[:2])
    refs = [starts_of(n - size + 1, STEP) for n in noisy.shape[:2]]
    estimate = functools.partial(_estimate_tile, noisy, guide, size)
    return averaged(estimate, tiles_of(*refs, _TILE), noisy, bar)


def _estimate_tile(noisy, guide, size, tile):
    """Shrink the groups of patches that a tile asks for, as `averaged` wants it."""
    grid = [n - size + 1 for n in noisy.shape[:2]]
    n_similar = min(N_SIMILAR, math.prod(min(n, REACH + 1) for n in grid))
    inside = tuple(
        slice(max(at[0] - REACH, 0), min(at[-1] + REACH, n - 1) + size)
        for at, n in zip(tile, grid, strict=True)
    )
    refs = [
        torch.tensor(at) - part.start for at, part in zip(tile, inside, strict=True)
    ]
    noisy, guide = noisy[inside], guide[inside]
    members = find_similar(guide, refs, size, n_similar)
    total, weight = torch.zeros_like(noisy), torch.zeros_like(noisy)
    for start in range(0, noisy.shape[2], JOINT):
        part = ..., slice(start, start + JOINT)
        _add_estimates(noisy[part], guide[part], members, size, total[part])
    height, width = (n - size + 1 for n in noisy.shape[:2])
    counts = torch.bincount(members.flatten(), minlength=height * width)
    counts = counts.view(height, width, 1).expand(-1, -1, size**2)
    add_patches(counts, size, weight)
    return inside, total, weight


def _add_estimates(noisy, guide, members, size, out):
    ours, theirs = (extract_patches(x, size).flatten(0, 1) for x in (noisy, guide))
    total = torch.zeros_like(ours)
    for group in members.split(_CHUNK):
        flat = group.flatten()
        estimates = shrink_in_own_axes(
            ours[flat].view(*group.shape, -1), theirs[flat].view(*group.shape, -1)
        )
        total.index_add_(0, flat, estimates.flatten(0, 1))
    height, width = (n - size + 1 for n in noisy.shape[:2])
    add_patches(total.view(height, width, -1), size, out)


def find_similar(guide, refs, size, n_similar):
    """Patches most similar to some, by their squared distance.

    Parameters
    ----------
    guide : (H, W, C) tensor
    refs : pair of (n,) and (m,) int64 tensors
        Rows and columns where those patches start.
    size, n_similar : int
        Of a patch; how many are found for each, itself among them.

    Returns
    -------
    members : (n * m, n_similar) int64 tensor
        Where they start, as an index of the ``(H - size + 1) * (W - size + 1)`` patches
        in rows. No patch is there twice.
    """
    rows, columns = refs
    grid = [n - size + 1 for n in guide.shape[:2]]
    down, right = (torch.arange(-r, r + 1) for r in (min(REACH, n - 1) for n in grid))
    reach = int(down[-1]), int(right[-1])
    top, left = int(rows[0]), int(columns[0])
    bottom, end = int(rows[-1]) + size, int(columns[-1]) + size
    # Beyond the image there are zeros, which are never chosen.
    padded = F.pad(guide.permute(2, 0, 1), (reach[1], reach[1], reach[0], reach[0]))
    padded = padded[:, :, left : end + 2 * reach[1]]
    here = guide.permute(2, 0, 1)[:, top:bottom, left:end].unsqueeze(2).contiguous()
    # Products with these add up the squares within the patches that are compared.
    sum_rows = _windows(rows - top, size, bottom - top).to(guide)
    sum_columns = _windows(columns - left, size, end - left).to(guide)
    beside = ~_inside(columns, right, grid[1])
    distances = guide.new_empty(len(rows), len(columns), len(down), len(right))
    for i, is_beside in enumerate(~_inside(rows, down, grid[0])):
        # Rows this far away, at all shifts to the side at once.
        there = padded[:, top + i : bottom + i].unfold(2, end - left, 1)
        squares = sum((t - h).square_() for t, h in zip(there, here, strict=True))
        sums = (sum_rows @ squares.flatten(1)).view(-1, *squares.shape[1:])
        found = (sums @ sum_columns.mT).masked_fill_(beside, torch.inf)
        found[is_beside] = torch.inf
        distances[:, :, i] = found.mT
    distances = distances.view(len(rows) * len(columns), -1)
    _, nearest = distances.topk(n_similar, dim=1, largest=False, sorted=False)
    shifts = (down[:, None] * grid[1] + right).flatten()
    at = (rows[:, None] * grid[1] + columns).flatten()
    return at[:, None] + shifts[nearest]


def _windows(starts, size, length):
    """Rows of zeros with ``size`` ones from each start on."""
    places = torch.arange(length) - starts[:, None]
    return (places >= 0) & (places < size)


def _inside(starts, shifts, length):
    """Whether starts are from 0 to ``length - 1`` after shifts, (shifts, starts)."""
    moved = starts + shifts[:, None]
    return (moved >= 0) & (moved < length)


def shrink_in_own_axes(noisy, guide):
    """Denoise groups of patches, whose noise is white and of variance 1.

    Each is coded in the principal axes of its own guide, apart from its mean patch.
    Along an axis of which the guide has the variance l, what the patches have is
    multiplied by ``(l / (l + NOISE_SHARE)) ** 2``. No axis is computed: the factors of
    all are a function of the covariance.

    Parameters
    ----------
    noisy, guide : (n_groups, n_similar, n) tensors

    Returns
    -------
    estimates : (n_groups, n_similar, n) tensor
    """
    mean = noisy.mean(1, keepdim=True)  # [NL-Bayes mean patch]
    centred = guide - guide.mean(1, keepdim=True)
    covariance = centred.mT @ centred  # [NL-Bayes covariance of similar patches]
    covariance /= max(guide.shape[1] - 1, 1)
    noise = NOISE_SHARE * torch.eye(guide.shape[2], dtype=guide.dtype)
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(covariance + noise))
    wiener = torch.eye(guide.shape[2], dtype=guide.dtype) - NOISE_SHARE * inverse
    return (noisy - mean) @ wiener @ wiener + mean  # [NL-Bayes Wiener estimate]
