"""Codes in files: equal to the bit, or refused in words."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from scipy import sparse

from sklearn_sparsevae import _container as container
from sklearn_sparsevae.codes import SparseCodes, load_codes, save_codes


def assert_same_codes(found, codes):
    assert type(found) is SparseCodes
    for name in ("shape", "grid_shape", "n_atoms", "n_mean_atoms", "image_shape"):
        assert getattr(found, name) == getattr(codes, name)
    for name in ("data", "indices", "indptr", "thumbnails"):
        here, there = getattr(found, name), getattr(codes, name)
        assert (here is None) == (there is None)
        if here is not None:
            assert here.dtype == there.dtype
            assert_array_equal(here, there)


def drawn_codes(seed, n_images, grid, n_atoms, dtype, n_channels, with_thumbnails):
    rng = np.random.default_rng(seed)
    dense = rng.normal(size=(n_images, grid[0] * grid[1] * n_atoms)) * 3
    dense *= rng.random(dense.shape) < 0.4
    image_shape = {0: None, 1: (2 * grid[0], 2 * grid[1])}.get(
        n_channels, (2 * grid[0], 2 * grid[1], n_channels)
    )
    pixels = (n_images, *grid, max(1, n_channels))
    return SparseCodes(
        sparse.csr_array(dense).astype(dtype),
        grid_shape=grid,
        image_shape=image_shape,
        thumbnails=rng.random(pixels) if with_thumbnails else None,
        n_mean_atoms=seed % n_atoms,
    )


kinds = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 99),
        "n_atoms": st.integers(1, 5),
        "dtype": st.sampled_from(["f4", "f8", "i4", "u1", "?"]),
        "n_channels": st.sampled_from([0, 1, 3]),
        "with_thumbnails": st.booleans(),
    }
)
sizes = st.tuples(st.integers(0, 4), st.tuples(st.integers(1, 3), st.integers(1, 3)))


@given(kinds, st.lists(sizes, min_size=1, max_size=3), st.booleans(), st.booleans())
def test_what_is_saved_is_loaded(tmp_path_factory, kind, sizes, as_list, mmap):
    path = tmp_path_factory.mktemp("codes") / "a.codes"
    parts = [drawn_codes(n_images=n, grid=grid, **kind) for n, grid in sizes]
    if as_list:
        save_codes(parts, path)
        found = load_codes(path, mmap)
    else:
        del parts[1:]
        parts[0].save(path)
        found = [SparseCodes.load(path, mmap)]
    assert isinstance(found, list) and len(found) == len(parts)
    for here, there in zip(found, parts, strict=True):
        assert_same_codes(here, there)


def is_in_a_file(array):
    while array is not None and not isinstance(array, np.memmap):
        array = array.base
    return array is not None


def test_mapped_codes_stay_in_the_file_and_work_as_others(codes, tmp_path):
    codes.save(tmp_path / "a.codes")
    mapped = SparseCodes.load(tmp_path / "a.codes", mmap=True)
    assert all(map(is_in_a_file, (mapped.data, mapped.indices, mapped.thumbnails)))
    assert all(map(is_in_a_file, (mapped[1:3].thumbnails, mapped.sites().data)))
    assert_same_codes(mapped[[4, 1]], codes[[4, 1]])
    assert_same_codes(2 * mapped, 2 * codes)
    assert_array_equal((mapped @ mapped.T).toarray(), (codes @ codes.T).toarray())
    assert_array_equal(mapped.site_colors, codes.site_colors)
    with pytest.raises(ValueError, match="read-only"):
        mapped *= 2
    own = mapped.copy()
    own *= 2
    mapped.save(tmp_path / "a.codes")  # over the file that they are in
    assert_same_codes(SparseCodes.load(tmp_path / "a.codes"), codes)


def test_codes_that_are_not_canonical_come_back_as_they_are(tmp_path):
    arrays = np.array([2.0, 0.0, 1.0]), np.array([3, 3, 0]), np.array([0, 3])
    codes = SparseCodes(arrays, shape=(1, 4), grid_shape=(2, 2))
    codes.save(tmp_path / "a.codes")
    assert_same_codes(SparseCodes.load(tmp_path / "a.codes"), codes)


def test_what_cannot_share_a_file_is_refused(codes, tmp_path):
    path = tmp_path / "a.codes"
    bare = SparseCodes(codes, grid_shape=codes.grid_shape, n_mean_atoms=2)
    for other in (codes[:1].astype("f8"), codes.sites(), bare):
        with pytest.raises(ValueError, match="those of one model"):
            save_codes([codes, other], path)
    with pytest.raises(ValueError, match="empty list"):
        save_codes([], path)
    for wrong in (codes.toarray(), [codes, sparse.csr_array(codes)], None):
        with pytest.raises(TypeError, match="expected SparseCodes"):
            save_codes(wrong, path)
    with pytest.raises(ValueError, match="at most 64 bits"):
        codes.astype(np.longdouble).save(path)
    assert not path.exists()


def test_a_list_is_read_as_one(codes, tmp_path):
    save_codes([codes[0]], tmp_path / "a.codes")
    with pytest.raises(ValueError, match="Read it with load_codes"):
        SparseCodes.load(tmp_path / "a.codes")


def test_what_does_not_fit_together_is_refused(codes, tmp_path):
    path = tmp_path / "a.codes"
    codes.save(path)
    tensors, content = container.read(path, "codes")
    huge = np.array([2**60])
    wrong = {
        "values": [tensors["values"][1:], tensors["values"][None], None],
        "columns": [tensors["columns"] + 60, tensors["columns"].astype("f4"), None],
        "row_ends": [tensors["row_ends"][::-1], None],
        "n_images": [huge, -np.ones(1, int), np.ones(2, int), np.ones(1), None],
        "n_values": [huge, np.zeros(1, int), None],
        "grid_shape": [np.array([[2**31, 2**31]]), np.zeros((1, 2), int), None],
        "image_shape": [np.array([[2**60, 2**60, 3]]), np.array([[1, 2, 3, 4]]), None],
        "thumbnail_shape": [np.array([[2**40, 2**40, 3]]), None],
        "thumbnails": [tensors["thumbnails"][:-1], None],
        "more": [huge],
    }
    for name, values in wrong.items():
        for value in values:
            changed = {**tensors, name: value}
            if value is None:
                del changed[name]
            container.write(path, "codes", changed, content)
            with pytest.raises(ValueError, match=r"a\.codes is damaged"):
                load_codes(path)
    for said in ({}, {"n_atoms": 2**70}, {"n_atoms": "5"}, {"is_list": 1}):
        known = {} if not said else {**content, **said}
        container.write(path, "codes", tensors, known)
        with pytest.raises(ValueError, match=r"a\.codes is damaged"):
            load_codes(path)


def test_other_kinds_of_files_are_named(tmp_path):
    container.write(tmp_path / "a", "model", {}, {})
    with pytest.raises(ValueError, match="kind 'model'; expected 'codes'"):
        SparseCodes.load(tmp_path / "a")
