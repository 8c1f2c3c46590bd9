"""Sparse coding layers: their inverse, the sphere between, and where they start."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sklearn_sparsevae.backbones import ConvolutionalSparseCoding
from sklearn_sparsevae.backbones.csc import from_sphere, to_sphere
from sklearn_sparsevae.sparse import (
    convolutional_fista,
    largest_curvature,
    power_start,
)


@pytest.fixture(scope="module")
def images():
    """Smooth random images of three channels, in [0, 1]."""
    noise = torch.randn(200, 3, 12, 15, generator=torch.Generator().manual_seed(0))
    smooth = torch.nn.functional.avg_pool2d(noise, 4, 1)  # 9 x 12
    return 0.5 + 0.25 * smooth.clamp(-2, 2)


def make(latent_dim=16, n_components=(24, 40), **params):
    torch.manual_seed(0)
    arguments = {"kernel_size": 3, "alpha": 0.05, "n_steps": 4}
    return ConvolutionalSparseCoding(
        (9, 12, 3), n_components, latent_dim, **(arguments | params)
    )


@pytest.fixture(scope="module")
def started(images):
    model = make()
    model.initialize(images)
    return model.eval()


def mean_square(residual):
    return float(residual.detach().square().mean())


@given(seed=st.integers(0, 2**16), log_scale=st.floats(-3, 1), dim=st.integers(1, 20))
def test_the_sphere_forgets_nothing(seed, log_scale, dim):
    vectors = np.random.default_rng(seed).standard_normal((5, dim))
    vectors = torch.from_numpy(10**log_scale * vectors / dim**0.5)
    features = to_sphere(vectors)
    torch.testing.assert_close(features.norm(dim=1), torch.ones(5).double())
    torch.testing.assert_close(from_sphere(features), vectors)
    torch.testing.assert_close(from_sphere(7 * features), vectors)


def test_every_direction_can_be_decoded():
    poles = torch.tensor([[0.0, 0.0, 1.0], [0.0, 0.0, -1.0], [0.0, 0.0, 0.0]])
    assert from_sphere(poles).isfinite().all()


def test_layers_are_convolutional_fista_of_standardised_input(started, images):
    layer = started.layers[0]
    mean, scale = images.mean((0, 2, 3)), images.std((0, 2, 3), correction=0)
    standard = (images - mean[:, None, None]) / scale[:, None, None]
    maps = layer.encode(images)
    curvature = layer.curvature((3, 9, 12))
    expected = convolutional_fista(standard, layer.kernels, 0.05, 4, 2, curvature)
    torch.testing.assert_close(maps, expected, atol=1e-4, rtol=1e-4)
    fresh, _ = largest_curvature(layer.kernels, 2, power_start((3, 9, 12)), 1000, 1e-9)
    assert curvature == pytest.approx(fresh, rel=0.02)
    assert (maps == 0).float().mean() > 0.2 and maps.min() == 0


def test_kernels_have_unit_norm_whatever_the_optimizer_does(started):
    model = make()
    with torch.no_grad():
        for layer in model.layers:
            layer.weight.mul_(7).add_(0.1)
    for layer in (*model.layers, *started.layers):
        norms = layer.kernels.flatten(1).norm(dim=1)
        torch.testing.assert_close(norms, torch.ones_like(norms))


def test_the_decoder_starts_as_the_best_inverse_of_a_layer(started, images):
    below = images
    for layer in started.layers:
        maps = layer.encode(below)
        residual = (below - layer.decode(maps)) / layer.scale
        assert mean_square(residual) < 0.5
        with torch.no_grad():
            kept = layer.decoder_kernels.clone()
            for factor in (0.9, 1.1):
                layer.decoder_kernels.copy_(factor * kept)
                other = (below - layer.decode(maps)) / layer.scale
                assert mean_square(other) > mean_square(residual)
            layer.decoder_kernels.copy_(kept)
        below = maps


def test_features_start_as_principal_components(started, images):
    with torch.no_grad():
        features = started.encode(images)
        regenerated = started.decode(features)
    rows = images.flatten(1)
    centred = rows - rows.mean(0)
    _, _, axes = torch.linalg.svd(centred, full_matrices=False)
    left_over = centred - centred @ axes[:15].mT @ axes[:15]
    assert mean_square(images - regenerated) < 1.2 * mean_square(left_over)
    vectors = from_sphere(features)
    covariance = vectors.mT @ vectors / len(vectors) * 15
    torch.testing.assert_close(covariance, torch.eye(15), atol=0.02, rtol=0)


def test_features_of_the_regenerated_are_nearly_those_of_the_images(started, images):
    with torch.no_grad():
        features = started.encode(images)
        again = started.encode(started.decode(features))
    assert (features * again).sum(1).mean() > 0.98


def test_a_feature_does_not_depend_on_the_batch(started, images):
    with torch.no_grad():
        together = started.encode(images[:20])
        alone = torch.cat([started.encode(image[None]) for image in images[:20]])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)


def test_only_training_moves_the_probe(images):
    model = make()
    model.initialize(images)
    probes = [layer.probe.clone() for layer in model.layers]
    model.eval().encode(images[:2])
    assert all(map(torch.equal, probes, [layer.probe for layer in model.layers]))
    with torch.no_grad():
        model.layers[0].weight.add_(torch.randn_like(model.layers[0].weight))
    model.train().maps(images[:2, :, :8, :8], 1)  # another size than that of the probe
    assert torch.equal(probes[0], model.layers[0].probe)
    model.encode(images[:2])
    assert not torch.equal(probes[0], model.layers[0].probe)


@pytest.mark.parametrize("size", [(9, 12), (1, 1), (17, 6)])
def test_grids_are_those_of_the_maps(started, size):
    images = torch.linspace(0, 1, 6 * math.prod(size)).view(2, 3, *size)
    for n_layers in (1, 2):
        maps = started.maps(images, n_layers)
        assert tuple(maps.shape[2:]) == started.grid_shape(size, n_layers)
    largest = max(started.maps(images[:1], n).numel() for n in (1, 2))
    assert started.n_entries(size) == largest


def poor_images():
    """Images with little or nothing to start from, by name."""
    black = torch.zeros(4, 3, 9, 12)
    halves, unequal = black.clone(), black.clone()
    halves[..., 6:], unequal[2:] = 1, 1
    noise = torch.rand(4, 3, 9, 12, generator=torch.Generator().manual_seed(1))
    return {
        "black": black,
        "one black": black[:1],
        "white": black + 1,
        "grey": black[:2] + 0.3,
        "halves": halves,
        "half of them": unequal,
        "duplicates": noise[:1].expand(4, -1, -1, -1),
        "one": noise[:1],
        "barely different": black + 0.5 + 1e-7 * noise,
    }


@pytest.mark.parametrize("name", poor_images())
@pytest.mark.parametrize("latent_dim", [2, 8, 300])
def test_starts_from_any_images(latent_dim, name):
    model, images = (
        make(latent_dim=latent_dim, n_components=(6, 5)),
        poor_images()[name],
    )
    model.initialize(images)
    assert all(parameter.isfinite().all() for parameter in model.parameters())
    with torch.no_grad():
        features = model.encode(images)
        regenerated = model.decode(features)
    torch.testing.assert_close(features.norm(dim=1), torch.ones(len(images)))
    assert regenerated.isfinite().all()
    if name in ("black", "one black", "white", "grey", "barely different"):
        torch.testing.assert_close(regenerated, images, atol=1e-3, rtol=0)


def test_every_parameter_has_one_group_and_one_player():
    model = make()
    groups = model.parameter_groups(0.1)
    grouped = [p for group in groups for p in group["params"]]
    assert len(grouped) == len(set(grouped)) == len(list(model.parameters()))
    assert set(grouped) == set(model.parameters())
    by_player = {"encoder": set(), "decoder": set()}
    for group in groups:
        by_player[group["name"]].update(group["params"])
    features = model.encode(torch.linspace(0, 1, 648).view(2, 3, 9, 12))
    features.sum().backward()
    assert {p for p in model.parameters() if p.grad is not None} == by_player["encoder"]
