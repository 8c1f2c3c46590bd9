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


# ---- with atoms ----------------------------------------------------------------------


def similar_atoms(rng, n_atoms, n):
    """Unit atoms that are far from orthogonal."""
    atoms = rng.normal(size=(n_atoms, n)) + 1
    return atoms / np.linalg.norm(atoms, axis=1, keepdims=True)


def sparse_site_codes(rng, n_sites=200, n_atoms=12, n_nonzeros=5):
    dense = rng.normal(size=(n_sites, n_atoms)) * 2
    chosen = np.argsort(rng.random(dense.shape), axis=1) < n_nonzeros
    return SparseCodes((dense * chosen).astype(np.float32), grid_shape=(1, 1))


def left(codes, quantized, atoms):
    """Squared error of what codes decode to."""
    return np.square((quantized.toarray() - codes.toarray()) @ atoms).sum()


@pytest.mark.parametrize("coef_bits", [3, 5, 8])
def test_coefficients_make_up_for_what_rounding_takes_from_others(rng, coef_bits):
    codes, atoms = sparse_site_codes(rng), similar_atoms(rng, 12, 16)
    alone = quantize_codes(codes, coef_bits)
    together = quantize_codes(codes, coef_bits, atoms)
    assert left(codes, together, atoms) < 0.7 * left(codes, alone, atoms)
    step = np.abs(alone.data).min() / np.rint(
        np.abs(alone.data).min() * (2 ** (coef_bits - 1) - 1) / np.abs(alone.data).max()
    )
    levels = together.data / step
    assert_allclose(levels, np.rint(levels), atol=1e-3)
    assert np.abs(levels).max() <= 2 ** (coef_bits - 1) - 0.9


def test_two_atoms_by_hand():
    # 2.4 becomes 2: along the second atom 0.4 * 0.9 = 0.36 of that is made up for.
    atoms = [[1, 0], [0.9, np.sqrt(1 - 0.81)]]
    codes = SparseCodes([[2.4, 1.3], [7.0, 0.0]], grid_shape=(1, 1))
    assert_array_equal(quantize_codes(codes, 4).toarray(), [[2, 1], [7, 0]])
    assert_array_equal(quantize_codes(codes, 4, atoms).toarray(), [[2, 2], [7, 0]])


def test_orthogonal_atoms_are_rounded_each_by_itself(rng):
    codes = sparse_site_codes(rng)
    alone, together = quantize_codes(codes, 4), quantize_codes(codes, 4, np.eye(12))
    assert_array_equal(alone.toarray(), together.toarray())


@given(coefficients, st.integers(2, 16), st.integers(0, 9))
def test_rounding_with_atoms_repeats_itself_whatever_they_are(dense, coef_bits, seed):
    dense = np.clip(dense, -1e3, 1e3) + np.float32(0.25)  # never counts
    atoms = np.random.default_rng(seed).integers(-2, 3, size=(4, 2)) * 10.0**seed
    once = quantize_codes(SparseCodes(dense, grid_shape=(2, 3)), coef_bits, atoms)
    assert np.isfinite(once.data).all()
    again = quantize_codes(once, coef_bits, atoms)
    assert_allclose(again.toarray(), once.toarray(), rtol=1e-5)
    alone = quantize_codes(once, coef_bits)  # as bits_per_pixel counts them
    assert_allclose(alone.toarray(), once.toarray(), rtol=1e-5)


def test_a_site_is_rounded_alike_whatever_sites_are_beside_it(rng, monkeypatch):
    codes, atoms = sparse_site_codes(rng), similar_atoms(rng, 12, 16)
    whole = quantize_codes(codes, 5, atoms)
    monkeypatch.setattr("sklearn_sparsevae.codes._quantization._BLOCK_ENTRIES", 1000)
    assert_array_equal(quantize_codes(codes, 5, atoms).toarray(), whole.toarray())


@pytest.mark.parametrize(
    ("atoms", "message"),
    [
        (np.eye(3), r"components of shape \(3, 3\) for codes of 12 atoms"),
        (np.ones(12), "components"),
        (np.full((12, 2), np.nan), "components"),
    ],
)
def test_atoms_that_do_not_fit_are_refused(rng, atoms, message):
    with pytest.raises(ValueError, match=message):
        quantize_codes(sparse_site_codes(rng), 4, atoms)


# ---- what is kept --------------------------------------------------------------------


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
