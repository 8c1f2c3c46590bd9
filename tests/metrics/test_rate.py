"""Bits per pixel against sums done by hand, and the bounds that hold between them."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose
from scipy.stats import entropy as scipy_entropy

from sklearn_sparsevae.codes import SparseCodes, are_counts, quantize_codes
from sklearn_sparsevae.metrics import bits_per_pixel

GRID, N_ATOMS, IMAGE = (2, 3), 4, (8, 12, 3)
N_PIXELS = 96

dense_codes = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 4), st.just(math.prod(GRID) * N_ATOMS)),
    elements=st.sampled_from([0.0, 0.0, 0.0, -2.0, 0.01, 0.3, 1.0, 1.0, 7.5]),
)
bit_depths = st.integers(2, 16)


def make_codes(dense, grid=GRID, image_shape=IMAGE):
    return SparseCodes(dense, grid_shape=grid, image_shape=image_shape)


def k_sparse(rng, n_images, grid, n_atoms, n_nonzeros, values):
    """Codes with exactly ``n_nonzeros`` different atoms at each site."""
    n_sites = n_images * math.prod(grid)
    atoms = np.argsort(rng.random((n_sites, n_atoms)), axis=1)[:, :n_nonzeros]
    return SparseCodes.from_sites(
        np.broadcast_to(values, atoms.shape).ravel(),
        atoms.ravel(),
        np.full(n_sites, n_nonzeros),
        grid_shape=grid,
        n_atoms=n_atoms,
        image_shape=(4 * grid[0], 4 * grid[1], 3),
    )


@pytest.mark.parametrize("coef_bits", [4, 8, 16])
def test_laser_counts_45_bits_and_five_coefficients_a_site(rng, coef_bits):
    codes = k_sparse(rng, 3, (8, 8), 512, 5, [0.5, -1, 1, 0.9, -0.3])
    expected = (45 + 5 * coef_bits) / 16
    assert_allclose(bits_per_pixel(codes, coef_bits, ordered=True), expected)


def test_the_order_of_atoms_and_what_the_largest_bound_are_not_paid_for(rng):
    values = np.array([3, -31, 7, 1, -3]) / 4  # 31 is the largest level of 6 bits
    codes = k_sparse(rng, 3, (8, 8), 512, 5, values)
    subset = math.log2(math.comb(512, 5))
    magnitudes = 5 + math.log2(5 * 4) + math.log2(31) + 3 * math.log2(7)
    expected = (subset + 5 + magnitudes) / 16
    assert_allclose(bits_per_pixel(codes, 6), expected)
    assert expected < (45 + 5 * 6) / 16 - 0.5


@pytest.mark.parametrize("coef_bits", [2, 8])
def test_vector_quantisation_spends_nine_bits_on_one_of_512(rng, coef_bits):
    codes = k_sparse(rng, 3, (8, 8), 512, 1, 1.0)
    assert bits_per_pixel(codes, coef_bits) == 9 / 16


def test_residual_quantisation_spends_its_index_on_every_level():
    # Four levels at each of two sites: an atom may serve more than one of them.
    dense = [[3, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0]]
    codes = make_codes(dense, (1, 2), (2, 8))
    assert bits_per_pixel(codes) == 2 * 4 * 3 / 16
    levels = scipy_entropy([3, 1, 4], base=2)
    assert_allclose(bits_per_pixel(codes, entropy=True), 8 * levels / 16)


@pytest.mark.parametrize("coef_bits", [2, 8])
def test_dense_codes_are_numbers_and_no_indices(rng, coef_bits):
    """Also those that round to zero: which are stored is no question."""
    dense = rng.normal(size=(5, 24)).astype(np.float32)
    codes = quantize_codes(make_codes(dense), coef_bits)
    assert codes.nnz < dense.size
    assert bits_per_pixel(make_codes(dense), coef_bits) == 24 * coef_bits / N_PIXELS
    levels = scipy_entropy(np.unique(codes.toarray(), return_counts=True)[1], base=2)
    bound = bits_per_pixel(make_codes(dense), coef_bits, entropy=True)
    assert_allclose(bound, 24 * levels / N_PIXELS)


class Uniform:
    """A density of codes of equally likely atoms, one for each site."""

    def score_samples(self, X):
        return np.full(X.shape[0], -math.prod(X.grid_shape) * math.log(X.n_atoms))


def test_a_prior_says_the_bits(rng):
    codes = k_sparse(rng, 5, (8, 8), 512, 1, 1.0)
    assert_allclose(bits_per_pixel(codes, prior=Uniform()), 9 / 16)
    parts = [codes[:2], k_sparse(rng, 3, (4, 2), 512, 1, 1.0)]
    assert_allclose(bits_per_pixel(parts, prior=Uniform()), 9 / 16)
    with pytest.raises(ValueError, match="entropy=True and a prior.*Call .* twice"):
        bits_per_pixel(codes, entropy=True, prior=Uniform())
    with pytest.raises(TypeError, match="type str, which has no score_samples"):
        bits_per_pixel(codes, prior="uniform")


def test_any_number_of_non_zeros_by_hand():
    # 2, 0 and 1 non-zeros of 4 atoms; 0.1 is less than half a step of 5 / 7.
    dense = [[0, 5.0, 0.1, -2.0, 0, 0, 0, 0, 0, 0, 0, 5.0]]
    codes = make_codes(dense, (1, 3), (2, 6))
    numbers = 3 * math.log2(3)
    subsets = math.log2(6) + math.log2(1) + math.log2(4)
    # Signs, the largest of both sites; which of 2 is larger, and the other up to it.
    values = 3 + 2 * 3 + 1 + math.log2(7)
    assert values > 3 * 4  # so that one by one is cheaper
    fixed = numbers + subsets + 3 * 4
    assert_allclose(bits_per_pixel(codes, 4), fixed / 12)
    presence = 6 * scipy_entropy([2, 1], base=2)  # atom 1 at 1 of 3 sites, 3 at 2
    values = 3 * scipy_entropy([2, 1], base=2)  # 5, -2 and 5
    one_by_one = numbers + 3 * scipy_entropy([2, 1], base=2)  # atoms 1, 3 and 3
    bound = (min(presence, one_by_one, numbers + subsets) + values) / 12
    assert_allclose(bits_per_pixel(codes, 4, entropy=True), bound)


def test_numbers_indices_and_values_one_by_one_by_hand():
    dense = [[0, 5.0, 0.1, -2.0, 0, 0, 0, 0, 0, 0, 0, 5.0]]
    codes = make_codes(dense, (1, 3), (2, 6))
    fixed = 3 * math.log2(3) + 3 * (2 + 4)
    assert_allclose(bits_per_pixel(codes, 4, ordered=True), fixed / 12)
    numbers = 3 * math.log2(3)
    atoms = 3 * scipy_entropy([2, 1], base=2)  # atoms 1, 3 and 3
    values = 3 * scipy_entropy([2, 1], base=2)  # 5, -2 and 5
    bound = (numbers + atoms + values) / 12
    assert_allclose(bits_per_pixel(codes, 4, entropy=True, ordered=True), bound)


def test_the_number_of_non_zeros_costs_what_its_range_needs():
    dense = np.zeros((1, 2, 8))
    dense[0, 0, :3], dense[0, 1, :4] = 1.5, -1.5
    codes = make_codes(dense.reshape(1, 16), (1, 2), (1, 2))
    bits = 2 * bits_per_pixel(codes, 8)
    assert_allclose(bits, 2 * 1 + math.log2(56 * 70) + 7 * 8)
    assert_allclose(2 * bits_per_pixel(codes, 8, ordered=True), 2 + 7 * (3 + 8))


def test_empty_codes_cost_nothing():
    codes = make_codes(np.zeros((2, 24)))
    assert bits_per_pixel(codes) == bits_per_pixel(codes, entropy=True) == 0


def test_stored_zeros_cost_nothing():
    codes = make_codes([[0.5, 7.0, 0.0, 7.0, -1.0, 0.0]], (1, 3), (1, 3))
    stored = codes.copy()
    codes.data[0] = 0.0
    stored.data[0] = 0.001
    assert bits_per_pixel(codes) == bits_per_pixel(stored)


@given(dense_codes, bit_depths, st.booleans())
def test_the_entropy_is_never_above_the_fixed_length(dense, coef_bits, ordered):
    codes = make_codes(dense)
    bound = bits_per_pixel(codes, coef_bits, entropy=True, ordered=ordered)
    assert 0 <= bound <= bits_per_pixel(codes, coef_bits, ordered=ordered) + 1e-9


@given(dense_codes, bit_depths, st.booleans())
def test_an_order_of_atoms_never_costs_less_than_none(dense, coef_bits, entropy):
    codes = make_codes(dense)
    most = bits_per_pixel(codes, coef_bits, entropy=entropy, ordered=True)
    assert bits_per_pixel(codes, coef_bits, entropy=entropy) <= most + 1e-9


@given(dense_codes, bit_depths, st.booleans(), st.randoms(use_true_random=False))
def test_the_order_of_images_and_atoms_does_not_matter(
    dense, coef_bits, entropy, random
):
    sites = dense.reshape(len(dense), *GRID, N_ATOMS)
    images = random.sample(range(len(sites)), len(sites))
    atoms = random.sample(range(N_ATOMS), N_ATOMS)
    changed = sites[images][..., atoms].reshape(dense.shape)
    rates = [
        bits_per_pixel(make_codes(x), coef_bits, entropy=entropy)
        for x in (dense, changed)
    ]
    assert_allclose(*rates)


@given(dense_codes, bit_depths, st.booleans())
def test_a_set_twice_has_the_same_mean(dense, coef_bits, entropy):
    rates = [
        bits_per_pixel(make_codes(x), coef_bits, entropy=entropy)
        for x in (dense, np.vstack([dense, dense]))
    ]
    assert_allclose(*rates)


class Packed:
    """Digits of any radices as one integer, first in first out, and their bits."""

    def __init__(self):
        self.number, self.scale, self.bits = 0, 1, 0.0

    def put(self, digit, radix):
        assert 0 <= digit < radix
        self.number += int(digit) * self.scale
        self.scale *= int(radix)
        self.bits += math.log2(radix)

    def take(self, radix):
        self.number, digit = divmod(self.number, int(radix))
        return digit


def rank_of_subset(atoms):
    """Place of a subset among those of its size."""
    return sum(math.comb(int(a), i + 1) for i, a in enumerate(atoms))


def subset_of_rank(rank, size):
    return next(
        subset
        for subset in itertools.combinations(range(N_ATOMS), size)
        if rank_of_subset(subset) == rank
    )


def store(sites, coef_bits, one_by_one):
    """Write what `bits_per_pixel` counts; also the step and the fewest non-zeros."""
    packed, n_levels = Packed(), 2 ** (coef_bits - 1) - 1
    step = np.abs(sites.data).max() / n_levels
    numbers = np.diff(sites.indptr)
    for start, n in zip(sites.indptr, numbers):
        atoms = sites.indices[start : start + n]
        levels = np.rint(sites.data[start : start + n] / step).astype(int)
        packed.put(n - numbers.min(), np.ptp(numbers) + 1)
        packed.put(rank_of_subset(atoms), math.comb(N_ATOMS, n))
        for level in levels:
            packed.put(level < 0, 2)
        sizes, bound = [int(size) for size in np.abs(levels)], 2 ** (coef_bits - 1)
        if not one_by_one:
            for rank in range(min(n, 2)):
                place = sizes.index(max(sizes))
                packed.put(place, len(sizes))
                packed.put(sizes[place] - (rank > 0), bound)
                bound = sizes.pop(place)
        for size in sizes:
            packed.put(size - (not one_by_one), bound)
    return packed, step, numbers.min(), np.ptp(numbers) + 1


def restore(packed, step, fewest, n_numbers, n_sites, coef_bits, one_by_one):
    dense = np.zeros((n_sites, N_ATOMS))
    for site in dense:
        n = fewest + packed.take(n_numbers)
        atoms = subset_of_rank(packed.take(math.comb(N_ATOMS, n)), n)
        signs = [1 - 2 * packed.take(2) for _ in range(n)]
        sizes, kept, bound = [0] * n, list(range(n)), 2 ** (coef_bits - 1)
        if not one_by_one:
            for rank in range(min(n, 2)):
                i = kept.pop(packed.take(len(kept)))
                sizes[i] = bound = packed.take(bound) + (rank > 0)
        for i in kept:
            sizes[i] = packed.take(bound) + (not one_by_one)
        site[list(atoms)] = np.multiply(signs, sizes) * step
    return dense


@given(dense_codes, bit_depths)
def test_the_bits_suffice_to_store_and_restore_quantised_codes(dense, coef_bits):
    codes = quantize_codes(make_codes(dense), coef_bits)
    assume(not are_counts(codes) and not dense.all())
    sites = codes.sites()
    ways = {way: store(sites, coef_bits, way) for way in (False, True)}
    way = min(ways, key=lambda way: ways[way][0].bits)
    packed, *known = ways[way]
    bits = bits_per_pixel(codes, coef_bits) * len(dense) * N_PIXELS
    assert_allclose(bits, packed.bits)
    restored = restore(packed, *known, sites.shape[0], coef_bits, way)
    assert_allclose(restored, sites.toarray(), rtol=1e-6)


def test_plain_matrices_say_their_shapes(rng):
    codes = k_sparse(rng, 2, (2, 2), 8, 2, [0.4, -1.0])
    plain = bits_per_pixel(codes.toarray(), grid_shape=(2, 2), image_shape=(8, 8))
    assert plain == bits_per_pixel(codes)


@pytest.mark.parametrize(
    ("codes", "options", "message"),
    [
        (np.ones((2, 24)), {}, "Pass grid_shape"),
        (np.ones((2, 24)), {"grid_shape": GRID}, r"Pass image_shape=\(H, W, C\)"),
        (make_codes(np.ones((0, 24))), {}, "codes of no image"),
        (make_codes(np.ones((1, 24))), {"coef_bits": 1}, "coef_bits=1; expected"),
        (make_codes(np.ones((1, 24))), {"coef_bits": 17}, "coef_bits=17; expected"),
        (make_codes(np.ones((1, 24))), {"coef_bits": "8"}, "coef_bits='8'; expected"),
        (make_codes(np.full((1, 24), np.nan)), {}, "NaN"),
    ],
)
def test_what_cannot_be_counted_is_refused(codes, options, message):
    with pytest.raises(ValueError, match=message):
        bits_per_pixel(codes, **options)


@pytest.mark.parametrize("entropy", [False, True])
def test_codes_of_photos_of_different_sizes_share_quantiser_and_pixels(rng, entropy):
    codes = k_sparse(rng, 4, (2, 3), 16, 2, [0.3, -1.1])
    codes.data *= rng.random(codes.nnz).astype(np.float32)
    expected = bits_per_pixel(codes, 5, entropy=entropy)
    parts = [codes[:1], codes[1:]]
    assert_allclose(bits_per_pixel(parts, 5, entropy=entropy), expected)
    tall = SparseCodes(codes[1:], grid_shape=(3, 2), image_shape=(12, 8, 3))
    mixed = [codes[:1], tall]
    assert_allclose(bits_per_pixel(mixed, 5, entropy=entropy), expected)


def test_a_list_needs_codes_of_one_model_that_know_their_images(rng):
    codes = k_sparse(rng, 1, (2, 3), 16, 2, 1.0)
    other = k_sparse(rng, 1, (2, 3), 8, 2, 1.0)
    with pytest.raises(ValueError, match="n_atoms .* equally many atoms"):
        bits_per_pixel([codes, other])
    unknown = SparseCodes(codes, grid_shape=(2, 3))
    unknown.image_shape = None
    with pytest.raises(ValueError, match="how large their images are"):
        bits_per_pixel([codes, unknown])
