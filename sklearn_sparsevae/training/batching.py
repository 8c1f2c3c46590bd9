"""Whole batches of images, cut from arrays or from photos of different sizes."""

import itertools

import numpy as np
import torch
from torch.utils.data import Dataset

# Crops an epoch has at least: fewer would not be worth its bookkeeping.
_MIN_CROPS = 1024


class ImageBatches(Dataset):
    """Batches of channels-last images, indexed a batch at a time.

    Parameters
    ----------
    images : ndarray (n, H, W, C) or sequence of ndarrays (H, W, C)
        Kept as they are; a batch is cut from them, and made float32 unless it is
        uint8, when it is asked for. A lazy sequence has their shapes in ``shapes``. To
        cut crops, each photo of a batch is read once, and only one is held at a time.
    crop_size : int or None
        Side of square crops at random positions; None gives whole images.
    fixed : bool
        The same crops, degraded alike, every time (for validation).
    members : ndarray of int, default=None
        Which images take part; None stands for all.
    targets : like ``images``, default=None
        What the images are to become, cut at the same places; None stands for the
        images themselves.
    degrade : callable, default=None
        ``degrade(images, random_state=...)`` spoils each batch of images, not of
        targets, afresh.
    condition : ndarray (n, p) of float32, default=None
        What else is known of each image. With it, the inputs of a batch are a dict of
        its "images" and their "condition".
    """

    def __init__(
        self,
        images,
        crop_size=None,
        fixed=False,
        *,
        members=None,
        targets=None,
        degrade=None,
        condition=None,
    ):
        self.images, self.crop_size, self.fixed = images, crop_size, fixed
        self.targets, self.degrade, self.condition = targets, degrade, condition
        self.shapes = shapes_of(images)
        self.owner = np.arange(len(images)) if members is None else members
        if crop_size is None:
            return
        areas = np.array([np.prod(self.shapes[i][:2]) for i in self.owner])
        counts = np.maximum(1, areas // crop_size**2)
        if not fixed:
            counts = counts * int(np.ceil(_MIN_CROPS / counts.sum()))
        self.owner = np.repeat(self.owner, counts)

    def __len__(self):
        return len(self.owner)

    def __getitem__(self, index):
        return self.__getitems__([index])

    def __getitems__(self, indices):
        """Return inputs and their targets for a list of indices."""
        indices = np.asarray(indices)
        owners, generator = self.owner[indices], self._generator(indices)
        places = self._places(owners, generator)
        images = targets = self._cut(self.images, places)
        if self.targets is not None:
            targets = self._cut(self.targets, places)
        if self.degrade is not None:
            images = self._degrade(images, generator)
        batch = torch.from_numpy(images)
        targets = batch if targets is images else torch.from_numpy(targets)
        if self.condition is None:
            return batch, targets
        given = torch.from_numpy(self.condition[owners])
        return {"images": batch, "condition": given}, targets

    def _generator(self, indices):
        """Choose what draws at random: torch's own, or one that repeats itself."""
        if not self.fixed:
            return None
        return torch.Generator().manual_seed(int(indices[0]))

    def _places(self, owners, generator):
        """Which images to cut, and where: an index for the array of images, or each."""
        if self.crop_size is None:
            return owners
        return [(owner, *self._window(owner, generator)) for owner in owners]

    def _window(self, owner, generator):
        side = self.crop_size
        room = [length - side + 1 for length in self.shapes[owner][:2]]
        starts = [int(torch.randint(r, (), generator=generator)) for r in room]
        return [slice(start, start + side) for start in starts]

    def _cut(self, images, places):
        if self.crop_size is not None:
            return as_batch(_crops(images, places))
        if isinstance(images, np.ndarray):
            return as_batch(images[places])
        return as_batch(np.stack([images[i] for i in places]))

    def _degrade(self, images, generator):
        seed = int(torch.randint(2**31, (), generator=generator))
        # A copy, since the images may be the targets too.
        rng = np.random.RandomState(seed)
        degraded = np.asarray(self.degrade(images.copy(), random_state=rng))
        if degraded.shape != images.shape or degraded.dtype != images.dtype:
            raise ValueError(
                f"degrade turned images of shape {images.shape} and dtype "
                f"{images.dtype} into {degraded.shape} and {degraded.dtype}: it must "
                "keep both."
            )
        return degraded

    @property
    def image_shape(self):
        """``(H, W, C)`` of the images in a batch."""
        height, width, n_channels = self.shapes[0]
        if self.crop_size is None:
            return height, width, n_channels
        return self.crop_size, self.crop_size, n_channels

    def sample(self, n_images):
        """Return inputs and targets of up to ``n_images`` items over the whole set."""
        n_images = min(n_images, len(self))
        indices = np.linspace(0, len(self) - 1, n_images).round().astype(int)
        return self.__getitems__(indices)


def shapes_of(images):
    """List of the shapes ``(H, W, C)`` of the images of an array or a sequence."""
    if isinstance(images, np.ndarray):
        return [images.shape[1:]] * len(images)
    shapes = getattr(images, "shapes", None)
    return list(map(np.shape, images)) if shapes is None else shapes


def as_batch(images):
    """Give the network images it takes: uint8, or float32 in place of other floats."""
    return images if images.dtype == np.uint8 else images.astype(np.float32, copy=False)


def _crops(images, places):
    """Cut crops photo by photo: a lazy one is read once, and given up before the next.

    For that the crops are copies: a view would keep its whole photo in memory.
    """
    crops = [None] * len(places)
    by_photo = sorted(range(len(places)), key=lambda k: places[k][0])
    for owner, group in itertools.groupby(by_photo, key=lambda k: places[k][0]):
        photo = images[owner]
        for k in group:
            _, rows, columns = places[k]
            crops[k] = photo[rows, columns].copy()
        del photo
    return np.stack(crops)


def identity(batch):
    """Collate function for batches that are whole already."""
    return batch
