"""Photos of BSDS500 restored: every bottleneck beside what one would pick instead.

Noise of sigma 10, 20 and 30 (8-bit units); half of the pixels missing, or a hole of
16x16, which models find filled by biharmonic inpainting; and twice as many pixels a
side. Every estimator trains on crops of the 200 training photos, which are spoilt
afresh in every batch (``degrade=``), all with the same network, steps and schedule, one
model for each task. They restore crops of the test photos, one of 128x128 pixels a
photo, which no setting was chosen on.

The peers are scikit-image's non-local means, wavelets and total variation, whose
settings are chosen anew for each sigma on crops of validation photos; BM3D for RGB, if
PyPI's ``bm3d`` is installed (it is not free for commercial use); biharmonic inpainting;
and bicubic interpolation. Denoisers are told sigma. Pixels that are not missing stay
as they are, whoever fills in the others.

PSNR in dB and SSIM are means over the photos, clipped to [0, 1]; *nonzeros* is their
mean number at a site of 2x2 pixels, with the three channel means where these are coded
apart (SC, SC + In, SSC).

Run ``python benchmarks/restoration.py --data bsds500.zip``.
"""

import dataclasses
import functools
import importlib.util
import itertools
import time
from collections.abc import Callable

import _bsds
import _common
import _record
import numpy as np
import torch
from skimage.restoration import (
    denoise_nl_means,
    denoise_tv_chambolle,
    denoise_wavelet,
    inpaint_biharmonic,
)
from skimage.transform import resize
from threadpoolctl import threadpool_limits

from sklearn_sparsevae import metrics
from sklearn_sparsevae.degrade import (
    bicubic_downsample,
    gaussian_noise,
    random_mask,
    square_mask,
)

SIDE = 128  # of test crops
# Small sites, narrow convolutions, few crops a step: what limits is how many steps a
# network trains, not the codes.
NETWORK = {
    "n_downsamples": 1,
    "backbone_params": {"width": 48},
    "crop_size": 40,
    "batch_size": 8,
    "lr": 0.003,
    "max_epochs": 1,
    "random_state": _common.SEED,
}
CODES = {
    "VQ": {"n_components": 512},
    "DL": {"n_components": 64, "n_nonzero_coefs": 8},
    **dict.fromkeys(
        _bsds.POLICIES,
        {
            "n_components": 64,
            "shrinkage": "soft",
            "alpha": 0.01,
            "n_rollout_steps": 8,
        },
    ),
}
MAX_GAP = 0.5  # dB below BM3D

# What one would pick instead: photos in [0, 1] in, restored ones out ------------------


def tv(photo, sigma, factor):
    """Total variation (Chambolle 2004)."""
    return denoise_tv_chambolle(photo, factor * sigma, channel_axis=-1)


def wavelet(photo, sigma, name):
    """BayesShrink in YCbCr (Chang et al. 2000)."""
    options = {"convert2ycbcr": True, "rescale_sigma": True, "channel_axis": -1}
    return denoise_wavelet(photo, sigma=sigma, wavelet=name, **options)


def non_local_means(photo, sigma, size, factor):
    """Patches over a window of 13x13 pixels (Buades et al. 2005)."""
    return denoise_nl_means(
        photo,
        patch_size=size,
        patch_distance=6,
        h=factor * sigma,
        sigma=sigma,
        fast_mode=False,
        channel_axis=-1,
    )


def bm3d(photo, sigma):
    """Collaborative filtering of blocks (Dabov et al. 2007)."""
    from bm3d import bm3d_rgb

    return bm3d_rgb(photo, sigma)


def biharmonic(photo, missing):
    """Biharmonic inpainting (Chui and Mhaskar 2010)."""
    return inpaint_biharmonic(photo, missing, channel_axis=-1)


def bicubic(photo, clean):
    """Bicubic interpolation of a copy of half the size, filtered before."""
    small = [n // 2 for n in clean.shape[:2]]
    return resize(
        resize(clean, small, order=3, anti_aliasing=True), clean.shape, order=3
    )


# Denoisers and the values of their settings to choose from.
DENOISERS = {
    "TV": (tv, {"factor": (0.4, 0.5, 0.625, 0.75, 1.0)}),
    "wavelets": (wavelet, {"name": ("db1", "db2", "sym8")}),
    "non-local means": (
        non_local_means,
        {"size": (3, 5), "factor": (0.6, 0.8, 1.0, 1.2)},
    ),
    **({"BM3D": (bm3d, {})} if importlib.util.find_spec("bm3d") else {}),
}


@dataclasses.dataclass(frozen=True)
class Task:
    """How photos are spoilt, and what a peer is told of each.

    ``hint(clean)`` has for each photo what ``peers`` take beside it; ``mask``
    takes away the only pixels that are to change.
    """

    degrade: Callable
    peers: dict
    hint: Callable
    mask: Callable | None = None

    def spoil(self, photos):
        """Photos as all methods get them, ``uint8``."""
        return self.degrade(photos, random_state=_common.SEED)


def noise(sigma):
    """Gaussian noise; denoisers are told sigma."""
    degrade = functools.partial(gaussian_noise, sigma=sigma)
    return Task(degrade, DENOISERS, lambda clean: [sigma / 255] * len(clean))


def gap(mask):
    """Gap in a photo; what the peer makes of it is where the models start."""
    degrade = functools.partial(mask, fill="biharmonic")
    peers = {"biharmonic": (biharmonic, {})}
    return Task(degrade, peers, lambda clean: missing(mask, clean), mask)


def missing(mask, photos):
    """Which pixels a mask takes away, ``(n, H, W)``."""
    black = mask(np.ones(photos.shape), random_state=_common.SEED) == 0
    return np.all(black, axis=-1)


TASKS = {
    **{f"noise{sigma}": noise(sigma) for sigma in (10, 20, 30)},
    "pixels": gap(functools.partial(random_mask, fraction=0.5)),
    "hole": gap(functools.partial(square_mask, size=16)),
    "upscale": Task(
        functools.partial(bicubic_downsample, factor=2),
        {"bicubic": (bicubic, {})},
        lambda clean: clean / 255,
    ),
}


def each(task, function, photos, settings):
    """Let a peer restore one photo after another."""
    hints, spoilt = task.hint(photos), task.spoil(photos) / 255
    restored = [function(p, h, **settings) for p, h in zip(spoilt, hints, strict=True)]
    return np.clip(restored, 0, 1)


def choose(task, function, grid, photos):
    """Choose the settings with the best PSNR on validation crops."""
    settings = [
        dict(zip(grid, values, strict=True))
        for values in itertools.product(*grid.values())
    ]
    if len(settings) == 1:
        return settings[0]
    return max(
        settings, key=lambda s: metrics.psnr(photos, each(task, function, photos, s))
    )


# Rows ---------------------------------------------------------------------------------


def peer_rows(name, valid, test):
    """One row for each peer of a task."""
    task = TASKS[name]
    for peer, (function, grid) in task.peers.items():
        settings = choose(task, function, grid, valid)
        start = time.perf_counter()
        restored = each(task, function, test, settings)
        seconds = (time.perf_counter() - start) / len(test)
        yield make_row(peer, name, test, restored, seconds=seconds, settings=settings)


def our_row(method, name, args, train, test):
    """Train one estimator to restore, and judge it."""
    task = TASKS[name]
    options = NETWORK | CODES[method] | _common.epochs(args)
    model = _bsds.METHODS[method](degrade=task.degrade, **options)
    cpu, _ = _common.timed_fit(model, train)
    spoilt = task.spoil(test)
    start = time.perf_counter()
    restored = model.reconstruct(spoilt)
    seconds = (time.perf_counter() - start) / len(test)
    if task.mask is not None:
        changed = missing(task.mask, test)[..., None]
        restored = np.where(changed, restored, test / 255)
    nonzeros = metrics.nonzeros_per_site(model.transform(spoilt))
    extra = {"seconds": seconds, "nonzeros": nonzeros, "cpu_minutes": cpu / 60}
    return make_row(method, name, test, restored, **extra)


def make_row(method, name, test, restored, **extra):
    """Measures of one method on one task as a dict, printed."""
    row = {
        "method": method,
        "task": name,
        "psnr": metrics.psnr(test, restored),
        "ssim": metrics.ssim(test, restored),
        **extra,
    }
    texts = (
        f"{key} {value if isinstance(value, dict) else format(value, '.2f')}"
        for key, value in extra.items()
    )
    print(f"{method:16s} {row['psnr']:6.2f} {row['ssim']:6.3f} ", *texts, flush=True)
    return row


TITLES = {
    "noise10": "noise, sigma 10",
    "noise20": "sigma 20",
    "noise30": "sigma 30",
    "pixels": "half of the pixels missing",
    "hole": "a hole of 16x16 pixels",
    "upscale": "twice the size",
}
LABELS = {
    "TV": "total variation",
    "VQ": "`VQVAE`",
    "DL": "`DictionaryLearningVAE`",
    "SC": '`SparseCodingVAE(shrinkage="soft")`',
    "SC + In": 'the same, `threshold="vector"`',
    "SSC": 'the same, `threshold="structured"`',
}


def to_table(rows, measure, form):
    """One measure: a row for each method, a column for each task."""
    tasks = list(dict.fromkeys(row["task"] for row in rows))
    columns = _record.columns(
        **{task: (TITLES[task], form) for task in tasks},
        best=dict.fromkeys(tasks, "max"),
    )
    made = {}
    for row in rows:
        name = row["method"]
        own = {"key": _record.key(name), "label": LABELS.get(name, name)}
        if name == "as it comes":
            own["reference"] = True
        made.setdefault(name, own)[row["task"]] = row[measure]
    label = {"psnr": "PSNR, dB", "ssim": "SSIM"}[measure]
    return _record.table(label, columns, list(made.values()))


def check(name, rows):
    """Print and return whether one of ours is as good as it should be."""
    psnr = {row["method"]: row["psnr"] for row in rows}
    best = max((method for method in CODES if method in psnr), key=psnr.get)
    goals = {peer: psnr[peer] for peer in TASKS[name].peers}
    if "BM3D" in goals:
        goals[f"BM3D less {MAX_GAP}"] = goals.pop("BM3D") - MAX_GAP
    return [
        _common.verdict(
            f"{name}: {best} {psnr[best]:.2f} dB, {peer} {level:.2f}",
            psnr[best] >= level,
        )
        for peer, level in goals.items()
    ]


def main():
    """Read the command line, run, write JSON."""
    options = _bsds.parser(__doc__.splitlines()[0], json_name="restoration.json")
    options.set_defaults(n_test=40)
    add = options.add_argument
    add("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    add("--methods", nargs="+", choices=CODES, default=list(CODES))
    args = options.parse_args()
    archive = _bsds.find_archive(options, args.data)
    torch.set_num_threads(args.threads)
    train = _bsds.load(archive, "train", args.n_train)
    valid = _bsds.crops(_bsds.load(archive, "val", 20), SIDE)
    test = _bsds.crops(_bsds.load(archive, "test", args.n_test), SIDE)
    print(f"{_bsds.TITLE}: {len(train)} training photos, {len(test)} test crops")
    settings = {"n_train": len(train), "n_test": len(test), "network": NETWORK}
    content = {"data": _bsds.TITLE, **settings, "codes": CODES, "rows": [], "goals": []}
    for name in args.tasks:
        print(f"\n{name}\n{'method':16s} {'PSNR':>6s} {'SSIM':>6s}")
        with threadpool_limits(args.threads):
            rows = [make_row("as it comes", name, test, TASKS[name].spoil(test) / 255)]
            rows += peer_rows(name, valid, test)
            rows += [our_row(m, name, args, train, test) for m in args.methods]
        content["rows"] += rows
        content["goals"] += check(name, rows)
        _common.write_json(args.json, content)
    spoilt_by_noise = any(name.startswith("noise") for name in args.tasks)
    rows = content["rows"]
    _record.record(
        args,
        "restoration" if spoilt_by_noise else "restoration_gaps",
        tables={k: to_table(rows, k, f) for k, f in (("psnr", ".2f"), ("ssim", ".3f"))},
        settings={"data": _bsds.TITLE, **settings, **_common.epochs(args)},
    )


if __name__ == "__main__":
    main()
