"""What is written in few bytes is read again, whatever the tokens."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_sparsevae.training import (
    CodeSpace,
    CodeTransformer,
    decode_tokens,
    draw_tokens,
    encode_tokens,
    log_likelihood,
)


def build(space, scale=4.0, seed=0):
    """A network that is the farther from uniform, the larger the scale."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = CodeTransformer(space, 8, n_layers=1, n_heads=2, dropout=0.5)
    with torch.no_grad():
        module.atom_logits.weight *= scale
        module.bin_logits.weight *= scale
    return module


@st.composite
def spaces(draw):
    counts = draw(st.booleans())
    return CodeSpace(
        grid_shape=(draw(st.integers(1, 3)), draw(st.integers(1, 2))),
        n_atoms=draw(st.integers(1, 6)),
        n_bins=1 if counts else draw(st.integers(1, 5)),
        n_slots=draw(st.integers(1, 4)),
        counts=counts,
    )


def random_tokens(space, n_images, rng):
    """Any tokens that there can be, likely or not."""
    tokens = np.zeros((n_images, space.n_sites, space.n_slots, 2), np.int64)
    tokens[..., 0] = space.n_atoms
    for site in tokens.reshape(-1, space.n_slots, 2):
        if space.counts:
            site[:, 0] = np.sort(rng.integers(0, space.n_atoms, space.n_slots))
            continue
        n_kept = rng.integers(0, min(space.n_slots, space.n_atoms) + 1)
        site[:n_kept, 0] = np.sort(rng.permutation(space.n_atoms)[:n_kept])
        site[:n_kept, 1] = rng.integers(0, space.n_bins, n_kept)
    return tokens


@settings(max_examples=40)
@given(
    space=spaces(),
    n_images=st.integers(1, 5),
    scale=st.sampled_from([0.0, 4.0, 1000.0]),
    seed=st.integers(0, 99),
)
def test_any_tokens_survive_the_round_trip(space, n_images, scale, seed):
    """Also those that a prior takes to be next to impossible."""
    tokens = random_tokens(space, n_images, np.random.default_rng(seed))
    module = build(space, scale)
    content = encode_tokens(module, tokens, "cpu")
    back = decode_tokens(module, content, n_images, "cpu")
    np.testing.assert_array_equal(back, tokens)


LARGE = CodeSpace((4, 4), n_atoms=300, n_bins=16, n_slots=3, counts=False)


@pytest.mark.parametrize("counts", [False, True])
def test_the_size_is_what_the_likelihood_says(counts):
    space = LARGE
    if counts:
        space = CodeSpace((4, 4), n_atoms=300, n_bins=1, n_slots=3, counts=True)
    module = build(space)
    tokens = draw_tokens(module, 60, "cpu", seed=0)
    n_bits = 8 * len(encode_tokens(module, tokens, "cpu"))
    predicted = -log_likelihood(module, tokens, "cpu").sum() / np.log(2)
    assert predicted - 1 < n_bits < 1.001 * predicted + 64


def test_what_can_only_be_one_costs_nothing():
    """One atom that every site counts; an end where no atom is left."""
    full = CodeSpace((8, 8), n_atoms=1, n_bins=1, n_slots=3, counts=True)
    tokens = np.zeros((50, 64, 3, 2), np.int64)
    assert len(encode_tokens(build(full), tokens, "cpu")) <= 8
    last = CodeSpace((8, 8), n_atoms=3, n_bins=1, n_slots=2, counts=False)
    module, tokens = build(last), np.zeros((50, 64, 2, 2), np.int64)
    tokens[..., 0] = 2, 3
    predicted = -log_likelihood(module, tokens, "cpu").sum() / np.log(2)
    alone = CodeSpace((8, 8), n_atoms=3, n_bins=1, n_slots=1, counts=False)
    first = build(alone)
    first.load_state_dict(module.state_dict() | {"slots": module.slots[:1]})
    with_end = encode_tokens(module, tokens, "cpu")
    without = encode_tokens(first, tokens[:, :, :1], "cpu")
    assert abs(8 * len(with_end) - predicted) < 64
    assert abs(len(with_end) - len(without)) <= 4


def test_the_last_digits_do_not_matter(monkeypatch):
    """Written on one machine, read on another, whose sums round differently."""
    module = build(LARGE)
    tokens = draw_tokens(module, 20, "cpu", seed=0)
    content = encode_tokens(module, tokens, "cpu")
    noise = torch.Generator().manual_seed(0)
    precise = CodeTransformer._log_atoms

    def otherwise(self, hidden, previous):
        like = precise(self, hidden, previous)
        return like + 1e-13 * torch.randn(like.shape, generator=noise).to(like)

    monkeypatch.setattr(CodeTransformer, "_log_atoms", otherwise)
    back = decode_tokens(module, content, 20, "cpu")
    np.testing.assert_array_equal(back, tokens)


def test_batches_of_few_images_can_be_read(monkeypatch):
    module = build(LARGE)
    tokens = draw_tokens(module, 7, "cpu", seed=0)
    whole = encode_tokens(module, tokens, "cpu")
    path = "sklearn_sparsevae.training.range_coding.BATCH_ENTRIES"
    monkeypatch.setattr(path, 2 * 16 * 8 * 3)  # three images
    content = encode_tokens(module, tokens, "cpu")
    assert content != whole
    np.testing.assert_array_equal(decode_tokens(module, content, 7, "cpu"), tokens)


def test_encoding_leaves_the_module_and_the_generators(rng):
    module = build(LARGE).train()
    before = {k: v.clone() for k, v in module.state_dict().items()}
    state, tokens = torch.get_rng_state(), random_tokens(LARGE, 3, rng)
    content = encode_tokens(module, tokens, "cpu")
    decode_tokens(module, content, 3, "cpu")
    assert module.training and module.slots.dtype == torch.float32
    assert all(torch.equal(v, before[k]) for k, v in module.state_dict().items())
    assert torch.equal(state, torch.get_rng_state())
