"""Whole batches of photos of one size, or of crops of photos of any size."""

import collections
import dataclasses

import numpy as np
import torch
from torch.utils.data import Dataset

from sklearn_sparsevae.training.augmentation import draw_ways, turned
from sklearn_sparsevae.training.seeds import OwnGenerator

# Crops an epoch has at least: fewer would not be worth its bookkeeping.
_MIN_CROPS = 1024


@dataclasses.dataclass(frozen=True)
class BatchPlan:
    """What a batch is made of; nothing of it has been read yet.

    Attributes
    ----------
    owners : ndarray of int (n,)
        Photo of each item.
    starts : ndarray of int (n, 2), or None
        Row and column where its crop starts; None stands for whole photos.
    seed : int or None
        Of what degrades the batch.
    ways : ndarray of int (n,), or None
        How each is turned and mirrored; None leaves all as they are.
    """

    owners: np.ndarray
    starts: np.ndarray | None
    seed: int | None
    ways: np.ndarray | None = None

    def __getitem__(self, part):
        """Return the plan of some of the items, a slice.

        What degrades them has a seed of its own, which is that of the batch for its
        first items.
        """
        starts = None if self.starts is None else self.starts[part]
        first = part.indices(len(self.owners))[0]
        seed = None if self.seed is None else (self.seed + first) % 2**31
        ways = None if self.ways is None else self.ways[part]
        return BatchPlan(self.owners[part], starts, seed, ways)


class ImageBatches(Dataset):
    """Batches of unit images, float32 and channels last, made a batch at a time.

    An item is a photo, or a crop of one. `BatchLoader` plans and makes batches.

    Parameters
    ----------
    photos : Photos
        With their targets, conditions and side of crops. A batch is cut from them and
        scaled when it is asked for. To cut crops, each photo of a batch is read once,
        and only one is held at a time.
    fixed : bool
        The same crops, degraded alike, every time (for validation).
    members : ndarray of int, default=None
        Which images take part; None stands for all.
    degrade : callable, default=None
        ``degrade(images, random_state=...)`` degrades each batch of images, not of
        targets, afresh.
    augment : bool
        Turn and mirror images and their targets at random, before they are degraded.
        Does nothing to fixed ones.
    """

    def __init__(
        self, photos, fixed=False, *, members=None, degrade=None, augment=False
    ):
        self.photos, self.fixed, self.degrade = photos, fixed, degrade
        self.augment = augment and not fixed
        self.shapes = photos.shapes
        self.owner = np.arange(len(photos)) if members is None else members
        crop_size = photos.crop_size
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
        return self.batch([index])

    def plan(self, indices):
        """Draw what a batch of the items of these indices is made of.

        All that is random is drawn here, so that batches can be made ahead, elsewhere
        and in parts.

        Returns
        -------
        plan : BatchPlan
        """
        indices = np.asarray(indices)
        owners, generator = self.owner[indices], self._generator(indices)
        starts = seed = ways = None
        if self.photos.crop_size is not None:
            starts = np.array([self._corner(owner, generator) for owner in owners])
        if self.degrade is not None:
            seed = int(torch.randint(2**31, (), generator=generator))
        if self.augment:
            height, width, _ = self.image_shape
            ways = draw_ways(len(owners), height == width, generator)
        return BatchPlan(owners, starts, seed, ways)

    def make(self, plan):
        """Read, cut, degrade and scale what was planned: inputs and their targets.

        With conditions, the inputs are a dict of "images" and their "condition".
        """
        photos, places = self.photos, self._places(plan)
        images = self._cut(photos, places, plan.ways)
        targets = images
        if photos.targets is not None:
            targets = self._cut(photos.targets, places, plan.ways)
        if self.degrade is not None:
            images = self._degrade(images, plan.seed)
        batch = _unit(photos, images)
        if targets is not images:
            targets = _unit(photos.targets or photos, targets)
        else:
            targets = batch
        if photos.condition is None:
            return batch, targets
        given = torch.from_numpy(photos.condition[plan.owners])
        return {"images": batch, "condition": given}, targets

    def batch(self, indices):
        """Return inputs and their targets for a list of indices, see `make`."""
        return self.make(self.plan(indices))

    def _generator(self, indices):
        """Choose what draws at random: torch's own, or one that repeats itself."""
        if not self.fixed:
            return None
        return torch.Generator().manual_seed(int(indices[0]))

    def _corner(self, owner, generator):
        """Draw the row and column where a crop of a photo starts."""
        side = self.photos.crop_size
        room = [length - side + 1 for length in self.shapes[owner][:2]]
        return [int(torch.randint(r, (), generator=generator)) for r in room]

    def _places(self, plan):
        """Which images to cut, and where: an index for the array of images, or each."""
        if plan.starts is None:
            return plan.owners
        side = self.photos.crop_size
        return [
            (owner, slice(top, top + side), slice(left, left + side))
            for owner, (top, left) in zip(plan.owners, plan.starts, strict=True)
        ]

    def _cut(self, photos, places, ways):
        if self.photos.crop_size is None:
            images = photos[places].items
        else:
            images = _crops(photos, places)
        return images if ways is None else turned(images, ways)

    def _degrade(self, images, seed):
        # A copy, since the images may be the targets too.
        rng = np.random.RandomState(seed)
        with OwnGenerator(seed):  # for what draws by torch, whichever thread this is
            degraded = np.asarray(self.degrade(images.copy(), random_state=rng))
        kept = degraded.dtype == images.dtype or degraded.dtype.kind == "f"
        if degraded.shape != images.shape or not kept:
            raise ValueError(
                f"degrade turned images of shape {images.shape} and dtype "
                f"{images.dtype} into {degraded.shape} and {degraded.dtype}: it must "
                "keep the shape, and the dtype too unless it gives floats."
            )
        if degraded.dtype.kind == "f" and not np.isfinite(degraded).all():
            raise ValueError(
                "degrade gave NaN or infinity: it must give finite images."
            )
        return degraded

    @property
    def n_workers(self):
        """Threads that make batches ahead."""
        return self.photos.n_workers

    @property
    def image_shape(self):
        """``(H, W, C)`` of the images in a batch."""
        height, width, n_channels = self.shapes[0]
        side = self.photos.crop_size
        return (side or height, side or width, n_channels)

    def sample(self, n_images):
        """Return inputs and targets of up to ``n_images`` items over the whole set."""
        n_images = min(n_images, len(self))
        indices = np.linspace(0, len(self) - 1, n_images).round().astype(int)
        return self.batch(indices)


def _unit(photos, images):
    """Tensor of images with their range at [0, 1]."""
    return torch.from_numpy(photos.value_range.to_unit(images))


def _crops(photos, places):
    """Cut crops photo by photo: a lazy one is read once, and given up before the next.

    For that the crops are copies: a view would keep its whole photo in memory.
    """
    crops, of_photo = [None] * len(places), collections.defaultdict(list)
    for k, (owner, _, _) in enumerate(places):
        of_photo[owner].append(k)
    for owner, photo in photos.in_turn(sorted(of_photo)):
        for k in of_photo[owner]:
            _, rows, columns = places[k]
            crops[k] = photo[rows, columns].copy()
        del photo
    return np.stack(crops)
