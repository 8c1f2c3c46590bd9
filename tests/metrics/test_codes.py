"""Each code metric against a formula written out, for every form of codes."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from sklearn_sparsevae import metrics
from sklearn_sparsevae.codes import SparseCodes

floats = st.floats(-1e6, 1e6, width=32)
dense_codes = hnp.arrays(
    np.float32, st.tuples(st.integers(1, 6), st.integers(2, 7)), elements=floats
).map(lambda codes: codes * (np.abs(codes) > 1))


def hoyer_by_hand(code):
    """Hoyer, 2004, section 3.1; 1 for an empty code."""
    if not code.any():
        return 1.0
    code = [abs(float(z)) for z in code]
    ratio = sum(code) / math.sqrt(sum(z * z for z in code))
    return (math.sqrt(len(code)) - ratio) / (math.sqrt(len(code)) - 1)


@given(dense_codes)
def test_code_metrics_are_their_formulas(codes):
    expected = np.mean([hoyer_by_hand(code) for code in codes])
    assert_allclose(metrics.hoyer(codes), expected, atol=1e-7)
    usage = [sum(code[k] != 0 for code in codes) for k in range(codes.shape[1])]
    assert_array_equal(metrics.atom_usage(codes), usage)
    assert_allclose(metrics.nonzeros_per_site(codes), sum(usage) / len(codes))
    assert_allclose(metrics.zero_fraction(codes), np.mean(codes == 0))
    shares = [count / sum(usage) for count in usage if count]
    perplexity = math.prod(share**-share for share in shares) if shares else 0
    assert_allclose(metrics.usage_perplexity(codes), perplexity)


@given(dense_codes, st.integers(1, 3), st.integers(1, 3))
def test_all_forms_of_codes_measure_the_same(sites, h, w):
    sites = np.tile(sites, (h * w, 1))
    n_atoms = sites.shape[1]
    flat = sites.reshape(-1, h * w * n_atoms)
    forms = [
        (SparseCodes(flat, grid_shape=(h, w)), None),
        (flat, n_atoms),
        (sparse.csr_array(flat), n_atoms),
        (sparse.csc_matrix(flat), n_atoms),
        (sparse.coo_array(sites), n_atoms),
        (sparse.csr_array(sites), n_atoms),
    ]
    for name in ("hoyer", "nonzeros_per_site", "zero_fraction", "usage_perplexity"):
        values = [getattr(metrics, name)(codes, k) for codes, k in forms]
        assert_allclose(values, values[0], rtol=1e-9)


@given(dense_codes, st.floats(1e-3, 1e3))
def test_hoyer_knows_neither_scale_nor_sign_nor_order(codes, scale):
    value = metrics.hoyer(codes)
    assert 0 <= value <= 1
    changed = -scale * codes.astype(np.float64)[:, ::-1]
    assert_allclose(metrics.hoyer(changed), value, atol=1e-7)


def test_hoyer_of_extreme_codes():
    assert metrics.hoyer(np.eye(4)) == 1.0
    assert metrics.hoyer(np.ones((3, 4))) == 0.0
    assert metrics.hoyer(np.zeros((3, 4))) == 1.0


def test_stored_zeros_are_zeros():
    codes = sparse.csr_array(([0.0, 2.0], [0, 1], [0, 2]), shape=(1, 4))
    assert metrics.nonzeros_per_site(codes, 4) == 1.0
    assert_array_equal(metrics.atom_usage(codes, 4), [0, 1, 0, 0])


def test_many_sites_are_measured_without_a_dense_copy():
    n_columns = 1024 * 512
    shape = (20_000, n_columns)  # 39 GiB, had it been dense
    codes = sparse.csr_array(([1.0], ([3], [700])), shape=shape)
    codes = SparseCodes(codes[:64], grid_shape=(32, 32))
    assert metrics.hoyer(codes) == 1.0
    assert metrics.nonzeros_per_site(codes) == 1 / (64 * 1024)


@pytest.mark.parametrize(
    ("codes", "n_atoms", "message"),
    [
        (np.ones((2, 6)), 4, "expected a multiple of n_atoms=4"),
        (np.ones((2, 6)), 0, "n_atoms=0; expected at least 1"),
        (np.ones((2, 6)), -3, "n_atoms=-3; expected at least 1"),
        (np.ones((2, 6)), 2.0, "n_atoms=2.0; expected an integer"),
        (np.ones((2, 6)), True, "n_atoms=True; expected an integer"),
        (np.ones((2, 6)), "3", "n_atoms='3'; expected an integer"),
        (np.ones((2, 2, 6)), None, "a matrix with one row"),
        (np.ones(6), None, r"shape \(6,\); expected a matrix"),
        (np.ones((2, 6), bool), None, "type bool; expected real numbers"),
        (np.ones((2, 6), complex), None, "type complex128; expected real numbers"),
        (np.ones((2, 6), object), None, "type object; expected real numbers"),
        ([["a", "b"]], None, "type <U1; expected real numbers"),
        ([[1.0, 2.0], [1.0]], None, "codes in lists of different lengths"),
        (np.ma.masked_array(np.ones((2, 6))), None, "codes as a masked array"),
        (np.full((2, 6), np.inf), None, "NaN or infinite"),
        (sparse.csr_array(np.ones((2, 6))), None, "rows may be images or sites"),
        (sparse.csr_array(np.ones((2, 6), bool)), 6, "type bool; expected real"),
        ("codes", None, r"shape \(\); expected a matrix"),
        (None, None, r"shape \(\); expected a matrix"),
        ([], None, r"shape \(0,\); expected a matrix"),
        (np.full((2, 6), np.nan), None, "NaN or infinite"),
        (np.ones((0, 6)), None, "at least one row"),
        (np.ones((2, 6)), 1, "at least two"),
    ],
)
def test_bad_codes_are_refused(codes, n_atoms, message):
    with pytest.raises((ValueError, TypeError), match=message):
        metrics.hoyer(codes, n_atoms)


def test_codes_know_their_number_of_atoms():
    codes = SparseCodes(np.eye(2, 8), grid_shape=(2, 2))
    with pytest.raises(ValueError, match="n_atoms=4 for codes of 2 atoms"):
        metrics.atom_usage(codes, 4)


@given(dense_codes, st.integers(0, 6))
def test_usage_is_that_of_the_columns_behind_the_means(sites, n_means):
    n_atoms = sites.shape[1]
    n_means = min(n_means, n_atoms - 1)
    sites[:, :n_means] = 1 + np.abs(sites[:, :n_means])  # always on
    cut = sites[:, n_means:]
    known = SparseCodes(sites, grid_shape=(1, 1), n_mean_atoms=n_means)
    for codes, told in (
        (known, {}),
        ([known[:1], known[1:]], {}),
        (known, {"n_mean_atoms": n_means}),
        (sites, {"n_mean_atoms": n_means}),
        (sites.reshape(1, -1), {"n_mean_atoms": n_means, "n_atoms": n_atoms}),
        (sparse.csr_array(sites), {"n_mean_atoms": n_means, "n_atoms": n_atoms}),
    ):
        usage = metrics.atom_usage(codes, **told)
        assert_array_equal(usage, np.count_nonzero(cut, axis=0))
        perplexity = metrics.usage_perplexity(codes, **told)
        assert_allclose(perplexity, metrics.usage_perplexity(cut))


def test_other_metrics_of_codes_count_the_means(rng):
    sites = rng.random((6, 5)) * (rng.random((6, 5)) < 0.5)
    sites[:, :2] = 9
    codes = SparseCodes(sites, grid_shape=(1, 1), n_mean_atoms=2)
    for metric in (metrics.hoyer, metrics.nonzeros_per_site, metrics.zero_fraction):
        assert metric(codes) == metric(sites)


@pytest.mark.parametrize("metric", [metrics.atom_usage, metrics.usage_perplexity])
def test_mean_atoms_that_cannot_be_are_refused(metric):
    sites = np.ones((2, 4))
    codes = SparseCodes(sites, grid_shape=(1, 1), n_mean_atoms=1)
    for number in (0, 2):
        with pytest.raises(
            ValueError, match=f"={number} for codes of n_mean_atoms=1.*out"
        ):
            metric(codes, n_mean_atoms=number)
    for number in (-1, 4, 1.0, "1", True):
        for either in (sites, codes):
            with pytest.raises(ValueError, match="n_mean_atoms=.* from 0 to 3"):
                metric(either, n_mean_atoms=number)
    other = SparseCodes(sites, grid_shape=(1, 1))
    with pytest.raises(ValueError, match="n_mean_atoms of .* as many of them for mean"):
        metric([codes, other])


def of_many_grids(rng):
    """Codes of photos of different sizes, as transform gives them."""
    grids = [(2, 3), (1, 4), (3, 1)]
    dense = [
        rng.random((1, h * w * 5)) * (rng.random((1, h * w * 5)) < 0.4)
        for h, w in grids
    ]
    return [SparseCodes(d, grid_shape=g) for d, g in zip(dense, grids)]


CODE_METRICS = [
    metrics.hoyer,
    metrics.nonzeros_per_site,
    metrics.zero_fraction,
    metrics.atom_usage,
    metrics.usage_perplexity,
]


@pytest.mark.parametrize("metric", CODE_METRICS)
def test_codes_in_a_list_are_measured_over_all_their_sites(rng, metric):
    codes = of_many_grids(rng)
    sites = np.vstack([part.sites().toarray() for part in codes])
    assert_allclose(metric(codes), metric(sites))
    assert_allclose(metric(codes, n_atoms=5), metric(sites))
    assert_allclose(metric(codes[:1]), metric(codes[0]))


@pytest.mark.parametrize("metric", CODE_METRICS)
def test_codes_that_lost_their_grid_are_not_taken_for_sites(rng, metric):
    codes = of_many_grids(rng)[0]
    for plain in (
        2 * sparse.csr_array(codes),
        sparse.vstack([sparse.csr_array(codes)] * 2),
    ):
        with pytest.raises(ValueError, match="rows may be images or sites"):
            metric(plain)
    assert_allclose(metric(sparse.csr_array(codes), n_atoms=5), metric(codes))


def test_a_list_of_codes_of_two_models_is_refused(rng):
    codes = of_many_grids(rng)
    other = SparseCodes(np.ones((1, 4)), grid_shape=(1, 1))
    for odd in (other, np.ones((2, 5)), None):
        with pytest.raises(ValueError, match="n_atoms .* equally many atoms"):
            metrics.hoyer([*codes, odd])
    with pytest.raises(ValueError, match="n_atoms=4 for codes of 5 atoms"):
        metrics.hoyer(codes, n_atoms=4)
    with pytest.raises(ValueError, match="codes of 0 sites"):
        metrics.hoyer(codes[0][:0])


def test_repeated_entries_are_one_coefficient():
    codes = sparse.csr_array(([1.0, -1.0, 2.0], [1, 1, 3], [0, 3]), shape=(1, 4))
    assert metrics.nonzeros_per_site(codes, 4) == 1.0
    assert not codes.has_canonical_format and codes.nnz == 3
