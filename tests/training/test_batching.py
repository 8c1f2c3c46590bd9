"""Whole batches from arrays and from photos of different sizes."""

import dataclasses

import numpy as np
import pytest
import torch

from sklearn_sparsevae.images import InputSpec
from sklearn_sparsevae.training.batching import ImageBatches


def numbered(height, width, channels=1, first=0):
    """An image whose values say where in it, and in which image, they are."""
    values = first + np.arange(height * width * channels, dtype=np.float32)
    return values.reshape(height, width, channels)


PHOTOS = [
    numbered(40, 60),
    numbered(30, 30, first=10_000),
    numbered(10, 25, first=20_000),
]


def opened(images, crop_size=None, targets=None):
    """Photos whose numbers are taken as they are."""
    photos = InputSpec.of(latents=True).open(images).with_crops(crop_size)
    if targets is None:
        return photos
    return dataclasses.replace(photos, targets=opened(targets, crop_size))


@pytest.mark.parametrize("value_range", [None, (0, 100), (-50, 205)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
def test_whole_images_come_by_index_and_in_the_unit_range(dtype, value_range):
    images = np.arange(5 * 4 * 4 * 3, dtype=np.uint8).reshape(5, 4, 4, 3)
    images = np.minimum(images, 100).astype(dtype)
    low, high = value_range or (0, 1)
    if value_range is None and images.dtype.kind == "u":
        high = np.iinfo(dtype).max
    elif value_range is None:
        images /= 100
    photos = InputSpec.of(value_range=value_range).open(images)
    batches = ImageBatches(photos)
    batch, target = batches.batch([3, 1])
    assert len(batches) == 5
    assert batch.dtype == torch.float32
    unit = (images - np.float64(low)) / (high - low)
    np.testing.assert_allclose(batch, unit[[3, 1]], atol=1e-6)
    assert target is batch
    np.testing.assert_allclose(batches[2][0], unit[[2]], atol=1e-6)


def test_images_and_targets_each_have_their_range():
    """Bytes may be restored to floats, and the other way round."""
    images = np.arange(2 * 4 * 4, dtype=np.uint8).reshape(2, 4, 4)
    photos = dataclasses.replace(
        InputSpec().open(images), targets=InputSpec().open(1 - images / 255)
    )
    inputs, targets = ImageBatches(photos).batch([1, 0])
    np.testing.assert_allclose(inputs[..., 0], images[::-1] / 255, atol=1e-7)
    np.testing.assert_allclose(targets, 1 - inputs, atol=1e-6)


def test_conditions_come_with_their_images():
    images = np.stack([numbered(12, 12, first=1000 * i) for i in range(6)])
    rows = np.arange(12, dtype=np.float32).reshape(6, 2)
    for crop_size in (None, 5):
        photos = dataclasses.replace(opened(images, crop_size), condition=rows)
        batches = ImageBatches(photos, members=np.array([1, 4, 5]))
        inputs, targets = batches.batch(range(0, len(batches), 2))
        assert set(inputs) == {"images", "condition"}
        assert inputs["images"] is targets
        owners = targets[:, 0, 0, 0].numpy() // 1000
        np.testing.assert_array_equal(inputs["condition"][:, 0], 2 * owners)
        assert set(owners) <= {1, 4, 5}


def test_a_list_of_equal_images_is_taken_too():
    images = [numbered(4, 4, first=i) for i in range(3)]
    batch, _ = ImageBatches(opened(images)).batch([0, 2])
    np.testing.assert_array_equal(batch, np.stack([images[0], images[2]]))


@pytest.mark.parametrize("fixed", [True, False])
def test_crops_are_cut_from_one_place_of_one_photo(fixed):
    batches = ImageBatches(opened(PHOTOS, 10), fixed=fixed)
    crops, _ = batches.batch(range(0, len(batches), 3))
    assert crops.shape[1:] == (10, 10, 1)
    for crop, owner in zip(crops.numpy(), batches.owner[::3], strict=True):
        photo = PHOTOS[owner]
        top, left = divmod(int(crop[0, 0, 0] - photo[0, 0, 0]), photo.shape[1])
        assert 0 <= top <= photo.shape[0] - 10 and 0 <= left <= photo.shape[1] - 10
        np.testing.assert_array_equal(crop, photo[top : top + 10, left : left + 10])


def test_crops_reach_every_edge_of_a_photo():
    photo = numbered(7, 9)
    crops, _ = ImageBatches(opened([photo], 6)).batch(range(300))
    corners = {divmod(int(c), 9) for c in crops[:, 0, 0, 0]}
    assert corners == {(top, left) for top in range(2) for left in range(4)}


def test_as_many_crops_as_cover_the_photos():
    batches = ImageBatches(opened(PHOTOS, 10), fixed=True)
    assert np.bincount(batches.owner).tolist() == [24, 9, 2]
    # To train on: at least 1024, in the same proportions.
    training = ImageBatches(opened(PHOTOS, 10))
    assert np.bincount(training.owner).tolist() == [24 * 30, 9 * 30, 2 * 30]


def test_a_photo_of_the_size_of_a_crop_is_used():
    batches = ImageBatches(opened([numbered(10, 10)], 10), fixed=True)
    assert len(batches) == 1
    np.testing.assert_array_equal(batches[0][0][0], numbered(10, 10))


def test_fixed_crops_repeat_themselves_and_leave_the_generator_alone():
    batches = ImageBatches(opened(PHOTOS, 10), fixed=True)
    state = torch.get_rng_state()
    first, again = (batches.batch([3, 30, 34])[0] for _ in range(2))
    assert torch.equal(first, again)
    assert torch.equal(state, torch.get_rng_state())


def test_random_crops_differ_from_time_to_time():
    batches = ImageBatches(opened(PHOTOS, 10))
    first, again = (batches.batch(range(20))[0] for _ in range(2))
    assert not torch.equal(first, again)


@pytest.mark.parametrize(("wanted", "found"), [(3, 3), (100, 7)])
def test_sample_is_spread_over_the_set(wanted, found):
    images = np.arange(7, dtype=np.float32).reshape(7, 1, 1, 1)
    sample = ImageBatches(opened(images)).sample(wanted)[1].flatten().tolist()
    assert len(sample) == len(set(sample)) == found
    assert sample[0] == 0 and sample[-1] == 6


@pytest.mark.parametrize("crop_size", [10, None])
def test_members_are_a_set_of_their_own_without_a_copy(crop_size):
    photos = np.stack([numbered(20, 12, first=1000 * i) for i in range(6)])
    chosen = np.array([1, 4, 5])
    whole = opened(photos, crop_size)
    batches = ImageBatches(whole, fixed=True, members=chosen)
    alone = ImageBatches(opened(photos[chosen], crop_size), fixed=True)
    assert batches.photos is whole and np.shares_memory(whole.items, photos)
    assert len(batches) == len(alone)
    assert torch.equal(*(b.batch(range(len(b)))[0] for b in (batches, alone)))
    assert torch.equal(batches.sample(3)[1], alone.sample(3)[1])


@pytest.mark.parametrize("dtype", [np.float16, np.float64, ">f4"])
@pytest.mark.parametrize("crop_size", [10, None])
def test_floats_become_float32_batch_by_batch(crop_size, dtype):
    photos = np.stack([numbered(10, 10)] * 3).astype(dtype)
    batch, _ = ImageBatches(opened(photos, crop_size)).batch([2, 0])
    assert batch.dtype == torch.float32
    np.testing.assert_array_equal(batch, photos[:2])


# ---- targets, and images that are spoilt --------------------------------------------


def add_noise(images, random_state):
    return images + random_state.normal(size=images.shape).astype(images.dtype)


@pytest.mark.parametrize("fixed", [True, False])
@pytest.mark.parametrize("crop_size", [10, None])
def test_images_and_targets_are_cut_at_one_place(crop_size, fixed):
    photos = (
        PHOTOS if crop_size else np.stack([numbered(7, 9, first=i) for i in range(3)])
    )
    targets = [-photo for photo in photos]
    batches = ImageBatches(opened(photos, crop_size, targets), fixed)
    images, targets = batches.batch(range(len(batches)))
    assert torch.equal(images, -targets)
    assert (batches.sample(3)[1] <= 0).all()  # what a model starts from: targets


def test_without_targets_only_the_images_are_spoilt():
    batches = ImageBatches(opened(PHOTOS, 10), fixed=True, degrade=add_noise)
    images, targets = batches.batch([3, 30, 34])
    clean, _ = ImageBatches(opened(PHOTOS, 10), fixed=True).batch([3, 30, 34])
    assert torch.equal(targets, clean)
    noise = (images - targets).double()
    assert 0.8 < noise.std() < 1.2 and abs(noise.mean()) < 0.3


@pytest.mark.parametrize("crop_size", [10, None])
@pytest.mark.parametrize("fixed", [True, False])
def test_noise_is_fresh_unless_fixed(crop_size, fixed):
    photos = PHOTOS if crop_size else [numbered(10, 10, first=i) for i in range(40)]
    batches = ImageBatches(opened(photos, crop_size), fixed, degrade=add_noise)
    state = torch.get_rng_state()
    first, again = (torch.sub(*batches.batch([3, 30, 34])).double() for _ in range(2))
    assert torch.equal(first, again) == fixed
    torch.set_rng_state(state)
    assert torch.equal(torch.sub(*batches.batch([3, 30, 34])).double(), first)
