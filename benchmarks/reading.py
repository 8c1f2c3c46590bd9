"""Images that are not in memory: waiting for them, the memory they take, chunks.

*Waiting* is the share of the time in which the training has no batch to work on, beside
how many batches of 32 crops of 64 pixels it goes through in a second: a folder of JPEG
files of 800x600 pixels, by number of threads that read ahead (``n_workers``), over 30
batches.

*Memory* is the peak of a process (resident set) that does one thing: fit to an array of
h5py or zarr, or take a lazy sequence of photos to masks block by block. Each is run
with a tenth of the data and with all; the difference must not grow with the data.

*Chunks*: photos a second from compressed arrays of 128x128 photos on disk, in batches
of 32 at random and in order, when a chunk is one photo, sixteen, or what the library
chooses by itself.

Run ``python benchmarks/reading.py``; it needs no data, and 2 GB on the disk for a
while. ``--quick`` takes a hundredth of it.
"""

import argparse
import json
import pathlib
import resource
import subprocess
import sys
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

from sklearn_sparsevae import VQVAE, KMeansSegmenter, SparseCodingVAE
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
    """Rows: share of the time spent waiting, batches in a second."""
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
                "rate": N_BATCHES / clock.whole,
            }
            show("{label:36}{waiting:6.1f} %{rate:8.2f}/s", row)
            rows.append(row)
    return rows


# ---- memory -------------------------------------------------------------------------


class Made:
    """Photos made when they are asked for, so that no disk is needed."""

    def __init__(self, n_photos):
        self.shapes = [(SIDE, SIDE, 3)] * n_photos

    def __len__(self):
        return len(self.shapes)

    def __getitem__(self, index):
        return np.random.default_rng(index).integers(0, 256, (SIDE, SIDE, 3), np.uint8)


def fit(path):
    """Fit to an array of a file, for one epoch."""
    X = (
        h5py.File(path)["X"]
        if path.endswith(".h5")
        else zarr.open_array(path, mode="r")
    )
    params = {"max_epochs": 1, "batch_size": 256, "backbone_params": {"width": 8}}
    VQVAE(16, random_state=0, **params).fit(X)


def masks(n_photos):
    """Take photos to masks, block by block."""
    photos = Made(int(n_photos))
    model = SparseCodingVAE(dictionary="dct", max_epochs=0).fit(photos[0][None])
    segmenter = KMeansSegmenter(n_init=1, resolution="grid", foreground=None)
    segmenter.fit(model.transform(photos[0][None]))
    for _ in segmenter.iter_predict(model.iter_transform(photos)):
        pass


def peak_mib(task, argument):
    """Peak memory of a process that does a task."""
    command = [sys.executable, __file__, "--task", task, str(argument)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(run.stdout.splitlines()[-1])


def write_array(path, n_images):
    """Write float32 images of 64x64 pixels, a block at a time."""
    shape, chunks = (n_images, 64, 64, 3), (16, 64, 64, 3)
    if path.endswith(".h5"):
        file = h5py.File(path, "w")
        X = file.create_dataset("X", shape, "f4", chunks=chunks)
    else:
        X = zarr.create_array(path, shape=shape, dtype="f4", chunks=chunks)
    rng = np.random.default_rng(0)
    for start in range(0, n_images, 512):
        stop = min(start + 512, n_images)
        X[start:stop] = rng.random((stop - start, *shape[1:]), np.float32)
    if path.endswith(".h5"):
        file.close()


def memory(n_images, n_photos):
    """Rows: peak memory with a tenth of the data and with all, and the difference."""
    rows = []
    for kind in ("h5", "zarr"):
        peaks = []
        for n in (n_images // 10, n_images):
            with tempfile.TemporaryDirectory() as folder:
                path = f"{folder}/X.{kind}"
                write_array(path, n)
                peaks.append(peak_mib("fit", path))
        name = {"h5": "h5py", "zarr": "zarr"}[kind]
        size = n_images * 64 * 64 * 3 * 4 / 1e9
        rows.append({"label": f"`fit`, {name}, {size:.2g} GB", "peaks": peaks})
    peaks = [peak_mib("masks", n) for n in (n_photos // 10, n_photos)]
    rows.append({"label": f"`iter_predict`, {n_photos:,} photos", "peaks": peaks})
    for row in rows:
        row["tenth"], row["whole"] = row.pop("peaks")
        row["more"] = row["whole"] - row["tenth"]
        print(
            "{label:36}{tenth:8.0f}{whole:8.0f}{more:8.0f} MiB".format(**row),
            flush=True,
        )
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
    options.add_argument("--quick", action="store_true", help="a hundredth of the data")
    options.add_argument("--task", nargs=2, help=argparse.SUPPRESS)
    args = options.parse_args()
    if args.task is not None:
        with threadpool_limits(args.threads):
            {"fit": fit, "masks": masks}[args.task[0]](args.task[1])
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        return
    small = 100 if args.quick else 1
    with threadpool_limits(args.threads):
        waits = waiting(24)
        peaks = memory(22_000 // small, 1_500 // small)
        rates = chunks(max(64, 512 // small))
    for row in peaks:
        limit = 300 if row["label"].startswith("`fit`") else 50
        text = f"{row['label']}: {row['more']:.0f} MiB more than a tenth of it"
        _common.verdict(f"{text} (goal: at most {limit})", row["more"] <= limit)
    tables = {"waiting": waits, "memory": peaks, "chunks": rates}
    _common.write_json(args.json, tables)
    columns = {
        "waiting": _record.columns(
            waiting=("waiting, %", ".1f"), rate=("batches a second", ".2f")
        ),
        "memory": _record.columns(
            tenth=("MiB with a tenth", ".0f"),
            whole=("MiB with all", ".0f"),
            more=("more", ".0f"),
        ),
        "chunks": _record.columns(
            random=("at random", ".0f"), ordered=("in order", ".0f")
        ),
    }
    labels = {"waiting": "model", "memory": "what is done", "chunks": "a chunk is"}
    made = {
        name: _record.table(labels[name], columns[name], rows)
        for name, rows in tables.items()
    }
    settings = {"photos": "800x600", "batch_size": 32, "quick": args.quick}
    _record.record(args, "reading", tables=made, settings=settings)


if __name__ == "__main__":
    main()
