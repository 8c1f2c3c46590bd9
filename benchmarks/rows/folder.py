"""A folder of 300 photos from files to masks: load, encode, cluster, write.

JPEG files of 400x300 pixels, as squares of 256; SparseCodingVAE, spectral segmentation
into 3 clusters, one PNG file each. A round is 60 photos; each stage is timed by itself,
and has as many workers as there are threads: threads read and write, processes cluster.
How busy a stage keeps the cores is the processor time over the time on the clock and
the number of threads: on a machine that does something else as well it comes out lower.
"""

import contextlib
import os
import pathlib
import statistics
import tempfile
import time

import numpy as np
from joblib import Parallel, delayed
from joblib.externals.loky import get_reusable_executor
from PIL import Image

from rows._contenders import peak_growth
from rows._results import Check, Figure, Result
from rows.photos import SIDE, write_photos
from rows.segmentation import N_CLUSTERS, make_encoder
from sklearn_sparsevae import SpectralSegmenter
from sklearn_sparsevae.datasets import load_image_folder

N_PHOTOS, N_AT_ONCE = 300, 60
STAGES = ("load", "encode", "cluster", "write")


def chain(folder, encoder, segmenter, in_threads):
    """Stages as functions, each of what the one before returned."""

    def read(images):
        return np.stack(
            in_threads(delayed(images.__getitem__)(i) for i in range(N_AT_ONCE))
        )

    def write_one(i, mask):
        path = pathlib.Path(folder, f"mask{i}.png")
        Image.fromarray(mask.astype(np.uint8)).save(path)

    def write(masks):
        in_threads(delayed(write_one)(i, mask) for i, mask in enumerate(masks))

    functions = (
        read,
        encoder.transform,
        segmenter.fit_predict,
        write,
    )
    return dict(zip(STAGES, functions, strict=True))


def time_stages(stages, images):
    """Clock and processor seconds of every stage ``(n_stages, 2)``."""
    times, value = [], images
    for function in stages.values():
        clock, processor = time.perf_counter(), processor_seconds()
        value = function(value)
        seconds = time.perf_counter() - clock, processor_seconds() - processor
        times.append(seconds)
    return times


def processor_seconds():
    """Processor time of this process and, on Linux, of the workers that it has now."""
    ticks = 0
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended
            fields = path.read_text().rpartition(")")[2].split()
            if int(fields[1]) == os.getpid():
                ticks += int(fields[11]) + int(fields[12])
    return time.process_time() + ticks / os.sysconf("SC_CLK_TCK")


def measure():
    """Results of this row."""
    threads = int(os.environ["OMP_NUM_THREADS"])
    segmenter = SpectralSegmenter(N_CLUSTERS, n_jobs=threads, random_state=0)
    in_threads = Parallel(threads, prefer="threads")
    encoder, rounds = make_encoder(), []
    with tempfile.TemporaryDirectory() as folder:
        write_photos(folder, N_PHOTOS)
        images = load_image_folder(folder, size=SIDE).images
        stages = chain(folder, encoder, segmenter, in_threads)
        parts = [images[i : i + N_AT_ONCE] for i in range(0, N_PHOTOS, N_AT_ONCE)]
        first, *others = parts
        memory = peak_growth(lambda: rounds.append(time_stages(stages, first)))
        rounds += [time_stages(stages, part) for part in others]
    get_reusable_executor().shutdown()  # or this process waits until they tire
    clock, processor = np.moveaxis(rounds, 2, 0)
    whole = Figure("all stages", clock.sum(axis=1).tolist(), N_AT_ONCE, memory)
    results = [Result("folder of photos", "photos/s", whole)]
    for name, seconds, work in zip(STAGES, clock.T, processor.T, strict=True):
        ours = Figure(name, seconds.tolist(), N_AT_ONCE)
        share = statistics.median(seconds / clock.sum(axis=1))
        busy = statistics.median(work / seconds) / threads
        check = Check(f"folder, {name}, cores at work", busy, at_least=0.9)
        job = f"folder, {name}"
        results.append(Result(job, "photos/s", ours, checks=(check,)))
        print(f"folder, {name}: {share:.0%} of the time", flush=True)
    return results
