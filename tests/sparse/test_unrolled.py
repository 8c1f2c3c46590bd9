"""The fused rollout and its hand-written backward pass against autograd."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from sklearn_sparsevae.sparse import _rollout as module
from sklearn_sparsevae.sparse import fista_momentum, soft_threshold, unrolled_ista

N, K, STEPS = 7, 9, 4
# How S and the filters hang together, and the length of signals: coupled by two thin
# products, coupled by one of K x K, or not.
DIM = {"thin": 4, "square": 5, None: 5}


def plain_rollout(
    x, filters, dictionary, thresholds, momentum, gains, factors, inhibition
):
    """SC-VAE's Eq. 2 step by step, with nothing fused."""
    g = filters @ dictionary.mT if inhibition is None else inhibition
    z = z_before = x.new_zeros(len(x), len(filters))
    for t in range(len(momentum)):
        y = z + momentum[t] * (z - z_before) if t else z
        u = y + gains[t] * (x @ filters.mT - y @ g.mT)
        z_before, z = z, soft_threshold_of(u, gains[t] * factors[t] * thresholds)
    return z


def soft_threshold_of(u, theta):
    return torch.sign(u) * torch.relu(u.abs() - theta)


@pytest.fixture(params=[3, 1024], ids=["many chunks", "one chunk"], autouse=True)
def chunk(request, monkeypatch):
    monkeypatch.setattr(module, "_CHUNK", request.param)


def inputs(coupled, momentum, per_signal, seed=0):
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    atoms = torch.nn.functional.normalize(normal(K, DIM[coupled]), dim=1)
    scale = torch.linalg.matrix_norm(atoms, 2) ** 2
    thresholds = 0.4 + 0.1 * normal(*((N, K) if per_signal else (K,))).abs()
    values = {
        "x": normal(N, DIM[coupled]),
        "filters": (atoms + 0.1 * normal(*atoms.shape)) / scale,
        "dictionary": atoms,
        "thresholds": thresholds / scale,
        "momentum": fista_momentum(STEPS, momentum).double(),
        "gains": 1 + 0.1 * normal(STEPS),
        "factors": 1 + 0.1 * normal(STEPS).abs(),
        "inhibition": None if coupled else (atoms @ atoms.mT) / scale,
    }
    if momentum:
        values["momentum"] += 0.05
    return {
        k: v if v is None else v.clone().requires_grad_() for k, v in values.items()
    }


def run(v):
    return unrolled_ista(
        v["x"],
        v["filters"],
        v["dictionary"],
        v["thresholds"],
        momentum=v["momentum"],
        gains=v["gains"],
        threshold_gains=v["factors"],
        inhibition=v["inhibition"],
    )


every_variant = pytest.mark.parametrize(
    ("coupled", "momentum", "per_signal"),
    [(c, m, p) for c in DIM for m in (True, False) for p in (True, False)],
)


@every_variant
def test_forward_and_backward_equal_plain_autograd(coupled, momentum, per_signal):
    values = inputs(coupled, momentum, per_signal)
    fused, plain = run(values), plain_rollout(**values)
    torch.testing.assert_close(fused, plain, rtol=1e-10, atol=1e-12)
    assert 0.1 < (fused == 0).double().mean() < 0.9
    wanted = {k: v for k, v in values.items() if v is not None}
    weights = torch.linspace(-1, 2, N * K, dtype=torch.float64).reshape(N, K)
    results = [
        torch.autograd.grad(
            (weights * codes + codes**2).sum(), list(wanted.values()), allow_unused=True
        )
        for codes in (fused, plain)
    ]
    for name, ours, theirs in zip(wanted, *results, strict=True):
        if theirs is None or (name == "momentum" and not momentum):
            continue
        if name == "momentum":
            ours, theirs = ours[1:], theirs[1:]  # the first is not used
        if ours is None:
            assert not theirs.any(), name
            continue
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-11, msg=name)


@every_variant
def test_scalars_that_are_not_learned_change_no_other_gradient(
    coupled, momentum, per_signal
):
    values = inputs(coupled, momentum, per_signal)
    wanted = [values[k] for k in ("x", "filters", "thresholds")]
    everything = torch.autograd.grad(run(values).square().sum(), wanted)
    for name in ("momentum", "gains", "factors"):
        values[name] = values[name].detach()
    torch.testing.assert_close(
        torch.autograd.grad(run(values).square().sum(), wanted), everything
    )


@every_variant
def test_gradients_pass_gradcheck(coupled, momentum, per_signal):
    values = inputs(coupled, momentum, per_signal, seed=1)
    names = [k for k, v in values.items() if v is not None and v.requires_grad]

    def codes_of(*tensors):
        return run(values | dict(zip(names, tensors, strict=True)))

    assert torch.autograd.gradcheck(codes_of, [values[n] for n in names], eps=1e-7)


def test_momentum_gradient_where_the_start_has_none():
    """The extrapolation of plain ISTA is a parameter too, and zero is its start."""
    values = inputs("thin", False, False)
    (ours,) = torch.autograd.grad(run(values).sum(), values["momentum"])
    (theirs,) = torch.autograd.grad(plain_rollout(**values).sum(), values["momentum"])
    torch.testing.assert_close(ours[1:], theirs[1:], rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("n_steps", [1, 2, 3, 4, 7])
def test_without_gradients_the_codes_are_the_same(n_steps):
    values = inputs("thin", True, False)
    for name in ("momentum", "gains", "factors"):
        values[name] = torch.full((n_steps,), 0.8, dtype=torch.float64).requires_grad_()
    with torch.no_grad():
        frugal = run(values)
    assert torch.equal(frugal, run(values))


def test_defaults_are_gains_of_one():
    v = inputs("thin", True, False)
    arguments = [v[k] for k in ("x", "filters", "dictionary", "thresholds")]
    ones = torch.ones(STEPS, dtype=torch.float64)
    codes = unrolled_ista(*arguments, momentum=v["momentum"])
    expected = run(v | {"gains": ones, "factors": ones})
    assert torch.equal(codes, expected)


def test_rows_do_not_depend_on_one_another():
    v = inputs("thin", True, False)
    alone = torch.cat([run(v | {"x": v["x"][i : i + 1]}) for i in range(N)])
    torch.testing.assert_close(alone, run(v), rtol=1e-10, atol=1e-12)


def test_no_signals_give_no_codes():
    v = inputs("thin", True, False)
    x = torch.zeros(0, DIM["thin"], dtype=torch.float64, requires_grad=True)
    codes = run(v | {"x": x})
    assert codes.shape == (0, K)
    codes.sum().backward()
    assert not v["filters"].grad.any()


def test_soft_threshold_is_the_one_of_the_rollout():
    u = torch.linspace(-2, 2, 41, dtype=torch.float64)
    theta = torch.tensor(0.5, dtype=torch.float64)
    torch.testing.assert_close(soft_threshold(u, theta), soft_threshold_of(u, theta))


class Largest(TorchDispatchMode):
    """Notes the number of entries of the largest tensor that was made."""

    n_entries = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor):
            self.n_entries = max(self.n_entries, result.numel())
        return result


def many_steps(v, n_steps=40):
    """Run with that many steps of plain ISTA."""
    arguments = [v[k] for k in ("x", "filters", "dictionary", "thresholds")]
    return unrolled_ista(*arguments, momentum=torch.zeros(n_steps).double())


@pytest.mark.parametrize("learned", [True, False])
def test_no_step_is_kept_where_no_gradient_is_asked_for(learned):
    v = inputs("thin", False, False)
    if not learned:
        v = {k: t.detach() for k, t in v.items() if t is not None}
    with torch.set_grad_enabled(not learned), Largest() as largest:
        many_steps(v)
    assert largest.n_entries <= 5 * N * K


@every_variant
def test_backward_keeps_one_tensor_of_codes_for_each_step(
    coupled, momentum, per_signal
):
    v = inputs(coupled, momentum, per_signal)
    given = {t.data_ptr() for t in v.values() if t is not None}
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda t: kept.append(t) or t, lambda t: t
    ):
        run(v)
    own = [t for t in kept if t.numel() > STEPS and t.data_ptr() not in given]
    own = [t for t in own if t.shape != (K, K)]  # S, of which there is one
    assert sum(t.numel() for t in own) == STEPS * N * K
