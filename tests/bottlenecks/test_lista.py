"""What only learned ISTA promises."""

import math

import pytest
import torch
from torch.nn import functional as F

from sklearn_sparsevae.bottlenecks import PENALTIES, LearnedISTA
from sklearn_sparsevae.bottlenecks.thresholds import ScalarThreshold
from sklearn_sparsevae.sparse import ista

DIM, K = 6, 14


def latents_of(seed=0, batch=8):
    return torch.randn(batch, DIM, 2, 2, generator=torch.Generator().manual_seed(seed))


def rows_of(latents):
    return latents.permute(0, 2, 3, 1).flatten(0, 2)


def started(**params):
    model = LearnedISTA(DIM, K, **({"alpha": 0.2, "n_rollout_steps": 6} | params))
    model.initialize(rows_of(latents_of(seed=1, batch=40)), seed=0)
    return model


@pytest.mark.parametrize("alpha", [1e-4, 0.01, 0.1, 1.0, 10.0, 50.0])
def test_thresholds_start_at_alpha(alpha):
    thresholds = ScalarThreshold(DIM, 5, alpha, learn=True)(torch.zeros(2, DIM))
    torch.testing.assert_close(thresholds, torch.full((5,), alpha), rtol=1e-3, atol=0)


@pytest.mark.parametrize("raw", [-1e6, -100.0, -1.0, 0.0, 100.0])
def test_thresholds_are_non_negative_whatever_was_learned(raw):
    model = started()
    with torch.no_grad():
        model.thresholds.raw.fill_(raw)
    assert (model.thresholds(torch.zeros(2, DIM)) >= 0).all()
    assert model.encode(latents_of()).isfinite().all()


def test_fixed_thresholds_do_not_learn():
    model = started(learn_alpha=False)
    assert not any(p.requires_grad for p in model.thresholds.parameters())
    assert not model.log_threshold_gains.requires_grad


def make_diverge(model, log_gain=3.0):
    with torch.no_grad():
        model.log_gains.fill_(log_gain)
    return model


def forward_with_gradients(model):
    latents = latents_of().requires_grad_()
    out = model(latents)
    (out["latents"].sum() + sum(out["losses"].values())).backward()
    gradients = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
    return latents, out, gradients | {"latents": latents.grad}


@pytest.mark.parametrize("coupled", [True, False])
@pytest.mark.parametrize("log_gain", [1.0, 3.0, 20.0])
@pytest.mark.parametrize("n_rollout_steps", [1, 6, 30])
def test_a_rollout_that_diverges_is_caught(coupled, log_gain, n_rollout_steps):
    model = started(coupled=coupled, n_rollout_steps=n_rollout_steps)
    latents, out, _ = forward_with_gradients(make_diverge(model, log_gain))
    assert out["codes"].isfinite().all()
    assert all(loss.isfinite() for loss in out["losses"].values())
    residual = rows_of(latents - out["latents"]).pow(2).sum(1)
    energy = rows_of(latents).pow(2).sum(1)
    assert (residual <= energy * (1 + 1e-3)).all()


@pytest.mark.parametrize("coupled", [True, False])
@pytest.mark.parametrize(
    ("n_rollout_steps", "log_gain"),
    [
        (6, 1.0),
        (6, 3.0),
        (30, 1.0),
        (30, 3.0),
        (6, 20.0),
    ],
)
def test_a_rollout_that_diverges_has_finite_gradients(
    coupled, n_rollout_steps, log_gain
):
    model = started(coupled=coupled, n_rollout_steps=n_rollout_steps)
    _, _, gradients = forward_with_gradients(make_diverge(model, log_gain))
    for name, gradient in gradients.items():
        assert gradient.isfinite().all(), name


def test_where_it_diverges_the_code_is_that_of_ista():
    model, latents = make_diverge(started(n_rollout_steps=20)), latents_of()
    rows = rows_of(latents)
    expected = ista(rows, model.components.detach(), 0.2, 20).reshape(8, 2, 2, K)
    torch.testing.assert_close(model.encode(latents).detach(), expected)


def test_only_the_signals_that_diverge_are_replaced():
    model = started()
    with torch.no_grad():
        model.log_gains.fill_(1.2)
    latents = latents_of(batch=30)
    latents[:15] *= 1e-3  # below every threshold: codes of zero do not diverge
    codes = model.encode(latents)
    assert not codes[:15].any()
    assert codes[15:].any()


@pytest.mark.parametrize("penalty", sorted(PENALTIES))
def test_penalties_have_slope_alpha_at_zero_and_never_fall(penalty):
    values = torch.linspace(-5, 5, 1001, dtype=torch.float64)
    values[500] = 0
    cost = PENALTIES[penalty](values, 0.3)
    torch.testing.assert_close(cost, cost.flip(0))
    assert cost[500] == 0 and (cost[501:].diff() > 0).all()
    tiny = torch.tensor([1e-9], dtype=torch.float64)
    assert PENALTIES[penalty](tiny, 0.3).item() == pytest.approx(0.3e-9, rel=1e-4)
    assert (cost <= 0.3 * values.abs() + 1e-12).all()


def test_a_filter_trains_only_across_its_atom():
    model = started()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        model.filters += torch.randn(K, DIM, generator=generator)
        atoms = model.unit_atoms
        filters = model._filters(atoms)
    torch.testing.assert_close((filters * atoms).sum(1), torch.ones(K))
    across = filters - model.filters
    residual = across - (across * atoms).sum(1, keepdim=True) * atoms
    torch.testing.assert_close(residual, torch.zeros_like(residual))
    free = started(coupled=False)
    assert free._filters(free.unit_atoms) is free.filters


def test_losses_are_those_of_the_equation():
    model, latents = started(penalty="l1"), latents_of()
    out = model(latents)
    x, z = rows_of(latents), out["codes"].flatten(0, 2)
    atoms = F.normalize(model.atoms, dim=1)
    latent = 0.5 * ((x - z @ atoms) ** 2).sum() / len(x)
    sparsity = 2 * 0.2 * z.abs().sum() / len(x)
    torch.testing.assert_close(out["losses"]["latent"], latent)
    torch.testing.assert_close(out["losses"]["sparsity"], sparsity)


def test_means_pass_through_exactly_and_carry_no_penalty():
    model, latents = started(n_mean_dims=2), latents_of()
    out = model(latents)
    assert torch.equal(out["latents"][:, :2], latents[:, :2])
    torch.testing.assert_close(
        out["codes"][..., :2], latents[:, :2].permute(0, 2, 3, 1), rtol=0, atol=0
    )
    moved = latents.clone()
    moved[:, :2] += 100
    for name, loss in model(moved)["losses"].items():
        assert loss == out["losses"][name], name
    torch.testing.assert_close(
        model.components[:2].detach(), torch.eye(2, DIM), rtol=0, atol=0
    )


def test_a_larger_alpha_is_sparser():
    counts = [
        (started(alpha=a).encode(latents_of()) != 0).float().mean().item()
        for a in (0.01, 0.3, 1.0, 10.0)
    ]
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] == 0 < counts[0]


def test_fixed_atoms_stay_and_are_scaled_to_unit_norm():
    given = 3 * torch.randn(K, DIM, generator=torch.Generator().manual_seed(4))
    model = started(dictionary=given)
    torch.testing.assert_close(model.components, F.normalize(given, dim=1))
    assert not model.atoms.requires_grad


def test_many_more_steps_come_closer_to_the_lasso():
    rows = rows_of(latents_of(batch=20))
    energies = []
    for steps in (1, 5, 25, 400):
        model = started(n_rollout_steps=steps)
        codes = model.encode(latents_of(batch=20)).flatten(0, 2)
        residual = rows - codes @ model.components
        energy = 0.5 * residual.pow(2).sum() + 0.2 * codes.abs().sum()
        energies.append(energy.item())
    assert energies == sorted(energies, reverse=True)
    best = ista(rows, model.components.detach(), 0.2, 5000, momentum=True)
    residual = rows - best @ model.components
    optimum = (0.5 * residual.pow(2).sum() + 0.2 * best.abs().sum()).item()
    assert math.isclose(energies[-1], optimum, rel_tol=1e-3)


def test_dimensions_that_leave_no_atoms_are_refused():
    with pytest.raises(ValueError, match="n_components=3 and latent_dim=6.* 3 latents"):
        LearnedISTA(6, 3, n_mean_dims=3)


def test_dictionary_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"shape \(4, 5\), expected.*\(14, 6\)"):
        LearnedISTA(DIM, K, dictionary=torch.ones(4, 5))
