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
        The same crops every time (for validation).
    """

    def __init__(self, images, crop_size=None, fixed=False):
        self.images, self.crop_size, self.fixed = images, crop_size, fixed
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
        """Return images (also as targets) for a list of indices."""
        indices = np.asarray(indices)
        owners = self.owner[indices]
        if self.crop_size is None:
            batch = self._whole(owners)
        else:
            generator = self._generator(indices)
            batch = np.stack([self._crop(owner, generator) for owner in owners])
        batch = torch.from_numpy(batch)
        return batch, batch

    def _whole(self, owners):
        if isinstance(self.images, np.ndarray):
            return self.images[owners]
        return np.stack([self.images[i] for i in owners])

    def _generator(self, indices):
        """Choose what draws crop positions: torch's own, or one that repeats itself."""
        if not self.fixed:
            return None
        return torch.Generator().manual_seed(int(indices[0]))

    def _crop(self, owner, generator):
        image, side = self.images[owner], self.crop_size
        room = (image.shape[0] - side + 1, image.shape[1] - side + 1)
        top, left = (int(torch.randint(r, (), generator=generator)) for r in room)
        return image[top : top + side, left : left + side]

    @property
    def image_shape(self):
        """``(H, W, C)`` of the images in a batch."""
        height, width, n_channels = self.images[0].shape
        if self.crop_size is None:
            return height, width, n_channels
        return self.crop_size, self.crop_size, n_channels

    def sample(self, n_images):
        """Up to ``n_images`` items spread over the set, to start a model from."""
        n_images = min(n_images, len(self))
        indices = np.linspace(0, len(self) - 1, n_images).round().astype(int)
        return self.__getitems__(indices)[0]


def identity(batch):
    """Collate function for batches that are whole already."""
    return batch
