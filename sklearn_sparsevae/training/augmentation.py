"""The eight ways to turn and mirror a square, to see more of few photos."""

import numpy as np
import torch

# Whether to swap rows and columns, turn upside down, and mirror.
_WAYS = [(t, v, h) for t in (False, True) for v in (False, True) for h in (False, True)]


def draw_ways(n_images, is_square, generator=None):
    """Draw how to turn and mirror each of so many images.

    Parameters
    ----------
    n_images : int
    is_square : bool
        Of the eight ways to turn and mirror a square, half keep any rectangle.
    generator : torch.Generator, default=None
        torch's own where there is none.

    Returns
    -------
    ways : ndarray of int (n_images,)
        As `turned` takes them; 0 leaves an image as it is.
    """
    n_ways = len(_WAYS) if is_square else len(_WAYS) // 2
    return torch.randint(n_ways, (n_images,), generator=generator).numpy()


def turned(images, ways):
    """Turn and mirror each image of a batch in a way of its own.

    Parameters
    ----------
    images : ndarray (n, H, W, C)
        Squares, unless no way is above 3.
    ways : ndarray of int (n,)

    Returns
    -------
    images : ndarray (n, H, W, C)
        New ones.
    """
    return np.stack([_turn(*pair) for pair in zip(images, ways, strict=True)])


def _turn(image, way):
    swapped, upside_down, mirrored = _WAYS[way]
    if swapped:
        image = image.swapaxes(0, 1)
    return image[:: -1 if upside_down else 1, :: -1 if mirrored else 1]
