"""SparseCodes keep their grid exactly where it stays true."""

import copy
import pickle

import joblib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MaxAbsScaler

from sklearn_sparsevae.codes import (
    SparseCodes,
    are_counts,
    as_codes,
    quantize_codes,
)

GRID, N_ATOMS, N_IMAGES = (3, 4), 5, 6


def make_dense(seed=0, n_images=N_IMAGES, grid=GRID, n_atoms=N_ATOMS, density=0.3):
    rng = np.random.default_rng(seed)
    dense = rng.normal(size=(n_images, grid[0] * grid[1] * n_atoms))
    return (dense * (rng.random(dense.shape) < density)).astype(np.float32)


def make_codes(seed=0, **kwargs):
    dense = make_dense(seed, **kwargs)
    colors = np.random.default_rng(seed).random((len(dense), *GRID, 3))
    return SparseCodes(
        dense, grid_shape=GRID, image_shape=(24, 32, 3), thumbnails=colors
    )


def parts(dense, n_atoms=N_ATOMS):
    """Return values, atoms and counts of each site, by definition."""
    sites = dense.reshape(-1, n_atoms)
    rows, atoms = np.nonzero(sites)
    return sites[rows, atoms], atoms, np.bincount(rows, minlength=len(sites))


def assert_same_grid(codes, other):
    assert type(codes) is SparseCodes
    for name in ("grid_shape", "n_atoms", "image_shape"):
        assert getattr(codes, name) == getattr(other, name)


@pytest.mark.parametrize(
    "key",
    [
        slice(1, 4),
        slice(None, None, -2),
        [4, 0, 0],
        np.array([5, 1]),
        np.array([True, False, True, True, False, False]),
        (slice(2, None), slice(None)),
        ([3, 1], slice(None)),
        (np.array([2, 2]), ...),
        slice(0, 0),
    ],
)
def test_row_selection_keeps_grid_and_colors(key):
    codes = make_codes()
    rows = key[0] if isinstance(key, tuple) else key
    selected = codes[key]
    assert_same_grid(selected, codes)
    assert_array_equal(selected.toarray(), codes.toarray()[rows])
    assert_array_equal(selected.thumbnails, codes.thumbnails[rows])


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c[:, :20],
        lambda c: c[1:3, [0, 1]],
        lambda c: c[2],
        lambda c: c.T,
        lambda c: c.tocsc(),
        lambda c: c + c,
        lambda c: c - c[::-1],
        lambda c: c @ c.T,
        lambda c: c.multiply(c),
        lambda c: c.reshape(-1, N_ATOMS),
        lambda c: abs(c),
        lambda c: sparse.vstack([c, c]),
        lambda c: sparse.hstack([c, c]),
    ],
)
def test_other_operations_give_arrays_without_a_grid(change):
    changed = change(make_codes())
    assert not isinstance(changed, SparseCodes)
    assert isinstance(changed, sparse.sparray)


@pytest.mark.parametrize(
    "roundtrip",
    [
        lambda c, _: c.copy(),
        lambda c, _: copy.copy(c),
        lambda c, _: copy.deepcopy(c),
        lambda c, _: pickle.loads(pickle.dumps(c)),
        lambda c, _: c.astype(np.float64).astype(np.float32),
        lambda c, _: as_codes(c),
    ],
)
def test_copies_equal_the_original(roundtrip, tmp_path):
    codes = make_codes()
    again = roundtrip(codes, tmp_path)
    assert_same_grid(again, codes)
    assert_array_equal(again.toarray(), codes.toarray())
    assert_array_equal(again.thumbnails, codes.thumbnails)
    assert again.indices.dtype == np.int32


@pytest.mark.parametrize("mmap_mode", [None, "r"])
def test_joblib_files(mmap_mode, tmp_path):
    codes = make_codes()
    joblib.dump(codes, tmp_path / "codes.joblib")
    again = joblib.load(tmp_path / "codes.joblib", mmap_mode=mmap_mode)
    assert_same_grid(again, codes)
    assert_array_equal(again[1:].sites().toarray(), codes[1:].sites().toarray())
    assert isinstance(again.data, np.memmap) == (mmap_mode == "r")


def test_joblib_workers_read_memory_maps():
    codes = make_codes()
    parallel = joblib.Parallel(n_jobs=2, max_nbytes=1)
    for shape, total in parallel(joblib.delayed(_describe)(codes) for _ in range(2)):
        assert shape == GRID
        assert total == codes.sum()


def _describe(codes):
    return codes.grid_shape, codes.sites().sum()


def test_a_copy_is_independent():
    codes = make_codes()
    before = codes.toarray()
    codes.copy().data[:] = 7
    assert_array_equal(codes.toarray(), before)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n_images=st.integers(0, 4),
    grid=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    n_atoms=st.integers(1, 6),
    density=st.sampled_from([0.0, 0.2, 1.0]),
)
def test_from_sites_and_sites_invert(seed, n_images, grid, n_atoms, density):
    dense = make_dense(seed, n_images, grid, n_atoms, density)
    codes = SparseCodes.from_sites(
        *parts(dense, n_atoms), grid_shape=grid, n_atoms=n_atoms
    )
    assert_array_equal(codes.toarray(), dense)
    assert_array_equal(codes.sites().toarray(), dense.reshape(-1, n_atoms))
    for matrix in (codes, codes.sites()):
        assert matrix.data.dtype == np.float32
        assert matrix.indices.dtype == matrix.indptr.dtype == np.int32
        assert matrix.has_canonical_format


def test_from_sites_and_sites_do_not_copy_the_values():
    values, atoms, counts = parts(make_dense())
    codes = SparseCodes.from_sites(
        values, atoms, counts, grid_shape=GRID, n_atoms=N_ATOMS
    )
    assert np.shares_memory(codes.data, values)
    assert np.shares_memory(codes.sites().data, values)


def test_from_sites_drops_zeros_and_sorts_without_touching_its_input():
    values = np.array([1, 0, 3, 2], dtype=np.float32)
    codes = SparseCodes.from_sites(
        values, [0, 1, 4, 2], [2, 2], grid_shape=(1, 2), n_atoms=5
    )
    assert_array_equal(codes.toarray(), [[1, 0, 0, 0, 0, 0, 0, 2, 0, 3]])
    assert codes.nnz == 3
    assert codes.has_canonical_format
    assert_array_equal(values, [1, 0, 3, 2])


def test_from_sites_memory_follows_the_non_zeros():
    import tracemalloc

    n_images, n_sites, per_site = 50, 1024, 5
    counts = np.full(n_images * n_sites, per_site)
    atoms = np.tile(np.arange(0, 500, 100), len(counts))
    values = np.ones(len(atoms), dtype=np.float32)
    tracemalloc.start()
    codes = SparseCodes.from_sites(
        values, atoms, counts, grid_shape=(32, 32), n_atoms=512
    )
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    result = codes.indices.nbytes + codes.indptr.nbytes + codes.data.nbytes
    assert peak <= 1.2 * result


def test_sites_of_codes_that_are_not_canonical():
    codes = SparseCodes(
        (np.array([1, 2], np.float32), [3, 0], [0, 2]), shape=(1, 4), grid_shape=(1, 2)
    )
    assert_array_equal(codes.sites().toarray(), [[2, 0], [0, 1]])
    assert_array_equal(codes.indices, [3, 0])


def test_codes_pass_through_scikit_learn():
    codes = make_codes()
    scaled = make_pipeline(FunctionTransformer(), MaxAbsScaler()).fit_transform(codes)
    assert_same_grid(scaled, codes)
    assert KMeans(2, n_init=1, random_state=0).fit(codes).labels_.shape == (N_IMAGES,)
    train, _ = next(KFold(2).split(codes))
    assert_array_equal(codes[train].toarray(), codes.toarray()[train])
    assert clone(KMeans()).get_params()


@pytest.mark.parametrize(
    "container", [np.asarray, sparse.csr_matrix, sparse.csc_array, sparse.coo_matrix]
)
def test_as_codes_takes_any_form(container):
    dense = make_dense()
    codes = as_codes(container(dense), GRID, N_ATOMS, image_shape=(24, 32))
    assert_array_equal(codes.toarray(), dense)
    assert (codes.grid_shape, codes.image_shape) == (GRID, (24, 32))
    assert codes.has_canonical_format


def test_as_codes_returns_codes_themselves():
    codes = make_codes()
    assert as_codes(codes, GRID, N_ATOMS) is codes


@pytest.mark.parametrize(
    ("X", "kwargs", "message"),
    [
        (np.ones((2, 12)), {}, r"plain matrix of shape \(2, 12\).*Pass grid_shape"),
        (
            np.ones((2, 13)),
            {"grid_shape": (2, 3)},
            r"13 columns; expected 2 \* 3 \* n_atoms .* Pass the grid_shape",
        ),
        (
            np.ones((2, 12)),
            {"grid_shape": (2, 3), "n_atoms": 3},
            r"12 columns; expected 2 \* 3 \* 3",
        ),
        (np.full((1, 4), np.nan), {"grid_shape": (2, 2)}, "X contains NaN"),
        (
            sparse.csr_array(np.full((1, 4), np.inf)),
            {"grid_shape": (2, 2)},
            "X contains infinity",
        ),
        (np.ones((2, 12)), {"grid_shape": 6}, r"grid_shape=6; expected two positive"),
        (np.ones((2, 12)), {"grid_shape": (0, 3)}, "expected two positive integers"),
        (
            SparseCodes(np.ones((2, 12)), grid_shape=(2, 3)),
            {"grid_shape": (3, 2)},
            "codes of a 2 by 3 grid; expected 3 by 2. Leave grid_shape out",
        ),
        (
            np.ones((2, 12)),
            {"grid_shape": (2, 3), "image_shape": (4,)},
            r"image_shape=\(4,\); expected \(H, W, C\)",
        ),
    ],
)
def test_as_codes_says_what_is_wrong(X, kwargs, message):
    with pytest.raises(ValueError, match=message):
        as_codes(X, **kwargs)


@pytest.mark.parametrize(
    ("values", "atoms", "counts", "message"),
    [
        ([1.0], [0], [1, 0, 0], "counts of 3 sites; expected a multiple of 2"),
        ([1.0], [0, 1], [1, 1], "1 values, 2 atoms and counts that add up to 2"),
        ([1.0], [0], [1, 1], "add up to 2; expected the same number"),
        ([1.0, 1.0], [0, 3], [1, 1], r"atoms from 0 to 3; expected them in \[0, 3\)"),
        ([1.0], [-1], [1, 0], "atoms from -1 to -1"),
        ([1.0, 1.0], [2, 2], [2, 0], "an atom more than once in one site"),
        ([1.0], [0.0], [1, 0], "atoms of type float64; expected integers"),
        ([1.0], [0], [2, -1], "a negative count"),
    ],
)
def test_from_sites_says_what_is_wrong(values, atoms, counts, message):
    with pytest.raises(ValueError, match=message):
        SparseCodes.from_sites(values, atoms, counts, grid_shape=(1, 2), n_atoms=3)


def test_thumbnails_must_cover_the_sites():
    with pytest.raises(ValueError, match=r"thumbnails of shape \(2, 2, 2, 3\)"):
        SparseCodes(
            np.ones((2, 6)), grid_shape=(2, 3), thumbnails=np.ones((2, 2, 2, 3))
        )


# Quantisation ------------------------------------------------------------------------


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


def test_quantisation_keeps_the_grid_and_leaves_its_argument_alone():
    codes = make_codes()
    before = codes.toarray()
    quantized = quantize_codes(codes, 3)
    assert_same_grid(quantized, codes)
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


def test_codes_of_no_image_can_be_quantised():
    codes = make_codes()[:0]
    assert quantize_codes(codes, 8).shape == codes.shape


@pytest.mark.parametrize("coef_bits", [1, 17, 7.5, None])
def test_bits_out_of_range_are_refused(coef_bits):
    with pytest.raises(ValueError, match="expected an integer from 2"):
        quantize_codes(make_codes(), coef_bits)
