"""What benchmarks share: command line, time, goals, JSON."""

import argparse
import json
import os
import pathlib
import time
import zipfile

import _record
import numpy as np

SEED = 0
RESULTS = pathlib.Path("build", "benchmarks")  # git ignores it
FOLDER_VARIABLE = "SPARSEVAE_DATA"


def parser(description, *, data, json_name):
    """Command line that every benchmark on an archive has.

    ``data`` is the name of the archive; ``json_name=None`` leaves out a default.
    """
    options = argparse.ArgumentParser(description=description)
    add = options.add_argument
    add("--data", metavar="ZIP", help=f"{data}; default: in ${FOLDER_VARIABLE}")
    add("--max-epochs", type=positive, help="instead of the benchmark's own")
    add_common(options, json_name)
    return options


def add_common(options, json_name):
    """Add the options of all benchmarks but the suite: threads, and what is written."""
    add = options.add_argument
    add("--threads", type=positive, default=1, help="threads of every library")
    add("--json", default=json_name and RESULTS / json_name, help="where to write JSON")
    add("--record", action="store_true", help=_record.HELP)


def positive(text):
    """Whole number of at least one, for argparse."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more, got {value}")
    return value


def find_archive(options, data, *, name, members):
    """Path of an archive; ends the program when there is none.

    Without ``--data`` and without the environment variable this is no error: there is
    nothing to measure, so that ``make studies`` can go on.
    """
    folder = os.environ.get(FOLDER_VARIABLE)
    if data is None and not folder:
        options.exit(
            0,
            f"{options.prog}: skipped, no {name}. Give --data {name}, or set "
            f"{FOLDER_VARIABLE} to its folder.\n",
        )
    path = pathlib.Path(data) if data else pathlib.Path(folder, name)
    if not zipfile.is_zipfile(path):
        options.error(
            f"{path} is not a zip archive that can be read; expected {name} with "
            f"{members}"
        )
    return path


def load_photos(archive, folder, n_photos):
    """Read a fixed random choice of the photos in a folder of a zip file, as a list."""
    # Here, since scripts that time libraries import this module into every process.
    from sklearn_sparsevae.datasets import load_image_archive

    images = load_image_archive(archive, folder=folder).images
    if len(images) < n_photos:
        raise SystemExit(
            f"{n_photos} images of {folder} were asked for, the archive has "
            f"{len(images)}: ask for fewer."
        )
    order = np.random.RandomState(SEED).permutation(len(images))
    return [images[i] for i in order[:n_photos]]


def timed_fit(model, *data):
    """Fit; return CPU and wall seconds."""
    cpu, wall = time.process_time(), time.perf_counter()
    model.fit(*data)
    return time.process_time() - cpu, time.perf_counter() - wall


def epochs(args, otherwise=None):
    """``max_epochs`` as an option of the model, when it is not to be the default."""
    wanted = args.max_epochs or otherwise
    return {} if wanted is None else {"max_epochs": wanted}


def interval(values, n_draws=2000):
    """95 % bootstrap interval of a mean, as two numbers."""
    values, rng = np.asarray(values), np.random.RandomState(SEED)
    draws = rng.randint(len(values), size=(n_draws, len(values)))
    return np.percentile(values[draws].mean(axis=1), [2.5, 97.5]).tolist()


def verdict(text, passed):
    """Print whether a goal is met; return that for JSON."""
    print(f"{'PASS' if passed else 'missed'}  {text}", flush=True)
    return {"goal": text, "passed": bool(passed)}


def write_json(path, content):
    """Write all that was measured, where ``--json`` says."""
    path = pathlib.Path(path)
    _record.write_aside(path, json.dumps(content, indent=2) + "\n")
    print(f"written: {path}")
