"""Exact and repeatable arithmetic on rows: rounding, scale, principal axes."""

import math

import torch
from torch.nn import functional as F

from sklearn_sparsevae.sparse import tracing

# Products of few rows round differently; those of a multiple of this many do not.
ROW_BLOCK = 128


def argmax_of_rows(scores):
    """First largest entry of every row; numpy is several times faster on a CPU."""
    if scores.device.type == "cpu":
        return torch.from_numpy(scores.numpy().argmax(1))
    return scores.argmax(1)


def pad_rows(signals):
    """Add rows of zeros up to a whole number of blocks.

    The library picks another kernel for few rows, and that rounds differently: a
    signal's products would depend on how many others there are.
    """
    missing = -len(signals) % ROW_BLOCK
    return F.pad(signals, (0, 0, 0, missing)) if missing else signals


@tracing.traced_as(tracing.row_products)
def row_products(rows, matrix):
    """Return ``rows @ matrix.mT``, where no row depends on how many others there are.

    For decisions that could turn on the last bit.
    """
    return (pad_rows(rows) @ matrix.mT)[: len(rows)]


def power_of_two(values):
    """Power of two by which the largest of the values is between 1 and 2.

    Dividing by it is exact, and leaves squares that neither overflow nor vanish. It is
    1 where all is zero or something is not finite.
    """
    peak = float(values.abs().amax()) if values.numel() else 0.0
    return 2.0 ** (math.frexp(peak)[1] - 1) if 0 < peak < math.inf else 1.0


def principal_axes(rows):
    """Orthonormal axes ``(n, n)`` of rows ``(N, n)``, that of most energy first.

    One axis a row; whatever the rows are, zero or fewer than n included. In float64,
    since the solver for float32 fails on matrices that hold nothing but rounding.

    Returns
    -------
    axes : (n, n) float64 tensor
    moments : (n,) float64 tensor
        Mean squares along them.
    """
    unit = power_of_two(rows)
    scaled = rows / unit
    moments, axes = torch.linalg.eigh((scaled.mT @ scaled).double() / len(rows))
    return axes.mT.flip(0), moments.flip(0).clamp(min=0) * unit**2
