"""How much the two halves of a disc differ, around every pixel and in all directions.

The local cue of Arbelaez et al. 2011, section 3.1: a boundary is where the histograms
of both halves have little in common.
"""

import functools

import numpy as np

# Directions of the diameter.
N_DIRECTIONS = 8
# Numbers that are worked on at a time without numba, so that they stay in the cache.
_BLOCK = 2**18


def half_disc_differences(maps, bounds, radius):
    """Chi-square distance of the histograms of both halves of a disc.

    ``sum_b (g_b - h_b)^2 / (2 (g_b + h_b))`` of histograms g and h that sum to 1 (Eq. 3
    of Arbelaez et al. 2011), the image being mirrored at its border.

    Parameters
    ----------
    maps : ndarray of shape (H, W, n_bins)
        Share of each pixel in each bin; those of a histogram sum to 1.
    bounds : sequence of int of length n_histograms + 1
        Where the bins of each histogram begin and end.
    radius : int
        Of the disc, in pixels.

    Returns
    -------
    differences : ndarray of float32 of shape (N_DIRECTIONS, H, W, n_histograms)
        In [0, 1]. In direction k the diameter runs at an angle of
        ``(k - 1 / 2) * pi / N_DIRECTIONS`` from the rows, towards larger rows.
    """
    down, right, sector = disc_sectors(radius, N_DIRECTIONS)
    padded = np.pad(
        np.asarray(maps, np.float32),
        [(radius, radius), (radius, radius), (0, 0)],
        mode="symmetric",
    )
    # So that each half sums to 1 / 2, as the sum of differences wants it.
    padded /= len(sector)
    shape = (N_DIRECTIONS, *maps.shape[:2], len(bounds) - 1)
    differences = np.empty(shape, np.float32)
    fill = _compiled_fill() or _fill
    fill(padded, down + radius, right + radius, sector, np.asarray(bounds), differences)
    return differences


@functools.cache
def disc_sectors(radius, n_directions):
    """Pixels of a disc without its centre, and the sector of each of them.

    Diameters run between sectors, at angles at which no pixel of the disc lies.

    Returns
    -------
    down, right, sector : ndarray of int of shape (n_pixels,)
    """
    down, right = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    inside = (down**2 + right**2 <= radius**2) & ((down != 0) | (right != 0))
    down, right = down[inside], right[inside]
    turns = np.arctan2(down, right) * n_directions / np.pi
    return down, right, np.round(turns).astype(int) % (2 * n_directions)


@functools.cache
def _compiled_fill():
    """Return the compiled inner loop, or None without numba."""
    try:
        from sklearn_sparsevae.segmentation._half_discs_compiled import (
            fill_differences,
        )
    except (ImportError, RuntimeError):  # numba has no folder to write to
        return None
    return fill_differences


def _fill(padded, down, right, sector, bounds, differences):
    """Do what the compiled loop does, some rows at a time."""
    n, height, width, _ = differences.shape
    step = max(1, _BLOCK // (2 * n * width * padded.shape[2]))
    for top in range(0, height, step):
        rows = min(step, height - top)
        sums = np.zeros((2 * n, rows, width, padded.shape[2]), np.float32)
        for d, r, s in zip(down, right, sector):
            sums[s] += padded[top + d : top + d + rows, r : r + width]
        near, far = sums[:n].sum(axis=0), sums[n:].sum(axis=0)
        for k in range(n):
            apart = (near - far) ** 2 / (near + far + np.float32(1e-7))
            differences[k, top : top + rows] = np.add.reduceat(
                apart, bounds[:-1], axis=-1
            )
            turned = sums[k + n] - sums[k]
            near += turned
            far -= turned
