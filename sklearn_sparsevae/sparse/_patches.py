"""Patches of an image and back: overlapping ones as rows, put together by averaging."""


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
