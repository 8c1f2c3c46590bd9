"""Draws from generators of our own: they repeat, and leave no trace."""

import threading

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from sklearn_sparsevae.training.seeds import OwnGenerator

DRAWS = {
    "rand": lambda: torch.rand(4),
    "randn": lambda: torch.randn(2, 3),
    "randint": lambda: torch.randint(1000, (5,)),
    "randperm": lambda: torch.randperm(50),
    "rand_like": lambda: torch.rand_like(torch.zeros(4, dtype=torch.float64)),
    "randn_like": lambda: torch.randn_like(torch.zeros(2, 2), dtype=torch.float64),
    "normal": lambda: torch.normal(torch.zeros(4), 1.0),
    "bernoulli": lambda: torch.bernoulli(torch.full((50,), 0.5)),
    "multinomial": lambda: torch.multinomial(torch.ones(99), 20),
    "uniform_": lambda: torch.empty(4).uniform_(),
    "normal_": lambda: torch.empty(4).normal_(),
    "linear": lambda: nn.Linear(3, 4).weight.detach(),
    "convolution": lambda: nn.Conv2d(3, 4, 3).bias.detach(),
    "attention": lambda: nn.MultiheadAttention(4, 2).in_proj_weight.detach(),
    "embedding": lambda: nn.Embedding(5, 3).weight.detach(),
    "xavier": lambda: nn.init.xavier_normal_(torch.empty(4, 4)),
    "orthogonal": lambda: nn.init.orthogonal_(torch.empty(4, 4)),
    "truncated": lambda: nn.init.trunc_normal_(torch.empty(9)),
    "dropout": lambda: F.dropout(torch.ones(60)),
    "dropout layer": lambda: nn.Dropout(0.3)(torch.ones(60)),
    "gamma": lambda: torch.distributions.Gamma(torch.ones(4), 1.0).sample(),
    "loader": lambda: torch.cat(list(DataLoader(torch.arange(60), 7, shuffle=True))),
    "low rank": lambda: torch.svd_lowrank(torch.eye(9) + 1, 3)[0],
}
every_draw = pytest.mark.parametrize("name", DRAWS)


@every_draw
def test_a_seed_repeats_itself_and_leaves_the_global_generator_alone(name):
    draw, state = DRAWS[name], torch.get_rng_state()
    with OwnGenerator(3):
        first, second = draw(), draw()
    torch.rand(7)
    with OwnGenerator(3):
        assert torch.equal(first, draw())
        assert name == "low rank" or not torch.equal(first, draw())
    with OwnGenerator(4):
        other = draw()
    assert name == "low rank" or not torch.equal(first, other)
    assert second.shape == first.shape
    torch.set_rng_state(state)
    with OwnGenerator(3):
        draw()
    assert torch.equal(state, torch.get_rng_state())


def test_blocks_are_nested():
    with OwnGenerator(1):
        expected = torch.rand(2), torch.rand(2)
    with OwnGenerator(1):
        first = torch.rand(2)
        with OwnGenerator(9):
            torch.rand(5)
        second = torch.rand(2)
    assert torch.equal(expected[0], first) and torch.equal(expected[1], second)


def test_threads_do_not_disturb_one_another():
    results = {}

    def work(seed):
        with OwnGenerator(seed):
            results[seed] = torch.cat([torch.rand(100) for _ in range(200)])

    threads = [threading.Thread(target=work, args=(seed,)) for seed in (0, 1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed, result in results.items():
        work(seed)
        assert torch.equal(results[seed], result)


def test_a_generator_that_is_given_is_used():
    own = torch.Generator().manual_seed(5)
    expected = torch.rand(3, generator=own)
    with OwnGenerator(0):
        assert torch.equal(
            torch.rand(3, generator=torch.Generator().manual_seed(5)), expected
        )


def test_dropout_keeps_the_expected_share_and_its_mean():
    with OwnGenerator(0):
        dropped = F.dropout(torch.ones(100_000), 0.3)
        layer = nn.Dropout(0.3).eval()
        assert torch.equal(layer(torch.ones(5)), torch.ones(5))
    assert abs((dropped == 0).float().mean() - 0.3) < 0.01
    assert abs(dropped.mean() - 1) < 0.01


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_each_device_has_a_generator():
    state = torch.cuda.get_rng_state()
    with OwnGenerator(0):
        first = torch.rand(4, device="cuda")
    with OwnGenerator(0):
        assert torch.equal(first, torch.rand(4, device="cuda"))
    assert torch.equal(state, torch.cuda.get_rng_state())
