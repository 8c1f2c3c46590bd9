"""Metrics of what people see: LPIPS and FLIP, per image and then averaged."""

from __future__ import annotations

import numbers
from collections.abc import Callable
from typing import Any

import numpy as np

from sklearn_sparsevae._arguments import check_flag
from sklearn_sparsevae._typing import Images, Score
from sklearn_sparsevae.metrics._input import mean_or_each, rgb_pairs

# Its windows grow with the pixels of a degree; an eye cannot tell a hundred.
_MOST_PIXELS = 1000


def lpips(
    y_true: Images,
    y_pred: Images,
    *,
    network: Callable[..., Any] | str | None = None,
    data_range: float = 1.0,
    per_image: bool = False,
) -> Score:
    """Perceptual distance in the features of a network, per image and then averaged.

    At each layer of the network the features of a position are brought to unit length;
    squared differences are weighted by channel, added up over the channels, averaged
    over positions, and added up over the layers. The default is LPIPS with VGG16 and
    its linear heads, version 0.1; figures of other networks do not compare with it.
    VGG16 sees images at their own size, up to windows of 196 pixels.

    Parameters
    ----------
    y_true : array-like of shape (n_images, H, W, C) or (n_images, H, W), or list
        Images of 1 or 3 channels, from 0 (black) to ``data_range`` (white); unsigned
        integers span their dtype. Those of a list may differ in size. Grey is shown as
        RGB. VGG16 needs 16 by 16 pixels.
    y_pred : array-like of the same shape, or list
        Their reconstructions, clipped to that range.
    network : callable, str or None, default=None
        The path of torchvision's weights of VGG16; None downloads them the first time
        (528 MB). Or a network of your own, which turns torch images ``(n, 3, H, W)`` in
        [0, 1] into a list of feature maps ``(n, channels, h, w)``; its attribute
        ``channel_weights``, if any, is a list of vectors ``(channels,)``. A module runs
        on the GPU where there is one.
    data_range : float, default=1.0
        What white is in images of floats.
    per_image : bool, default=False
        Return one number per image instead of their mean.

    Returns
    -------
    lpips : float, or ndarray of shape (n_images,)
        At least 0, which identical images get. Lower is better.

    Raises
    ------
    ValueError, TypeError
        If the shapes differ or are not those of images, a value is not finite,
        ``y_true`` is out of its range, ``data_range`` is not a positive number, or a
        file holds other weights.
    ImportError
        Without torchmetrics, of the extra "metrics", unless the network is your own.
    OSError
        If there is no such file, or no download.

    References
    ----------
    R. Zhang, P. Isola, A. A. Efros, E. Shechtman, O. Wang. "The unreasonable
    effectiveness of deep features as a perceptual metric". CVPR 2018, Eq. 1.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_sparsevae.metrics import lpips
    >>> photos = np.random.default_rng(0).random((2, 16, 16, 3))
    >>> def colors(images):
    ...     return [images]
    >>> lpips(photos, photos, network=colors)
    0.0
    >>> lpips(photos, photos[..., ::-1], network=colors, per_image=True).round(2)
    array([0.37, 0.41])
    """
    from sklearn_sparsevae.perceptual.distance import PerceptualDistance

    batches = rgb_pairs(y_true, y_pred, data_range)
    distance = PerceptualDistance(network)
    values = np.concatenate([distance.on_arrays(*pair) for pair in batches])
    values = values.astype(np.float64)
    return mean_or_each(values, per_image)


def flip(
    y_true: Images,
    y_pred: Images,
    *,
    data_range: float = 1.0,
    pixels_per_degree: float = 67.0,
    return_maps: bool = False,
    per_image: bool = False,
) -> Any:
    """Difference seen when flipping between images, per image and then averaged.

    NVIDIA's LDR-FLIP: colors are blurred as the eye blurs them at the given distance
    and compared, and so are edges and points, each in windows that are fractions of a
    degree. That gives a number per pixel, and an image the mean over its pixels. Draw
    a map as its authors do by ``plt.imshow(maps[0], cmap="magma", vmin=0, vmax=1)``.

    Parameters
    ----------
    y_true : array-like of shape (n_images, H, W, C) or (n_images, H, W), or list
        Images of 1 or 3 channels in sRGB, from 0 (black) to ``data_range`` (white);
        unsigned integers span their dtype. Those of a list may differ in size. Grey is
        shown as RGB.
    y_pred : array-like of the same shape, or list
        Their reconstructions, clipped to that range.
    data_range : float, default=1.0
        What white is in images of floats.
    pixels_per_degree : float, default=67.0
        Pixels in a degree of the visual angle. The default is that of a 4K screen 0.7 m
        wide, seen from 0.7 m.
    return_maps : bool, default=False
        Return the map of each image, too.
    per_image : bool, default=False
        Return one number per image, the mean of its map, instead of their mean.

    Returns
    -------
    flip : float, or ndarray of shape (n_images,)
        In [0, 1], 0 for identical images. Lower is better.
    maps : ndarray of float32 of shape (n_images, H, W), or list of ndarray
        Heat maps in [0, 1]; a list where images differ in size. Only if
        ``return_maps`` is True.

    Raises
    ------
    ValueError, TypeError
        If the shapes differ or are not those of images, a value is not finite,
        ``y_true`` is out of its range, or ``data_range`` or ``pixels_per_degree`` is
        not a positive number.
    ImportError
        Without flip-evaluator, of the extra "metrics".

    References
    ----------
    P. Andersson, J. Nilsson, T. Akenine-Möller, M. Oskarsson, K. Åström, M. D.
    Fairchild. "FLIP: a difference evaluator for alternating images". Proceedings of the
    ACM on Computer Graphics and Interactive Techniques, 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_sparsevae.metrics import flip
    >>> photos = np.full((2, 16, 16, 3), 0.5)
    >>> value, maps = flip(photos, photos, return_maps=True)  # doctest: +SKIP
    >>> value, maps.shape  # doctest: +SKIP
    (0.0, (2, 16, 16))
    """
    is_number = isinstance(pixels_per_degree, numbers.Real)
    if not is_number or not 1 <= pixels_per_degree <= _MOST_PIXELS:
        raise ValueError(
            f"Got pixels_per_degree={pixels_per_degree!r}; expected a number from 1 to "
            f"{_MOST_PIXELS}, 67 for a usual screen."
        )
    batches = rgb_pairs(y_true, y_pred, data_range)
    evaluate = _flip_evaluator()
    settings = {"ppd": float(pixels_per_degree)}
    maps = [
        evaluate(true, pred, "LDR", applyMagma=False, parameters=settings)[0][..., 0]
        for batch in batches
        for true, pred in zip(*batch)
    ]
    values = np.array([one.mean(dtype=np.float64) for one in maps])
    value = mean_or_each(values, per_image)
    check_flag(return_maps, "return_maps")
    if not return_maps:
        return value
    same_size = len({one.shape for one in maps}) == 1
    return value, np.stack(maps) if same_size else maps


def _flip_evaluator():
    try:
        from flip_evaluator import evaluate
    except ImportError as error:
        raise ImportError(
            "FLIP needs flip-evaluator: run `pip install sklearn-sparsevae[metrics]`."
        ) from error
    return evaluate
