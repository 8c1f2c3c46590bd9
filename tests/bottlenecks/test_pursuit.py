"""What only the learned pursuit promises."""

import pytest
import torch

from sklearn_sparsevae.bottlenecks import LearnedPursuit

DIM, K = 8, 30


def latents_of(seed=0, batch=30):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, DIM, 2, 2, generator=generator)


def started(**params):
    model = LearnedPursuit(DIM, K, **({"alpha": 0.5, "n_rollout_steps": 6} | params))
    rows = model.to_rows(latents_of(seed=1, batch=60)).flatten(0, 2)
    model.initialize(rows, seed=0)
    return model


def used(model, latents):
    return (model.eval().encode(latents).indices >= 0).sum().item()


def test_losses_are_those_of_the_equation_with_l0():
    model, latents = started().eval(), latents_of()
    out = model(latents)
    n_sites = latents.shape[0] * 4
    latent = 0.5 * (latents - out["latents"]).pow(2).sum() / n_sites
    torch.testing.assert_close(out["losses"]["latent"], latent)
    sparsity = torch.tensor(0.5**2 * used(model, latents) / n_sites)
    torch.testing.assert_close(out["losses"]["sparsity"], sparsity)


@pytest.mark.parametrize("threshold", ["atom", "vector", "structured"])
@pytest.mark.parametrize(("start", "sign"), [(0.25, 1), (1.0, -1)])
def test_thresholds_go_where_an_atom_is_just_worth_its_place(threshold, start, sign):
    """Alone, without pixels, that is alpha: from below they rise, from above fall."""
    model = started(threshold=threshold).train()
    latents = latents_of()
    with torch.no_grad():
        model.thresholds.raw.fill_(torch.tensor(start).expm1().log())
    out = model(latents)
    sum(out["losses"].values()).backward()
    assert (-sign * model.thresholds.raw.grad).sum() > 0


@pytest.mark.parametrize("threshold", ["atom", "vector", "structured"])
def test_a_higher_threshold_takes_fewer_atoms(threshold):
    model, latents = started(threshold=threshold), latents_of()
    counts = []
    for value in (0.05, 0.5, 1.0, 5.0):
        with torch.no_grad():
            model.thresholds.raw.fill_(torch.tensor(value).expm1().log())
        counts.append(used(model, latents))
    assert counts == sorted(counts, reverse=True) and counts[0] > counts[-1]


def test_an_atom_whose_threshold_rises_is_taken_less():
    model, latents = started(threshold="atom"), latents_of()
    before = (model.eval().encode(latents).indices == 3).sum()
    with torch.no_grad():
        model.thresholds.raw[3] = 10
    assert before > 0 == (model.encode(latents).indices == 3).sum()


def test_gradients_reach_latents_through_the_coefficients():
    model, latents = started().train(), latents_of().requires_grad_()
    out = model(latents)
    out["latents"].square().sum().backward()
    # The projection onto the atoms taken: its own derivative.
    torch.testing.assert_close(
        latents.grad, 2 * out["latents"].detach(), rtol=1e-3, atol=1e-3
    )
