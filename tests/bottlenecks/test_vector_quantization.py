"""What only vector quantisation promises."""

import numpy as np
import pytest
import torch

from sklearn_sparsevae.bottlenecks import VectorQuantization
from sklearn_sparsevae.bottlenecks.vector_quantization import rotate_to

DIM, K = 6, 40


def latents_of(seed=0, batch=8, grid=(4, 2), dim=DIM):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, dim, *grid, generator=generator)


def rows_of(latents):
    return latents.permute(0, 2, 3, 1).flatten(0, 2)


def started(**params):
    model = VectorQuantization(DIM, K, **params)
    model.initialize(rows_of(latents_of(seed=1, batch=40)), seed=0)
    return model


# ---- codes --------------------------------------------------------------------------


def test_a_latent_that_is_a_code_is_that_code():
    model = started()
    codes = model.encode(model.atoms.detach()[:, :, None, None])
    assert codes.indices.flatten().tolist() == list(range(K))


def test_levels_code_what_the_levels_before_left():
    three, latents = started(n_quantizers=3), latents_of()
    one = VectorQuantization(DIM, K)
    one.load_state_dict(three.state_dict())
    indices, left = three.encode(latents).indices, latents
    for level in range(3):
        codes = one.encode(left)
        assert torch.equal(codes.indices[..., 0], indices[..., level])
        left = left - one.decode(codes)
    torch.testing.assert_close(three.decode(three.encode(latents)), latents - left)


def test_another_level_leaves_more_only_where_no_code_fits_what_is_left():
    """A level must add some code, so what is left may grow, but never past this."""
    model, latents = started().eval(), latents_of()
    rows = rows_of(latents)
    left = [rows]
    for _ in range(5):
        codes = model.encode(left[-1].T[None, :, None])
        decoded = rows_of(model.decode(codes).detach())
        left.append(left[-1] - decoded)
    smallest = model.atoms.detach().norm(dim=1).min()
    for before, after in zip(left, left[1:], strict=False):
        growth = after.norm(dim=1) - before.norm(dim=1)
        assert (growth <= smallest + 1e-5).all()
    # With a code of zero it never grows.
    with torch.no_grad():
        model.atoms[0] = 0
    rests = []
    for n_quantizers in range(1, 6):
        model.n_quantizers = n_quantizers
        rests.append((model(latents)["latents"] - latents).pow(2).sum(1).detach())
    for before, after in zip(rests, rests[1:], strict=False):
        assert (after <= before + 1e-5).all()


@pytest.mark.parametrize("n_components", [1, 2, 7])
def test_any_number_of_levels_shares_any_number_of_codes(n_components):
    latents = latents_of()
    model = VectorQuantization(DIM, n_components, n_quantizers=4)
    model.initialize(rows_of(latents), seed=0)
    out = model(latents)
    assert out["latents"].isfinite().all()
    assert out["codes"].indices.max() < n_components


def test_a_trained_start_leaves_less_with_more_codes_and_levels():
    latents = latents_of(seed=1, batch=60)

    def left(n_components, n_quantizers):
        model = VectorQuantization(DIM, n_components, n_quantizers).eval()
        model.initialize(rows_of(latents), seed=0)
        return (model(latents)["latents"] - latents).pow(2).mean().item()

    assert left(8, 1) > left(32, 1) > left(128, 1)
    assert left(32, 1) > left(64, 2) > left(96, 3)


# ---- moving averages ----------------------------------------------------------------


def moving_averages(codebook, batches, decay, n_levels):
    """Van den Oord et al., appendix A.1, with smoothed counts, in double precision."""
    codebook = codebook.copy()
    counts, sums = np.ones(len(codebook)), codebook.copy()
    for rows in batches:
        n, m, left = np.zeros_like(counts), np.zeros_like(sums), rows.copy()
        for _ in range(n_levels):
            nearest = ((left[:, None] - codebook) ** 2).sum(2).argmin(1)
            np.add.at(n, nearest, 1)
            np.add.at(m, nearest, left)
            left = left - codebook[nearest]
        counts = decay * counts + (1 - decay) * n
        sums = decay * sums + (1 - decay) * m
        total = counts.sum()
        smooth = (counts + 1e-5) / (total + len(counts) * 1e-5) * total
        codebook = sums / smooth[:, None]
    return counts, sums, codebook


@pytest.mark.parametrize("n_quantizers", [1, 3])
@pytest.mark.parametrize("decay", [0.0, 0.8, 0.99])
def test_codes_follow_the_averages_of_what_they_stand_for(n_quantizers, decay):
    model = started(
        n_quantizers=n_quantizers, decay=decay, codebook_update="ema"
    ).train()
    assert torch.equal(model.counts, torch.ones(K))
    assert torch.equal(model.sums, model.atoms)
    start = model.atoms.double().numpy()
    batches = [latents_of(seed=30 + step, batch=200) for step in range(4)]
    for latents in batches:
        model(latents)
    counts, sums, codebook = moving_averages(
        start, [rows_of(b).double().numpy() for b in batches], decay, n_quantizers
    )
    # What is counted is the latents themselves: the smoothing is of a copy.
    np.testing.assert_allclose(model.counts.numpy(), counts, rtol=1e-5)
    np.testing.assert_allclose(model.sums.numpy(), sums, atol=1e-3)
    np.testing.assert_allclose(model.atoms.numpy(), codebook, atol=1e-4)


@pytest.mark.parametrize("from_data", [True, False])
def test_the_codebook_does_not_collapse(from_data):
    """Counts of 1 and sums of the codes: with counts of 0 one code is left by step 10.

    On the same data, so that nothing but the start of the averages decides.
    """
    dim, used = 16, {}
    model = VectorQuantization(dim, 128, codebook_update="ema").train()
    if from_data:
        model.initialize(rows_of(latents_of(seed=1, batch=128, dim=dim)), seed=0)
    for step in range(1, 101):
        latents = latents_of(seed=100 + step, batch=128, dim=dim)
        codes = model(latents)["codes"]
        used[step] = len(codes.indices.unique())
    assert min(used[1], used[10], used[100]) >= 100


def test_codes_that_nothing_is_near_stay_finite_where_they_are():
    model = started(codebook_update="ema").train()
    before = model.atoms.clone()
    latents = 1e-3 * latents_of(batch=1, grid=(1, 1)).expand(8, -1, 4, 2)
    for _ in range(400):
        model(latents)
    assert model.atoms.isfinite().all()
    idle = model.usage == 0
    assert idle.sum() >= K - 2
    torch.testing.assert_close(model.atoms[idle], before[idle], rtol=1e-2, atol=0)


@pytest.mark.parametrize("n_quantizers", [1, 2])
def test_the_averages_of_reset_codes_start_anew(n_quantizers):
    model = started(n_quantizers=n_quantizers, codebook_update="ema").train()
    for seed in range(5):
        model(latents_of(seed=seed, batch=40))
    model.usage[:2] = 0
    model.usage[2:] += 1
    before = model.counts.clone(), model.sums.clone()
    assert model.reset_dead_atoms()[model.atoms].tolist() == [0, 1]
    assert torch.equal(model.counts[:2], torch.ones(2))
    assert torch.equal(model.sums[:2], model.atoms[:2])
    assert torch.equal(model.counts[2:], before[0][2:])
    assert torch.equal(model.sums[2:], before[1][2:])


def test_codes_trained_by_gradient_have_no_averages_that_move_them():
    model = started(codebook_update="gradient").train()
    before = model.atoms.detach().clone()
    for seed in range(3):
        model(latents_of(seed=seed))
    assert torch.equal(model.atoms.detach(), before)


# ---- the gradient -------------------------------------------------------------------


def householder(row, target):
    """Rotation in the plane of two vectors that turns one to the other."""
    start, end = row / np.linalg.norm(row), target / np.linalg.norm(target)
    between = (start + end) / np.linalg.norm(start + end)
    eye = np.eye(len(row))
    return eye - 2 * np.outer(between, between) + 2 * np.outer(end, start)


def test_the_rotation_takes_rows_to_their_codes_and_turns_the_gradient():
    rng = np.random.default_rng(0)
    rows, targets, gradient = rng.normal(size=(3, 5, DIM))
    leaf = torch.tensor(rows, requires_grad=True)
    passed = rotate_to(leaf, torch.tensor(targets))
    np.testing.assert_allclose(passed.detach().numpy(), targets, rtol=1e-12)
    passed.backward(torch.tensor(gradient))
    for i, (row, target) in enumerate(zip(rows, targets, strict=True)):
        turn = householder(row, target)
        np.testing.assert_allclose(turn @ turn.T, np.eye(DIM), atol=1e-12)
        scale = np.linalg.norm(target) / np.linalg.norm(row)
        np.testing.assert_allclose(scale * turn @ row, target, rtol=1e-10)
        np.testing.assert_allclose(
            leaf.grad[i], scale * turn.T @ gradient[i], rtol=1e-9
        )


@pytest.mark.parametrize("target", [-1.0, 0.0])
def test_without_a_rotation_the_gradient_goes_straight_through(target):
    rows = torch.ones(1, DIM, requires_grad=True)
    rotate_to(rows, target * torch.ones(1, DIM)).sum().backward()
    assert torch.equal(rows.grad, torch.ones(1, DIM))


def test_rows_that_are_replaced_are_codes_of_a_linear_codebook():
    model = started(codebook="linear").train()
    with torch.no_grad():
        model.transform += 0.1 * torch.randn(
            DIM, DIM, generator=torch.Generator().manual_seed(0)
        )
        model.usage[:] = 1
        model.usage[3] = 0
    model(latents_of(batch=40))
    model.usage[:] = 1
    model.usage[3] = 0
    fresh = model.fresh[0]
    assert model.reset_dead_atoms()[model.atoms].tolist() == [3]
    torch.testing.assert_close(model.components[3], fresh, atol=1e-4, rtol=1e-4)
