"""Patches of an image and back: overlapping ones as rows, put together by averaging."""

import torch

from sklearn_sparsevae._ahead import ahead

# Channels whose patches are coded together; more would make their bases large.
JOINT = 3


def extract_patches(image, size):
    """All overlapping patches ``(h, w, C * size * size)`` of an image ``(H, W, C)``.

    Numbers of a channel stand together; ``h`` is ``H - size + 1``, and ``w`` likewise.
    """
    patches = image.unfold(0, size, 1).unfold(1, size, 1)
    return patches.reshape(*patches.shape[:2], -1)


def add_patches(patches, size, out):
    """Add patches ``(h, w, C * size * size)`` to ``out`` (H, W, C) where they lie."""
    height, width = patches.shape[:2]
    patches = patches.view(height, width, -1, size, size)
    for i in range(size):
        for j in range(size):
            out[i : i + height, j : j + width] += patches[..., i, j]


def starts_of(length, step):
    """Every ``step``-th number below ``length``, and the last."""
    starts = list(range(0, length, step))
    return starts if starts[-1] == length - 1 else [*starts, length - 1]


def tiles_of(rows, columns, side):
    """Blocks of at most ``side`` x ``side`` of two lists of numbers, row by row."""
    return [
        (rows[i : i + side], columns[j : j + side])
        for i in range(0, len(rows), side)
        for j in range(0, len(columns), side)
    ]


def averaged(estimate, tiles, image, bar):
    """Mean of all estimates of each number of an image ``(H, W, C)``.

    Parameters
    ----------
    estimate : callable
        Gives of a tile where it lies, as a pair of slices, the sum of the estimates of
        each number there, and the sum of their weights. Tiles are worked on by as many
        threads as torch has, and added in order.
    tiles : sequence
    image : (H, W, C) tensor
    bar : object
        Told of the pixels that are done.
    """
    total, weight = torch.zeros_like(image), torch.zeros_like(image)
    n_threads = torch.get_num_threads()
    for where, sums, weights in ahead(
        estimate, tiles, n_threads if n_threads > 1 else 0
    ):
        bar.update(int((weight[where][..., 0] == 0).sum()))
        total[where] += sums
        weight[where] += weights
    return total.div_(weight)
