"""The overcomplete DCT, and dictionaries learned from signals."""

import numpy as np
import pytest
import scipy.fft
import torch

from sklearn_sparsevae.sparse import (
    dct_dictionary,
    ista,
    learn_dictionary,
    normalize_atoms,
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


def test_learning_lowers_the_lasso_energy():
    signals, atoms = planted(seed=2)
    learned = learn_dictionary(signals, 12, 0.3, n_iter=60)
    drawn = normalize_atoms(signals[:12])
    ours = lasso_energy(signals, learned, 0.3)
    assert ours < 0.9 * lasso_energy(signals, drawn, 0.3)
    assert ours < 1.1 * lasso_energy(signals, atoms, 0.3)


def test_seed_decides_the_dictionary_and_nothing_else_is_touched():
    signals, _ = planted()
    state = torch.get_rng_state()
    first = learn_dictionary(signals, 12, 0.1, n_iter=3, seed=5)
    assert torch.equal(first, learn_dictionary(signals, 12, 0.1, n_iter=3, seed=5))
    assert not torch.equal(first, learn_dictionary(signals, 12, 0.1, n_iter=3, seed=6))
    assert torch.equal(state, torch.get_rng_state())


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
@pytest.mark.parametrize("alpha", [1e-3, 10.0])
def test_poor_signals_still_give_distinct_unit_atoms(signals, alpha):
    before = signals.clone()
    learned = learn_dictionary(signals, 12, alpha, n_iter=5)
    assert torch.equal(signals, before)
    assert learned.shape == (12, 8)
    assert is_unit(learned)
