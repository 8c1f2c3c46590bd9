"""The nearest code, against all distances."""

import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from sklearn_sparsevae.sparse import nearest_code

sizes = st.integers(1, 12)
seeds = st.integers(0, 2**16)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@given(seeds, st.integers(0, 40), sizes, sizes, st.sampled_from([1e-6, 1, 1e6]))
def test_no_other_code_is_nearer(seed, n_signals, n_components, dim, scale):
    signals = scale * normal(n_signals, dim, seed=seed)
    codebook = scale * normal(n_components, dim, seed=seed + 1)
    indices = nearest_code(signals, codebook)
    assert indices.shape == (n_signals,) and indices.dtype == torch.int64
    distances = cdist(signals.double().numpy(), codebook.double().numpy())
    chosen = distances[np.arange(n_signals), indices.numpy()]
    longest = distances.max(1, initial=0)
    assert (chosen <= distances.min(1, initial=np.inf) + 1e-5 * longest).all()


@given(seeds, st.integers(1, 40), sizes, st.integers(1, 4))
def test_of_equals_the_first_is_taken(seed, n_signals, n_components, dim):
    rng = np.random.default_rng(seed)  # small integers: many ties, and no rounding
    signals = rng.integers(-2, 3, (n_signals, dim)).astype(np.float32)
    codebook = rng.integers(-2, 3, (n_components, dim)).astype(np.float32)
    expected = cdist(signals, codebook, "sqeuclidean").argmin(1)
    np.testing.assert_array_equal(nearest_code(signals, codebook), expected)


def test_of_equal_codes_the_first_is_taken():
    signals, codebook = normal(300, 9), normal(20, 9, seed=1)
    expected = nearest_code(signals, codebook)
    repeated = codebook.repeat(3, 1)
    assert torch.equal(nearest_code(signals, repeated), expected)


@pytest.mark.parametrize("offset", [-1000.0, 300.0, 1000.0])
def test_far_from_the_origin_neighbours_are_told_apart(offset):
    signals, codebook = normal(300, 6) + offset, normal(64, 6, seed=1) + offset
    expected = cdist(signals.double().numpy(), codebook.double().numpy()).argmin(1)
    np.testing.assert_array_equal(nearest_code(signals, codebook).numpy(), expected)


def test_a_code_far_away_does_not_blur_the_others():
    signals, codebook = normal(300, 6), normal(64, 6, seed=1)
    expected = nearest_code(signals, codebook)
    for position in (0, 63):
        codebook = normal(64, 6, seed=1)
        codebook[position] = 1e6
        near = expected != position
        found = nearest_code(signals, codebook)
        assert torch.equal(found[near], expected[near])


def test_a_signal_has_its_code_whatever_is_beside_it():
    # Unit codes at right angles to all signals are equally near but for rounding, which
    # must not depend on the batch.
    basis = torch.linalg.qr(normal(32, 32)).Q
    codebook = torch.nn.functional.normalize(normal(64, 16, seed=1)) @ basis[:16]
    signals = normal(700, 16, seed=2) @ basis[16:]
    expected = nearest_code(signals, codebook)
    for start, length in ((0, 1), (5, 3), (129, 17), (300, 128), (100, 600)):
        part = slice(start, start + length)
        assert torch.equal(nearest_code(signals[part], codebook), expected[part])


def test_more_signals_than_are_handled_at_once(monkeypatch):
    signals, codebook = normal(500, 5), normal(30, 5, seed=1)
    expected = nearest_code(signals, codebook)
    monkeypatch.setattr(nearest_code_module(), "_SCORES", 30 * 7)
    assert torch.equal(nearest_code(signals, codebook), expected)


def nearest_code_module():
    """The function of the same name hides it."""
    return sys.modules["sklearn_sparsevae.sparse.nearest_code"]


def test_arrays_give_arrays_and_stay_as_they_are():
    signals, codebook = normal(30, 5).numpy(), normal(7, 5, seed=1).numpy()
    kept = signals.copy(), codebook.copy()
    indices = nearest_code(signals, codebook)
    assert isinstance(indices, np.ndarray) and indices.dtype == np.int64
    np.testing.assert_array_equal(indices, cdist(signals, codebook).argmin(1))
    np.testing.assert_array_equal(signals, kept[0])
    np.testing.assert_array_equal(codebook, kept[1])


@pytest.mark.parametrize("shape", [(3,), (3, 4), (2, 3, 5)])
def test_signals_that_do_not_fit_are_refused(shape):
    message = r"signals of shape .* codebook of shape \(7, 5\).*\(n_signals, 5\).*rows"
    with pytest.raises(ValueError, match=message):
        nearest_code(torch.zeros(shape), torch.zeros(7, 5))
