"""What is tried: values with a label each, from which they can be made again.

A recipe is ``(label, make)``; ``make(rng)`` gives a fresh value. Every value is made
with the same seed, so that its label is all that a reproduction needs.
"""

import decimal
import functools
import itertools
import pathlib
import warnings

import numpy as np
import pandas as pd
import torch
from hypothesis import strategies as st
from PIL import Image
from scipy import sparse

from sklearn_sparsevae import SparseCodes

SHAPE = (6, 8, 8, 3)
GRID, N_ATOMS = (2, 2), 16


class OwnError(Exception):
    """What an object of the user's raises; nothing of ours may swallow it."""


def constants(*values):
    return [(repr(value), lambda rng, value=value: value) for value in values]


# ---- numbers, names and the like ----------------------------------------------------

NUMBERS = constants(
    *(0, 1, -1, 2, 3, 5, 17, 0.5, 1.0, 2.5, -0.5, 1e-30, 1e30, -1e30),
    *(float("nan"), float("inf"), float("-inf"), True, False, 1j),
    *(np.int64(2), np.uint8(3), np.float32(0.5), np.float16("nan"), np.bool_(True)),
    *(np.float64("inf"), np.array(2), np.array(0.5), np.array([1, 2]), np.array([])),
    *(decimal.Decimal("0.5"), torch.tensor(2)),
)
HUGE = constants(2**31, 2**63, -(2**63), 2**64, 10**40)
OTHERS = [
    *constants(None, "", "x", "auto", "2", b"x", (), [], {}, {"a": 1}, set(), ...),
    *constants([1], (1, 2), (2, 2), [2, 2], (2, 3, 4), (1, 2, 3, 4), [[1, 2]], [None]),
    *constants((0, 0), (-1, 2), (2.5, 2), (True, 2), ("a", "b"), (2**40, 2**40)),
    *constants(["a"], np.nan, slice(1, 2), range(2), len, np, np.array("x"), Ellipsis),
    *constants(pathlib.Path("x"), np.datetime64("2020"), pd.NA),
    ("object()", lambda rng: object()),
    ("a generator", lambda rng: (i for i in range(3))),
    ("iter([])", lambda rng: iter([])),
    ("a RandomState", lambda rng: np.random.RandomState(0)),
    ("a Generator", lambda rng: np.random.default_rng(0)),
    ("a torch.Generator", lambda rng: torch.Generator()),
]
JUNK = [*NUMBERS, *HUGE, *OTHERS]

# ---- arrays -------------------------------------------------------------------------

DTYPES = ["f4", "u1", "f8", "i8", "u2", "u4", "u8", "i1", "?", "f2", ">f4", "g"]
DTYPES += ["c8", "O", "U9", "S9", "M8[s]", "m8[s]", "V4"]
CONTENTS = {
    "uniform": lambda rng, shape: rng.random(shape),
    "normal": lambda rng, shape: rng.standard_normal(shape),
    "zeros": lambda rng, shape: np.zeros(shape),
    "ones": lambda rng, shape: np.ones(shape),
    "0.3": lambda rng, shape: np.full(shape, 0.3),
    "integers": lambda rng, shape: rng.integers(0, 3, shape).astype(float),
    "minus ones": lambda rng, shape: -np.ones(shape),
    "one NaN": lambda rng, shape: _with_one(rng.random(shape), np.nan),
    "one inf": lambda rng, shape: _with_one(rng.random(shape), np.inf),
    "NaN": lambda rng, shape: np.full(shape, np.nan),
    "-inf": lambda rng, shape: np.full(shape, -np.inf),
    "1e19": lambda rng, shape: 1e19 * rng.standard_normal(shape),
    "1e38": lambda rng, shape: 1e38 * rng.standard_normal(shape),
    "1e300": lambda rng, shape: 1e300 * rng.standard_normal(shape),
    "1e-40": lambda rng, shape: 1e-40 * rng.random(shape),
    "2**40": lambda rng, shape: np.full(shape, 2.0**40),
}
SHAPES = [(), (0,), (3,), (6,), (0, 5), (6, 0), (1, 1), (6, 5), (6, 192), (8, 8)]
SHAPES += [(6, 8, 8), (8, 8, 3), (0, 8, 8), (3, 4, 0), (2, 1, 1), (6, 4, 4), (4, 4, 7)]
SHAPES += [SHAPE, (1, 8, 8, 3), (0, 8, 8, 3), (6, 0, 8, 3), (6, 8, 8, 0), (6, 3, 8, 8)]
SHAPES += [(6, 8, 8, 1), (6, 8, 8, 2), (6, 7, 9, 3), (2, 16, 12, 3), (6, 1, 1, 3)]
SHAPES += [(1, 6, 8, 8, 3), (6, 64), (24, 16), (4, 12), (12, 12), (1, 1, 1, 1, 1)]


def _with_one(array, value):
    if array.size:
        array.flat[array.size // 2] = value
    return array


def _frame(array):
    return pd.DataFrame(array, columns=[f"c{i}" for i in range(array.shape[1])])


def _tensor(array):
    return torch.from_numpy(np.array(array))


def _matrix(array):
    """Make NumPy's old matrix, which warns of itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        return np.matrix(array)


# Some hold no array of every dtype and shape: then it is tried as it is.
HOLDERS = {
    "array": lambda a: a,
    "Fortran": np.asfortranarray,
    "mirrored": lambda a: a[::-1, ..., ::-1],
    "strided": lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
    "read-only": lambda a: np.frombuffer(a.tobytes(), a.dtype).reshape(a.shape),
    "masked": lambda a: np.ma.array(a, mask=np.arange(a.size).reshape(a.shape) % 2),
    "nothing masked": np.ma.array,
    "list": np.ndarray.tolist,
    "tuple of arrays": tuple,
    "list of arrays": list,
    "ragged list": lambda a: [*a.tolist(), a[:1].tolist()],
    "generator": iter,
    "tensor": lambda a: _tensor(a),
    "tensor of bfloat16": lambda a: _tensor(a).bfloat16(),
    "tensor with grad": lambda a: _tensor(a).requires_grad_(),
    "sparse tensor": lambda a: _tensor(a).to_sparse(),
    "list of tensors": lambda a: list(_tensor(a)),
    "objects": lambda a: a.astype(object),
    "DataFrame": _frame,
    "DataFrame of Int64": lambda a: _frame(a).astype("Int64"),
    "Series": pd.Series,
    "Series of arrays": lambda a: pd.Series(list(a)),
    "list of PIL": lambda a: [Image.fromarray(part) for part in a],
    "dict": lambda a: {"images": a},
    "matrix": _matrix,
    "csr_matrix": sparse.csr_matrix,
    **{
        f"{kind}_array": functools.partial(sparse.coo_array.asformat, format=kind)
        for kind in ("csr", "csc", "coo", "bsr", "lil", "dok", "dia")
    },
}


def array(dtype, shape, content, holder="array"):
    """Make a recipe of an array in something."""

    def make(rng):
        values = CONTENTS[content](rng, shape)
        if content == "uniform" and dtype[0] in "ui":
            values = 100 * values
        with np.errstate(all="ignore"):
            if dtype[0] in "MmV":
                values = np.nan_to_num(values).astype("i4")
            values = values.astype(dtype)
            hold = HOLDERS[holder]
            try:
                return hold(sparse.coo_array(values) if "_array" in holder else values)
            except (TypeError, ValueError, LookupError, ArithmeticError, RuntimeError):
                return values

    return f"{dtype} {shape} {content} in {holder}", make


def arrays(*shapes):
    """All kinds of arrays; more often of these shapes, and of common dtypes."""
    usual = [SHAPES] if not shapes else [shapes, SHAPES]
    return st.builds(
        array,
        st.one_of(st.sampled_from(DTYPES[:5]), st.sampled_from(DTYPES)),
        st.one_of(*map(st.sampled_from, usual)),
        st.one_of(st.just("uniform"), st.sampled_from(list(CONTENTS))),
        st.one_of(st.just("array"), st.sampled_from(list(HOLDERS))),
    )


# ---- images and codes ---------------------------------------------------------------


def photos(rng, n=6, shape=(8, 8, 3)):
    """Smooth enough to be images, uint8."""
    coarse = rng.integers(0, 256, (n, 5, 5, *shape[2:]))
    ones = np.ones((1, 4, 4, *(1,) * len(shape[2:])), int)
    return np.kron(coarse, ones)[:, : shape[0], : shape[1]].astype(np.uint8)


class Lazy:
    """A lazy sequence of photos, perhaps with a fault in it."""

    def __init__(self, images, fault=None):
        self.images, self.fault = images, fault
        if fault == "shapes":
            self.shapes = [(9, 9, 3)] * len(images)
        if fault == "few shapes":
            self.shapes = [(8, 8, 3)]
        if fault == "no shapes":
            self.shapes = ["x"] * len(images)

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        if self.fault == "raises" and index == 3:
            raise OwnError("cannot be read")
        image = self.images[index]
        if self.fault == "pairs":
            return image, 1
        if index != 3:
            return image
        faults = {"NaN": image * np.nan, "empty": image[:0], "other": image[:, :, 0]}
        return faults.get(self.fault, image)


FAULTS = ["shapes", "few shapes", "no shapes", "raises", "pairs", "NaN", "empty"]
IMAGES = [
    ("photos", photos),
    ("grey", lambda rng: photos(rng)[..., 0]),
    ("floats", lambda rng: photos(rng) / 255),
    ("tensor", lambda rng: torch.tensor(photos(rng))),
    ("flat", lambda rng: photos(rng).reshape(6, -1)),
    ("larger", lambda rng: photos(rng, 3, (16, 13, 3))),
    ("one photo", lambda rng: photos(rng)[0]),
    ("list", lambda rng: list(photos(rng))),
    ("sizes", lambda rng: [p[: 8 - i % 3] for i, p in enumerate(photos(rng))]),
    (
        "grey sizes",
        lambda rng: [p[: 8 - i % 3, :, 0] for i, p in enumerate(photos(rng))],
    ),
    ("sizes, one empty", lambda rng: [*photos(rng, 3), photos(rng, 1)[0, :0]]),
    ("sizes and dtypes", lambda rng: [photos(rng)[0], photos(rng)[1, :5] / 255]),
    ("colour and grey", lambda rng: [photos(rng)[0], photos(rng)[1, :5, :, 0]]),
    ("list of PIL", lambda rng: [Image.fromarray(p) for p in photos(rng)]),
    ("PIL", lambda rng: Image.fromarray(photos(rng)[0])),
    ("pairs", lambda rng: [(p, 1) for p in photos(rng)]),
    ("paths", lambda rng: ["a.png", "b.png"]),
    ("Paths", lambda rng: [pathlib.Path("a.png")]),
    ("photos and None", lambda rng: [photos(rng)[0], None]),
    ("photos and text", lambda rng: [photos(rng)[0], "x"]),
    ("objects", lambda rng: np.array([*photos(rng, 2), None], object)[:2]),
    ("Series", lambda rng: pd.Series(list(photos(rng)))),
    ("DataFrame", lambda rng: pd.DataFrame(rng.random((6, 5)), columns=list("abcde"))),
    ("DataFrame of text", lambda rng: pd.DataFrame({"a": [1.0, 2], "b": ["x", "y"]})),
    ("a map", lambda rng: map(np.asarray, photos(rng))),
    ("codes", lambda rng: codes(rng)),
    ("lazy", lambda rng: Lazy(photos(rng))),
    (
        "lazy sizes",
        lambda rng: Lazy([p[: 8 - i % 3] for i, p in enumerate(photos(rng))]),
    ),
    ("lazy, none", lambda rng: Lazy([])),
    *(
        (f"lazy, {f}", lambda rng, f=f: Lazy(photos(rng), f))
        for f in [*FAULTS, "other"]
    ),
]


def codes(rng, n=6, grid=GRID, n_atoms=N_ATOMS, **known):
    """Codes of a few non-zeros a site."""
    dense = rng.standard_normal((n, grid[0] * grid[1] * n_atoms)).astype(np.float32)
    dense[rng.random(dense.shape) < 0.8] = 0
    return SparseCodes(dense, grid_shape=grid, n_atoms=n_atoms, **known)


def _damaged(part, index, value):
    def make(rng):
        damaged = codes(rng)
        getattr(damaged, part)[index] = value
        return damaged

    return f"codes with {part}[{index}] = {value}", make


CODES = [
    ("codes", codes),
    (
        "counts",
        lambda rng: _like(codes(rng), np.eye(16, dtype=np.float32)[:6].repeat(4, 1)),
    ),
    ("codes of images", lambda rng: codes(rng, image_shape=(8, 8, 3))),
    ("codes[0]", lambda rng: codes(rng)[0]),
    ("codes[:0]", lambda rng: codes(rng)[:0]),
    ("2 * codes", lambda rng: 2 * codes(rng)),
    ("codes * 1e-30", lambda rng: codes(rng) * 1e-30),
    ("codes * 1e30", lambda rng: codes(rng) * 1e30),
    ("codes * nan", lambda rng: codes(rng) * float("nan")),
    ("-codes of float64", lambda rng: -codes(rng).astype(np.float64)),
    ("codes of int8", lambda rng: codes(rng).astype(np.int8)),
    ("codes of bool", lambda rng: codes(rng).astype(bool)),
    ("codes without non-zeros", lambda rng: codes(rng) * 0),
    ("codes[:, :5]", lambda rng: codes(rng)[:, :5]),
    ("codes.T", lambda rng: codes(rng).T),
    ("codes, stacked", lambda rng: sparse.vstack([codes(rng), codes(rng)])),
    ("codes, plain", lambda rng: sparse.csr_array(codes(rng))),
    ("codes, csr_matrix", lambda rng: sparse.csr_matrix(codes(rng))),
    ("codes, csc", lambda rng: codes(rng).tocsc()),
    ("codes, coo", lambda rng: codes(rng).tocoo()),
    ("codes, dense", lambda rng: codes(rng).toarray()),
    ("codes, list", lambda rng: codes(rng).toarray().tolist()),
    ("codes, tensor", lambda rng: torch.tensor(codes(rng).toarray())),
    ("codes, DataFrame", lambda rng: pd.DataFrame(codes(rng).toarray())),
    ("list of codes", lambda rng: list(codes(rng))),
    ("list of grids", lambda rng: [codes(rng), codes(rng, 2, (1, 3))]),
    ("list of atoms", lambda rng: [codes(rng), codes(rng, 2, (1, 3), 5)]),
    ("list of codes and None", lambda rng: [codes(rng), None]),
    ("list of codes and arrays", lambda rng: [codes(rng), codes(rng).toarray()]),
    ("generator of codes", lambda rng: iter(codes(rng))),
    ("codes of a 1x1 grid", lambda rng: codes(rng, grid=(1, 1))),
    ("codes of a 3x5 grid", lambda rng: codes(rng, grid=(3, 5))),
    ("codes of 5 atoms", lambda rng: codes(rng, n_atoms=5)),
    ("codes of 1 atom", lambda rng: codes(rng, n_atoms=1)),
    ("sites", lambda rng: codes(rng).sites()),
    _damaged("indices", 0, 10**6),
    _damaged("indices", 3, -1),
    _damaged("indptr", 1, 10**6),
    _damaged("indptr", -1, 1),
    _damaged("data", 2, np.nan),
    _damaged("data", 2, np.inf),
]


def _like(of, dense):
    return SparseCodes(dense, grid_shape=of.grid_shape)


# ---- what stands for any argument ---------------------------------------------------


def sampled(*recipes):
    return st.sampled_from(list(itertools.chain(*recipes)))


def _numbers(tensor):
    """Real numbers of a tensor of any type, such as bfloat16, which numpy lacks."""
    tensor = tensor.detach().to_dense()
    if tensor.is_complex():
        tensor = torch.view_as_real(tensor)
    return tensor.double().numpy()


def fingerprint(value):
    """What of a value a call must leave as it is."""
    if isinstance(value, torch.Tensor):
        return fingerprint(_numbers(value))
    if sparse.issparse(value):
        parts = ("shape", "data", "indices", "indptr")
        return [fingerprint(getattr(value, part, None)) for part in parts]
    if isinstance(value, np.ndarray) and value.dtype.kind == "O":
        return fingerprint(value.ravel().tolist())
    if isinstance(value, np.ndarray):
        return value.dtype, value.shape, np.asarray(value).tobytes()
    if isinstance(value, pd.DataFrame | pd.Series):
        return fingerprint(value.to_numpy())
    if isinstance(value, list | tuple):
        return [fingerprint(part) for part in value]
    return value if isinstance(value, str | int) else None


def is_finite(value):
    """Whether all numbers are finite, in whatever they come."""
    if isinstance(value, torch.Tensor):
        value = _numbers(value)
    if sparse.issparse(value):
        value = value.tocoo().data
    if isinstance(value, list | tuple):
        return all(map(is_finite, value))
    if isinstance(value, dict):
        return is_finite(list(value.values()))
    if isinstance(value, Lazy):
        return value.fault is None
    if isinstance(value, pd.DataFrame | pd.Series):
        value = value.to_numpy()
    if isinstance(value, np.ndarray) and value.dtype.kind == "O":
        return all(map(is_finite, value.ravel().tolist()))
    if isinstance(value, np.ndarray | float | complex | np.number):
        kind = np.asarray(value).dtype.kind
        return kind not in "fc" or bool(np.isfinite(value).all())
    return True
