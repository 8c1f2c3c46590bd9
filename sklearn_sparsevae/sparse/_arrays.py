"""Between tensors and ndarrays."""

import functools

import numpy as np
import torch
from torch.nn import functional as F

# Products of few rows round differently; those of a multiple of this many do not.
ROW_BLOCK = 128


def accepts_arrays(function):
    """Make a function of tensors answer in the kind it was asked in.

    The leading positional arguments that are ndarrays become tensors that share their
    memory; when the first of them was an ndarray, the resulting tensor, or every tensor
    of a resulting tuple, becomes an ndarray.
    """

    @functools.wraps(function)
    def wrapper(signals, *args, **kwargs):
        to_numpy = isinstance(signals, np.ndarray)
        args = [_as_tensor(a) for a in (signals, *args)]
        kwargs = {k: _as_tensor(v) for k, v in kwargs.items()}
        result = function(*args, **kwargs)
        return _as_ndarray(result) if to_numpy else result

    return wrapper


def _as_tensor(value):
    if isinstance(value, np.ndarray):
        return torch.from_numpy(np.ascontiguousarray(value))
    return value


def _as_ndarray(result):
    if isinstance(result, tuple):
        return tuple(_as_ndarray(part) for part in result)
    return result.numpy()


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
