"""From images to code coordinates and back, a batch at a time, as ndarrays.

Longer than other modules because all that estimators ask of a trained network is here:
codes, moments and usage, reconstructions of whole images, of tiles and over shifts.
"""

import itertools
import math

import numpy as np
import torch
from torch.nn import functional as F

from sklearn_sparsevae.bottlenecks import CompactCodes
from sklearn_sparsevae.training.autoencoder import channels_first, channels_last
from sklearn_sparsevae.training.devices import resolve_device
from sklearn_sparsevae.training.seeds import OwnGenerator

# Entries of dense codes, or of images, that a batch may hold: 32 MiB of float32.
_BATCH_ENTRIES = 2**23
# Largest share of non-zeros of a site that are decoded one by one.
_COMPACT = 1 / 8


class Coder:
    """Inference with a trained `Autoencoder`, on the device it is asked for.

    ``photos``, wherever they are taken, are of one size, and bring their condition.

    Parameters
    ----------
    module : Autoencoder
    device : str
        As in the estimators.
    """

    def __init__(self, module, device):
        self.device = resolve_device(device)
        self.module = module.to(self.device).eval()

    @property
    def n_components(self):
        """Atoms per site, or dimensions."""
        return self.module.bottleneck.n_components

    @property
    def n_mean_atoms(self):
        """Leading atoms of a site that code channel means."""
        return self.module.bottleneck.n_mean_dims

    def grid_shape(self, image_shape):
        """Sites ``(h, w)`` of images ``(H, W, C)``."""
        side = self.module.site_size
        return -(-image_shape[0] // side), -(-image_shape[1] // side)

    def batch_size(self, image_shape):
        """Images whose pixels and dense codes fit the memory that a batch may take."""
        height, width = self.grid_shape(image_shape)
        entries = height * width * self.n_components
        return max(1, _BATCH_ENTRIES // max(entries, math.prod(image_shape)))

    @torch.no_grad()
    def code(self, photos):
        """Yield ``(values, atoms, counts, thumbnails)`` for batch after batch.

        ``values`` and ``atoms`` hold the non-zeros site by site, ``counts`` how many
        each site has; ``thumbnails`` are the padded images ``(n, m * h, m * w, C)``,
        shrunk to m by m pixels per site, in uint8.
        """
        for unit, _ in self._unit_batches(photos):
            codes = self.module.bottleneck.encode(self.module.latents(unit))
            small = F.avg_pool2d(unit, _thumbnail_step(self.module.site_size))
            small = (255 * small.clamp(0, 1)).round().to(torch.uint8)
            yield (*code_coordinates(codes), small.permute(0, 2, 3, 1).cpu().numpy())

    @torch.no_grad()
    def moments(self, photos):
        """Yield means and standard deviations of dense codes, ``(n, h * w * K)``."""
        for unit, given in self._unit_batches(photos):
            latents = self.module.latents(unit)
            mean, log_variance = self.module.bottleneck.posterior(latents, **given)
            deviation = (0.5 * log_variance).exp()
            yield tuple(m.flatten(1).cpu().numpy() for m in (mean, deviation))

    @torch.no_grad()
    def thresholds(self, photos):
        """Yield what each atom has to exceed at each site, ``(n, h, w, n_atoms)``."""
        for unit, _ in self._unit_batches(photos):
            found = self.module.bottleneck.site_thresholds(self.module.latents(unit))
            yield found.cpu().numpy()

    @torch.no_grad()
    def reconstruct(self, photos, n_shifts=1):
        """Yield reconstructions ``(n, H, W, C)`` for batch after batch.

        Each is the mean over shifts of the grid of sites, as many as a site has pixels
        at most.
        """
        height, width = photos.layout.image_shape[:2]
        bottleneck = self.module.bottleneck
        shifts = grid_shifts(self.module.site_size, n_shifts)
        for unit, given in self._unit_batches(photos):
            unit, total = unit[..., :height, :width], 0
            for down, right in shifts:
                shifted = F.pad(unit, (right, 0, down, 0), mode="replicate")
                latents = self.module.latents(self.module.pad(shifted))
                codes = bottleneck.encode(latents, **given)
                output = self.module.images(bottleneck.decode(codes, **given))
                total = total + output[..., down : down + height, right : right + width]
            yield _as_arrays(total / len(shifts))

    @torch.no_grad()
    def evidence_bounds(self, photos, n_draws, seed):
        """Yield lower bounds of log p(x), in nats, float64 ``(n,)``.

        ``-||x - f(z)||^2 / (2 c) - D / 2 log(2 pi c) - KL``, for unit images of D
        numbers and the mean over draws of z, which are the same for all images.
        """
        height, width, n_channels = photos.layout.image_shape
        variance = self.module.bottleneck.noise_variance
        n_numbers = height * width * n_channels
        constant = 0.5 * n_numbers * math.log(2 * math.pi * variance)
        for unit, given in self._unit_batches(photos):
            latents = self.module.latents(unit)
            unit, total = unit[..., :height, :width].double(), 0.0
            with OwnGenerator(seed):
                for _ in range(n_draws):
                    drawn, nats = self.module.bottleneck.draw(latents, **given)
                    output = self.module.images(drawn)[..., :height, :width]
                    error = (output - unit).square().flatten(1).sum(1)
                    total = total - error / (2 * variance) - nats.double()
            bound = total / n_draws - constant  # [Lecture evidence lower bound]
            yield bound.cpu().numpy()

    @torch.no_grad()
    def latent_usage(self, batches, n_images):
        """KL divergence in nats of each dimension, and how many are active.

        Over up to ``n_images`` items of ``batches``, an `ImageBatches`, and all sites.
        """
        totals, n_sites = 0.0, 0
        images, given = batches.sample(n_images)[0], {}
        if isinstance(images, dict):
            images, condition = images["images"], images["condition"]
            given = {"condition": condition.split(self.batch_size(images.shape[1:]))}
        for i, part in enumerate(images.split(self.batch_size(images.shape[1:]))):
            unit = self.module.pad(channels_first(part.to(self.device)))
            known = {name: rows[i].to(self.device) for name, rows in given.items()}
            latents = self.module.latents(unit)
            mean, nats = self.module.bottleneck.usage(latents, **known)
            figures = torch.stack([nats, mean, mean**2]).double().flatten(1, 3)
            totals, n_sites = totals + figures.sum(1), n_sites + figures.shape[1]
        nats, mean, square = (totals / n_sites).cpu().numpy()
        return nats, self.module.bottleneck.count_active(square - mean**2)

    def reconstruct_tiles(self, photos, tile, n_shifts=1):
        """Reconstructions ``(n, H, W, C)`` from tiles that fade into one another.

        Parameters
        ----------
        photos : Photos
        tile : int
            Side of a tile in pixels; rounded up to whole sites, and to at least four.
        n_shifts : int
            As in `reconstruct`.
        """
        image_shape = photos.layout.image_shape
        output = np.zeros((len(photos), *image_shape), np.float32)
        size = self.batch_size([min(tile, side) for side in image_shape])
        for i, batch in enumerate(photos.read(size)):
            self._add_tiles(batch, tile, n_shifts, output[i * size : (i + 1) * size])
        return output

    def _add_tiles(self, photos, tile, n_shifts, output):
        """Add the tiles of a batch of photos to what is all zero."""
        sides = (self._tiles(length, tile) for length in output.shape[1:3])
        tiles = list(itertools.product(*sides))
        for (rows, row_weights), (columns, column_weights) in tiles:
            weights = row_weights[:, None, None] * column_weights[:, None]
            done = 0
            for part in self.reconstruct(photos.window(rows, columns), n_shifts):
                batch = slice(done, done + len(part))
                output[batch, rows, columns] += weights * part
                done += len(part)
            photos.count(len(photos) / len(tiles))

    def _tiles(self, length, tile):
        """Yield the slices of one axis and their weights, which sum to one everywhere.

        Tiles start at whole sites and share a quarter of their side with the next one,
        along which one fades out as linearly as the other fades in.
        """
        side = self.module.site_size
        n_sites = max(4, -(-min(tile, length) // side))
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
    def decode(self, sites, grid_shape, height, width, condition=None):
        """Images ``(n, height, width, C)`` of codes, a csr_array with a row per site.

        ``grid_shape`` are the sites of an image; ``condition`` is None or rows ``(n,
        p)``, one for each image.
        """
        codes = self._lay_out(sites, grid_shape)
        latents = self.module.bottleneck.decode(codes, **self._given(condition))
        return self._finish(latents, height, width)

    def _lay_out(self, sites, grid_shape):
        """Codes for the bottleneck, written out over all atoms if many are used."""
        counts = np.diff(sites.indptr)
        most = max(1, counts.max())
        if most > _COMPACT * sites.shape[1]:
            return self._grid_of(sites.toarray(), grid_shape)
        filled = np.arange(most) < counts[:, None]
        indices = np.full(filled.shape, -1, np.int64)
        values = np.zeros(filled.shape, np.float32)
        indices[filled], values[filled] = sites.indices, sites.data
        return CompactCodes(
            self._grid_of(indices, grid_shape), self._grid_of(values, grid_shape)
        )

    def _grid_of(self, rows, grid_shape):
        """Tensor ``(n, h, w, ...)`` of what belongs to each site."""
        return torch.from_numpy(rows).to(self.device).unflatten(0, (-1, *grid_shape))

    @torch.no_grad()
    def sample(self, n_samples, grid_shape, seed):
        """Dense codes ``(n_samples, h, w, K)`` from the prior of the bottleneck."""
        with OwnGenerator(seed):
            codes = self.module.bottleneck.sample(n_samples, grid_shape)
        return codes.cpu().numpy()

    def components(self):
        """Return the atoms ``(n_components, latent_dim)``."""
        return self.module.bottleneck.components.detach().cpu().numpy().copy()

    def _unit_batches(self, photos):
        """Yield padded unit images, and what else the bottleneck takes, by name."""
        for batch in photos.batches(self.batch_size(photos.layout.image_shape)):
            unit = channels_first(torch.from_numpy(batch.unit()).to(self.device))
            yield self.module.pad(unit), self._given(batch.condition)

    def _given(self, condition):
        if condition is None:
            return {}
        return {"condition": torch.from_numpy(condition).to(self.device)}

    def _finish(self, latents, height, width):
        return _as_arrays(self.module.images(latents)[..., :height, :width])


def grid_shifts(side, n_shifts):
    """Rows and columns by which to shift a grid of sites, each far from those before.

    Parameters
    ----------
    side : int
        Pixels a side of a site.
    n_shifts : int
        More than the pixels of a site has no effect.

    Returns
    -------
    shifts : list of tuple (down, right)
        Distinct, from (0, 0) on. The first four are half a side apart, the first
        sixteen a quarter, and so on.
    """
    shifts = {}
    for number in range(4 ** math.ceil(math.log2(side))):
        down = right = 0.0
        step = side
        while number:  # its digits to the base of four say which quarter of a quarter
            number, quarter = divmod(number, 4)
            step /= 2
            down += step * (quarter in (1, 3))
            right += step * (quarter in (1, 2))
        shifts[int(down), int(right)] = None
        if len(shifts) == n_shifts:
            break
    return list(shifts)


def _as_arrays(images):
    return channels_last(images).contiguous().cpu().numpy()


def _thumbnail_step(site_size):
    """Pixels of the image per pixel of its thumbnail; a site has at most 4 by 4."""
    return min(site_size, max(2, site_size // 4))


def code_coordinates(codes):
    """Non-zeros of codes in order of site and atom: values, atoms, counts per site."""
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
    repeats = (indices[:, :-1] == indices[:, 1:]) & (indices[:, 1:] >= 0)
    for i in np.flatnonzero(repeats.any(0)):  # none of a pursuit
        rows = repeats[:, i]
        values[rows, i + 1] += values[rows, i]
        values[rows, i] = 0
    kept = (values != 0) & (indices >= 0)
    return values[kept], indices[kept], kept.sum(1)
