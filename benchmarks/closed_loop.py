"""Closed-loop transcription: features that regenerate, and how far apart classes are.

``ClosedLoopVAE`` is measured before and after training on the same held-out images,
beside PCA with as many components as its features have, and pixels. Training sees the
same number of images whatever the size of a batch, with the objective of classes and,
as *binary*, with the one that has no labels. Three seeds of the model, on one split of
scikit-learn's digits, whose held-out part nothing was chosen on: rates and sizes were
tried on the rest. Small batches, whose steps are many, have the first seed alone.

How to read the table: *linear* is the accuracy of logistic regression on standardised
features of held-out images, *5-NN* that of the five nearest neighbours by cosine,
*subspaces* that of the class with the largest part of a feature in its three principal
directions, all fitted to the features of the training images; *5-NN of z^* codes what
was regenerated from a held-out image. *R(Z)* is the coding rate of the features (at
most ``d/2 log(1 + 1/eps^2)``), *dR classes* the rate reduction of the features by
class, *dR loop* that between the features of images and of regenerated images, *cos*
the mean product of both features of an image: 1 where the loop closes. *PSNR* compares
images, which nothing in the objective does; *PSNR of photos* is that of crops of sample
photos, none of which is like what was trained on.

Run ``python benchmarks/closed_loop.py``; it needs no data. Rows that are there in
``build/benchmarks/closed_loop`` are not fitted again.
"""

import argparse
import functools
import pathlib

import _common
import _kept
import _record
import numpy as np
import torch
from skimage.color import rgb2gray
from skimage.io import imsave
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from sklearn_sparsevae import ClosedLoopVAE
from sklearn_sparsevae.datasets import load_sample_photos, random_crops
from sklearn_sparsevae.metrics import psnr
from sklearn_sparsevae.sparse import coding_rate, rate_distance, rate_reduction

DATA = "scikit-learn's digits"
GOAL = 20.0  # dB
SEEDS = (0, 1, 2)
N_HELD_OUT = 500  # digits, which leaves 1297
N_DIRECTIONS = 3  # of the subspace of a class
N_UNSEEN = 1000  # crops of photos
USUAL = {
    "n_components": (32, 64),
    "latent_dim": 32,
    "batch_size": 433,
    "lr": 0.1,
    "max_epochs": 15,
}
BEFORE, CLASSES, BINARY = "before training", "trained, classes", "trained, binary"
VARIANTS = {
    BEFORE: {"max_epochs": 0},
    CLASSES: {},
    BINARY: {"target": "X"},
}
# Steps of smaller batches are more, and shorter by the root of their size.
BATCHES = {CLASSES: (433, 64), BINARY: (433,)}
ONCE = (64,)  # batches that only the first seed has, which take long
NAME = "closed_loop_digits"
N_SHOWN = 12
COLUMNS = _record.columns(
    linear=("linear probe, %", ".1f"),
    neighbours=("5-NN, %", ".1f"),
    subspaces=("subspaces, %", ".1f"),
    regenerated=("5-NN of z^, %", ".1f"),
    rate=("R(Z)", ".2f"),
    reduction_of_classes=("Delta R of classes", ".2f"),
    reduction_of_loop=("Delta R of the loop", ".3f"),
    cosine=("cosine of z and z^", ".3f"),
    psnr=("PSNR, dB", ".2f"),
    unseen=("PSNR of photos, dB", ".2f"),
)


def load():
    """Training and held-out digits in [0, 1], each with classes."""
    data = load_digits()
    images = (data.images / 16).astype(np.float32)
    parts = train_test_split(
        images,
        data.target,
        test_size=N_HELD_OUT,
        random_state=0,
        stratify=data.target,
    )
    return (parts[0], parts[2]), (parts[1], parts[3])


def load_unseen(side):
    """Grey crops of sample photos."""
    photos = [
        rgb2gray(photo).astype(np.float32) for photo in load_sample_photos().images
    ]
    return random_crops(photos, side, N_UNSEEN, random_state=0)


def nearest_subspace(rows, labels, others):
    """Class whose principal directions hold the largest part of each row."""
    classes, parts = np.unique(labels), []
    for label in classes:
        _, _, axes = np.linalg.svd(rows[labels == label], full_matrices=False)
        parts.append(np.square(others @ axes[:N_DIRECTIONS].T).sum(axis=1))
    return classes[np.argmax(parts, axis=0)]


def probes(train, test, *others):
    """Percent right on held-out features by three classifiers, one also on others."""
    linear = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
    neighbours = KNeighborsClassifier(5, metric="cosine").fit(*train)
    linear.fit(*train)
    named = {
        "linear": linear.score(*test),
        "neighbours": neighbours.score(*test),
        "subspaces": np.mean(nearest_subspace(*train, test[0]) == test[1]),
    }
    named |= {"regenerated": neighbours.score(x, test[1]) for x in others}
    return {name: 100 * value for name, value in named.items()}


def measure(params, train, test, seed):
    """Fit a model; return its figures on held-out images, and what it regenerates."""
    model = ClosedLoopVAE(**{"target": "y", **params}, device="cpu", random_state=seed)
    model.fit(*train)
    images, labels = test
    coded, again = model.transform(train[0]), model.reconstruct(images)
    features, regenerated = model.transform(images), model.transform(again)
    return {
        **probes((coded, train[1]), (features, labels), regenerated),
        "rate": float(coding_rate(features)),
        "reduction_of_classes": float(rate_reduction(features, labels)),
        "reduction_of_loop": float(rate_distance(features, regenerated)),
        "cosine": float((features * regenerated).sum(axis=1).mean()),
        "psnr": model.score(images),
        "unseen": model.score(load_unseen(images.shape[1])),
        "shown": np.round(255 * again[:N_SHOWN]).astype(int).tolist(),
    }


def measure_peers(n_components, train, test):
    """Figures of pixels and of whitened principal components."""
    rows, target = (x.reshape(len(x), -1) for x, _ in (train, test))
    pca = PCA(n_components, whiten=True, svd_solver="covariance_eigh").fit(rows)
    coded = pca.transform(target)

    def quality(images):
        flat = images.reshape(len(images), -1)
        output = pca.inverse_transform(pca.transform(flat)).clip(0, 1)
        output = output.reshape(images.shape).astype(np.float32)
        return float(psnr(images, output, data_range=1.0, per_image=True).mean())

    return {
        "pixels": probes((rows, train[1]), (target, test[1])),
        f"PCA, whitened, {n_components} components": {
            **probes((pca.transform(rows), train[1]), (coded, test[1])),
            "psnr": quality(test[0]),
            "unseen": quality(load_unseen(test[0].shape[1])),
        },
    }


def variants(params):
    """Parameters of each row by its label."""
    made = {BEFORE: params | VARIANTS[BEFORE]}
    for name, sizes in BATCHES.items():
        for size in sizes:
            rate = params["lr"] * (size / params["batch_size"]) ** 0.5
            own = VARIANTS[name] | {"batch_size": size, "lr": rate}
            made[f"{name}, batches of {size}"] = params | own
    return made


def draw(originals, rows, path):
    """Write a strip: originals, then what each row regenerates of them."""
    strips = [np.round(255 * originals[:N_SHOWN]), *(r[0]["shown"] for r in rows)]
    strip = np.concatenate([np.concatenate(list(row), axis=1) for row in strips])
    strip = np.asarray(strip).clip(0, 255).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    imsave(path, strip.repeat(4, 0).repeat(4, 1), check_contrast=False)
    print(f"written: {path}")


def measure_all(params, train, test):
    """Figures of every row, a list with those of each seed."""
    rows, wanted = {}, variants(params)
    print(f"{'':44s}" + "".join(f"{c[:9]:>10s}" for c in COLUMNS))
    for seed in SEEDS:
        made = measure_peers(params["latent_dim"], train, test)
        for label, own in wanted.items():
            if own["batch_size"] in ONCE and seed != SEEDS[0]:
                continue
            made[label] = _kept.kept(
                "closed_loop",
                f"{NAME}-{_record.key(label)}-{seed}",
                [own, [len(train[0]), len(test[0]), N_HELD_OUT]],
                functools.partial(measure, own, train, test, seed),
            )
            print_row(f"{label}, seed {seed}", made[label])
        for label, row in made.items():
            rows.setdefault(label, []).append(row)
    return rows


def print_row(name, row):
    """Print a line of the table."""
    cells = (f"{row[c]:10.3f}" if c in row else " " * 10 for c in COLUMNS)
    print(f"{name:44s}" + "".join(cells), flush=True)


def main():
    """Read the command line, fit what is missing, write JSON and a picture."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = options.add_argument
    add("--max-epochs", type=_common.positive, help="instead of the benchmark's own")
    _common.add_common(options, "closed_loop.json")
    args = options.parse_args()
    params, (train, test) = USUAL | _common.epochs(args), load()
    torch.set_num_threads(args.threads)
    with threadpool_limits(args.threads):
        rows = measure_all(params, train, test)
    means = [
        {"label": label}
        | {c: _record.spread([r[c] for r in own]) for c in COLUMNS if c in own[0]}
        for label, own in rows.items()
    ]
    print(f"\n{DATA}, means of {len(SEEDS)} seeds")
    for label, own in rows.items():
        known = [c for c in COLUMNS if c in own[0]]
        print_row(label, {c: np.mean([row[c] for row in own]) for c in known})
    usual = rows[f"{CLASSES}, batches of {params['batch_size']}"]
    gain = [a["linear"] - b["linear"] for a, b in zip(usual, rows[BEFORE], strict=True)]
    quality = np.mean([row["psnr"] for row in usual])
    goals = [
        _common.verdict(f"PSNR {GOAL:g} dB or more", quality >= GOAL),
        _common.verdict("a linear probe gets more right", np.mean(gain) > 0),
    ]
    draw(test[0], [rows[BEFORE], usual], pathlib.Path(args.json).with_suffix(".png"))
    _common.write_json(args.json, {"data": DATA, "rows": means, "goals": goals})
    settings = {"data": DATA, "n_train": len(train[0]), "n_test": len(test[0])}
    table = _record.table("", COLUMNS, means)
    _record.record(
        args,
        NAME,
        tables={"models": table},
        settings=settings | params,
        seeds=SEEDS,
        figures={"gain": _record.spread(gain)},
    )


if __name__ == "__main__":
    main()
