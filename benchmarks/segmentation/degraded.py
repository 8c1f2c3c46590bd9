"""Label-free foreground on degraded photos of ECSSD, ours beside classical methods.

SC-VAE's Figure 10, with more than noise: each photo gets Gaussian noise, a Gaussian
blur, JPEG compression, or little light, of which the sensor counts the photons. Nothing
is fitted or set anew: the encoder has seen clean photos alone, and methods keep their
settings. The masks, and the photos, are those of `ecssd`, every tenth of its report
split. A table for each degradation: mean IoU at 128x128 on the photos as they are, and
on degraded ones; `loss` has the mean loss over all of these with its 95 % interval over
photos.

Run ``python benchmarks/segmentation/degraded.py --data ecssd_300.zip``.
"""

import functools
import io
import pathlib

import _ecssd
import _protocol
import numpy as np
from _ecssd import _common, _record
from ecssd import COLOR_ONLY, LABELS, OURS, RECIPE, shared_jobs
from PIL import Image
from scipy.ndimage import gaussian_filter
from threadpoolctl import threadpool_limits

EVERY = 10
# Those with two clusters are in the tables.
LEFT_OUT = (RECIPE.format(3), "k-means Lab, 3 clusters")


def noisy(photo, sigma):
    """Photo with Gaussian noise."""
    rng = np.random.RandomState(_common.SEED)
    return as_photo(photo + sigma * rng.normal(size=photo.shape))


def blurred(photo, sigma):
    """Photo after a Gaussian blur."""
    return as_photo(gaussian_filter(photo.astype(float), (sigma, sigma, 0)))


def jpeg(photo, quality):
    """Photo after JPEG compression."""
    file = io.BytesIO()
    Image.fromarray(photo).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def dark(photo, share):
    """Photo with so much of its light, of which the sensor counts the photons."""
    rng = np.random.RandomState(_common.SEED)
    return as_photo(rng.poisson(photo * share))


def as_photo(photo):
    """Whole numbers from 0 to 255."""
    return np.clip(np.rint(photo), 0, 255).astype(np.uint8)


# Words and levels of each degradation.
DEGRADATIONS = {
    "noise": (noisy, "noise {}", (25, 50)),
    "blur": (blurred, "blur {}", (2, 4)),
    "jpeg": (jpeg, "JPEG {}", (20, 5)),
    "light": (dark, "light {}", (0.2, 0.05)),
}


def scores_of(jobs, encoder, photos, masks):
    """IoU of every photo by every method."""
    codes = encoder.transform(photos)
    found = {name: predict(photos, codes) for name, predict in jobs.items()}
    return {
        name: _protocol.measure_all(maps, masks, masks.shape[1:])["iou"]
        for name, maps in found.items()
    }


def run(archive, args):
    """IoU of every photo by degradation, then by method."""
    photos, masks = _ecssd.read(archive, "report")
    photos, masks = photos[::EVERY][: args.n_photos], masks[::EVERY][: args.n_photos]
    encoder = _ecssd.fit_encoder(archive, args)
    jobs = {k: job for k, job in shared_jobs().items() if k not in LEFT_OUT}
    measure = functools.partial(scores_of, jobs, encoder)
    print(f"{len(photos)} photos")
    found = {"none": measure(photos, masks)}
    show("none", found["none"])
    for degrade, label, levels in DEGRADATIONS.values():
        for level in levels:
            name = label.format(level)
            worse = np.stack([degrade(photo, level) for photo in photos])
            found[name] = measure(worse, masks)
            show(name, found[name])
    return found


def show(degradation, scores):
    """Print the row of a degradation."""
    for name, iou in scores.items():
        print(f"{degradation:12s} {name:46s} {np.mean(iou):.3f}", flush=True)


def tables(found):
    """One table for each degradation, and one of what is lost on average."""
    made = {}
    for kind, (_, label, levels) in DEGRADATIONS.items():
        shown = ["none", *(label.format(level) for level in levels)]
        columns = {_record.key(one): (one, ".3f") for one in shown}
        rows = [
            {"key": _record.key(name), "label": LABELS.get(name, name)}
            | {_record.key(one): float(found[one][name].mean()) for one in shown}
            for name in found["none"]
        ]
        made[kind] = _record.table("mean IoU", _record.columns(**columns), rows)
    rows = []
    for name, clean in found["none"].items():
        worse = [
            one[name] for degradation, one in found.items() if degradation != "none"
        ]
        loss = clean - np.mean(worse, axis=0)
        spread = {"mean": float(loss.mean()), "interval": _common.interval(loss)}
        row = {"key": _record.key(name), "label": LABELS.get(name, name)}
        kept = {"clean": float(clean.mean()), "worse": float(np.mean(worse))}
        rows.append(row | kept | {"loss": spread})
    columns = _record.columns(
        clean=("IoU as they are", ".3f"),
        worse=("IoU degraded", ".3f"),
        loss=("loss", ".3f"),
        best={"clean": "max", "worse": "max"},
    )
    return made | {"loss": _record.table("method", columns, rows)}


def draw(found, path):
    """Draw a panel for each degradation, a line for each method."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 3.4), layout="constrained")
    axes = figure.subplots(1, len(DEGRADATIONS), sharey=True)
    for ax, (_, label, levels) in zip(axes, DEGRADATIONS.values()):
        shown = ["none", *(label.format(level) for level in levels)]
        for name in found["none"]:
            values = [found[one][name].mean() for one in shown]
            width = 2.5 if name == OURS else 1
            dashed = "--" if name == COLOR_ONLY else "-"
            ax.plot(
                shown, values, dashed, marker="o", markersize=3, lw=width, label=name
            )
        ax.tick_params(labelsize=8)
        ax.grid(alpha=0.3)
    axes[0].set_ylabel("mean IoU")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center")
    pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    print(f"written: {path}")


def main():
    """Read the command line, run, write JSON."""
    options = _ecssd.parser(__doc__.splitlines()[0], json_name="ecssd_degraded.json")
    options.add_argument("--figure", metavar="PATH", help="draw the curves")
    args = options.parse_args()
    archive = _ecssd.find_archive(options, args.data)
    with threadpool_limits(args.threads):
        found = run(archive, args)
    _common.write_json(
        args.json,
        {
            level: {k: v.tolist() for k, v in row.items()}
            for level, row in found.items()
        },
    )
    if args.figure:
        draw(found, args.figure)
    _record.record(
        args,
        "ecssd_degraded",
        tables=tables(found),
        settings={
            "data": "ECSSD",
            "split": f"report, every {EVERY}th",
            "n_photos": len(found["none"][OURS]),
        },
    )


if __name__ == "__main__":
    main()
