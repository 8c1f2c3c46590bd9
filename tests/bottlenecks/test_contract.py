"""Every bottleneck keeps the contract of bottlenecks/base.py.

A new bottleneck is one more entry in ``BOTTLENECKS``: variants of it by name, each a
function of ``(latent_dim, n_components)``, and an independent oracle for its codes.
"""

import functools
import inspect

import numpy as np
import pytest
import torch

from sklearn_sparsevae import bottlenecks
from sklearn_sparsevae.bottlenecks import Bottleneck, LearnedISTA
from sklearn_sparsevae.sparse import dct_dictionary, ista

DIM, K, BATCH, GRID = 6, 14, 5, (3, 2)


def lista(latent_dim, n_components, dct=False, **params):
    if dct:
        n_means = params.get("n_mean_dims", 0)
        params["dictionary"] = dct_dictionary(latent_dim, n_components - n_means)
    params = {"alpha": 0.2, "n_rollout_steps": 5} | params
    return LearnedISTA(latent_dim, n_components, **params)


def ista_codes(model, rows):
    """Codes of an untrained rollout, by the iteration that it unrolls."""
    means = rows[:, : model.n_mean_dims]
    codes = ista(
        rows[:, model.n_mean_dims :],
        model.components[model.n_mean_dims :, model.n_mean_dims :].detach(),
        model.alpha,
        len(model.momentum),
        momentum=model.momentum.requires_grad,
    )
    return torch.cat([means, codes], 1)


# class -> variants by name, oracle
BOTTLENECKS = {
    LearnedISTA: (
        {
            "default": lista,
            "plain ISTA": functools.partial(lista, momentum=False),
            "free S": functools.partial(lista, coupled=False),
            "free S, plain": functools.partial(lista, coupled=False, momentum=False),
            "DCT": functools.partial(lista, dct=True),
            "means apart": functools.partial(lista, n_mean_dims=2),
            "fixed thresholds": functools.partial(lista, learn_alpha=False),
            "L1 penalty": functools.partial(lista, penalty="l1"),
            "one step": functools.partial(lista, n_rollout_steps=1),
        },
        ista_codes,
    ),
}
VARIANTS = [
    pytest.param(make, oracle, id=f"{cls.__name__}: {name}")
    for cls, (variants, oracle) in BOTTLENECKS.items()
    for name, make in variants.items()
]


def latents_of(seed=0, batch=BATCH, grid=GRID, dim=DIM):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, dim, *grid, generator=generator)


def rows_of(latents):
    return latents.permute(0, 2, 3, 1).flatten(0, 2)


def started(make):
    """A bottleneck that started from data."""
    model = make(DIM, K).eval()
    model.initialize(rows_of(latents_of(seed=1, batch=40)), seed=0)
    return model


def trained(make, n_steps=8):
    """A bottleneck after a few steps of its own losses, at its own rates."""
    model = started(make).train()
    optimizer = torch.optim.Adam(model.parameter_groups(1e-3))
    for step in range(n_steps):
        latents = latents_of(seed=10 + step)
        out = model(latents)
        loss = sum(out["losses"].values()) + (out["latents"] - latents).pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()


@pytest.fixture(params=VARIANTS)
def make(request):
    return request.param


every_variant = pytest.mark.parametrize(("make", "oracle"), VARIANTS)
both_states = pytest.mark.parametrize("state", [started, trained])


def all_subclasses(cls):
    for sub in cls.__subclasses__():
        yield from (sub, *all_subclasses(sub))


def test_every_bottleneck_is_in_the_table():
    package = bottlenecks.__name__
    found = {c for c in all_subclasses(Bottleneck) if c.__module__.startswith(package)}
    public = [getattr(bottlenecks, name) for name in bottlenecks.__all__]
    exported = {c for c in public if inspect.isclass(c)} - {Bottleneck}
    assert found == exported == set(BOTTLENECKS)


@every_variant
@both_states
def test_shapes(make, oracle, state):
    model = state(make)
    latents = latents_of()
    out = model(latents)
    assert set(out) == {"latents", "codes", "losses"}
    assert out["latents"].shape == latents.shape
    assert out["codes"].shape == (BATCH, *GRID, K)
    assert model.components.shape == (K, DIM)
    assert out["codes"].dtype == out["latents"].dtype == torch.float32
    assert out["losses"]
    for loss in out["losses"].values():
        assert loss.shape == () and loss.isfinite()
    assert model.encode(latents_of(grid=(1, 1))).shape == (BATCH, 1, 1, K)


@every_variant
@both_states
def test_decoded_codes_are_the_latents_of_forward(make, oracle, state):
    model, latents = state(make), latents_of()
    out, codes = model(latents), model.encode(latents)
    torch.testing.assert_close(codes, out["codes"])
    torch.testing.assert_close(model.decode(codes), out["latents"])


@every_variant
@both_states
def test_the_promised_sparsity_holds(make, oracle, state):
    model = state(make)
    codes = model.encode(latents_of())
    assert model.sparsity in {"exact zeros", "n_nonzero_coefs", "one of K", "dense"}
    if model.sparsity == "exact zeros":
        share = (codes == 0).float().mean()
        assert 0.05 < share < 1


@every_variant
@both_states
def test_a_code_does_not_change_with_its_batch_mates(make, oracle, state):
    model, latents = state(make), latents_of()
    codes = model.encode(latents)
    for i in range(BATCH):
        torch.testing.assert_close(model.encode(latents[i : i + 1])[0], codes[i])
    others = latents.clone()
    others[1:] = 1000 * latents_of(seed=9)[1:]
    torch.testing.assert_close(model.encode(others)[0], codes[0])
    torch.testing.assert_close(model.encode(latents.flip(0)).flip(0), codes)


@every_variant
@both_states
def test_gradients_reach_the_encoder_and_everything_that_learns(make, oracle, state):
    model = state(make).train()
    latents = latents_of().requires_grad_()
    out = model(latents)
    # An arbitrary target: the gradient of its own reconstruction may vanish.
    target = latents_of(seed=3)
    loss = (out["latents"] - target).pow(2).sum() + sum(out["losses"].values())
    loss.backward()
    assert latents.grad.isfinite().all()
    assert (latents.grad.flatten(1).norm(dim=1) > 0).all()
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            assert parameter.grad is None, name
        elif parameter.grad is None:
            assert name in {"momentum", "inhibition"}, name
        else:
            assert parameter.grad.isfinite().all(), name
            single = len(parameter) == 1 or len(getattr(model, "momentum", ())) == 1
            assert parameter.grad.any() or (
                single and name in {"momentum", "inhibition"}
            )


@every_variant
@both_states
def test_zero_latents_are_nothing_special(make, oracle, state):
    model = state(make)
    latents = latents_of()
    latents[0] = 0
    latents.requires_grad_()
    out = model(latents)
    assert not out["codes"][0].any()
    assert not out["latents"][0].any()
    sum(out["losses"].values()).backward()
    assert latents.grad.isfinite().all()


@every_variant
def test_started_from_poor_data_nothing_is_nan(make, oracle):
    for rows in (torch.zeros(30, DIM), torch.ones(30, DIM), torch.ones(1, DIM)):
        model = make(DIM, K)
        model.initialize(rows, seed=0)
        out = model(latents_of())
        assert out["codes"].isfinite().all() and out["latents"].isfinite().all()
        assert model.components.isfinite().all()


@every_variant
def test_duplicate_atoms_are_fine(make, oracle):
    model = started(make)
    with torch.no_grad():
        model.atoms[1] = model.atoms[0]
        model.atoms[2] = -model.atoms[0]
    model._start_as_ista()
    latents = latents_of().requires_grad_()
    out = model(latents)
    out["latents"].pow(2).sum().backward()
    assert out["codes"].isfinite().all()
    assert latents.grad.isfinite().all()
    assert all(
        p.grad.isfinite().all() for p in model.parameters() if p.grad is not None
    )


@every_variant
def test_every_scale_of_latents_is_finite(make, oracle):
    model = trained(make)
    for scale in (1e-12, 1e-3, 1e3, 1e6):
        latents = (scale * latents_of()).requires_grad_()
        out = model(latents)
        (out["latents"] / scale).pow(2).sum().backward()
        assert out["codes"].isfinite().all() and out["latents"].isfinite().all()
        assert latents.grad.isfinite().all()


@every_variant
@both_states
def test_eval_mode_repeats_itself(make, oracle, state):
    model, latents = state(make), latents_of()
    assert torch.equal(model.encode(latents), model.encode(latents))
    assert torch.equal(model(latents)["latents"], model(latents)["latents"])


@every_variant
def test_state_dict_holds_everything(make, oracle):
    model, latents = trained(make), latents_of()
    other = make(DIM, K).eval()
    other.load_state_dict(model.state_dict())
    assert torch.equal(other.encode(latents), model.encode(latents))
    assert torch.equal(other.components, model.components)


@every_variant
def test_initialize_follows_its_seed_alone(make, oracle):
    rows = rows_of(latents_of(seed=1, batch=40))
    state = torch.get_rng_state()
    found = []
    for _ in range(2):
        model = make(DIM, K)
        model.initialize(rows, seed=3)
        found.append(model.components)
    assert torch.equal(*found)
    assert torch.equal(state, torch.get_rng_state())


@every_variant
@both_states
def test_components_are_unit_atoms(make, oracle, state):
    norms = state(make).components.norm(dim=1)
    torch.testing.assert_close(norms, torch.ones(K))


@every_variant
def test_every_parameter_is_in_one_group(make, oracle):
    model = make(DIM, K)
    grouped = [id(p) for group in model.parameter_groups(0.1) for p in group["params"]]
    assert len(grouped) == len(set(grouped))
    assert set(grouped) == {id(p) for p in model.parameters()}
    assert all(group["lr"] > 0 for group in model.parameter_groups(0.1))


@every_variant
def test_training_lowers_its_losses(make, oracle):
    latents = latents_of(seed=77, batch=40)
    before, after = (
        sum(state(make)(latents)["losses"].values()).item()
        for state in (started, functools.partial(trained, n_steps=40))
    )
    assert after < before


@every_variant
def test_untrained_codes_are_those_of_an_independent_computation(make, oracle):
    model, latents = started(make), latents_of()
    expected = oracle(model, rows_of(latents)).unflatten(0, (BATCH, *GRID))
    codes = model.encode(latents)
    assert (codes - expected).norm() <= 1e-5 * expected.norm()
    decoded = np.einsum("bhwk,kn->bnhw", codes.detach(), model.components.detach())
    np.testing.assert_allclose(model.decode(codes).detach(), decoded, atol=1e-5)
