"""What a lecture says of autoencoders and VAEs, on scikit-learn's digits.

Four experiments on the same held-out digits, all over three seeds.

*linear*: a linear autoencoder from a random start, trained by gradient descent (Adam on
all images at once), beside PCA: squared error in relation to PCA's, largest angle
between both subspaces, and the largest cosine between two columns of the decoder (0 for
PCA's). *line*: a deep autoencoder with one latent number, on few images, beside PCA
with one component: does it represent anything, and does it overfit?

*bounds*: `GaussianVAE` with one level, with two, without the divergence, and before
training: the evidence lower bound, and the importance-weighted bound of more and more
draws, which is at least the evidence lower bound (that of one draw) and at most the
log-likelihood (Burda et al. 2016). What they differ by is what the normal posterior
costs.

*samples*: roughness is the mean squared difference of neighbouring pixels, *typical*
the mean largest probability that logistic regression on real digits gives to an image,
*distance* the Frechet distance to held-out digits in 16 principal components. Images:
draws of the decoder's mean, the same with the decoder's noise, and halfway between two
digits, in the code and as a cross-fade of pixels.

Run ``python benchmarks/claims/lecture.py``; it needs no data and takes about two
CPU-minutes. ``--plot`` writes the picture of means and draws.
"""

import argparse
import math
import pathlib

import numpy as np
import torch
from _shared import _common, _kept, _record
from scipy.linalg import sqrtm, subspace_angles
from skimage.io import imsave
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from torch import nn

from sklearn_sparsevae import GaussianVAE
from sklearn_sparsevae.bottlenecks.gaussian import _moments

NAME = "lecture"
SEEDS = (0, 1, 2)
N_TEST = 540
N_LINEAR, LINEAR_STEPS, LINEAR_RATE = 8, 3000, 0.05
N_LINE, LINE_WIDTH, LINE_STEPS, LINE_RATE = 100, 256, 1000, 0.001
VARIANCE = 0.02  # of the decoder's noise, as in gaussian.py
TASK = {"n_components": 16, "n_downsamples": 3, "noise_variance": VARIANCE}
EPOCHS = 3
VARIANTS = {
    "before training": {"max_epochs": 0},
    "one level": {},
    "two levels": {"n_levels": 2},
    "no divergence": {"beta": 0.0},
}
DRAWS = (1, 10, 100)  # of the importance-weighted bound
N_SAMPLES = 2000
N_PAIRS = 1000
N_SHOWN = 16


def load():
    """Training and held-out digits in [0, 1], and their classes."""
    X, y = load_digits(return_X_y=True)
    X = (X / 16).astype(np.float32)
    return train_test_split(X, y, test_size=N_TEST, random_state=0, stratify=y)


def psnr(images, output):
    """Mean over images of the PSNR in dB."""
    error = ((images - output) ** 2).mean(axis=1)
    return float((-10 * np.log10(np.maximum(error, 1e-12))).mean())


# ---- plain autoencoders -------------------------------------------------------------


def train(encoder, decoder, rows, steps, rate):
    """Gradient descent on the squared error, all rows at once."""
    rows = torch.from_numpy(rows)
    weights = [*encoder.parameters(), *decoder.parameters()]
    optimizer = torch.optim.Adam(weights, lr=rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        optimizer.zero_grad()
        (decoder(encoder(rows)) - rows).square().sum(1).mean().backward()
        optimizer.step()
        schedule.step()


def output_of(encoder, decoder, rows):
    """Give what comes back of rows."""
    with torch.no_grad():
        return decoder(encoder(torch.from_numpy(rows))).numpy()


def measure_linear(rows, test, seed):
    """Linear autoencoder from a random start, beside PCA."""
    pca = PCA(N_LINEAR).fit(rows)
    torch.manual_seed(seed)
    layers = nn.Linear(rows.shape[1], N_LINEAR), nn.Linear(N_LINEAR, rows.shape[1])
    train(*layers, rows, LINEAR_STEPS, LINEAR_RATE)
    columns = layers[1].weight.detach().numpy()
    angles = np.degrees(subspace_angles(columns, pca.components_.T))
    unit = columns / np.linalg.norm(columns, axis=0)
    ours = output_of(*layers, rows)
    least = pca.inverse_transform(pca.transform(rows))
    again = pca.inverse_transform(pca.transform(test))
    return {
        "excess": 100 * float(((rows - ours) ** 2).sum() / ((rows - least) ** 2).sum())
        - 100,
        "angle": float(angles.max()),
        "cosine": float(np.abs(unit.T @ unit - np.eye(N_LINEAR)).max()),
        "psnr": psnr(test, output_of(*layers, test)),
        "psnr_pca": psnr(test, again),
    }


def measure_line(rows, test, seed):
    """Deep autoencoder with one latent number, beside PCA with one component."""
    rows = rows[np.random.RandomState(seed).permutation(len(rows))[:N_LINE]]
    pca = PCA(1).fit(rows)
    torch.manual_seed(seed)
    nets = [
        nn.Sequential(
            nn.Linear(n_in, LINE_WIDTH),
            nn.ReLU(),
            nn.Linear(LINE_WIDTH, LINE_WIDTH),
            nn.ReLU(),
            nn.Linear(LINE_WIDTH, n_out),
        )
        for n_in, n_out in ((rows.shape[1], 1), (1, rows.shape[1]))
    ]
    train(*nets, rows, LINE_STEPS, LINE_RATE)
    made = {}
    for name, images in {"train": rows, "test": test}.items():
        made[f"{name}_line"] = psnr(images, output_of(*nets, images))
        least = pca.inverse_transform(pca.transform(images))
        made[f"{name}_pca_line"] = psnr(images, least)
    return made


# ---- GaussianVAE --------------------------------------------------------------------


def fit(variant, rows, seed):
    """Fitted model of a variant."""
    params = {"max_epochs": EPOCHS} | VARIANTS[variant]
    model = GaussianVAE(**TASK, **params, device="cpu", random_state=seed)
    return model.fit(rows.reshape(-1, 8, 8))


def log_normal(x, mean, log_variance):
    """Log-density of independent normal numbers, summed over all but the first axis."""
    log_variance = torch.as_tensor(log_variance, dtype=x.dtype)
    square = (x - mean).square() / log_variance.exp()
    density = -0.5 * (square + log_variance + math.log(2 * math.pi))
    return density.flatten(1).sum(1)


@torch.no_grad()
def log_weights(model, test, n_draws):
    """Log of p(x, z) / q(z|x) of so many draws of z for each image."""
    module = model.net_.module_.eval()
    own, images = module.bottleneck, torch.from_numpy(test.reshape(-1, 1, 8, 8))
    first = own.posterior(module.latents(images))
    zero, made = torch.zeros(()), []
    for _ in range(n_draws):
        z = first[0] + (0.5 * first[1]).exp() * torch.randn_like(first[0])
        weight = -log_normal(z, *first)
        if own.n_levels == 2:
            second = _moments(own.infer, z)
            top = second[0] + (0.5 * second[1]).exp() * torch.randn_like(second[0])
            weight += log_normal(top, zero, zero) - log_normal(top, *second)
            weight += log_normal(z, *_moments(own.prior, top))
        else:
            weight += log_normal(z, zero, zero)
        output = module.images(own.decode(z))
        weight += log_normal(images, output, math.log(VARIANCE))
        made.append(weight.double())
    return torch.stack(made)


def bounds(model, test, seed):
    """Mean over images of the importance-weighted bound, by the number of draws."""
    torch.manual_seed(seed)
    weights = log_weights(model, test, max(DRAWS))
    made = {}
    for n in DRAWS:
        groups = weights.unflatten(0, (-1, n)).logsumexp(1) - math.log(n)
        made[f"draws_{n}"] = float(groups.mean())
    return made


class Judge:
    """How much images look like digits."""

    def __init__(self, rows, labels, test):
        self.classifier = LogisticRegression(max_iter=1000).fit(rows, labels)
        self.pca = PCA(16).fit(rows)
        self.moments = self._moments(test)

    def _moments(self, rows):
        coded = self.pca.transform(rows)
        return coded.mean(axis=0), np.cov(coded.T)

    def __call__(self, rows):
        """Figures of images, as rows."""
        images = rows.reshape(-1, 8, 8)
        steps = [np.diff(images, axis=axis) ** 2 for axis in (1, 2)]
        (mean, cov), (other, target) = self._moments(rows), self.moments
        root = np.trace(sqrtm(cov @ target).real)
        distance = np.square(mean - other).sum() + np.trace(cov + target) - 2 * root
        return {
            "roughness": float(np.mean([step.mean() for step in steps])),
            "typical": float(self.classifier.predict_proba(rows).max(axis=1).mean()),
            "distance": float(distance),
        }


def drawn(model, seed, n_samples=N_SAMPLES):
    """Means of p(x|z) for z of the prior, and draws of it, as rows."""
    means = model.sample(n_samples, random_state=seed).reshape(n_samples, -1)
    noise = np.random.RandomState(seed).standard_normal(means.shape)
    return means, (means + math.sqrt(VARIANCE) * noise).astype(np.float32)


def halfway(model, test, seed):
    """Images halfway between pairs, in the code and as a cross-fade, as rows."""
    rng = np.random.RandomState(seed)
    one, other = rng.randint(len(test), size=(2, N_PAIRS))
    codes = model.transform(test.reshape(-1, 8, 8))
    between = model.inverse_transform((codes[one] + codes[other]) / 2)
    return between.reshape(N_PAIRS, -1), (test[one] + test[other]) / 2


def measure_variant(variant, rows, test, seed, judge):
    """Bounds, and how samples look, of one fitted variant."""
    model = fit(variant, rows, seed)
    means, draws = drawn(model, seed)
    between, faded = halfway(model, test, seed)
    made = bounds(model, test, seed)
    made["psnr"] = float(model.score(test.reshape(-1, 8, 8)))
    images = {"means": means, "draws": draws, "halfway": between, "fade": faded}
    return made | {name: judge(images[name]) for name in images}


def draw(rows, test, path):
    """Write a picture: real digits, means of p(x|z), and draws of it."""
    means, draws = drawn(fit("one level", rows, SEEDS[0]), SEEDS[0], N_SHOWN)
    strips = [
        np.concatenate(list(strip.reshape(-1, 8, 8)), axis=1)
        for strip in (test[:N_SHOWN], means, draws)
    ]
    picture = np.round(255 * np.concatenate(strips).clip(0, 1)).astype(np.uint8)
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    imsave(path, picture.repeat(6, 0).repeat(6, 1), check_contrast=False)
    print(f"written: {path}")


# ---- tables -------------------------------------------------------------------------


def spread(rows, *path):
    """Mean and deviation over seeds of the figure at a path."""
    values = []
    for row in rows:
        for name in path:
            row = row[name]
        values.append(row)
    return _record.spread(values)


def bounds_table(fitted):
    """One row for each variant."""
    named = {f"draws_{n}": (f"{n} draws", ".2f") for n in DRAWS}
    named["draws_1"] = "evidence lower bound, nats", ".2f"
    columns = _record.columns(**named, psnr=("PSNR, dB", ".2f"))
    rows = [
        {"label": variant} | {name: spread(made, name) for name in columns}
        for variant, made in fitted.items()
        if variant != "no divergence"  # whose posterior is a point
    ]
    return _record.table("", columns, rows)


def samples_table(fitted, real):
    """Real digits, and images of the model."""
    columns = _record.columns(
        roughness=("roughness", ".4f"),
        typical=("typical", ".3f"),
        distance=("distance", ".3f"),
    )
    rows = [{"label": "held-out digits", "key": "real"} | real]
    named = {
        "means": "means of p(x|z), {}",
        "draws": "draws of p(x|z), {}",
        "halfway": "halfway in the code, {}",
    }
    for variant in ("one level", "no divergence"):
        for kind, label in named.items():
            made = {name: spread(fitted[variant], kind, name) for name in columns}
            key = _record.key(f"{kind}-{variant}")
            rows.append({"label": label.format(variant), "key": key} | made)
    made = {name: spread(fitted["one level"], "fade", name) for name in columns}
    rows.append({"label": "cross-fade of two digits", "key": "fade"} | made)
    return _record.table("", columns, rows)


def plain_table(linear, line):
    """Plain autoencoders beside PCA, one row for each pair."""
    columns = _record.columns(
        train=("PSNR of training images, dB", ".2f"),
        test=("PSNR of held-out images, dB", ".2f"),
    )
    label = f"linear, {N_LINEAR} numbers"
    rows = [
        {"label": label, "key": "linear", "test": spread(linear, "psnr")},
        {"label": f"PCA, {N_LINEAR}", "key": "pca", "test": spread(linear, "psnr_pca")},
    ]
    for key, title in {"line": "deep, one number", "pca_line": "PCA, 1"}.items():
        made = {name: spread(line, f"{name}_{key}") for name in columns}
        rows.append({"label": f"{title}, {N_LINE} images", "key": key} | made)
    return _record.table("", columns, rows)


def main():
    """Measure what is not yet there, print, record."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    _common.add_common(options, None)
    options.add_argument("--plot", help="picture of means and draws, a PNG")
    args = options.parse_args()
    torch.set_num_threads(args.threads)
    rows, test, labels, _ = load()
    linear, line = [], []
    for seed in SEEDS:
        keep = NAME, f"linear-{seed}", [N_LINEAR, LINEAR_STEPS, LINEAR_RATE]
        linear.append(_kept.kept(*keep, lambda s=seed: measure_linear(rows, test, s)))
        keep = NAME, f"line-{seed}", [N_LINE, LINE_WIDTH, LINE_STEPS, LINE_RATE]
        line.append(_kept.kept(*keep, lambda s=seed: measure_line(rows, test, s)))
        print(f"seed {seed}: {linear[-1]} {line[-1]}", flush=True)
    judge, fitted = Judge(rows, labels, test), {variant: [] for variant in VARIANTS}
    for variant, params in VARIANTS.items():
        for seed in SEEDS:
            keep = NAME, f"{_record.key(variant)}-{seed}", [TASK, params, EPOCHS, DRAWS]
            made = _kept.kept(
                *keep,
                lambda v=variant, s=seed: measure_variant(v, rows, test, s, judge),
            )
            fitted[variant].append(made)
            print(f"{variant}, seed {seed}: {made}", flush=True)
    if args.plot:
        draw(rows, test, args.plot)
    figures = {name: spread(linear, name) for name in ("excess", "angle", "cosine")}
    settings = {
        "data": "scikit-learn's digits",
        "n_train": len(rows),
        "n_test": len(test),
        "max_epochs": EPOCHS,
        **TASK,
    }
    _record.record(
        args,
        "claim_lecture",
        tables={
            "plain": plain_table(linear, line),
            "bounds": bounds_table(fitted),
            "samples": samples_table(fitted, judge(test)),
        },
        figures=figures,
        settings=settings,
        seeds=SEEDS,
    )


if __name__ == "__main__":
    main()
