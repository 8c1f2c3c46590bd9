"""Traced forms of the loops compute what the loops do."""

import numpy as np
import pytest
import torch

from sklearn_sparsevae.sparse import (
    batch_omp,
    dense_codes,
    fista_momentum,
    ista,
    lipschitz_constant,
    nearest_code,
    normalize_atoms,
    unrolled_ista,
)
from sklearn_sparsevae.sparse.rows import row_products
from sklearn_sparsevae.sparse.tracing import is_tracing, recording, tracing


@pytest.fixture
def signals():
    signals = torch.randn(60, 12, generator=torch.Generator().manual_seed(0))
    return signals.double()


@pytest.fixture
def atoms():
    atoms = torch.randn(40, 12, generator=torch.Generator().manual_seed(1))
    atoms[7] = atoms[5]  # never to be taken beside it
    return normalize_atoms(atoms.double())


def traced(function, *args, **kwargs):
    with recording([]):
        assert is_tracing()
        return function(*args, **kwargs)


@pytest.mark.parametrize("selection", ["omp", "ols"])
@pytest.mark.parametrize(
    "options", [{}, {"tol": 2.0}, {"min_decrease": 0.5}], ids=["", "tol", "decrease"]
)
def test_pursuit(signals, atoms, selection, options):
    options = {"selection": selection, **options}
    signals[3], signals[4] = 0, 2 * atoms[9]  # of which a pursuit takes 0 and 1 atoms
    for n_nonzero_coefs in (1, 5, 11):
        expected = batch_omp(signals, atoms, n_nonzero_coefs, **options)
        found = traced(batch_omp, signals, atoms, n_nonzero_coefs, **options)
        assert torch.equal(found[0], expected[0])
        torch.testing.assert_close(found[1], expected[1], rtol=1e-8, atol=1e-8)


def test_pursuit_with_a_threshold_for_each_atom(signals, atoms):
    asked = torch.rand(60, 40, generator=torch.Generator().manual_seed(2)).double()
    options = {"selection": "ols", "min_decrease": asked}
    expected = dense_codes(*batch_omp(signals, atoms, 6, **options), 40)
    found = dense_codes(*traced(batch_omp, signals, atoms, 6, **options), 40)
    assert (expected != 0).any()
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("coupled", [True, False])
def test_rollout(signals, atoms, coupled):
    options = {
        "momentum": fista_momentum(7).double(),
        "gains": torch.linspace(0.5, 1, 7).double(),
        "threshold_gains": torch.linspace(2, 1, 7).double(),
        "inhibition": None if coupled else 0.1 * atoms @ atoms.mT,
    }
    thresholds = torch.linspace(0.01, 0.05, 40).double()
    for given in (thresholds, thresholds.expand(60, 40)):
        inputs = signals, 0.1 * atoms, atoms, given
        expected = unrolled_ista(*inputs, **options)
        assert 0.1 < (expected != 0).double().mean() < 0.9
        torch.testing.assert_close(traced(unrolled_ista, *inputs, **options), expected)


def test_nearest_code_and_products(signals, atoms):
    expected = nearest_code(100 + signals, 100 + atoms)
    assert torch.equal(traced(nearest_code, 100 + signals, 100 + atoms), expected)
    products = traced(row_products, signals, atoms)
    torch.testing.assert_close(products, row_products(signals, atoms))


def test_constants_are_computed_once_and_given_again(signals, atoms):
    constants = []
    with recording(constants):
        expected = ista(signals, atoms, 0.1, 5)
    assert constants == [lipschitz_constant(atoms)]
    with tracing([2 * constants[0]]):
        halved = lipschitz_constant(atoms)
    assert halved == 2 * constants[0]
    with tracing(constants):
        again = ista(signals, atoms, 0.1, 5)
    assert torch.equal(again, expected)


def test_outside_a_trace_nothing_is_left_of_it(signals, atoms):
    with pytest.raises(ZeroDivisionError), recording([]):
        1 / 0
    assert not is_tracing()
    with pytest.raises(ValueError, match="n_nonzero_coefs"):
        batch_omp(np.ones((1, 12)), np.ones((2, 12)), 0)
