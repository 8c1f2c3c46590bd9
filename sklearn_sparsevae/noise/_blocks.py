"""Blocks of 8x8 pixels and their frequencies: structure in the low ones, then noise."""

import numpy as np
from scipy.fft import dct

SIDE = 8
# More are not looked at: in large photos every second, third, ... is.
_MOST_BLOCKS = 100_000
DCT = dct(np.eye(SIDE, dtype=np.float32), axis=0, norm="ortho")
ORDER = np.add.outer(np.arange(SIDE), np.arange(SIDE)).ravel()
# Structure is looked for in the first ones, noise in those that are left.
LOW, HIGH = (ORDER > 0) & (ORDER < 9), ORDER >= 9


def spacing(n_pixels):
    """Pixels from one block to the next."""
    return int(np.ceil(np.sqrt(n_pixels / _MOST_BLOCKS)))


def blocks_of(channel, step):
    """Mean of blocks ``(n,)`` and energy of their frequencies ``(n, 64)``."""
    blocks = np.lib.stride_tricks.sliding_window_view(
        channel.astype(np.float32), (SIDE, SIDE)
    )
    blocks = blocks[::step, ::step].reshape(-1, SIDE, SIDE)
    frequencies = np.matmul(np.matmul(DCT, blocks), DCT.T)
    return blocks.mean((1, 2)), (frequencies**2).reshape(len(blocks), -1)


def least(values, n):
    """Places of the n least values."""
    n = min(n, len(values))
    return np.argpartition(values, n - 1)[:n]


def n_even_blocks(texture, sigma, fewest):
    """Blocks that show no more than noise of ``sigma`` does on average."""
    return max(fewest, np.count_nonzero(texture <= LOW.sum() * sigma**2))


def deviation(power):
    """Deviation of white noise with this energy ``(n, k)`` in frequencies."""
    return float(np.sqrt(np.median(power.mean(0))))


def check_sides(image):
    """Refuse images that hold no block."""
    if min(image.shape[:2]) < SIDE:
        raise ValueError(
            f"Got images of {image.shape[0]}x{image.shape[1]} pixels; expected sides "
            f"of {SIDE} at least, to tell noise from structure."
        )


def check_channels(found, i):
    """Refuse an image of other channels than the first, by what was found in them."""
    if len(found[i]) != len(found[0]):
        raise ValueError(
            f"Got images[0] of {len(found[0])} channels and images[{i}] of "
            f"{len(found[i])}; expected as many in all. Call it for each kind."
        )
