"""PSNR and sparsity of CIFAR-10 (JPEG) against rollout steps: SC-VAE's Table 3.

One ``GridSearchCV`` fits ``SparseCodingVAE(n_components=512, n_downsamples=2)`` on the
same training images with 1, 5, 10, ... 30 steps of the rollout, and codes the same
held-out test images with each.

How to read the table: *Hoyer* is the sparsity of a site's code (the paper's
"sparsity", here as a fraction), *nnz* its mean number of non-zeros; both include the
three channel means. The paper finds a large rise of PSNR from 1 to 5 steps, and little
beyond. Steps cost time, so that a good value is where the curve turns flat. Compare
PSNR together with *nnz*: a row may be better because its codes are denser.

Run ``python benchmarks/rollout_ablation.py --data cifar10_jpeg.zip``.
"""

import pathlib

import _cifar
import _common
import numpy as np
import torch
from sklearn.model_selection import GridSearchCV, PredefinedSplit
from threadpoolctl import threadpool_limits

from sklearn_sparsevae import SparseCodingVAE
from sklearn_sparsevae.metrics import make_scorers

STEPS = [1, 5, 10, 15, 20, 25, 30]
MEASURES = ("psnr", "hoyer", "nonzeros")
EPOCHS = 3
LARGE_RISE = 1.0  # dB


def search(train, test, max_epochs):
    """Fit on the training images with every number of steps, score on the others."""
    fold = np.repeat([-1, 0], [len(train), len(test)])  # -1: never held out
    model = SparseCodingVAE(
        n_components=512, n_downsamples=2, max_epochs=max_epochs, random_state=0
    )
    grid = GridSearchCV(
        model,
        {"n_rollout_steps": STEPS},
        scoring=make_scorers(*MEASURES),
        refit=False,
        cv=PredefinedSplit(fold),
        error_score="raise",
        verbose=3,
    )
    return grid.fit(np.concatenate([train, test])).cv_results_


def to_rows(results):
    """One dict for each number of steps."""
    columns = {name: results[f"mean_test_{name}"] for name in MEASURES}
    columns["fit_seconds"] = results["mean_fit_time"]
    return [
        {"steps": steps} | {name: float(column[i]) for name, column in columns.items()}
        for i, steps in enumerate(STEPS)
    ]


def print_rows(rows, n_test):
    """Print the table."""
    print(f"\n{_cifar.TITLE}, {n_test} test images")
    print(f"{'steps':>5s} {'Hoyer':>6s} {'nnz':>6s} {'PSNR':>6s} {'fit s':>7s}")
    for row in rows:
        print(
            f"{row['steps']:5d} {row['hoyer']:6.3f} {row['nonzeros']:6.2f} "
            f"{row['psnr']:6.2f} {row['fit_seconds']:7.1f}"
        )


def paper_shape(rows):
    """Print and return whether PSNR rises much from 1 to 5 steps, and less after."""
    psnr = {row["steps"]: row["psnr"] for row in rows}
    early = psnr[5] - psnr[1]
    late = max(psnr[steps] for steps in STEPS if steps > 5) - psnr[5]
    shows = early >= LARGE_RISE and early > late
    print(
        f"\nfrom 1 to 5 steps {early:+.2f} dB, from 5 to the best beyond {late:+.2f} "
        f"dB: the paper's shape {'shows' if shows else 'does not show'} (a rise of "
        f"{LARGE_RISE:g} dB or more, and less after)"
    )
    return {"rise_1_to_5": early, "rise_beyond_5": late, "paper_shape": shows}


def draw(rows, path):
    """Draw PSNR and sparsity against steps; the numbers are the non-zeros a site."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        print(
            "no picture: matplotlib is missing (pip install 'sklearn-sparsevae[plot]')"
        )
        return
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    names = {"psnr": "PSNR (dB)", "hoyer": "Hoyer's sparsity"}
    for ax, (key, label) in zip(figure.subplots(1, 2), names.items(), strict=True):
        ax.plot(STEPS, [row[key] for row in rows], marker="o")
        ax.set(xlabel="rollout steps", ylabel=label, xticks=STEPS)
        ax.margins(y=0.15)
        for row in rows:
            place = (row["steps"], row[key])
            text = f"{row['nonzeros']:.1f}"
            ax.annotate(
                text, place, (0, 6), textcoords="offset points", ha="center", size=8
            )
    figure.suptitle(f"{_cifar.TITLE}, test images (numbers: non-zeros a site)", size=10)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    print(f"written: {path}")


def main():
    """Read the command line, run, write JSON and a picture."""
    options = _cifar.parser(
        __doc__.splitlines()[0], n_train=2000, json_name="rollout_ablation.json"
    )
    args = options.parse_args()
    archive = _cifar.find_archive(options, args.data)
    torch.set_num_threads(args.threads)
    train = _cifar.load(archive, "train", args.n_train)
    test = _cifar.load(archive, "test", args.n_test)
    max_epochs = args.max_epochs or EPOCHS
    with threadpool_limits(args.threads):
        rows = to_rows(search(train, test, max_epochs))
    print_rows(rows, len(test))
    content = {
        "data": _cifar.TITLE,
        "n_train": len(train),
        "n_test": len(test),
        "threads": args.threads,
        "max_epochs": max_epochs,
        "rows": rows,
        **paper_shape(rows),
    }
    _common.write_json(args.json, content)
    draw(rows, pathlib.Path(args.json).with_suffix(".png"))


if __name__ == "__main__":
    main()
