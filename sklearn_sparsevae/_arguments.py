"""What every door needs: arrays of what users give, seeds, errors that name it."""

import contextlib
import numbers
import re

import numpy as np
from sklearn.utils import check_array, check_random_state


@contextlib.contextmanager
def naming(name):
    """Let errors of NumPy, SciPy and scikit-learn say which argument they are about.

    Parameters
    ----------
    name : str
        The argument that is looked at inside the context.

    Examples
    --------
    >>> from sklearn_sparsevae._arguments import naming
    >>> with naming("alpha"):
    ...     float("high")
    Traceback (most recent call last):
    ValueError: alpha: could not convert string to float: 'high'
    """
    try:
        yield
    except (TypeError, ValueError, IndexError, OverflowError) as error:
        named = re.search(rf"\b{re.escape(name)}\b", str(error))
        if named and isinstance(error, TypeError | ValueError):
            raise
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"{name}: {error}") from error


def as_ndarray(values, name, any_byte_order=False):
    """Make an ndarray of what holds numbers: lists, frames, tensors of any device.

    ``any_byte_order`` leaves a memory map of another machine's numbers as it is.
    """
    if hasattr(values, "detach"):
        values = values.detach().cpu().to_dense()
        values = values.float() if "bfloat16" in str(values.dtype) else values
    with naming(name):
        array = np.asarray(values)
    if any_byte_order:
        return array
    # torch and SciPy know only the byte order of the machine.
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def lies_within(values, low, high):
    """Whether noisy numbers can belong to a range: noise does not move their mean."""
    room = (high - low) / 2
    return low - room <= float(values.mean(dtype=np.float64)) <= high + room


def as_table(X, name, check=check_array, **options):
    """Make a matrix of what holds one, as ``check`` of scikit-learn does."""
    X = as_ndarray(X, name) if hasattr(X, "detach") else X
    with naming(name):
        return check(X, **options)


def check_flag(value, name):
    """Refuse what is neither true nor false."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"Got {name}={value!r}; expected True or False.")


def check_out(out, shape, dtype):
    """Refuse an ``out=`` that does not hold exactly what is to be written to it."""
    found = tuple(getattr(out, "shape", ())), getattr(out, "dtype", None)
    if found != (tuple(shape), np.dtype(dtype)):
        raise ValueError(
            f"Got out={type(out).__name__} of shape {found[0]} and dtype {found[1]}; "
            f"expected an array of shape {tuple(shape)} and dtype {np.dtype(dtype)}, "
            "for instance np.lib.format.open_memmap(path, mode='w+', "
            f"dtype='{np.dtype(dtype)}', shape={tuple(shape)})."
        )


def write_blocks(blocks, out):
    """Write arrays one after another to ``out``, along its first axis."""
    start = 0
    for block in blocks:
        out[start : start + len(block)] = block
        start += len(block)
    return out


def whole_number(value, name, least=1):
    """Return an argument as a Python integer of at least ``least``.

    Of NumPy's integers, those without a sign have no negative numbers and overflow.
    """
    is_integer = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not is_integer:
        raise TypeError(f"Got {name}={value!r}; expected an integer.")
    if value < least:
        raise ValueError(f"Got {name}={value!r}; expected at least {least}.")
    return int(value)


def random_numbers(random_state):
    """Return the RandomState that a ``random_state`` stands for."""
    try:
        return check_random_state(random_state)
    except ValueError:
        raise ValueError(
            f"Got random_state={random_state!r}; expected None, an integer from 0 to "
            "2**32 - 1, or a numpy.random.RandomState."
        ) from None
