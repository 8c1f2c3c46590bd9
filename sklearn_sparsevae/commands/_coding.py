"""``encode`` and ``decode``: images into files of codes, and back."""

import click
import numpy as np

from sklearn_sparsevae._files import written_aside
from sklearn_sparsevae.commands._images import image_names, images_of, written_name
from sklearn_sparsevae.commands._models import (
    loaded,
    model_option,
    n_channels_of,
    range_of,
)
from sklearn_sparsevae.commands._walk import Walk, in_and_out, jobs_of

_SUFFIX = ".codes"


@click.command()
@in_and_out
@model_option("What fit has written.", required=True)
@model_option("A CodePrior of such codes: write them in few bytes.", name="--prior")
@click.option("--as-gray", is_flag=True, help="Make colours grey.")
def encode(source, target, model, prior, as_gray, overwrite, quiet):
    """Write the sparse codes of images.

    Of cats/1.png they are cats/1.png.codes, which sklearn_sparsevae.codes.load_codes
    reads, or with --prior the decompress of that prior; those of all pages of a TIFF
    file are in one.
    """
    from sklearn_sparsevae.codes import SparseCodes, save_codes

    jobs = jobs_of(source, target, image_names, lambda name: name + _SUFFIX)
    model = loaded(model, "transform")
    prior = None if prior is None else loaded(prior, "compress")

    def work(job, step):
        codes = model.transform(images_of(job, n_channels_of(model), as_gray))
        first = codes[0] if isinstance(codes, list) else codes
        if not isinstance(first, SparseCodes):
            raise TypeError(
                f"{type(model).__name__} gives no sparse codes; expected a model such "
                "as SparseCodingVAE"
            )
        if prior is None:
            save_codes(codes, job.target)
            return
        data = prior.compress(codes)
        with written_aside(job.target) as path:
            path.write_bytes(data)

    def is_there(job):
        return job.target.exists() and not overwrite

    return Walk("encode", quiet).run(jobs, is_there, work)


@click.command()
@in_and_out
@model_option("What made the codes.", required=True)
@model_option("What encode --prior had.", name="--prior")
@click.option(
    "--dtype",
    type=click.Choice(["uint8", "uint16", "float32"]),
    help="Of the numbers in the files. Left out: uint8, or what holds the range of the "
    "model if it has one of its own.",
)
def decode(source, target, model, prior, dtype, overwrite, quiet):
    """Write the images of codes.

    Of cats/1.png.codes it is cats/1.png, and of stack.tif.codes all pages of stack.tif.
    """
    from sklearn_sparsevae.codes import load_codes
    from sklearn_sparsevae.datasets import save_images

    jobs = jobs_of(source, target, _code_names, _decoded_name)
    model = loaded(model, "inverse_transform")
    prior = None if prior is None else loaded(prior, "decompress")
    limits = range_of(model)
    dtype = np.dtype(dtype or _dtype_for(limits))

    def work(job, step):
        if prior is None:
            codes = load_codes(job.path)
        else:
            codes = prior.decompress(job.path.read_bytes())
        images = model.inverse_transform(codes)
        save_images(
            images, job.target, dtype=dtype, value_range=limits, overwrite=overwrite
        )

    def is_there(job):
        return job.target.exists() and not overwrite

    return Walk("decode", quiet).run(jobs, is_there, work)


def _code_names(folder):
    found = (path for path in folder.rglob(f"*{_SUFFIX}") if path.is_file())
    names = sorted(path.relative_to(folder).as_posix() for path in found)
    if not names:
        raise click.UsageError(f"{folder} holds no files that end in {_SUFFIX}.")
    return names


def _decoded_name(name):
    return written_name(name.removesuffix(_SUFFIX))


def _dtype_for(limits):
    """Type of whole numbers that hold a range, or float32."""
    if limits is None:
        return "uint8"
    low, high = limits
    for name in ("uint8", "uint16"):
        if 0 <= low and 1 < high <= np.iinfo(name).max:
            return name
    return "float32"
