"""PSNR and sparsity against rollout steps and alpha: SC-VAE's Table 3.

One ``GridSearchCV`` fits ``SparseCodingVAE(n_components=512, n_downsamples=2)`` on the
same images of CIFAR-10 (JPEG) with 2, 4, ... 32 steps of the rollout, and with alphas
from 0.01 to 0.3, three seeds each, and codes the same held-out test images.

How to read the tables: means over the seeds, and the spread of PSNR (largest less
smallest). *Hoyer* is the sparsity of a site's code (the paper's "sparsity", here as a
fraction), *nnz* its mean number of non-zeros; both include the three channel means.
Both knobs should be monotone: PSNR rises with the steps and falls with alpha, but for
differences within the spread.

Run ``python benchmarks/rollout_ablation.py --data cifar10_jpeg.zip``.
"""

import pathlib

import _cifar
import _common
import _record
import numpy as np
from sklearn.model_selection import GridSearchCV, PredefinedSplit
from threadpoolctl import threadpool_limits

from sklearn_sparsevae import SparseCodingVAE
from sklearn_sparsevae.metrics import make_scorers

KNOBS = {
    "n_rollout_steps": [2, 4, 8, 16, 32],
    "alpha": [0.01, 0.02, 0.03, 0.06, 0.1, 0.2, 0.3],
}
SIGNS = {"n_rollout_steps": 1, "alpha": -1}  # of the change of PSNR
SEEDS = [0, 1, 2]
MEASURES = ("psnr", "hoyer", "nonzeros")
EPOCHS = 2


def search(train, test, max_epochs, knobs, **params):
    """Fit on the training images with every setting, score on the others."""
    fold = np.repeat([-1, 0], [len(train), len(test)])  # -1: never held out
    model = SparseCodingVAE(
        n_components=512,
        n_downsamples=2,
        max_epochs=max_epochs,
        random_state=0,
        **params,
    )
    grid = GridSearchCV(
        model,
        [{knob: values, "random_state": SEEDS} for knob, values in knobs.items()],
        scoring=make_scorers(*MEASURES),
        refit=False,
        cv=PredefinedSplit(fold),
        error_score="raise",
        verbose=3,
    )
    return grid.fit(np.concatenate([train, test])).cv_results_


def to_rows(results, knobs):
    """Return the rows of each knob: a dict for each of its values."""
    rows = {}
    for knob, values in knobs.items():
        rows[knob] = []
        for value in values:
            # A masked array holds the values of a knob, with no mask where it is set.
            own = np.ma.getdata(results[f"param_{knob}"]) == value
            own &= ~np.ma.getmaskarray(results[f"param_{knob}"])
            means = {name: results[f"mean_test_{name}"][own] for name in MEASURES}
            row = {name: float(found.mean()) for name, found in means.items()}
            row["by_seed"] = {name: found.tolist() for name, found in means.items()}
            row["spread"] = float(np.ptp(means["psnr"]))
            row["fit_seconds"] = float(results["mean_fit_time"][own].mean())
            rows[knob].append({knob: value, **row})
    return rows


def print_rows(rows, knob):
    """Print one table."""
    columns = f"{'Hoyer':>6s} {'nnz':>6s} {'PSNR':>6s} {'spread':>6s} {'fit s':>7s}"
    print(f"\n{knob:15s} {columns}")
    for row in rows:
        print(
            f"{row[knob]:15g} {row['hoyer']:6.3f} {row['nonzeros']:6.2f} "
            f"{row['psnr']:6.2f} {row['spread']:6.2f} {row['fit_seconds']:7.1f}"
        )


def to_table(rows, knob):
    """Table of one knob."""
    columns = _record.columns(
        "psnr",
        "nonzeros",
        hoyer=("Hoyer", ".3f"),
        spread=("largest less smallest PSNR of the seeds, dB", ".2f"),
    )
    made = [
        row
        | {name: _record.spread(found) for name, found in row["by_seed"].items()}
        | {"key": f"{knob}-{_record.key(f'{row[knob]:g}')}", "label": f"{row[knob]:g}"}
        for row in rows
    ]
    return _record.table(
        {"n_rollout_steps": "rollout steps"}.get(knob, knob), columns, made
    )


def check(rows, knob):
    """Print and return whether PSNR is monotone, but for the spread of the seeds."""
    changes = SIGNS[knob] * np.diff([row["psnr"] for row in rows])
    spread = max(row["spread"] for row in rows)
    direction = "rises" if SIGNS[knob] > 0 else "falls"
    text = f"PSNR {direction} with {knob}: least change {changes.min():+.2f} dB"
    return _common.verdict(f"{text} (spread {spread:.2f})", changes.min() >= -spread)


def draw(rows, path):
    """Draw PSNR and sparsity against both knobs; numbers are non-zeros a site."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        print(
            "no picture: matplotlib is missing (pip install 'sklearn-sparsevae[plot]')"
        )
        return
    figure = Figure(figsize=(8, 6), layout="constrained")
    names = {"psnr": "PSNR (dB)", "hoyer": "Hoyer's sparsity"}
    axes = figure.subplots(len(rows), 2, squeeze=False)
    for line, knob in zip(axes, rows, strict=True):
        values = [row[knob] for row in rows[knob]]
        for ax, (key, label) in zip(line, names.items(), strict=True):
            ax.plot(values, [row[key] for row in rows[knob]], marker="o")
            ax.set(xlabel=knob, ylabel=label, xscale="log", xticks=values)
            ax.set_xticklabels([f"{value:g}" for value in values])
            ax.minorticks_off()
            ax.margins(y=0.15)
            for row in rows[knob]:
                place = (row[knob], row[key])
                text = f"{row['nonzeros']:.1f}"
                offset = {"textcoords": "offset points", "ha": "center", "size": 8}
                ax.annotate(text, place, (0, 6), **offset)
    figure.suptitle(f"{_cifar.TITLE}, test images (numbers: non-zeros a site)", size=10)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    print(f"written: {path}")


def main():
    """Read the command line, run, write JSON and a picture."""
    options = _cifar.parser(
        __doc__.splitlines()[0], n_train=1000, json_name="rollout_ablation.json"
    )
    args, train, test = _cifar.start(options)
    max_epochs = args.max_epochs or EPOCHS
    with threadpool_limits(args.threads):
        rows = to_rows(search(train, test, max_epochs, KNOBS), KNOBS)
    print(f"\n{_cifar.TITLE}: {len(train)} training and {len(test)} test images")
    for knob, own in rows.items():
        print_rows(own, knob)
    content = {
        "data": _cifar.TITLE,
        "n_train": len(train),
        "n_test": len(test),
        "threads": args.threads,
        "max_epochs": max_epochs,
        **rows,
        "checks": [check(own, knob) for knob, own in rows.items()],
    }
    _common.write_json(args.json, content)
    _record.record(
        args,
        "rollout_ablation",
        tables={knob: to_table(own, knob) for knob, own in rows.items()},
        settings=_cifar.settings(train, test, max_epochs=max_epochs),
        seeds=SEEDS,
    )
    draw(rows, pathlib.Path(args.json).with_suffix(".png"))


if __name__ == "__main__":
    main()
