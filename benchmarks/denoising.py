"""The field's denoising tables: noise of known strength on standard sets of photos.

Gaussian noise of 15, 25 and 50 of 255 that is not clipped is added to CBSD68 and
Kodak24 (colour), BSD68 and Set12 (grey), the same to all methods; PSNR of the clipped
results in dB, mean over photos. Each `Denoiser` is trained once, on one thread, for all
strengths, on the 432 photos of BSDS500 that are not in CBSD68 (some on 50 of them);
nothing was chosen on a test set. Peers: BM3D (``pip install bm3d``; not free for
commercial use), and scikit-image's non-local means, wavelets and total variation, whose
weights are chosen for each strength on crops of training photos. What papers report is
beside them, marked as published: not measured here.

Also: without being told the strength, stronger noise than was trained for, clean input,
bottlenecks at equal training time, 50 noisy photos in place of 50 clean ones, and how
often errors lie within predicted deviations.

Run ``python benchmarks/denoising.py --data FOLDER``, which has ``bsds500.zip`` and
``denoising_testsets.zip``. Models and rows are kept in ``--work`` and not made again.
"""

import functools
import importlib.util
import json
import pathlib
import resource
import subprocess
import sys
import time

import _common
import _denoising
import _record
import _speckle
import numpy as np
from joblib import Parallel, delayed
from skimage.restoration import (
    denoise_nl_means,
    denoise_tv_chambolle,
    denoise_wavelet,
)
from threadpoolctl import threadpool_limits

from sklearn_sparsevae.degrade import gaussian_noise, speckle

SIGMAS = 15, 25, 50
STRONG = 70
SPARSE_EVERY = 4  # photos; sparse codes of one take several seconds
LARGE = 4000  # pixels a side of a large photo
SETS = {"colour": ("cbsd68", "kodak24"), "grey": ("bsd68", "set12")}
TITLES = {"cbsd68": "CBSD68", "kodak24": "Kodak24", "bsd68": "BSD68", "set12": "Set12"}
KIND = {name: kind for kind, names in SETS.items() for name in names}

# As their papers report them, at 15, 25 and 50.
PUBLISHED = {
    "cbsd68": {
        "CBM3D": (33.52, 30.71, 27.38),
        "DnCNN": (33.90, 31.24, 27.95),
        "FFDNet": (33.87, 31.21, 27.96),
        "SwinIR": (34.42, 31.78, 28.56),
    },
    "kodak24": {
        "CBM3D": (34.28, 31.68, 28.46),
        "DnCNN": (34.48, 32.03, 28.85),
        "FFDNet": (34.63, 32.13, 28.98),
        "SwinIR": (35.34, 32.89, 29.79),
    },
    "bsd68": {
        "BM3D": (31.07, 28.57, 25.62),
        "DnCNN": (31.73, 29.23, 26.23),
        "FFDNet": (31.63, 29.19, 26.29),
        "CDLNet": (31.74, 29.26, 26.35),
        "SwinIR": (31.97, 29.50, 26.58),
    },
    "set12": {
        "BM3D": (32.37, 29.97, 26.72),
        "DnCNN": (32.86, 30.44, 27.18),
        "FFDNet": (32.75, 30.43, 27.32),
        "SwinIR": (33.36, 31.01, 27.91),
    },
}

# Peers: a photo in [0, 1] and a deviation in, a restored one out ----------------------


def bm3d(photo, sigma):
    """Collaborative filtering of blocks (Dabov et al. 2007)."""
    import bm3d as package

    return (package.bm3d if photo.ndim == 2 else package.bm3d_rgb)(photo, sigma)


def non_local_means(photo, sigma, factor):
    """Patches of 5x5 over a window of 13x13 pixels (Buades et al. 2005)."""
    axis = -1 if photo.ndim == 3 else None
    sizes = {"patch_size": 5, "patch_distance": 6, "fast_mode": True}
    h = factor * sigma
    return denoise_nl_means(photo, h=h, sigma=sigma, channel_axis=axis, **sizes)


def wavelet(photo, sigma, name):
    """BayesShrink, of colours in YCbCr (Chang et al. 2000)."""
    colour = photo.ndim == 3
    return denoise_wavelet(
        photo,
        sigma=sigma,
        wavelet=name,
        convert2ycbcr=colour,
        rescale_sigma=True,
        channel_axis=-1 if colour else None,
    )


def tv(photo, sigma, factor):
    """Total variation (Chambolle 2004)."""
    axis = -1 if photo.ndim == 3 else None
    return denoise_tv_chambolle(photo, factor * sigma, channel_axis=axis)


PEERS = {
    "BM3D": (bm3d, [{}]),
    "non-local means": (non_local_means, [{"factor": f} for f in (0.4, 0.6, 0.8)]),
    "wavelets": (wavelet, [{"name": n} for n in ("db1", "sym4", "bior4.4")]),
    "total variation": (tv, [{"factor": f} for f in (0.6, 0.9, 1.2)]),
}


BM3D_HELP = "restore every so many photos by BM3D, which takes 20 seconds for each"


class Rows:
    """Rows that were measured, by name, in a JSON file beside the models."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.known = json.loads(self.path.read_text()) if self.path.exists() else {}

    def get(self, name, measure):
        """Return a row, measured now if it is new."""
        if name not in self.known:
            self.known[name] = measure()
            _record.write_aside(self.path, json.dumps(self.known, indent=1) + "\n")
            shown = {k: v for k, v in self.known[name].items() if k != "each"}
            print(f"{name:50s}", json.dumps(shown), flush=True)
        return self.known[name]


def psnr(clean, restored):
    """PSNR of a restored photo in [0, 1], clipped, against one of ``uint8``."""
    error = np.clip(restored, 0, 1) - clean / 255
    return float(-10 * np.log10(np.mean(error**2)))


def one_photo(restore, clean, spoilt):
    """PSNR and CPU seconds of one photo."""
    with threadpool_limits(1):
        start = time.process_time()
        restored = restore(spoilt)
        return psnr(clean, restored), time.process_time() - start


def measure(restore, photos, sigma, n_jobs, every=1, add=gaussian_noise):
    """Row of a method on photos: PSNR, of each photo too, and seconds a photo."""
    spoilt = [p / 255 for p in photos]
    if sigma:
        spoilt = _denoising.noisy(photos, sigma, add)
    pairs = zip(photos[::every], spoilt[::every], strict=True)
    jobs = (delayed(one_photo)(restore, *pair) for pair in pairs)
    values = np.array(Parallel(n_jobs)(jobs))
    mean, seconds = values.mean(0)
    each = values[:, 0].round(3).tolist()
    return {"psnr": mean, "seconds": seconds, "each": each, "every": every}


class Peer:
    """A peer, told sigma, with the weight that is best on photos of ``tuning()``."""

    def __init__(self, name, sigma, tuning):
        self.function, grid = PEERS[name]
        self.sigma, self.settings = sigma / 255, grid[0]
        if len(grid) > 1:
            photos = tuning()
            spoilt = _denoising.noisy(photos, sigma)
            pairs = list(zip(photos, spoilt, strict=True))

            def quality(settings):
                restored = (self.function(y, self.sigma, **settings) for _, y in pairs)
                return np.mean(
                    [psnr(x, r) for (x, _), r in zip(pairs, restored, strict=True)]
                )

            self.settings = max(grid, key=quality)

    def __call__(self, photo):
        """Restore one photo."""
        return self.function(photo, self.sigma, **self.settings)


class Ours:
    """A `Denoiser`; ``sigma=None`` lets it estimate the strength."""

    def __init__(self, path, sigma):
        self.path, self.sigma = path, sigma

    def __call__(self, photo):
        """Restore one photo."""
        return model_of(self.path).transform(photo[None], sigma=self.sigma)[0]


@functools.cache
def model_of(path):
    """Return a model, loaded once in each process."""
    import torch

    from sklearn_sparsevae import load

    torch.set_num_threads(1)
    return load(path)


def reliability(path, photos, sigma):
    """How errors lie to predicted deviations.

    Shares of them within one, two and three; and, in fifths of what is predicted, the
    mean of that and the root mean square of the errors, of 255.
    """
    errors, deviations = [], []
    model = model_of(path)
    for clean, spoilt in zip(photos, _denoising.noisy(photos, sigma), strict=True):
        restored, deviation = model.transform(
            spoilt[None], sigma=sigma, return_std=True
        )
        errors.append((255 * restored[0] - clean).ravel().astype(np.float32))
        deviations.append(255 * deviation[0].ravel())
    error, deviation = map(np.concatenate, (errors, deviations))
    one, two, three = (100 * np.mean(abs(error) <= k * deviation) for k in (1, 2, 3))
    fifths = np.array_split(np.argsort(deviation), 5)
    return {
        "one": one,
        "two": two,
        "three": three,
        "predicted": [float(deviation[f].mean()) for f in fifths],
        "true": [float(np.sqrt(np.square(error[f]).mean())) for f in fifths],
    }


def large_photo(path):
    """Row of a photo of many pixels, restored in a process of its own."""
    call = [sys.executable, __file__, "--large", str(path)]
    told = subprocess.run(call, check=True, capture_output=True, text=True).stdout
    return json.loads(told.splitlines()[-1])


def restore_large(path):
    """Restore a photo of `LARGE` pixels a side, print seconds and peak memory."""
    from sklearn_sparsevae.datasets import load_sample_photos

    photo = load_sample_photos(subset="test").images[0]
    times = [-(-LARGE // side) for side in photo.shape[:2]]
    large = np.tile(photo, (*times, 1))[None, :LARGE, :LARGE]
    model, start = model_of(path), time.process_time()
    model.transform(large)
    seconds = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # of KiB
    print(json.dumps({"seconds": seconds, "peak_mib": peak}))


def main():
    """Read the command line, run, write JSON."""
    options = _common.argparse.ArgumentParser(description=__doc__.splitlines()[0])
    _common.add_common(options, "denoising.json")
    add = options.add_argument
    add("--data", metavar="FOLDER", help="folder of the two archives")
    add("--work", default=_common.RESULTS / "denoising", help="models and rows")
    add("--n-jobs", type=int, default=1, help="photos at a time")
    add("--bm3d-every", type=_common.positive, default=1, help=BM3D_HELP)
    add("--known", action="store_true", help="tables of the rows that are there")
    add("--only", nargs="+", help="rows whose names hold one of these words, no tables")
    add("--long", action="store_true", help="also train for an hour")
    add("--large", metavar="MODEL", help="only restore a large photo")
    args = options.parse_args()
    if args.large:
        restore_large(args.large)
        return
    folder = args.data or _common.os.environ.get(_common.FOLDER_VARIABLE)
    if folder is None:
        options.exit(0, f"skipped: set {_common.FOLDER_VARIABLE} or give --data.\n")
    archive = _denoising.Archives(folder)
    rows = Rows(pathlib.Path(args.work, "rows.json"))
    load = functools.cache(archive.load)

    def wanted(name):
        if args.known:
            return name in rows.known
        return args.only is None or any(word in name for word in args.only)

    def get(name, function):
        return rows.get(name, function) if wanted(name) else None

    def ours(model, name, sigma, told, every=1):
        _denoising.trained(model, archive, args.work)
        path = pathlib.Path(args.work, _denoising.key(model) + ".sparsevae")
        return measure(Ours(path, told), load(name), sigma, args.n_jobs, every)

    def peer(method, name, sigma):
        photos = functools.partial(tuning, archive, KIND[name])
        every = args.bm3d_every if method == "BM3D" else 1
        restore = Peer(method, sigma, photos)
        return measure(restore, load(name), sigma, args.n_jobs, every)

    methods = [m for m in PEERS if m != "BM3D" or importlib.util.find_spec("bm3d")]
    for name, kind in KIND.items():
        for sigma in SIGMAS:
            for method in methods:
                get(f"{name} {sigma} {method}", lambda: peer(method, name, sigma))
            get(f"{name} {sigma} Denoiser", lambda: ours(kind, name, sigma, sigma))
            get(
                f"{name} {sigma} Denoiser, not told",
                lambda: ours(kind, name, sigma, None),
            )
    name = "cbsd68"
    if "BM3D" in methods:
        get(f"{name} {STRONG} BM3D", lambda: peer("BM3D", name, STRONG))
    get(f"{name} {STRONG} Denoiser", lambda: ours("colour", name, STRONG, STRONG))
    get(f"{name} 0 Denoiser, not told", lambda: ours("colour", name, 0, None))
    for model in _denoising.MODELS:
        is_long = model == "colour, long"
        if model in SETS or (is_long and not args.long):
            continue
        every = SPARSE_EVERY if "bottleneck" in _denoising.MODELS[model] else 1
        for sigma in (*SIGMAS, STRONG):
            get(
                f"{name} {sigma} {model}",
                lambda: ours(model, name, sigma, sigma, every),
            )
    for sigma in SIGMAS:
        path = pathlib.Path(args.work, "colour.sparsevae")
        get(f"reliability {sigma}", lambda: reliability(path, load("kodak24"), sigma))
    speckle_rows(get, load("set12"), args)
    get("large", lambda: large_photo(pathlib.Path(args.work, "colour.sparsevae")))
    if args.only is None:
        report(args, rows.known, archive)


def speckle_rows(get, photos, args):
    """Measure what restores photos with speckle."""
    path = pathlib.Path(args.work, "grey.sparsevae")
    for name, restore in _speckle.methods(lambda: model_of(path)).items():
        for sigma in _speckle.SIGMAS:
            told = functools.partial(restore, sigma=sigma)
            get(
                _speckle.row_name(name, sigma),
                lambda told=told, sigma=sigma: measure(
                    told, photos, sigma, args.n_jobs, add=speckle
                ),
            )


@functools.cache
def tuning(archive, kind):
    """Crops of training photos on which the peers' weights are chosen."""
    photos = _denoising.training_photos(archive)[::36]
    photos = [photo[:160, :160] for photo in photos]
    return _denoising.grey(photos) if kind == "grey" else photos


def report(args, known, archive):
    """Print and write tables and goals."""
    models = {
        n: _denoising.trained(n, archive, args.work)[1]
        for n in _denoising.MODELS
        if pathlib.Path(args.work, _denoising.key(n) + ".json").exists()
    }
    tables = {name: set_table(name, known, models) for name in KIND}
    tables |= {
        "bottlenecks": bottleneck_table(known, models),
        "reliability": reliability_table(known),
        "deviations": deviation_table(known),
        "speckle": _speckle.table(known),
        "large": large_table(known),
    }
    goals = verdicts(known, models)
    _common.write_json(args.json, {"rows": known, "models": models, "goals": goals})
    settings = {
        "training": "432 photos of BSDS500 that are not in CBSD68",
        "noise": "Gaussian, not clipped",
        "epochs": {n: m["settings"].get("max_epochs", 20) for n, m in models.items()},
    }
    _record.record(args, "denoising", tables=tables, settings=settings)


def set_table(name, known, models):
    """Return the table of one set: methods by strength."""
    columns = _record.columns(
        **{f"s{s}": (f"sigma {s}", ".2f") for s in SIGMAS},
        seconds=("CPU-seconds an image", ".2f"),
        best={f"s{s}": "max" for s in SIGMAS},
    )
    made = partial_rows(name, known)
    for method in [*PEERS, "Denoiser", "Denoiser, not told", "colour, long"]:
        found = {s: known.get(f"{name} {s} {method}") for s in SIGMAS}
        found = {s: row for s, row in found.items() if row and row.get("every", 1) == 1}
        if not found:
            continue
        label = {
            "Denoiser": "`Denoiser`",
            "Denoiser, not told": "`Denoiser`, not told sigma",
            "colour, long": "`Denoiser`, trained for longer",
        }.get(method, method)
        seconds = np.mean([row["seconds"] for row in found.values()])
        made.append(
            {
                "key": _record.key(method),
                "label": label,
                "seconds": seconds,
                **{f"s{s}": row["psnr"] for s, row in found.items()},
            }
        )
    for method, values in PUBLISHED[name].items():
        made.append(
            {
                "key": _record.key(f"published {method}"),
                "label": f"{method}, as published",
                "reference": True,
                **{f"s{s}": v for s, v in zip(SIGMAS, values, strict=True)},
            }
        )
    model = models[KIND[name]]
    minutes = models[KIND[name]]["cpu_seconds"] / 60
    note = (
        f"`Denoiser`: {model['parameters']:,} parameters, trained for {minutes:.1f} "
        "CPU-minutes, one model for all strengths."
    )
    if name == "kodak24":
        note += " Papers often take the middle 500x500 pixels of Kodak24, here whole."
    if "colour, long" in models and name == "cbsd68":
        note += (
            f" Longer: {models['colour, long']['cpu_seconds'] / 60:.0f} CPU-minutes."
        )
    return _record.table(f"{TITLES[name]}: PSNR, dB", columns, made, note=note)


def partial_rows(name, known):
    """Rows of BM3D where it restored some photos only, and of ours on the same."""
    pairs = {}
    for sigma in SIGMAS:
        row, ours = (known.get(f"{name} {sigma} {m}") for m in ("BM3D", "Denoiser"))
        if row and ours and row.get("every", 1) > 1:
            same = np.mean(ours["each"][:: row["every"]])
            pairs[f"s{sigma}"] = row["psnr"], same, len(row["each"])
    if not pairs:
        return []
    n_photos = min(n for *_, n in pairs.values())
    labels = f"BM3D, {n_photos} of the photos", f"`Denoiser`, the same {n_photos}"
    return [
        {"key": f"partial-{i}", "label": label} | {k: v[i] for k, v in pairs.items()}
        for i, label in enumerate(labels)
    ]


def bottleneck_table(known, models):
    """Return what each bottleneck restores, trained for about as long, and photos."""
    columns = _record.columns(
        "cpu_minutes",
        parameters=("parameters", ",.0f"),
        **{f"s{s}": (f"sigma {s}", ".2f") for s in (*SIGMAS, STRONG)},
    )
    labels = {
        "colour": "none",
        "colour, lista": '`bottleneck="lista"`, as long as that',
        "colour, short": "none, trained for less long",
        "colour, lista, short": '`bottleneck="lista"`, as long as that',
        "colour, pursuit, short": '`bottleneck="pursuit"`, as long as that',
        "50 clean": "none, 50 clean photos",
        "50 noisy": "none, 50 noisy photos (`clean=False`)",
        "5 clean": "none, 5 clean photos",
        "5 clean, lista": '`bottleneck="lista"`, 5 clean photos',
    }
    made = []
    for name, label in labels.items():
        method = "Denoiser" if name == "colour" else name
        found = {s: known.get(f"cbsd68 {s} {method}") for s in (*SIGMAS, STRONG)}
        psnrs = {
            f"s{s}": np.mean(row["each"][:: SPARSE_EVERY // row.get("every", 1)])
            for s, row in found.items()
            if row
        }
        if psnrs:
            made.append(
                {
                    "key": _record.key(name),
                    "label": label,
                    "cpu_minutes": models[name]["cpu_seconds"] / 60,
                    "parameters": models[name]["parameters"],
                    **psnrs,
                }
            )
    title = f"Every {SPARSE_EVERY}th photo of CBSD68 by bottleneck and photos: PSNR, dB"
    return _record.table(title, columns, made)


def reliability_table(known):
    """Return how often errors lie within so many deviations."""
    columns = _record.columns(
        one=("within one, %", ".1f"),
        two=("within two, %", ".1f"),
        three=("within three, %", ".1f"),
    )
    made = [
        {"key": f"s{s}", "label": f"sigma {s}"}
        | {k: known[f"reliability {s}"][k] for k in ("one", "two", "three")}
        for s in SIGMAS
        if f"reliability {s}" in known
    ]
    made.append(
        {
            "key": "normal",
            "label": "normal errors",
            "one": 68.3,
            "two": 95.4,
            "three": 99.7,
            "reference": True,
        }
    )
    return _record.table("Errors within predicted deviations, Kodak24", columns, made)


def deviation_table(known):
    """Return how large errors are where small and large ones are predicted."""
    names = {"first": "smallest fifth", "second": "second"}
    names |= {"third": "third", "fourth": "fourth", "fifth": "largest fifth"}
    columns = _record.columns(**{k: (label, ".1f") for k, label in names.items()})
    made = [
        {"key": f"s{s}-{which}", "label": f"sigma {s}, {which}"}
        | dict(zip(names, known[f"reliability {s}"][which], strict=True))
        for s in SIGMAS
        if f"reliability {s}" in known
        for which in ("predicted", "true")
    ]
    title = "Deviation of errors in fifths of predicted ones, Kodak24, of 255"
    return _record.table(title, columns, made)


def large_table(known):
    """Return what a large photo takes."""
    columns = _record.columns("cpu_seconds", peak_mib=("peak memory, MiB", ".0f"))
    row = known.get("large", {})
    made = {"label": "`Denoiser`", "key": "denoiser", "peak_mib": row.get("peak_mib")}
    made["cpu_seconds"] = row.get("seconds")
    title = f"A photo of {LARGE:,}x{LARGE:,} pixels, colour, in bytes"
    return _record.table(title, columns, [made])


def verdicts(known, models):
    """Print whether goals are met; return that for JSON."""

    def of(name):
        return known.get(name, {}).get("psnr", float("nan"))

    goals = []

    def beside_bm3d(name, sigma, more, label):
        row = known.get(f"{name} {sigma} BM3D", {"every": 1, "psnr": float("nan")})
        ours = known.get(f"{name} {sigma} Denoiser", {"each": [float("nan")]})
        same = np.mean(ours["each"][:: row.get("every", 1)])
        if row.get("every", 1) > 1:
            label += f", {len(row['each'])} photos"
        goal(label, same, row["psnr"] + more)

    def goal(text, value, least):
        goals.append(
            _common.verdict(
                f"{text}: {value:.2f}, at least {least:.2f}", value >= least
            )
        )

    for sigma, more in zip(SIGMAS, (0, 0.2, 0), strict=True):
        beside_bm3d("cbsd68", sigma, more, f"CBSD68 sigma {sigma} beside CBM3D")
        goal(
            f"not told sigma {sigma}",
            of(f"cbsd68 {sigma} Denoiser, not told"),
            of(f"cbsd68 {sigma} Denoiser") - 0.2,
        )
    beside_bm3d("kodak24", 25, 0, "Kodak24 sigma 25 beside CBM3D")
    beside_bm3d("bsd68", 25, 0, "BSD68 sigma 25 beside BM3D")
    goal(
        "50 noisy photos beside 50 clean ones",
        of("cbsd68 25 50 noisy"),
        of("cbsd68 25 50 clean") - 0.5,
    )
    beside_bm3d("cbsd68", STRONG, -0.5, f"CBSD68 sigma {STRONG} beside CBM3D")
    goal("clean input", of("cbsd68 0 Denoiser, not told"), 40)
    for sigma in SIGMAS:
        two = known.get(f"reliability {sigma}", {}).get("two", float("nan"))
        goals.append(
            _common.verdict(
                f"errors within two deviations, sigma {sigma}: {two:.1f} %",
                90 <= two <= 98,
            )
        )
    peak = known.get("large", {}).get("peak_mib", float("nan")) * 2**20 / 1e9
    goals.append(_common.verdict(f"large photo: {peak:.2f} GB", peak < 1.5))
    minutes = models["colour"]["cpu_seconds"] / 60
    goals.append(_common.verdict(f"training: {minutes:.1f} CPU-minutes", minutes <= 15))
    return goals


if __name__ == "__main__":
    main()
