"""ISTA against plain loops and scikit-learn's lasso."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.decomposition import sparse_encode
from sklearn.linear_model import Lasso

from sklearn_sparsevae.sparse import (
    fista_momentum,
    ista,
    lipschitz_constant,
    normalize_atoms,
    soft_threshold,
)


def problem(seed, n_signals=12, latent_dim=10, n_components=20):
    rng = np.random.default_rng(seed)
    atoms = rng.standard_normal((n_components, latent_dim))
    atoms /= np.linalg.norm(atoms, axis=1, keepdims=True)
    return rng.standard_normal((n_signals, latent_dim)), atoms


def energy(signals, atoms, codes, alpha):
    return 0.5 * np.sum((signals - codes @ atoms) ** 2) + np.sum(alpha * np.abs(codes))


def shrink(values, threshold):
    return np.sign(values) * np.maximum(np.abs(values) - threshold, 0)


def plain_ista(signals, atoms, alpha, n_steps):
    lipschitz = np.linalg.norm(atoms, 2) ** 2
    codes = np.zeros((len(signals), len(atoms)))
    for _ in range(n_steps):
        gradient = (codes @ atoms - signals) @ atoms.T
        codes = shrink(codes - gradient / lipschitz, alpha / lipschitz)
    return codes


def plain_fista(signals, atoms, alpha, n_steps):
    lipschitz = np.linalg.norm(atoms, 2) ** 2
    codes = y = np.zeros((len(signals), len(atoms)))
    t = 1.0
    for _ in range(n_steps):
        gradient = (y @ atoms - signals) @ atoms.T
        new = shrink(y - gradient / lipschitz, alpha / lipschitz)
        t_new = (1 + np.sqrt(1 + 4 * t**2)) / 2
        y = new + (t - 1) / t_new * (new - codes)
        codes, t = new, t_new
    return codes


@pytest.mark.parametrize(("momentum", "oracle"), [(0, plain_ista), (1, plain_fista)])
@pytest.mark.parametrize("n_steps", [1, 2, 3, 17])
@pytest.mark.parametrize("shape", [(10, 20), (20, 10)])
def test_equals_the_plain_loop(momentum, oracle, n_steps, shape):
    signals, atoms = problem(0, latent_dim=shape[0], n_components=shape[1])
    alpha = np.linspace(0.05, 0.3, len(atoms))
    expected = oracle(signals, atoms, alpha, n_steps)
    codes = ista(signals, atoms, alpha, n_steps, momentum=bool(momentum))
    assert codes.dtype == np.float64
    np.testing.assert_allclose(codes, expected, rtol=1e-5, atol=1e-7)
    assert np.linalg.norm(codes - expected) <= 1e-5 * np.linalg.norm(expected)
    single = ista(
        signals.astype(np.float32),
        atoms.astype(np.float32),
        alpha.astype(np.float32),
        n_steps,
        momentum=bool(momentum),
    )
    assert single.dtype == np.float32
    assert np.linalg.norm(single - expected) <= 1e-5 * np.linalg.norm(expected)


@pytest.mark.parametrize("alpha", [0.03, 0.3])
def test_converges_to_scikit_learns_lasso(alpha):
    signals, atoms = problem(1)
    codes = ista(signals, atoms, alpha, 3000, momentum=True)
    ours = energy(signals, atoms, codes, alpha)
    # Lasso minimises 1 / (2 n_samples) ||y - Xw||^2 + alpha' ||w||_1, where a sample
    # is a coordinate of the signal.
    n_samples = signals.shape[1]
    lasso = Lasso(alpha / n_samples, fit_intercept=False, tol=1e-10, max_iter=50_000)
    theirs = energy(signals, atoms, lasso.fit(atoms.T, signals.T).coef_, alpha)
    encoded = sparse_encode(
        signals, atoms, algorithm="lasso_cd", alpha=alpha, max_iter=50_000
    )
    assert ours == pytest.approx(theirs, rel=1e-3)
    assert ours == pytest.approx(energy(signals, atoms, encoded, alpha), rel=1e-3)
    assert ours <= theirs * (1 + 1e-6)


@given(seed=st.integers(0, 2**16), alpha=st.floats(0, 3), n_atoms=st.integers(1, 30))
def test_every_ista_step_lowers_the_energy(seed, alpha, n_atoms):
    signals, atoms = problem(seed, n_signals=3, n_components=n_atoms)
    energies = [
        energy(signals, atoms, ista(signals, atoms, alpha, n), alpha)
        for n in range(1, 12)
    ]
    energies.insert(0, 0.5 * np.sum(signals**2))
    assert np.all(np.diff(energies) <= 1e-9 * energies[0])


def test_momentum_is_closer_after_the_same_number_of_steps():
    signals, atoms = problem(2)
    plain, fast = (
        energy(signals, atoms, ista(signals, atoms, 0.1, 30, momentum=m), 0.1)
        for m in (False, True)
    )
    assert fast < plain


def test_zeros_are_exact_and_all_at_a_large_alpha():
    signals, atoms = problem(3)
    codes = ista(signals, atoms, 0.5, 50)
    assert 0 < np.mean(codes == 0) < 1
    assert not ista(signals, atoms, 1.001 * np.abs(signals @ atoms.T).max(), 50).any()


def test_zero_signals_have_zero_codes():
    _, atoms = problem(3)
    assert not ista(np.zeros((2, 10)), atoms, 0.1, 5).any()
    assert ista(np.zeros((0, 10)), atoms, 0.1, 5).shape == (0, 20)


def test_answers_in_the_kind_it_was_asked_in():
    signals, atoms = problem(4)
    as_arrays = ista(signals, atoms, 0.1, 5)
    as_tensors = ista(torch.tensor(signals), torch.tensor(atoms), 0.1, 5)
    assert type(as_arrays) is np.ndarray
    assert isinstance(as_tensors, torch.Tensor)
    np.testing.assert_array_equal(as_arrays, as_tensors.numpy())
    assert type(normalize_atoms(2 * atoms)) is np.ndarray
    np.testing.assert_allclose(normalize_atoms(2 * atoms), atoms)


def test_arrays_that_are_not_contiguous_are_fine():
    signals, atoms = problem(4)
    fortran = ista(np.asfortranarray(signals), atoms[::-1], 0.1, 5)
    expected = ista(signals, atoms, 0.1, 5)[:, ::-1]
    np.testing.assert_allclose(fortran, expected, atol=1e-12)


@pytest.mark.parametrize("shape", [(5, 9), (9, 5), (1, 4), (4, 1)])
def test_lipschitz_constant_is_the_spectral_norm_squared(rng, shape):
    dictionary = rng.standard_normal(shape)
    expected = np.linalg.norm(dictionary, 2) ** 2
    assert float(lipschitz_constant(torch.tensor(dictionary))) == pytest.approx(
        expected
    )


@pytest.mark.parametrize("threshold", [0.0, 0.7, np.linspace(0, 1, 6)])
def test_soft_threshold_shrinks_towards_zero(rng, threshold):
    values = rng.standard_normal((4, 6))
    found = soft_threshold(torch.tensor(values), torch.as_tensor(threshold))
    assert found.dtype == torch.float64
    np.testing.assert_allclose(found.numpy(), shrink(values, threshold), atol=1e-7)


def test_fista_momentum_follows_the_recursion():
    assert fista_momentum(5, momentum=False).tolist() == [0] * 5
    weights = fista_momentum(50)
    assert weights[:2].tolist() == [0, 0]
    assert weights[2].item() == pytest.approx(0.281754, abs=1e-5)
    assert (weights[1:].diff() > 0).all() and weights[-1] < 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"signals": np.ones((2, 3))}, r"signals of shape \(2, 3\).*expected.*10"),
        ({"signals": np.ones(10)}, r"signals of shape \(10,\)"),
        ({"n_steps": 0}, "n_steps must be at least 1, got 0"),
        ({"alpha": -0.5}, "alpha must be non-negative, got -0.5"),
    ],
)
def test_bad_arguments_are_refused(change, message):
    signals, atoms = problem(5)
    arguments = {"signals": signals, "dictionary": atoms, "alpha": 0.1, "n_steps": 3}
    with pytest.raises(ValueError, match=message):
        ista(**(arguments | change))
