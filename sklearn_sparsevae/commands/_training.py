"""``fit``: a folder of images in, a model out."""

from pathlib import Path

import click

from sklearn_sparsevae.commands._images import image_names, images_of
from sklearn_sparsevae.commands._models import (
    estimator_names,
    made,
    set_option,
    with_parameters,
)
from sklearn_sparsevae.commands._walk import Job, Walk


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=True, path_type=Path))
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Where the model is written.",
)
@click.option(
    "--estimator",
    type=click.Choice(estimator_names()),
    default="Denoiser",
    show_default=True,
    help="What is fitted.",
)
@click.option(
    "--segmenter",
    type=click.Choice(estimator_names("segmentation")),
    help="What clusters its codes: then the model is for segment, a Pipeline of the "
    "steps enc and seg, and --set names enc__alpha or seg__n_clusters.",
)
@set_option
@click.option("--as-gray", is_flag=True, help="Make colours grey.")
@click.option("--overwrite", is_flag=True, help="Write over FILE.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
def fit(folder, output, estimator, segmenter, parameters, as_gray, overwrite, quiet):
    """Fit a model to the images of a folder.

    Files that cannot be read are named and left out. The folder may be a TIFF file.
    """
    from sklearn_sparsevae.persistence import save

    if output.exists() and not overwrite:
        raise click.UsageError(f"{output} is there already: see --overwrite.")
    if not output.parent.is_dir():
        raise click.UsageError(f"There is no folder {output.parent}. Make it first.")
    walk = Walk("fit", quiet)
    model = made(estimator) if segmenter is None else pipeline(estimator, segmenter)
    with_parameters(model, parameters)
    images, _ = readable_images(_jobs(folder), walk, as_gray)
    fitted(model, images, walk)
    save(model, output)
    if not quiet:
        click.echo(f"fit: {type(model).__name__} of {len(images)} images in {output}")
    return walk.exit_code


def pipeline(estimator="SparseCodingVAE", segmenter="SpectralSegmenter"):
    """Segmentation without labels, the same each time that it is fitted."""
    from sklearn.pipeline import Pipeline

    steps = [("enc", estimator), ("seg", segmenter)]
    return Pipeline([(step, made(name, random_state=0)) for step, name in steps])


def fitted(model, images, walk):
    """Fit a model, with bars where somebody looks at them."""
    shown = {n: 1 for n in model.get_params() if n.split("__")[-1] == "verbose"}
    kept = {name: model.get_params()[name] for name in shown}
    if walk.is_shown:
        model.set_params(**shown)
    return model.fit(images).set_params(**kept)


def _jobs(folder):
    if folder.is_file():
        return [Job(folder.parent, folder.name, folder)]
    return [Job(folder, name, folder / name) for name in image_names(folder)]


def readable_images(jobs, walk, as_gray=False):
    """Images of the files that can be read, and these; others have a line each."""
    from sklearn_sparsevae.datasets._local import open_images

    readable = []
    with walk.bar(len(jobs)) as bar:
        for job in jobs:
            with walk.naming(job):
                for _ in images_of(job, 1 if as_gray else 3, as_gray):
                    pass
                readable.append(job)
            bar.update()
    if not readable:
        raise click.ClickException("no file is left that can be read.")
    names = [job.name for job in readable]
    return open_images(readable[0].folder, names, as_gray), readable
