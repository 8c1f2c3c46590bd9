"""Seeded degradations of images, to train and to judge restoration.

All take a batch of images, or a list of photos of different sizes, and return the same
in its own dtype. An estimator applies one afresh to every training batch when it is
given as ``degrade=functools.partial(gaussian_noise, sigma=20)``.
"""

import numpy as np
from skimage.restoration import inpaint_biharmonic
from sklearn.utils import check_random_state

__all__ = [
    "bicubic_downsample",
    "gaussian_noise",
    "random_mask",
    "speckle",
    "square_mask",
]


def gaussian_noise(images, sigma, *, value_range=(0, 1), random_state=None):
    """Add independent normal noise to every number: ``u = v + sigma n``.

    Parameters
    ----------
    images : ndarray of shape (n, H, W, C) or (n, H, W), or list of (H, W, C) or (H, W)
        uint8, or floats within ``value_range``.
    sigma : float
        Standard deviation in 8-bit units: 255 is the whole range, of floats too.
    value_range : tuple of float (low, high), default=(0, 1)
        What floats span.
    random_state : int, RandomState instance or None, default=None
        Seed of the noise.

    Returns
    -------
    degraded : ndarray or list of ndarray
        Of the shape and dtype of ``images``, clipped to the range.

    Raises
    ------
    ValueError, TypeError
        If ``images`` are not as described or ``sigma`` is negative.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_sparsevae.degrade import gaussian_noise
    >>> grey = np.full((2, 64, 64), 128, dtype=np.uint8)
    >>> noisy = gaussian_noise(grey, sigma=20, random_state=0)
    >>> noisy.dtype, int(noisy.std().round())
    (dtype('uint8'), 20)
    """
    _check_between("sigma", sigma, 0, np.inf)
    rng = check_random_state(random_state)

    def add_noise(image):
        return image + rng.normal(0, sigma / 255, image.shape)

    return _degrade(images, add_noise, value_range)


def speckle(images, sigma, *, value_range=(0, 1), random_state=None):
    """Add noise that grows with the signal, as in ultrasound: ``u = v + sqrt(v) n``.

    The model of log-compressed ultrasound images of Loupas et al. [1]_: the variance of
    speckle is proportional to the signal, and black stays black.

    Parameters
    ----------
    images : ndarray of shape (n, H, W, C) or (n, H, W), or list of (H, W, C) or (H, W)
        uint8, or floats within ``value_range``.
    sigma : float
        Standard deviation where the image is white, in 8-bit units.
    value_range : tuple of float (low, high), default=(0, 1)
        What floats span.
    random_state : int, RandomState instance or None, default=None
        Seed of the speckle.

    Returns
    -------
    degraded : ndarray or list of ndarray
        Of the shape and dtype of ``images``, clipped to the range.

    Raises
    ------
    ValueError, TypeError
        If ``images`` are not as described or ``sigma`` is negative.

    References
    ----------
    .. [1] T. Loupas, W. N. McDicken, P. L. Allan. "An Adaptive Weighted Median Filter
       for Speckle Suppression in Medical Ultrasonic Images". IEEE Transactions on
       Circuits and Systems 36, 1989.
    """
    _check_between("sigma", sigma, 0, np.inf)
    rng = check_random_state(random_state)

    def add_speckle(image):
        noise = rng.normal(0, sigma / 255, image.shape)
        return image + np.sqrt(np.clip(image, 0, 1)) * noise

    return _degrade(images, add_speckle, value_range)


def square_mask(images, size, *, fill="black", value_range=(0, 1), random_state=None):
    """Cut one square out of each image, at a random place within it.

    The same seed blacks out the same pixels of any images of that shape, so that
    ``square_mask(np.ones_like(images), size, random_state=0) == 0`` says which.

    Parameters
    ----------
    images : ndarray of shape (n, H, W, C) or (n, H, W), or list of (H, W, C) or (H, W)
        uint8, or floats within ``value_range``.
    size : int
        Side of the square in pixels, no longer than a side of an image.
    fill : {"black", "biharmonic"}, default="black"
        What stands in for the missing pixels: black, or their surroundings continued
        smoothly by :func:`skimage.restoration.inpaint_biharmonic`, from where a network
        has less far to go. To restore photos, train on what they will be filled with.
    value_range : tuple of float (low, high), default=(0, 1)
        What floats span; ``low`` is black.
    random_state : int, RandomState instance or None, default=None
        Seed of the places.

    Returns
    -------
    degraded : ndarray or list of ndarray
        Of the shape and dtype of ``images``.

    Raises
    ------
    ValueError, TypeError
        If ``images`` are not as described, ``size`` does not fit into one, or there is
        no such ``fill``.
    """
    rng = check_random_state(random_state)
    stand_in = _stand_in(fill)

    def cut_out(image):
        _check_between("size", size, 1, min(image.shape[:2]))
        top, left = (rng.randint(side - size + 1) for side in image.shape[:2])
        missing = np.zeros(image.shape[:2], bool)
        missing[top : top + size, left : left + size] = True
        return stand_in(image, missing)

    return _degrade(images, cut_out, value_range)


def random_mask(
    images, fraction, *, fill="black", value_range=(0, 1), random_state=None
):
    """Take away a share of the pixels of each image, all channels of a pixel at once.

    The same seed blacks out the same pixels of any images of that shape, so that
    ``random_mask(np.ones_like(images), fraction, random_state=0) == 0`` says which.

    Parameters
    ----------
    images : ndarray of shape (n, H, W, C) or (n, H, W), or list of (H, W, C) or (H, W)
        uint8, or floats within ``value_range``.
    fraction : float
        Share of the pixels, in [0, 1]; rounded to whole pixels, equal in every image.
    fill : {"black", "biharmonic"}, default="black"
        What stands in for the missing pixels: black, or their surroundings continued
        smoothly by :func:`skimage.restoration.inpaint_biharmonic`, from where a network
        has less far to go. To restore photos, train on what they will be filled with.
    value_range : tuple of float (low, high), default=(0, 1)
        What floats span; ``low`` is black.
    random_state : int, RandomState instance or None, default=None
        Seed of the choice.

    Returns
    -------
    degraded : ndarray or list of ndarray
        Of the shape and dtype of ``images``.

    Raises
    ------
    ValueError, TypeError
        If ``images`` are not as described, ``fraction`` is not in [0, 1], or there is
        no such ``fill``.
    """
    _check_between("fraction", fraction, 0, 1)
    rng = check_random_state(random_state)
    stand_in = _stand_in(fill)

    def take_away(image):
        height, width = image.shape[:2]
        order = rng.permutation(height * width).reshape(height, width)
        return stand_in(image, order < round(fraction * height * width))

    return _degrade(images, take_away, value_range)


def bicubic_downsample(images, factor, *, value_range=(0, 1), random_state=None):
    """Shrink images and enlarge them again to their size, both bicubically.

    What super-resolution at equal size starts from. The cubic convolution of Keys [1]_
    (a = -0.5), stretched by the factor where it shrinks, so that nothing aliases.

    Parameters
    ----------
    images : ndarray of shape (n, H, W, C) or (n, H, W), or list of (H, W, C) or (H, W)
        uint8, or floats within ``value_range``.
    factor : float
        How many times smaller the sides become in between, 1 or more; they are rounded
        up to whole pixels, their values are not rounded.
    value_range : tuple of float (low, high), default=(0, 1)
        What floats span.
    random_state : int, RandomState instance or None, default=None
        Not used: here so that all degradations are called alike.

    Returns
    -------
    degraded : ndarray or list of ndarray
        Of the shape and dtype of ``images``, clipped to the range.

    Raises
    ------
    ValueError, TypeError
        If ``images`` are not as described or ``factor`` is below 1.

    References
    ----------
    .. [1] R. Keys. "Cubic Convolution Interpolation for Digital Image Processing". IEEE
       Transactions on Acoustics, Speech, and Signal Processing 29, 1981.
    """
    _check_between("factor", factor, 1, np.inf)

    def there_and_back(image):
        rows, columns = (_down_and_up(side, factor) for side in image.shape[:2])
        return np.einsum("ij,jkc,lk->ilc", rows, image, columns, optimize=True)

    return _degrade(images, there_and_back, value_range)


def _stand_in(fill):
    """Return what ``fill`` stands for: a function of an image and its mask."""
    ways = {"biharmonic": _biharmonic, "black": _black}
    if fill not in ways:
        raise ValueError(f"Got fill={fill!r}; expected one of {sorted(ways)}.")
    return ways[fill]


def _black(image, missing):
    image[missing] = 0
    return image


def _biharmonic(image, missing):
    if missing.all():
        return _black(image, missing)
    return inpaint_biharmonic(image, missing, channel_axis=-1)


def _down_and_up(length, factor):
    """Matrix ``(length, length)`` that shrinks a signal and enlarges it again."""
    small = int(np.ceil(length / factor))
    return _bicubic(small, length) @ _bicubic(length, small)


def _bicubic(n_in, n_out):
    """Matrix ``(n_out, n_in)`` that resizes a signal; at its ends the kernel is cut."""
    scale = n_in / n_out
    centers = (np.arange(n_out)[:, None] + 0.5) * scale - 0.5
    weights = _cubic_kernel((np.arange(n_in) - centers) / max(scale, 1))
    return weights / weights.sum(1, keepdims=True)


def _cubic_kernel(distance):
    """Interpolation kernel of Keys, Eq. 15."""
    s = np.abs(distance)
    near = 1.5 * s**3 - 2.5 * s**2 + 1
    far = -0.5 * s**3 + 2.5 * s**2 - 4 * s + 2
    return np.where(s < 1, near, np.where(s < 2, far, 0))  # Keys' Eq. 15


def _degrade(images, change, value_range):
    """Apply a change of one image ``(H, W, C)`` in [0, 1] to every image."""
    if isinstance(images, (list, tuple)):
        photos = [np.asarray(photo) for photo in images]
        return [_degrade_one(photo, change, value_range) for photo in photos]
    images = np.asarray(images)
    if images.ndim not in (3, 4):
        raise ValueError(
            f"Got images of shape {images.shape}; expected (n, H, W, C) or (n, H, W), "
            "or a list of photos: reshape rows, and give a single photo as photo[None]."
        )
    degraded = np.empty_like(images)
    for i, image in enumerate(images):
        degraded[i] = _degrade_one(image, change, value_range)
    return degraded


def _degrade_one(image, change, value_range):
    low, high = _range_of(image, value_range)
    unit = (image.astype(np.float64) - low) / (high - low)
    changed = change(unit.reshape(*image.shape[:2], -1))
    changed = np.clip(changed, 0, 1) * (high - low) + low
    if image.dtype == np.uint8:
        changed = np.rint(changed)
    return changed.astype(image.dtype).reshape(image.shape)


def _range_of(image, value_range):
    if image.dtype == np.uint8:
        return 0, 255
    if image.dtype.kind != "f":
        raise TypeError(
            f"Got images of dtype {image.dtype}; expected uint8 or floats: divide "
            "other integers by their largest possible value."
        )
    return value_range


def _check_between(name, value, low, high):
    if not low <= value <= high:
        raise ValueError(f"Got {name}={value!r}; expected {low} <= {name} <= {high}.")
