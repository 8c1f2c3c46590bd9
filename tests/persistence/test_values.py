"""Values that become JSON and tensors, and back."""

import datetime
import json
import os
import pathlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.testing import assert_array_equal
from scipy import sparse

from sklearn_sparsevae.images import InputSpec
from sklearn_sparsevae.persistence._values import NoPlainValueError, Reader, Writer


def there_and_back(value):
    writer = Writer()
    text = json.dumps(writer.encode(value, "value"))
    reader = Reader(writer.tensors)
    found = reader.decode(json.loads(text))
    assert not reader.unused
    return found


def assert_equal(here, there):
    assert type(here) is type(there)
    if isinstance(here, list | tuple):
        assert len(here) == len(there)
        for pair in zip(here, there, strict=True):
            assert_equal(*pair)
    elif isinstance(here, dict):
        assert_equal(list(here.items()), list(there.items()))
    elif isinstance(here, np.ndarray):
        assert here.dtype == there.dtype and here.shape == there.shape
        assert_array_equal(here, there)
    else:
        assert here == there or (here != here and there != there)


plain = st.none() | st.booleans() | st.integers(-(2**99), 2**99) | st.floats()
plain |= st.text(max_size=5) | st.sampled_from(
    [np.float32(0.1), np.int8(-3), np.str_("a"), np.bool_(True), pathlib.Path("a/b")]
)
plain |= npst.arrays(
    st.sampled_from(["f4", "i8", "?", "<U3", "S2", "M8[ns]", "m8[s]", "M8"]),
    npst.array_shapes(min_dims=0, min_side=0, max_dims=2, max_side=3),
)
keys = st.text(max_size=3) | st.integers() | st.tuples(st.integers(), st.none())
values = st.recursive(
    plain,
    lambda part: (
        st.lists(part, max_size=3)
        | st.lists(part, max_size=3).map(tuple)
        | st.dictionaries(keys, part, max_size=3)
    ),
    max_leaves=8,
)


@given(values)
def test_plain_values_come_back_as_they_were(value):
    assert_equal(there_and_back(value), value)


def test_other_values_come_back_too():
    for value in (
        np.array(["a", "", "ünï"], dtype=object),
        np.array([["a", None], [1, 2.5]], dtype=object),
        np.array([], dtype=object),
        np.array(["a\0", "b"], dtype=object),
        [np.zeros((2, 0)), np.ones((1, 3))],
        [np.array(["a", "b"]), np.array(["c"], "<U1")],
        InputSpec.of((4, 4, 3), (0, 2), "y"),
        np.float64(np.nan),
    ):
        assert_equal(there_and_back(value), value)
    matrix = sparse.csr_array(np.eye(3, 4))
    found = there_and_back(matrix)
    assert type(found) is type(matrix) and (found != matrix).nnz == 0


@pytest.mark.parametrize("generator", ["MT19937", "PCG64", "Philox", "SFC64"])
def test_random_states_go_on_where_they_were(generator):
    state = np.random.RandomState(getattr(np.random, generator)(3))
    state.normal()  # of two that are drawn at once
    found = there_and_back(state)
    assert_array_equal(found.normal(size=5), state.normal(size=5))


def test_an_array_that_is_there_twice_is_kept_once():
    array = np.arange(3)
    first, second = there_and_back([array, (array,)])
    assert first is second[0]


@pytest.mark.parametrize(
    "value",
    [
        lambda: None,
        np.sum,
        os.system,
        object(),
        1j,
        b"a",
        10**60,
        datetime.date.today(),
        {1, 2},
        np.array([1j]),
        np.longdouble(1),
        np.array([object()]),
        [np.zeros(2), print],
        {"a": {"b": (InputSpec, 2)}},
    ],
    ids=lambda value: type(value).__name__,
)
def test_code_and_unknown_values_are_refused(value):
    with pytest.raises(NoPlainValueError, match="^value"):
        Writer().encode(value, "value")


LETTERS = {"array": "a", "dtype": "uint32", "shape": [2, 2]}


@pytest.mark.parametrize(
    "made_up",
    [
        {"eval": "1"},
        {},
        {"tuple": [1], "list": [1]},
        {"array": "b", "dtype": "uint32", "shape": [2, 2]},
        {"array": ["a"], "dtype": "uint32", "shape": [2, 2]},
        {**LETTERS, "shape": [4]},
        {**LETTERS, "dtype": "float32"},
        {"text": {**LETTERS}},
        {"bytes": {**LETTERS}},
        {"times": [LETTERS, "object"]},
        {"times": [LETTERS, "datetime64[ns]"]},
        {"scalar": LETTERS},
        {"arrays": [LETTERS, LETTERS]},
        {"objects": [[1, 2], [2**60]]},
        {"csr_array": [LETTERS, LETTERS, LETTERS, [2**60, 2]]},
        {"RandomState": {"dict": [["bit_generator", "Generator"]]}},
        {"Layout": {"kind": "grey"}},
        {"Conditions": {"__class__": 1}},
        {"dict": [[["a"], 1]]},
        {"tuple": 1},
        {"KMeans": LETTERS["shape"]},
    ],
    ids=str,
)
def test_what_somebody_made_up_is_refused(made_up):
    reader = Reader({"a": np.full((2, 2), 2**31, np.uint32)})
    with pytest.raises((ValueError, TypeError, KeyError, AttributeError)):
        reader.decode(made_up)
