"""Trains a denoiser, from clean photos or from noisy ones, and restores images with it.

From clean photos noise of random strength is added to crops. From noisy photos, whose
white Gaussian noise has a known deviation sigma, pairs come from each crop y alone
(Recorrupted-to-Recorrupted, Pang et al. 2021)::

    input  y + alpha sigma n,    target  y - sigma n / alpha,    n ~ N(0, 1)

The noise of one is independent of that of the other, so that a network that minimises
the squared error between them learns what it would learn from the clean photo.
"""

import dataclasses
import itertools
import math

import numpy as np
import torch
from torch.nn import functional as F

from sklearn_sparsevae.training.autoencoder import (
    channels_first,
    channels_last,
    pad_to_sites,
)
from sklearn_sparsevae.training.batching import BatchPlan, ImageBatches
from sklearn_sparsevae.training.callbacks import not_finite
from sklearn_sparsevae.training.devices import resolve_device
from sklearn_sparsevae.training.muon import Muon
from sklearn_sparsevae.training.net import Net
from sklearn_sparsevae.training.ranks import average, check_same_data
from sklearn_sparsevae.training.seeds import OwnGenerator

# Share of the crops whose channels have noise of unlike strength.
_UNLIKE = 0.1
# Of the error of a pixel: noisy targets weigh half where theirs is as large.
_TYPICAL_VARIANCE = 0.04
# How much noise is added to photos that have some, in units of theirs.
_ALPHAS = 0.3, 1.2
# Weight of the term that trains the predicted variance.
_VARIANCE_WEIGHT = 1e-3
# Batches from which the predicted deviations are calibrated, and what share of the
# errors lies within two of them.
_N_CALIBRATION, _WITHIN_TWO = 64, 0.9545
# Share of the steps over which the learning rate rises.
_WARMUP = 0.02
# Shifts of the grid, rows and columns in pixels, each with another way to mirror.
SHIFTS = ((0, 0), (3, 1), (1, 2), (2, 3))
# Pixels that a batch of whole images may have.
_BATCH_PIXELS = 2**19


@dataclasses.dataclass(frozen=True)
class DenoisingPlan:
    """What a batch is made of: crops and their noise.

    Attributes
    ----------
    crops : BatchPlan
    sigma : ndarray of float32 (n, C)
        Deviation of the noise to add.
    alpha : ndarray of float32 (n,)
        For photos that have noise, see the module.
    """

    crops: BatchPlan
    sigma: np.ndarray
    alpha: np.ndarray

    def __getitem__(self, part):
        """Return the plan of some of the items, a slice."""
        return DenoisingPlan(self.crops[part], self.sigma[part], self.alpha[part])


class DenoisingBatches(ImageBatches):
    """Crops with noise, and what they are to become; an epoch has so many batches.

    Parameters
    ----------
    photos : Photos
        With the side of crops.
    sigma : tuple of float (low, high)
        Deviations of the noise to add, with the range of images at [0, 1].
    n_items : int
        Crops of an epoch.
    own_sigma : ndarray of float32 (n_photos, C), default=None
        Deviations of the noise that the photos have; None: they are clean.
    ways : list of objects, default=None
        How the noise of each photo is made even, ``even(unit)`` of images ``(n, H, W,
        C)`` in [0, 1]; ``own_sigma`` is that of what comes out.
    """

    def __init__(self, photos, sigma, n_items, own_sigma=None, ways=None):
        super().__init__(photos, augment=True)
        self.sigma, self.n_items = sigma, n_items
        self.own_sigma, self.ways = own_sigma, ways

    def __len__(self):
        return self.n_items

    def plan(self, indices):
        """Draw crops of photos, large ones more often, and the strength of noise."""
        n, n_channels = len(indices), self.image_shape[2]
        crops = super().plan(torch.randint(len(self.owner), (n,)).numpy())
        crops = dataclasses.replace(crops, seed=int(torch.randint(2**31, ())))
        low, high = self.sigma
        sigma = low + (high - low) * torch.rand(n, n_channels)
        alike = torch.rand(n) >= _UNLIKE
        sigma[alike] = sigma[alike, :1]
        alpha = _ALPHAS[0] + (_ALPHAS[1] - _ALPHAS[0]) * torch.rand(n)
        return DenoisingPlan(crops, sigma.numpy(), alpha.numpy())

    def make(self, plan):
        """Cut, turn and scale crops, and add noise: inputs and targets.

        Inputs are a dict of ``images`` and ``sigma``; targets hold images, and beside
        them the variance of their own noise, of each crop and channel.
        """
        crops = self._cut(self.photos, self._places(plan.crops), plan.crops.ways)
        unit = self.photos.value_range.to_unit(crops)
        if self.ways is not None:
            pairs = zip(plan.crops.owners, unit, strict=True)
            unit = np.concatenate([self.ways[i].even(one[None]) for i, one in pairs])
        clean = channels_first(torch.from_numpy(unit)).contiguous()
        generator = torch.Generator().manual_seed(plan.crops.seed)
        noise = torch.randn(clean.shape, generator=generator)
        sigma = torch.from_numpy(plan.sigma)
        if self.own_sigma is None:
            noisy, variance = clean + _by_channel(sigma) * noise, 0 * sigma
            return {"images": noisy, "sigma": sigma}, (clean, variance)
        own = torch.from_numpy(self.own_sigma[plan.crops.owners])
        alpha = torch.from_numpy(plan.alpha)[:, None]
        added = _by_channel(own) * noise
        noisy = clean + _by_channel(alpha) * added  # [R2R recorruption]
        target = clean - added / _by_channel(alpha)  # [R2R recorruption]
        sigma = own * (1 + alpha**2).sqrt()
        variance = own**2 * (1 + alpha**-2)
        return {"images": noisy, "sigma": sigma}, (target, variance)


class DenoisingNet(Net):
    """Squared error of restored images, and the likelihood of predicted variances."""

    optimizer_class, betas = Muon, (0.95, 0.999)
    memory_format = torch.channels_last

    def get_loss(self, y_pred, y_true, X=None, training=False):
        """Return the mean squared error, with a term for the variance beside it."""
        target, own_variance = (part.to(self.device) for part in y_true)
        square = (y_pred["images"] - target).square()
        # Noisy targets tell less the more noise they have.
        weight = 1 / (1 + _by_channel(own_variance) / _TYPICAL_VARIANCE)
        error = (weight * square).mean()
        variance = y_pred["log_variance"].exp() + _by_channel(own_variance)
        likelihood = 0.5 * (variance.log() + square.detach() / variance).mean()
        values = average({"error": error.detach(), "likelihood": likelihood.detach()})
        for name, value in values.items():
            if not np.isfinite(value):
                raise not_finite(name, value, self)
        psnr = -10 * math.log10(max(values["error"], 1e-12))
        self.history.record_batch("train_psnr", psnr)
        self.history.record_batch("train_likelihood", values["likelihood"])
        return error + _VARIANCE_WEIGHT * likelihood


def _by_channel(values):
    return values[:, :, None, None]


def train_denoiser(build, batches, settings, seed):
    """Train a net that removes noise.

    Parameters
    ----------
    build : callable
        Returns a fresh `DenoisingModule`; called under the seed.
    batches : DenoisingBatches
    settings : RunSettings
    seed : int

    Returns
    -------
    net : DenoisingNet
    """
    check_same_data(batches.photos.items)
    device = resolve_device(settings.device)
    with OwnGenerator(seed):
        module = build().to(device=device, memory_format=DenoisingNet.memory_format)
        net = DenoisingNet.around(module, settings)
    n_steps = settings.max_epochs * math.ceil(len(batches) / settings.batch_size)
    net.optimizer_.n_warmup = max(1, int(_WARMUP * n_steps))
    net.run(batches, None, settings, seed)
    if net.history:
        with OwnGenerator(seed + 1):
            _calibrate(net.module_, batches, settings.batch_size, device)
    return net


@torch.no_grad()
def _calibrate(module, batches, size, device):
    """Scale predicted deviations so that the usual share of errors is within two."""
    module.eval()
    ratios = []
    for _ in range(_N_CALIBRATION):
        inputs, (target, own) = batches.make(batches.plan(np.arange(size)))
        output = module(**{name: part.to(device) for name, part in inputs.items()})
        variance = output["log_variance"].cpu().exp() + _by_channel(own)
        ratios.append((output["images"].cpu() - target).abs() / variance.sqrt())
    quantile = np.quantile(torch.cat(ratios).numpy(), _WITHIN_TWO)
    module.deviation_scale.fill_(float(quantile) / 2)


class Restorer:
    """Restores images with a trained `DenoisingModule`, tile by tile, as ndarrays.

    Parameters
    ----------
    module : DenoisingModule
    device : str
        As in the estimators.
    n_shifts : int
        Average over so many of `SHIFTS`.
    tile : int
        Pixels a side of what is restored at once. Around it as much as decides its
        pixels is seen too, so that they do not depend on the tiles.
    """

    def __init__(self, module, device, n_shifts, tile):
        self.device = resolve_device(device)
        self.module = module.to(self.device).eval()
        self.n_shifts = n_shifts
        side = module.site_size
        self.tile = -(-tile // side) * side

    def batch_size(self, image_shape):
        """Images of a size that are restored together."""
        height, width = (min(side, self.tile) for side in image_shape[:2])
        return max(1, _BATCH_PIXELS // (height * width))

    def restore(self, images, sigma, with_deviation=False, count=None):
        """Restore unit images.

        Parameters
        ----------
        images : ndarray of float32 (n, H, W, C)
        sigma : ndarray of float32 (n, C)
            Deviations of the noise.
        with_deviation : bool
            Predict the deviations of the errors too.
        count : callable, default=None
            Told how many images more are done, in parts.

        Returns
        -------
        arrays : list of ndarray like ``images``
            Restored images, not clipped, and their deviations if asked for.
        """
        totals = [np.zeros_like(images) for _ in range(1 + with_deviation)]
        sides = (_tiles(length, self.tile) for length in images.shape[1:3])
        steps = list(itertools.product(*sides, range(self.n_shifts)))
        for rows, columns, shift in steps:
            parts = self._part(images, sigma, rows, columns, shift, with_deviation)
            for total, part in zip(totals, parts, strict=True):
                total[:, rows, columns] += part / self.n_shifts
            if count is not None:
                count(len(images) / len(steps))
        for variance in totals[1:]:
            np.sqrt(variance, out=variance)
            variance *= float(self.module.deviation_scale)
        return totals

    @torch.no_grad()
    def _part(self, images, sigma, rows, columns, shift, with_variance):
        """Restore a part of images, with the grid of sites shifted."""
        side = self.module.site_size
        reach = self.module.reach + side
        before, slices, inner = [], [], []
        for part, length, moved in zip(
            (rows, columns), images.shape[1:3], SHIFTS[shift], strict=True
        ):
            # The grid begins so many pixels before the image.
            start = max(0, part.start + moved - reach) // side * side
            before.append(max(0, moved - start))
            stop = min(length, part.stop + reach)
            slices.append(slice(max(0, start - moved), stop))
            first = part.start + moved - start
            inner.append(slice(first, first + part.stop - part.start))
        seen = images[:, slices[0], slices[1]]
        unit = channels_first(torch.from_numpy(np.ascontiguousarray(seen)))
        unit = unit.to(self.device)
        unit = F.pad(unit, (before[1], 0, before[0], 0), mode="replicate")
        unit = pad_to_sites(unit, side)
        flips = [axis for bit, axis in ((1, -1), (2, -2)) if shift & bit]
        strength = torch.from_numpy(sigma).to(self.device)
        output = self.module(unit.flip(flips), strength)
        parts = [output["images"]]
        if with_variance:
            parts.append(output["log_variance"].exp())
        parts = [part.flip(flips)[..., inner[0], inner[1]] for part in parts]
        return [channels_last(part).cpu().numpy() for part in parts]


def _tiles(length, tile):
    return [slice(i, min(i + tile, length)) for i in range(0, length, tile)]
