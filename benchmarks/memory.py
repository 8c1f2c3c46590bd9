"""Memory of what is larger than memory: it does not grow with the data.

The peak of a process that does one thing: fit to an array of h5py or zarr on disk, or
take a lazy sequence of photos to masks block by block. Each is run with a tenth of the
data and with all of it.

Run ``python benchmarks/memory.py``; it needs Linux, no data, and 2 GB on the disk for a
while.
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile

import _common
import _record
import h5py
import numpy as np
import zarr
from threadpoolctl import threadpool_limits

from sklearn_sparsevae import VQVAE, KMeansSegmenter, SparseCodingVAE

SIDE = 128  # of the photos that become masks
N_IMAGES, N_PHOTOS = 11_000, 600


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
    """Write float64 images of 64x64 pixels, a block at a time."""
    shape, chunks = (n_images, 64, 64, 3), (16, 64, 64, 3)
    if path.endswith(".h5"):
        file = h5py.File(path, "w")
        X = file.create_dataset("X", shape, "f8", chunks=chunks)
    else:
        X = zarr.create_array(path, shape=shape, dtype="f8", chunks=chunks)
    rng = np.random.default_rng(0)
    for start in range(0, n_images, 512):
        stop = min(start + 512, n_images)
        X[start:stop] = rng.random((stop - start, *shape[1:]))
    if path.endswith(".h5"):
        file.close()


def memory(n_images=N_IMAGES, n_photos=N_PHOTOS):
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
        size = n_images * 64 * 64 * 3 * 8 / 1e9
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


def main():
    """Measure, print, write."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    _common.add_common(options, "memory.json")
    options.add_argument("--task", nargs=2, help=argparse.SUPPRESS)
    args = options.parse_args()
    if args.task is not None:
        with threadpool_limits(args.threads):
            {"fit": fit, "masks": masks}[args.task[0]](args.task[1])
        # Of this program alone: what getrusage tells includes the one that started it.
        status = pathlib.Path("/proc/self/status").read_text()
        print(int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024)
        return
    rows = memory()
    for row in rows:
        limit = 300 if row["label"].startswith("`fit`") else 50
        text = f"{row['label']}: {row['more']:.0f} MiB more than a tenth of it"
        _common.verdict(f"{text} (goal: at most {limit})", row["more"] <= limit)
    _common.write_json(args.json, rows)
    columns = _record.columns(
        tenth=("MiB with a tenth", ".0f"),
        whole=("MiB with all", ".0f"),
        more=("more", ".0f"),
    )
    table = _record.table("what is done", columns, rows)
    settings = {"images": "64x64, float64", "photos": f"{SIDE}x{SIDE}"}
    _record.record(args, "memory", tables={"memory": table}, settings=settings)


if __name__ == "__main__":
    main()
