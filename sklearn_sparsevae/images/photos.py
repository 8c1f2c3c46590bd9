"""Photos: images with all that is known of them, opened and checked once."""

import dataclasses

import numpy as np

from sklearn_sparsevae._ahead import ahead
from sklearn_sparsevae._progress import SILENT
from sklearn_sparsevae.images.layouts import Layout
from sklearn_sparsevae.images.ranges import ValueRange, value_span
from sklearn_sparsevae.images.sliced import SlicedPhotos


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Photos:
    """Images, or what stands for them, as an estimator hands them down.

    A slice, or an array of integers, gives the photos that it selects; those that are
    not in memory are read then.

    Attributes
    ----------
    items : ndarray or SlicedPhotos (n, H, W, C), or sequence of ndarrays (H, W, C)
        The images, channels last, in the dtype that they came in: an array, also a
        memory map or one that is read slice by slice, where they are of one size;
        otherwise a list or `LazyPhotos`.
    layout : Layout
        How they came.
    value_range : ValueRange
        What their numbers mean.
    targets : Photos, default=None
        What they are to become; None stands for themselves.
    condition : ndarray of float32 (n, p), default=None
        What else is known of each.
    crop_size : int, default=None
        Side of square crops to train on; None stands for whole images.
    n_workers : int, default=0
        Threads that read ahead what is not in memory.
    bar : object, default=None
        What `batches` tells, by ``bar.update(n)``, how many have been worked on. None:
        nobody has asked yet.
    """

    items: object
    layout: Layout
    value_range: ValueRange
    targets: "Photos | None" = None
    condition: np.ndarray | None = None
    crop_size: int | None = None
    n_workers: int = 0
    bar: object = None

    def __repr__(self):
        height, width, n_channels = self.layout.image_shape
        size = f"{height} x {width}" if self.is_one_size else "several sizes"
        known = [f"{len(self)} of {size}", f"{n_channels} channel(s)"]
        dtype = getattr(self.items, "dtype", None)
        known.append(f"{dtype or type(self.items).__name__}")
        known += ["with targets"] * (self.targets is not None)
        known += ["with a condition"] * (self.condition is not None)
        known += [f"crops of {self.crop_size}"] * (self.crop_size is not None)
        return f"<Photos: {', '.join(known)}>"

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        if self._is_array:
            items = self.items[index]
        else:
            items = [self.items[i] for i in np.arange(len(self))[index]]
            if self.is_one_size or len(items) == 1:
                items = np.stack(items)
        targets = None if self.targets is None else self.targets[index]
        condition = None if self.condition is None else self.condition[index]
        known = {"targets": targets, "condition": condition}
        if isinstance(items, np.ndarray):
            known["layout"] = dataclasses.replace(
                self.layout, image_shape=items.shape[1:]
            )
        return dataclasses.replace(self, items=items, **known)

    @property
    def shapes(self):
        """List of the shapes ``(H, W, C)``."""
        if self._is_array:
            return [self.items.shape[1:]] * len(self)
        return getattr(self.items, "shapes", None) or [p.shape for p in self.items]

    @property
    def _is_array(self):
        return isinstance(self.items, np.ndarray | SlicedPhotos)

    @property
    def is_one_size(self):
        """Whether all images have one size."""
        return self.layout.image_shape[0] is not None

    @property
    def trained_layout(self):
        """Layout of what is trained on: crops, where images differ in size."""
        if self.is_one_size:
            return self.layout
        shape = self.crop_size, self.crop_size, self.layout.channels
        return dataclasses.replace(self.layout, image_shape=shape)

    @property
    def smallest_side(self):
        """Pixels of the shortest side of all images."""
        return min(min(shape[:2]) for shape in self.shapes)

    def parts(self):
        """Yield photos of one size: all of them, or one after another."""
        if self.is_one_size:
            yield self
            return
        yield from self.read(1)

    def gather(self, results):
        """Return the results of `parts`: that of all photos, or a list, one of each."""
        results = list(results)
        return results[0] if self.is_one_size else results

    def batches(self, size):
        """Yield the photos, at most so many at a time, read if they were not.

        Those of a batch are counted when the next one is asked for, and only here:
        batches of a batch are not.

        Parameters
        ----------
        size : int
        """
        for batch in self.read(size):
            yield dataclasses.replace(batch, bar=SILENT)
            self.count(len(batch))

    def read(self, size):
        """Yield the photos, at most so many at a time, read ahead; none is counted."""
        slices = (slice(i, i + size) for i in range(0, len(self), size))
        in_memory = isinstance(self.items, np.ndarray | list)
        return ahead(self.__getitem__, slices, 0 if in_memory else self.n_workers)

    def count(self, n):
        """Tell the bar, if there is one, that so many have been worked on."""
        if self.bar is not None:
            self.bar.update(n)

    def unit(self):
        """Images of one size as float32 ``(n, H, W, C)`` with their range at [0, 1].

        For reading: it may be the user's own array.
        """
        return self.value_range.to_unit(self[:].items)

    def window(self, rows, columns):
        """Return the same part of every image of one size, ``rows`` by ``columns``.

        Parameters
        ----------
        rows, columns : slice
        """
        items = self[:].items[:, rows, columns]
        layout = dataclasses.replace(self.layout, image_shape=items.shape[1:])
        known = {"targets": None, "bar": SILENT}
        return dataclasses.replace(self, items=items, layout=layout, **known)

    def floats(self):
        """Images of one size as floats in the range that images come out in."""
        images = self.value_range.as_floats(self[:].items)
        return self.layout.restore(images)

    def span(self):
        """Smallest and largest number of all images."""
        if isinstance(self.items, np.ndarray):
            return value_span(self.items)
        if isinstance(self.items, SlicedPhotos):
            every = self.items.blocks(np.arange(len(self)))
        else:
            every = self.in_turn(range(len(self)))
        spans = [value_span(images) for _, images in every]
        return float(np.min(spans)), float(np.max(spans))

    def in_turn(self, indices):
        """Yield ``(i, image)`` for sorted indices; few that are read are held at once.

        Parameters
        ----------
        indices : sequence of int
            Distinct.
        """
        if isinstance(self.items, SlicedPhotos):
            for places, images in self.items.blocks(indices):
                yield from zip(places, images, strict=True)
            return
        for i in indices:
            yield i, self.items[i]

    def with_crops(self, crop_size):
        """Return the same photos, to be trained on through crops."""
        if crop_size is not None and self.layout.kind in ("flat", "vector"):
            raise ValueError(
                f"crop_size={crop_size} needs images (n, H, W, C) or (n, H, W), got "
                "flat rows: reshape them or leave crop_size out."
            )
        smallest = self.smallest_side
        if crop_size is not None and crop_size > smallest:
            raise ValueError(
                f"crop_size={crop_size} exceeds the {smallest} pixels of the smallest "
                "side in X: lower crop_size or leave that photo out."
            )
        return dataclasses.replace(self, crop_size=crop_size)
