"""What all Displays share: matplotlib when it is needed, axes, images."""

import numpy as np

from sklearn_sparsevae.metrics._input import as_array, as_set


def import_pyplot():
    """Return pyplot, or say which extra brings it."""
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError(
            "Drawing needs matplotlib, which is not installed. Install it with: pip "
            "install 'sklearn-sparsevae[plot]'"
        ) from error
    return pyplot


def one_axes(ax, **figure_options):
    """Return the axes given, or those of a new figure."""
    pyplot = import_pyplot()
    if ax is None:
        _, ax = pyplot.subplots(layout="constrained", **figure_options)
    if not hasattr(ax, "imshow"):
        raise TypeError(f"Got ax={ax!r}; expected the Axes of matplotlib, or None.")
    return ax


def axes_grid(axes, n_rows, n_columns):
    """Return axes of shape (n_rows, n_columns), those given or of a new figure."""
    pyplot = import_pyplot()
    if axes is None:
        _, axes = pyplot.subplots(
            n_rows,
            n_columns,
            squeeze=False,
            layout="constrained",
            figsize=(3 * n_columns, 2.2 * n_rows),
        )
    axes = np.asarray(axes, dtype=object)
    if axes.size != n_rows * n_columns:
        raise ValueError(
            f"Got axes of shape {axes.shape}; expected ({n_rows}, {n_columns}), a row "
            "for each kind of picture and a column for each image. Leave ax out for a "
            "new figure."
        )
    if not all(hasattr(ax, "imshow") for ax in axes.flat):
        raise TypeError(f"Got ax={axes!r}; expected Axes of matplotlib, or None.")
    return axes.reshape(n_rows, n_columns)


def show_image(ax, image, title=None, row_name=None):
    """Draw one image without ticks, and say so where it is a mean over channels."""
    picture = as_picture(image)
    limits = {"vmin": 0, "vmax": 255 if picture.dtype == np.uint8 else 1}
    ax.imshow(picture, **({"cmap": "gray", **limits} if picture.ndim == 2 else {}))
    ax.set(xticks=[], yticks=[], frame_on=False)
    if image.ndim == 3 and image.shape[-1] not in (1, 3):
        note = f"mean of {image.shape[-1]} channels"
        title = note if title is None else f"{title}, {note}"
    if title is not None:
        ax.set_title(title)
    if row_name is not None:
        ax.set_ylabel(row_name)


def as_picture(image):
    """Return an image as matplotlib draws it: uint8 or floats, clipped to [0, 1].

    Three channels are red, green and blue, ``(H, W, 3)``; the mean of any other number
    of channels is drawn in grey, ``(H, W)``.
    """
    if image.dtype != np.uint8:
        white = np.iinfo(image.dtype).max if image.dtype.kind == "u" else 1
        image = np.clip(image / white, 0.0, 1.0)
    if image.ndim == 2 or image.shape[-1] == 3:
        return image
    if image.shape[-1] == 1:
        return image[..., 0]
    return image.mean(axis=-1) / (255 if image.dtype == np.uint8 else 1)


def as_images(images, name="images", white=None):
    """Return a list of images, each ``(H, W, C)`` or ``(H, W)`` and not empty.

    They hold unsigned integers, or finite floats, which must be from 0 to ``white``
    where that is given.
    """
    images = as_list(images, name)
    shapes = [image.shape for image in images]
    if not images or any(len(shape) not in (2, 3) or 0 in shape for shape in shapes):
        vectors = any(len(shape) == 1 for shape in shapes)
        raise ValueError(
            f"Got {name} of shapes {shapes[:9]}; expected at least one image of shape "
            "(H, W, C) or (H, W). Give a single image an axis in front: image[None]."
            + (" Vectors are no images to show." if vectors else "")
        )
    for image in images:
        _check_values(image, name, white)
    return images


def as_list(images, name):
    """Return images or maps as a list of arrays, empty for what is no set of them."""
    images = as_set(images, name)
    return list(images) if isinstance(images, list) or images.ndim else []


def _check_values(image, name, white):
    if image.dtype.kind == "u":
        return
    if image.dtype.kind != "f":
        raise ValueError(
            f"Got {name} of type {image.dtype}; expected unsigned integers such as "
            "uint8, or floats. Convert other numbers to floats in [0, 1]."
        )
    low, high = float(image.min()), float(image.max())
    if not np.isfinite([low, high]).all():
        raise ValueError(f"Got {name} with NaN or infinity; expected finite values.")
    if white is not None and (low < -1e-5 * white or high > (1 + 1e-5) * white):
        raise ValueError(
            f"Got {name} from {low:.4g} to {high:.4g}; expected floats from 0, which "
            f"is black, to {white:g}, which is white. Scale them first."
        )


def as_row(values, name, *, finite=True):
    """Return a row of numbers to draw."""
    row = as_array(values, name)
    if row.ndim != 1 or not row.size or row.dtype.kind not in "fiu":
        raise ValueError(
            f"Got {name} of shape {row.shape} and type {row.dtype}; expected a row of "
            "at least one number."
        )
    if finite and not np.isfinite(row).all():
        raise ValueError(f"Got {name} with NaN or infinity; expected finite numbers.")
    return row


def check_has(estimator, method, instead):
    """Refuse an estimator that has not what is to be drawn."""
    if isinstance(estimator, type) or not hasattr(estimator, method):
        raise TypeError(
            f"Got the estimator {type(estimator).__name__}, which has no {method}; "
            f"expected one that has. {instead}"
        )


def check_shows_images(estimator):
    """Refuse an estimator of what are no images."""
    kind = getattr(getattr(estimator, "layout_", None), "kind", None)
    latents = getattr(estimator, "backbone", None) == "identity"
    if kind == "vector" or latents:
        raise ValueError(
            f"Got the estimator {type(estimator).__name__}, fitted on "
            f"{'latents' if latents else 'vectors'}: no images to show. Fit it on "
            "images, or pass it image_shape=(H, W, C) if rows are images."
        )


def in_range_of(estimator, images):
    """Images that an estimator gave, with its range at [0, 1]."""
    low, high = getattr(estimator, "value_range_", (0.0, 1.0))
    if (low, high) == (0, 1):
        return list(images)
    return [(np.asarray(image) - low) / (high - low) for image in images]
