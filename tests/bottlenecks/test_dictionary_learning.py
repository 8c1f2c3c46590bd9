"""What only dictionary learning, and selecting atoms in general, promises."""

import functools

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from sklearn_sparsevae.bottlenecks import DictionaryLearning, VectorQuantization
from sklearn_sparsevae.sparse import batch_omp, dense_codes

DIM, K = 6, 40
EVERY_SELECTION = [
    functools.partial(DictionaryLearning, n_nonzero_coefs=3),
    functools.partial(DictionaryLearning, n_nonzero_coefs=3, patch_size=2),
    functools.partial(
        DictionaryLearning, n_nonzero_coefs=3, dictionary_update="online"
    ),
    functools.partial(VectorQuantization, codebook_update="ema"),
    functools.partial(VectorQuantization, n_quantizers=2),
]
every_selection = pytest.mark.parametrize(
    "make",
    EVERY_SELECTION,
    ids=["DL", "DL of patches", "DL online", "VQ", "RQ by gradient"],
)


def latents_of(seed=0, batch=8, grid=(4, 2)):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, DIM, *grid, generator=generator)


def rows_of(latents):
    return latents.permute(0, 2, 3, 1).flatten(0, 2)


def started(make=DictionaryLearning, **params):
    model = make(DIM, K, **params)
    model.initialize(model.to_rows(latents_of(seed=1, batch=40)).flatten(0, 2), seed=0)
    return model


# ---- straight through ---------------------------------------------------------------


@every_selection
def test_the_decoders_gradient_reaches_the_encoder_as_it_is(make):
    model = started(make).train()
    latents = latents_of().requires_grad_()
    arriving = latents_of(seed=5)
    model(latents)["latents"].backward(arriving)
    torch.testing.assert_close(latents.grad, arriving, rtol=0, atol=0)
    assert model.atoms.grad is None


@every_selection
@pytest.mark.parametrize("beta", [0.0, 0.25, 2.0])
def test_terms_move_what_they_are_to_move(make, beta):
    model = started(make, commitment_weight=beta)
    by_gradient = model.atoms.requires_grad
    latents = latents_of().requires_grad_()
    out = model(latents)
    assert set(out["losses"]) == {"commitment", *["codebook"] * by_gradient}

    decoded, n_sites = out["latents"].detach(), model.to_rows(latents)[..., 0].numel()
    distance = (latents - decoded).pow(2).sum() / n_sites
    torch.testing.assert_close(out["losses"]["commitment"], beta * distance)
    out["losses"]["commitment"].backward()
    torch.testing.assert_close(
        latents.grad, 2 * beta * (latents - decoded).detach() / n_sites
    )
    assert model.atoms.grad is None
    if by_gradient:
        latents.grad = None
        torch.testing.assert_close(out["losses"]["codebook"], distance)
        out["losses"]["codebook"].backward()
        assert latents.grad is None
        assert model.atoms.grad.isfinite().all() and model.atoms.grad.any()


@every_selection
def test_the_codebook_term_alone_brings_atoms_closer(make):
    model = started(make)
    if not model.atoms.requires_grad:
        pytest.skip("no optimizer trains these atoms")
    latents = latents_of()
    before = model(latents)["losses"]["codebook"]
    before.backward()
    with torch.no_grad():
        model.atoms -= 1e-2 * model.atoms.grad
    assert model(latents)["losses"]["codebook"] < before


@every_selection
def test_only_training_counts_and_learns(make):
    model = started(make).eval()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    model(latents_of())
    assert not model.usage.any()
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name
    model.train()(latents_of())
    assert model.usage.any()


# ---- patches ------------------------------------------------------------------------


@pytest.mark.parametrize("make", [DictionaryLearning, VectorQuantization])
@pytest.mark.parametrize("patch_size", [1, 2, 4])
def test_rows_are_patches_and_go_back(make, patch_size):
    model, latents = make(DIM, K, patch_size=patch_size), latents_of(grid=(8, 4))
    rows = model.to_rows(latents)
    assert rows.shape == (8, 8 // patch_size, 4 // patch_size, DIM * patch_size**2)
    assert torch.equal(model.from_rows(rows), latents)
    unfolded = F.unfold(latents, patch_size, stride=patch_size).mT.unflatten(
        1, rows.shape[1:3]
    )
    assert torch.equal(rows, unfolded)


@pytest.mark.parametrize("selection", ["omp", "ols"])
def test_patches_of_latents_are_coded_as_their_numbers_are(selection):
    model = started(n_nonzero_coefs=4, patch_size=2, selection=selection)
    latents = latents_of()
    atoms = model.components.detach()
    patches = F.unfold(latents, 2, stride=2).mT.flatten(0, 1)
    indices, values = batch_omp(patches, atoms, 4, selection=selection)
    codes = model.encode(latents)
    assert torch.equal(codes.indices, indices.reshape(8, 2, 1, 4))
    torch.testing.assert_close(codes.values, values.reshape(8, 2, 1, 4))
    decoded = torch.zeros(len(patches), DIM * 4)
    for s in range(4):
        decoded += values[:, s, None] * atoms[indices[:, s].clamp(min=0)]
    folded = F.fold(decoded.unflatten(0, (8, 2)).mT, latents.shape[2:], 2, stride=2)
    torch.testing.assert_close(model.decode(codes).detach(), folded)


@pytest.mark.parametrize("make", [DictionaryLearning, VectorQuantization])
def test_a_latent_changes_the_code_of_its_patch_alone(make):
    model = started(make, patch_size=2)
    latents = latents_of(grid=(6, 4))
    before = model.encode(latents)
    latents[3, :, 5, 2] += 10 * latents_of(seed=7)[0, :, 0, 0]
    after = model.encode(latents)
    changed = (before.indices != after.indices) | (before.values != after.values)
    expected = torch.zeros(8, 3, 2, dtype=torch.bool)
    expected[3, 2, 1] = True
    assert torch.equal(changed.any(-1), expected)


# ---- sparsity -----------------------------------------------------------------------


def test_more_non_zeros_leave_less():
    latents, left = latents_of(), []
    model = started(n_nonzero_coefs=DIM)
    for n_nonzero_coefs in range(1, DIM + 1):
        model.n_nonzero_coefs = n_nonzero_coefs
        left.append((model(latents)["latents"] - latents).pow(2).sum().item())
    assert left == sorted(left, reverse=True)
    assert left[-1] < 1e-7 * latents.pow(2).sum()


@pytest.mark.parametrize(("n_components", "bound"), [(3, 3), (20, DIM)])
def test_more_non_zeros_than_atoms_or_numbers_have_no_effect(n_components, bound):
    model, latents = DictionaryLearning(DIM, n_components, 99), latents_of()
    rows = rows_of(latents)
    model.initialize(rows, seed=0)
    assert model.encode(latents).indices.shape == (8, 4, 2, bound)
    atoms = model.components.detach()
    projected = rows @ torch.linalg.pinv(atoms) @ atoms
    torch.testing.assert_close(
        rows_of(model(latents)["latents"].detach()), projected, atol=2e-3, rtol=0
    )


def test_the_start_is_better_than_random_atoms():
    latents = latents_of(batch=40, seed=1)
    random = DictionaryLearning(DIM, K, 2)(latents)["losses"]["codebook"]
    assert started(n_nonzero_coefs=2)(latents)["losses"]["codebook"] < 0.7 * random


# ---- the online update --------------------------------------------------------------


def online_updates(atoms, batches):
    """LASERS' Eqs. 23 to 28 with their columns, for batches of rows and codes."""
    D, (K, n) = atoms.T.copy(), atoms.shape
    A, B = np.zeros((K, K)), np.zeros((n, K))
    for t, (z, gamma) in enumerate(batches, start=1):
        xi = len(z)
        theta = t * xi if t < xi else xi**2 + t - xi
        beta = (theta + 1 - xi) / (theta + 1)
        A = beta * A + gamma.T @ gamma
        B = beta * B + z.T @ gamma
        for j in range(K):
            if A[j, j] > 0:
                column = (B[:, j] - D @ A[:, j] + D[:, j] * A[j, j]) / A[j, j]
                D[:, j] = column / np.linalg.norm(column)
    return D.T


@pytest.mark.parametrize("batch", [1, 3])
def test_online_updates_are_those_of_the_equations(batch):
    model = started(n_nonzero_coefs=2, dictionary_update="online").train()
    start, batches = model.components.double().numpy(), []
    # A grid of one site, so that t passes the number of rows, as Eq. 26 tells apart.
    for step in range(5):
        latents = latents_of(seed=20 + step, batch=batch, grid=(1, 1))
        codes = model(latents)["codes"]
        table = dense_codes(codes.indices.flatten(0, 2), codes.values.flatten(0, 2), K)
        batches.append([t.double().numpy() for t in (rows_of(latents), table)])
    expected = online_updates(start, batches)
    np.testing.assert_allclose(model.components.numpy(), expected, atol=1e-4)
    assert not np.allclose(expected, start, atol=1e-2)


def test_online_updates_lower_the_loss_of_fixed_signals():
    model = DictionaryLearning(DIM, K, 2, dictionary_update="online").train()
    latents, losses = latents_of(batch=40), []
    for _ in range(20):
        losses.append(model(latents)["losses"]["commitment"].item())
    assert losses[-1] < 0.8 * losses[0]
    assert max(b / a for a, b in zip(losses, losses[1:], strict=False)) < 1.05


def test_online_updates_leave_atoms_that_were_never_used():
    model = started(n_nonzero_coefs=1, dictionary_update="online").train()
    before = model.components.clone()
    used = model(latents_of(batch=1))["codes"].indices.unique()
    unused = np.setdiff1d(np.arange(K), used.numpy())
    assert len(unused)
    torch.testing.assert_close(model.components[unused], before[unused])
    assert not torch.isclose(model.components[used], before[used]).all(1).any()


# ---- dead atoms ---------------------------------------------------------------------


@every_selection
def test_unused_atoms_make_room_for_latents(make):
    model, latents = started(make).train(), latents_of(batch=60)
    model.atoms.data[3:] = model.atoms.data[0]  # of equals the first is used
    indices = model(latents)["codes"].indices.flatten(0, 2)
    used = indices[indices >= 0].unique()
    targets = model._targets(model.to_rows(latents).flatten(0, 2), indices).detach()
    before = model.atoms.detach().clone()

    replaced = model.reset_dead_atoms()
    dead = torch.tensor([k for k in range(K) if k not in used])[: round(0.05 * K)]
    assert list(replaced) == [model.atoms]
    assert torch.equal(replaced[model.atoms], dead)
    targets = targets.flatten(0, 1)
    if isinstance(model, DictionaryLearning):
        targets = F.normalize(targets, dim=1)
    distances = torch.cdist(model.atoms[dead].detach(), targets).min(1)
    assert distances.values.max() < 1e-3
    assert len(distances.indices.unique()) == len(dead)
    kept = np.setdiff1d(np.arange(K), dead.numpy())
    assert torch.equal(model.atoms[kept].detach(), before[kept])
    assert not model.usage.any()


@every_selection
def test_atoms_of_half_the_mean_usage_stay(make):
    model = started(make).train()
    model(latents_of())
    before = model.atoms.detach().clone()
    model.usage.fill_(1000)
    model.usage[7] = 501
    assert model.reset_dead_atoms() == {}
    assert torch.equal(model.atoms.detach(), before)
    model.usage.fill_(1000)
    model.usage[[7, 9]] = torch.tensor([400.0, 300.0])
    assert model.reset_dead_atoms()[model.atoms].tolist() == [9, 7]


@every_selection
def test_flat_latents_are_no_atoms(make):
    model = started(make).train()
    if getattr(model, "n_quantizers", 1) > 1:
        pytest.skip("what the first level leaves is not flat")
    model(torch.zeros(4, DIM, 4, 2))
    before = model.atoms.detach().clone()
    assert model.reset_dead_atoms() == {}
    assert torch.equal(model.atoms.detach(), before)


@pytest.mark.parametrize(
    "make",
    [
        functools.partial(VectorQuantization, codebook_update="ema"),
        functools.partial(
            DictionaryLearning, n_nonzero_coefs=1, dictionary_update="online"
        ),
    ],
    ids=["moving averages", "online"],
)
def test_what_is_reset_stays_until_it_is_used(make):
    model = started(make).train()
    for seed in range(3):
        model(latents_of(seed=seed))  # what is averaged remembers these
    model.usage.fill_(1)
    model.usage[4] = 0
    replaced = model.reset_dead_atoms()[model.atoms]
    assert replaced.tolist() == [4]
    fresh = model.atoms[4].detach().clone()
    others = model.atoms[20:30].detach().clone()  # which are their own codes
    for _ in range(5):
        model(others[:, :, None, None])
    assert model.usage[4] == 0
    torch.testing.assert_close(model.atoms[4].detach(), fresh, rtol=1e-4, atol=0)
