"""Missing pixels by sparse codes of what is known of overlapping patches.

A dictionary is learned on patches of clean photos, without their channel means, which
are atoms of their own. Each patch of a photo with gaps is coded by orthogonal matching
pursuit over the rows of the dictionary that are known there; the code also says what is
missing, and patches are averaged where they overlap (Elad 2010, Chapter 15).
"""

import dataclasses

import _common
import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view

from sklearn_sparsevae.sparse import learn_dictionary

_CHUNK = 4096  # patches coded at once


@dataclasses.dataclass(frozen=True)
class PatchInpainter:
    """Dictionary for patches ``(side, side, C)`` and how they are coded.

    Attributes
    ----------
    atoms : ndarray (K, side * side * C)
        The first C are constant channels, which all patches take.
    side, n_channels, stride, n_nonzero_coefs : int
    ridge : float
        Added to the diagonal of the normal equations: few known pixels say little.
    """

    atoms: np.ndarray
    side: int
    n_channels: int
    stride: int = 2
    n_nonzero_coefs: int = 8
    ridge: float = 0.03

    @classmethod
    def learn(
        cls, photos, side, n_components=256, n_patches=40_000, seed=0, **settings
    ):
        """Learn the dictionary on patches of photos ``(H, W, C)`` in [0, 1]."""
        rng = np.random.RandomState(_common.SEED)
        n_channels = photos[0].shape[-1]
        rows = []
        for photo in photos:
            patches = _patches(photo, side, 1)[0]
            chosen = rng.choice(len(patches), n_patches // len(photos))
            rows.append(patches[chosen])
        rows = np.concatenate(rows).astype(np.float32)
        means = rows.reshape(len(rows), -1, n_channels).mean(1)
        rows -= np.tile(means, side * side)
        constant = np.tile(np.eye(n_channels, dtype=np.float32), side * side) / side
        atoms = learn_dictionary(
            rows,
            n_components,
            n_nonzero_coefs=6,
            n_iter=150,
            batch_size=2048,
            seed=seed,
        )
        return cls(np.concatenate([constant, atoms]), side, n_channels, **settings)

    def __call__(self, photo, missing):
        """Fill the missing pixels ``(H, W)`` of a photo ``(H, W, C)`` in [0, 1]."""
        known = np.repeat(~missing[..., None], self.n_channels, -1).astype(np.float32)
        patches, corners = _patches(photo.astype(np.float32), self.side, self.stride)
        masks, _ = _patches(known, self.side, self.stride)
        total, count = np.zeros(photo.shape), np.zeros(photo.shape)
        atoms = torch.from_numpy(self.atoms)
        for start in range(0, len(patches), _CHUNK):
            part = slice(start, start + _CHUNK)
            given = torch.from_numpy(masks[part])
            coded = self._code(torch.from_numpy(patches[part]) * given, given, atoms)
            shape = (-1, self.side, self.side, self.n_channels)
            for patch, (top, left) in zip(
                coded.numpy().reshape(shape), corners[part], strict=True
            ):
                place = slice(top, top + self.side), slice(left, left + self.side)
                total[place] += patch
                count[place] += 1
        return np.where(missing[..., None], total / count, photo)

    def _code(self, rows, known, atoms):
        """Rows ``(N, n)`` decoded from codes of their known numbers."""
        norms = (known @ atoms.square().T).sqrt().clamp(min=1e-3)
        chosen = torch.arange(self.n_channels).expand(len(rows), -1)
        while True:
            picked = atoms[chosen]  # (N, S, n)
            seen = picked * known[:, None]
            penalty = torch.full((chosen.shape[1],), self.ridge)
            penalty[: self.n_channels] = 1e-4  # means are not drawn to zero
            gram = seen @ seen.mT + torch.diag(penalty)
            values = torch.linalg.solve(gram, (seen @ rows[..., None]))
            decoded = (values.mT @ picked)[:, 0]
            if chosen.shape[1] == self.n_channels + self.n_nonzero_coefs:
                return decoded
            scores = ((rows - decoded * known) @ atoms.T).abs() / norms
            scores.scatter_(1, chosen, -1.0)
            chosen = torch.cat([chosen, scores.argmax(1, keepdim=True)], 1)


def _patches(image, side, stride):
    """Patches ``(N, side * side * C)``, up to all borders, and their corners."""
    starts = [
        np.unique(np.r_[np.arange(0, length - side, stride), length - side])
        for length in image.shape[:2]
    ]
    windows = sliding_window_view(image, (side, side), axis=(0, 1))
    windows = windows[np.ix_(*starts)].transpose(0, 1, 3, 4, 2)
    corners = np.stack(np.meshgrid(*starts, indexing="ij"), -1).reshape(-1, 2)
    return np.ascontiguousarray(windows).reshape(len(corners), -1), corners
