"""Trained on CIFAR-10 (JPEG), tested on other images: every bottleneck at equal rates.

SC-VAE shows two images of another kind (Figures 4 and 16) and says that it reconstructs
patterns that it has not met, while VQGAN and RQ-VAE distort them. Here every bottleneck
is trained on CIFAR-10 (JPEG) alone, and codes held-out images of CIFAR-10, crops of
photos of BSDS500, photos of brick, grass and gravel (scikit-image, grey), digits
(scikit-learn, upsampled, grey), and noise (normal, standard deviation 0.2 about grey).
All are 32x32 pixels in colour.

How to read the tables:

* *eight numbers*: eight numbers for every 4x4 pixels (soft shrinkage and VSC choose how
  many themselves: *numbers* are those of CIFAR-10, *elsewhere* the mean of the other
  sets; the closed loop has 512 for an image). PSNR in dB before rounding. DCT is
  computed, not learned, and so has no training images that the others could resemble.
* *gain*: the same less PCA's PSNR on the same images, which was fitted to the same
  training images. A method generalises as well as PCA where its gain on a set is that
  on CIFAR-10. What is easier or harder on a set for every method drops out.
* *bits*: PSNR after rounding to about 72 bits a site, or 9, and the bits.

Standard deviations are over seeds of the fit.
"""

import functools

import numpy as np
import torch
from _shared import _cifar, _common, _kept, _record
from scipy import fft, sparse
from skimage import data, transform
from sklearn.cluster import MiniBatchKMeans
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from threadpoolctl import threadpool_limits

import _bsds  # isort: skip, found by _shared
import _classical  # isort: skip
from sklearn_sparsevae import (
    VQVAE,
    ClosedLoopVAE,
    DictionaryLearningVAE,
    GaussianVAE,
    SparseCodes,
    SparseCodingVAE,
    SpikeSlabVAE,
    metrics,
)
from sklearn_sparsevae.codes import as_codes, quantize_codes
from sklearn_sparsevae.datasets import random_crops
from sklearn_sparsevae.sparse import learn_dictionary

NAME = "generalisation"
N_TRAIN, N_TEST, MAX_EPOCHS = 2000, 400, 3
SEEDS = (0, 1)
SIDE, BUDGET, N_ATOMS, COEF_BITS = 4, 8, 512, 8
NOISE = 0.2
SITES = functools.partial(dict, n_downsamples=2)
# Means of the three channels are coded apart by SparseCodingVAE: 3 + 5 are 8 numbers.
MODELS = {
    "sc-vae": (
        "`SparseCodingVAE`, 3 + 5",
        SparseCodingVAE,
        SITES(n_rollout_steps=BUDGET - 3, alpha=1e-3),
    ),
    "sc-vae-soft": (
        '`SparseCodingVAE(shrinkage="soft")`',
        SparseCodingVAE,
        SITES(shrinkage="soft", alpha=0.2),
    ),
    "dl-vae": (
        "`DictionaryLearningVAE`",
        DictionaryLearningVAE,
        SITES(n_nonzero_coefs=BUDGET),
    ),
    "rq-vae": (f"`VQVAE(n_quantizers={BUDGET})`", VQVAE, SITES(n_quantizers=BUDGET)),
    "vae": ("`GaussianVAE`", GaussianVAE, SITES(n_components=BUDGET)),
    "vsc": ("`SpikeSlabVAE`", SpikeSlabVAE, SITES(sparsity=0.08)),
    "closed-loop": (
        "`ClosedLoopVAE`, 512 features",
        ClosedLoopVAE,
        {"latent_dim": BUDGET * 64},
    ),
    "vq-vae": ("`VQVAE`", VQVAE, SITES()),
    "sc-vae-3-3": (
        "`SparseCodingVAE`, 3 + 3",
        SparseCodingVAE,
        SITES(n_rollout_steps=3, alpha=1e-3),
    ),
    "dl-vae-4": (
        "`DictionaryLearningVAE`, 4",
        DictionaryLearningVAE,
        SITES(n_nonzero_coefs=4),
    ),
}
ONE_SEED = ("sc-vae-soft", "closed-loop")  # which are slow
SETS = {
    "cifar": "CIFAR-10 (JPEG)",
    "bsds": "BSDS500",
    "textures": "textures",
    "digits": "digits",
    "noise": "noise",
}
TABLES = {
    "numbers": (
        *("dct-lowest", "dct-largest", "pca", "dictionary"),
        *("sc-vae", "sc-vae-soft", "dl-vae", "rq-vae", "vae", "vsc", "closed-loop"),
    ),
    "bits": (
        *("pca", "sc-vae-3-3", "dl-vae-4", "rq-vae", "vae"),
        *("means", "k-means", "vq-vae"),
    ),
}


# Images -------------------------------------------------------------------------------


def load_sets(archive, photos, n_test):
    """Test images of every set, ``(n_test, 32, 32, 3)`` uint8."""
    random = np.random.RandomState(_common.SEED)
    textures = [getattr(data, name)() for name in ("brick", "grass", "gravel")]
    grey = random_crops(textures, 32, n_test, random_state=_common.SEED)
    digits = load_digits().images
    digits = digits[random.permutation(len(digits))[:n_test]] / 16
    digits = [transform.resize(digit, (32, 32), order=1) for digit in digits]
    noise = random.normal(0.5, NOISE, (n_test, 32, 32, 3))
    found = [photo for photo in _bsds.load(photos, "test", min(200, n_test))]
    crops = random_crops(found, 32, n_test, random_state=_common.SEED)
    return {
        "cifar": _cifar.load(archive, "test", n_test),
        "bsds": crops,
        "textures": colour(grey),
        "digits": colour(to_bytes(np.stack(digits))),
        "noise": to_bytes(noise),
    }


def to_bytes(images):
    """Round images in [0, 1]."""
    return np.rint(np.clip(images, 0, 1) * 255).astype(np.uint8)


def colour(grey):
    """Repeat grey images for the three channels."""
    grey = grey.reshape(*grey.shape[:3], 1) if grey.ndim == 3 else grey
    return np.repeat(grey, 3, axis=-1)


# Classical codes ----------------------------------------------------------------------


class Patches:
    """Codes of patches by a function, with the methods of an estimator."""

    def __init__(self, code, decode):
        self._code, self._decode = code, decode

    def transform(self, images):
        """Codes of images; dense ones, a row per image."""
        codes = self._code(_classical.to_patches(images, SIDE))
        if sparse.issparse(codes):
            return _classical.as_image_codes(codes, SIDE, images.shape[1:])
        return codes.reshape(len(images), -1)

    def inverse_transform(self, codes):
        """Images of codes."""
        if isinstance(codes, SparseCodes):
            rows = codes.sites()
        else:
            rows = codes.reshape(-1, codes.shape[1] * SIDE**2 // 32**2)
        return _classical.from_patches(self._decode(rows), SIDE, (32, 32, 3))


def dct(patches):
    """DCT of patches over rows, columns and channels, by rising frequency."""
    blocks = patches.reshape(-1, SIDE, SIDE, 3)
    return fft.dctn(blocks, axes=(1, 2, 3), norm="ortho").reshape(len(patches), -1)


def inverse_dct(coefs):
    """Patches of their DCT."""
    blocks = coefs.reshape(-1, SIDE, SIDE, 3)
    return fft.idctn(blocks, axes=(1, 2, 3), norm="ortho").reshape(len(coefs), -1)


def lowest(n_kept):
    """Find the lowest frequencies; a step across channels counts twice."""
    steps = np.array(
        [2 * c + i + j for i in range(4) for j in range(4) for c in (0, 1, 2)]
    )
    return np.argsort(steps, kind="stable")[:n_kept]


def largest(coefs, n_kept):
    """Keep the largest of each row, as a CSR array."""
    order = np.argsort(-np.abs(coefs), axis=1)[:, :n_kept]
    pointer = np.arange(0, order.size + 1, n_kept)
    values = np.take_along_axis(coefs, order, axis=1)
    return sparse.csr_array((values.ravel(), order.ravel(), pointer), coefs.shape)


def classical(train):
    """Models that are computed or fitted at once, by key, with labels."""
    patches = _classical.to_patches(train, SIDE)
    pca = PCA(BUDGET).fit(patches)
    kept = lowest(BUDGET)
    atoms = learn_dictionary(
        torch.from_numpy(patches), N_ATOMS, n_nonzero_coefs=BUDGET, n_iter=300
    ).numpy()
    kmeans = MiniBatchKMeans(
        N_ATOMS, batch_size=8192, n_init=1, random_state=_common.SEED
    ).fit(patches)

    def spread_out(low):
        coefs = np.zeros((len(low), 48), low.dtype)
        coefs[:, kept] = low
        return inverse_dct(coefs)

    def labels(rows):
        found = kmeans.predict(rows)
        ones = np.ones(len(found), np.float32)
        pointer = np.arange(len(found) + 1)
        return sparse.csr_array((ones, found, pointer), (len(found), N_ATOMS))

    def means(rows):  # eight levels of the mean of each channel: nine bits
        means = rows.reshape(-1, SIDE**2, 3).mean(axis=1)
        return (np.clip(np.floor((means + 0.5) * 8), 0, 7) + 0.5) / 8 - 0.5

    return {
        "dct-lowest": (
            "DCT, eight lowest",
            Patches(lambda r: dct(r)[:, kept], spread_out),
        ),
        "dct-largest": (
            "DCT, eight largest",
            Patches(
                lambda r: largest(dct(r), BUDGET), lambda z: inverse_dct(z.toarray())
            ),
        ),
        "pca": ("PCA of patches", Patches(pca.transform, pca.inverse_transform)),
        "dictionary": (
            "dictionary of patches, OLS",
            Patches(
                lambda r: _classical.omp(r, atoms, BUDGET, "ols"), lambda z: z @ atoms
            ),
        ),
        "means": (
            "mean of each channel, 3 bits",
            Patches(means, lambda z: np.tile(z, SIDE**2)),
        ),
        "k-means": (
            "k-means of patches",
            Patches(labels, lambda z: z @ kmeans.cluster_centers_),
        ),
    }


# Measuring ----------------------------------------------------------------------------


def measure(key, model, images):
    """PSNR, PSNR of rounded codes, bits and numbers of a site on one set."""
    codes = model.transform(images)
    n_sites = images[..., 0].size / SIDE**2
    decode = model.inverse_transform
    if isinstance(codes, SparseCodes):
        rounded, numbers = quantize_codes(codes, COEF_BITS), codes.nnz / n_sites
        bits = metrics.bits_per_pixel(codes, COEF_BITS) * SIDE**2
        if key.startswith("sc-vae"):  # the channel means need no index
            bits -= 3 * np.log2(N_ATOMS)
    elif key == "means":
        rounded, numbers, bits = codes, 3.0, 9.0
    else:
        rows = as_codes(np.ascontiguousarray(codes), (1, 1))
        rounded = quantize_codes(rows, COEF_BITS).toarray()
        per_site = rounded.reshape(-1, int(codes.size / n_sites))
        bits = _classical.level_bits(per_site, COEF_BITS)[0]
        numbers = codes.size / n_sites
    psnr, again = (
        metrics.psnr(images, np.clip(decode(c), 0, 1)) for c in (codes, rounded)
    )
    return {"psnr": psnr, "rounded": again, "bits": bits, "numbers": numbers}


def fitted(key, seed, train, max_epochs):
    """Model of a key, fitted."""
    _, kind, params = MODELS[key]
    return kind(max_epochs=max_epochs, random_state=seed, **params).fit(train)


def collect(args, train, sets):
    """By key: label, and what was measured, a list over seeds of dicts by set."""
    base = {"n_train": len(train), "n_test": args.n_test, "sets": list(SETS)}
    found, models = {}, classical(train)
    for key, (label, model) in models.items():
        rows = [{name: measure(key, model, images) for name, images in sets.items()}]
        found[key] = (label, rows)
        show(key, rows)
    for key, (label, _, params) in MODELS.items():
        rows = []
        for seed in args.seeds[: 1 if key in ONE_SEED else None]:
            settings = base | {"epochs": args.max_epochs, "params": params}

            def run(key=key, seed=seed):
                model = fitted(key, seed, train, args.max_epochs)
                return {name: measure(key, model, x) for name, x in sets.items()}

            rows.append(_kept.kept(NAME, f"{key}-{seed}", settings, run))
        found[key] = (label, rows)
        show(key, rows)
    return found


def show(key, rows):
    """Print a row."""
    means = {s: np.mean([row[s]["psnr"] for row in rows]) for s in SETS}
    values = "".join(f"{s:>10} {v:6.2f}" for s, v in means.items())
    print(f"{key:14}{values}  {rows[0]['cifar']['bits']:6.1f} bits", flush=True)


def tables(found):
    """Make the three tables."""
    sets = {s: (label, ".1f") for s, label in SETS.items()}
    pca = {s: found["pca"][1][0][s]["psnr"] for s in SETS}
    made = {"numbers": [], "gain": [], "bits": []}
    for key in TABLES["numbers"]:
        label, rows = found[key]
        elsewhere = [[row[s]["numbers"] for s in SETS if s != "cifar"] for row in rows]
        row = {
            "key": key,
            "label": label,
            "numbers": np.mean([row["cifar"]["numbers"] for row in rows]),
            "elsewhere": np.mean(elsewhere),
        }
        psnr = {s: [row[s]["psnr"] for row in rows] for s in SETS}
        made["numbers"].append(row | {s: _record.spread(psnr[s]) for s in SETS})
        gains = {s: _record.spread(np.array(psnr[s]) - pca[s]) for s in SETS}
        if key != "pca":
            made["gain"].append({"key": key, "label": label} | gains)
    for key in TABLES["bits"]:
        label, rows = found[key]
        row = {"key": key, "label": label}
        row["bits"] = np.mean([row["cifar"]["bits"] for row in rows])
        made["bits"].append(
            row | {s: _record.spread([r[s]["rounded"] for r in rows]) for s in SETS}
        )
    numbers = {"numbers": ("numbers", ".1f"), "elsewhere": ("elsewhere", ".1f")}
    signed = {s: (label, "+.1f") for s, label in SETS.items()}
    return {
        "numbers": _record.table(
            "PSNR, dB", _record.columns(**sets, **numbers), made["numbers"]
        ),
        "gain": _record.table(
            "PSNR less PCA's, dB", _record.columns(**signed), made["gain"]
        ),
        "bits": _record.table(
            "PSNR, dB",
            _record.columns(**sets, bits=("bits a site", ".0f")),
            made["bits"],
        ),
    }


def main():
    """Read the command line, measure, print, record."""
    options = _cifar.parser(
        __doc__.splitlines()[0], n_train=N_TRAIN, json_name="claim_generalisation.json"
    )
    options.set_defaults(n_test=N_TEST, max_epochs=MAX_EPOCHS)
    options.add_argument("--seeds", nargs="+", type=int, default=SEEDS)
    options.add_argument("--photos", metavar="ZIP", help=f"{_bsds.ARCHIVE}, as --data")
    args, train, _ = _cifar.start(options)
    archive = _cifar.find_archive(options, args.data)
    photos = _bsds.find_archive(options, args.photos)
    with threadpool_limits(args.threads):
        sets = load_sets(archive, photos, args.n_test)
        found = collect(args, train, sets)
    made = tables(found)
    _common.write_json(args.json, made)
    test = sets["cifar"]
    _record.record(
        args,
        "claim_generalisation",
        tables=made,
        settings=_cifar.settings(train, test, max_epochs=args.max_epochs),
        seeds=args.seeds,
        note="Soft shrinkage and the closed loop: one seed.",
    )


if __name__ == "__main__":
    main()
