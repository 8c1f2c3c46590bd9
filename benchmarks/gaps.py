"""Missing pixels, a hole, and fewer pixels than there should be: the usual test sets.

Of Set12 (grey, whole) and Kodak24 (colour, the 256x256 pixels in the middle of each):
50 % or 80 % of the pixels missing at random, all channels at once, and a centred square
hole of a quarter of the area. Of Kodak24, whole: half and a quarter of the pixels a
side, by bicubic interpolation that filters before (MATLAB's ``imresize``).

The peers are what scikit-image has and classical ways with sparse codes: *biharmonic*
inpainting; *sparse codes* of what is known of overlapping patches, over a dictionary
learned on clean photos (`_masked`); *bicubic* and *spline* interpolation; iterative
*back-projection* (Irani and Peleg 1991), which makes what is enlarged agree with the
small photo. *Network* is `DictionaryLearningVAE(**recipes.RESTORATION)`, trained by
``degrade=`` on 240x240 pixels of each of the 432 photos of BSDS500 that are not CBSD68:
one model for both shares of missing pixels, which finds them filled by biharmonic
inpainting, one for both factors. It restores with ``n_shifts=4``.

PSNR in dB of whole photos, known pixels included, clipped, mean over the photos.

Run ``python benchmarks/gaps.py --data bsds500.zip``, with ``denoising_testsets.zip``
beside it. Rows of tasks that are not run again stay as the JSON file has them.
"""

import functools
import io
import json
import pathlib
import time
import zipfile

import _bsds
import _common
import _masked
import _record
import numpy as np
import torch
from PIL import Image
from skimage.color import rgb2gray
from skimage.restoration import inpaint_biharmonic
from skimage.transform import resize
from threadpoolctl import threadpool_limits

from sklearn_sparsevae import DictionaryLearningVAE, metrics, recipes
from sklearn_sparsevae.datasets import load_image_archive
from sklearn_sparsevae.degrade import bicubic_downsample, random_mask, square_mask

SETS = "denoising_testsets.zip"
SIDE = 240  # of what is trained on of each photo
MIDDLE = 256  # of what is inpainted of Kodak24
SHARES = {"pixels50": 0.5, "pixels80": 0.8}
PATCHES = {"pixels50": 8, "pixels80": 12}  # sides, chosen on training photos
FACTORS = {"x2": 2, "x4": 4}


def middle(photo, side):
    """Square in the middle of a photo, or all of it."""
    top, left = ((length - side) // 2 for length in photo.shape[:2])
    return photo[top : top + side, left : left + side]


def load_test(archive, folder, side=None):
    """Read photos ``(H, W, C)`` in [0, 1] of a test set."""
    with zipfile.ZipFile(archive) as file:
        names = sorted(n for n in file.namelist() if n.startswith(f"{folder}/"))
        names = [n for n in names if n.endswith(".png")]
        photos = [np.asarray(Image.open(io.BytesIO(file.read(n)))) for n in names]
    photos = [np.atleast_3d(photo) / 255 for photo in photos]
    return [photo if side is None else middle(photo, side) for photo in photos]


def load_train(archive, sets, n_photos):
    """Middles of the photos of BSDS500 that are not CBSD68, uint8."""
    with zipfile.ZipFile(sets) as file:
        held_out = set(file.read("cbsd68.txt").decode().split())
    found = []
    for subset in ("train", "val", "test"):
        part = load_image_archive(archive, folder=f"images/{subset}")
        for name, photo in zip(part.names, part.images, strict=True):
            if pathlib.Path(str(name)).stem not in held_out:
                found.append(middle(photo, SIDE))
    order = np.random.RandomState(_common.SEED).permutation(len(found))
    return np.stack([found[i] for i in order[:n_photos]])


# How photos are spoilt, in tests and in training --------------------------------------


def missing(task, photos):
    """Which pixels of each photo are missing, a list of ``(H, W)``."""
    white = [np.ones(photo.shape[:2]) for photo in photos]
    if task == "hole":
        holes = []
        for image in white:
            side = round((image.size / 4) ** 0.5)
            holes += square_mask([image], side, centered=True)
    else:
        holes = random_mask(white, SHARES[task], random_state=_common.SEED)
    return [image == 0 for image in holes]


def some_pixels(images, random_state):
    """Take away 50 % or 80 % of the pixels of a batch, and fill them smoothly."""
    share = random_state.choice(list(SHARES.values()))
    return random_mask(images, share, fill="biharmonic", random_state=random_state)


def some_factor(images, random_state):
    """Shrink and enlarge a batch by 2 or by 4."""
    return bicubic_downsample(images, random_state.choice(list(FACTORS.values())))


# What restores ------------------------------------------------------------------------


def biharmonic(photo, gap):
    """Biharmonic inpainting (Chui and Mhaskar 2010)."""
    black = np.where(gap[..., None], 0, photo)
    return inpaint_biharmonic(black, gap, channel_axis=-1).clip(0, 1)


def spline(photo, factor):
    """Enlarge by splines of order 5 what was filtered and shrunk."""
    small = [round(n / factor) for n in photo.shape[:2]]
    shrunk = resize(photo, small, order=3, anti_aliasing=True)
    return resize(shrunk, photo.shape[:2], order=5)


def back_projection(bicubic, factor, n_steps=10):
    """Add what shrinking and enlarging once more takes away from the result."""
    found = bicubic
    for _ in range(n_steps):
        again = bicubic_downsample(found[None].clip(0, 1), factor)[0]
        found = found + bicubic - again
    return found


def train_network(train, degrade, args):
    """Fit a model; return it and its CPU-minutes."""
    options = dict(recipes.RESTORATION) | {"max_epochs": args.max_epochs or 1}
    model = DictionaryLearningVAE(
        **options, degrade=degrade, precision=args.precision, random_state=0
    )
    cpu, _ = _common.timed_fit(model, train)
    print(f"fit: {cpu / 60:.1f} CPU-minutes", flush=True)
    return model, cpu / 60


def row(data, task, method, clean, restore):
    """Judge a function of the number of a photo."""
    start = time.process_time()
    restored = [np.clip(restore(i), 0, 1) for i in range(len(clean))]
    made = {
        "data": data,
        "task": task,
        "method": method,
        "psnr": metrics.psnr(clean, restored),
        "seconds": (time.process_time() - start) / len(clean),
    }
    print(
        "{data:8} {task:9} {method:16} {psnr:6.2f} {seconds:6.1f} s".format(**made),
        flush=True,
    )
    return made


def inpainting_rows(data, clean, train, args):
    """Rows of both shares of missing pixels, and of the hole."""
    model, minutes = train_network(train, some_pixels, args)
    learn = functools.partial(
        _masked.PatchInpainter.learn, list(train[:100] / 255), ridge=0.05
    )
    for task in (*SHARES, "hole"):
        gaps = missing(task, clean)
        add = functools.partial(row, data, task)
        filled = []

        def fill(i, gaps=gaps, filled=filled):
            filled.append(biharmonic(clean[i], gaps[i]))
            return filled[i]

        def restore(i, gaps=gaps, filled=filled):
            found = model.reconstruct(filled[i][None], n_shifts=4)[0]
            return np.where(gaps[i][..., None], found, clean[i])

        def mean(i, gaps=gaps):
            colour = clean[i][~gaps[i]].mean(axis=0)
            return np.where(gaps[i][..., None], colour, clean[i])

        yield add("mean colour", clean, mean)
        yield add("biharmonic", clean, fill)
        if task in PATCHES:
            coder = learn(PATCHES[task])
            yield add(
                "sparse codes", clean, lambda i, c=coder, g=gaps: c(clean[i], g[i])
            )
        yield add("network", clean, restore) | {"cpu_minutes": minutes}


def upscaling_rows(data, clean, train, args):
    """Rows of both factors."""
    model, minutes = train_network(train, some_factor, args)
    for task, factor in FACTORS.items():
        add = functools.partial(row, data, task)
        spoilt = [bicubic_downsample(p[None], factor)[0] for p in clean]
        yield add("bicubic", clean, lambda i, s=spoilt: s[i])
        yield add("spline", clean, lambda i, f=factor: spline(clean[i], f))
        yield add(
            "back-projection",
            clean,
            lambda i, s=spoilt, f=factor: back_projection(s[i], f),
        )
        yield (
            add(
                "network",
                clean,
                lambda i, s=spoilt: model.reconstruct(s[i][None], n_shifts=4)[0],
            )
            | {"cpu_minutes": minutes}
        )


def grey(photos):
    """Luma of photos, uint8 ``(n, H, W, 1)``."""
    return np.rint(255 * rgb2gray(photos))[..., None].astype(np.uint8)


def measure(part, archive, sets, args):
    """Yield the rows of a part."""
    train = load_train(archive, sets, args.n_train)
    if part == "grey":
        clean = load_test(sets, "set12")[: args.n_test]
        yield from inpainting_rows("Set12", clean, grey(train), args)
    elif part == "colour":
        clean = load_test(sets, "kodak24", MIDDLE)[: args.n_test]
        yield from inpainting_rows("Kodak24", clean, train, args)
    else:
        clean = load_test(sets, "kodak24")[: args.n_test]
        yield from upscaling_rows("Kodak24", clean, train, args)


TITLES = {
    "pixels50": "50 % missing",
    "pixels80": "80 % missing",
    "hole": "a hole of 25 %",
    "x2": "x2",
    "x4": "x4",
}
LABELS = {
    "sparse codes": "sparse codes of patches",
    "spline": "splines of order 5",
    "network": "`DictionaryLearningVAE`",
}


def to_table(rows, label):
    """PSNR of methods, by data set and task."""
    made, columns, minutes = {}, {}, {}  # by method, task, method
    for own in rows:
        key = _record.key(f"{own['data']}-{own['task']}")
        columns[key] = (f"{own['data']}, {TITLES[own['task']]}", ".2f")
        name = own["method"]
        made.setdefault(
            name, {"key": _record.key(name), "label": LABELS.get(name, name)}
        )
        made[name][key] = own["psnr"]
        if "cpu_minutes" in own:
            minutes[name] = max(minutes.get(name, 0), own["cpu_minutes"])
    for name, most in minutes.items():
        made[name]["cpu_minutes"] = most
    best = dict.fromkeys(columns, "max")
    columns = _record.columns(**columns, best=best) | _record.columns("cpu_minutes")
    return _record.table(label, columns, list(made.values()))


def main():
    """Read the command line, run, write JSON."""
    options = _bsds.parser(__doc__.splitlines()[0], json_name="gaps.json")
    options.set_defaults(n_train=432, n_test=24)
    parts = ("grey", "colour", "upscale")
    add = options.add_argument
    add("--parts", nargs="*", choices=parts, default=list(parts))
    add("--precision", choices=("float32", "bf16"), default="float32")
    args = options.parse_args()
    archive = _bsds.find_archive(options, args.data)
    torch.set_num_threads(args.threads)
    rows = {}
    if pathlib.Path(args.json).exists():
        for own in json.loads(pathlib.Path(args.json).read_text())["rows"]:
            rows[own["data"], own["task"], own["method"]] = own
    with threadpool_limits(args.threads):
        for part in args.parts:
            for own in measure(part, archive, archive.with_name(SETS), args):
                rows[own["data"], own["task"], own["method"]] = own
            _common.write_json(args.json, {"rows": list(rows.values())})
    tables = {}
    for name, tasks in (("inpainting", (*SHARES, "hole")), ("upscaling", FACTORS)):
        of_table = [own for own in rows.values() if own["task"] in tasks]
        if of_table:
            tables[name] = to_table(of_table, "PSNR, dB")
    settings = {
        "train": f"{SIDE}x{SIDE} pixels of {args.n_train} photos of BSDS500",
        "precision": args.precision,
        "recipe": dict(recipes.RESTORATION) | {"max_epochs": args.max_epochs or 1},
    }
    _record.record(args, "gaps", tables=tables, settings=settings)


if __name__ == "__main__":
    main()
