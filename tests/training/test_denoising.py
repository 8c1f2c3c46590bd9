"""What denoisers train on, the noise of their middles, and orthogonal steps."""

import numpy as np
import pytest
import torch

from sklearn_sparsevae.images import InputSpec
from sklearn_sparsevae.training.denoising import DenoisingBatches
from sklearn_sparsevae.training.denoising_module import DenoisingModule, NoiseScaled
from sklearn_sparsevae.training.muon import Muon, orthogonalized


def batches(images, sigma=(0.1, 0.1), own_sigma=None):
    """Batches of crops of 16 pixels a side."""
    photos = InputSpec.of().open(images).with_crops(16)
    return DenoisingBatches(photos, sigma, 64, own_sigma)


def test_noise_has_the_strength_that_is_told():
    made = batches(np.full((2, 32, 32, 3), 0.5, np.float32), sigma=(0.05, 0.2))
    inputs, (targets, own) = made.make(made.plan(np.arange(64)))
    deviation = (inputs["images"] - targets).flatten(2).std(2)
    assert torch.all(own == 0)
    torch.testing.assert_close(deviation, inputs["sigma"], rtol=0.25, atol=0)
    assert inputs["sigma"].min() >= 0.05
    assert inputs["sigma"].max() <= 0.2


def test_noise_of_recorrupted_pairs_is_independent():
    rng = np.random.RandomState(0)
    sigma, clean = 0.1, 0.5
    spoilt = (clean + sigma * rng.randn(4, 128, 128, 1)).astype(np.float32)
    photos = InputSpec.of().beyond_the_range().open(spoilt).with_crops(64)
    made = DenoisingBatches(photos, (0, 1), 64, np.full((4, 1), sigma, np.float32))
    inputs, (targets, own) = made.make(made.plan(np.arange(64)))
    first, second = (t.flatten(1) - clean for t in (inputs["images"], targets))
    scale = first.std(1) * second.std(1)
    correlation = ((first * second).mean(1) / scale).mean()
    assert abs(correlation) < 0.02
    torch.testing.assert_close(first.std(1), inputs["sigma"][:, 0], rtol=0.1, atol=0)
    torch.testing.assert_close(second.var(1), own[:, 0], rtol=0.15, atol=0)


def test_plans_can_be_made_in_parts():
    made = batches(np.random.RandomState(0).rand(3, 32, 32, 1).astype(np.float32))
    plan = made.plan(np.arange(6))
    whole = made.make(plan)[0]["sigma"]
    parts = [made.make(plan[slice(i, i + 3)])[0]["sigma"] for i in (0, 3)]
    torch.testing.assert_close(torch.cat(parts), whole)


@pytest.mark.parametrize("name", ["lista", "pursuit"])
def test_thresholds_follow_the_noise(name):
    torch.manual_seed(0)
    middle = DenoisingModule(1, 8, name, "float32").middle
    assert isinstance(middle, NoiseScaled)
    with torch.no_grad():
        middle.log_offset.fill_(-30.0)
        middle.log_slope.fill_(0.5)
        features, sigma = torch.randn(2, 8, 5, 5), torch.full((2, 1), 0.3)
        coded = middle(features, sigma)
        torch.testing.assert_close(middle(4 * features, 4 * sigma), 4 * coded)
        assert middle(features, 100 * sigma).abs().max() == 0


def test_reach_is_as_far_as_a_pixel_sees():
    torch.manual_seed(0)
    module = DenoisingModule(1, 6, None, "float32").eval()
    with torch.no_grad():
        module.backbone.noise.weight.normal_()
        images, sigma = torch.zeros(1, 1, 120, 120), torch.full((1, 1), 0.1)
        before = module(images, sigma)["images"]
        images[..., 60, 60] = 1
        changed = (module(images, sigma)["images"] - before)[0, 0].abs() > 0
    rows = changed.any(1).nonzero()
    farthest = (rows - 60).abs().max()
    assert module.reach - module.site_size <= farthest <= module.reach


@pytest.mark.parametrize("shape", [(20, 60), (60, 20), (30, 40)])
def test_orthogonal_steps_have_singular_values_of_about_one(shape):
    torch.manual_seed(0)
    matrices = torch.randn(3, *shape) * torch.logspace(0, -1, shape[1])
    values = torch.linalg.svdvals(orthogonalized(matrices))
    assert values.min() > 0.5
    assert values.max() < 1.3
    # The same singular vectors: all that changes are the values.
    left, _, right = torch.linalg.svd(matrices, full_matrices=False)
    inner = left.mT @ orthogonalized(matrices) @ right.mT
    off = inner - torch.diag_embed(inner.diagonal(dim1=1, dim2=2))
    assert off.abs().max() < 0.02


def test_other_groups_move_as_adam_moves_them():
    torch.manual_seed(0)
    start = torch.randn(5, 4)
    ours, theirs = (torch.nn.Parameter(start.clone()) for _ in range(2))
    muon = Muon([{"params": [ours]}], lr=0.01, betas=(0.9, 0.99), n_warmup=1)
    adam = torch.optim.Adam([theirs], lr=0.01, betas=(0.9, 0.99))
    for _ in range(5):
        for parameter, optimizer in ((ours, muon), (theirs, adam)):
            parameter.grad = parameter.detach() ** 3
            optimizer.step()
    torch.testing.assert_close(ours, theirs)


def test_the_rate_rises_over_the_first_steps():
    moved = []
    parameter = torch.nn.Parameter(torch.zeros(4, 4, 3, 3))
    group = {"params": [parameter], "orthogonal": True}
    muon = Muon([group], lr=0.1, betas=(0.0, 0.9), n_warmup=4)
    gradient = torch.randn(4, 4, 3, 3)
    for _ in range(6):
        before, parameter.grad = parameter.detach().clone(), gradient
        muon.step()
        moved.append((parameter - before).norm().item())
    np.testing.assert_allclose(np.array(moved) / moved[-1], [0.25, 0.5, 0.75, 1, 1, 1])
    assert muon.param_groups[0]["lr"] == 0.1
