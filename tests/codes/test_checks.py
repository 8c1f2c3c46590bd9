"""What codes cannot be made of is refused where it comes in, and by name."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from sklearn_sparsevae.codes import SparseCodes, as_codes

VALUES, POINTER = np.ones(3), [0, 1, 2, 3]


@pytest.mark.parametrize(
    "grid_shape",
    [
        (2.7, 2),
        (2.0, 2),
        "22",
        ("2", "2"),
        (True, 4),
        (2, 2, 1),
        (4,),
        4,
        (-2, -2),
        (0, 4),
        {1, 4},
        (np.nan, 2),
        np.array([2.0, 2.0]),
        (2**40, 2**40),
    ],
    ids=repr,
)
def test_grids_that_are_none(grid_shape):
    for make in (
        lambda: SparseCodes(np.eye(3, 8), grid_shape=grid_shape),
        lambda: SparseCodes.from_sites([], [], [], grid_shape=grid_shape, n_atoms=2),
        lambda: as_codes(np.eye(3, 8), grid_shape),
        lambda: as_codes(SparseCodes(np.eye(3, 8), grid_shape=(2, 2)), grid_shape),
    ):
        with pytest.raises(ValueError, match="grid"):
            make()


@pytest.mark.parametrize("grid_shape", [(2, 2), [2, 2], np.array([2, 2], np.uint8)])
def test_grids_are_kept_as_tuples_of_integers(grid_shape):
    codes = SparseCodes(np.eye(3, 8), grid_shape=grid_shape, n_atoms=np.int64(2))
    assert repr((codes.grid_shape, codes.n_atoms)) == "((2, 2), 2)"


@pytest.mark.parametrize("n_atoms", [0, -1, 2.0, "2", True, [2], 3, 2**70], ids=repr)
def test_numbers_of_atoms_that_are_none(n_atoms):
    with pytest.raises(ValueError, match="n_atoms"):
        SparseCodes(np.eye(3, 8), grid_shape=(2, 2), n_atoms=n_atoms)
    if n_atoms != 3:
        with pytest.raises(ValueError, match="n_atoms"):
            SparseCodes.from_sites([], [], [], grid_shape=(2, 2), n_atoms=n_atoms)


def test_what_codes_know_needs_a_grid():
    for name in ("n_atoms", "image_shape", "thumbnails"):
        with pytest.raises(TypeError, match=f"Got {name} without grid_shape"):
            SparseCodes(np.eye(3, 8), **{name: 2})


# Sites are squares -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("image_shape", "grid_shape"),
    [
        ((300, 300, 3), (4, 4)),
        ((4, 8, 3), (2, 2)),
        ((3, 4), (4, 4)),
        ((1, 1), (1, 3)),
        ((10, 10, 3), (6, 6)),  # sites of 2 pixels give 5, of 1 give 10
    ],
)
def test_images_that_square_sites_do_not_cut_into_the_grid(image_shape, grid_shape):
    n_sites = grid_shape[0] * grid_shape[1]
    grid = {"grid_shape": grid_shape, "image_shape": image_shape}
    message = re.escape(f"image_shape={image_shape} for grid_shape={grid_shape}")
    with pytest.raises(ValueError, match=message):
        SparseCodes(np.ones((1, n_sites)), **grid)
    with pytest.raises(ValueError, match=message):
        as_codes(np.ones((1, n_sites)), **grid)
    with pytest.raises(ValueError, match=message):
        as_codes(
            SparseCodes(np.ones((1, n_sites)), grid_shape=grid_shape),
            image_shape=image_shape,
        )


@given(
    height=st.integers(1, 500),
    width=st.integers(1, 500),
    site=st.integers(1, 64) | st.sampled_from([128, 256, 512]),
)
def test_every_grid_of_square_sites_is_taken(height, width, site):
    grid = -(-height // site), -(-width // site)
    codes = SparseCodes(
        sparse.csr_array((1, grid[0] * grid[1])),
        grid_shape=grid,
        image_shape=(height, width),
    )
    assert codes.image_shape == (height, width)


@pytest.mark.parametrize(
    "image_shape",
    [
        4,
        "44",
        (4,),
        (4, 4, 3, 1),
        (4.0, 4),
        (0, 4),
        (-4, -4, 3),
        (True, True),
        (4, None),
    ],
    ids=repr,
)
def test_image_shapes_that_are_none(image_shape):
    with pytest.raises(ValueError, match="Got image_shape="):
        SparseCodes(np.eye(3, 8), grid_shape=(2, 2), image_shape=image_shape)


@pytest.mark.parametrize(
    "thumbnails",
    [
        np.full((3, 2, 2, 3), np.nan),
        np.zeros((3, 2, 2, 3), np.int32),
        np.zeros((3, 2, 2, 3), bool),
        np.zeros((3, 2, 2, 3), object),
        np.zeros((3, 2, 2, 3), complex),
        np.full((3, 2, 2, 3), 1.5),
        np.full((3, 2, 2, 3), -0.1),
        np.full((3, 2, 2, 3), np.inf),
        np.ma.zeros((3, 2, 2, 3)),
        np.zeros((2, 2, 2, 3)),
        np.zeros((3, 3, 3, 3)),
        np.zeros((3, 4, 2, 3)),
        np.zeros((3, 2, 2)),
        np.zeros((3, 0, 0, 3)),
        np.zeros((3, 2, 2, 0)),
        [[1, 2], [3]],
        "photo.png",
    ],
    ids=lambda t: f"{getattr(t, 'dtype', '')}{np.shape(t) if len(t) > 2 else t}",
)
def test_thumbnails_that_are_none(thumbnails):
    with pytest.raises(ValueError, match="Got thumbnails"):
        SparseCodes(np.eye(3, 8), grid_shape=(2, 2), thumbnails=thumbnails)


def test_thumbnails_miss_their_range_by_rounding():
    high = np.full((1, 1, 1, 3), np.float32(1.0000002))
    codes = SparseCodes([[1.0]], grid_shape=(1, 1), thumbnails=high)
    assert (codes.thumbnails == 255).all()


# The matrix --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ((VALUES, [-5, 1, 2], POINTER), r"column indices from -5 to 2.*\[0, 8\)"),
        ((VALUES, [0, 1, 8], POINTER), "column indices from 0 to 8"),
        ((VALUES, [0, 1, 2**31 - 1], POINTER), "column indices from 0 to 2147483647"),
        ((VALUES, [0.5, 1, 2], POINTER), "column indices of type float64"),
        ((VALUES, [True, False, True], POINTER), "column indices of type bool"),
        ((VALUES, [0, 1, 2], [0.0, 1, 2, 3]), "row pointer of type float64"),
        ((VALUES, [0, 1, 2], [0, 3, 2, 3]), r"row pointer \(indptr\) falls"),
        ((VALUES, [0, 1, 2], [0, 1, 2, 9]), "codes that are no CSR array"),
        ((VALUES, [0, 1], POINTER), "codes that are no CSR array"),
        ((VALUES * 1j, [0, 1, 2], POINTER), "codes of type complex128"),
        ((VALUES.astype(object), [0, 1, 2], POINTER), "codes of type object"),
        ((np.ma.array(VALUES), [0, 1, 2], POINTER), "codes as a masked array"),
        ((VALUES, ([0, 1, 2], [0, 1, 8])), "codes that are no CSR array"),
    ],
)
def test_parts_of_a_matrix_that_do_not_fit(parts, message):
    with pytest.raises(ValueError, match=message):
        SparseCodes(parts, shape=(3, 8), grid_shape=(2, 2))


def test_the_number_of_columns_is_not_guessed():
    with pytest.raises(ValueError, match="indices without a shape"):
        SparseCodes((VALUES, [0, 1, 7], POINTER), grid_shape=(2, 2))


@pytest.mark.parametrize("form", ["csr", "csc"])
@pytest.mark.parametrize("index", [-5, 2**31 - 1])
def test_sparse_matrices_with_wrong_indices(form, index):
    matrix = sparse.csr_array(np.eye(3, 8)).asformat(form)
    matrix.indices[0] = index
    for make in (
        lambda: SparseCodes(matrix, grid_shape=(2, 2)),
        lambda: as_codes(matrix, (2, 2)),
    ):
        with pytest.raises(ValueError, match="indices"):
            make()


@pytest.mark.parametrize(
    "X",
    [
        np.ones(8),
        np.ones((1, 1, 8)),
        np.ones((1, 8), object),
        np.ones((1, 8), complex),
        np.ma.ones((1, 8)),
        np.ones((1, 0)),
        [["a"] * 8],
        [[1.0, 2.0], [3.0]],
        "codes.npz",
        None,
        8,
        {"codes": 1},
    ],
    ids=repr,
)
def test_matrices_that_are_none(X):
    with pytest.raises(ValueError, match="Got codes"):
        SparseCodes(X, grid_shape=(2, 2))
    with pytest.raises(ValueError, match="Got X"):
        as_codes(X, (2, 2))


@pytest.mark.parametrize("value", [np.nan, -np.inf, 1e300])
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array, sparse.csc_array])
def test_values_that_are_not_finite_in_single_precision(value, container):
    dense = np.zeros((2, 8))
    dense[1, 3] = value
    with pytest.raises(ValueError, match="X contains"):
        as_codes(container(dense), (2, 2))


def test_lists_of_codes_are_named_as_such():
    codes = SparseCodes(np.eye(3, 8), grid_shape=(2, 2))
    with pytest.raises(ValueError, match="list of SparseCodes.*concatenate_codes"):
        as_codes([codes, codes])


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
        ([1.0], [True], [1, 0], "atoms of type bool; expected integers"),
        ([1.0], [0], [2, -1], "a negative count"),
        ([1.0], [0], [1.0, 0.0], "counts of type float64; expected integers"),
        ([], [], [2**62] * 4, "counts of 4611686018427387904 values"),
        ([np.nan], [0], [1, 0], "values that are NaN or infinite"),
        ([1e300], [0], [1, 0], "values that are NaN or infinite"),
        ([True], [0], [1, 0], "values of type bool"),
        (["a"], [0], [1, 0], "values of type <U1"),
        ([1j], [0], [1, 0], "values of type complex128"),
        (np.ma.array([1.0]), [0], [1, 0], "values as a masked array"),
        ([[1.0]], [[0]], [1, 0], r"values of shape \(1, 1\)"),
    ],
)
def test_from_sites_says_what_is_wrong(values, atoms, counts, message):
    with pytest.raises(ValueError, match=message):
        SparseCodes.from_sites(values, atoms, counts, grid_shape=(1, 2), n_atoms=3)


def test_sites_of_no_image_on_a_huge_grid():
    codes = SparseCodes.from_sites([], [], [], grid_shape=(2**20, 2**20), n_atoms=1)
    assert codes.shape == (0, 2**40)
    with pytest.raises(ValueError, match="grid_shape and n_atoms"):
        SparseCodes.from_sites([], [], [], grid_shape=(2**31, 2**31), n_atoms=2)


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.uint64])
def test_integers_of_any_width(kind):
    atoms, counts = np.array([0, 2], kind), np.array([1, 1], kind)
    codes = SparseCodes.from_sites(
        [1.0, 2.0], atoms, counts, grid_shape=(1, 2), n_atoms=3
    )
    np.testing.assert_array_equal(codes.toarray(), [[1, 0, 0, 0, 0, 2]])
