"""One noisy photo and nothing else: Kodak24 at sigma 25.

Gaussian noise of 25 of 255 that is not clipped, the same to all methods, whose strength
they are told; each photo alone, without training photos. PSNR of the clipped result in
dB and CPU seconds, mean over the 24 photos. Noise and peers are those of
``denoising.py``, and so are rows of it that are kept in ``--work``. What papers report
of networks that are trained on the noisy photo alone is beside them, marked as
published: not measured here.

Run ``python benchmarks/zero_shot.py --data FOLDER``. The folder has ``bsds500.zip``, on
crops of which the weights of peers are chosen, and ``denoising_testsets.zip``.
"""

import argparse
import functools
import importlib.util
import os
import pathlib

import _common
import _denoising
import _record
import denoising
import numpy as np
import torch

from sklearn_sparsevae.sparse import denoise_patches

SET, SIGMA = "kodak24", 25
OURS = "denoise_patches"
PEERS = ["BM3D", "non-local means", "wavelets"]
# As their papers report them.
PUBLISHED = {"ZS-N2N": 29.54, "ZS-NCD": 30.60}
LEAST, MOST_SECONDS = 30.6, 60


def ours(photo):
    """Restore one photo from itself."""
    torch.set_num_threads(1)
    return denoise_patches(photo, SIGMA / 255, seed=_common.SEED)


def main():
    """Read the command line, run, write JSON."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    _common.add_common(options, "zero_shot.json")
    add = options.add_argument
    add("--data", metavar="FOLDER", help="folder of the two archives")
    work = _common.RESULTS / "denoising"
    add("--work", default=work, help="rows, kept; those of denoising.py")
    add("--n-jobs", type=int, default=1, help="photos at a time")
    add("--peers", nargs="*", choices=PEERS, default=PEERS)
    args = options.parse_args()
    folder = args.data or os.environ.get(_common.FOLDER_VARIABLE)
    if folder is None:
        options.exit(0, f"skipped: set {_common.FOLDER_VARIABLE} or give --data.\n")
    archive = _denoising.Archives(folder)
    rows = denoising.Rows(pathlib.Path(args.work, "rows.json"))
    photos = archive.load(SET)
    tuning = functools.partial(denoising.tuning, archive, "colour")
    measured = {}
    for name in [OURS, *args.peers]:
        if name == "BM3D" and not importlib.util.find_spec("bm3d"):
            continue

        def measure(name=name):
            restore = ours if name == OURS else denoising.Peer(name, SIGMA, tuning)
            return denoising.measure(restore, photos, SIGMA, args.n_jobs)

        measured[name] = rows.get(f"{SET} {SIGMA} {name}", measure)
    report(args, measured)


def report(args, measured):
    """Print and write the table and the goals."""
    columns = _record.columns(
        psnr=("PSNR, dB", ".2f"),
        seconds=("CPU-seconds a photo", ".1f"),
        best={"psnr": "max"},
    )
    own, made = measured[OURS], []
    for name, row in measured.items():
        label = f"`{name}`" if name == OURS else name
        if row.get("every", 1) > 1:
            same = own["each"][:: row["every"]]
            key, psnr = f"{OURS} partial", float(np.mean(same))
            label = f"{name}, {len(same)} of the photos"
            ours_too = f"`{OURS}`, the same {len(same)}"
            made.append({"key": _record.key(key), "label": ours_too, "psnr": psnr})
        made.append({"key": _record.key(name), "label": label, **row})
    made += [
        {
            "key": _record.key(f"published {name}"),
            "label": f"{name}, as published",
            "psnr": value,
            "reference": True,
        }
        for name, value in PUBLISHED.items()
    ]
    goals = [
        _common.verdict(
            f"{own['psnr']:.2f} dB, at least {LEAST}", own["psnr"] >= LEAST
        ),
        _common.verdict(
            f"{own['seconds']:.1f} CPU-seconds a photo, at most {MOST_SECONDS}",
            own["seconds"] <= MOST_SECONDS,
        ),
    ]
    _common.write_json(args.json, {"rows": measured, "goals": goals})
    table = _record.table("Kodak24, sigma 25, each photo alone", columns, made)
    settings = {"noise": "Gaussian, not clipped", "sigma": SIGMA, "n_photos": 24}
    _record.record(args, "zero_shot", tables={"kodak24": table}, settings=settings)


if __name__ == "__main__":
    main()
