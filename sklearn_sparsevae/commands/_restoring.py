"""``denoise``: noisy images in, restored ones out."""

import click

from sklearn_sparsevae.commands._images import (
    blocks_of,
    image_names,
    images_of,
    written_name,
)
from sklearn_sparsevae.commands._models import (
    loaded,
    made,
    model_option,
    n_channels_of,
    range_of,
)
from sklearn_sparsevae.commands._walk import Walk, in_and_out, jobs_of


class _Numbers(click.ParamType):
    """A number of at least 0, one for each channel, or a word."""

    def __init__(self, name, *words):
        self.name, self.words = name, words

    def convert(self, value, param, ctx):
        """Read numbers with commas between them."""
        if value in self.words:
            return value
        try:
            numbers = [float(part) for part in str(value).split(",")]
        except ValueError:
            numbers = [-1.0]
        if not all(0 <= number < float("inf") for number in numbers):
            words = "".join(f", or {word}" for word in self.words)
            self.fail(
                f"{value!r}; expected a number of at least 0, or 20,25,30{words}."
            )
        return numbers[0] if len(numbers) == 1 else numbers


@click.command()
@in_and_out
@model_option(
    "A model that fit has written. Without it each image is restored from itself.",
)
@click.option(
    "--sigma",
    type=_Numbers("S"),
    help="Standard deviation of the noise in 8-bit units (255 is the whole range), or "
    "one for each channel: 20,25,30. Estimated from each image if left out.",
)
@click.option(
    "--gain",
    type=_Numbers("G", "estimate"),
    help="For Poisson noise, as counted photons have it: what a photon adds in 8-bit "
    "units, or estimate. --sigma is the read noise then.",
)
@click.option(
    "--value-range",
    nargs=2,
    type=float,
    metavar="LOW HIGH",
    help="What is black and white, such as 0 4095 for 12 bits. Left out: all that the "
    "dtype holds, 0 to 1 of floats; with --model what the model was fitted with.",
)
@click.option("--as-gray", is_flag=True, help="Make colours grey.")
def denoise(source, target, model, sigma, gain, value_range, as_gray, overwrite, quiet):
    """Take noise from images.

    OUT has files of the same names, types and resolution as IN; what OME and ImageJ
    say in TIFF files is kept. BMP, GIF and WebP files become PNG files.
    """
    from sklearn_sparsevae.datasets import save_images

    jobs = jobs_of(source, target, image_names, written_name)
    restore, n_channels, limits = _restorer(model, sigma, gain, value_range)

    def work(job, step):
        images = images_of(job, n_channels, as_gray)
        blocks = map(restore, blocks_of(images, step))
        save_images(
            blocks, job.target, job.path, value_range=limits, overwrite=overwrite
        )

    def is_there(job):
        return job.target.exists() and not overwrite

    return Walk("denoise", quiet).run(jobs, is_there, work)


def _restorer(path, sigma, gain, value_range):
    """Return what restores images, of how many channels, and the range they span."""
    if path is None:
        model = made(
            "Denoiser",
            method="patches",
            clean=False,
            gain=gain,
            value_range=value_range,
            random_state=0,  # the same each time that the command is given
        )

        def restore(images):
            return model.fit(images).transform(images, sigma=sigma)

        return restore, None, value_range
    if value_range is not None:
        raise click.UsageError("--value-range is known of a --model.")
    model = loaded(path, "transform")
    if type(model).__name__ == "Denoiser":
        if gain is not None:
            model.set_params(gain=gain)

        def restore(images):
            return model.transform(images, sigma=sigma)

    elif hasattr(model, "reconstruct"):
        if sigma is not None or gain is not None:
            raise click.UsageError(
                f"{path} holds a {type(model).__name__}, which takes no --sigma and no "
                "--gain: it was fitted to noise of a strength."
            )
        restore = model.reconstruct
    else:
        raise click.UsageError(
            f"{path} holds a {type(model).__name__}, which does not restore images; "
            "see info."
        )
    return restore, n_channels_of(model), range_of(model)
