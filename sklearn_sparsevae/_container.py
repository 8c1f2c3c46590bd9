"""The one file format of ours: numbers and JSON with a checksum, and nothing that runs.

A file is a safetensors file, which other programs can open: eight bytes that say how
long the header is, the header as JSON, and the bytes of the tensors. What is ours
stands in the header's ``__metadata__``: the name of the format, its version, the kind
of file, all content that is no tensor (as JSON within a string), and a SHA-256 checksum
of the whole file. The checksum comes first and counts as zeros for itself, so that no
bit of a file can change unseen.

Longer than other modules because files come from anywhere: every number in a header is
compared with the size of the file before anything is read or reserved for it.
"""

import contextlib
import dataclasses
import hashlib
import json
import math
import os
import re
import stat
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_sparsevae._files import written_aside

FORMAT, VERSION = "sklearn-sparsevae", 1
KINDS = {
    "model": "sklearn_sparsevae.load",
    "codes": "SparseCodes.load",
    "checkpoint": "fit, with the folder that it is in as checkpoint=",
}

# A header has names, shapes and content. What is long belongs into tensors.
_MAX_HEADER = 2**20
_BLOCK = 2**20  # bytes that are read at once
_START = b'{"__metadata__":{"checksum":"'
_NO_CHECKSUM = b"0" * 64
_NAME = re.compile(r"[A-Za-z0-9_-]+([./][A-Za-z0-9_-]+)*")
_MAX_DIGITS = 40  # of integers
_ENTRY = {"dtype", "shape", "data_offsets"}

_DTYPES = {
    "BOOL": np.dtype("?"),
    "I8": np.dtype("i1"),
    "U8": np.dtype("u1"),
    "I16": np.dtype("<i2"),
    "U16": np.dtype("<u2"),
    "F16": np.dtype("<f2"),
    "I32": np.dtype("<i4"),
    "U32": np.dtype("<u4"),
    "F32": np.dtype("<f4"),
    "I64": np.dtype("<i8"),
    "U64": np.dtype("<u8"),
    "F64": np.dtype("<f8"),
}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}

Tensors = dict[str, NDArray[Any]]


@dataclasses.dataclass(frozen=True)
class Tensor:
    """Where a tensor is in a file, and what it is."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    start: int

    @property
    def n_bytes(self) -> int:
        """Bytes that it takes."""
        return math.prod(self.shape) * self.dtype.itemsize


@dataclasses.dataclass(frozen=True)
class Header:
    """What a file says of itself, once its checksum is known to be right."""

    kind: str
    version: int
    content: dict[str, Any]
    tensors: dict[str, Tensor]
    n_bytes: int


# ---- writing ------------------------------------------------------------------------


def write(
    path: str | os.PathLike[str], kind: str, tensors: Tensors, content: dict[str, Any]
) -> None:
    """Write a file aside and let it take its place at the end.

    Parameters
    ----------
    path : str or path-like
        Its folder must exist.
    kind : {"model", "codes", "checkpoint"}
    tensors : dict of str to ndarray
        Of numbers or booleans. Names are words joined by ``.`` or ``/``.
    content : dict
        What JSON has: dicts with keys that are strings, lists, strings, integers,
        floats (infinite ones and NaN too), booleans and None. Tuples become lists.
    """
    if kind not in KINDS:
        raise ValueError(f"Got kind={kind!r}; expected one of {list(KINDS)}.")
    # The widest numbers first, so that each tensor lies at a multiple of its width.
    arrays = {name: _checked(name, tensor) for name, tensor in tensors.items()}
    names = sorted(arrays, key=lambda name: (-arrays[name].itemsize, name))
    head, start = {"format": FORMAT, "version": str(VERSION), "kind": kind}, 0
    head["content"] = json.dumps(content, separators=(",", ":"))
    entries: dict[str, Any] = {"__metadata__": {"checksum": "", **head}}
    for name in names:
        array = arrays[name]
        offsets = [start, start + array.nbytes]
        kind_of_number = _NAMES[array.dtype]
        entries[name] = {"dtype": kind_of_number, "shape": list(array.shape)}
        entries[name]["data_offsets"] = offsets
        start = offsets[1]
    text = json.dumps(entries, separators=(",", ":")).encode()
    header = _START + _NO_CHECKSUM + text[len(_START) :]
    header += b" " * (-len(header) % 8)
    if len(header) > _MAX_HEADER:
        raise ValueError(
            f"Got names and content of {len(header)} bytes for {path}; expected "
            f"{_MAX_HEADER} at most. Leave out long parameters."
        )
    digest = hashlib.sha256()
    with written_aside(path) as aside, open(aside, "wb") as handle:
        parts: list[Any] = [len(header).to_bytes(8, "little"), header]
        parts += [arrays[name].reshape(-1).view(np.uint8).data for name in names]
        for part in parts:
            digest.update(part)
            handle.write(part)
        handle.seek(8 + len(_START))
        handle.write(digest.hexdigest().encode())


def _checked(name, tensor):
    """Return a tensor as it is stored, or say why it cannot be."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"Got a tensor {name!r}; expected words joined by '.' or '/'.")
    array = np.asarray(tensor)
    dtype = array.dtype.newbyteorder("<") if array.itemsize > 1 else array.dtype
    if dtype not in _NAMES:
        raise ValueError(
            f"Got {name} of type {array.dtype}; expected real numbers or booleans of "
            "at most 64 bits. Convert it first."
        )
    return np.ascontiguousarray(array, dtype).reshape(array.shape)


# ---- reading ------------------------------------------------------------------------


def read(
    path: str | os.PathLike[str], kind: str, mmap: bool = False
) -> tuple[Tensors, dict[str, Any]]:
    """Read a file of one kind, or say what is wrong with it.

    Parameters
    ----------
    path : str or path-like
    kind : {"model", "codes", "checkpoint"}
    mmap : bool, default=False
        Leave tensors in the file: they are read-only, and their pages come into memory
        as they are used. The file is read once all the same, for its checksum.

    Returns
    -------
    tensors : dict of str to ndarray
    content : dict

    Raises
    ------
    ValueError
        When the file is none of ours or of another kind, comes from a newer version, or
        is damaged.
    """
    with _opened(path) as (path, handle):
        header = _header(path, handle, kind)
        tensors = {}
        for name, tensor in header.tensors.items():
            tensors[name] = _array(path, handle, name, tensor, mmap)
        return tensors, header.content


def examine(path: str | os.PathLike[str]) -> Header:
    """Read what a file of any kind says of itself, and check it all."""
    with _opened(path) as (path, handle):
        return _header(path, handle, None)


@contextlib.contextmanager
def _opened(path):
    """Open a regular file to read: others may wait for ever, or never end."""
    path = Path(path)
    if not stat.S_ISREG(path.stat().st_mode):
        raise ValueError(f"{path} is no file: give the path of one.")
    with open(path, "rb") as handle:
        yield path, handle


def _array(path, handle, name, tensor, mmap):
    """Return the numbers of a tensor, from the file or in it."""
    count, dtype = math.prod(tensor.shape), tensor.dtype
    stored = np.dtype("u1") if dtype.kind == "b" else dtype
    if mmap and count:
        array = np.memmap(path, stored, "r", tensor.start, tensor.shape)
    else:
        handle.seek(tensor.start)
        array = np.fromfile(handle, stored, count)
        if len(array) != count:
            raise damaged(path, "it became shorter while it was read")
        array = array.reshape(tensor.shape)
    if dtype.kind != "b":
        return array
    if array.max(initial=0) > 1:
        raise damaged(path, f"{name} holds numbers where booleans belong")
    return array.view(dtype)


def _header(path, handle, kind):
    """Return the header of a file that keeps all promises of the format."""
    n_bytes = os.fstat(handle.fileno()).st_size
    lead = handle.read(8)
    length = int.from_bytes(lead, "little")
    none_of_ours = f"{path} is no file of {FORMAT}"
    if len(lead) < 8 or length > n_bytes - 8:
        raise ValueError(f"{none_of_ours}, or it is cut off or damaged at its start.")
    if length > _MAX_HEADER:
        raise ValueError(
            f"{none_of_ours}: its header has {length} bytes; expected {_MAX_HEADER} "
            "at most."
        )
    text = handle.read(length)
    start = len(_START) + len(_NO_CHECKSUM)
    if not text.startswith(_START) or (8 + length) % 8:
        raise ValueError(f"{none_of_ours}, or its header is damaged.")
    entries = _parse(path, text)
    own = entries.pop("__metadata__")
    if not all(isinstance(value, str) for value in own.values()):
        raise damaged(path, "its header holds something else than text")
    if own.get("format") != FORMAT:
        raise ValueError(f"{none_of_ours}: it says format={own.get('format')!r}.")
    version = _version(path, own.get("version", ""))
    found = text[len(_START) : start].decode("latin-1")
    digest = hashlib.sha256(lead + _START + _NO_CHECKSUM + text[start:])
    while block := handle.read(_BLOCK):
        digest.update(block)
    if found != digest.hexdigest():
        raise damaged(path, "its checksum is not that of its content")
    found = own.get("kind")
    if found not in KINDS:
        raise damaged(path, f"its kind is {found!r}")
    if kind not in (None, found):
        raise ValueError(
            f"{path} is a file of kind {found!r}; expected {kind!r}. It is for "
            f"{KINDS[found]}."
        )
    content = _parse(path, own.get("content", ""))
    tensors = _tensors(path, entries, 8 + length, n_bytes)
    return Header(found, version, content, tensors, n_bytes)


def _version(path, text):
    """Return the version of the format, if it is one that can be read."""
    if not re.fullmatch(r"[1-9][0-9]{0,8}", text):
        raise damaged(path, f"its version is {text!r}")
    if int(text) > VERSION:
        raise ValueError(
            f"{path} has version {text} of its format; this version of "
            f"sklearn-sparsevae reads up to version {VERSION}. Install a newer one: "
            "pip install -U sklearn-sparsevae."
        )
    return int(text)


def _tensors(path, entries, start, n_bytes):
    """Return where tensors are, if they fill the rest of a file without overlap."""
    tensors = {}
    for name, entry in entries.items():
        if not _NAME.fullmatch(name):
            raise damaged(path, f"a tensor has the name {name[:100]!r}")
        if not (isinstance(entry, dict) and set(entry) == _ENTRY):
            raise damaged(path, f"the entry of {name} is none of a tensor")
        dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
        if not isinstance(dtype, str) or dtype not in _DTYPES:
            raise damaged(path, f"{name} has the type {str(dtype)[:100]!r}")
        if not (_are_sizes(shape) and len(shape) <= 32):
            raise damaged(path, f"the shape of {name} is none")
        if not (_are_sizes(offsets) and len(offsets) == 2):
            raise damaged(path, f"the place of {name} is none")
        tensor = Tensor(_DTYPES[dtype], tuple(shape), start + offsets[0])
        largest = math.prod(size for size in shape if size) * tensor.dtype.itemsize
        if largest >= 2**63 or offsets[1] - offsets[0] != tensor.n_bytes:
            raise damaged(path, f"{name} has another size than its shape {shape}")
        if tensor.start % tensor.dtype.itemsize:
            raise damaged(path, f"{name} starts within a number")
        tensors[name] = tensor
    end = start
    for name, tensor in sorted(tensors.items(), key=_place):
        if tensor.start != end:
            raise damaged(path, f"{name} does not start where another tensor ends")
        end += tensor.n_bytes
    if end != n_bytes:
        raise damaged(path, f"it has {n_bytes} bytes; its tensors end at {end}")
    return tensors


def _are_sizes(values):
    """Whether these are a list of whole numbers, none of them negative."""
    return isinstance(values, list) and all(
        type(value) is int and value >= 0 for value in values
    )


def _place(item):
    return item[1].start, item[1].n_bytes


def _parse(path, text):
    """Return a JSON object without anything that would be read in two ways."""
    try:
        found = json.loads(text, object_pairs_hook=_unique, parse_int=_integer)
    except (ValueError, RecursionError) as error:
        said = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise damaged(path, f"its header is no JSON of ours: {said[:200]}") from None
    if not isinstance(found, dict):
        raise damaged(path, "its header is no JSON object")
    return found


def _unique(pairs):
    """Return an object whose keys are all different."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("an object has the same key twice")
    return found


def _integer(digits):
    """Return an integer of a length that can be computed with."""
    if len(digits) > _MAX_DIGITS:
        raise ValueError(f"an integer has {len(digits)} digits")
    return int(digits)


def damaged(path: str | os.PathLike[str], what: object) -> ValueError:
    """Error for a file that is ours, but not as it was written."""
    return ValueError(
        f"{path} is damaged or was changed: {what}. Take another copy of the file."
    )
