"""Adversarial training: who learns from what, and what stays as it is without."""

import pickle
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import Callback
from torch import nn

from sklearn_sparsevae import VQVAE, DictionaryLearningVAE, SparseCodingVAE
from sklearn_sparsevae.backbones import BACKBONES
from sklearn_sparsevae.training.adversarial import (
    Adversary,
    PatchDiscriminator,
    adaptive_weight,
    hinge_loss,
)
from tests.histories import assert_same_history, epochs_with

TERMS = {"train_adversarial", "train_adaptive_weight", "train_discriminator"}


@pytest.fixture(scope="module")
def images():
    """Smooth blobs with edges, 32 of 8 x 8."""
    rng = np.random.default_rng(0)
    coarse = np.kron(rng.random((32, 4, 4, 1)), np.ones((1, 2, 2, 1)))
    return (0.9 * coarse + 0.1 * rng.random((32, 8, 8, 1))).astype(np.float32)


def tiny(cls=DictionaryLearningVAE, **params):
    defaults = {
        "n_components": 8,
        "n_downsamples": 1,
        "backbone_params": {"width": 4},
        "max_epochs": 2,
        "batch_size": 16,
        "random_state": 0,
    }
    if cls is DictionaryLearningVAE:
        defaults["n_nonzero_coefs"] = 2
    return cls(**(defaults | params))


def weights_of(model):
    return torch.cat([p.detach().flatten() for p in model.net_.module_.parameters()])


class AtGradients(Callback):
    """Calls a function at each step of the net, after its backward pass."""

    def __init__(self, function):
        self.function = function

    def on_grad_computed(self, net, **kwargs):
        self.function(net)


# ---- discriminator ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("side", "channels", "n_scores"),
    [
        (8, [64, 128, 1], 2),
        (16, [64, 128, 256, 1], 2),
        (32, [64, 128, 256, 512, 1], 2),
        (64, [64, 128, 256, 512, 1], 6),
        (256, [64, 128, 256, 512, 1], 30),
    ],
)
def test_discriminator_fits_the_images(side, channels, n_scores):
    discriminator = PatchDiscriminator(3, side)
    convolutions = [m for m in discriminator if isinstance(m, nn.Conv2d)]
    assert [c.out_channels for c in convolutions] == channels
    strides = [c.stride[0] for c in convolutions]
    assert strides == [2] * (len(channels) - 2) + [1, 1]
    assert all(c.kernel_size == (4, 4) for c in convolutions)
    with torch.no_grad():
        scores = discriminator(torch.rand(1, 3, side, side))
    assert scores.shape == (1, 1, n_scores, n_scores) and scores.isfinite().all()


def test_discriminator_starts_from_narrow_normals():
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        layers = PatchDiscriminator(3, 16)
    for layer in layers:
        if isinstance(layer, nn.Conv2d):
            assert layer.weight.std().item() == pytest.approx(0.02, rel=0.1)
        elif isinstance(layer, nn.BatchNorm2d):
            assert layer.weight.mean().item() == pytest.approx(1, abs=0.01)
            assert not layer.bias.any()


def test_images_that_are_too_small_are_refused(images):
    with pytest.raises(ValueError, match="8 pixels per side, got 7.*weight=0"):
        PatchDiscriminator(1, 7)
    model = tiny(adversarial_weight=0.5)
    with pytest.raises(ValueError, match="got 6"):
        model.fit(images[:, :6])
    large = np.tile(images, (1, 4, 4, 1))[:4]
    model.partial_fit(large)
    with pytest.raises(ValueError, match="32 pixels per side, got 8"):
        model.partial_fit(images)


# ---- losses -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("real", "fake", "loss"),
    [(1.0, -1.0, 0.0), (5.0, -3.0, 0.0), (0.0, 0.0, 1.0), (-1.0, 2.0, 2.5)],
)
def test_hinge_by_hand(real, fake, loss):
    scores = (torch.full((2, 1, 3, 3), value) for value in (real, fake))
    assert hinge_loss(*scores).item() == loss


def test_hinge_is_a_mean_over_patches():
    real, fake = torch.tensor([0.0, 2.0]), torch.tensor([-2.0, -0.5])
    assert hinge_loss(real, fake).item() == 0.5 * (0.5 + 0.25)


def test_adaptive_weight_is_the_ratio_of_gradients():
    """On a linear map both gradients are known."""
    weight = nn.Parameter(torch.tensor([2.0, -1.0]))
    ours, theirs = torch.tensor([3.0, 4.0]), torch.tensor([0.0, 0.5])
    ratio = adaptive_weight(weight @ ours, weight @ theirs, weight)
    assert ratio.item() == pytest.approx(5 / (0.5 + 1e-6))
    assert not ratio.requires_grad and weight.grad is None
    # delta stands outside of the norm, and the weight has a limit.
    small = adaptive_weight(weight @ ours, 1e-6 * (weight @ theirs), weight)
    assert small.item() == 1e4
    tiny_ones = adaptive_weight(1e-6 * (weight @ ours), 0 * (weight @ theirs), weight)
    assert tiny_ones.item() == pytest.approx(5e-6 / 1e-6, rel=1e-3)


def test_term_pulls_as_hard_as_its_weight_says(images):
    """At the last layer, as long as `weight` times the images' own gradient."""
    pulls = []

    def note(net):
        backbone = net.module_.backbone
        out = net.module_(torch.from_numpy(images))
        loss = (out["images"] - 0.3).square().sum()
        term, _ = net.adversary_.term(out["images"], loss, backbone.last_layer)
        grads = [
            torch.autograd.grad(value, backbone.last_layer, retain_graph=True)[0]
            for value in (term, loss)
        ]
        pulls.append((grads[0].norm() / grads[1].norm()).item())

    tiny(adversarial_weight=0.7, callbacks=[AtGradients(note)]).fit(images)
    np.testing.assert_allclose(pulls, 0.7, rtol=1e-3)


@pytest.mark.parametrize("name", sorted(set(BACKBONES) - {"identity"}))
def test_backbones_name_a_last_layer_that_matters(name):
    n_downsamples, side = (3, 16) if name == "vqgan" else (2, 8)
    params = {} if name == "dense" else {"width": 32}
    backbone = BACKBONES[name](3, n_downsamples, **params)
    grid = 1 if name == "dense" else side // 2**n_downsamples
    latents = torch.randn(2, backbone.latent_dim, grid, grid)
    layer = backbone.last_layer
    assert any(layer is parameter for parameter in backbone.parameters())
    assert torch.autograd.grad(backbone.decode(latents).sum(), layer)[0].any()


# ---- who learns from what -----------------------------------------------------------


@pytest.fixture
def net():
    """What an adversary asks of a net."""
    parameter = nn.Parameter(torch.zeros(1))
    return SimpleNamespace(optimizer_=torch.optim.SGD([parameter], lr=0.01), history=[])


@pytest.fixture
def adversary():
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        adversary = Adversary(1, 8, torch.device("cpu"))
    adversary.weight, adversary.start, adversary.max_norm = 1.0, 0, 1.0
    return adversary


def test_generator_loss_leaves_no_gradient_in_the_discriminator(adversary):
    fakes = torch.rand(4, 1, 8, 8, requires_grad=True)
    adversary.generator_loss(fakes).backward()
    assert fakes.grad.any()
    assert all(p.grad is None for p in adversary.discriminator.parameters())


def test_discriminator_leaves_no_gradient_in_the_generator(adversary, net):
    fakes = torch.rand(4, 1, 8, 8, requires_grad=True)
    reached = []
    fakes.register_hook(reached.append)
    before = adversary.discriminator[0].weight.clone()
    adversary.step(net, torch.rand(4, 1, 8, 8), fakes)
    assert not reached and fakes.grad is None
    assert not torch.equal(adversary.discriminator[0].weight, before)
    assert all(p.grad is None for p in adversary.discriminator.parameters())


def test_discriminator_learns_to_tell_and_generator_to_deceive(adversary, net):
    reals, fakes = 0.2 * torch.rand(16, 1, 8, 8), 0.8 + 0.2 * torch.rand(16, 1, 8, 8)
    first = adversary.step(net, reals, fakes)
    for _ in range(10):
        last = adversary.step(net, reals, fakes)
    assert first == pytest.approx(1, abs=0.3) and last < 0.5 * first
    with torch.no_grad():
        assert adversary.generator_loss(reals) < adversary.generator_loss(fakes)


def test_discriminator_has_the_rate_of_the_net(adversary, net):
    net.optimizer_.param_groups[0]["lr"] = 0.0
    before = [p.clone() for p in adversary.discriminator.parameters()]
    adversary.step(net, torch.rand(4, 1, 8, 8), torch.rand(4, 1, 8, 8))
    after = adversary.discriminator.parameters()
    assert all(torch.equal(a, b) for a, b in zip(after, before, strict=True))


def test_in_training_each_has_its_own_gradients(images):
    """At the net's step: gradients in all of it and none in the discriminator."""
    seen = []

    def note(net):
        seen.append(
            (
                net.module_.backbone.last_layer.grad.any().item(),
                [p.grad for p in net.adversary_.discriminator.parameters()],
            )
        )

    tiny(adversarial_weight=0.5, callbacks=[AtGradients(note)]).fit(images)
    assert len(seen) == 4
    assert all(ours and set(theirs) == {None} for ours, theirs in seen)


def test_gradients_of_the_net_are_clipped(images):
    norms = []

    def note(net):
        grads = [p.grad for p in net.module_.parameters() if p.grad is not None]
        norms.append(torch.cat([g.flatten() for g in grads]).norm().item())

    tiny(adversarial_weight=0.5, gradient_clip=1e-3, callbacks=[AtGradients(note)]).fit(
        images
    )
    assert max(norms) <= 1e-3 * (1 + 1e-4)


def test_a_discriminator_that_is_not_finite_ends_the_training(images):
    def poison(net):
        if len(net.history) == 2:
            with torch.no_grad():
                net.adversary_.discriminator[-1].bias.fill_(float("nan"))

    model = tiny(adversarial_weight=0.5, callbacks=[AtGradients(poison)])
    with pytest.raises(
        FloatingPointError, match="loss of the discriminator became nan in epoch 2"
    ):
        model.fit(images)
    assert not hasattr(model, "net_")


# ---- in the estimators --------------------------------------------------------------


def test_until_it_starts_nothing_is_different(images):
    plain = tiny(max_epochs=3, lr_schedule=None)
    late = clone(plain).set_params(adversarial_weight=0.8, adversarial_start=3)
    expected, weights = plain.fit(images).history_, weights_of(plain)
    assert torch.equal(weights_of(late.fit(images)), weights)
    assert_same_history(late.history_, expected)
    started = clone(late).set_params(adversarial_start=2).fit(images)
    assert epochs_with(started.history_, TERMS) == [False, False, True]
    assert started.history_["train_loss"][1] == expected["train_loss"][1]
    assert not torch.equal(weights_of(started), weights)


def test_history_adds_up(images):
    history = tiny(adversarial_weight=0.5).fit(images).history_
    names = ("reconstruction", "commitment", "codebook", "adversarial")
    total = sum(history[f"train_{name}"] for name in names)
    np.testing.assert_allclose(history["train_loss"], total, rtol=1e-5)
    assert (history["train_adaptive_weight"] > 0).all()
    assert (history["train_discriminator"] > 0).all()
    assert (history["train_discriminator"] < 2).all()


@pytest.mark.parametrize("cls", [DictionaryLearningVAE, VQVAE, SparseCodingVAE])
def test_codes_keep_their_form_and_images_their_quality(images, cls):
    plain = tiny(cls, max_epochs=6).fit(images)
    sharp = tiny(cls, max_epochs=6, adversarial_weight=0.8).fit(images)
    codes, expected = sharp.transform(images), plain.transform(images)
    assert codes.shape == expected.shape and codes.dtype == expected.dtype
    assert codes.grid_shape == expected.grid_shape
    assert codes.indices.dtype == expected.indices.dtype
    if cls is not SparseCodingVAE:  # whose sparsity is no promise but an outcome
        assert codes.sites().count_nonzero(axis=1).max() <= (1 if cls is VQVAE else 2)
    np.testing.assert_allclose(
        sharp.inverse_transform(codes), sharp.reconstruct(images), atol=1e-6
    )
    assert not torch.equal(weights_of(sharp), weights_of(plain))
    assert sharp.score(images) > plain.score(images) - 1


def test_seeds_decide_and_global_generators_do_not(images):
    results = []
    for seed in (1, 2):
        state = torch.random.manual_seed(seed).get_state()
        results.append(weights_of(tiny(adversarial_weight=0.5).fit(images)))
        assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(*results)


def test_early_stopping_does_not_ask_the_discriminator(images):
    model = tiny(
        adversarial_weight=0.5,
        early_stopping=True,
        validation_fraction=0.25,
        n_epochs_no_change=1,
        tol=10.0,
        max_epochs=5,
    ).fit(images)
    assert model.n_epochs_ == 2
    assert "valid_adversarial" not in model.history_
    names = ("reconstruction", "commitment", "codebook")
    total = sum(model.history_[f"valid_{name}"] for name in names)
    np.testing.assert_allclose(model.history_["valid_loss"], total, rtol=1e-5)


def test_the_discriminator_is_kept_only_to_go_on(images):
    model = tiny(adversarial_weight=0.5).fit(images)
    assert model.net_.adversary_ is None
    plain = len(pickle.dumps(tiny().fit(images)))
    warm = tiny(adversarial_weight=0.5, warm_start=True).fit(images)
    discriminator = warm.net_.adversary_.discriminator
    again = pickle.loads(pickle.dumps(warm))
    assert len(pickle.dumps(warm)) < plain + 10_000
    np.testing.assert_array_equal(again.reconstruct(images), warm.reconstruct(images))
    assert warm.fit(images).net_.adversary_.discriminator is discriminator
    assert again.fit(images).n_epochs_ == warm.n_epochs_ == 4  # with a new one


def test_partial_fit_goes_on_with_the_discriminator(images):
    model = tiny(adversarial_weight=0.5, adversarial_start=1).partial_fit(images)
    assert not TERMS & set(model.history_)
    discriminator = model.net_.adversary_.discriminator
    before = discriminator[0].weight.clone()
    model.partial_fit(images)
    assert epochs_with(model.history_, TERMS) == [False, True]
    assert model.net_.adversary_.discriminator is discriminator
    assert not torch.equal(discriminator[0].weight, before)


def test_a_trained_model_can_be_sharpened_and_left_alone_again(images):
    model = tiny(warm_start=True, max_epochs=1).fit(images)
    model.set_params(adversarial_weight=0.5).fit(images)
    model.set_params(adversarial_weight=0).fit(images)
    assert epochs_with(model.history_, TERMS) == [False, True, False]
    assert model.net_.adversary_ is None


def test_grid_search_over_the_weight(images):
    grid = {"adversarial_weight": [0.0, 0.5]}
    search = GridSearchCV(tiny(max_epochs=1), grid, cv=2, error_score="raise")
    assert np.isfinite(search.fit(images).cv_results_["mean_test_score"]).all()


def test_photos_are_judged_by_their_crops(images):
    photos = [np.tile(image, (2, 3, 3)) for image in images[:4]]
    model = tiny(crop_size=8, adversarial_weight=0.5, max_epochs=1, batch_size=256).fit(
        photos
    )
    assert TERMS <= set(model.history_)


@pytest.mark.parametrize(
    ("params", "shape", "message"),
    [
        ({}, (12, 6), r"adversarial_weight=0.5 needs images, got vectors of 6"),
        ({"backbone": "identity"}, (6, 4, 4, 3), "got latents"),
        ({"perceptual_weight": 0.2}, (12, 6), "perceptual_weight=0.2 and adversarial"),
    ],
)
def test_where_there_are_no_images_it_is_refused(params, shape, message):
    data = np.random.default_rng(0).random(shape).astype(np.float32)
    params = {"backbone_params": None, **params}
    with pytest.raises(ValueError, match=f"{message}.*set it to 0"):
        tiny(adversarial_weight=0.5, **params).fit(data)
