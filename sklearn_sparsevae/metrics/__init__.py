"""What a reconstruction, a code and a segmentation are worth, in numbers.

Every image metric but FID, which compares sets, is computed per image and then
averaged; every code metric over all sites of all images. Images are ``(n, H, W, C)`` or
``(n, H, W)``, channels last, or lists of images of different sizes: unsigned integers
of any width span their dtype, floats ``data_range``.
"""

from sklearn_sparsevae.metrics._codes import (
    atom_usage,
    hoyer,
    nonzeros_per_site,
    usage_perplexity,
    zero_fraction,
)
from sklearn_sparsevae.metrics._fid import fid
from sklearn_sparsevae.metrics._images import peak_psnr as peak_psnr
from sklearn_sparsevae.metrics._images import psnr, ssim
from sklearn_sparsevae.metrics._masks import (
    dice,
    iou,
    matched_iou,
    segmentation_covering,
)
from sklearn_sparsevae.metrics._perceptual import flip, lpips
from sklearn_sparsevae.metrics._rate import bits_per_pixel
from sklearn_sparsevae.metrics._scorers import make_scorers

__all__ = [
    "atom_usage",
    "bits_per_pixel",
    "dice",
    "fid",
    "flip",
    "hoyer",
    "iou",
    "lpips",
    "make_scorers",
    "matched_iou",
    "nonzeros_per_site",
    "psnr",
    "segmentation_covering",
    "ssim",
    "usage_perplexity",
    "zero_fraction",
]
