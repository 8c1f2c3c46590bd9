"""What a job costs as it grows, and what a cluster would make of ImageNet.

``DictionaryLearningVAE`` on crops of sample photos, sites of 4x4 pixels: its start, an
epoch, ``transform``, and ``predict`` of both segmenters on the codes. One size at a
time is changed: images, pixels of an image, atoms, non-zeros of a site. *Exponent*: the
slope of log cost over log size, by least squares, so that 1 is proportional, 2
quadratic, and 0 a cost that does not depend on the size. Cost is CPU time of one
thread; all sizes are measured in turn, round by round, so that what else the machine
does hits all of them, and exponents are means over rounds. *Memory* is the growth of
the peak of the process.

The last table is an estimate on paper. Measured here, on one core of a CPU, are the
images a second of training and coding whole photos of 256x256 pixels, and of decoding
JPEG files of a size common in ImageNet; assumed are how many such cores a GPU is worth,
which was not measured (``rows/gpu.py`` would), and what GPUs lose to each other.

Run ``python benchmarks/scaling.py``; it needs no data and five minutes.
"""

import argparse
import functools
import pathlib
import tempfile
import time

import _common
import _record
import numpy as np
from PIL import Image
from rows._contenders import peak_growth
from rows._photos import crops
from sklearn.base import clone
from threadpoolctl import threadpool_limits

from sklearn_sparsevae import (
    DictionaryLearningVAE,
    KMeansSegmenter,
    SparseCodingVAE,
    SpectralSegmenter,
)
from sklearn_sparsevae.datasets import load_image_folder

BASE = {"images": 64, "side": 32, "atoms": 128, "nonzeros": 4}
AXES = {
    "images": ("images", [64, 128, 256, 512]),
    "pixels": ("side", [16, 32, 64, 128]),
    "atoms": ("atoms", [64, 128, 256, 512]),
    "nonzeros": ("nonzeros", [2, 4, 8, 16]),
}
JOBS = {
    "start": "start of `fit`",
    "epoch": "an epoch of `fit`",
    "transform": "`transform`",
    "kmeans": "`KMeansSegmenter.predict`",
    "spectral": "`SpectralSegmenter.predict`",
}
# Images that segmenters get of those of an encoder: they take longer for each.
SHARE = 8

IMAGENET = {"photos": 1_281_167, "side": 256, "height": 375, "width": 500}
N_GPUS, EFFICIENCY, SPEEDUPS = 8, 0.9, (25, 100, 400)


def jobs_of(images, side, atoms, nonzeros):
    """Make the calls to measure at a size, by name."""
    data = crops(side, images)
    model = DictionaryLearningVAE(
        atoms,
        n_nonzero_coefs=nonzeros,
        n_downsamples=2,
        max_epochs=0,
        random_state=_common.SEED,
    )
    start = functools.partial(clone(model).fit, data)
    model.fit(data)
    codes = model.transform(data[: images // SHARE])
    calls = {
        "start": start,
        "epoch": functools.partial(model.partial_fit, data),
        "transform": functools.partial(model.transform, data),
    }
    for name, cls in (("kmeans", KMeansSegmenter), ("spectral", SpectralSegmenter)):
        segmenter = cls(random_state=_common.SEED).fit(codes[:1])
        calls[name] = functools.partial(segmenter.predict, codes)
    return calls


def seconds(call):
    """CPU seconds of a call."""
    start = time.process_time()
    call()
    return time.process_time() - start


def exponent(sizes, costs):
    """Slope of log cost over log size."""
    return float(np.polyfit(np.log(sizes), np.log(costs), 1)[0])


def measure_growth(n_rounds):
    """Tables of exponents, of time and of memory, and of the cost at the base."""
    runs = {
        (axis, size): jobs_of(**BASE | {name: size})
        for axis, (name, sizes) in AXES.items()
        for size in sizes
    }
    # The first call also compiles and warms up.
    memory = {
        (*place, job): peak_growth(call)
        for place, calls in runs.items()
        for job, call in calls.items()
    }
    rounds = [
        {
            (*place, job): seconds(call)
            for place, calls in runs.items()
            for job, call in calls.items()
        }
        for _ in range(n_rounds)
    ]
    times, peaks, base = [], [], []
    for job, label in JOBS.items():
        times.append({"label": label, "key": job})
        peaks.append({"label": label, "key": job})
        for axis, (_, sizes) in AXES.items():
            lengths = np.square(sizes) if axis == "pixels" else sizes
            slopes = [
                exponent(lengths, [costs[axis, size, job] for size in sizes])
                for costs in rounds
            ]
            times[-1][axis] = _record.spread(slopes)
            if memory[axis, sizes[-1], job] is not None:
                peaks[-1][axis] = memory[axis, sizes[-1], job]
        n_images = BASE["images"] // (SHARE if job in ("kmeans", "spectral") else 1)
        per_image = [costs["images", BASE["images"], job] for costs in rounds]
        base.append(
            {
                "label": label,
                "key": job,
                "milliseconds": 1000 * float(np.median(per_image)) / n_images,
            }
        )
    return times, peaks, base


def measure_rates():
    """Images a second of one core: training, coding, decoding."""
    photos = crops(IMAGENET["side"], 16)
    rates = {}
    for cls in (DictionaryLearningVAE, SparseCodingVAE):
        model = cls(crop_size=None, max_epochs=0, random_state=_common.SEED)
        model.fit(photos)
        model.partial_fit(photos)  # compiles, chooses kernels
        name = cls.__name__
        trained = seconds(functools.partial(model.partial_fit, photos))
        coded = seconds(functools.partial(model.transform, photos))
        rates[name] = len(photos) / trained, len(photos) / coded
    return rates, decoding_rate()


def decoding_rate(n_files=32):
    """JPEG files a second, of a size common in ImageNet, read as `fit` reads them."""
    pictures = crops(IMAGENET["height"], n_files)
    with tempfile.TemporaryDirectory() as folder:
        for i, picture in enumerate(pictures):
            image = Image.fromarray(picture)
            image = image.resize((IMAGENET["width"], IMAGENET["height"]))
            image.save(pathlib.Path(folder, f"{i}.jpg"), quality=95)
        files = load_image_folder(folder, size=IMAGENET["side"]).images
        return n_files / seconds(lambda: [files[i] for i in range(len(files))])


def estimate(trained, coded, decoded):
    """Rows of the estimate, one for each assumed speed-up of a GPU over a core.

    An epoch takes ``photos / (GPUs * efficiency * speed-up * trained)`` seconds, and
    ``GPUs * efficiency * speed-up * trained / decoded`` cores decode its photos.
    """
    rows = []
    for speedup in SPEEDUPS:
        cluster = N_GPUS * EFFICIENCY * speedup
        rows.append(
            {
                "label": f"{speedup} cores",
                "key": f"x{speedup}",
                "rate": cluster * trained,
                "epoch": IMAGENET["photos"] / (cluster * trained) / 60,
                "code": IMAGENET["photos"] / (cluster * coded) / 60,
                "decoders": cluster * trained / decoded,
            }
        )
    return rows


def main():
    """Measure, print, write."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rounds", type=_common.positive, default=3)
    _common.add_common(options, "scaling.json")
    args = options.parse_args()
    with threadpool_limits(args.threads):
        times, peaks, base = measure_growth(args.rounds)
        rates, decoded = measure_rates()
    for row in times:
        cells = [f"{axis} {row[axis]['mean']:.2f}" for axis in AXES]
        print(f"{row['key']:10}", *cells, sep="  ")
    measured = [
        {"label": f"`{name}`", "key": name.lower(), "train": rate[0], "code": rate[1]}
        for name, rate in rates.items()
    ]
    rows = estimate(*rates["DictionaryLearningVAE"], decoded)
    result = {"times": times, "memory": peaks, "base": base, "rates": measured}
    _common.write_json(args.json, result | {"decoded": decoded, "imagenet": rows})

    labels = {
        "images": "images",
        "pixels": "pixels of an image",
        "atoms": "`n_components`",
        "nonzeros": "`n_nonzero_coefs`",
    }
    slopes = _record.columns(**{k: (label, ".2f") for k, label in labels.items()})
    mib = _record.columns(**{k: (label, ".0f") for k, label in labels.items()})
    tables = {
        "times": _record.table("exponent of the time of", slopes, times),
        "memory": _record.table("MiB at the largest size", mib, peaks),
        "base": _record.table(
            "at the base",
            _record.columns(milliseconds=("CPU-milliseconds an image", ".2f")),
            base,
        ),
        "rates": _record.table(
            "one core",
            _record.columns(
                train=("trained, images/s", ".1f"), code=("coded, images/s", ".1f")
            ),
            measured,
        ),
        "imagenet": _record.table(
            "assumed: a GPU is worth",
            _record.columns(
                rate=("images/s", ".0f"),
                epoch=("minutes an epoch", ".1f"),
                code=("minutes to code all", ".1f"),
                decoders=("cores that decode", ".0f"),
            ),
            rows,
        ),
    }
    settings = {
        "base": BASE,
        "sizes": {axis: sizes for axis, (_, sizes) in AXES.items()},
        "rounds": args.rounds,
        "imagenet": IMAGENET,
        "gpus": N_GPUS,
        "efficiency": EFFICIENCY,
    }
    figures = {"decoded": decoded}
    _record.record(args, "scaling", tables=tables, settings=settings, figures=figures)


if __name__ == "__main__":
    main()
