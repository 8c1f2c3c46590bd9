"""What all Displays share: matplotlib when it is needed, axes, images."""

import numpy as np


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
    return axes.reshape(n_rows, n_columns)


def show_image(ax, image, title=None, row_name=None):
    """Draw one image without ticks, floats clipped to [0, 1]."""
    if image.dtype != np.uint8:
        image = np.clip(image, 0.0, 1.0)
    if image.ndim == 3 and image.shape[-1] == 1:
        image = image[..., 0]
    limits = {"vmin": 0, "vmax": 255 if image.dtype == np.uint8 else 1}
    ax.imshow(image, **({"cmap": "gray", **limits} if image.ndim == 2 else {}))
    ax.set(xticks=[], yticks=[], frame_on=False)
    if title is not None:
        ax.set_title(title)
    if row_name is not None:
        ax.set_ylabel(row_name)


def as_images(images, name="images"):
    """Return a list of images, each ``(H, W, C)`` or ``(H, W)`` and not empty."""
    images = [np.asarray(image) for image in images]
    shapes = [image.shape for image in images]
    if not images or any(len(shape) not in (2, 3) or 0 in shape for shape in shapes):
        raise ValueError(
            f"Got {name} of shapes {shapes}; expected at least one image of shape (H, "
            "W, C) or (H, W). Give a single image an axis in front: image[None]."
        )
    return images
