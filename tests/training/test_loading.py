"""Batches made ahead of the training: the same ones, whoever makes them."""

import threading

import numpy as np
import pytest
import torch

from sklearn_sparsevae import VQVAE, GaussianVAE
from tests.histories import assert_same_history


class Photos:
    """A lazy sequence that tells which threads read it."""

    def __init__(self, photos, fails_at=None, error=OSError):
        self.photos, self.shapes = photos, [photo.shape for photo in photos]
        self.threads, self.fails_at, self.error = set(), fails_at, error

    def __len__(self):
        return len(self.photos)

    def __getitem__(self, index):
        self.threads.add(threading.current_thread().name.partition("_")[0])
        if index == self.fails_at:
            raise self.error("photo 5 is damaged")
        return self.photos[index]


@pytest.fixture
def photos():
    rng = np.random.default_rng(0)
    sizes = rng.integers(16, 30, (9, 2))
    return [rng.integers(0, 256, (*s, 3), dtype=np.uint8) for s in sizes]


@pytest.fixture(autouse=True)
def few_crops(monkeypatch):
    monkeypatch.setattr("sklearn_sparsevae.training.batching._MIN_CROPS", 48)


def noise(images, random_state):
    """Draw by NumPy and by torch."""
    images = images / 255 + 0.1 * random_state.rand(*images.shape)
    return (images + 0.1 * torch.rand(images.shape).numpy()).astype(np.float32)


@pytest.mark.parametrize("estimator", [VQVAE, GaussianVAE])
def test_the_model_does_not_depend_on_who_makes_the_batches(estimator, photos):
    params = {"n_components": 8, "crop_size": 8, "batch_size": 8, "max_epochs": 2}
    params |= {
        "early_stopping": True,
        "random_state": 0,
        "backbone_params": {"width": 8},
    }
    models = []
    for n_workers in (0, 1, 3):
        lazy = Photos(photos)
        model = estimator(**params, degrade=noise, n_workers=n_workers).fit(lazy)
        assert ("ahead" in lazy.threads) == (n_workers > 0)
        lazy.threads.clear()
        model.transform(lazy)
        assert ("ahead" in lazy.threads) == (n_workers > 0)
        models.append(model)
    first, *others = models
    for model in others:
        assert_same_history(model.history_, first.history_)
        np.testing.assert_array_equal(
            model.reconstruct(photos)[0], first.reconstruct(photos)[0]
        )


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
@pytest.mark.parametrize("n_workers", [1, 2])
def test_a_damaged_photo_is_named_and_no_thread_stays(photos, n_workers, error):
    lazy = Photos(photos, fails_at=5, error=error)
    model = VQVAE(8, crop_size=8, batch_size=4, n_workers=n_workers, random_state=0)
    with pytest.raises(error, match="damaged|interrupted") as caught:
        model.fit(lazy)
    assert not [t for t in threading.enumerate() if t.name.startswith("ahead")]
    assert not hasattr(model, "net_")
    if error is OSError:
        assert caught.traceback[-1].name == "__getitem__"


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_a_step_that_ends_the_epoch_leaves_no_thread(photos, monkeypatch, error):
    from sklearn_sparsevae.training.reconstruction import ReconstructionNet

    def stop(self, batch):
        raise error

    monkeypatch.setattr(ReconstructionNet, "train_step", stop)
    with pytest.raises(error):
        VQVAE(8, crop_size=8, batch_size=4, n_workers=2).fit(photos)
    assert not [t for t in threading.enumerate() if t.name.startswith("ahead")]
