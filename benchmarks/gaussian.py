"""GaussianVAE on scikit-learn's digits: held-out likelihood, conditional samples.

Prints, for each variant, the lower bound of the log-likelihood of held-out digits,
PSNR, the dimensions in use, and how many samples of a conditional model a classifier of
real digits takes for the class that was asked for. Needs no data but scikit-learn's.
"""

import argparse
import time

import _record
import numpy as np
import torch
from _common import SEED, add_common, positive, verdict, write_json
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.svm import SVC

from sklearn_sparsevae import GaussianVAE

# One site is a whole digit; noise of 0.14 is what they differ by within a pixel.
TASK = {"n_components": 16, "n_downsamples": 3, "noise_variance": 0.02}
VARIANTS = {
    "probabilistic PCA (no epoch)": {"max_epochs": 0},
    "beta=1": {},
    "beta=4": {"beta": 4},
    "n_levels=2": {"n_levels": 2},
    "beta=0.1": {"beta": 0.1},
    "beta=0.1, mmd_weight=1000 (InfoVAE)": {"beta": 0.1, "mmd_weight": 1000.0},
}
N_SAMPLES = 2000


def recognised(model, judges):
    """Part of conditional samples that each classifier takes for what they are."""
    asked = np.arange(N_SAMPLES) % 10
    samples = model.sample(N_SAMPLES, condition=asked, random_state=SEED)
    rows = samples.reshape(N_SAMPLES, -1)
    return {name: judge.score(rows, asked) for name, judge in judges.items()}


def measure(params, train, test, judges):
    """Figures of one variant; ``judges`` stand for a conditional model."""
    given = [{"condition": y} if judges else {} for _, y in (train, test)]
    start = time.process_time()
    model = GaussianVAE(**TASK, **params, random_state=SEED).fit(train[0], **given[0])
    row = {
        "seconds": time.process_time() - start,
        "bound": model.score_samples(test[0], **given[1]).mean(),
        "psnr": model.score(test[0], **given[1]),
        "active": model.active_units_,
        "nats": float(model.kl_per_dim_.sum()),
    }
    return row | (recognised(model, judges) if judges else {})


def show(name, row):
    """Print a line of the table."""
    cells = "{bound:8.2f}{psnr:8.2f}{active:5d}{nats:8.2f}{seconds:7.0f}".format(**row)
    judged = "".join(f"{100 * row[j]:9.1f}" for j in ("SVC", "logistic") if j in row)
    print(f"{name:52}{cells}{judged}", flush=True)


def to_table(rows):
    """One row for each variant, whose samples are given the class."""
    columns = _record.columns(
        bound=("bound, nats an image", ".1f"),
        bound_given=("bound, given the class", ".1f"),
        psnr=("PSNR, dB", ".1f"),
        active=("active", "d"),
        nats=("nats of the code", ".1f"),
        svc=("SVC, %", ".1f"),
        logistic=("logistic, %", ".1f"),
        cpu_seconds=("CPU-seconds", ".0f"),
    )
    made = []
    for name in VARIANTS:
        row, given = rows[name], rows[f"{name}, given the class"]
        own = {name: row[name] for name in ("bound", "psnr", "active", "nats")}
        own |= {
            "key": _record.key(name),
            "label": _record.code(name),
            "bound_given": given["bound"],
        }
        own |= {"svc": 100 * given["SVC"], "logistic": 100 * given["logistic"]}
        made.append(own | {"cpu_seconds": row["seconds"]})
    return _record.table("", columns, made)


def main():
    """Read the command line, fit all variants, print, write JSON."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = options.add_argument
    add("--max-epochs", type=positive, default=20, help="of every variant")
    add_common(options, "gaussian.json")
    args = options.parse_args()
    torch.set_num_threads(args.threads)
    X, y = load_digits(return_X_y=True)
    X = (X.reshape(-1, 8, 8) / 16).astype(np.float32)
    X, X_test, y, y_test = train_test_split(
        X, y, test_size=0.3, random_state=SEED, stratify=y
    )
    flat, flat_test = (images.reshape(len(images), -1) for images in (X, X_test))
    judges = {
        "SVC": SVC(gamma=1.0).fit(flat, y),
        "logistic": LogisticRegression(max_iter=1000).fit(flat, y),
    }
    real = {name: judge.score(flat_test, y_test) for name, judge in judges.items()}
    print(f"{len(X)} training digits, {len(X_test)} held out; recognised: {real}")
    print(f"{'':52}{'bound':>8}{'PSNR':>8}{'act.':>5}{'nats':>8}{'CPU s':>7}", end="")
    print(f"{'SVC, %':>9}{'logis., %':>9}")
    rows = {}
    for name, params in VARIANTS.items():
        params = {"max_epochs": args.max_epochs} | params
        for conditional in (False, True):
            key = f"{name}, given the class" if conditional else name
            judged = judges if conditional else None
            rows[key] = measure(params, (X, y), (X_test, y_test), judged)
            show(key, rows[key])
    bounds = [rows[name]["bound"] for name in ("beta=1", "beta=4")]
    taken = rows["beta=1, given the class"]["SVC"]
    goals = [
        verdict("beta=1 beats beta=4", bounds[0] > bounds[1]),
        verdict("90 % of conditional samples are recognised", taken >= 0.9),
    ]
    write_json(args.json, {"real": real, "rows": rows, "goals": goals})
    settings = {
        "data": "scikit-learn's digits",
        "n_train": len(X),
        "n_test": len(X_test),
    }
    _record.record(
        args,
        "gaussian",
        tables={"variants": to_table(rows)},
        figures={f"real_{name.lower()}": 100 * score for name, score in real.items()},
        settings=settings | TASK | {"max_epochs": args.max_epochs},
        seeds=[SEED],
    )


if __name__ == "__main__":
    main()
