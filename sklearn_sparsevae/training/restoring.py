"""A trained net as arrays by name, and the net from such arrays.

They may come from a file that somebody made up. So the network is built under a limit
before its names and shapes are compared: parameters that ask for more numbers than the
arrays have are refused before memory is taken for them.
"""

import itertools
import math

import torch
from skorch.history import History
from torch.overrides import TorchFunctionMode

from sklearn_sparsevae.training.seeds import OwnGenerator

# What building a network may take beside its own numbers: a basis of patches, say.
_MORE_NUMBERS, _MORE_STEPS = 2**22, 2**10


def net_arrays(net):
    """Return the numbers of a net's module, all buffers too: ndarrays by name."""
    tensors = {**net.module_.state_dict(), **_transient(net.module_)}
    return {name: t.detach().cpu().numpy() for name, t in tensors.items()}


def restore_net(net_class, build, arrays, history, settings):
    """Make a net that is as one was that has been trained.

    Parameters
    ----------
    net_class : type
        Of `Net`.
    build : callable
        Returns a fresh module, as the fit did.
    arrays : dict of ndarray
        As `net_arrays` returns them.
    history : dict of ndarray of shape (n_epochs,)
        As `Net.epochs`.
    settings : RunSettings
        Without effect on what has been trained.

    Returns
    -------
    net : Net
        On the CPU, with nothing that only further training needs.

    Raises
    ------
    ValueError
        When arrays are missing or are none of such a module, when one has another shape
        or type, or when the module has far more numbers than they have.
    """
    with OwnGenerator(0), _Within(arrays):
        module = build()
    module.to(memory_format=net_class.memory_format)
    _fill(module, arrays)
    net = net_class.around(module, settings)
    rows = zip(*history.values(), strict=True)
    net.history = History(dict(zip(history, row, strict=True)) for row in rows)
    net.forget_training()
    return net


@torch.no_grad()
def _fill(module, arrays):
    """Give a module the numbers of arrays, which have to be those that it has."""
    state, transient = module.state_dict(), _transient(module)
    expected = {**state, **transient}
    for names, what in (
        (expected.keys() - arrays.keys(), "lacks"),
        (arrays.keys() - expected.keys(), "has no place for"),
    ):
        if names:
            raise ValueError(f"the network {what} {', '.join(sorted(names)[:5])}")
    for name, tensor in expected.items():
        found = torch.from_numpy(arrays[name])
        same = found.shape == tensor.shape
        if name in transient:  # may hold any number of rows
            same = found.ndim == tensor.ndim and found.shape[1:] == tensor.shape[1:]
        if not same or found.dtype != tensor.dtype:
            raise ValueError(
                f"{name} has shape {tuple(found.shape)} and type {found.dtype}; "
                f"expected {tuple(tensor.shape)} and {tensor.dtype}"
            )
        if name in transient:
            path, _, own = name.rpartition(".")
            setattr(module.get_submodule(path), own, found.clone())
        else:
            tensor.copy_(found)


def _transient(module):
    """Buffers that are in no state dict: statistics of the training that goes on."""
    state = module.state_dict()
    return {name: b for name, b in module.named_buffers() if name not in state}


class _Within(TorchFunctionMode):
    """Inside the block, tensors are made only as far as a file accounts for them."""

    def __init__(self, arrays):
        super().__init__()
        n_numbers = sum(array.size for array in arrays.values())
        self.largest = _MORE_NUMBERS + 16 * n_numbers
        self.numbers_left = 16 * self.largest
        self.steps_left = _MORE_STEPS + 48 * len(arrays)

    def __torch_function__(self, func, types, args=(), kwargs=None):
        """Call a function of torch if its result cannot be too large."""
        kwargs = kwargs or {}
        n_numbers = _largest_result(func.__name__, (*args, *kwargs.values()))
        self.steps_left -= 1
        self.numbers_left -= n_numbers
        if n_numbers > self.largest or min(self.steps_left, self.numbers_left) < 0:
            raise ValueError(
                "its parameters describe a network of far more numbers than it holds"
            )
        return func(*args, **kwargs)


def _largest_result(name, args):
    """Return how many numbers the result of a function of torch may have."""
    tensors = [a for a in args if isinstance(a, torch.Tensor)]
    n_all = math.prod(max(1, tensor.numel()) for tensor in tensors)
    if name in ("kron", "outer"):
        return n_all
    if name in ("matmul", "__matmul__", "mm"):
        return n_all // max(1, tensors[0].shape[-1]) ** 2
    sizes = [abs(size) for a in args for size in _integers(a)]
    if name == "arange":
        return max(sizes, default=0)
    if name == "eye":
        sizes *= 3 - len(sizes)  # a square where there is one size
    asked = math.prod(sizes) if name in _SIZED else 0
    if name in ("repeat", "repeat_interleave", "tile"):
        return asked * n_all
    return max(asked, _broadcast(tensors))


def _broadcast(tensors):
    """Return how many numbers an operation element by element gives; 0 if it cannot."""
    axes = itertools.zip_longest(*(reversed(t.shape) for t in tensors), fillvalue=1)
    lengths = [set(axis) - {1} or {1} for axis in axes]
    return math.prod(map(max, lengths)) if all(len(a) == 1 for a in lengths) else 0


# Functions that take the size of their result.
_SIZED = {"empty", "eye", "full", "new_empty", "new_full", "new_ones", "new_zeros"}
_SIZED |= {"ones", "rand", "randn", "repeat", "repeat_interleave", "tile", "zeros"}


def _integers(value):
    """Integers of an argument."""
    values = value if isinstance(value, list | tuple) else [value]
    return [v for v in values if isinstance(v, int) and not isinstance(v, bool)]
