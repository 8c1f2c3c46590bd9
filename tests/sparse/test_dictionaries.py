"""The overcomplete DCT, and dictionaries learned from signals."""

import functools

import numpy as np
import pytest
import scipy.fft
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.cluster import KMeans
from sklearn.datasets import make_blobs

from sklearn_sparsevae.sparse import (
    batch_omp,
    dct_dictionary,
    dense_codes,
    ista,
    learn_codebook,
    learn_dictionary,
    nearest_code,
    normalize_atoms,
    update_atoms,
)


def coherence(dictionary):
    gram = (dictionary @ dictionary.mT).abs()
    return gram.fill_diagonal_(0).max().item()


def is_unit(dictionary):
    return torch.allclose(
        dictionary.norm(dim=1), torch.ones(len(dictionary)), atol=1e-5
    )


@pytest.mark.parametrize(
    ("latent_dim", "n_components", "shape"),
    [
        (256, 512, None),
        (48, 512, None),
        (16, 64, None),
        (7, 20, None),
        (48, 100, (3, 4, 4)),
        (16, 64, (16, 1)),
    ],
)
def test_overcomplete_dct_is_a_usable_dictionary(latent_dim, n_components, shape):
    dictionary = dct_dictionary(latent_dim, n_components, shape)
    assert dictionary.shape == (n_components, latent_dim)
    assert dictionary.dtype == torch.float32
    assert is_unit(dictionary)
    assert torch.linalg.matrix_rank(dictionary.double()) == latent_dim
    assert coherence(dictionary) < 1 - 1e-4


def test_first_atom_is_constant_and_the_others_have_no_mean():
    dictionary = dct_dictionary(64, 100)
    torch.testing.assert_close(dictionary[0], torch.full((64,), 1 / 8))
    assert dictionary[1:].sum(1).abs().max() < 1e-4


@pytest.mark.parametrize("shape", [(8, 8), (3, 4, 4), (5,), (1, 6)])
def test_as_many_atoms_as_dimensions_are_the_orthonormal_dct(shape):
    n = int(np.prod(shape))
    dictionary = dct_dictionary(n, n, shape)
    torch.testing.assert_close(
        dictionary @ dictionary.mT, torch.eye(n), atol=1e-5, rtol=0
    )
    units = np.eye(n).reshape(n, *shape)
    expected = scipy.fft.dctn(units, axes=range(1, units.ndim), norm="ortho")
    # Our rows are scipy's coefficients, in an order and with signs of our own.
    overlap = np.abs(dictionary.numpy() @ expected.reshape(n, n))
    np.testing.assert_allclose(np.sort(overlap, axis=1)[:, -1], 1, atol=1e-5)


def test_atoms_come_from_low_to_high_frequency():
    dictionary = dct_dictionary(64, 64, (8, 8)).reshape(64, 8, 8)
    roughness = (dictionary.diff(dim=1) ** 2).sum((1, 2))
    roughness += (dictionary.diff(dim=2) ** 2).sum((1, 2))
    assert roughness[:8].mean() < roughness[28:36].mean() < roughness[-8:].mean()


def test_shape_that_does_not_fit_is_refused():
    with pytest.raises(
        ValueError, match=r"shape=\(3, 5\) has 15 entries.*latent_dim.*16"
    ):
        dct_dictionary(16, 32, (3, 5))


def test_normalized_atoms_are_unit_or_zero():
    atoms = torch.tensor([[3.0, 4.0], [0.0, 0.0], [1e-8, 0.0]])
    torch.testing.assert_close(
        normalize_atoms(atoms), torch.tensor([[0.6, 0.8], [0.0, 0.0], [1.0, 0.0]])
    )


def planted(seed=0, n_signals=600, latent_dim=8, n_components=12, n_nonzero=2):
    """Signals that are sparse in a dictionary we know."""
    generator = torch.Generator().manual_seed(seed)
    atoms = normalize_atoms(torch.randn(n_components, latent_dim, generator=generator))
    order = torch.rand(n_signals, n_components, generator=generator).argsort(1)
    values = 1 + torch.rand(n_signals, n_nonzero, generator=generator)
    values *= torch.randn(n_signals, n_nonzero, generator=generator).sign()
    codes = torch.zeros(n_signals, n_components).scatter_(
        1, order[:, :n_nonzero], values
    )
    return codes @ atoms, atoms


def lasso_energy(signals, atoms, alpha):
    codes = ista(signals, atoms, alpha, 300, momentum=True)
    residual = signals - codes @ atoms
    return (0.5 * residual.pow(2).sum() + alpha * codes.abs().sum()).item()


def test_planted_atoms_are_found():
    signals, atoms = planted()
    learned = learn_dictionary(signals, 12, 0.3, n_iter=100)
    assert is_unit(learned)
    overlap = (atoms @ learned.mT).abs().max(1).values
    start = torch.randn(12, 8, generator=torch.Generator().manual_seed(1))
    by_chance = (atoms @ normalize_atoms(start).mT).abs().max(1).values
    assert overlap.median() > 0.97
    assert overlap.mean() > by_chance.mean() + 0.1


def left_by_pursuit(signals, atoms, n_nonzero_coefs):
    codes = dense_codes(*batch_omp(signals, atoms, n_nonzero_coefs), len(atoms))
    return (signals - codes @ atoms).pow(2).sum().item()


@pytest.mark.parametrize("selection", ["omp", "ols"])
def test_planted_atoms_are_found_from_codes_of_few_non_zeros(selection):
    signals, atoms = planted()
    learned, drawn = (
        learn_dictionary(
            signals, 12, n_nonzero_coefs=2, selection=selection, n_iter=n_iter
        )
        for n_iter in (100, 0)
    )
    assert is_unit(learned) and is_unit(drawn)
    left = left_by_pursuit(signals, learned, 2)
    assert left < 0.5 * left_by_pursuit(signals, drawn, 2)
    assert left < 0.2 * signals.pow(2).sum()
    overlap, by_chance = (
        (atoms @ found.mT).abs().max(1).values.mean() for found in (learned, drawn)
    )
    assert overlap > by_chance + 0.03


@pytest.mark.parametrize("coding", [{}, {"alpha": 0.1, "n_nonzero_coefs": 2}])
def test_one_way_of_coding_has_to_be_chosen(coding):
    with pytest.raises(ValueError, match="either alpha or n_nonzero_coefs, got alpha="):
        learn_dictionary(planted()[0], 12, **coding)


def test_learning_lowers_the_lasso_energy():
    signals, atoms = planted(seed=2)
    learned = learn_dictionary(signals, 12, 0.3, n_iter=60)
    drawn = normalize_atoms(signals[:12])
    ours = lasso_energy(signals, learned, 0.3)
    assert ours < 0.9 * lasso_energy(signals, drawn, 0.3)
    assert ours < 1.1 * lasso_energy(signals, atoms, 0.3)


@pytest.mark.parametrize(
    "learn",
    [
        functools.partial(learn_dictionary, alpha=0.1, n_iter=3),
        functools.partial(learn_dictionary, n_nonzero_coefs=2, n_iter=3),
        learn_codebook,
        functools.partial(learn_codebook, n_levels=3),
    ],
    ids=["L1", "few non-zeros", "codebook", "codebook of levels"],
)
def test_seed_decides_what_is_learned_and_nothing_else_is_touched(learn):
    signals, _ = planted()
    before, state = signals.clone(), torch.get_rng_state()
    first = learn(signals, 12, seed=5)
    assert torch.equal(first, learn(signals, 12, seed=5))
    assert not torch.equal(first, learn(signals, 12, seed=6))
    assert torch.equal(state, torch.get_rng_state())
    assert torch.equal(signals, before)


@pytest.mark.parametrize(
    "signals",
    [
        torch.zeros(20, 8),
        torch.cat([torch.zeros(19, 8), torch.ones(1, 8)]),
        planted()[0][:3],
        planted()[0][:1],
        planted()[0][:1].repeat(40, 1),
        1e-4 * planted()[0][:40],
        1e4 * planted()[0][:40],
    ],
    ids="all zero,one signal,few,single,duplicates,tiny,huge".split(","),
)
@pytest.mark.parametrize(
    "coding",
    [{"alpha": 1e-3}, {"alpha": 10.0}, {"n_nonzero_coefs": 2}, {"n_nonzero_coefs": 99}],
    ids=str,
)
def test_poor_signals_still_give_unit_atoms(signals, coding):
    before = signals.clone()
    learned = learn_dictionary(signals, 12, **coding, n_iter=5)
    assert torch.equal(signals, before)
    assert learned.shape == (12, 8)
    assert is_unit(learned)


# ---- parts of learning --------------------------------------------------------------


@given(st.integers(0, 2**16), st.integers(0, 9), st.integers(1, 5))
def test_dense_codes_hold_every_value_at_its_atom(seed, n_signals, n_nonzeros):
    rng = np.random.default_rng(seed)
    indices = rng.integers(-1, 7, (n_signals, n_nonzeros))
    values = rng.standard_normal(indices.shape) * (indices >= 0)
    expected = np.zeros((n_signals, 7))
    for row, (atoms, coefs) in enumerate(zip(indices, values, strict=True)):
        for atom, coef in zip(atoms, coefs, strict=True):
            expected[row, atom] += coef
    codes = dense_codes(torch.from_numpy(indices), torch.from_numpy(values), 7)
    np.testing.assert_allclose(codes, expected)


def test_a_pass_over_the_atoms_never_leaves_more():
    signals, atoms = planted(seed=4)
    codes = dense_codes(*batch_omp(signals, normalize_atoms(signals[:12]), 2), 12)
    a, b = codes.mT @ codes, codes.mT @ signals
    left = [(signals - codes @ normalize_atoms(signals[:12])).pow(2).sum().item()]
    learned = normalize_atoms(signals[:12])
    for _ in range(10):
        before = learned.clone()
        learned = update_atoms(learned, a, b)
        assert is_unit(learned)
        left.append((signals - codes @ learned).pow(2).sum().item())
        assert not torch.equal(learned, before)
    assert all(after <= 1.0001 * before for before, after in zip(left, left[1:]))
    assert left[-1] < left[0]


def test_a_pass_leaves_unused_atoms_and_its_arguments_as_they_are():
    signals, atoms = planted(seed=4)
    codes = dense_codes(*batch_omp(signals, atoms, 2), 12)
    codes[:, [3, 7]] = 0
    arguments = atoms, codes.mT @ codes, codes.mT @ signals
    kept = [t.clone() for t in arguments]
    updated = update_atoms(*arguments)
    assert torch.equal(updated[[3, 7]], atoms[[3, 7]])
    assert all(torch.equal(*pair) for pair in zip(arguments, kept, strict=True))


# ---- codebooks ----------------------------------------------------------------------


def inertia(signals, codebook):
    return (signals - codebook[nearest_code(signals, codebook)]).pow(2).sum().item()


@pytest.mark.parametrize("std", [1.0, 3.0])
@pytest.mark.parametrize("n_components", [30, 60])
def test_codebooks_are_about_as_good_as_k_means(std, n_components):
    blobs, _ = make_blobs(600, 6, centers=10, cluster_std=std, random_state=0)
    signals = torch.from_numpy(blobs.astype(np.float32))
    best = KMeans(n_components, n_init=1, random_state=0).fit(blobs).inertia_
    assert inertia(signals, learn_codebook(signals, n_components)) < 1.2 * best


def test_codebooks_converge_to_means_of_what_they_stand_for():
    signals, _ = planted()
    codebook = learn_codebook(signals, 12, n_iter=300)
    nearest = nearest_code(signals, codebook)
    for k in nearest.unique():
        torch.testing.assert_close(codebook[k], signals[nearest == k].mean(0))


def test_further_levels_code_what_the_first_left():
    signals, _ = planted()
    codebook = learn_codebook(signals, 30, n_levels=3)
    first = learn_codebook(signals, 10)
    torch.testing.assert_close(codebook[:10], first)
    rest = signals - first[nearest_code(signals, first)]
    assert inertia(rest, codebook[10:20]) < 0.7 * rest.pow(2).sum()


@pytest.mark.parametrize("n_components", [1, 2, 5, 31])
@pytest.mark.parametrize("n_levels", [1, 2, 4, 7])
def test_any_number_of_levels_gets_all_codes(n_components, n_levels):
    codebook = learn_codebook(planted()[0], n_components, n_levels=n_levels)
    assert codebook.shape == (n_components, 8)
    assert codebook.isfinite().all()


@pytest.mark.parametrize("n_signals", [1, 5, 12])
def test_as_many_codes_as_signals_leave_nothing(n_signals):
    signals = planted()[0][:n_signals]
    codebook = learn_codebook(signals, 12)
    assert codebook.shape == (12, 8)
    torch.testing.assert_close(codebook[nearest_code(signals, codebook)], signals)
