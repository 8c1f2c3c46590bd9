"""Codes from other forms, and from parts."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse

from sklearn_sparsevae.codes import SparseCodes, as_codes, concatenate_codes


def test_the_parts_of_codes_make_the_whole(codes):
    for parts in (
        [codes[:2], codes[2:2], codes[2:]],
        (codes[i] for i in range(6)),
        (codes,),
    ):
        whole = concatenate_codes(parts)
        assert repr(whole) == repr(codes)
        assert_array_equal(whole.toarray(), codes.toarray())
        assert_array_equal(whole.thumbnails, codes.thumbnails)
        assert whole.has_canonical_format
        assert whole.indices.dtype == np.int32


def test_thumbnails_are_joined_where_all_have_them(codes):
    bare = codes[:2]
    bare.thumbnails = None
    assert concatenate_codes([codes, bare]).thumbnails is None


def test_parts_keep_their_own_numbers(codes):
    before = codes.toarray()
    whole = concatenate_codes([codes, codes.astype(np.float64)])
    assert whole.dtype == np.float64
    whole *= 2
    assert_array_equal(codes.toarray(), before)


def other(codes, **changes):
    known = {"grid_shape": (3, 4), "image_shape": (24, 32, 3), "n_mean_atoms": 2}
    return SparseCodes(codes, **{**known, **changes})


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (lambda c: [], "no parts"),
        (lambda c: iter([]), "no parts"),
        (lambda c: None, "parts=None; expected a list"),
        (lambda c: c, r"parts=SparseCodes.*expected a list"),
        (lambda c: "codes", r"parts\[0\] of type str"),
        (lambda c: sparse.vstack([c, c]), "expected a list of SparseCodes"),
        (
            lambda c: [c, sparse.vstack([c, c])],
            r"parts\[1\] of type csr_array, which has no grid.*vstack",
        ),
        (lambda c: [c.toarray()], r"parts\[0\] of type ndarray"),
        (
            lambda c: [c, other(c, grid_shape=(4, 3), image_shape=None)],
            r"parts\[1\] with grid_shape=\(4, 3\), but parts\[0\] has \(3, 4\)",
        ),
        (lambda c: [c, SparseCodes(c[:, :12], grid_shape=(3, 4))], "n_atoms=1, but"),
        (
            lambda c: [c, other(c, image_shape=(24, 31, 3))],
            r"image_shape=\(24, 31, 3\)",
        ),
        (lambda c: [c, other(c, image_shape=None)], "image_shape=None, but"),
        (
            lambda c: [c, other(c, n_mean_atoms=1)],
            r"parts\[1\] with n_mean_atoms=1, but parts\[0\] has 2",
        ),
        (
            lambda c: [c, other(c, thumbnails=np.zeros((6, 6, 8, 3)))],
            "thumbnails of shapes",
        ),
    ],
)
def test_parts_that_do_not_fit(parts, message, codes):
    with pytest.raises(ValueError, match=message):
        concatenate_codes(parts(codes))


def test_stored_zeros_are_dropped(codes):
    assert as_codes(0 * codes).nnz == 0
    some = codes.copy()
    some.data[::2] = 0
    assert_array_equal(as_codes(some).toarray(), some.toarray())
    assert as_codes(some).nnz == np.count_nonzero(some.data) < some.nnz


def test_an_image_shape_that_codes_do_not_know_is_added(codes):
    bare = SparseCodes(codes, grid_shape=codes.grid_shape)
    known = as_codes(bare, image_shape=[24, 32])
    assert (known.image_shape, bare.image_shape) == ((24, 32), None)
    assert as_codes(codes, image_shape=(3, 4)).image_shape == (24, 32, 3)


def test_conversion_to_single_precision_keeps_the_thumbnails(codes):
    single = as_codes(codes.astype(np.float64))
    assert single.dtype == np.float32
    assert repr(single) == repr(codes)
    assert_array_equal(single.thumbnails, codes.thumbnails)


def test_indices_are_of_32_bits_where_they_fit():
    wide = sparse.csr_array(np.eye(3, 8))
    wide.indices = wide.indices.astype(np.int64)
    wide.indptr = wide.indptr.astype(np.int64)
    for made in (SparseCodes(wide, grid_shape=(2, 2)), as_codes(wide, (2, 2))):
        assert made.indices.dtype == made.indptr.dtype == np.int32
    assert wide.indices.dtype == np.int64
    huge = SparseCodes((1, 2**33), grid_shape=(2**16, 2**16))
    assert huge.indices.dtype == np.int64
