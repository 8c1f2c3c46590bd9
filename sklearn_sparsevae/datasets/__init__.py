"""Photographs: samples, folders, archives, and data sets that are fetched once."""

from sklearn_sparsevae.datasets._bsds500 import fetch_bsds500
from sklearn_sparsevae.datasets._cub import fetch_cub
from sklearn_sparsevae.datasets._flowers import fetch_oxford_flowers
from sklearn_sparsevae.datasets._isic2016 import fetch_isic2016
from sklearn_sparsevae.datasets._lazy import LazyView
from sklearn_sparsevae.datasets._local import load_image_archive, load_image_folder
from sklearn_sparsevae.datasets._masks import save_masks
from sklearn_sparsevae.datasets._saliency import fetch_dut_omron, fetch_duts
from sklearn_sparsevae.datasets._samples import load_sample_photos, random_crops
from sklearn_sparsevae.datasets._saving import save_images

__all__ = [
    "LazyView",
    "fetch_bsds500",
    "fetch_cub",
    "fetch_dut_omron",
    "fetch_duts",
    "fetch_isic2016",
    "fetch_oxford_flowers",
    "load_image_archive",
    "load_image_folder",
    "load_sample_photos",
    "random_crops",
    "save_images",
    "save_masks",
]
