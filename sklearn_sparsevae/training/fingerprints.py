"""What a training depends on, in words and in a number: its parameters and its data."""

import functools
import hashlib
import json
import numbers
import types

import numpy as np
import torch

from sklearn_sparsevae.images import Photos
from sklearn_sparsevae.training.packing import pack

# Photos that are looked at where they are not in memory: evenly spaced, with both ends.
_MOST_PHOTOS = 32


def digest_of(*parts):
    """SHA-256 of arrays, texts and what JSON has, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            part = np.ascontiguousarray(part)
            digest.update(f"{part.dtype.str}{part.shape}".encode())
            digest.update(part.reshape(-1).view(np.uint8))
        else:
            digest.update(json.dumps(part, sort_keys=True).encode())
    return digest.hexdigest()


def describe(value):
    """Describe a parameter by what JSON has: alike for values that mean the same.

    Functions are told apart by their name and what they compute, other objects by
    their class and attributes, networks by their weights.
    """
    if value is None or isinstance(value, bool | np.bool_ | str):
        return bool(value) if isinstance(value, np.bool_) else value
    if isinstance(value, numbers.Real):
        number = float(value)
        return int(number) if number.is_integer() else number
    if isinstance(value, np.ndarray | torch.Tensor):
        array = np.asarray(torch.as_tensor(value).detach().cpu())
        return f"array of shape {array.shape}, SHA-256 {digest_of(array)[:16]}"
    if isinstance(value, list | tuple):
        return [describe(part) for part in value]
    if isinstance(value, dict):
        return {str(k): describe(v) for k, v in value.items()}
    if isinstance(value, functools.partial):
        return describe([value.func, value.args, value.keywords])
    if isinstance(value, types.MethodType):
        return describe([value.__func__, value.__self__])
    if isinstance(value, torch.nn.Module):
        return [_name_of(type(value)), *_weights(value.state_dict())]
    if isinstance(value, types.CodeType):
        return [value.co_code.hex(), value.co_names, describe(list(value.co_consts))]
    if isinstance(value, types.FunctionType):
        # A module's function goes by its name, what has none by what it computes.
        if "<" not in value.__qualname__:
            return _name_of(value)
        cells = [cell.cell_contents for cell in value.__closure__ or ()]
        code = [value.__code__, value.__defaults__, value.__kwdefaults__, cells]
        return f"{_name_of(value)}, SHA-256 {digest_of(describe(code))[:16]}"
    if hasattr(value, "__qualname__"):
        return _name_of(value)
    return [_name_of(type(value)), describe(getattr(value, "__dict__", {}))]


def describe_data(data):
    """Describe photos, or arrays by name: an entry for each thing that may differ."""
    if not isinstance(data, Photos):
        return {name: describe(array) for name, array in data.items()}
    shapes = data.shapes
    known = {
        "photos": len(data),
        "shapes": list(shapes[0]) if data.is_one_size else digest_of(shapes)[:16],
        "dtype": str(data[:1].items.dtype),
        "layout": data.layout.kind,
        "range": list(data.value_range.limits),
        "members": digest_of(_members(data.items))[:16],
        "pixels": _pixels(data),
    }
    if data.targets is not None:
        known |= {f"y, {k}": v for k, v in describe_data(data.targets).items()}
    if data.condition is not None:
        known["condition"] = describe(data.condition)
    return known


def _weights(state):
    arrays, text = pack({name: tensor.float() for name, tensor in state.items()})
    return [f"SHA-256 {digest_of(text, *arrays.values())[:16]}"]


def _pixels(photos):
    """Digest of all photos that are in memory, or of a sample of those that are not."""
    items, n_photos = photos.items, len(photos)
    if isinstance(items, np.ndarray) and not isinstance(items, np.memmap):
        return digest_of(items)[:16]
    if not isinstance(items, list):
        n_photos = min(n_photos, _MOST_PHOTOS)
    chosen = np.linspace(0, len(photos) - 1, n_photos).round().astype(int)
    return digest_of(*(digest_of(photos[i : i + 1].items) for i in chosen))[:16]


def _members(photos):
    """List what a sequence that reads its photos says of which ones they are."""
    found = []
    while photos is not None:
        known = (getattr(photos, name, None) for name in ("names", "boxes", "indices"))
        found += [np.asarray(k).tolist() for k in known if np.ndim(k) > 0]
        photos = getattr(photos, "photos", None)
    return found


def _name_of(thing):
    return f"{thing.__module__}.{thing.__qualname__}"
