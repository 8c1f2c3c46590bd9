"""Images that are not in memory: how long training waits, and what chunks are worth.

*Waiting* is the share of the time in which the training has no batch to work on: 30
batches of 32 crops of 64 pixels from a folder of JPEG files of 800x600 pixels, by
number of threads that read ahead (``n_workers``).

*Chunks*: photos a second from compressed arrays of 128x128 photos on disk, in batches
of 32 at random and in order, when a chunk is one photo, sixteen, or what the library
chooses by itself.

Run ``python benchmarks/reading.py``; it needs no data.
"""

import argparse
import pathlib
import tempfile
import time
from unittest import mock

import _common
import _record
import h5py
import numpy as np
import zarr
from PIL import Image
from rows._photos import crops
from threadpoolctl import threadpool_limits

from sklearn_sparsevae import VQVAE
from sklearn_sparsevae.datasets import load_image_folder
from sklearn_sparsevae.images import InputSpec
from sklearn_sparsevae.training.loading import BatchLoader

WORKERS, N_BATCHES = (0, 1, 2, 4), 30
SIDE = 128  # of the photos in arrays


def show(line, row):
    """Print a row at once."""
    print(line.format(**row), flush=True)


# ---- waiting ------------------------------------------------------------------------


class Waiting:
    """Clock of what passes between the call for a batch and its arrival."""

    def __init__(self):
        self.waited = self.whole = 0.0

    def __call__(self, iterate):
        """Return an iteration over batches that is timed like that."""

        def timed(loader):
            batches = iterate(loader)
            yield next(batches)  # what the first of a process does is left out
            start, self.waited = time.perf_counter(), 0.0
            for _ in range(N_BATCHES):
                asked = time.perf_counter()
                batch = next(batches)
                self.waited += time.perf_counter() - asked
                yield batch
            self.whole = time.perf_counter() - start
            batches.close()

        return timed


def waiting(n_photos):
    """Rows: share of the time spent waiting."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for i, photo in enumerate(crops(300, n_photos)):
            large = Image.fromarray(photo).resize((800, 600))
            large.save(pathlib.Path(folder, f"{i:05}.jpg"), quality=90)
        images = load_image_folder(folder).images
        for n_workers in WORKERS:
            clock, sizes = Waiting(), BatchLoader.sizes
            patched = {
                "__iter__": clock(BatchLoader.__iter__),
                "sizes": lambda loader, sizes=sizes: sizes(loader)[: N_BATCHES + 1],
            }
            model = VQVAE(max_epochs=1, random_state=0, n_workers=n_workers)
            with mock.patch.multiple(BatchLoader, **patched):
                model.fit(images)
            row = {
                "label": f"`VQVAE(n_workers={n_workers})`",
                "waiting": 100 * clock.waited / clock.whole,
            }
            show("{label:36}{waiting:6.1f} %", row)
            rows.append(row)
    return rows


# ---- chunks -------------------------------------------------------------------------


def chunks(n_photos):
    """Rows: photos a second, by library and chunk, at random and in order."""
    rows, X = [], crops(SIDE, n_photos)
    for name in ("h5py", "zarr"):
        for chunk, label in (
            (1, "1 photo"),
            (16, "16 photos"),
            (None, "its own choice"),
        ):
            with tempfile.TemporaryDirectory() as folder:
                array = _stored(name, folder, X, chunk)
                rows.append({"label": f"{name}, {label}", **_rates(array)})
                show("{label:36}{random:8.0f}{ordered:8.0f} photos/s", rows[-1])
    return rows


def _stored(name, folder, X, chunk):
    shape = None if chunk is None else (chunk, *X.shape[1:])
    if name == "h5py":
        file, size = h5py.File(f"{folder}/X.h5", "w"), True if shape is None else shape
        return file.create_dataset("X", data=X, chunks=size, compression="gzip")
    more = {} if shape is None else {"chunks": shape}
    return zarr.create_array(f"{folder}/X.zarr", data=X, **more)


def _rates(array):
    photos = InputSpec.of().open(array)
    order, rates = np.random.RandomState(0).permutation(len(photos)), {}
    for name, places in (("random", order), ("ordered", np.arange(len(photos)))):
        start = time.perf_counter()
        for first in range(0, len(places), 32):
            photos[places[first : first + 32]].unit()
        rates[name] = len(places) / (time.perf_counter() - start)
    return rates


# ---- all ----------------------------------------------------------------------------


def main():
    """Measure, print, write."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    _common.add_common(options, "reading.json")
    args = options.parse_args()
    with threadpool_limits(args.threads):
        tables = {"waiting": waiting(24), "chunks": chunks(512)}
    _common.write_json(args.json, tables)
    columns = {
        "waiting": _record.columns(waiting=("waiting, %", ".1f")),
        "chunks": _record.columns(
            random=("at random", ".0f"), ordered=("in order", ".0f")
        ),
    }
    labels = {"waiting": "model", "chunks": "a chunk is"}
    made = {
        name: _record.table(labels[name], columns[name], rows)
        for name, rows in tables.items()
    }
    settings = {"photos": "800x600", "batch_size": 32}
    _record.record(args, "reading", tables=made, settings=settings)


if __name__ == "__main__":
    main()
