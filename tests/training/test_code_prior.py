"""The network is a probability distribution of tokens, and draws from it."""

import itertools

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from sklearn_sparsevae.training import (
    CodeSpace,
    CodeTransformer,
    RunSettings,
    draw_tokens,
    log_likelihood,
    train_prior,
)

#: Small enough to write down all that can come: 19 * 19 codes, and 6 * 6.
SPACES = {
    "coefficients": CodeSpace((1, 2), n_atoms=3, n_bins=2, n_slots=2, counts=False),
    "counts": CodeSpace((2, 1), n_atoms=3, n_bins=1, n_slots=2, counts=True),
}


def every_site(space):
    """All pairs of slots that a site can have, written down naively."""
    end = [(space.n_atoms, 0)]
    pairs = list(itertools.product(range(space.n_atoms), range(space.n_bins)))
    for first, second in itertools.product(pairs + end, repeat=2):
        if space.counts:
            allowed = first[0] <= second[0] < space.n_atoms
        else:
            allowed = first[0] < second[0] or first[0] == second[0] == space.n_atoms
        if allowed:
            yield first, second


def every_code(space):
    return np.array(list(itertools.product(every_site(space), repeat=space.n_sites)))


@pytest.fixture(params=SPACES.values(), ids=SPACES)
def space(request):
    return request.param


def build(space, width=16, **params):
    """Make a network that is far from uniform."""
    torch.manual_seed(0)
    defaults = {"n_layers": 2, "n_heads": 2, "dropout": 0.5}
    module = CodeTransformer(space, width, **(defaults | params)).eval()
    with torch.no_grad():
        module.atom_logits.weight *= 4
        module.bin_logits.weight *= 4
    return module


@pytest.fixture(autouse=True)
def seeds_of_others():
    state = torch.get_rng_state()
    yield
    torch.set_rng_state(state)


def test_probabilities_of_all_codes_add_up_to_one(space):
    probability = np.exp(log_likelihood(build(space), every_code(space), "cpu"))
    assert probability.sum() == pytest.approx(1, abs=1e-9)
    assert probability.max() > 3 * probability.mean()


def test_draws_come_as_often_as_they_are_likely(space):
    module, codes = build(space), every_code(space)
    draws = draw_tokens(module, 40_000, "cpu", seed=1)
    number = {code.tobytes(): i for i, code in enumerate(codes)}
    drawn = np.bincount([number[d.tobytes()] for d in draws], minlength=len(codes))
    expected = len(draws) * np.exp(log_likelihood(module, codes, "cpu"))
    often = expected > 5
    drawn = np.append(drawn[often], drawn[~often].sum())
    expected = np.append(expected[often], expected[~often].sum())
    assert chisquare(drawn, expected, sum_check=False).pvalue > 1e-3


def test_what_comes_later_does_not_change_what_came_before(rng):
    space = CodeSpace((3, 4), n_atoms=5, n_bins=3, n_slots=4, counts=False)
    module = build(space)
    tokens = draw_tokens(module, 2, "cpu", seed=0)
    first, other = torch.from_numpy(tokens)
    for i in range(space.n_sites):
        mixed = torch.cat([first[:i], other[i:]])
        with torch.no_grad():
            alone, changed = module(first[None])[0], module(mixed[None])[0]
        torch.testing.assert_close(alone[:i], changed[:i])
    assert not torch.allclose(alone[1:], module(other[None])[0, 1:])


def test_a_likelihood_does_not_depend_on_batch_mates(rng, monkeypatch):
    space = CodeSpace((3, 4), n_atoms=5, n_bins=3, n_slots=4, counts=False)
    module = build(space)
    tokens = draw_tokens(module, 9, "cpu", seed=0)
    values = log_likelihood(module, tokens, "cpu")
    order = rng.permutation(9)
    monkeypatch.setattr("sklearn_sparsevae.training.code_prior.BATCH_ENTRIES", 700)
    shuffled = log_likelihood(module, tokens[order], "cpu")
    np.testing.assert_allclose(shuffled, values[order], rtol=1e-12)


def test_after_the_end_of_a_site_nothing_can_come(space):
    if space.counts:
        return
    after_end = space.legal(torch.tensor([space.n_atoms]))[0]
    assert after_end.tolist() == [False] * space.n_atoms + [True]


def test_training_finds_the_distribution(rng):
    """Two equally likely codes: the likelihood is theirs, a bit for each image."""
    space = SPACES["coefficients"]
    two = every_code(space)[[37, 200]]
    tokens = two[rng.integers(0, 2, 256)]
    settings = RunSettings(max_epochs=12, batch_size=32, lr=0.01, device="cpu")
    net = train_prior(
        lambda: CodeTransformer(space, 16, 1, 2, 0.0), tokens, None, settings, seed=0
    )
    values = log_likelihood(net.module_, two, "cpu")
    np.testing.assert_allclose(np.exp(values), 0.5, atol=0.1)
