"""Overlapping patches, made even and whitened, and their codes; arrays in and out.

Coates, Lee and Ng 2011; Coates and Ng 2011: how a patch is prepared and coded counts
for more than how its atoms were learned.
"""

import dataclasses
import math

import numpy as np
import torch
from torch.nn import functional as F

from sklearn_sparsevae.sparse import learn_dictionary
from sklearn_sparsevae.training.devices import resolve_device

# Share of the mean variance of patches that is added to the variance of each, so that
# flat ones are not all noise; and of whitened directions likewise.
_CONTRAST_FLOOR, _WHITENING_FLOOR = 0.01, 0.1
# How the atoms are learned.
_N_NONZERO_COEFS, _N_ITER = 5, 60
# Numbers in the dense codes of a block: what the caches of a processor hold.
_BLOCK_ENTRIES = 2**20


@dataclasses.dataclass(frozen=True, eq=False)
class PatchDictionary:
    """What codes of patches are made with.

    Attributes
    ----------
    components : ndarray of float32 (K, n)
        Unit atoms, of whitened patches.
    mean : ndarray of float64 (n,)
        Mean of the patches once each is even.
    whitening : ndarray of float64 (n, n)
        Symmetric; takes even patches, less their mean, to white ones.
    contrast_floor : float
        Deviation of a patch that counts as little.
    """

    components: np.ndarray
    mean: np.ndarray
    whitening: np.ndarray
    contrast_floor: float

    @classmethod
    def learn(cls, patches, n_components, seed):
        """Learn from patches ``(N, n)``; each has its numbers in one order."""
        patches = torch.from_numpy(patches).double()
        variance = patches.var(1, correction=0).mean().item()
        floor = math.sqrt(_CONTRAST_FLOOR * variance) or 1.0
        even = _even(patches, floor)
        mean = even.mean(0)
        even -= mean
        powers, axes = torch.linalg.eigh(even.mT @ even / len(even))
        powers = powers.clamp(min=0)
        floored = powers + (_WHITENING_FLOOR * powers.mean() or 1.0)
        whitening = axes / floored.sqrt() @ axes.mT  # [Coates 2011 ZCA whitening]
        white = (even @ whitening).float()
        atoms = learn_dictionary(
            white,
            n_components,
            n_nonzero_coefs=min(_N_NONZERO_COEFS, n_components, white.shape[1]),
            n_iter=_N_ITER,
            seed=seed,
        )
        return cls(atoms.numpy(), mean.numpy(), whitening.numpy(), floor)


def _even(patches, floor):
    """Patches less their means, divided by their contrast, in float64."""
    patches = patches - patches.mean(1, keepdim=True)
    deviations = patches.square().mean(1, keepdim=True).add_(floor**2).sqrt_()
    return patches.div_(deviations)  # [Coates 2011 contrast normalization]


class PatchCoder:
    """Codes of all overlapping patches of images, on a device.

    Parameters
    ----------
    dictionary : PatchDictionary
    size : tuple of int (height, width)
        Of a patch.
    stride : int
        Pixels from one patch to the next.
    alpha : float
        What soft thresholding takes from the product of a patch and an atom.
    device : str
    """

    def __init__(self, dictionary, size, stride, alpha, device):
        self.size, self.stride, self.alpha = size, stride, alpha
        self.device, self.floor = resolve_device(device), dictionary.contrast_floor
        atoms = dictionary.components.astype(np.float64)
        filters = dictionary.whitening @ atoms.T
        offset = dictionary.mean @ filters
        self.filters, self.offset = (
            torch.from_numpy(part.astype(np.float32)).to(self.device)
            for part in (filters, offset)
        )

    @property
    def n_components(self):
        """Number of atoms."""
        return self.filters.shape[1]

    def grid_shape(self, image_shape):
        """Patches along a column and a row of an image."""
        sides = zip(image_shape[:2], self.size, strict=True)
        return tuple((side - own) // self.stride + 1 for side, own in sides)

    def batch_size(self, image_shape):
        """Images of which all codes make a block; large ones take several blocks."""
        height, width = self.grid_shape(image_shape)
        return max(1, _BLOCK_ENTRIES // (height * width * self.n_components))

    def code(self, images):
        """Non-zeros of the codes of unit images ``(n, H, W, C)``, site by site.

        Returns
        -------
        values, atoms, counts : ndarray
            As `SparseCodes.from_sites` takes them.
        """
        parts = []
        for _, codes in self._blocks(images):
            sites, atoms = codes.flatten(0, 1).nonzero(as_tuple=True)
            counts = torch.bincount(sites, minlength=codes.shape[0] * codes.shape[1])
            parts.append((codes.flatten(0, 1)[sites, atoms], atoms.int(), counts))
        return [torch.cat(part).cpu().numpy() for part in zip(*parts, strict=True)]

    def pool(self, images, regions):
        """Means of positive and of negative parts of the codes of each region.

        Parameters
        ----------
        images : ndarray of float32 (n, H, W, C)
        regions : ndarray of int (h * w,)
            Region of each site.

        Returns
        -------
        means : ndarray of float32 (n, n_regions, K, 2)
            The negative parts as magnitudes.
        """
        regions = torch.from_numpy(regions).to(self.device)
        shares = F.one_hot(regions).float()
        shares = (shares / shares.sum(0)).mT
        shape = len(images), len(shares), self.n_components, 2
        means = torch.zeros(shape, device=self.device)
        for sites, codes in self._blocks(images):
            means[..., 0] += shares[:, sites] @ codes.clamp(min=0)
            means[..., 1] -= shares[:, sites] @ codes.clamp(max=0)
        return means.cpu().numpy()

    @torch.no_grad()
    def _blocks(self, images):
        """Yield which sites a block has, and their codes ``(n, n_sites, K)``.

        A block has all sites of all images, or several rows of sites of one image.
        """
        (height, width), (tall, wide) = self.grid_shape(images.shape[1:]), self.size
        fits = _BLOCK_ENTRIES // (len(images) * width * self.n_components)
        n_rows = height if len(images) > 1 else max(1, min(height, fits))
        for first in range(0, height, n_rows):
            last = min(first + n_rows, height)
            start, stop = first * self.stride, (last - 1) * self.stride + tall
            band = torch.from_numpy(images[:, start:stop]).to(self.device)
            patches = band.unfold(1, tall, self.stride).unfold(2, wide, self.stride)
            patches = patches.permute(0, 1, 2, 4, 5, 3)  # of a pixel all channels
            patches = patches.reshape(len(images) * (last - first) * width, -1)
            even = _even(patches.double(), self.floor).float()
            products = torch.addmm(-self.offset, even, self.filters)
            codes = F.softshrink(products, self.alpha)  # [Coates 2011 soft threshold]
            yield (
                slice(first * width, last * width),
                codes.view(len(images), -1, self.n_components),
            )
