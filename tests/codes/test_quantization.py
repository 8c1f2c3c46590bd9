"""Quantised coefficients are nearest levels, and counts stay as they are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_sparsevae.codes import SparseCodes, are_counts, as_codes, quantize_codes

coefficients = hnp.arrays(
    np.float32,
    (2, 24),
    elements=st.floats(-(2.0**100), 2.0**100, width=32)
    | st.sampled_from([0.0, 1.0, -3.0]),
)


@given(coefficients, st.integers(2, 16))
def test_quantised_coefficients_are_nearest_levels(dense, coef_bits):
    codes = SparseCodes(dense, grid_shape=(2, 3))
    quantized = quantize_codes(codes, coef_bits)
    if are_counts(codes):
        assert_array_equal(quantized.toarray(), dense)
        return
    largest = 2 ** (coef_bits - 1) - 1
    top = np.abs(quantized.data).max().astype(np.float64)
    assert top <= np.abs(dense).max()
    levels = quantized.toarray() / (top / largest)
    assert_allclose(levels, np.rint(levels), atol=0.01)
    clipped = np.clip(dense.astype(np.float64), -top, top)
    error = np.abs(quantized.toarray() - clipped)
    assert error.max() <= top / largest / 2 + np.spacing(np.float32(top))
    assert np.count_nonzero(quantized.data) == quantized.nnz


@given(coefficients, st.integers(2, 16))
def test_no_coarser_or_finer_step_leaves_much_less_error(dense, coef_bits):
    dense = dense.astype(np.float64)
    codes = SparseCodes(dense.astype(np.float32), grid_shape=(2, 3))
    if are_counts(codes):
        return
    error = np.square(quantize_codes(codes, coef_bits).toarray() - dense).sum()
    largest = 2 ** (coef_bits - 1) - 1
    whole_range = np.abs(dense).max() / largest
    unclipped = np.square(np.rint(dense / whole_range) * whole_range - dense).sum()
    assert error <= unclipped * (1 + 1e-5) + 1e-7 * np.square(dense).sum()


def test_outliers_do_not_decide_the_step():
    dense = np.random.default_rng(0).normal(size=(50, 60)).astype(np.float32)
    dense[0, 0] = 30
    quantized = quantize_codes(SparseCodes(dense, grid_shape=(3, 4)), 4).toarray()
    assert np.square(quantized - dense)[1:].mean() < 0.1  # 0.99 when all become zero


@given(coefficients, st.integers(2, 16), st.floats(-4, 4))
def test_quantisation_repeats_itself_and_follows_sign_and_scale(dense, bits, log_scale):
    dense = np.clip(dense, -1e3, 1e3) + np.float32(0.25)  # never counts
    codes = SparseCodes(dense, grid_shape=(2, 3))
    once = quantize_codes(codes, bits)
    again = quantize_codes(once, bits)
    assert_allclose(again.toarray(), once.toarray(), rtol=1e-6)
    negative = quantize_codes(SparseCodes(-dense, grid_shape=(2, 3)), bits)
    assert_array_equal(negative.toarray(), -once.toarray())
    power = np.float32(2.0 ** round(log_scale))
    scaled = quantize_codes(SparseCodes(dense * power, grid_shape=(2, 3)), bits)
    assert_array_equal(scaled.toarray(), once.toarray() * power)


def test_quantisation_keeps_the_grid_and_leaves_its_argument_alone(codes):
    before = codes.toarray()
    quantized = quantize_codes(codes, 3)
    assert quantized.grid_shape == codes.grid_shape
    assert quantized.image_shape == codes.image_shape
    assert_array_equal(quantized.thumbnails, codes.thumbnails)
    assert 0 < quantized.nnz < codes.nnz
    assert_array_equal(codes.toarray(), before)


@pytest.mark.parametrize(
    ("sites", "counts"),
    [
        ([[0, 1, 0], [1, 0, 0]], True),  # vector quantisation
        ([[0, 3, 1], [2, 0, 2]], True),  # four residual levels
        ([[0, 3, 1], [2, 0, 1]], False),  # not as many levels everywhere
        ([[0, 1, 0], [0, 0, 0]], False),
        ([[0, 5, -1], [2, 0, 2]], False),
        ([[0, 0.5, 0.5], [1, 0, 0]], False),
        ([[0, 0, 0], [0, 0, 0]], True),
    ],
)
def test_counts_are_told_from_coefficients(sites, counts):
    codes = SparseCodes(np.reshape(sites, (1, -1)), grid_shape=(1, 2))
    assert are_counts(as_codes(codes)) is counts
    if counts:
        assert_array_equal(quantize_codes(codes, 2).toarray(), codes.toarray())


def test_codes_of_no_image_can_be_quantised(codes):
    codes = codes[:0]
    assert quantize_codes(codes, 8).shape == codes.shape


@pytest.mark.parametrize("coef_bits", [1, 17, 7.5, None])
def test_bits_out_of_range_are_refused(coef_bits, codes):
    with pytest.raises(ValueError, match="expected an integer from 2"):
        quantize_codes(codes, coef_bits)
