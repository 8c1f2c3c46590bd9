"""What numbers mean: ranges, and the way to [0, 1] and back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sklearn_sparsevae.images import ValueRange

UNSIGNED = [np.uint8, np.uint16, np.uint32, np.uint64]
finite = st.floats(-1e6, 1e6, width=32)


@st.composite
def ranges(draw):
    low, high = sorted(draw(st.lists(finite, min_size=2, max_size=2, unique=True)))
    return low, high


@pytest.mark.parametrize("dtype", UNSIGNED)
def test_unsigned_integers_span_all_that_their_dtype_holds(dtype):
    most = np.iinfo(dtype).max
    values = np.array([0, most // 2, most], dtype)
    unit = ValueRange().to_unit(values)
    assert unit.dtype == np.float32
    np.testing.assert_allclose(unit, [0, 0.5, 1], atol=1 / 255)
    assert ValueRange().limits == (0, 1)


@given(ranges(), st.lists(st.floats(0, 1, width=32), min_size=1, max_size=9))
def test_to_unit_and_back_is_the_identity_within_the_range(pair, shares):
    values, (low, high) = ValueRange.of(pair), pair
    given_values = low + np.array(shares) * (high - low)
    unit = values.to_unit(given_values)
    assert (unit >= -1e-6).all() and (unit <= 1 + 1e-6).all()
    back = values.from_unit(unit.copy())
    scale = max(abs(low), abs(high), high - low)
    np.testing.assert_allclose(back, given_values, atol=1e-5 * scale)
    assert back.min() >= np.float32(low) and back.max() <= np.float32(high)


@given(hnp.arrays(np.float32, 5, elements=st.floats(-9, 9, width=32)))
def test_what_comes_out_is_clipped_and_what_is_free_is_not(values):
    clipped = ValueRange.of((-1, 2)).from_unit(values.copy())
    np.testing.assert_allclose(clipped, np.clip(values, 0, 1) * 3 - 1, atol=1e-6)
    free = ValueRange(free=True)
    np.testing.assert_array_equal(free.from_unit(values.copy()), values)
    np.testing.assert_array_equal(free.to_unit(values), values)


@pytest.mark.parametrize("mirror", [False, True])
def test_unit_images_are_what_torch_takes(mirror):
    images = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)
    images.flags.writeable = False
    unit = ValueRange().to_unit(images[:, ::-1] if mirror else images)
    assert unit.flags.writeable and unit.flags.c_contiguous
    assert not images.flags.writeable


def test_a_given_range_holds_for_integers_and_floats_alike():
    values = ValueRange.of((100, 300))
    for dtype in (np.uint16, np.int32, np.float64):
        array = np.array([100, 200, 300], dtype)
        values.check(array, "X")
        np.testing.assert_allclose(values.to_unit(array), [0, 0.5, 1])
        with pytest.raises(ValueError, match=r"X has values in \[100, 301\]"):
            values.check(np.array([100, 301], dtype), "X")


@pytest.mark.parametrize("beyond", ["free", "beyond"])
def test_values_beyond_the_range_are_welcome_where_that_is_said(beyond):
    values = ValueRange.of((0, 1), **{beyond: True})
    values.check(np.array([-5.0, 7.0]), "X")
    with pytest.raises(ValueError, match="NaN or infinity"):
        values.check(np.array([np.nan]), "X")
    with pytest.raises(ValueError, match="too large for float32"):
        values.check(np.array([1e39]), "X")


@given(st.lists(st.tuples(finite, finite).map(sorted), min_size=1, max_size=4))
def test_the_range_of_data_spans_it(spans):
    values = ValueRange.spanned_by([tuple(span) for span in spans])
    low, high = values.limits
    assert low == min(s[0] for s in spans)
    assert high >= max(s[1] for s in spans) and high > low
