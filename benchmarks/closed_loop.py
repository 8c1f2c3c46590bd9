"""Closed-loop transcription on CIFAR-10 (JPEG): rate reduction, and what comes back.

``ClosedLoopVAE`` is measured before and after training, beside PCA with as many
components as its features have, all on the same held-out test images. The training
takes about ``--minutes`` of CPU time: how many images it sees is derived from a short
run before.

How to read the table: *R(Z)* is the coding rate of the features (at most
``d/2 log(1 + 1/eps^2)``), *dR classes* the rate reduction of the features by class, *dR
loop* that between the features of images and of regenerated images (in batches as large
as those of the training; the encoder raises it, the decoder lowers it), *cos* the mean
product of both features of an image: 1 where the loop closes. *PSNR* compares images,
which nothing in the objective does.

Run ``python benchmarks/closed_loop.py --data cifar10_jpeg.zip``.
"""

import pathlib

import _cifar
import _common
import _record
import numpy as np
import torch
from skimage.io import imsave
from sklearn.base import clone
from sklearn.decomposition import PCA
from threadpoolctl import threadpool_limits

from sklearn_sparsevae import ClosedLoopVAE
from sklearn_sparsevae.metrics import psnr
from sklearn_sparsevae.sparse import coding_rate, rate_distance, rate_reduction

GOAL = 20.0  # dB
N_PROBE = 640  # images of the run that is timed
SHARE = 0.85  # of the time is planned for, since a machine may become busier
N_SHOWN = 12


def plan(model, images, labels, seconds):
    """Images and epochs that a fit of so many CPU seconds has time for."""
    start, _ = _common.timed_fit(model.set_params(max_epochs=0), images, labels)
    few = images[:N_PROBE], labels[:N_PROBE]
    # Both start anew, from as few images.
    short, _ = _common.timed_fit(model, *few)
    longer, _ = _common.timed_fit(model.set_params(max_epochs=1), *few)
    in_all = int((SHARE * seconds - start) / (longer - short) * N_PROBE)
    n_images = max(model.batch_size, min(len(images), in_all))
    return n_images, max(1, in_all // n_images)


def measure(name, model, images, labels):
    """Figures of a model on test images."""
    features, regenerated = model.transform(images), model.reconstruct(images)
    again = model.transform(regenerated)
    size = model.batch_size
    batches = [slice(i, i + size) for i in range(0, len(images) - size + 1, size)]
    return {
        "model": name,
        "rate": float(coding_rate(features)),
        "reduction_of_classes": float(rate_reduction(features, labels)),
        "reduction_of_loop": float(
            np.mean([rate_distance(features[b], again[b]) for b in batches])
        ),
        "cosine": float((features * again).sum(axis=1).mean()),
        "psnr": model.score(images),
    }


def measure_pca(n_components, train, images):
    """Figures of principal components, which have no loop."""
    rows = train.reshape(len(train), -1) / np.float32(255)
    target = images / np.float32(255)
    pca = PCA(n_components, svd_solver="covariance_eigh").fit(rows)
    coded = pca.transform(target.reshape(len(target), -1))
    output = pca.inverse_transform(coded).reshape(target.shape).clip(0, 1)
    figures = psnr(target, output, data_range=1.0, per_image=True)
    return {"model": f"PCA, {n_components} components", "psnr": float(figures.mean())}


def to_table(rows, objective, batch_size):
    """Table of one run, whose rows are called otherwise than those of another."""
    columns = _record.columns(
        rate=("R(Z)", ".3f"),
        reduction_of_classes=("Delta R of classes", ".3f"),
        reduction_of_loop=("Delta R of the loop", ".3f"),
        cosine=("cosine of z and z^", ".3f"),
        psnr=("PSNR, dB", ".2f"),
    )
    batches = f"in batches of {batch_size}"
    names = {
        "before training": ("before", f"before training, {batches}"),
        "after training": (objective, f"trained, {objective} objective, {batches}"),
    }
    made = []
    for row in rows:
        name, label = names.get(row["model"], ("pca", row["model"]))
        name = "pca" if name == "pca" else f"{name}-{batch_size}"
        made.append(row | {"key": name, "label": label})
    return _record.table("", columns, made)


def print_rows(rows, n_test):
    """Print the table."""
    columns = ("rate", "reduction_of_classes", "reduction_of_loop", "cosine", "psnr")
    titles = ("R(Z)", "dR classes", "dR loop", "cos", "PSNR")
    print(f"\n{_cifar.TITLE}, {n_test} test images")
    print(f"{'':24s}" + "".join(f"{title:>12s}" for title in titles))
    for row in rows:
        values = (f"{row[c]:12.3f}" if c in row else f"{'':12s}" for c in columns)
        print(f"{row['model']:24s}" + "".join(values))


def draw(models, images, path):
    """Write a strip: originals, then what each model regenerates of them."""
    shown = images[:N_SHOWN]
    rows = [shown] + [np.round(255 * m.reconstruct(shown)) for m in models]
    strip = np.concatenate([np.concatenate(list(row), axis=1) for row in rows])
    path.parent.mkdir(parents=True, exist_ok=True)
    imsave(path, strip.astype(np.uint8).repeat(2, 0).repeat(2, 1), check_contrast=False)
    print(f"written: {path}")


def main():
    """Read the command line, run, write JSON and a picture."""
    options = _cifar.parser(
        __doc__.splitlines()[0], n_train=20000, json_name="closed_loop.json"
    )
    add = options.add_argument
    add("--minutes", type=float, default=20.0, help="CPU minutes of training")
    add("--classes", action="store_true", help="the objective with classes")
    add("--batch-size", type=_common.positive, default=64, help="images in a batch")
    add("--lr", type=float, default=0.0005, help="learning rate")
    args = options.parse_args()
    archive = _cifar.find_archive(options, args.data)
    torch.set_num_threads(args.threads)
    train, train_labels = _cifar.load_with_classes(archive, "train", args.n_train)
    test, test_labels = _cifar.load_with_classes(archive, "test", args.n_test)
    model = ClosedLoopVAE(
        target="y" if args.classes else "X",  # else labels are not used
        batch_size=args.batch_size,
        lr=args.lr,
        device="cpu",
        random_state=0,
    )
    start = clone(model)
    with threadpool_limits(args.threads):
        n_images, n_epochs = plan(model, train, train_labels, 60 * args.minutes)
        n_epochs = args.max_epochs or n_epochs
        print(f"{n_images} images, {n_epochs} epoch(s)", flush=True)
        seen = train[:n_images], train_labels[:n_images]
        start.set_params(max_epochs=0).fit(*seen)
        model.set_params(max_epochs=n_epochs, verbose=1)
        cpu, _ = _common.timed_fit(model, *seen)
        rows = [
            measure_pca(model.latent_dim, train[:n_images], test),
            measure("before training", start, test, test_labels),
            measure("after training", model, test, test_labels),
        ]
        print_rows(rows, len(test))
        print(f"\ntraining took {cpu / 60:.1f} CPU minutes")
        draw([start, model], test, pathlib.Path(args.json).with_suffix(".png"))
    goal = f"PSNR of regenerated test images {GOAL:g} dB or more after training"
    content = {
        "data": _cifar.TITLE,
        "objective": "classes" if args.classes else "binary",
        "batch_size": args.batch_size,
        "lr": args.lr,
        "n_train": n_images,
        "max_epochs": n_epochs,
        "n_test": len(test),
        "threads": args.threads,
        "cpu_minutes": cpu / 60,
        "rows": rows,
        "goals": [_common.verdict(goal, rows[-1]["psnr"] >= GOAL)],
        "history": {name: x.tolist() for name, x in model.history_.items()},
    }
    _common.write_json(args.json, content)
    name = "closed_loop" + "_classes" * args.classes
    if args.batch_size != options.get_default("batch_size"):
        name += f"_{args.batch_size}"
    settings = {"n_train": n_images, "max_epochs": n_epochs, "n_test": len(test)}
    settings = {
        k: content[k] for k in ("data", "objective", "batch_size", "lr")
    } | settings
    made = {"models": to_table(rows, content["objective"], args.batch_size)}
    _record.record(args, name, tables=made, settings=settings)


if __name__ == "__main__":
    main()
