"""Values as JSON and tensors, and back: what a file may hold besides plain numbers.

What JSON has stands for itself. Any other value is an object with a single key that
says what it is, out of a fixed list: nothing in a file can name a class or a function.

Longer than other modules: each kind of value is written and read side by side.
"""

import dataclasses
import importlib
import pathlib
import re

import numpy as np
from scipy import sparse
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.neighbors import KNeighborsClassifier

_LARGEST = 10**39  # integers are no longer than what a file may say
_TIMES = re.compile(r"(datetime64|timedelta64)(\[[0-9]{0,3}[A-Za-z]{1,2}\])?")
_GENERATORS = {"MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64"}
_CODE_POINTS = 0x110000

# Our own classes that fitted estimators hold, by the name that they have in files.
_RECORDS = {
    "InputSpec": "sklearn_sparsevae.images.opening",
    "ValueRange": "sklearn_sparsevae.images.ranges",
    "Layout": "sklearn_sparsevae.images.layouts",
    "Tokenizer": "sklearn_sparsevae.estimators._tokens",
    "CodeSpace": "sklearn_sparsevae.training.code_transformer",
    "Conditions": "sklearn_sparsevae.estimators._conditions",
}


class NoPlainValueError(TypeError):
    """A value that is neither numbers nor plain JSON."""


class Writer:
    """Collects the tensors of values that become JSON.

    Attributes
    ----------
    tensors : dict of ndarray
    """

    def __init__(self):
        self.tensors, self._known = {}, {}

    def encode(self, value, name):
        """Return JSON for a value, whose tensors are called by ``name``.

        Raises
        ------
        NoPlainValueError
            When it is code, or something else that is not in the list.
        """
        kind = type(value)
        if value is None or kind in (bool, float, str):
            return value
        if kind is int and abs(value) < _LARGEST:
            return value
        if kind is list:
            return self._list(value, name)
        if kind is tuple:
            return {"tuple": self._items(value, name)}
        if kind is dict:
            pairs = enumerate(value.items())
            return {"dict": [self._items(pair, f"{name}.{i}") for i, pair in pairs]}
        if isinstance(value, np.ndarray):
            return self._array(value, name)
        if isinstance(value, np.generic):
            return {"scalar": self._array(np.asarray(value), name)}
        if isinstance(value, pathlib.PurePath):
            return {"path": str(value)}
        if kind is np.random.RandomState:
            return {"RandomState": self.encode(value.get_state(legacy=False), name)}
        if kind in (sparse.csr_array, sparse.csr_matrix):
            parts = (value.data, value.indices, value.indptr, value.shape)
            return {kind.__name__: self._items(parts, name)}
        if kind in (KMeans, MiniBatchKMeans):
            return {"KMeans": self.encode(value.cluster_centers_, name)}
        if kind is KNeighborsClassifier:
            parts = value._fit_X, value.classes_[value._y]
            return {"KNeighborsClassifier": self._items(parts, name)}
        if _RECORDS.get(kind.__name__) == kind.__module__:
            items = vars(value).items()
            fields = {k: self.encode(v, f"{name}.{k}") for k, v in items}
            return {kind.__name__: fields}
        raise NoPlainValueError(f"{name} is {describe(value)}")

    def tensor(self, array, name):
        """Keep an array of numbers; return what stands for it."""
        known = self._known.get(id(array))
        if known is None or known[0] not in self.tensors:
            if array.dtype.kind not in "biuf" or array.itemsize > 8:
                raise NoPlainValueError(f"{name} is an array of type {array.dtype}")
            self.tensors[name] = array
            # The array is kept beside its name, so that no other takes its address.
            known = self._known[id(array)] = name, array
        return {"array": known[0], "dtype": array.dtype.name, "shape": [*array.shape]}

    def _items(self, values, name):
        return [self.encode(value, f"{name}.{i}") for i, value in enumerate(values)]

    def _list(self, values, name):
        """Return a list; one of many arrays as their numbers one after the other."""
        arrays = [v for v in values if type(v) is np.ndarray and v.dtype != object]
        kinds = {(array.dtype, array.ndim) for array in arrays}
        if len(values) < 2 or len(arrays) < len(values) or len(kinds) > 1:
            return self._items(values, name)
        shapes = np.array([array.shape for array in arrays], np.int64)
        whole = np.concatenate([array.ravel() for array in arrays])
        return {"arrays": self._items([shapes, whole], name)}

    def _array(self, array, name):
        """Return what stands for an array of any type."""
        kind, shape = array.dtype.kind, [*array.shape]
        if kind in "US":
            letter = np.dtype("u4" if kind == "U" else "u1")
            letters = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<")))
            width = array.dtype.itemsize // letter.itemsize
            raw = np.frombuffer(letters.tobytes(), letter).reshape(*shape, width)
            return {"text" if kind == "U" else "bytes": self.tensor(raw, name)}
        if kind in "mM":
            numbers = self.tensor(array.view(np.int64), name)
            return {"times": [numbers, array.dtype.name]}
        if kind != "O":
            return self.tensor(array, name)
        items = array.ravel().tolist()
        if items and all(type(item) is str and item[-1:] != "\0" for item in items):
            return {"strings": self._array(array.astype(str), name)}
        return {"objects": [self._items(items, name), shape]}


class Reader:
    """Makes values of JSON and tensors.

    Parameters
    ----------
    tensors : dict of ndarray
        Each that is used is taken note of, see `unused`.
    """

    def __init__(self, tensors):
        self._tensors, self._used = tensors, set()

    @property
    def unused(self):
        """Names of the tensors that nothing stands for."""
        return sorted(self._tensors.keys() - self._used)

    def decode(self, found):
        """Return the value that JSON stands for; a ValueError if it stands for none."""
        if isinstance(found, list):
            return [self.decode(item) for item in found]
        if not isinstance(found, dict):
            return found
        if "array" in found:
            return self.tensor(found)
        if len(found) != 1:
            raise ValueError(f"{sorted(found)[:5]} stand for no value")
        ((kind, parts),) = found.items()
        if kind in _RECORDS:
            return self._record(kind, parts)
        if kind not in _READ:
            raise ValueError(f"{kind[:100]!r} is no kind of value that is known")
        return _READ[kind](self.decode(parts))

    def tensor(self, found):
        """Return the tensor that is meant, if it is the one that was written."""
        name = found.get("array")
        if not isinstance(name, str) or name not in self._tensors:
            raise ValueError(f"the tensor {name!r} is missing")
        array = self._tensors[name]
        self._used.add(name)
        told = found.get("dtype"), found.get("shape")
        if told != (array.dtype.name, [*array.shape]):
            raise ValueError(
                f"the tensor {name} has type {array.dtype} and shape {array.shape}; "
                f"expected {told[0]} and {told[1]}"
            )
        return array

    def _record(self, kind, fields):
        """Return an object of ours, without its constructor but for dataclasses."""
        cls = getattr(importlib.import_module(_RECORDS[kind]), kind)
        given = {name: self.decode(part) for name, part in dict(fields).items()}
        if dataclasses.is_dataclass(cls):
            return cls(**given)
        if unknown := given.keys() - {"classes", "n_columns", "_mean", "_scale"}:
            raise ValueError(f"{kind} has no {sorted(unknown)}")
        record = object.__new__(cls)
        vars(record).update(given)
        return record


def describe(value):
    """Return one line that says what a value is to who has to give it again."""
    text = re.sub(r" at 0x[0-9a-fA-F]+", "", " ".join(repr(value).split()))
    return text if len(text) <= 200 else f"{text[:197]}..."


def k_means_of(centers):
    """k-means that has found these centres: it labels as the one that did."""
    # Fitted to one row of nothing, so that it has all that scikit-learn gives it.
    nothing = np.zeros((1, centers.shape[1]), centers.dtype)
    model = KMeans(1, n_init=1).fit(nothing).set_params(n_clusters=len(centers))
    model.cluster_centers_ = centers
    return model


def _as_scalar(array):
    if array.ndim:
        raise ValueError(f"a scalar has shape {array.shape}")
    return array[()]


def _as_text(letters):
    if letters.dtype != np.uint32 or letters.max(initial=0) >= _CODE_POINTS:
        raise ValueError("a text holds no letters")
    width = letters.shape[-1]
    return np.frombuffer(letters.tobytes(), f"<U{width}").reshape(letters.shape[:-1])


def _as_bytes(letters):
    if letters.dtype != np.uint8:
        raise ValueError("bytes are none")
    width = letters.shape[-1]
    return np.frombuffer(letters.tobytes(), f"S{width}").reshape(letters.shape[:-1])


def _as_times(parts):
    array, dtype = parts
    if not _TIMES.fullmatch(dtype) or array.dtype != np.int64:
        raise ValueError(f"{dtype[:100]!r} is no type of times")
    return array.view(dtype)


def _as_objects(parts):
    items, shape = parts
    array = np.empty(len(items), dtype=object)
    for i, item in enumerate(items):
        array[i] = item
    return array.reshape(shape)


def _as_arrays(parts):
    shapes, whole = parts
    counts = [int(np.prod(shape, dtype=object)) for shape in shapes.tolist()]
    if whole.ndim != 1 or min(counts, default=0) < 0 or sum(counts) != len(whole):
        raise ValueError("a list of arrays has another length than they have")
    pieces = np.split(whole, np.cumsum(counts)[:-1])
    return [p.reshape(shape) for p, shape in zip(pieces, shapes.tolist(), strict=True)]


def _as_random_state(state):
    if state["bit_generator"] not in _GENERATORS:
        raise ValueError("a RandomState has an unknown generator")
    made = np.random.RandomState(getattr(np.random, state["bit_generator"])())
    made.set_state(state)
    return made


def _as_csr(kind):
    def make(parts):
        *arrays, shape = parts
        matrix = kind(tuple(arrays), shape=shape)
        matrix.check_format(full_check=True)
        return matrix

    return make


def _as_neighbors(parts):
    rows, labels = parts
    return KNeighborsClassifier(1).fit(rows, labels)


# What the single key of an object stands for, and how its value is made.
_READ = {
    "tuple": tuple,
    "dict": dict,
    "path": pathlib.Path,
    "scalar": _as_scalar,
    "text": _as_text,
    "bytes": _as_bytes,
    "times": _as_times,
    "strings": lambda array: array.astype(object),
    "objects": _as_objects,
    "arrays": _as_arrays,
    "RandomState": _as_random_state,
    "csr_array": _as_csr(sparse.csr_array),
    "csr_matrix": _as_csr(sparse.csr_matrix),
    "KMeans": k_means_of,
    "KNeighborsClassifier": _as_neighbors,
}
