"""From images to code coordinates and back, a batch at a time, as ndarrays."""

import numpy as np
import torch
from torch.nn import functional as F

from sklearn_sparsevae.bottlenecks import CompactCodes
from sklearn_sparsevae.training.batching import as_batch
from sklearn_sparsevae.training.devices import resolve_device

# Entries of dense codes that one batch may hold: 32 MiB of float32.
_BATCH_ENTRIES = 2**23


class Coder:
    """Inference with a trained `Autoencoder`, on the device it is asked for.

    Parameters
    ----------
    module : Autoencoder
    device : str
        As in the estimators.
    """

    def __init__(self, module, device):
        self.device = resolve_device(device)
        self.module = module.to(self.device).eval()

    def grid_shape(self, image_shape):
        """Sites ``(h, w)`` of images ``(H, W, C)``."""
        side = self.module.site_size
        return -(-image_shape[0] // side), -(-image_shape[1] // side)

    def batch_size(self, image_shape):
        """Images whose dense codes fit the memory that one batch may take."""
        height, width = self.grid_shape(image_shape)
        entries = height * width * self.module.bottleneck.n_components
        return max(1, _BATCH_ENTRIES // entries)

    @torch.no_grad()
    def code(self, images):
        """Yield ``(values, atoms, counts, thumbnails)`` for batch after batch.

        ``values`` and ``atoms`` hold the non-zeros site by site, ``counts`` how many
        each site has; ``thumbnails`` are the padded images ``(n, m * h, m * w, C)``,
        shrunk to m by m pixels a site, in uint8.
        ``images`` needs a length, a ``shape``, and slices that are arrays.
        """
        for unit in self._unit_batches(images):
            codes = self.module.bottleneck.encode(self.module.latents(unit))
            small = F.avg_pool2d(unit, _thumbnail_step(self.module.site_size))
            small = (255 * small.clamp(0, 1)).round().to(torch.uint8)
            yield (*_coordinates(codes), small.permute(0, 2, 3, 1).cpu().numpy())

    @torch.no_grad()
    def reconstruct(self, images):
        """Yield reconstructions ``(n, H, W, C)`` for batch after batch."""
        height, width = images.shape[1:3]
        for unit in self._unit_batches(images):
            bottleneck = self.module.bottleneck
            codes = bottleneck.encode(self.module.latents(unit))
            yield self._finish(bottleneck.decode(codes), height, width)

    def reconstruct_tiles(self, images, tile):
        """Reconstructions ``(n, H, W, C)`` from tiles that fade into one another.

        Parameters
        ----------
        images : ndarray (n, H, W, C)
        tile : int
            Side of a tile in pixels; rounded up to whole sites, and to at least four.
        """
        output = np.zeros(images.shape, np.float32)
        for rows, row_weights in self._tiles(images.shape[1], tile):
            for columns, column_weights in self._tiles(images.shape[2], tile):
                weights = row_weights[:, None, None] * column_weights[:, None]
                done = 0
                for part in self.reconstruct(images[:, rows, columns]):
                    batch = slice(done, done + len(part))
                    output[batch, rows, columns] += weights * part
                    done += len(part)
        return output

    def _tiles(self, length, tile):
        """Yield the slices of one axis and their weights, which sum to one everywhere.

        Tiles start at whole sites and share a quarter of their side with the next one,
        along which one fades out as linearly as the other fades in.
        """
        side = self.module.site_size
        n_sites = max(4, -(-tile // side))
        overlap = n_sites // 4 * side
        step = n_sites * side - overlap
        ramp = (np.arange(overlap, dtype=np.float32) + 0.5) / overlap
        for start in range(0, max(1, length - overlap), step):
            end = min(start + step + overlap, length)
            weights = np.ones(end - start, np.float32)
            if start > 0:
                weights[:overlap] = ramp
            if end < length:
                weights[-overlap:] = ramp[::-1]
            yield slice(start, end), weights

    @torch.no_grad()
    def decode(self, codes, height, width):
        """Images ``(n, height, width, C)`` of dense codes ``(n, h, w, K)``."""
        codes = torch.from_numpy(codes).to(self.device)
        return self._finish(self.module.bottleneck.decode(codes), height, width)

    def components(self):
        """Return the atoms ``(n_components, latent_dim)``."""
        return self.module.bottleneck.components.detach().cpu().numpy().copy()

    def _unit_batches(self, images):
        size = self.batch_size(images.shape[1:])
        for start in range(0, len(images), size):
            # A copy, since torch warns of arrays that it may not write to.
            batch = torch.from_numpy(as_batch(np.array(images[start : start + size])))
            yield self.module.pad(self.module.to_unit(batch.to(self.device)))

    def _finish(self, latents, height, width):
        images = self.module.images(latents)[..., :height, :width]
        return self.module.from_unit(images).contiguous().cpu().numpy()


def _thumbnail_step(site_size):
    """Pixels of the image to one of its thumbnail, per axis: at most 4 by 4 a site."""
    return min(site_size, max(2, site_size // 4))


def _coordinates(codes):
    """Non-zeros of codes in order of site and atom: values, atoms, counts of a site."""
    if isinstance(codes, CompactCodes):
        return _merge(codes.indices.cpu().numpy(), codes.values.cpu().numpy())
    rows = codes.flatten(0, 2)
    site, atom = rows.nonzero(as_tuple=True)
    counts = (rows != 0).sum(1)
    return (
        rows[site, atom].cpu().numpy(),
        atom.to(torch.int32).cpu().numpy(),
        counts.cpu().numpy(),
    )


def _merge(indices, values):
    """Sort the atoms of every site and add up the values of those that repeat."""
    indices, values = (a.reshape(-1, a.shape[-1]) for a in (indices, values))
    # One integer for atom and value: sorting whole numbers is what numpy does fastest.
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    pairs = np.sort(indices << 32 | bits, axis=1)
    indices = (pairs >> 32).astype(np.int32)
    values = pairs.astype(np.uint32).view(np.float32)
    for i in range(indices.shape[1] - 1):
        repeats = indices[:, i] == indices[:, i + 1]
        values[repeats, i + 1] += values[repeats, i]
        values[repeats, i] = 0
    kept = (values != 0) & (indices >= 0)
    return values[kept], indices[kept], kept.sum(1)
