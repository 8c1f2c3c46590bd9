"""CIFAR-10 (JPEG) and the command line that the benchmarks on it share."""

import argparse
import io
import json
import os
import pathlib
import zipfile

import numpy as np
from PIL import Image

TITLE = "CIFAR-10 (JPEG)"
ARCHIVE = "cifar10_jpeg.zip"
FOLDER_VARIABLE = "SPARSEVAE_DATA"
SEED = 0
RESULTS = pathlib.Path("build", "benchmarks")  # git ignores it


def parser(description, *, n_train, json_name):
    """Command line that every benchmark on CIFAR-10 has; None leaves a default out."""
    options = argparse.ArgumentParser(description=description)
    add = options.add_argument
    add("--data", metavar="ZIP", help=f"{ARCHIVE}; default: in ${FOLDER_VARIABLE}")
    add("--n-train", type=positive, default=n_train, help="training images")
    add("--n-test", type=positive, default=2000, help="held-out test images")
    add("--max-epochs", type=positive, help="instead of the benchmark's own")
    add("--threads", type=positive, default=1, help="threads of every library")
    add("--json", default=json_name and RESULTS / json_name, help="where to write JSON")
    return options


def positive(text):
    """Whole number of at least one, for argparse."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more, got {value}")
    return value


def find_archive(options, data):
    """Path of the archive; ends the program when there is none.

    Without ``--data`` and without the environment variable this is no error: there is
    nothing to measure, so that ``make bench`` can go on.
    """
    folder = os.environ.get(FOLDER_VARIABLE)
    if data is None and not folder:
        options.exit(
            0,
            f"{options.prog}: skipped, no {TITLE}. Give --data {ARCHIVE}, or set "
            f"{FOLDER_VARIABLE} to its folder.\n",
        )
    path = pathlib.Path(data) if data else pathlib.Path(folder, ARCHIVE)
    if not zipfile.is_zipfile(path):
        options.error(
            f"{path} is not a zip archive that can be read; expected {ARCHIVE} with "
            "train/<class>/NNNN.jpg and test/<class>/NNNN.jpg"
        )
    return path


def load(archive, subset, n_images):
    """Read a fixed random choice of images, ``(n, 32, 32, 3)`` uint8, from the zip."""
    with zipfile.ZipFile(archive) as data:
        names = sorted(
            name
            for name in data.namelist()
            if name.startswith(f"{subset}/") and name.endswith(".jpg")
        )
        if len(names) < n_images:
            raise SystemExit(
                f"{n_images} images of {subset}/ were asked for, the archive has "
                f"{len(names)}: lower --n-{subset}."
            )
        chosen = np.random.RandomState(SEED).permutation(names)[:n_images]
        return np.stack([_read(data.read(name)) for name in chosen])


def _read(content):
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def write_json(path, content):
    """Write aside, then rename, so that no reader sees half a file."""
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(path.name + ".part")
    aside.write_text(json.dumps(content, indent=2) + "\n")
    os.replace(aside, path)
    print(f"written: {path}")
