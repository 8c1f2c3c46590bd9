"""SparseCodes keep their grid exactly where it stays true."""

import copy
import operator
import pickle

import joblib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.cluster import KMeans
from sklearn.model_selection import KFold, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MaxAbsScaler
from sklearn.utils import _safe_indexing, resample, shuffle

from sklearn_sparsevae.codes import (
    SparseCodes,
    as_codes,
    concatenate_codes,
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
        dense,
        grid_shape=GRID,
        image_shape=(24, 32, 3),
        thumbnails=colors,
        n_mean_atoms=2,
    )


def parts(dense, n_atoms=N_ATOMS):
    """Return values, atoms and counts of each site, by definition."""
    sites = dense.reshape(-1, n_atoms)
    rows, atoms = np.nonzero(sites)
    return sites[rows, atoms], atoms, np.bincount(rows, minlength=len(sites))


def assert_same_grid(codes, other):
    assert type(codes) is SparseCodes
    for name in ("grid_shape", "n_atoms", "n_mean_atoms", "image_shape"):
        assert getattr(codes, name) == getattr(other, name)


@pytest.mark.parametrize(
    "key",
    [
        slice(1, 4),
        slice(None, None, -2),
        [4, 0, 0],
        np.array([5, 1]),
        np.array([True, False, True, True, False, False]),
        [True, False, True, True, False, False],
        range(2),
        [],
        ...,
        (..., slice(None)),
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
        lambda c: c[2, 3:],
        lambda c: c.T,
        lambda c: c.tocsc(),
        lambda c: c + c,
        lambda c: c - c[::-1],
        lambda c: c @ c.T,
        lambda c: c.multiply(c),
        lambda c: c.reshape(-1, N_ATOMS),
        lambda c: c * np.arange(c.shape[1]),
        lambda c: c * np.nan,
        lambda c: np.inf * c,
        lambda c: c / np.inf,
        lambda c: 1j * c,
        lambda c: c.astype(complex),
        lambda c: sparse.vstack([c, c]),
        lambda c: sparse.hstack([c, c]),
    ],
)
def test_other_operations_give_arrays_without_a_grid(change):
    changed = change(make_codes())
    assert not isinstance(changed, SparseCodes)
    assert isinstance(changed, sparse.sparray)


@pytest.mark.parametrize("key", [2, -4, np.int64(2), np.array(2), (2,), (2, ...)])
def test_one_row_is_codes_of_one_image(key):
    codes = make_codes()
    assert_same_grid(codes[key], codes)
    assert_array_equal(codes[key].toarray(), codes.toarray()[2:3])
    assert_array_equal(codes[key].thumbnails, codes.thumbnails[2:3])


def test_a_loop_over_codes_is_one_over_images():
    codes = make_codes()
    assert_array_equal([len(row.thumbnails) for row in codes], np.ones(N_IMAGES))
    again = concatenate_codes(codes[i] for i in range(N_IMAGES))
    assert_array_equal(again.toarray(), concatenate_codes(list(codes)).toarray())


@pytest.mark.parametrize("key", [6, -7, [6], 1.5, [0.5], "a", True, [True, False]])
def test_what_selects_no_images_is_an_index_error(key):
    with pytest.raises(IndexError):
        make_codes()[key]


@pytest.mark.parametrize(
    ("change", "factor"),
    [
        (lambda c: 2 * c, 2),
        (lambda c: c * np.float32(0.5), 0.5),
        (lambda c: np.int8(-3) * c, -3),
        (lambda c: c * np.array(2.0), 2),
        (lambda c: c.multiply(3), 3),
        (lambda c: c / 4, 0.25),
        (lambda c: c * 0, 0),
        (lambda c: -c, -1),
        (lambda c: operator.imul(c, 3), 3),
        (lambda c: operator.itruediv(c, np.float64(2)), 0.5),
    ],
)
def test_scaling_keeps_grid_and_colors(change, factor):
    codes, dense = make_codes(), make_codes().toarray()
    scaled = change(codes)
    assert_same_grid(scaled, codes)
    assert_array_equal(scaled.toarray(), factor * dense)
    assert_array_equal(scaled.thumbnails, codes.thumbnails)


def test_magnitudes_keep_grid_and_colors():
    codes = make_codes()
    for magnitudes in (abs(codes), np.abs(codes)):
        assert_same_grid(magnitudes, codes)
        assert_array_equal(magnitudes.toarray(), np.abs(codes.toarray()))


def test_quotients_have_the_type_that_numpy_gives_them():
    codes = make_codes()
    assert (codes / 2).dtype == np.float32
    assert (codes.astype(int) / 2).dtype == np.float64


def test_scaling_by_nan_in_place_gives_a_plain_array():
    codes = make_codes()
    kept = codes
    codes *= np.nan
    assert not isinstance(codes, SparseCodes)
    assert np.isfinite(kept.data).all()


def test_the_shape_cannot_be_changed_in_place():
    with pytest.raises(ValueError, match="Got resize"):
        make_codes().resize((3, 4))


def test_sites_and_rows_of_sites_know_the_mean_atoms():
    codes = make_codes()
    sites = codes.sites()
    assert sites.n_mean_atoms == sites.sites().n_mean_atoms == sites[3].n_mean_atoms
    assert sites.n_mean_atoms == codes.n_mean_atoms == 2
    again = SparseCodes.from_sites(
        *parts(codes.toarray()), grid_shape=GRID, n_atoms=N_ATOMS, n_mean_atoms=2
    )
    assert again.n_mean_atoms == 2
    assert SparseCodes(codes, grid_shape=GRID).n_mean_atoms == 0


@pytest.mark.parametrize("n_mean_atoms", [-1, 5, 6, 1.0, "1", None, True, (1,), np.nan])
def test_mean_atoms_that_cannot_be_are_refused(n_mean_atoms):
    known = {"grid_shape": GRID, "n_atoms": N_ATOMS, "n_mean_atoms": n_mean_atoms}
    dense = make_dense()
    for make in (
        lambda: SparseCodes(dense, **known),
        lambda: SparseCodes.from_sites(*parts(dense), **known),
    ):
        with pytest.raises(ValueError, match="n_mean_atoms=.* an integer from 0 to 4"):
            make()
    with pytest.raises(TypeError, match="n_mean_atoms without grid_shape"):
        SparseCodes(dense, n_mean_atoms=1)


def test_mean_atoms_are_shown_where_there_are_any():
    codes = SparseCodes(np.eye(3, 8), grid_shape=(2, 2), n_mean_atoms=np.int8(1))
    assert "n_atoms=2, n_mean_atoms=1, nonzeros_per_site" in repr(codes)
    assert type(codes.n_mean_atoms) is int


@pytest.mark.parametrize("show", [repr, str])
def test_what_is_shown(show):
    codes = SparseCodes(np.eye(3, 8), grid_shape=(2, 2), image_shape=(7, 8, 3))
    assert show(codes) == (
        "SparseCodes(n_images=3, grid_shape=(2, 2), n_atoms=2, "
        "image_shape=(7, 8, 3), nonzeros_per_site=0.25, dtype=float64, "
        "memory='52 B')"
    )
    assert "nonzeros_per_site=0, " in show(codes[:0])


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
    for known, total in parallel(joblib.delayed(_describe)(codes) for _ in range(2)):
        assert known == (GRID, 2)
        assert total == pytest.approx(codes.sum())  # added up in another order


def _describe(codes):
    return (codes.grid_shape, codes.n_mean_atoms), codes.sites().sum()


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
    assert_same_grid(codes.sites(), codes.sites().sites())
    assert codes.sites().grid_shape == (1, 1)
    assert codes.sites().n_atoms == n_atoms
    for matrix in (codes, codes.sites(), codes.sites().sites()):
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


class GridKeeper(BaseEstimator):
    """Fails where folds have lost their grid."""

    def fit(self, X, y=None):
        self.grid_shape_ = X.grid_shape
        return self

    def score(self, X, y=None):
        return float(self.grid_shape_ == X.grid_shape == GRID)


@pytest.mark.parametrize(
    "select",
    [
        lambda c: train_test_split(c, random_state=0),
        lambda c: [resample(c, random_state=0), shuffle(c, random_state=0)],
        lambda c: [_safe_indexing(c, rows) for rows in ([1, 3], slice(2), 4)],
        lambda c: [_safe_indexing(c, np.arange(N_IMAGES) > 2)],
        lambda c: [c[part] for split in KFold(3).split(c) for part in split],
    ],
)
def test_what_scikit_learn_selects_are_codes(select):
    codes = make_codes()
    for part in select(codes):
        assert_same_grid(part, codes)
        assert len(part.thumbnails) == part.shape[0]


def test_folds_of_cross_validation_are_codes():
    assert_array_equal(cross_val_score(GridKeeper(), make_codes(), cv=3), np.ones(3))


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
