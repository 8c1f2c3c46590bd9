"""What decides which atoms are on: soft thresholds or a pursuit, and how many are.

Fits ``SparseCodingVAE(n_components=512, n_downsamples=2)`` on CIFAR-10 (JPEG) with
``shrinkage="support"`` (``alpha=0.03``) and with ``"soft"``, all else at its default,
and codes held-out test images; beside them `DictionaryLearningVAE` by OLS and OMP with
as many non-zeros, and the pursuit before training.

Non-zeros are per site and include the three channel means, which are coded apart;
``DictionaryLearningVAE`` codes them among its atoms. *Atoms* is the perplexity of the
usage of the other 509 atoms (of all 512 there), over all test images.

Run ``python benchmarks/shrinkage.py --data cifar10_jpeg.zip``.
"""

import _cifar
import _common
import numpy as np
import torch
from threadpoolctl import threadpool_limits

from sklearn_sparsevae import DictionaryLearningVAE, SparseCodingVAE, metrics

ALPHA, TASK = 0.03, {"n_components": 512, "n_downsamples": 2}
MIN_PSNR, MAX_NONZEROS, MIN_ATOMS, MAX_CPU_MINUTES, MAX_SPREAD = 44, 10, 400, 5, 0.3


def measure(name, model, train, test):
    """Fit, code the test images, measure and print."""
    seconds, _ = _common.timed_fit(model, train)
    codes = model.transform(test)
    row = {
        "method": name,
        "seed": model.random_state,
        "psnr": model.score(test),
        "nonzeros": metrics.nonzeros_per_site(codes),
        "atoms": metrics.usage_perplexity(codes),
        "cpu_minutes": seconds / 60,
    }
    figures = f"{row['psnr']:7.2f} {row['nonzeros']:6.2f} {row['atoms']:6.0f}"
    print(
        f"{name:30s} {row['seed']:4d} {figures} {row['cpu_minutes']:8.2f}", flush=True
    )
    return row


def compare(seed, train, test, options):
    """Rows of one seed."""
    common = {**TASK, "random_state": seed, **options}
    support = SparseCodingVAE(shrinkage="support", alpha=ALPHA, **common)
    start = SparseCodingVAE(**support.get_params()).set_params(max_epochs=0)
    rows = [
        measure("support", support, train, test),
        measure("support, untrained", start, train, test),
    ]
    n_nonzeros = round(rows[0]["nonzeros"])
    for selection in ("ols", "omp"):
        model = DictionaryLearningVAE(
            n_nonzero_coefs=n_nonzeros, selection=selection, **common
        )
        rows.append(measure(f"DL-VAE, {selection}", model, train, test))
    return rows


def check(rows):
    """Print and return whether the goals are met, over all seeds."""
    ours = [row for row in rows if row["method"] == "support"]
    psnr, nonzeros, atoms, minutes = (
        [row[name] for row in ours]
        for name in ("psnr", "nonzeros", "atoms", "cpu_minutes")
    )
    goals = [
        (f"PSNR {np.mean(psnr):.2f} dB (>= {MIN_PSNR})", np.mean(psnr) >= MIN_PSNR),
        (
            f"non-zeros {np.mean(nonzeros):.2f} (<= {MAX_NONZEROS})",
            np.mean(nonzeros) <= MAX_NONZEROS,
        ),
        (f"atoms {min(atoms):.0f} (>= {MIN_ATOMS})", min(atoms) >= MIN_ATOMS),
        (
            f"CPU-minutes {max(minutes):.2f} (<= {MAX_CPU_MINUTES})",
            max(minutes) <= MAX_CPU_MINUTES,
        ),
        (
            f"spread of PSNR {np.ptp(psnr):.2f} dB (<= {MAX_SPREAD})",
            np.ptp(psnr) <= MAX_SPREAD,
        ),
    ]
    print()
    return [_common.verdict(text, passed) for text, passed in goals]


def main():
    """Read the command line, run, write JSON."""
    options = _cifar.parser(
        __doc__.splitlines()[0], n_train=10_000, json_name="shrinkage.json"
    )
    options.add_argument("--seeds", type=_common.positive, default=3, help="how many")
    options.add_argument("--soft", action="store_true", help="with soft thresholds too")
    args = options.parse_args()
    archive = _cifar.find_archive(options, args.data)
    torch.set_num_threads(args.threads)
    train = _cifar.load(archive, "train", args.n_train)
    test = _cifar.load(archive, "test", args.n_test)
    print(f"{_cifar.TITLE}: {len(train)} training and {len(test)} test images")
    columns = f"{'PSNR':>7s} {'nnz':>6s} {'atoms':>6s} {'CPU min':>8s}"
    print(f"{'method':30s} seed {columns}", flush=True)
    rows = []
    with threadpool_limits(args.threads):
        for seed in range(args.seeds):
            rows += compare(seed, train, test, _common.epochs(args))
        if args.soft:
            model = SparseCodingVAE(**TASK, random_state=0, **_common.epochs(args))
            rows.append(measure("soft", model, train, test))
    _common.write_json(args.json, {"rows": rows, "checks": check(rows)})


if __name__ == "__main__":
    main()
