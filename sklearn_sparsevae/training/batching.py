"""Whole batches of images, cut from arrays or from photos of different sizes."""

import numpy as np
import torch
from torch.utils.data import Dataset

# Crops an epoch has at least: fewer would not be worth its bookkeeping.
_MIN_CROPS = 1024


class ImageBatches(Dataset):
    """Batches of channels-last images, indexed a batch at a time.

    Parameters
    ----------
    images : ndarray (n, H, W, C) or list of ndarrays (H, W, C)
        Kept as they are; a batch is cut from them when it is asked for.
    crop_size : int or None
        Side of square crops at random positions; None gives whole images.
    fixed : bool
        The same crops, degraded alike, every time (for validation).
    targets : like ``images``, default=None
        What the images are to become, cut at the same places; None stands for the
        images themselves.
    degrade : callable, default=None
        ``degrade(images, random_state=...)`` spoils each batch of images, not of
        targets, afresh.
    """

    def __init__(
        self, images, crop_size=None, fixed=False, *, targets=None, degrade=None
    ):
        self.images, self.crop_size, self.fixed = images, crop_size, fixed
        self.targets, self.degrade = targets, degrade
        if crop_size is None:
            self.owner = np.arange(len(images))
            return
        areas = np.array([im.shape[0] * im.shape[1] for im in images])
        counts = np.maximum(1, areas // crop_size**2)
        if not fixed:
            counts = counts * int(np.ceil(_MIN_CROPS / counts.sum()))
        self.owner = np.repeat(np.arange(len(images)), counts)

    def __len__(self):
        return len(self.owner)

    def __getitem__(self, index):
        return self.__getitems__([index])

    def __getitems__(self, indices):
        """Return images and their targets for a list of indices."""
        indices = np.asarray(indices)
        generator = self._generator(indices)
        places = self._places(self.owner[indices], generator)
        images = targets = self._cut(self.images, places)
        if self.targets is not None:
            targets = self._cut(self.targets, places)
        if self.degrade is not None:
            images = self._degrade(images, generator)
        batch = torch.from_numpy(images)
        return batch, batch if targets is images else torch.from_numpy(targets)

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
        room = [length - side + 1 for length in self.images[owner].shape[:2]]
        starts = [int(torch.randint(r, (), generator=generator)) for r in room]
        return [slice(start, start + side) for start in starts]

    def _cut(self, images, places):
        if self.crop_size is not None:
            return np.stack([images[i][rows, columns] for i, rows, columns in places])
        if isinstance(images, np.ndarray):
            return images[places]
        return np.stack([images[i] for i in places])

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
        height, width, n_channels = self.images[0].shape
        if self.crop_size is None:
            return height, width, n_channels
        return self.crop_size, self.crop_size, n_channels

    def sample(self, n_images):
        """Targets of up to ``n_images`` items spread over the set, to start from.

        A model starts from what it is to produce: its atoms are then clean, and a short
        code of something spoilt already restores much of it.
        """
        n_images = min(n_images, len(self))
        indices = np.linspace(0, len(self) - 1, n_images).round().astype(int)
        return self.__getitems__(indices)[1]


def identity(batch):
    """Collate function for batches that are whole already."""
    return batch
