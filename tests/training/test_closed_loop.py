"""The game: who moves when, which way, and what is recorded of it."""

import copy
import dataclasses
import pickle

import numpy as np
import pytest
import torch

from sklearn_sparsevae.backbones import ConvolutionalSparseCoding
from sklearn_sparsevae.images import InputSpec
from sklearn_sparsevae.sparse import transcription_terms
from sklearn_sparsevae.training import RunSettings, Transcription, train_closed_loop
from sklearn_sparsevae.training.autoencoder import channels_first

SETTINGS = RunSettings(
    max_epochs=1, batch_size=16, lr=1e-3, gradient_clip=100.0, device="cpu"
)


@pytest.fixture(scope="module")
def images():
    """64 smooth random images, (64, 8, 8, 2)."""
    noise = torch.randn(64, 2, 10, 10, generator=torch.Generator().manual_seed(0))
    smooth = torch.nn.functional.avg_pool2d(noise, 3, 1)
    return (0.5 + 0.25 * smooth.clamp(-2, 2)).permute(0, 2, 3, 1).numpy()


def build():
    backbone = ConvolutionalSparseCoding((8, 8, 2), (16, 24), 12, 3, 0.05, 3)
    return Transcription(backbone)


def train(images, labels=None, **changes):
    settings = dataclasses.replace(SETTINGS, **changes)
    photos = InputSpec().open(images)
    if labels is not None:
        one_hot = (labels[:, None] == np.unique(labels)).astype(np.float32)
        photos = dataclasses.replace(photos, condition=one_hot)
    return train_closed_loop(build, photos, settings, seed=0)


@pytest.fixture
def net(images):
    """A net at its start that can still train."""
    net = train(images, max_epochs=0)
    net.module_.train()
    net.history.new_epoch()
    net.history.new_batch()
    return net


def unit_batch(images):
    return channels_first(torch.from_numpy(images[:16]))


def objective(net, unit, regenerated=None):
    """The objective, with the loop's own images unless others are given."""
    module = net.module_
    with torch.no_grad():
        features = module.latents(unit)
        seen = module.images(features) if regenerated is None else regenerated
        terms = transcription_terms(features, module.latents(seen))
        return float(sum(terms.values()))


def weights(net, player):
    return [p.detach().clone() for _, p in net._parameters_of(player)]


def test_the_encoder_raises_the_objective_and_moves_alone(net, images):
    unit = unit_batch(images)
    with torch.no_grad():
        regenerated = net.module_.images(net.module_.latents(unit))
    before, decoder = objective(net, unit, regenerated), weights(net, "decoder")
    encoder = weights(net, "encoder")
    net._encoder_step(unit, None)
    assert objective(net, unit, regenerated) > before
    assert all(map(torch.equal, decoder, weights(net, "decoder")))
    assert not any(map(torch.equal, encoder, weights(net, "encoder")))


def test_the_decoder_lowers_the_objective_and_moves_alone(net, images):
    unit = unit_batch(images)
    before, encoder = objective(net, unit), weights(net, "encoder")
    decoder = weights(net, "decoder")
    for _ in range(3):
        net._decoder_step(unit, None)
    assert objective(net, unit) < before
    assert all(map(torch.equal, encoder, weights(net, "encoder")))
    assert not any(map(torch.equal, decoder, weights(net, "decoder")))


def test_both_steps_can_be_clipped(net, images):
    seen = []

    def spy(event, named_parameters=(), **kwargs):
        if event == "on_grad_computed":
            seen.append([p.grad is not None for _, p in named_parameters])

    net.notify = spy
    net.train_step((torch.from_numpy(images[:16]),) * 2)
    assert [len(parts) for parts in seen] == [4, 4]  # encoder's, decoder's
    assert all(map(all, seen))


def test_regenerated_sets_come_closer_where_only_the_decoder_learns(net, images):
    unit = unit_batch(images)
    start = objective(net, unit)
    for _ in range(100):
        net._decoder_step(unit, None)
    assert objective(net, unit) < 0.5 * start


def test_the_history_holds_the_means_of_the_terms(images):
    labels = np.arange(len(images)) % 3
    plain, with_classes = train(images), train(images, labels)
    names = {"train_delta_r", "train_psnr", "train_loss"}
    more = {"train_delta_r_features", "train_delta_r_regenerated"}
    assert names <= set(plain.history[0]) and not more & set(plain.history[0])
    assert names | more <= set(with_classes.history[0])
    module = copy.deepcopy(train(images, max_epochs=0).module_)
    unit = channels_first(torch.from_numpy(images))
    with torch.no_grad():
        output = module.images(module.latents(unit))
    psnr = float(-10 * torch.log10((output - unit).square().mean()))
    assert plain.history[0]["train_psnr"] == pytest.approx(psnr, abs=0.5)


def test_classes_are_those_of_the_photos(net, images):
    """What a step is told of a batch is the class of each of its images."""
    told = []
    net._encoder_step = lambda unit, labels: told.append(labels)
    net._decoder_step = lambda unit, labels: told.append(labels)
    batch = torch.from_numpy(images[:3])
    one_hot = torch.tensor([[0.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    net.train_step(({"images": batch, "condition": one_hot}, batch))
    net.train_step((batch, batch))
    assert [None if t is None else t.tolist() for t in told] == [
        *([[1, 0, 1]] * 2),
        *([None] * 2),
    ]


def test_nothing_of_the_training_is_kept(images):
    net = train(images)
    net.forget_training()
    assert net.optimizer_ is None and not net.module_.training
    assert all(p.grad is None for p in net.module_.parameters())
    loaded = pickle.loads(pickle.dumps(net))
    for ours, theirs in zip(
        net.module_.state_dict().values(), loaded.module_.state_dict().values()
    ):
        assert torch.equal(ours, theirs)


def test_a_progress_bar_shows_the_terms(images, capsys):
    train(images, verbose=1)
    shown = capsys.readouterr().err
    assert "delta_r" in shown and "psnr" in shown
