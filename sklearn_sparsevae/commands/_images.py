"""Images of files, in blocks that fit into memory."""

import math

import numpy as np

_MOST_PIXELS, _MOST_IMAGES = 2**22, 32


def image_names(folder):
    """Names of the image files in a folder and those below it."""
    from sklearn_sparsevae.datasets._sources import Folder, image_files

    return image_files(Folder(folder))


def written_name(name):
    """Name of the image file that is written for one of another name."""
    from sklearn_sparsevae.datasets._saving import written_name

    return written_name(name)


def mask_name(name):
    """Name of the label map of an image file of some name."""
    from sklearn_sparsevae.datasets._masks import mask_name

    return mask_name(name)


def n_images_of(job):
    """How many images there are in a file, by its header."""
    from sklearn_sparsevae.datasets._examples import Example

    return len(Example.of(job.path).shapes)


def images_of(job, n_channels=None, as_gray=False):
    """Images of a file: of one channel where that is wanted, or all that there is.

    Parameters
    ----------
    job : Job
        Which file.
    n_channels : int or None
        What a model takes; None takes grey and colours.
    as_gray : bool
        Whether colours may be made grey.
    """
    from sklearn_sparsevae.datasets._examples import Example
    from sklearn_sparsevae.datasets._local import open_images

    is_grey = Example.of(job.path).is_grey
    if n_channels == 1 and not (is_grey or as_gray):
        raise ValueError(
            "it has colours, and the model was fitted on grey images; --as-gray makes "
            "it grey"
        )
    grey = as_gray or (is_grey if n_channels is None else n_channels == 1)
    return open_images(job.folder, [job.name], grey)


def blocks_of(images, step):
    """Yield arrays of images of one size and type, a few at a time."""
    shapes, start = images.shapes, 0
    while start < len(images):
        shape = shapes[start]
        most = max(1, min(_MOST_IMAGES, _MOST_PIXELS // math.prod(shape[:2])))
        stop = start + 1
        while stop < min(len(images), start + most) and shapes[stop] == shape:
            stop += 1
        yield np.stack(list(images[start:stop]))
        step((stop - start) / len(images))
        start = stop
