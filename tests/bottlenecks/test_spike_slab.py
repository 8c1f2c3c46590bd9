"""What only variational sparse coding promises: divergences, samples, its start."""

import itertools
import math

import numpy as np
import pytest
import torch
from torch import distributions

from sklearn_sparsevae.bottlenecks import SpikeSlab
from sklearn_sparsevae.bottlenecks.divergences import (
    bernoulli_kl,
    gamma_kl,
    laplace_kl,
    normal_kl,
)
from sklearn_sparsevae.bottlenecks.spike_priors import (
    PRIORS,
    LearnedThreshold,
    SpikeAndSlab,
    Spikes,
    Thresholded,
)

DIM, K = 6, 10
both_priors = pytest.mark.parametrize("prior", sorted(PRIORS))


def numbers(*shape, scale=1.0):
    return scale * torch.randn(*shape, dtype=torch.float64)


def latents_of(seed=0, batch=40, grid=(4, 2), dim=DIM):
    """Latents with few large coordinates, in a rotated basis."""
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randn(batch, *grid, dim, generator=generator) ** 3
    turn = torch.linalg.qr(torch.randn(dim, dim, generator=generator))[0]
    return (rows @ turn).permute(0, 3, 1, 2)


def started(prior="spike_slab", sparsity=0.2, n_components=K, **params):
    model = SpikeSlab(DIM, n_components, prior, sparsity=sparsity, **params)
    model.initialize(model.to_rows(latents_of(seed=1)).flatten(0, 2), seed=0)
    return model


def hard(model):
    """Sample spikes that are on or off."""
    model.sharpness = 1e12
    return model


# ---- divergences --------------------------------------------------------------------


@pytest.mark.parametrize("scale", [0.1, 1.0, 3.0])
def test_divergences_are_those_of_torch(scale):
    a, b, c, d = (numbers(200, scale=scale) for _ in range(4))
    exact = {"rtol": 1e-6, "atol": 1e-6}
    kl = distributions.kl_divergence
    normal, laplace = distributions.Normal, distributions.Laplace
    expected = kl(normal(a, (b / 2).exp()), normal(c, (d / 2).exp()))
    torch.testing.assert_close(normal_kl(a, b, c, d), expected, **exact)
    expected = kl(laplace(a, b.exp()), laplace(torch.zeros_like(a), c.exp()))
    torch.testing.assert_close(laplace_kl(a, b, c), expected, **exact)
    of_three = distributions.Gamma(torch.full_like(a, 3.0), 3 / c.exp())
    expected = kl(distributions.Gamma(a.exp(), (a - b).exp()), of_three)
    torch.testing.assert_close(gamma_kl(a, b, 3.0, c), expected, **exact)
    q, p = a.reshape(50, 4), b.reshape(50, 4)[:3]
    each, other = (t.expand(50, 3, 4) for t in (q[:, None], p))
    coins = (distributions.Bernoulli(logits=logits) for logits in (each, other))
    torch.testing.assert_close(bernoulli_kl(q, p), kl(*coins).sum(2), **exact)


def test_divergence_of_spike_and_slab_is_that_of_samples():
    prior = SpikeAndSlab(4, 0.2).double()
    prior.log_scale.data.copy_(numbers(4, scale=0.3))
    q = Spikes(*(numbers(1, 4).expand(200_000, -1) for _ in range(3)))
    on = torch.rand_like(q.logits) < torch.sigmoid(q.logits)
    values = q.mean + (q.log_var / 2).exp() * torch.randn_like(q.mean)

    def log_density(gamma, mean, deviation):
        slab = distributions.Normal(mean, deviation).log_prob(values)
        return torch.where(on, gamma.log() + slab, (1 - gamma).log()).sum(1)

    of_q = log_density(torch.sigmoid(q.logits), q.mean, (q.log_var / 2).exp())
    of_prior = log_density(torch.tensor(0.2), 0.0, prior.log_scale.detach().exp())
    estimate = of_q - of_prior
    terms = prior.kl(Spikes(*(part[:1] for part in q)), None)
    error = 5 * float(estimate.std()) / math.sqrt(len(estimate))
    assert float(sum(terms.values()).detach()) == pytest.approx(
        float(estimate.mean()), abs=error
    )


def test_divergence_from_pseudo_inputs_bounds_that_from_their_mixture():
    prior = SpikeAndSlab(5, 0.3).double()
    q = Spikes(numbers(7, 5), numbers(7, 5), numbers(7, 5, scale=2.0))
    patterns = torch.tensor(list(itertools.product((0.0, 1.0), repeat=5)))

    def log_probabilities(logits):
        coins = distributions.Bernoulli(logits=logits[:, None])
        return coins.log_prob(patterns.to(logits)).sum(2)

    of_q = log_probabilities(q.logits)
    for n_pseudo in (1, 4):
        pseudo = Spikes(*(numbers(n_pseudo, 5, scale=2.0) for _ in range(3)))
        of_each = log_probabilities(prior.prior_logits(pseudo))
        mixture = torch.logsumexp(of_each, 0) - math.log(n_pseudo)
        exact = (of_q.exp() * (of_q - mixture)).sum(1)
        bound = prior.kl(q, pseudo)["spikes"]
        assert (bound >= exact - 1e-9).all()
        if n_pseudo == 1:
            torch.testing.assert_close(bound, exact)


def test_pseudo_inputs_that_show_the_patterns_make_them_cheaper():
    prior = SpikeAndSlab(8, 0.5)
    pattern = torch.tensor([[1.0] * 4 + [-1.0] * 4, [-1.0] * 4 + [1.0] * 4])
    q, pseudo = (Spikes(*[scale * pattern] * 3) for scale in (20.0, 5.0))
    shown, plain = prior.kl(q, pseudo)["spikes"], prior.kl(q, None)["spikes"]
    assert (shown < 0.5 * plain).all()
    assert (prior.kl(q, pseudo)["share"] < 1e-6).all()


@both_priors
def test_extremes_are_finite_and_so_are_their_gradients(prior):
    sizes = torch.tensor([0.0, 1e-8, 1.0, 30.0, 1e4, 1e8])
    values = torch.cat([-sizes, sizes])[:, None].requires_grad_()
    distribution = PRIORS[prior](1, 0.01)
    for unit in (1e-6, 1.0, 1e6):
        distribution.start(torch.ones(3, 1) * unit, unit, None)
        added = [values] * (distribution.n_maps - 1)
        q = distribution.posterior(unit * values, added)
        terms = {**distribution.kl(q, None), "sample": distribution.sample(q) / unit}
        for name, term in terms.items():
            grads = torch.autograd.grad(
                term.sum(), values, retain_graph=True, allow_unused=True
            )
            assert term.isfinite().all(), name
            assert grads[0].isfinite().all(), name


# ---- samples ------------------------------------------------------------------------


def posterior_of(kind, n=100_000, **given):
    parts = {name: torch.full((n, 1), float(value)) for name, value in given.items()}
    return kind(**{name: part.requires_grad_() for name, part in parts.items()})


@pytest.mark.parametrize("gamma", [0.02, 0.5, 0.9])
def test_spikes_are_as_frequent_as_they_are_likely(gamma):
    logit = math.log(gamma / (1 - gamma))
    q = posterior_of(Spikes, mean=2.0, log_var=-2.0, logits=logit)
    sample = hard(SpikeAndSlab(1, 0.1)).sample(q).detach()
    on = sample != 0
    error = 5 * math.sqrt(gamma * (1 - gamma) / len(sample))
    assert float(on.float().mean()) == pytest.approx(gamma, abs=error)
    assert float(sample[on].mean()) == pytest.approx(2.0, abs=0.05)
    assert float(sample[on].std()) == pytest.approx(math.exp(-1), abs=0.03)


def test_sharp_relaxed_spikes_are_the_hard_ones():
    prior = SpikeAndSlab(1, 0.1)
    q = posterior_of(Spikes, mean=1.0, log_var=-40.0, logits=-0.5)
    drawn, differences = [], []
    for sharpness in (20.0, 200.0, 2000.0, 1e12):
        prior.sharpness = sharpness
        torch.manual_seed(0)
        drawn.append(prior.sample(q).detach())
    differences = [float((s - drawn[-1]).abs().mean()) for s in drawn[:-1]]
    assert differences == sorted(differences, reverse=True)
    assert differences[-1] < 1e-3
    assert set(drawn[-1].round(decimals=6).flatten().tolist()) == {0.0, 1.0}


def test_sharpness_rises_in_the_first_epoch():
    prior, found = SpikeAndSlab(1, 0.1), []
    for n_epochs in (0, 0.5, 1, 7):
        prior.advance(n_epochs)
        found.append(prior.sharpness)
    assert found == sorted(found) and found[2] == found[3] > found[0]


def test_gradients_of_samples_reach_all_of_a_posterior():
    for prior, q in (
        (
            SpikeAndSlab(1, 0.1),
            posterior_of(Spikes, mean=1.0, log_var=-1.0, logits=-1.0),
        ),
        (
            LearnedThreshold(1, 0.1),
            posterior_of(
                Thresholded, mean=1.0, log_scale=0.0, log_threshold=0.0, log_shape=1.0
            ),
        ),
    ):
        prior.sample(q).pow(2).sum().backward()
        for name, part in q._asdict().items():
            assert part.grad.isfinite().all() and part.grad.any(), name


def test_gradients_go_straight_through_the_threshold():
    q = posterior_of(
        Thresholded, mean=0.5, log_scale=0.0, log_threshold=0.0, log_shape=7.0
    )
    sample = LearnedThreshold(1, 0.1).sample(q)
    sample.sum().backward()
    assert (sample == 0).float().mean() > 0.3 and (sample != 0).float().mean() > 0.3
    assert (q.mean.grad == 1).all()
    # That of the threshold is the shrinkage's: -1 times the sign of what is left.
    off = sample.detach() == 0
    assert not q.log_threshold.grad[off].any()
    assert (q.log_threshold.grad * sample.detach().sign() <= 0).all()
    torch.testing.assert_close(
        -(q.log_threshold.grad * sample.detach().sign())[~off].mean(),
        torch.tensor(1.0),
        rtol=0.05,
        atol=0.0,
    )


@both_priors
def test_the_prior_has_its_share_of_non_zeros(prior):
    for share in (0.05, 0.3):
        codes = PRIORS[prior](20, share).draw(10_000, None)
        assert float((codes != 0).float().mean()) == pytest.approx(share, rel=0.05)


def test_draws_follow_the_pseudo_inputs():
    model = started(n_pseudo_inputs=3)
    with torch.no_grad():
        pseudo = model._pseudo()
        codes = model.sample(4000, (2, 1)).flatten(0, 2)
    expected = torch.sigmoid(model.distribution.prior_logits(pseudo)).mean(0)
    torch.testing.assert_close(
        (codes != 0).float().mean(0), expected.detach(), atol=0.03, rtol=0.0
    )


def test_draws_of_the_means_are_as_the_means_were():
    latents = 3 + 2 * latents_of(seed=1)
    model = SpikeSlab(DIM, K, sparsity=0.2, n_mean_dims=2)
    rows = model.to_rows(latents).flatten(0, 2)
    model.initialize(rows, seed=0)
    drawn = model.sample(5000, (2, 2)).detach().flatten(0, 2)[:, :2]
    torch.testing.assert_close(drawn.mean(0), rows[:, :2].mean(0), rtol=0.1, atol=0.1)
    torch.testing.assert_close(drawn.std(0), rows[:, :2].std(0), rtol=0.1, atol=0.0)


# ---- start and warm-up --------------------------------------------------------------


@both_priors
@pytest.mark.parametrize("n_components", [4, 6, 10])
def test_it_starts_with_the_share_of_the_prior(prior, n_components):
    model = started(prior, n_components=n_components)
    codes = model.encode(latents_of(seed=1))
    assert float((codes != 0).float().mean()) == pytest.approx(0.2, abs=0.01)


def test_it_finds_the_basis_in_which_latents_are_sparse():
    """Better than a random one by far, and the basis it starts from is orthonormal."""
    model, latents = started(sparsity=0.3, n_components=DIM), latents_of(seed=1)
    atoms = model.components.detach()
    torch.testing.assert_close(atoms @ atoms.mT, torch.eye(DIM), atol=1e-5, rtol=0.0)
    rows = model.to_rows(latents).flatten(0, 2)

    def left_out(basis):
        responses = rows @ basis.mT
        largest = responses.abs().flatten().sort(descending=True).values
        kept = responses * (responses.abs() > largest[int(0.3 * largest.numel())])
        return float((rows - kept @ basis).pow(2).sum() / rows.pow(2).sum())

    turned = torch.linalg.qr(numbers(DIM, DIM).float())[0]
    assert left_out(atoms) < 0.6 * left_out(turned)
    decoded = model.eval()(latents)["latents"].detach()
    error = float((decoded - latents).pow(2).sum() / latents.pow(2).sum())
    assert error == pytest.approx(left_out(atoms), rel=0.05)


def test_the_start_is_nearly_the_posterior_of_a_linear_model():
    model = started(n_components=DIM, sparsity=0.2)
    rows = model.to_rows(latents_of(seed=1)).flatten(0, 2)
    q = model._posterior(rows)
    slab, c = model.distribution.log_scale.exp(), float(model.c)
    normal = distributions.Normal
    log_odds = math.log(0.2 / 0.8) + (
        normal(0.0, (slab**2 + c).sqrt()).log_prob(q.mean)
        - normal(0.0, math.sqrt(c)).log_prob(q.mean)
    )
    sure = log_odds.abs() > 1.5
    assert sure.float().mean() > 0.7
    assert torch.equal((log_odds > 0)[sure], (q.logits > 0)[sure])


@both_priors
def test_the_scale_of_the_latents_changes_nothing_else(prior):
    rows = latents_of(seed=1).permute(0, 2, 3, 1).flatten(0, 2)
    found = []
    for scale in (1.0, 1000.0):
        model = SpikeSlab(DIM, K, prior, sparsity=0.2)
        model.initialize(scale * rows, seed=0)
        with torch.no_grad():
            codes = model.encode(scale * latents_of()) / scale
            nats = model._losses(model._posterior(scale * rows), rows[:, :0])
        found.append((codes, *(term / model.c for term in nats.values())))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


@both_priors
def test_the_warm_up_weighs_all_terms_and_only_in_training(prior):
    model, latents = started(prior, beta_warmup=2, n_mean_dims=2), latents_of()
    full = model.eval()(latents)["losses"]
    model.train()
    for n_epochs, weight in ((0, 0.0), (0.5, 0.25), (2, 1.0), (5, 1.0)):
        model.advance(n_epochs)
        for name, term in model(latents)["losses"].items():
            torch.testing.assert_close(term, weight * full[name])
    twice = started(prior, beta=2.0, n_mean_dims=2).eval()(latents)["losses"]
    for name, term in twice.items():
        torch.testing.assert_close(term, 2 * full[name])


def test_a_larger_noise_variance_makes_sparser_codes():
    found = []
    for noise_variance in (0.01, 0.1, 1.0):
        model = started(noise_variance=noise_variance).train()
        optimizer = torch.optim.Adam(model.parameter_groups(0.01))
        for step in range(60):
            latents = latents_of(seed=10 + step)
            out = model(latents)
            error = (out["latents"] - latents).pow(2).sum(1).mean() / 2
            optimizer.zero_grad()
            (error + sum(out["losses"].values())).backward()
            optimizer.step()
        found.append(float((model.encode(latents_of()) != 0).float().mean()))
    assert np.diff(found).max() < -0.03


# ---- bad input ----------------------------------------------------------------------


def test_pseudo_inputs_need_spikes():
    with pytest.raises(ValueError, match="n_pseudo_inputs=2.*got prior='threshold'"):
        SpikeSlab(DIM, K, "threshold", n_pseudo_inputs=2)


def test_fewer_dimensions_than_means():
    with pytest.raises(ValueError, match="n_components=2 .*must both exceed the 2"):
        SpikeSlab(DIM, 2, n_mean_dims=2)
