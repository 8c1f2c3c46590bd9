"""Batch-OMP: against scikit-learn, against brute force, and at the edges."""

import importlib
import importlib.util
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given
from sklearn.linear_model import orthogonal_mp_gram

from sklearn_sparsevae.sparse import batch_omp

# As an attribute of the package this name is the function.
module = importlib.import_module("sklearn_sparsevae.sparse.batch_omp")

both_paths = pytest.mark.parametrize(
    "path",
    [
        "tensors",
        pytest.param(
            "compiled",
            marks=pytest.mark.skipif(
                importlib.util.find_spec("numba") is None, reason="needs numba"
            ),
        ),
    ],
)
both_rules = pytest.mark.parametrize("selection", ["omp", "ols"])


def code(path, *args, **kwargs):
    """``batch_omp`` by one of its two inner loops."""
    with pytest.MonkeyPatch.context() as patch:
        if path == "tensors":
            patch.setattr(module, "_compiled_code_rows", lambda: None)
        return batch_omp(*args, **kwargs)


def dense(indices, values, n_atoms):
    """Codes (N, K) of the compact form."""
    codes = np.zeros((len(indices), n_atoms))
    rows, slots = np.nonzero(np.asarray(indices) >= 0)
    codes[rows, np.asarray(indices)[rows, slots]] = np.asarray(values)[rows, slots]
    return codes


def problem(seed, n_signals=30, latent_dim=8, n_atoms=20, kind="random"):
    """Signals and atoms of a kind, float64."""
    rng = np.random.default_rng(seed)
    signals = rng.standard_normal((n_signals, latent_dim))
    atoms = rng.standard_normal((n_atoms, latent_dim))
    if kind == "coherent":
        atoms = atoms / 3 + rng.standard_normal(latent_dim)
    atoms /= np.linalg.norm(atoms, axis=1, keepdims=True)
    if kind == "any norm":
        atoms *= rng.uniform(0.3, 3, (n_atoms, 1))
    if kind == "zero signals":
        signals[::3] = 0
    if kind == "repeated":
        atoms[n_atoms // 2 :] = atoms[: n_atoms - n_atoms // 2]
    return signals, atoms


def merged(codes, kind):
    """Codes with the coefficients of repeated atoms added: which is taken is open."""
    if kind != "repeated":
        return codes
    half = codes.shape[1] // 2
    first, second = codes[:, :half], codes[:, half:]
    return np.pad(first, ((0, 0), (0, second.shape[1] - half))) + second


def scikit_learn(signals, atoms, **kwargs):
    gram, correlations = atoms @ atoms.T, atoms @ signals.T
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # premature ends
        codes = orthogonal_mp_gram(gram, correlations, **kwargs)
    return codes.reshape(len(atoms), -1).T


KINDS = ["random", "coherent", "any norm", "zero signals", "repeated"]


@both_paths
@given(
    seed=st.integers(0, 10**6),
    kind=st.sampled_from(KINDS),
    latent_dim=st.integers(1, 12),
    n_atoms=st.integers(2, 40),
    n_nonzero_coefs=st.integers(1, 12),
)
def test_codes_are_those_of_scikit_learn(
    path, seed, kind, latent_dim, n_atoms, n_nonzero_coefs
):
    signals, atoms = problem(seed, 5, latent_dim, n_atoms, kind)
    size = min(n_nonzero_coefs, latent_dim, n_atoms)
    indices, values = code(path, signals, atoms, n_nonzero_coefs)
    assert indices.shape == values.shape == (5, size)
    ours = merged(dense(indices, values, n_atoms), kind)
    theirs = merged(scikit_learn(signals, atoms, n_nonzero_coefs=size), kind)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(np.abs(ours) > 1e-6, np.abs(theirs) > 1e-6)


@both_paths
@given(seed=st.integers(0, 10**6), tol=st.floats(0.01, 2))
def test_tolerance_is_that_of_scikit_learn(path, seed, tol):
    signals, atoms = problem(seed)
    signals *= 2 / np.linalg.norm(signals, axis=1, keepdims=True)  # above any tol
    ours = dense(*code(path, signals, atoms, 8, tol), len(atoms))
    energies = (signals**2).sum(1)
    theirs = scikit_learn(signals, atoms, tol=tol, norms_squared=energies)
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


@both_paths
@both_rules
def test_tolerance_stops_each_signal_as_soon_as_it_is_met(path, selection):
    signals, atoms = problem(0, 200)
    signals *= np.linspace(0.1, 3, 200)[:, None]
    tol = 0.5
    indices, values = code(path, signals, atoms, 3, tol, selection=selection)
    longer = code(path, signals, atoms, 3, selection=selection)[0]
    sizes = (indices >= 0).sum(1)
    assert set(sizes) == {0, 1, 2, 3}
    for signal, row, full, size in zip(signals, indices, longer, sizes, strict=True):
        assert list(row[:size]) == list(full[:size])
        errors = [squared_error(signal, atoms[full[:s]]) for s in range(4)]
        assert all(error > tol for error in errors[:size])
        assert errors[size] <= tol or size == 3
    assert not values[indices < 0].any()


@both_paths
@both_rules
@given(seed=st.integers(0, 10**6), alpha=st.floats(0.05, 1.0))
def test_no_atom_is_taken_that_lowers_the_residual_too_little(
    path, selection, seed, alpha
):
    signals, atoms = problem(seed)
    all_of_them, _ = code(path, signals, atoms, 6, selection=selection)
    indices, values = code(
        path, signals, atoms, 6, selection=selection, min_decrease=alpha**2
    )
    for x, taken, whole, z in zip(signals, indices, all_of_them, values, strict=True):
        energies = [float(x @ x)]
        for size in range(1, len(whole) + 1):
            chosen = atoms[whole[:size]]
            rest = x - chosen.T @ np.linalg.lstsq(chosen.T, x, rcond=None)[0]
            energies.append(float(rest @ rest))
        enough = -np.diff(energies) > alpha**2
        near = np.abs(-np.diff(energies) - alpha**2) < 1e-6
        size = int((taken >= 0).sum())
        expected = int(np.argmin([*enough, False]))
        assert size == expected or near[min(size, expected)]
        np.testing.assert_array_equal(taken[:size], whole[:size])
        assert not z[size:].any()


@both_paths
@given(seed=st.integers(0, 10**6), scale=st.floats(0.0, 1.0))
def test_the_atom_is_taken_that_exceeds_most_what_is_asked_of_it(path, seed, scale):
    signals, atoms = problem(seed, 4, 6, 12)
    asked = scale * np.random.default_rng(seed).uniform(size=(4, 12))
    indices, _ = code(path, signals, atoms, 4, selection="ols", min_decrease=asked)
    for x, row, least in zip(signals, indices, asked, strict=True):
        taken, rest = [], float(x @ x)
        for atom in row:
            errors = [squared_error(x, atoms[[*taken, k]]) for k in range(12)]
            beyond = rest - np.array(errors) - least
            beyond[taken] = -np.inf
            if atom < 0:
                assert beyond.max() <= 1e-6 or len(taken) == 6
                break
            assert beyond[atom] == pytest.approx(beyond.max(), abs=1e-6)
            taken.append(int(atom))
            rest = squared_error(x, atoms[taken])


@both_paths
@pytest.mark.parametrize("threads", [1, 2])
def test_one_number_is_the_same_as_that_number_for_all(path, threads):
    signals, atoms = problem(3, 300)
    every = np.full((300, len(atoms)), 0.3)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        one, all_ = (
            code(path, signals, atoms, 6, selection="ols", min_decrease=number)
            for number in (0.3, every)
        )
    finally:
        torch.set_num_threads(before)
    for found, wanted in zip(one, all_, strict=True):
        np.testing.assert_array_equal(found, wanted)


def squared_error(signal, atoms):
    """Squared distance of a signal from the span of some atoms."""
    return np.sum((signal - atoms.T @ np.linalg.lstsq(atoms.T, signal)[0]) ** 2)


def greedy_least_squares(signal, atoms, n_nonzero_coefs):
    taken = []
    for _ in range(n_nonzero_coefs):
        errors = [
            np.inf if k in taken else squared_error(signal, atoms[[*taken, k]])
            for k in range(len(atoms))
        ]
        taken.append(int(np.argmin(errors)))
    return taken


@both_paths
@given(seed=st.integers(0, 10**6), kind=st.sampled_from(KINDS[:3]))
def test_ols_takes_the_atom_that_lowers_the_refitted_error_most(path, seed, kind):
    signals, atoms = problem(seed, 3, 6, 12, kind)
    indices, values = code(path, signals, atoms, 4, selection="ols")
    for signal, row, coefs in zip(signals, indices, values, strict=True):
        assert list(row) == greedy_least_squares(signal, atoms, 4)
        fitted = np.linalg.lstsq(atoms[row].T, signal)[0]
        np.testing.assert_allclose(coefs, fitted, rtol=1e-6, atol=1e-8)


@both_paths
@both_rules
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_each_step_takes_another_atom_and_lowers_the_error(
    path, selection, kind, dtype
):
    signals, atoms = (a.astype(dtype) for a in problem(3, 100, 8, 20, kind))
    before = (signals.astype(float) ** 2).sum(1)
    for size in range(1, 9):
        indices, values = code(path, signals, atoms, size, selection=selection)
        assert values.dtype == dtype
        taken = [set(row[row >= 0]) for row in indices]
        assert [len(t) for t in taken] == list((indices >= 0).sum(1))
        after = ((signals - dense(indices, values, 20) @ atoms) ** 2).sum(1)
        assert (after <= before + 1e-5).all()
        before = after


@both_paths
@both_rules
def test_one_unit_atom_is_that_of_largest_correlation(path, selection):
    signals, atoms = problem(1, 300)
    indices, values = code(path, signals, atoms, 1, selection=selection)
    correlations = signals @ atoms.T
    largest = np.abs(correlations).argmax(1)
    np.testing.assert_array_equal(indices[:, 0], largest)
    np.testing.assert_allclose(values[:, 0], correlations[range(300), largest])


@both_paths
@both_rules
@given(seed=st.integers(0, 10**6), rank=st.integers(1, 4))
def test_dependent_atoms_never_give_large_coefficients(path, selection, seed, rank):
    rng = np.random.default_rng(seed)
    atoms = rng.standard_normal((12, rank)) @ rng.standard_normal((rank, 8))
    atoms /= np.linalg.norm(atoms, axis=1, keepdims=True)
    atoms[3] = 0
    atoms[5] = -atoms[7]
    signals = rng.standard_normal((20, 8)).astype(np.float32)
    indices, values = code(
        path, signals, atoms.astype(np.float32), 8, selection=selection
    )
    assert ((indices >= 0).sum(1) <= rank).all()
    assert not (indices == 3).any()
    error = signals - dense(indices, values, 12) @ atoms
    projected = signals @ np.linalg.pinv(atoms, rcond=1e-6) @ atoms
    best = ((signals - projected) ** 2).sum(1)
    # As good as the rank allows, but for what an all too short pivot leaves out.
    np.testing.assert_allclose((error**2).sum(1), best, atol=5e-3)
    assert np.isfinite(values).all()


@both_paths
@both_rules
@pytest.mark.parametrize("bad", [0.0, np.nan, np.inf, -np.inf])
def test_signals_without_a_code(path, selection, bad):
    signals, atoms = problem(4)
    good = code(path, signals[1:], atoms, 4, selection=selection)
    signals[0] = bad
    indices, values = code(
        path, signals, atoms, 4, selection=selection, check_finite=False
    )
    assert (indices[0] == -1).all()
    assert (values[0] == 0).all()
    np.testing.assert_array_equal(indices[1:], good[0])
    np.testing.assert_array_equal(values[1:], good[1])


@both_paths
def test_zero_atoms_alone_give_empty_codes(path):
    signals, atoms = problem(0)
    for selection in ("omp", "ols"):
        indices, values = code(path, signals, 0 * atoms, 3, selection=selection)
        assert (indices == -1).all()
        assert (values == 0).all()


@both_paths
@both_rules
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_of_equal_scores_the_first_atom_is_taken(path, selection, dtype):
    atoms = np.tile(np.eye(5, dtype=dtype), (9, 1))
    signals = np.array([[0, 2, -2, 1, 2], [-1, 0, 0, 1, 0]], dtype)  # exact in both
    indices, values = code(path, signals, atoms, 3, selection=selection)
    assert indices.tolist() == [[1, 2, 4], [0, 3, -1]]
    assert values.tolist() == [[2, -2, 2], [-1, 1, 0]]


@both_paths
@both_rules
@pytest.mark.parametrize("n_atoms", [20, 32, 45])
def test_zero_atoms_at_the_end_change_nothing(path, selection, n_atoms):
    signals, atoms = problem(11, 40, 16, n_atoms)
    expected = code(path, signals, atoms, 6, selection=selection)
    for n_more in (1, 12, 40):
        more = np.pad(atoms, ((0, n_more), (0, 0)))
        indices, values = code(path, signals, more, 6, selection=selection)
        np.testing.assert_array_equal(indices, expected[0])
        np.testing.assert_allclose(values, expected[1], rtol=1e-12)


@both_paths
@both_rules
@pytest.mark.parametrize("threads", [1, 2])
def test_code_does_not_depend_on_batch_mates(path, selection, threads):
    signals, atoms = problem(5, 700, 16, 64)
    signals, atoms = signals.astype(np.float32), atoms.astype(np.float32)
    order = np.random.default_rng(0).permutation(700)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "_BYTES", dict.fromkeys(module._BYTES, 2**16))
            whole = code(path, signals, atoms, 5, selection=selection)
            shuffled = code(path, signals[order], atoms, 5, selection=selection)
            parts = {
                size: code(path, signals[:size], atoms, 5, selection=selection)
                for size in (1, 2, 7, 129, 300)
            }
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    for array, other in zip(whole, shuffled, strict=True):
        np.testing.assert_array_equal(array[order], other)
    for size, part in parts.items():
        np.testing.assert_array_equal(whole[0][:size], part[0])
        np.testing.assert_array_equal(whole[1][:size], part[1])


@both_paths
def test_concurrent_callers_get_their_own_codes(path):
    signals, atoms = problem(6, 600, 16, 64)
    expected = code(path, signals, atoms, 4)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(4) as pool:
            if path == "tensors":
                patch.setattr(module, "_compiled_code_rows", lambda: None)
            found = pool.map(lambda _: batch_omp(signals, atoms, 4), range(8))
            for indices, values in found:
                np.testing.assert_array_equal(indices, expected[0])
                np.testing.assert_allclose(values, expected[1], rtol=1e-10)
    finally:
        torch.set_num_threads(before)


@both_rules
@pytest.mark.parametrize("kind", ["random", "coherent", "any norm", "zero signals"])
def test_both_paths_agree(selection, kind):
    pytest.importorskip("numba")
    signals, atoms = problem(7, 200, 16, 50, kind)
    tensors = code("tensors", signals, atoms, 10, 0.05, selection=selection)
    compiled = code("compiled", signals, atoms, 10, 0.05, selection=selection)
    np.testing.assert_array_equal(tensors[0], compiled[0])
    np.testing.assert_allclose(tensors[1], compiled[1], rtol=1e-8, atol=1e-10)


@both_paths
def test_scale_of_signals_scales_the_values(path):
    signals, atoms = problem(8)
    indices, values = code(path, signals, atoms, 4)
    for scale in (2.0**-40, 2.0**40):
        other = code(path, scale * signals, atoms, 4)
        np.testing.assert_array_equal(indices, other[0])
        np.testing.assert_allclose(scale * values, other[1], rtol=1e-10)


@both_paths
def test_kind_and_precision_of_the_signals_are_kept(path):
    signals, atoms = problem(9)
    indices, values = code(path, signals, atoms, 3)
    assert isinstance(indices, np.ndarray)
    assert isinstance(values, np.ndarray)
    tensors = code(path, torch.from_numpy(signals), torch.from_numpy(atoms), 3)
    assert torch.equal(tensors[0], torch.from_numpy(indices))
    assert torch.equal(tensors[1], torch.from_numpy(values))
    assert tensors[0].dtype == torch.int64
    half = torch.from_numpy(signals).bfloat16()
    coded = code(path, half, torch.from_numpy(atoms).float(), 3)
    full = code(path, half.float(), torch.from_numpy(atoms).float(), 3)
    assert coded[1].dtype == torch.bfloat16
    assert torch.equal(coded[0], full[0])
    assert torch.equal(coded[1], full[1].bfloat16())


@both_paths
def test_autocast_and_strides_change_nothing_and_no_gradient_flows(path):
    signals, atoms = (torch.from_numpy(a).float() for a in problem(10, 400))
    expected = code(path, signals, atoms, 4)
    strided = signals.mT.contiguous().mT.requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        indices, values = code(path, strided, atoms.clone().requires_grad_(), 4)
    assert torch.equal(indices, expected[0])
    assert torch.equal(values, expected[1])
    assert not values.requires_grad


@both_paths
@both_rules
def test_no_signals(path, selection):
    atoms = torch.eye(4)
    indices, values = code(path, torch.zeros(0, 4), atoms, 3, selection=selection)
    assert indices.shape == values.shape == (0, 3)


def test_numba_is_not_needed():
    script = """if True:
        import sys
        sys.modules["numba"] = None
        import torch
        from sklearn_sparsevae.sparse import batch_omp
        indices, values = batch_omp(torch.tensor([[0.0, 2.0, 1.0]]), torch.eye(3), 2)
        sys.exit(not (indices.tolist() == [[1, 2]] and values.tolist() == [[2, 1]]))
    """
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"signals": torch.zeros(5, 3)}, ValueError, r"\(5, 3\).*\(n_signals, 4\)"),
        ({"signals": torch.zeros(4)}, ValueError, r"\(4,\).*\(n_signals, 4\)"),
        ({"signals": torch.zeros(5, 4, dtype=int)}, TypeError, "signals .*int64"),
        ({"dictionary": torch.eye(4, dtype=int)}, TypeError, "dictionary .*int64"),
        ({"n_nonzero_coefs": 0}, ValueError, "n_nonzero_coefs .* 1, got 0"),
        ({"tol": -0.5}, ValueError, "tol must be non-negative, got -0.5"),
        ({"tol": float("nan")}, ValueError, "tol .* got nan"),
        ({"min_decrease": -1.0}, ValueError, "min_decrease must be non-negative"),
        ({"min_decrease": np.ones((2, 3))}, ValueError, "min_decrease has the shape"),
        (
            {"min_decrease": np.ones((5, 4))},
            ValueError,
            "min_decrease.*needs selection='ols'",
        ),
        (
            {"min_decrease": -np.ones((5, 4)), "selection": "ols"},
            ValueError,
            "min_decrease must be non-negative",
        ),
        ({"selection": "mp"}, ValueError, r"\('omp', 'ols'\), got 'mp'"),
    ],
)
def test_bad_input_is_refused(change, error, message):
    good = {
        "signals": torch.ones(5, 4),
        "dictionary": torch.eye(4),
        "n_nonzero_coefs": 2,
    }
    with pytest.raises(error, match=message):
        batch_omp(**(good | change))
