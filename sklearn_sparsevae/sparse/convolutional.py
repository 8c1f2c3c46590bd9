"""Convolutional sparse coding: images as sums of a few kernels, wherever they stand.

With kernels as for :func:`torch.nn.functional.conv_transpose2d` the synthesis A of an
image from its maps is a transposed convolution, and its adjoint a convolution.

References
----------
.. [1] X. Dai et al. "Revisiting Sparse Convolutional Model for Visual Recognition".
   NeurIPS 2022.
.. [2] A. Beck, M. Teboulle. "A fast iterative shrinkage-thresholding algorithm for
   linear inverse problems". SIAM J. Imaging Sciences 2(1), 2009.
"""

from collections.abc import Sequence

import torch
from torch.nn import functional as F

from sklearn_sparsevae.sparse import tracing
from sklearn_sparsevae.sparse._arrays import (
    Array,
    accepts_arrays,
    check_count,
    check_number,
    check_same_dtype,
    check_tensor,
    refuse_nonfinite,
)
from sklearn_sparsevae.sparse.unrolled import fista_momentum

_LARGEST_STRIDE = 2**31 - 1  # of which torch counts pixels

_SAFETY = 0.9  # times 1 / curvature: power iteration approaches it from below


@accepts_arrays
def synthesize(maps: Array, kernels: Array, stride: int, size: Sequence[int]) -> Array:
    """Images ``A z`` from maps.

    Parameters
    ----------
    maps : (n, K, h, w) tensor
    kernels : (K, C, k, k) tensor
        The side k is odd.
    stride : int
        Pixels from one site of the maps to the next.
    size : tuple of int (H, W)
        Of the images; ``h`` is ``ceil(H / stride)``.

    Returns
    -------
    images : (n, C, H, W) tensor
    """
    _check_kernels(kernels, stride)
    check_tensor("maps", maps, ("n", "K", "h", "w"))
    check_same_dtype("maps", maps, "kernels", kernels)
    if maps.shape[1:] != (len(kernels), *_sites_of(size, stride)):
        raise ValueError(
            f"maps of shape {tuple(maps.shape)} do not fit {len(kernels)} kernels and "
            f"images of size={size} with stride={stride}: expected (n, {len(kernels)}, "
            f"ceil(H / {stride}), ceil(W / {stride}))."
        )
    border = kernels.shape[-1] // 2
    missing = [
        length - ((n_sites - 1) * stride - 2 * border + kernels.shape[-1])
        for length, n_sites in zip(size, maps.shape[-2:], strict=True)
    ]
    return F.conv_transpose2d(maps, kernels, None, stride, border, missing)


@accepts_arrays
def analyze(images: Array, kernels: Array, stride: int) -> Array:
    """Products of kernels and images at every site: ``A^T x``, adjoint to `synthesize`.

    Parameters
    ----------
    images : (n, C, H, W) tensor
    kernels : (K, C, k, k) tensor
        The side k is odd.
    stride : int

    Returns
    -------
    maps : (n, K, h, w) tensor
    """
    _check_images("images", images, kernels, stride)
    return F.conv2d(images, kernels, None, stride, kernels.shape[-1] // 2)


@tracing.constant_when_traced
@accepts_arrays
@torch.no_grad()
def largest_curvature(
    kernels: Array, stride: int, start: Array, n_steps: int = 50, tol: float = 1e-5
) -> tuple[float, torch.Tensor]:
    """Largest eigenvalue of ``A A^T``, by power iteration.

    Parameters
    ----------
    kernels : (K, C, k, k) tensor
    stride : int
    start : (1, C, H, W) tensor
        Where to start, of the size of the images; the result of an earlier call for
        kernels that have changed little is nearly there.
    n_steps : int, default=50
        Iterations at most.
    tol : float, default=1e-5
        Relative change of the eigenvalue at which to stop.

    Returns
    -------
    curvature : float
        From below: too small by little more than ``tol`` in a step.
    vector : (1, C, H, W) tensor
        Of unit norm, to start from the next time.
    """
    _check_images("start", start, kernels, stride)
    check_count("n_steps", n_steps)
    check_number("tol", tol)
    vector, curvature = start / start.norm().clamp(min=1e-12), 0.0
    for _ in range(n_steps):
        image = synthesize(
            analyze(vector, kernels, stride), kernels, stride, vector.shape[-2:]
        )
        before, curvature = curvature, float(image.norm())
        vector = image / max(curvature, 1e-12)
        if abs(curvature - before) <= tol * curvature:
            break
    return max(curvature, 1e-12), vector


def power_start(shape: Sequence[int]) -> torch.Tensor:
    """Vector to start `largest_curvature` from: noise, the same for every shape.

    ``shape`` is that of an image, ``(C, H, W)``.
    """
    if not isinstance(shape, tuple | list) or len(shape) != 3:
        raise ValueError(f"shape must be (C, H, W), got {shape!r}.")
    for length in shape:
        check_count("each number of shape", length)
    generator = torch.Generator().manual_seed(0)
    return torch.randn(1, *shape, generator=generator)


@accepts_arrays
def convolutional_fista(
    images: Array,
    kernels: Array,
    alpha: float,
    n_steps: int,
    stride: int = 1,
    curvature: float | None = None,
    *,
    check_finite: bool = True,
) -> torch.Tensor:
    """Non-negative sparse maps by unrolled FISTA from zero.

    Minimises over ``z >= 0`` (Dai et al. [1]_)::

        1/2 ||x - A z||_2^2 + alpha ||z||_1

    where A puts kernels together (`synthesize`). Every step takes the gradient at the
    extrapolated point, as FISTA [2]_ asks. Differentiable in images and kernels.

    Parameters
    ----------
    images : (n, C, H, W) tensor
        Of any size.
    kernels : (K, C, k, k) tensor
        The side k is odd.
    alpha : float
        Weight of the L1 norm, non-negative.
    n_steps : int
        Number of steps, at least 1.
    stride : int, default=1
        Pixels from one site of the maps to the next.
    curvature : float, default=None
        Largest eigenvalue of ``A A^T``, positive; None computes it.
    check_finite : bool, default=True
        Refuse numbers that are not finite, or whose squares are not.

    Returns
    -------
    maps : (n, K, ceil(H / stride), ceil(W / stride)) tensor
        With exact zeros.

    Raises
    ------
    TypeError
        When an argument is no array of a floating dtype, or ``n_steps`` no integer.
    ValueError
        When the channels do not agree, the kernels are not odd squares, numbers are not
        finite, ``n_steps`` is below 1 or ``alpha`` is negative.

    References
    ----------
    .. [1] X. Dai et al. "Revisiting Sparse Convolutional Model for Visual Recognition".
       NeurIPS 2022.
    .. [2] A. Beck, M. Teboulle. "A fast iterative shrinkage-thresholding algorithm for
       linear inverse problems". SIAM J. Imaging Sciences 2(1), 2009.

    Examples
    --------
    >>> import torch
    >>> from sklearn_sparsevae.sparse import convolutional_fista
    >>> image = torch.tensor([[[[3.0, 0.5, -2.0]]]])
    >>> one_pixel = torch.ones(1, 1, 1, 1)
    >>> convolutional_fista(image, one_pixel, alpha=1.0, n_steps=20).round(decimals=3)
    tensor([[[[2., 0., 0.]]]])
    """
    _check_images("images", images, kernels, stride)
    check_count("n_steps", n_steps)
    check_number("alpha", alpha)
    if curvature is not None and check_finite:
        check_number("curvature", curvature, positive=True)
    if check_finite:
        refuse_nonfinite("images", images)
        refuse_nonfinite("kernels", kernels)
    size = images.shape[-2:]
    if curvature is None:
        start = power_start(images.shape[1:]).to(images)
        curvature, _ = largest_curvature(kernels, stride, start)
    step = _SAFETY / curvature
    maps = previous = images.new_zeros(())
    for i, weight in enumerate(fista_momentum(n_steps).tolist()):
        point = maps + weight * (maps - previous)  # [Beck 2009 Eq. 4.3]
        residual = images
        if i > 0:
            residual = images - synthesize(point, kernels, stride, size)
        target = point + step * analyze(residual, kernels, stride)
        previous, maps = maps, F.relu(target - step * alpha)  # [Beck 2009 Eq. 4.1]
    return maps


def _sites_of(size, stride):
    if not isinstance(size, tuple | list) or len(size) != 2:
        raise ValueError(f"size must be (H, W), got {size!r}.")
    for length in size:
        check_count("each number of size", length)
    return tuple(-(-length // stride) for length in size)


def _check_kernels(kernels, stride):
    check_tensor("kernels", kernels, ("K", "C", "k", "k"))
    check_count("stride", stride)
    if stride > _LARGEST_STRIDE:
        raise ValueError(f"stride must be at most {_LARGEST_STRIDE}, got {stride}.")
    if 0 in kernels.shape:
        raise ValueError(
            f"kernels must hold at least one number each, got {tuple(kernels.shape)}."
        )
    side = kernels.shape[-1]
    if kernels.shape[2] == side and side % 2 == 0:
        raise ValueError(f"kernels must have an odd side, got {side}.")


def _check_images(name, images, kernels, stride):
    check_tensor(name, images)
    _check_kernels(kernels, stride)
    side = kernels.shape[-1]
    if images.ndim != 4 or kernels.shape[1:] != (images.shape[1], side, side):
        raise ValueError(
            f"{name} of shape {tuple(images.shape)} do not fit kernels of shape "
            f"{tuple(kernels.shape)}: expected {name} (n, C, H, W) and kernels "
            "(K, C, k, k)."
        )
    if 0 in images.shape[2:]:
        raise ValueError(
            f"{name} must have at least one pixel, got shape {tuple(images.shape)}."
        )
    check_same_dtype(name, images, "kernels", kernels)
