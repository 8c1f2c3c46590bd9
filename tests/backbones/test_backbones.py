"""Encoders and decoders: shapes, what they are before training, what they refuse."""

import pytest
import torch

from sklearn_sparsevae.backbones import (
    BACKBONES,
    DenseBackbone,
    IdentityBackbone,
    LightBackbone,
    ResidualBackbone,
    VQGANBackbone,
)


def images_of(channels=3, height=16, width=8, batch=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(batch, channels, height, width, generator=generator)


def residual(channels=3, n_downsamples=2, latent_dim=None, **params):
    return ResidualBackbone(
        channels, n_downsamples, latent_dim, **({"width": 8} | params)
    )


def light(channels=3, n_downsamples=2, latent_dim=None):
    return LightBackbone(channels, n_downsamples, latent_dim, width=8)


def vqgan(channels=3, n_downsamples=3, latent_dim=None):
    return VQGANBackbone(channels, n_downsamples, latent_dim, width=32)


def perturb(model, scale=0.3, seed=0):
    """Random weights everywhere, as after training."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in model.parameters():
            p += scale * torch.randn(p.shape, generator=generator)
    return model


def test_every_backbone_is_tested():
    tested = {"residual", "light", "vqgan", "dense", "identity"}
    assert set(BACKBONES) == tested


@pytest.mark.parametrize(
    ("make", "n_downsamples", "channels", "latent_dim", "expected_dim"),
    [
        (residual, 1, 3, None, 12),
        (residual, 2, 1, None, 16),
        (residual, 2, 3, 20, 20),
        (residual, 0, 3, None, 3),
        (light, 0, 3, 5, 5),
        (light, 1, 1, None, 16),
        (light, 2, 3, None, 16),
        (light, 3, 3, 7, 7),
        (vqgan, 3, 3, None, 256),
        (vqgan, 3, 1, 10, 10),
    ],
)
def test_shapes_of_latents_and_images(
    make, n_downsamples, channels, latent_dim, expected_dim
):
    model = make(channels, n_downsamples, latent_dim)
    images = images_of(channels)
    latents = model.encode(images)
    assert model.latent_dim == expected_dim
    side = 2**n_downsamples
    assert latents.shape == (3, expected_dim, 16 // side, 8 // side)
    assert model.decode(latents).shape == images.shape


@pytest.mark.parametrize("make", [residual, light, vqgan])
def test_images_do_not_depend_on_their_batch_mates(make):
    model, images = perturb(make(), 0.05).eval(), images_of()
    latents = model.encode(images)
    torch.testing.assert_close(
        model.encode(images[:1]), latents[:1], atol=1e-4, rtol=1e-4
    )


@pytest.mark.parametrize("make", [residual, light, vqgan])
def test_gradients_reach_both_ends(make):
    model, images = perturb(make(), 0.05), images_of()
    (model.decode(model.encode(images)) - 0.3).pow(2).sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any() or name.endswith("bias"), name


# ---- residual -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("channels", "n_downsamples"), [(1, 0), (3, 0), (1, 1), (3, 2), (4, 1)]
)
def test_untrained_residual_is_an_exact_isometry(channels, n_downsamples):
    model, images = residual(channels, n_downsamples), images_of(channels)
    model.initialize(images)
    latents = model.encode(images)
    torch.testing.assert_close(model.decode(latents), images, atol=1e-5, rtol=0)
    centred = images - 0.5
    torch.testing.assert_close(
        latents.flatten(1).norm(dim=1),
        centred.flatten(1).norm(dim=1),
        rtol=1e-5,
        atol=0,
    )


def test_a_sites_latents_are_those_of_its_patch():
    model, images = residual(), images_of()
    latents = model.encode(images)
    patch = images[1:2, :, 8:12, 4:8]
    torch.testing.assert_close(model.encode(patch)[0, :, 0, 0], latents[1, :, 2, 1])


@pytest.mark.parametrize("trained", [False, True])
def test_first_latents_are_the_channel_means(trained):
    model, images = residual(), images_of()
    if trained:
        with torch.no_grad():
            model.encoder_branch[-1].weight[3:] += 0.1
    means = model.encode(images)[:, : model.n_mean_dims]
    expected = 4 * (torch.nn.functional.avg_pool2d(images, 4) - 0.5)
    assert model.n_mean_dims == 3
    torch.testing.assert_close(means, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("latent_dim", [3, 4, 10, 47])
def test_fewer_latents_keep_the_principal_components(latent_dim):
    images = images_of(batch=40)
    images = torch.nn.functional.avg_pool2d(images, 3, 1, 1)  # components that differ
    model = residual(latent_dim=latent_dim)
    model.initialize(images)
    basis = model.basis
    torch.testing.assert_close(
        basis @ basis.mT, torch.eye(latent_dim), atol=1e-5, rtol=0
    )
    error = (model.decode(model.encode(images)) - images).pow(2).sum().item()
    # Independent: PCA, without centring, of what the channel means leave over.
    patches = torch.nn.functional.pixel_unshuffle(images.double() - 0.5, 4)
    rows = patches.permute(0, 2, 3, 1).reshape(-1, 3, 16)
    rows = (rows - rows.mean(2, keepdim=True)).reshape(-1, 48)
    singular = torch.linalg.svdvals(rows)
    expected = singular[latent_dim - 3 :].pow(2).sum().item()
    assert error == pytest.approx(expected, rel=1e-3)


def test_few_images_still_give_an_orthonormal_basis():
    model = residual(latent_dim=20)
    model.initialize(torch.full((1, 3, 4, 4), 0.5))
    gram = model.basis @ model.basis.mT
    torch.testing.assert_close(gram, torch.eye(20), atol=1e-5, rtol=0)


def test_encoder_branch_turns_the_detail_and_never_scales_it():
    model, images = perturb(residual()), images_of()
    linear = residual().encode(images)
    latents = model.encode(images)
    assert not torch.allclose(latents, linear, atol=0.1)
    torch.testing.assert_close(
        latents[:, 3:].norm(dim=1), linear[:, 3:].norm(dim=1), rtol=1e-4, atol=1e-5
    )


def test_flat_images_have_no_detail_and_finite_gradients():
    model = perturb(residual())
    images = torch.full((2, 3, 8, 8), 0.25, requires_grad=True)
    latents = model.encode(images)
    assert latents[:, 3:].abs().max() < 1e-5
    latents.pow(2).sum().backward()
    assert images.grad.isfinite().all()
    assert all(p.grad.isfinite().all() for p in model.encoder_branch.parameters())


@pytest.mark.parametrize(
    ("channels", "n_downsamples", "n_components"),
    [
        (3, 3, 512),
        (1, 2, 64),
        (3, 2, 200),
    ],
)
def test_dct_atoms_are_those_of_patches_without_their_means(
    channels, n_downsamples, n_components
):
    model = residual(channels, n_downsamples)
    atoms = model.dct_dictionary(n_components)
    assert atoms.shape == (n_components - channels, model.latent_dim - channels)
    torch.testing.assert_close(atoms.norm(dim=1), torch.ones(len(atoms)))
    gram = (atoms @ atoms.mT).abs().fill_diagonal_(0)
    assert gram.max() < 1 - 1e-4
    assert torch.linalg.matrix_rank(atoms.double()) == atoms.shape[1]


@pytest.mark.parametrize(("channels", "n_downsamples"), [(3, 0), (3, 1), (1, 1)])
def test_tiny_patches_have_too_few_distinct_dct_atoms(channels, n_downsamples):
    with pytest.raises(
        ValueError, match="distinct atoms.* lower n_components or learn"
    ):
        residual(channels, n_downsamples).dct_dictionary(60)


@pytest.mark.parametrize("latent_dim", [2, 49])
def test_residual_refuses_latents_it_cannot_have(latent_dim):
    match = rf"latent_dim={latent_dim} must lie between .*\(3\) and the 48.*4x4 pixels"
    with pytest.raises(ValueError, match=match):
        residual(latent_dim=latent_dim)


# ---- the others ---------------------------------------------------------------------


@pytest.mark.parametrize("latent_dim", [None, 5])
def test_untrained_dense_is_a_round_trip(latent_dim):
    rows = torch.randn(30, 9, 1, 1, generator=torch.Generator().manual_seed(0))
    if latent_dim:
        rows = (rows.flatten(1)[:, :5] @ rows.flatten(1)[:5])[..., None, None] + 2
    model = DenseBackbone(9, 0, latent_dim, width=16)
    model.initialize(7 * rows)
    latents = model.encode(7 * rows)
    assert latents.shape == (30, latent_dim or 9, 1, 1)
    torch.testing.assert_close(model.decode(latents), 7 * rows, atol=1e-3, rtol=1e-4)
    per_feature = latents.pow(2).sum() / rows.numel()
    assert per_feature.item() == pytest.approx(1, rel=1e-3)


@pytest.mark.parametrize("n_rows", [1, 3])
def test_dense_starts_from_fewer_rows_than_features(n_rows):
    model = DenseBackbone(9, 0, 5, width=16)
    model.initialize(torch.ones(n_rows, 9, 1, 1))
    assert model.encode(images_of(9, 1, 1)).isfinite().all()
    gram = model.basis @ model.basis.mT
    torch.testing.assert_close(gram, torch.eye(5), atol=1e-5, rtol=0)


def test_dense_refuses_more_latents_than_features():
    with pytest.raises(ValueError, match="latent_dim=10 exceeds the 9 features"):
        DenseBackbone(9, 0, 10)


def test_identity_returns_its_input():
    latents = 50 * torch.randn(2, 5, 3, 4, generator=torch.Generator().manual_seed(0))
    model = IdentityBackbone(5)
    assert model.latent_dim == 5
    assert torch.equal(model.encode(latents), latents)
    assert torch.equal(model.decode(latents), latents)


def test_identity_refuses_another_latent_dim():
    with pytest.raises(ValueError, match="latent_dim=4, but the given latents have 5"):
        IdentityBackbone(5, 0, 4)


@pytest.mark.parametrize("hidden", [32, 128])
def test_hidden_units_of_the_light_backbone(hidden):
    model = LightBackbone(3, 2, width=8, hidden=hidden)
    blocks = [m.body for m in model.modules() if hasattr(m, "body")]
    assert [block[1].out_channels for block in blocks] == [hidden] * 4
    images = images_of(3)
    assert model.decode(model.encode(images)).shape == images.shape


def test_five_halvings_of_the_vqgan_backbone():
    model, images = vqgan(n_downsamples=5), torch.rand(1, 3, 32, 64)
    assert model.encode(images).shape == (1, 256, 1, 2)
    assert model.decode(model.encode(images)).shape == images.shape


def test_vqgan_refuses_what_no_paper_has():
    with pytest.raises(ValueError, match=r"of \[3, 4, 5, 6, 8\], got 7"):
        vqgan(n_downsamples=7)


def test_vqgan_refuses_widths_that_its_groups_do_not_divide():
    with pytest.raises(ValueError, match="width must be a multiple of 32, got 48"):
        VQGANBackbone(3, 3, width=48)


def poor_images():
    """Images with little or nothing to start from, by name."""
    black, random = torch.zeros(4, 3, 8, 8), images_of(height=8, width=8, batch=4)
    halves, unequal = black.clone(), black.clone()
    halves[..., 4:], unequal[2:] = 1, 1
    return {
        "black": black,
        "white": black + 1,
        "grey": black + 1 / 3,
        "halves": halves,
        "half of them": unequal,
        "one site": random[:1, :, :4, :4],
        "one black site": black[:1, :, :4, :4],
        "duplicates": random[:1].expand(4, -1, -1, -1),
        "barely different": black + 0.5 + 1e-7 * random,
        "far beyond the range": 1e15 * random,
    }


@pytest.mark.parametrize("name", poor_images())
@pytest.mark.parametrize("latent_dim", [None, 3, 8, 40])
@pytest.mark.parametrize("make", [residual, light])
def test_started_from_any_images(make, latent_dim, name):
    model, images = make(latent_dim=latent_dim), poor_images()[name]
    model.initialize(images)
    latents = model.encode(images)
    assert latents.isfinite().all() and model.decode(latents).isfinite().all()
    if make is residual:
        product = model.basis @ model.basis.mT
        torch.testing.assert_close(product, torch.eye(len(product)), atol=1e-5, rtol=0)
    if make is residual and name in ("black", "white", "grey", "half of them"):
        # Constant images are their means, which every number of latents keeps.
        torch.testing.assert_close(model.decode(latents), images, atol=1e-5, rtol=0)


@pytest.mark.parametrize("scale", [0.0, 1e-38, 1e-30, 1e-8, 1.0, 1e8, 1e19, 1e30, 1e37])
@pytest.mark.parametrize("n_rows", [1, 2, 9])
@pytest.mark.parametrize("latent_dim", [2, 5])
def test_dense_starts_from_rows_of_any_scale(latent_dim, n_rows, scale):
    rows = images_of(channels=5, height=1, width=1, batch=n_rows)
    for images in (scale * rows, scale * rows[:1].expand(n_rows, -1, -1, -1)):
        model = DenseBackbone(5, latent_dim=latent_dim, width=8)
        model.initialize(images)
        latents, back = model.encode(images), model.decode(model.encode(images))
        assert latents.isfinite().all() and back.isfinite().all()
        product = model.basis @ model.basis.mT
        torch.testing.assert_close(product, torch.eye(latent_dim), atol=1e-5, rtol=0)
        if latent_dim == 5 or n_rows == 1:
            torch.testing.assert_close(back, images, rtol=1e-5, atol=1e-7 * scale)
