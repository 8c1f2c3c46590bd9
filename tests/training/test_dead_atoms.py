"""Atoms that nothing uses start anew while there is time, with fresh moments."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback

from sklearn_sparsevae import VQVAE, DictionaryLearningVAE
from sklearn_sparsevae.bottlenecks import DictionaryLearning
from sklearn_sparsevae.training.callbacks import DeadAtomReset

K = 60


class Recorder:
    """A bottleneck that notes the steps at which it is asked to reset atoms."""

    def __init__(self):
        self.asked, self.step = [], 0

    def reset_dead_atoms(self):
        self.asked.append(self.step)
        return {}


def steps_of_reset(n_steps, n_runs=1):
    bottleneck = Recorder()
    net = SimpleNamespace(module_=SimpleNamespace(bottleneck=bottleneck))
    callback = DeadAtomReset(n_steps)
    for _ in range(n_runs):
        callback.on_train_begin(net)
        for bottleneck.step in range(1, n_steps + 1):
            callback.on_batch_end(net, training=True)
            callback.on_batch_end(net, training=False)  # validation is no step
    return bottleneck.asked


@pytest.mark.parametrize(
    ("n_steps", "expected"),
    [
        (99, []),
        (110, []),
        (112, [100]),
        (440, [100, 200, 300]),
        (450, [100, 200, 300, 400]),
    ],
)
def test_every_hundred_steps_but_not_at_the_end(n_steps, expected):
    assert steps_of_reset(n_steps) == expected


def test_every_run_counts_for_itself():
    assert steps_of_reset(250, n_runs=2) == [100, 200, 100, 200]


def trained(optimizer, n_steps=5):
    """Bottleneck and optimizer after steps in which many atoms had no part."""
    model = DictionaryLearning(4, K, 1)
    optimizer = optimizer(model.parameter_groups(1e-2))
    for _ in range(n_steps):
        generator = torch.Generator().manual_seed(0)
        latents = torch.rand(2, 4, 3, 3, generator=generator)
        model.atoms.grad = torch.randn(model.atoms.shape, generator=generator)
        model.train()(latents)
        optimizer.step()
    return model, optimizer


def adam(groups):
    return torch.optim.Adam(groups, betas=(0.9, 0.99))


@pytest.mark.parametrize("optimizer", [adam, torch.optim.SGD])
def test_only_what_is_replaced_forgets_its_moments(optimizer):
    model, optimizer = trained(optimizer)
    state = optimizer.state.get(model.atoms, {})
    before = {name: value.clone() for name, value in state.items()}
    atoms, dead = model.atoms.detach().clone(), (model.usage == 0).nonzero().flatten()
    assert len(dead) > 3
    net = SimpleNamespace(
        module_=SimpleNamespace(bottleneck=model), optimizer_=optimizer
    )
    callback = DeadAtomReset(1000)
    callback.on_train_begin(net)
    for _ in range(100):
        callback.on_batch_end(net, training=True)
    replaced = dead[: round(0.05 * K)].tolist()
    kept = np.setdiff1d(np.arange(K), replaced)
    assert (model.atoms[replaced] != atoms[replaced]).any(1).all()
    assert torch.equal(model.atoms[kept].detach(), atoms[kept])
    assert model.atoms.requires_grad and model.atoms.is_leaf
    assert set(before) == ({"step", "exp_avg", "exp_avg_sq"} if before else set())
    for name in set(before) - {"step"}:
        assert before[name][replaced].any(1).all()
        assert not state[name][replaced].any()
        assert torch.equal(state[name][kept], before[name][kept])
    if before:
        assert torch.equal(state["step"], before["step"])


class Unuse(Callback):
    """Have nothing use the second half of the atoms from the start."""

    def on_train_begin(self, net, **kwargs):
        atoms = net.module_.bottleneck.atoms.data
        atoms[len(atoms) // 2 :] = atoms[0]  # of equals the first is taken
        self.start = atoms.clone()


@pytest.mark.parametrize(
    ("make", "params"),
    [
        (DictionaryLearningVAE, {"n_nonzero_coefs": 1}),
        (VQVAE, {"codebook_update": "gradient"}),
    ],
)
@pytest.mark.parametrize(("max_epochs", "n_reset"), [(11, 0), (12, 2), (25, 4)])
def test_a_fit_resets_unused_atoms(rng, make, params, max_epochs, n_reset):
    X, unuse = rng.standard_normal((100, 4)), Unuse()
    model = make(
        40,
        backbone="identity",
        max_epochs=max_epochs,
        batch_size=10,  # 10 steps an epoch; 2 atoms are reset at a time
        lr=1e-9,
        callbacks=[unuse],
        random_state=0,
        **params,
    ).fit(X)
    atoms = model.net_.module_.bottleneck.atoms.detach()
    moved = (atoms - unuse.start).norm(dim=1) > 1e-2
    assert moved[20:].sum() == n_reset
    assert moved[20 : 20 + n_reset].all()
