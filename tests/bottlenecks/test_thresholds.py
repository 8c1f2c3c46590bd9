"""Threshold policies of learned ISTA: where they start, and what they may depend on."""

import pytest
import torch

from sklearn_sparsevae.bottlenecks import THRESHOLDS, LearnedISTA
from sklearn_sparsevae.bottlenecks.thresholds import StructuredThreshold

DIM, K = 6, 40
every_policy = pytest.mark.parametrize("name", THRESHOLDS)
inferred = pytest.mark.parametrize("name", ["structured", "vector"])


def latents_of(seed=0, batch=3, grid=(5, 4)):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, DIM, *grid, generator=generator)


def stirred(name, size=0.3):
    """A policy whose parameters are anything."""
    policy = THRESHOLDS[name](DIM, K, 0.2, learn=True)
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter += size * torch.randn_like(parameter)
    return policy


@every_policy
@pytest.mark.parametrize("alpha", [1e-3, 0.1, 30.0])
def test_all_start_at_alpha_everywhere(name, alpha):
    thresholds = THRESHOLDS[name](DIM, K, alpha, learn=True)(latents_of())
    assert thresholds.shape in {(K,), (3 * 5 * 4, K)}
    torch.testing.assert_close(
        thresholds, torch.full_like(thresholds, alpha), rtol=1e-3, atol=0
    )


@every_policy
@pytest.mark.parametrize("size", [0.3, 5.0])
def test_never_negative(name, size):
    thresholds = stirred(name, size)(10 * latents_of())
    assert (thresholds >= 0).all() and thresholds.isfinite().all()


@every_policy
def test_nothing_learns_that_is_not_to(name):
    policy = THRESHOLDS[name](DIM, K, 0.2, learn=False)
    assert not any(p.requires_grad for p in policy.parameters())


@inferred
def test_thresholds_differ_by_atom_and_site(name):
    grid = stirred(name, 0.1).grid(latents_of()).detach()
    assert (grid.std(1) > 0).all() and (grid.flatten(2).std(2) > 0).all()


@inferred
def test_rows_are_the_sites_in_reading_order(name):
    policy, latents = stirred(name), latents_of()
    rows, grid = policy(latents), policy.grid(latents)
    torch.testing.assert_close(rows[7], grid[0, :, 1, 3])  # a row has four sites
    torch.testing.assert_close(rows[20 + 4], grid[1, :, 1, 0])


@inferred
def test_thresholds_do_not_depend_on_batch_mates(name):
    policy, latents = stirred(name), latents_of()
    alone = torch.cat([policy(image[None]) for image in latents])
    torch.testing.assert_close(policy(latents), alone, rtol=1e-4, atol=1e-6)


def test_refinement_is_equations_9_to_11():
    policy, latents = stirred("structured"), latents_of(batch=2)
    alpha = super(StructuredThreshold, policy).grid(latents)
    first, _, last = policy.channels
    for image, wanted in zip(alpha, policy.grid(latents), strict=True):
        scores, image = 0, image / policy.unit
        for pooled in (image.mean((1, 2)), image.amax((1, 2))):
            scores = scores + last.weight @ (first.weight @ pooled).clamp(min=0)
        image = image * (2 * scores.sigmoid())[:, None, None]
        maps = torch.stack([image.mean(0), image.amax(0)])[None]
        weight = policy.sites.weight
        scores = torch.nn.functional.conv2d(maps, weight, padding=1)[0]
        refined = image * (2 * scores.sigmoid()) * policy.unit
        torch.testing.assert_close(refined, wanted, rtol=1e-4, atol=1e-5)


def test_attention_sees_thresholds_in_units_of_alpha():
    small, large = (StructuredThreshold(DIM, K, alpha, True) for alpha in (4.0, 8.0))
    torch.nn.init.normal_(small.sites.weight)
    large.sites.load_state_dict(small.sites.state_dict())
    torch.testing.assert_close(2 * small(latents_of()), large(latents_of()))


@inferred
def test_the_untrained_rollout_is_that_of_the_scalar_policy(name):
    codes = []
    for threshold in (name, "scalar"):
        model = LearnedISTA(DIM, K, 0.2, 6, threshold=threshold)
        rows = model.to_rows(latents_of(seed=1, batch=40)).flatten(0, 2)
        model.initialize(rows, seed=0)
        codes.append(model.eval().encode(latents_of()))
    torch.testing.assert_close(*codes, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@inferred
def test_weights_of_the_penalty_rank_as_the_thresholds_whose_scale_is_free(name, scale):
    model = LearnedISTA(DIM, K, 0.2, 6, threshold=name)
    thresholds = stirred(name, 0.05)(latents_of())
    weights = model._penalty_weights(thresholds * scale)
    torch.testing.assert_close(weights, model._penalty_weights(thresholds))
    assert not weights.requires_grad
    ranked = weights.flatten()[thresholds.flatten().argsort()]
    assert (ranked.diff() >= 0).all() and ranked[0] < 0.2 < ranked[-1]


def test_weights_of_the_penalty_cannot_fade_where_codes_are():
    model = LearnedISTA(DIM, K, 0.2, 6, threshold="vector")
    rows = torch.ones(40, K)
    rows[:, 0] = 1e-9  # a threshold that training gave up
    weights = model._penalty_weights(rows)
    assert weights.min() * 2 >= weights.max() and weights.min() * 1.5 > 0.2
    torch.testing.assert_close(
        model._penalty_weights(torch.zeros(40, K)).min(), weights.min()
    )
    equal = model._penalty_weights(torch.full((40, K), 0.7))
    torch.testing.assert_close(equal, torch.full((40, K), 0.2))
