"""What every transformer of images to codes shares: codes, images back, scores."""

from __future__ import annotations

import abc
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassNamePrefixFeaturesOutMixin

from sklearn_sparsevae._arguments import check_out, whole_number, write_blocks
from sklearn_sparsevae._typing import Images, ImagesOut, Unused
from sklearn_sparsevae.estimators._generation import GenerationMixin
from sklearn_sparsevae.estimators._image_estimator import ImageEstimator
from sklearn_sparsevae.images import InputSpec


class ImageTransformer(
    GenerationMixin, ClassNamePrefixFeaturesOutMixin, ImageEstimator
):
    """A net between images and codes; with the parameters of `_parameters.Target` too.

    A subclass says how photos of one size become codes (`_code`) and reconstructions
    (`_rebuild`), and how many fit into a batch.
    """

    _loss_name = "loss per site"  # beside its curve

    @abc.abstractmethod
    def _code(self, photos):
        """Codes of photos of one size."""

    @abc.abstractmethod
    def _rebuild(self, photos):
        """Reconstruct photos of one size as unit images ``(n, H, W, C)``."""

    @abc.abstractmethod
    def _batch_size(self, photos):
        """How many photos of this size may be in memory."""

    def _make_spec(self):
        """How the parameters say that input is to be read."""
        return InputSpec.of(self.image_shape, self.value_range, self.target)

    # ---- codes and images -----------------------------------------------------------

    def _codes_of(self, X):
        """Codes of images, as `transform` returns them whatever `set_output` says."""
        with self._counted(self._open_to_code(X), "transform") as photos:
            return photos.gather(self._code(part) for part in photos.parts())

    def iter_transform(self, X: Images, batch_size: int | None = None) -> Iterator[Any]:
        """Yield codes block by block, so that neither images nor codes fill the memory.

        Parameters
        ----------
        X : array-like, list of photos or sequence
            As in `transform`.
        batch_size : int, default=None
            Images in a block; None takes as many as `transform` codes at once. Where
            photos differ in size, a block is one photo.

        Yields
        ------
        codes : as `transform` returns them
            Of the next images, one row each. Together they are what `transform` gives;
            to the last bit with ``batch_size=None``, otherwise up to rounding.
        """
        photos = self._open_to_code(X)
        return self._in_blocks(photos, self._code, "transform", batch_size)

    def iter_reconstruct(
        self, X: Images, batch_size: int | None = None
    ) -> Iterator[NDArray[np.float32]]:
        """Yield reconstructions block by block.

        Parameters
        ----------
        X : array-like, list of photos or sequence
            As in `reconstruct`.
        batch_size : int, default=None
            As in `iter_transform`.

        Yields
        ------
        images : ndarray of float32
            Of the next images, in the layout of ``X``; where photos differ in size, of
            one photo, ``(1, H, W, C)`` or ``(1, H, W)``.
        """
        photos = self._open_to_code(X)
        rebuild = self._finished(self._rebuild)
        return self._in_blocks(photos, rebuild, "reconstruct", batch_size)

    def _open_to_code(self, X):
        """Photos with all that coding them takes."""
        return self._open(X)

    def _in_blocks(self, photos, function, method, size=None):
        """Yield what a function makes of block after block of photos of one size."""
        if size is not None:
            size = whole_number(size, "batch_size")

        def results():
            with self._counted(photos, method) as counted:
                yield from map(function, self._blocks(counted, size))

        return results()

    def _blocks(self, photos, size=None):
        """Yield photos of one size, as many as one batch of the network takes."""
        for part in photos.parts():
            yield from part.batches(size or self._batch_size(part))

    def _finished(self, rebuild):
        """Return a function that gives what ``rebuild`` makes its range and layout."""
        return lambda photos: self._finish(rebuild(photos), photos.layout.kind)

    def _images_to(self, out, photos, rebuild):
        """Write images that ``rebuild`` makes to an array, block by block."""
        if not photos.is_one_size:
            raise ValueError(
                "out= needs images of one size, but those of X differ: take them from "
                "iter_reconstruct, one by one."
            )
        height, width, _ = photos.layout.image_shape
        check_out(out, photos.layout.shape_of(len(photos), height, width), np.float32)
        finished = self._finished(rebuild)
        return write_blocks(self._in_blocks(photos, finished, "reconstruct"), out)

    def _images_of(self, photos, rebuild):
        """Images that ``rebuild`` makes of photos, a list if they differ in size."""
        kind = photos.layout.kind
        with self._counted(photos, "reconstruct") as photos:
            parts = (self._finish(rebuild(part), kind) for part in photos.parts())
            return photos.gather(p if photos.is_one_size else p[0] for p in parts)

    # ---- scores ---------------------------------------------------------------------

    def compare(self, X: Images, y: Unused = None) -> tuple[ImagesOut, ImagesOut]:
        """Return what `score` compares: images, and what the model makes of them.

        Parameters
        ----------
        X : array-like, list of photos or sequence
            As in `transform`.
        y : array-like, default=None
            With ``target="y"`` the images that those of ``X`` are to become; not used
            otherwise.

        Returns
        -------
        targets, outputs : ndarray of float of the shape of X, or lists of ndarray
            Both in the range ``value_range_``; lists, photo by photo, where photos
            differ in size.
        """
        photos = self._open_pair(X, y)
        targets = photos if photos.targets is None else photos.targets
        outputs = self._images_of(photos, self._rebuild)
        if targets.is_one_size:
            return targets.floats(), outputs
        return [part.floats()[0] for part in targets.parts()], outputs

    def score(self, X: Images, y: Unused = None) -> float:
        """Peak signal-to-noise ratio of the reconstruction, in dB, mean over images.

        Parameters
        ----------
        X : array-like, list of photos or sequence
            As in `transform`.
        y : array-like, default=None
            With ``target="y"`` the images to compare with, of the shape of ``X``. Not
            used otherwise, whatever it is: then ``X`` is compared with.

        Returns
        -------
        psnr : float
            Higher is better.
        """
        values = []
        with self._counted(self._open_pair(X, y), "score") as photos:
            for batch in self._blocks(photos):
                targets, outputs = self.compare(batch)
                values.extend(self._psnr(targets, outputs))
        return float(np.mean(values))
