"""Nested values as tensors and text, and back: what a checkpoint holds, no pickle."""

import json
import math

import numpy as np
import torch

# What arrays may hold; all else stands in the text, or is refused.
_KINDS = "biuf"


def pack(value):
    """Take a value apart into arrays and text.

    Parameters
    ----------
    value : object
        Dicts with keys of any plain kind, lists and tuples of: None, booleans, numbers
        (NumPy's too), texts, arrays and tensors of real numbers.

    Returns
    -------
    arrays : dict of str to ndarray
    text : str
        JSON.

    Raises
    ------
    TypeError
        Where something else is in it.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_sparsevae.training.packing import pack, unpack
    >>> arrays, text = pack({"step": 3, "moments": (np.zeros(2), float("inf"))})
    >>> arrays, unpack(arrays, text)
    ({'0': array([0., 0.])}, {'step': 3, 'moments': (array([0., 0.]), inf)})
    """
    arrays = {}
    return arrays, json.dumps(_pack(value, arrays), separators=(",", ":"))


def unpack(arrays, text):
    """Put together what `pack` took apart; tensors are on the CPU."""
    return _unpack(json.loads(text), arrays)


def can_be_packed(value):
    """Whether `pack` takes a value."""
    try:
        _pack(value, {})
    except TypeError:
        return False
    return True


def _pack(value, arrays):
    if isinstance(value, np.generic) and value.dtype.kind in _KINDS:
        return {"number": [value.dtype.str, _pack(value.item(), arrays)]}
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"float": str(value)}
    if isinstance(value, list):
        return [_pack(part, arrays) for part in value]
    if isinstance(value, tuple):
        return {"tuple": [_pack(part, arrays) for part in value]}
    if isinstance(value, dict):
        pairs = [[_pack(k, arrays), _pack(v, arrays)] for k, v in value.items()]
        return {"dict": pairs}
    if isinstance(value, np.ndarray) and value.dtype.kind in _KINDS:
        return {"array": _add(value, arrays)}
    if isinstance(value, torch.Tensor) and value.dtype != torch.bfloat16:
        value = value.detach().cpu()
        # In the order in which it lies in memory, so that it will lie alike.
        axes = sorted(range(value.ndim), key=lambda axis: -value.stride(axis))
        laid_out = value.permute(axes)
        if value.is_contiguous() or not laid_out.is_contiguous():
            return {"tensor": _add(value.numpy(), arrays)}
        return {"tensor": _add(laid_out.numpy(), arrays), "axes": axes}
    raise TypeError(f"{type(value).__name__} cannot be kept in a checkpoint")


def _add(array, arrays):
    name = str(len(arrays))
    arrays[name] = array
    return name


def _unpack(value, arrays):
    if isinstance(value, list):
        return [_unpack(part, arrays) for part in value]
    if not isinstance(value, dict):
        return value
    if "tensor" in value:
        tensor = torch.from_numpy(arrays[value["tensor"]])
        axes = value.get("axes", range(tensor.ndim))
        return tensor.permute(tuple(np.argsort(axes)))
    ((kind, content),) = value.items()
    if kind == "number":
        return np.dtype(content[0]).type(_unpack(content[1], arrays))
    if kind == "float":
        return float(content)
    if kind == "tuple":
        return tuple(_unpack(part, arrays) for part in content)
    if kind == "array":
        return arrays[content]
    return {_unpack(k, arrays): _unpack(v, arrays) for k, v in content}
