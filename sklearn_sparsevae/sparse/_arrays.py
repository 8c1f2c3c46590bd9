"""Between tensors and ndarrays, and what the functions of this folder take.

One policy for all of them. Arrays are tensors or ndarrays, dense, of a floating dtype;
lists, masked arrays, integers, booleans and complex numbers are refused with a
TypeError, other shapes and numbers out of range with a ValueError. Functions that
answer a question refuse NaN and infinity, too, unless ``check_finite=False``, as in
scipy. What networks call in every step (`soft_threshold`, `unrolled_ista`, `synthesize`
and their like) does not look at values: NaN goes in and comes out, and the training
sees it.
"""

import functools
import inspect
import math
import numbers
import sys
from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

import numpy as np
import torch

# A tensor or an ndarray: results are of the kind of the first argument, which a type
# would say only by writing every signature twice.
Array: TypeAlias = Any

_Function = TypeVar("_Function", bound=Callable[..., Any])


def accepts_arrays(function: _Function) -> _Function:
    """Make a function of tensors answer in the kind it was asked in.

    Arguments that are ndarrays become tensors that share their memory; when the first
    of them was an ndarray, all tensors of the result become ndarrays.
    """
    parameters = inspect.signature(function).parameters
    names = list(parameters)
    flags = {n for n, p in parameters.items() if isinstance(p.default, bool)}

    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        for name in flags & kwargs.keys():
            check_flag(name, kwargs[name])
        first = args[0] if args else kwargs.get(names[0])
        args = [*map(_as_tensor, names, args), *args[len(names) :]]
        kwargs = {name: _as_tensor(name, value) for name, value in kwargs.items()}
        result = function(*args, **kwargs)
        return _as_ndarray(result) if isinstance(first, np.ndarray) else result

    return wrapper  # type: ignore[return-value]


def _as_tensor(name, value):
    if isinstance(value, np.generic):  # its integers of few bits overflow
        return value.item()
    if not isinstance(value, np.ndarray):
        return value
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(
            f"{name} is a masked array, whose mask would be dropped: fill it with "
            ".filled(...), or leave out what is masked."
        )
    if value.dtype.kind not in "fciub" or value.dtype.itemsize > 16:
        raise TypeError(
            f"{name} must be of a floating dtype, got {value.dtype}: convert to "
            "float32 first."
        )
    if value.ndim == 0:
        return value.item()
    if value.dtype == np.longdouble:
        value = value.astype(np.float64)
    value = np.ascontiguousarray(value, value.dtype.newbyteorder("="))
    # An axis of length 1 may be mirrored, and contiguous all the same.
    as_it_is = value.flags.writeable and min(value.strides) >= 0
    return torch.from_numpy(value if as_it_is else value.copy())


def _as_ndarray(result):
    if isinstance(result, tuple):
        return tuple(map(_as_ndarray, result))
    if isinstance(result, dict):
        return {name: _as_ndarray(part) for name, part in result.items()}
    return result.detach().numpy() if isinstance(result, torch.Tensor) else result


def check_tensor(name, value, axes=None, *, floating=True):
    """Refuse what is not a dense tensor of floats, or of integers, with these axes.

    ``axes`` are their names, for the message.
    """
    if not isinstance(value, torch.Tensor):
        raise TypeError(
            f"{name} must be a tensor or an ndarray, got {type(value).__name__}: "
            "convert it with numpy.asarray first."
        )
    if value.layout is not torch.strided:
        raise TypeError(f"{name} must be dense, got {value.layout}: use .to_dense().")
    if floating and not value.is_floating_point():
        raise TypeError(
            f"{name} must be of a floating dtype, got {value.dtype}: convert to "
            "float32 first."
        )
    if not floating and (value.is_floating_point() or value.is_complex()):
        raise TypeError(f"{name} must be integers, got {value.dtype}.")
    if axes is not None and value.ndim != len(axes):
        expected = f"({', '.join(axes)}{',' if len(axes) == 1 else ''})"
        raise ValueError(
            f"{name} must have the shape {expected}, got {tuple(value.shape)}."
        )


def check_atoms(name, atoms):
    """Refuse what is no matrix of atoms, one a row."""
    check_tensor(name, atoms, ("n_components", "latent_dim"))
    if 0 in atoms.shape:
        raise ValueError(
            f"{name} must hold at least one atom of at least one number, got shape "
            f"{tuple(atoms.shape)}."
        )


def check_signals(signals, atoms, name, check_finite):
    """Refuse signals and atoms that are no matrices of equally long rows."""
    check_tensor("signals", signals)
    check_atoms(name, atoms)
    if signals.ndim != 2 or signals.shape[1] != atoms.shape[1]:
        what = "Codes" if name == "codebook" else "Atoms"
        raise ValueError(
            f"signals of shape {tuple(signals.shape)} do not fit a {name} of shape "
            f"{tuple(atoms.shape)}: expected (n_signals, {atoms.shape[1]}). {what} are "
            "rows, as in components_."
        )
    check_same_device("signals", signals, name, atoms)
    if check_finite:
        refuse_nonfinite("signals", signals)
        refuse_nonfinite(name, atoms)


def check_same_dtype(name, tensor, other_name, other):
    """Refuse tensors of two dtypes, or of two devices."""
    check_same_device(name, tensor, other_name, other)
    if tensor.dtype != other.dtype:
        raise TypeError(
            f"{other_name} must have the dtype of {name}, {tensor.dtype}, got "
            f"{other.dtype}: convert one of them."
        )


def check_same_device(name, tensor, other_name, other):
    """Refuse tensors of two devices."""
    if tensor.device != other.device:
        raise ValueError(
            f"{other_name} is on {other.device}, but {name} on {tensor.device}: move "
            f"it with .to({name}.device)."
        )


def refuse_nonfinite(name, tensor):
    """Refuse NaN, infinity, and numbers of which sums of squares are not finite."""
    dtype = torch.promote_types(tensor.dtype, torch.float32)
    # Differences of two rows are twice as long as the longer one at most.
    longest = math.sqrt(torch.finfo(dtype).max) / 4
    norm = functools.partial(torch.linalg.vector_norm, tensor.detach(), dtype=dtype)
    rest = tuple(range(1, tensor.ndim))
    if bool(norm() <= longest) or bool((norm(dim=rest) <= longest).all()):
        return
    refuse_nan(name, tensor)
    raise ValueError(
        f"{name} has numbers up to {tensor.abs().max().item():.3g}, whose squares are "
        f"too large for {dtype}: scale them."
    )


def refuse_nan(name, tensor):
    """Refuse NaN and infinity, but no numbers however large."""
    if not bool(tensor.isfinite().all()):
        raise ValueError(
            f"{name} must be finite, got NaN or infinity: find them with isfinite, and "
            "replace or leave them out."
        )


def in_float(*tensors):
    """Tensors in the dtype of the first, or in float32 if it has fewer bits."""
    dtype = torch.promote_types(tensors[0].dtype, torch.float32)
    return [tensor.to(dtype) for tensor in tensors]


def check_flag(name, value):
    """Refuse what is neither true nor false."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False, got {value!r}.")


def check_count(name, value, least=1):
    """Refuse what is not a whole number of at least ``least``."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} must be an integer, got {value!r}.")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {value}.")


def check_number(name, value, *, positive=False):
    """Refuse what is not a finite number, non-negative or positive."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a number, got {value!r}.")
    if value < 0 or (positive and value == 0):
        kind = "positive" if positive else "non-negative"
        raise ValueError(f"{name} must be {kind}, got {value}.")
    if not value <= sys.float_info.max:  # an integer may be beyond any float
        raise ValueError(f"{name} must be finite, got {value}.")
