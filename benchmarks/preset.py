"""Pairs of noisy and clean photos, few and small: the recipe of restoration.

`fit(noisy, clean)` with `recipes.RESTORATION` on 200 crops of 128x128 pixels, one of
each training photo of BSDS500, with Gaussian noise of sigma 10, 20 or 30 (8-bit units,
clipped to what bytes hold). Judged on held-out photos of three sizes: crops of 64x64
and 128x128 pixels, and photos of 481x321. The peers are scikit-image's wavelets and
non-local means, told sigma, whose settings are chosen on training crops.

PSNR in dB, clipped to [0, 1], means over the photos. "4 shifts" is
``reconstruct(noisy, n_shifts=4)``.

Run ``python benchmarks/preset.py --data bsds500.zip``.
"""

import itertools

import _bsds
import _common
import _record
import numpy as np
import restoration
import torch
from threadpoolctl import threadpool_limits

from sklearn_sparsevae import DictionaryLearningVAE, SparseCodingVAE, metrics, recipes
from sklearn_sparsevae.degrade import gaussian_noise

SIGMAS = (10, 20, 30)
SIZES = {
    "crop64": "crops of 64x64",
    "crop128": "crops of 128x128",
    "photo": "photos of 481x321",
}
PEERS = ("wavelets", "non-local means")
MODELS = (DictionaryLearningVAE, SparseCodingVAE)
MINUTES = 5  # a fit may take


def held_out(archive, n_crops, n_photos):
    """Test photos of each size, lists of uint8."""
    photos = _bsds.load(archive, "test", n_crops)
    return {
        "crop64": list(_bsds.crops(photos, 64)),
        "crop128": list(_bsds.crops(photos, 128)),
        "photo": photos[:n_photos],
    }


def spoil(photos, sigma, seed=_common.SEED):
    """Photos with noise, uint8."""
    return gaussian_noise(photos, sigma, random_state=seed)


def as_floats(photos):
    """Photos in [0, 1]."""
    return [photo / 255 for photo in photos]


def psnr(clean, restored):
    """Mean over photos, clipped."""
    return metrics.psnr(as_floats(clean), [np.clip(r, 0, 1) for r in restored])


def peer(name, sigma, train):
    """Return a function of photos, with the settings that are best on some crops."""
    function, grid = restoration.DENOISERS[name]

    def restore(noisy, settings):
        return [function(photo / 255, sigma / 255, **settings) for photo in noisy]

    noisy = spoil(train, sigma)
    choices = [
        dict(zip(grid, v, strict=True)) for v in itertools.product(*grid.values())
    ]
    best = max(choices, key=lambda s: psnr(train, restore(noisy, s)))
    return lambda photos: restore(photos, best)


def judge(label, sigma, test, restore):
    """Row of a method."""
    row = {"label": label, "sigma": sigma}
    for size, clean in test.items():
        row[size] = psnr(clean, restore(spoil(clean, sigma, seed=1)))
    print(f"{sigma:3} {label:34}", *(f"{row[s]:6.2f}" for s in SIZES), flush=True)
    return row


def model_rows(cls, sigma, train, test, args):
    """Rows of an estimator, without and with shifts."""
    options = dict(recipes.RESTORATION) | _common.epochs(args)
    model = cls(**options, target="y", precision=args.precision, random_state=0)
    cpu, wall = _common.timed_fit(model, spoil(train, sigma), train)
    print(f"fit: {cpu:.0f} CPU-seconds, {wall:.0f} seconds")
    name = f"`{cls.__name__}`"
    row = judge(name, sigma, test, model.reconstruct)
    yield row | {"cpu_seconds": cpu, "wall": wall}
    yield judge(
        f"{name}, 4 shifts", sigma, test, lambda x: model.reconstruct(x, n_shifts=4)
    )


def to_table(rows, size):
    """PSNR of all methods on photos of a size, by sigma."""
    made, reference = {}, "as it comes"
    for row in rows:
        own = made.setdefault(row["label"], {"label": row["label"]})
        own[f"sigma{row['sigma']}"] = row[size]
        if row["label"] == reference:
            own["reference"] = True
        if "cpu_seconds" in row:  # of the longest
            own["cpu_seconds"] = max(own.get("cpu_seconds", 0), row["cpu_seconds"])
    names = [
        f"sigma{sigma}"
        for sigma in SIGMAS
        if any(f"sigma{sigma}" in m for m in made.values())
    ]
    columns = _record.columns(
        **{n: (n.replace("sigma", "sigma "), ".2f") for n in names},
        best=dict.fromkeys(names, "max"),
    )
    columns |= _record.columns("cpu_seconds")
    label = f"PSNR in dB, {SIZES[size]}"
    return _record.table(label, columns, list(made.values()))


def goals(rows, sigma):
    """Whether both estimators are above both peers."""
    of_sigma = {row["label"]: row for row in rows if row["sigma"] == sigma}
    for cls in MODELS:
        for size, title in SIZES.items():
            own = of_sigma[f"`{cls.__name__}`"][size]
            best = max(of_sigma[name][size] for name in PEERS)
            text = (
                f"sigma {sigma}, {title}: {cls.__name__} {own:.2f} dB, peers {best:.2f}"
            )
            yield _common.verdict(text, own > best)


def main():
    """Read the command line, run, write JSON."""
    options = _bsds.parser(__doc__.splitlines()[0], json_name="preset.json")
    options.set_defaults(n_test=40)
    add = options.add_argument
    add("--n-photos", type=_common.positive, default=10, help="whole test photos")
    add("--precision", choices=("float32", "bf16"), default="float32")
    args = options.parse_args()
    archive = _bsds.find_archive(options, args.data)
    torch.set_num_threads(args.threads)
    train = _bsds.crops(_bsds.load(archive, "train", args.n_train), 128)
    test = held_out(archive, args.n_test, args.n_photos)
    rows, met = [], []
    with threadpool_limits(args.threads):
        for sigma in SIGMAS:
            rows.append(
                judge("as it comes", sigma, test, lambda x: [p / 255 for p in x])
            )
            for name in PEERS:
                rows.append(judge(name, sigma, test, peer(name, sigma, train[:8])))
            for cls in MODELS:
                rows += model_rows(cls, sigma, train, test, args)
            met += goals(rows, sigma)
            content = {"rows": rows, "goals": met}
            _common.write_json(args.json, content)
    slowest = max(row.get("wall", 0) for row in rows)
    _common.verdict(f"a fit takes {slowest / 60:.1f} minutes", slowest < 60 * MINUTES)
    settings = {
        "data": _bsds.TITLE,
        "n_train": len(train),
        "n_test": args.n_test,
        "n_photos": args.n_photos,
        "precision": args.precision,
        "recipe": dict(recipes.RESTORATION) | _common.epochs(args),
    }
    tables = {size: to_table(rows, size) for size in SIZES}
    _record.record(args, "preset", tables=tables, settings=settings)


if __name__ == "__main__":
    main()
