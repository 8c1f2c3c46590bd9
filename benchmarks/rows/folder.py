"""A folder of 300 photos from files to masks: load, encode, cluster, write.

JPEG files of 400x300 pixels, as squares of 256; SparseCodingVAE, spectral segmentation
into 3 clusters, one PNG file each. A round is 60 photos; each stage is timed by itself.
How busy a stage keeps the cores is the processor time over the time on the clock and
the number of threads: on a machine that does something else as well it comes out lower.
"""

import os
import pathlib
import statistics
import tempfile
import time

import numpy as np
from PIL import Image

from rows._contenders import peak_growth
from rows._results import Check, Figure, Result
from rows.photos import SIDE, write_photos
from rows.segmentation import N_CLUSTERS, make_encoder
from sklearn_sparsevae import SpectralSegmenter
from sklearn_sparsevae.datasets import load_image_folder

N_PHOTOS, N_AT_ONCE = 300, 60
STAGES = ("load", "encode", "cluster", "write")


def chain(folder, encoder, segmenter):
    """Stages as functions, each of what the one before returned."""

    def write(masks):
        for i, mask in enumerate(masks):
            path = pathlib.Path(folder, f"mask{i}.png")
            Image.fromarray(mask.astype(np.uint8)).save(path)

    functions = (
        lambda images: np.stack(list(images)),
        encoder.transform,
        segmenter.fit_predict,
        write,
    )
    return dict(zip(STAGES, functions, strict=True))


def time_stages(stages, images):
    """Clock and processor seconds of every stage ``(n_stages, 2)``."""
    times, value = [], images
    for function in stages.values():
        clock, processor = time.perf_counter(), time.process_time()
        value = function(value)
        seconds = time.perf_counter() - clock, time.process_time() - processor
        times.append(seconds)
    return times


def measure():
    """Results of this row."""
    segmenter = SpectralSegmenter(N_CLUSTERS, random_state=0)
    encoder, rounds = make_encoder(), []
    with tempfile.TemporaryDirectory() as folder:
        write_photos(folder, N_PHOTOS)
        images = load_image_folder(folder, size=SIDE).images
        stages = chain(folder, encoder, segmenter)
        parts = [images[i : i + N_AT_ONCE] for i in range(0, N_PHOTOS, N_AT_ONCE)]
        first, *others = parts
        memory = peak_growth(lambda: rounds.append(time_stages(stages, first)))
        rounds += [time_stages(stages, part) for part in others]
    clock, processor = np.moveaxis(rounds, 2, 0)
    whole = Figure("all stages", clock.sum(axis=1).tolist(), N_AT_ONCE, memory)
    results = [Result("folder of photos", "photos/s", whole)]
    threads = int(os.environ["OMP_NUM_THREADS"])
    for name, seconds, work in zip(STAGES, clock.T, processor.T, strict=True):
        ours = Figure(name, seconds.tolist(), N_AT_ONCE)
        share = statistics.median(seconds / clock.sum(axis=1))
        busy = statistics.median(work / seconds) / threads
        check = Check(f"folder, {name}, cores at work", busy, at_least=0.9)
        job = f"folder, {name}"
        results.append(Result(job, "photos/s", ours, checks=(check,)))
        print(f"folder, {name}: {share:.0%} of the time", flush=True)
    return results
