"""``segment``: images in, label maps out."""

import itertools

import click

from sklearn_sparsevae.commands._images import (
    blocks_of,
    image_names,
    images_of,
    mask_name,
    n_images_of,
)
from sklearn_sparsevae.commands._models import (
    loaded,
    model_option,
    n_channels_of,
    set_option,
    with_parameters,
)
from sklearn_sparsevae.commands._training import fitted, pipeline, readable_images
from sklearn_sparsevae.commands._walk import Walk, in_and_out, jobs_of


@click.command()
@in_and_out
@model_option(
    "A Pipeline that fit --segmenter has written. Without it one is fitted to IN: "
    "SparseCodingVAE (enc) and SpectralSegmenter (seg).",
)
@set_option
@click.option("--as-gray", is_flag=True, help="Make colours grey.")
def segment(source, target, model, parameters, as_gray, overwrite, quiet):
    """Write a label map for each image.

    They are PNG files whose pixels are the labels: of cats/1.jpg cats/1.png, of page 3
    of stack.tif stack[3].png. OUT is a folder.
    """
    from sklearn_sparsevae.datasets import save_masks

    jobs = jobs_of(source, target, image_names, mask_name)
    walk = Walk("segment", quiet)

    def is_there(job):
        return not overwrite and all(path.exists() for path in _masks_of(job))

    if model is None:
        model = with_parameters(pipeline(), parameters)
        if not all(map(is_there, jobs)):
            images, jobs = readable_images(jobs, walk, as_gray)
            fitted(model, images, walk)
        n_channels = 1 if as_gray else 3
    elif parameters:
        raise click.UsageError("--set is for a model that is fitted; got --model.")
    else:
        model = loaded(model, "predict")
        n_channels = n_channels_of(model)

    def work(job, step):
        images = images_of(job, n_channels, as_gray)
        paths = iter(_masks_of(job))
        for block in blocks_of(images, step):
            names = [path.name for path in itertools.islice(paths, len(block))]
            save_masks(job.target.parent, names, model.predict(block))

    return walk.run(jobs, is_there, work)


def _masks_of(job):
    """Paths of the label maps of a file, one for each image in it."""
    if job.target.suffix.lower() != ".png":
        raise click.UsageError(f"OUT is {job.target}; expected a PNG file or a folder.")
    n_images = n_images_of(job)
    if n_images == 1:
        return [job.target]
    stem = job.target.stem
    return [job.target.with_name(f"{stem}[{i}].png") for i in range(n_images)]
