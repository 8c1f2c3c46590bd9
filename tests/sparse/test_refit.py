"""Least-squares coefficients of given atoms: exact, and with the right gradient."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sklearn_sparsevae.sparse import batch_omp, project, refit, removal_costs


def problem(seed, n_signals=7, latent_dim=8, n_atoms=15):
    generator = torch.Generator().manual_seed(seed)
    signals, atoms = (
        torch.randn(n, latent_dim, generator=generator, dtype=torch.float64)
        for n in (n_signals, n_atoms)
    )
    return signals, atoms / atoms.norm(dim=1, keepdim=True)


@given(seed=st.integers(0, 10**6), n_nonzeros=st.integers(1, 5))
def test_coefficients_are_those_of_the_pursuit_that_chose_the_atoms(seed, n_nonzeros):
    signals, atoms = problem(seed)
    indices, values = batch_omp(signals, atoms, n_nonzeros, selection="ols")
    torch.testing.assert_close(
        refit(signals, atoms, indices), values, rtol=1e-3, atol=1e-4
    )


def test_what_is_no_atom_has_no_coefficient_and_changes_no_other():
    signals, atoms = problem(0)
    indices = torch.tensor([[2, 5, 9]]).repeat(7, 1)
    fewer = indices.clone()
    fewer[:, 1] = -1
    values = refit(signals, atoms, fewer)
    assert not values[:, 1].any()
    alone = refit(signals, atoms, fewer[:, [0, 2]])
    torch.testing.assert_close(values[:, [0, 2]], alone)
    empty = refit(signals, atoms, torch.full((7, 2), -1))
    assert not empty.any()


def test_gradients_are_those_of_finite_differences():
    signals, atoms = problem(1)
    indices = torch.tensor([[0, 4, -1], [3, 1, 2]])

    def function(x, d):
        return refit(x, d, indices)

    inputs = signals[:2].requires_grad_(), atoms.requires_grad_()
    assert torch.autograd.gradcheck(function, inputs)


@given(seed=st.integers(0, 10**6), n_nonzeros=st.integers(1, 5))
def test_projections_and_their_gradients_are_those_of_refitting(seed, n_nonzeros):
    signals, atoms = problem(seed)
    indices, values = batch_omp(signals, atoms, n_nonzeros)
    indices[0, -1], values[0] = -1, 0
    values = refit(signals, atoms, indices)
    goal = problem(seed + 1)[0]
    results = []
    for how in ("project", "refit"):
        x, d = signals.clone().requires_grad_(), atoms.clone().requires_grad_()
        if how == "project":
            made = project(x, d, indices, values)
        else:
            made = (refit(x, d, indices)[..., None] * d[indices.clamp(min=0)]).sum(1)
        ((made - goal) ** 2).sum().backward()
        results.append((made.detach(), x.grad, d.grad))
    for ours, wanted in zip(*results, strict=True):
        torch.testing.assert_close(ours, wanted, rtol=1e-3, atol=1e-3)


@given(seed=st.integers(0, 10**6), n_nonzeros=st.integers(1, 5))
def test_what_an_atom_is_worth_is_the_error_without_it(seed, n_nonzeros):
    signals, atoms = problem(seed)
    indices, _ = batch_omp(signals, atoms, n_nonzeros)
    indices[0, -1] = -1

    def errors(taken):
        left = signals - (refit(signals, atoms, taken)[..., None] * atoms[taken]).sum(1)
        return left.square().sum(1)

    costs = removal_costs(atoms, indices, refit(signals, atoms, indices))
    for s in range(n_nonzeros):
        fewer = indices.clone()
        fewer[:, s] = -1
        more = errors(fewer) - errors(indices)
        torch.testing.assert_close(costs[:, s], more, rtol=1e-3, atol=1e-3)


def test_arrays_give_arrays():
    signals, atoms = (tensor.numpy() for tensor in problem(2))
    indices, values = batch_omp(signals, atoms, 3)
    result = refit(signals, atoms, indices)
    assert isinstance(result, np.ndarray)
    np.testing.assert_allclose(result, values, rtol=1e-3, atol=1e-4)
    with pytest.raises(ValueError, match="indices"):
        refit(signals, atoms, indices[0])
