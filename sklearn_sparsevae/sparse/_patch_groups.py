"""Groups of similar patches, each coded in its own principal axes (NL-Bayes)."""

import math

import torch

from sklearn_sparsevae.sparse._patches import (
    add_patches,
    extract_patches,
    starts_of,
    tiles_of,
)

# What measured best on photos of the BSDS500 test split at sigma 15 to 50.
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
# Channels whose patches are coded together; more would make the bases large.
_JOINT = 3


def shrink_groups(noisy, guide):
    """Denoise an image ``(H, W, C)`` whose noise is white, of variance 1.

    Parameters
    ----------
    noisy, guide : (H, W, C) tensors
        The image, and an estimate of what it is without noise: in it similar patches
        are found, and from it their covariance is computed.

    Yields
    ------
    (rows, columns), total, weight : tuple of slices, (h, w, C) tensor, (h, w, 1) tensor
        For one tile after another, where it lies, the sum of the estimates of each
        pixel and their number.
    """
    height, width, _ = noisy.shape
    size = min(SIZE, height, width)
    grid = height - size + 1, width - size + 1
    n_similar = min(N_SIMILAR, math.prod(min(n, REACH + 1) for n in grid))
    refs = [starts_of(n, STEP) for n in grid]
    for tile in tiles_of(*refs, _TILE):
        inside = tuple(
            slice(max(at[0] - REACH, 0), min(at[-1] + REACH, n - 1) + size)
            for at, n in zip(tile, grid, strict=True)
        )
        local = [
            torch.tensor(at) - part.start for at, part in zip(tile, inside, strict=True)
        ]
        own, whole = noisy[inside], guide[inside]
        members = find_similar(whole, local, size, n_similar)
        total, weight = torch.zeros_like(own), torch.zeros_like(own[..., :1])
        for start in range(0, own.shape[2], _JOINT):
            part = slice(start, start + _JOINT)
            total[..., part] = _sum_of_estimates(
                own[..., part], whole[..., part], members, size
            )
        height, width = (n - size + 1 for n in own.shape[:2])
        counts = torch.bincount(members.flatten(), minlength=height * width)
        counts = counts.view(height, width, 1).expand(-1, -1, size**2)
        add_patches(counts, size, weight)
        yield inside, total, weight


def _sum_of_estimates(noisy, guide, members, size):
    ours, theirs = (extract_patches(x, size).flatten(0, 1) for x in (noisy, guide))
    total = torch.zeros_like(ours)
    for group in members.split(_CHUNK):
        flat = group.flatten()
        estimates = shrink_in_own_axes(
            ours[flat].view(*group.shape, -1), theirs[flat].view(*group.shape, -1)
        )
        total.index_add_(0, flat, estimates.flatten(0, 1))
    out = torch.zeros_like(noisy)
    height, width = (n - size + 1 for n in noisy.shape[:2])
    add_patches(total.view(height, width, -1), size, out)
    return out


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
    height, width, _ = guide.shape
    rows, columns = refs
    n_rows, n_columns = height - size + 1, width - size + 1
    reach = [min(REACH, n - 1) for n in (n_rows, n_columns)]
    channels = guide.permute(2, 0, 1).contiguous()
    shifts, distances = [], []
    for down in range(-reach[0], reach[0] + 1):
        for right in range(-reach[1], reach[1] + 1):
            distance = channels.new_full((len(rows), len(columns)), torch.inf)
            in_rows = _within(rows, down, n_rows)
            in_columns = _within(columns, right, n_columns)
            shifts.append(down * n_columns + right)
            distances.append(distance)
            if in_rows.start >= in_rows.stop or in_columns.start >= in_columns.stop:
                continue
            distance[in_rows, in_columns] = _distances(
                channels, rows[in_rows], columns[in_columns], down, right, size
            )
    stacked = torch.stack(distances).flatten(1).mT
    _, nearest = stacked.topk(n_similar, dim=1, largest=False, sorted=False)
    at = (rows[:, None] * n_columns + columns).flatten()
    return at[:, None] + torch.tensor(shifts)[nearest]


def _within(starts, shift, length):
    """Slice of the sorted starts that stay from 0 to ``length - 1`` when shifted."""
    inside = (starts + shift >= 0) & (starts + shift < length)
    first = int((starts + shift < 0).sum())
    return slice(first, first + int(inside.sum()))


def _distances(channels, rows, columns, down, right, size):
    """Squared distances of the patches at rows and columns to those a shift away."""
    top, left = int(rows[0]), int(columns[0])
    bottom, end = int(rows[-1]) + size, int(columns[-1]) + size
    here = channels[:, top:bottom, left:end]
    there = channels[:, top + down : bottom + down, left + right : end + right]
    squares = (here - there).square_().sum(0)
    sums = sum(squares[rows - top + i] for i in range(size)).mT.contiguous()
    return sum(sums[columns - left + i] for i in range(size)).mT


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
