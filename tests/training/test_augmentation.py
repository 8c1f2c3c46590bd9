"""Images that are turned and mirrored are the same images."""

import dataclasses

import numpy as np
import pytest
import torch

from sklearn_sparsevae.images import InputSpec
from sklearn_sparsevae.training.augmentation import draw_ways, turned
from sklearn_sparsevae.training.batching import ImageBatches


def opened(images, crop_size=None, targets=None):
    photos = InputSpec.of(latents=True).open(images).with_crops(crop_size)
    if targets is None:
        return photos
    return dataclasses.replace(photos, targets=opened(targets, crop_size))


def symmetries(square):
    """All eight images of a square, by turns of a quarter."""
    turns = [np.rot90(square, k) for k in range(4)]
    return {s.tobytes() for t in turns for s in (t, t[:, ::-1])}


def test_the_eight_ways_are_those_of_a_square():
    square = np.arange(3 * 3 * 2.0).reshape(3, 3, 2)
    images = turned(np.stack([square] * 8), np.arange(8))
    np.testing.assert_array_equal(images[0], square)
    assert {image.tobytes() for image in images} == symmetries(square)


@pytest.mark.parametrize(("is_square", "n_ways"), [(True, 8), (False, 4)])
def test_all_ways_are_drawn_alike(is_square, n_ways):
    generator = torch.Generator().manual_seed(0)
    counts = np.bincount(draw_ways(n_ways * 500, is_square, generator))
    assert len(counts) == n_ways and (abs(counts - 500) < 110).all()


@pytest.mark.parametrize("crop_size", [4, None])
@pytest.mark.parametrize("shape", [(6, 6, 1), (4, 7, 1)])
def test_an_image_and_its_target_are_turned_alike(shape, crop_size):
    images = np.arange(40.0 * np.prod(shape)).reshape(40, *shape).astype(np.float32)
    batches = ImageBatches(opened(images, crop_size, -images), augment=True)
    indices = np.arange(40)
    plan = batches.plan(indices)
    inputs, targets = batches.make(plan)
    assert torch.equal(targets, -inputs)
    plain, _ = batches.make(dataclasses.replace(plan, ways=None))
    for made, image, way in zip(inputs, plain, plan.ways, strict=True):
        undone = [
            turned(made.numpy()[None], [w])[0] for w in range(8 if way > 3 else 4)
        ]
        assert any(np.array_equal(image, u) for u in undone)
    assert len(np.unique(plan.ways)) == (8 if plain.shape[1] == plain.shape[2] else 4)
    parts = [batches.make(plan[:13])[0], batches.make(plan[13:])[0]]
    assert torch.equal(torch.cat(parts), inputs)


def test_what_is_degraded_has_been_turned_before():
    """Else a blur along rows would become one along columns too."""
    images = np.random.RandomState(0).random_sample((16, 5, 5, 1)).astype(np.float32)

    def darken_first_row(batch, random_state):
        batch[:, 0] = 0
        return batch

    batches = ImageBatches(opened(images), degrade=darken_first_row, augment=True)
    inputs, targets = batches.batch(np.arange(16))
    assert (inputs[:, 0] == 0).all() and torch.equal(inputs[:, 1:], targets[:, 1:])
    assert not np.array_equal(targets, images)


def test_fixed_images_are_left_as_they_are():
    images = np.arange(8 * 9.0).reshape(8, 3, 3, 1).astype(np.float32)
    batch, _ = ImageBatches(opened(images), True, augment=True).batch(np.arange(8))
    np.testing.assert_array_equal(batch, images)
