"""Files of ours: whole and ours, or refused in words."""

import hashlib
import json
import os
import pickle
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from safetensors.numpy import load_file

from sklearn_sparsevae import _container as container

TENSORS = {
    "net/a.weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "flags": np.array([True, False, True]),
    "counts": np.array(7),
    "empty": np.zeros((0, 3)),
}
CONTENT = {"a": [1, -0.0, None, True, "ü\ud800"], "b": {"c": 2**70}}


@pytest.fixture
def path(tmp_path):
    """A file of every sort of tensor."""
    container.write(tmp_path / "a.bin", "model", TENSORS, CONTENT)
    return tmp_path / "a.bin"


def crafted(path, entries, data=b"", **metadata):
    """Write a file whose checksum is right, whatever else it says."""
    own = {"format": "sklearn-sparsevae", "version": "1", "kind": "model"}
    own = {"checksum": "0" * 64, **own, "content": "{}", **metadata}
    entries = entries if isinstance(entries, str) else json.dumps(entries)[1:-1]
    text = json.dumps({"__metadata__": own}, separators=(",", ":"))[:-1]
    header = f"{text}{',' if entries else ''}{entries}}}".encode()
    header += b" " * (-len(header) % 8)
    raw = len(header).to_bytes(8, "little") + header + data
    digest = hashlib.sha256(raw).hexdigest().encode()
    path.write_bytes(raw.replace(b"0" * 64, digest, 1))
    return path


def entry(shape, start, stop, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, stop]}


@given(
    st.dictionaries(
        st.from_regex(r"[a-z0-9_]{1,5}(\.[a-z0-9]{1,3})?", fullmatch=True),
        npst.arrays(
            st.sampled_from(["?", "i1", "<i8", ">u4", "f2", "f4", ">f8"]),
            npst.array_shapes(min_dims=0, min_side=0, max_side=4),
        ),
        max_size=4,
    ),
    st.dictionaries(
        st.text(max_size=5),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
            lambda part: st.lists(part, max_size=3),
            max_leaves=5,
        ),
        max_size=3,
    ),
    st.booleans(),
)
@settings(max_examples=25, deadline=None)
def test_what_is_written_is_read(tmp_path_factory, tensors, content, mmap):
    path = tmp_path_factory.mktemp("files") / "a.bin"
    container.write(path, "codes", tensors, content)
    found, said = container.read(path, "codes", mmap)
    assert repr(said) == repr(content)  # NaN is not equal to itself
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert found[name].shape == tensor.shape
        assert found[name].dtype == tensor.dtype.newbyteorder("<")
        np.testing.assert_array_equal(found[name], tensor)
    assert load_file(path).keys() == tensors.keys()  # safetensors reads it too


def test_mapped_tensors_are_in_the_file(path):
    tensors, _ = container.read(path, "model", mmap=True)
    weight = tensors["net/a.weight"]
    assert isinstance(weight, np.memmap) and not weight.flags.writeable
    np.testing.assert_array_equal(weight, TENSORS["net/a.weight"])


def test_every_flipped_bit_is_refused(path):
    raw, other = path.read_bytes(), path.with_name("b.bin")
    for place in range(0, 8 * len(raw), 31):
        damaged = bytearray(raw)
        damaged[place // 8] ^= 1 << place % 8
        other.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"b\.bin"):
            container.read(other, "model")


def test_every_truncation_and_addition_is_refused(path):
    raw, other = path.read_bytes(), path.with_name("b.bin")
    for wrong in [raw[:stop] for stop in range(0, len(raw), 31)] + [raw + b"\0"]:
        other.write_bytes(wrong)
        with pytest.raises(ValueError, match=r"b\.bin"):
            container.read(other, "model")


def test_other_kinds_versions_and_files_are_named(path, tmp_path):
    with pytest.raises(ValueError, match=r"kind 'model'; expected 'codes'"):
        container.read(path, "codes")
    with pytest.raises(ValueError, match=r"version 2 .* reads up to version 1"):
        container.read(crafted(tmp_path / "new", {}, version="2"), "model")
    with pytest.raises(ValueError, match="format='another'"):
        container.read(crafted(tmp_path / "other", {}, format="another"), "model")
    (tmp_path / "pickle").write_bytes(pickle.dumps(TENSORS))
    with pytest.raises(ValueError, match="no file of sklearn-sparsevae"):
        container.read(tmp_path / "pickle", "model")
    with pytest.raises(ValueError, match="is no file"):
        container.read(tmp_path, "model")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(ValueError, match="is no file"):
            container.read(tmp_path / "pipe", "model")
    with pytest.raises(FileNotFoundError):
        container.read(tmp_path / "absent", "model")


DEEP = "[" * 100_000 + "]" * 100_000
CRAFTED = {
    "huge shape": {"a": entry([2**60], 0, 8)},
    "huge place": {"a": entry([2**60], 0, 2**62)},
    "huge empty": {"a": entry([0, 2**62], 0, 0)},
    "product that overflows": {"a": entry([2**32, 2**32], 0, 0)},
    "many axes": {"a": entry([1] * 65 + [2], 0, 8)},
    "negative shape": {"a": entry([-2], 0, 8)},
    "fraction": {"a": entry([2.0], 0, 8)},
    "truth": {"a": entry([True, 2], 0, 8)},
    "overlap": {"a": entry([2], 0, 8), "b": entry([1], 4, 8)},
    "gap": {"a": entry([1], 4, 8)},
    "backwards": {"a": entry([2], 8, 0)},
    "beyond the end": {"a": entry([4], 0, 16)},
    "less than all": {"a": entry([1], 0, 4)},
    "within a number": {"b": entry([1], 0, 1, "U8"), "a": entry([7], 1, 8, "U8")}
    | {"c": entry([0], 1, 1)},
    "path": {"../../etc/passwd": entry([2], 0, 8)},
    "no name": {"": entry([2], 0, 8)},
    "type": {"a": entry([2], 0, 8, "O")},
    "type that is a list": {"a": entry([2], 0, 8, [])},
    "no entry": {"a": 1},
    "more in an entry": {"a": entry([2], 0, 8) | {"more": 1}},
    "the same twice": '"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},' * 2
    + '"b":{"dtype":"F32","shape":[0],"data_offsets":[8,8]}',
    "deep": f'"a":{DEEP}',
    "long integer": f'"a":{"9" * 5000}',
    "no booleans": {"a": entry([8], 0, 8, "BOOL")},
}


@pytest.mark.parametrize("what", CRAFTED)
def test_crafted_headers_are_refused_in_little_memory(what, tmp_path):
    path = crafted(tmp_path / "a.bin", CRAFTED[what], b"\2" * 8)
    _refused_in_little_memory(path)


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{", DEEP, '{"a":1,"a":2}', f'{{"a":{"1" * 50}}}', '{"a":' * 20_000],
    ids=lambda text: text[:8],
)
def test_crafted_content_is_refused_in_little_memory(content, tmp_path):
    _refused_in_little_memory(crafted(tmp_path / "a.bin", {}, content=content))


def test_long_headers_are_refused_in_little_memory(tmp_path):
    path = tmp_path / "a.bin"
    for length, size in ((2**60, 100), (2**21, 2**21 + 8), (2**63 + 8, 100)):
        path.write_bytes(length.to_bytes(8, "little") + b" " * size)
        _refused_in_little_memory(path)


def _refused_in_little_memory(path):
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"a\.bin"):
        container.read(path, "model")
    memory = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert memory < 100e6


def test_what_has_no_place_in_a_file_is_refused(tmp_path):
    for name, wrong in (("..", 1), ("a", "text"), ("a", 1j), ("a", np.longdouble(1))):
        with pytest.raises(ValueError, match=name.replace(".", r"\.")):
            container.write(tmp_path / "a", "model", {name: wrong}, {})
    with pytest.raises(ValueError, match="kind='other'"):
        container.write(tmp_path / "a", "other", {}, {})
    with pytest.raises(ValueError, match="expected 1048576 at most"):
        container.write(tmp_path / "a", "model", {}, {"a": "a" * 2**20})
    assert not list(tmp_path.iterdir())


def test_examine_tells_what_a_file_holds(path):
    header = container.examine(path)
    assert (header.kind, header.version, header.content) == ("model", 1, CONTENT)
    assert header.tensors["net/a.weight"].shape == (2, 3)
    assert header.n_bytes == path.stat().st_size
