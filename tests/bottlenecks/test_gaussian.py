"""What only the normal bottleneck promises: closed forms, and what training finds."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import subspace_angles
from torch.distributions import MultivariateNormal, Normal, kl_divergence

from sklearn_sparsevae.bottlenecks import Gaussian
from sklearn_sparsevae.bottlenecks.divergences import mmd, normal_kl
from sklearn_sparsevae.bottlenecks.gaussian import reparametrize

DIM, K = 6, 3


def rows_of(n_rows=2000, dim=DIM, seed=0):
    """Rows whose variance differs along axes that are not the coordinates."""
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(dim, dim, generator=generator)
    scales = torch.linspace(2, 0.2, dim)
    return (torch.randn(n_rows, dim, generator=generator) * scales) @ mixing + 3


def grid_of(rows):
    return rows[:, :, None, None]


def started(rows, noise_variance=0.5, n_components=K, **params):
    model = Gaussian(rows.shape[1], n_components, noise_variance, **params)
    model.initialize(rows, seed=0)
    return model


def randomized(model):
    """The same model, but that nothing of it is where PCA put it."""
    with torch.no_grad():
        for weights in (model.atoms, model.filters):
            weights.normal_(std=0.5)
        model.bias.normal_(std=0.5)
        model.log_variance.zero_()
    return model


def fit(model, rows, n_steps, lr=0.02):
    """Train on half the squared error and the terms, as the nets do."""
    optimizer = torch.optim.Adam(model.parameters(), lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, n_steps)
    for _ in range(n_steps):
        batch = grid_of(rows[torch.randint(len(rows), (256,))])
        out = model.train()(batch)
        error = (out["latents"] - batch).square().sum((1, 2, 3)).mean()
        optimizer.zero_grad()
        (0.5 * error + sum(out["losses"].values())).backward()
        optimizer.step()
        schedule.step()
    return model.eval()


def evidence(rows, n_components, noise_variance):
    """Mean log-likelihood of probabilistic PCA, by the covariance that it models."""
    rows = rows.double()
    centred = rows - rows.mean(0)
    variances, axes = torch.linalg.eigh(centred.mT @ centred / len(rows))
    kept, axes = variances[-n_components:], axes[:, -n_components:]
    signal = (kept - noise_variance).clamp(min=0)
    model = (axes * signal) @ axes.mT + noise_variance * torch.eye(rows.shape[1])
    return MultivariateNormal(rows.mean(0), model).log_prob(rows).mean().item()


@torch.no_grad()
def bound(model, rows):
    """Mean evidence lower bound of a linear decoder, without sampling."""
    mean, log_variance = model.posterior(grid_of(rows))
    error = (model.decode(mean) - grid_of(rows)).square().sum()
    spread = (log_variance.exp() * model.components.square().sum(1)).sum()
    nats = normal_kl(mean, log_variance).sum()
    c, n_numbers = model.noise_variance, rows.numel()
    constant = 0.5 * n_numbers * np.log(2 * np.pi * c)
    return ((-(error + spread) / (2 * c) - nats - constant) / len(rows)).item()


# ---- divergences --------------------------------------------------------------------


def test_the_divergence_is_the_closed_form():
    m1, v1, m2, v2 = torch.randn(4, 50, dtype=torch.float64) * 2
    expected = kl_divergence(Normal(m1, (v1 / 2).exp()), Normal(m2, (v2 / 2).exp()))
    torch.testing.assert_close(normal_kl(m1, v1, m2, v2), expected, rtol=1e-6, atol=0)
    standard = kl_divergence(Normal(m1, (v1 / 2).exp()), Normal(0.0, 1.0))
    torch.testing.assert_close(normal_kl(m1, v1), standard.double(), rtol=1e-6, atol=0)


@given(st.floats(-1e6, 1e6), st.floats(0.01, 100), st.floats(0, 100))
def test_the_term_is_the_divergence_times_beta_and_noise(shift, noise, beta):
    rows = rows_of(50) + shift
    model = started(rows, noise, beta=beta).eval()
    mean, log_variance = model.posterior(grid_of(rows))
    expected = beta * noise * normal_kl(mean, log_variance).sum() / len(rows)
    torch.testing.assert_close(model(grid_of(rows))["losses"]["kl"], expected)
    assert log_variance.isfinite().all() and mean.isfinite().all()


@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
def test_log_variances_are_bounded_and_can_come_back(scale):
    model = started(rows_of())
    with torch.no_grad():
        model.log_variance.copy_(scale * torch.tensor([-1.0, 0.0, 1.0]))
    mean, log_variance = model.posterior(grid_of(rows_of(5)))
    assert ((log_variance >= -30) & (log_variance <= 10)).all()
    log_variance.sum().backward()
    assert (model.log_variance.grad >= 0).all()
    if scale <= 1:
        slope = model.log_variance.grad / 5
        torch.testing.assert_close(slope, torch.ones(K), rtol=1e-3, atol=0)


def test_draws_have_the_moments_asked_for():
    mean, log_variance = torch.tensor([[1.0, -2.0]]), torch.tensor([[0.0, 3.0]])
    draws = reparametrize(mean.repeat(100_000, 1), log_variance)
    torch.testing.assert_close(draws.mean(0), mean[0], rtol=0, atol=0.05)
    torch.testing.assert_close(draws.var(0).log(), log_variance[0], rtol=0, atol=0.03)


# ---- probabilistic PCA --------------------------------------------------------------


@pytest.mark.parametrize("dim", [1, DIM])
def test_the_bound_starts_as_the_evidence(dim):
    rows = rows_of(dim=dim)
    for n_components in (1, dim, dim + 3):
        model = started(rows, n_components=n_components).eval()
        expected = evidence(rows, n_components, 0.5)
        assert bound(model, rows) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("dim", [1, 3])
def test_training_finds_the_evidence_from_a_bad_start(dim):
    rows = rows_of(dim=dim)
    model = randomized(started(rows, n_components=1))
    expected = evidence(rows, 1, 0.5)
    assert bound(model, rows) < expected - 0.5
    assert bound(fit(model, rows, 500, lr=0.05), rows) == pytest.approx(
        expected, abs=1e-2
    )


def test_without_the_divergence_training_finds_the_principal_subspace():
    rows = rows_of()
    axes = torch.linalg.svd(rows - rows.mean(0))[2][:K].mT.numpy()

    def angle(model):
        found = model.components.detach().mT.numpy()
        return np.degrees(subspace_angles(found, axes).max())

    model = randomized(started(rows, beta=0.0))
    assert angle(model) > 20
    assert angle(fit(model, rows, 400)) < 5


@pytest.mark.parametrize("beta", [1.0, 4.0])
def test_directions_weaker_than_the_noise_are_switched_off(beta):
    rows = rows_of(dim=4) @ torch.diag(torch.tensor([3.0, 1.0, 0.3, 0.1]))
    variances = torch.linalg.eigvalsh(torch.cov(rows.mT, correction=0))
    noise = float(variances[1:3].mean()) / beta
    model = started(rows, noise, n_components=4, beta=beta).eval()
    mean, log_variance = model.posterior(grid_of(rows))
    on = normal_kl(mean, log_variance).mean((0, 1, 2)) > 1e-6
    assert on.tolist() == [True, True, False, False]
    assert (model.components.norm(dim=1) > 0).tolist() == on.tolist()


def test_noise_wakes_what_is_switched_off():
    """No gradient of a start at exactly zero is zero for ever."""
    rows = rows_of()
    model = started(rows, 1e4)
    assert not model.components.any()
    model.noise_variance = 0.1
    assert bound(fit(model, rows, 200), rows) > bound(started(rows, 1e4), rows)
    assert (model.components.norm(dim=1) > 0.1).any()


def test_the_start_knows_what_a_condition_says():
    condition = torch.eye(2)[torch.randint(2, (2000,))]
    shifts = torch.tensor([[5.0], [-5.0]]) * torch.ones(DIM)
    rows = rows_of() + condition @ shifts
    model = Gaussian(DIM, K, 0.5, n_conditions=2).eval()
    model.initialize(rows, 0, condition)
    empty = model.decode(torch.zeros(2, 1, 1, K), torch.eye(2))[:, :, 0, 0]
    for label in range(2):
        expected = rows[condition[:, label] == 1].mean(0)
        torch.testing.assert_close(empty[label], expected, rtol=0, atol=0.01)
    mean, _ = model.posterior(grid_of(rows), condition)
    of_first, of_second = (mean[condition[:, i] == 1].mean(0) for i in range(2))
    torch.testing.assert_close(of_first, of_second, rtol=0, atol=1e-3)


# ---- beta, MMD, levels --------------------------------------------------------------


def test_the_weight_of_the_divergence_rises_in_training_alone():
    rows = grid_of(rows_of(50))
    model = started(rows_of(), beta=2.0, beta_warmup=4)
    whole = model.eval()(rows)["losses"]["kl"]
    for n_epochs, part in ((0, 0), (1, 0.25), (3.5, 0.875), (4, 1), (9, 1)):
        model.advance(n_epochs)
        torch.testing.assert_close(model.eval()(rows)["losses"]["kl"], whole)
        torch.testing.assert_close(model.train()(rows)["losses"]["kl"], part * whole)


def test_discrepancy_is_that_of_the_kernel():
    a, b = torch.randn(7, 3), torch.randn(5, 3) + 1
    scales = (0.1, 0.2, 0.5, 1, 2, 5, 10)

    def kernel(x, y):
        squared = float((x - y).square().sum())
        return sum(6 * s / (6 * s + squared) for s in scales)

    def mean(pairs):
        return np.mean([kernel(x, y) for x, y in pairs])

    def apart(rows):
        return [
            (x, y) for i, x in enumerate(rows) for j, y in enumerate(rows) if i != j
        ]

    expected = (
        mean(apart(a)) + mean(apart(b)) - 2 * mean([(x, y) for x in a for y in b])
    )
    assert mmd(a, b).item() == pytest.approx(expected, abs=1e-5)


def test_discrepancy_tells_distributions_apart():
    a, b = torch.randn(2, 500, 4)
    assert abs(mmd(a, b)) < 0.02
    assert mmd(a, b + 1) > 0.3 and mmd(a, 3 * b) > 0.3
    assert mmd(a[:1], b) == 0


def test_discrepancy_keeps_codes_near_the_prior_without_the_divergence():
    rows = rows_of()

    def excess(mmd_weight):
        model = randomized(started(rows, beta=0.0, mmd_weight=mmd_weight))
        with torch.no_grad():
            model.filters.mul_(5)
        codes = fit(model, rows, 80).encode(grid_of(rows)).flatten(0, 2)
        return abs(mmd(codes[:500], torch.randn(500, K)).item())

    assert excess(100.0) < 0.5 * excess(0.0)


def test_two_levels_start_as_one_and_have_both_divergences():
    rows = rows_of()
    one, two = (started(rows, n_levels=n).eval() for n in (1, 2))
    latents = grid_of(rows)
    terms = two(latents)["losses"]
    torch.testing.assert_close(one(latents)["losses"]["kl"], terms["kl_1"])
    assert set(terms) == {"kl_1", "kl_2"} and terms["kl_2"] >= 0
    torch.testing.assert_close(one(latents)["latents"], two(latents)["latents"])


def test_the_second_level_ties_neighbours_together():
    generator = torch.Generator().manual_seed(0)
    latents = torch.randn(400, 2, 4, 4, generator=generator) * 0.3
    latents += torch.randn(400, 2, 1, 1, generator=generator)  # shared by all sites

    def correlation(n_levels):
        model = Gaussian(2, 2, 0.05, n_levels=n_levels)
        model.initialize(model.to_rows(latents).flatten(0, 2), 0)
        optimizer = torch.optim.Adam(model.parameters(), 0.005)
        for _ in range(120):
            batch = latents[torch.randint(400, (64,))]
            out = model(batch)
            error = (out["latents"] - batch).square().sum() / 64 / 16
            optimizer.zero_grad()
            (0.5 * error + sum(out["losses"].values())).backward()
            optimizer.step()
        with torch.no_grad():
            drawn = model.decode(model.sample(2000, (4, 4)))
        return np.corrcoef(drawn[:, 0, 1, 1], drawn[:, 0, 1, 2])[0, 1]

    assert abs(correlation(1)) < 0.1
    assert correlation(2) > 0.2


def test_draws_are_alike_for_all_samples():
    model = started(rows_of(), n_levels=2).eval()
    latents = grid_of(rows_of(6))
    torch.manual_seed(1)
    decoded, nats = model.draw(latents)
    assert nats.shape == (6,) and (nats > 0).all()
    torch.manual_seed(1)
    alone = model.draw(latents[3:4])
    torch.testing.assert_close(alone, (decoded[3:4], nats[3:4]))
    assert not torch.allclose(decoded, model(latents)["latents"], atol=0.01)
