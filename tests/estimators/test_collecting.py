"""One matrix from the codes of batch after batch."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sklearn_sparsevae.estimators._collecting import GrowingArray, collect_codes

parts_of_ints = st.lists(
    st.lists(st.integers(-9, 9), max_size=20), min_size=1, max_size=9
)


@given(parts_of_ints, st.data())
def test_it_is_the_concatenation_of_its_parts_whatever_was_expected(parts, data):
    growing = GrowingArray()
    for i, part in enumerate(parts):
        share = data.draw(st.floats(0.05, 1))
        growing.append(np.array(part, np.int32), share)
        np.testing.assert_array_equal(growing.array, np.concatenate(parts[: i + 1]))
        assert growing.array.dtype == np.int32


def test_equal_parts_are_never_moved():
    growing, addresses = GrowingArray(), set()
    for i in range(10):
        growing.append(np.full((3, 2), i, np.uint8), (i + 1) / 10)
        addresses.add(growing.array.ctypes.data)
    assert len(addresses) == 1
    np.testing.assert_array_equal(growing.array[:, 0], np.repeat(range(10), 3))


def test_codes_of_batches_become_those_of_all_at_once():
    rng = np.random.RandomState(0)
    dense = rng.randn(7, 6, 5).astype(np.float32) * (rng.rand(7, 6, 5) < 0.4)
    small = rng.randint(256, size=(7, 4, 6, 3)).astype(np.uint8)
    batches = [
        (part[part != 0], part.nonzero()[2], (part != 0).sum(2).ravel(), thumbnails)
        for part, thumbnails in zip(
            np.split(dense, [1, 2, 5]), np.split(small, [1, 2, 5]), strict=True
        )
    ]
    codes, thumbnails = collect_codes(batches, 7, grid_shape=(2, 3), n_atoms=5)
    np.testing.assert_array_equal(codes.toarray(), dense.reshape(7, -1))
    np.testing.assert_array_equal(thumbnails, small)
    assert codes.indices.dtype == codes.indptr.dtype == np.int32
    assert codes.has_canonical_format
