"""Show that training stays finite at every alpha and number of steps.

Trains on CIFAR-10 (JPEG) from alpha 0.003 to 10 and from 1 to 64 steps, with selection
and with soft shrinkage, and prints PSNR and non-zeros on held-out images. A loss that
stops being finite raises inside ``fit`` and prints as "diverged".
"""

import itertools
import time

import _record
import numpy as np
import torch
from _cifar import TITLE, find_archive, load, parser, settings
from _common import write_json

from sklearn_sparsevae import SparseCodingVAE
from sklearn_sparsevae.metrics import nonzeros_per_site

SHRINKAGES = ("support", "soft")
ALPHAS = (0.003, 0.03, 0.1, 1.0, 10.0)
STEPS = (1, 4, 16, 64)


def measure(shrinkage, alpha, n_steps, train, test, max_epochs):
    """Fit once; figures of the held-out images, or the error."""
    model = SparseCodingVAE(
        shrinkage=shrinkage,
        n_downsamples=2,
        alpha=alpha,
        n_rollout_steps=n_steps,
        max_epochs=max_epochs,
        random_state=0,
    )
    row = {"shrinkage": shrinkage, "alpha": alpha, "steps": n_steps}
    start = time.perf_counter()
    try:
        model.fit(train)
    except FloatingPointError as error:
        return row | {"diverged": str(error)}
    codes = model.transform(test)
    finite = bool(np.isfinite(codes.data).all())
    return row | {
        "psnr": model.score(test),
        "nonzeros": nonzeros_per_site(codes),
        "finite": finite,
        "seconds": time.perf_counter() - start,
    }


def to_table(rows, shrinkage):
    """PSNR for every alpha, a row, and number of steps, a column."""
    columns = _record.columns(**{f"steps_{n}": (str(n), ".1f") for n in STEPS})
    made = []
    for alpha in ALPHAS:
        own = [r for r in rows if (r["shrinkage"], r["alpha"]) == (shrinkage, alpha)]
        cells = {f"steps_{r['steps']}": r.get("psnr", "diverged") for r in own}
        label = f"{alpha:g}"
        made.append({"key": f"alpha-{_record.key(label)}", "label": label} | cells)
    return _record.table("alpha; PSNR, dB, after so many steps", columns, made)


def main():
    """Read the command line, run the grid, print, write JSON."""
    options = parser(__doc__.splitlines()[0], n_train=500, json_name="stability.json")
    args = options.parse_args()
    archive = find_archive(options, args.data)
    torch.set_num_threads(args.threads)
    train, test = load(archive, "train", args.n_train), load(archive, "test", 200)
    print(f"{TITLE}: {len(train)} training images, {len(test)} held out")
    print(f"shrinkage {'alpha':>6}{'steps':>7}{'PSNR':>8}{'non-zeros':>11}  finite")
    rows = []
    for setting in itertools.product(SHRINKAGES, ALPHAS, STEPS):
        row = measure(*setting, train, test, args.max_epochs or 1)
        rows.append(row)
        figures = (row.get("psnr", np.nan), row.get("nonzeros", np.nan))
        print("{:9s} {:6g}{:7d}".format(*setting), end="")
        print("{:8.2f}{:11.1f}".format(*figures), end="")
        print(f"  {row.get('finite', row.get('diverged'))}", flush=True)
    write_json(args.json, {"rows": rows})
    _record.record(
        args,
        "stability",
        tables={shrinkage: to_table(rows, shrinkage) for shrinkage in SHRINKAGES},
        figures={"n_fits": len(rows), "n_diverged": sum("diverged" in r for r in rows)},
        settings=settings(train, test, max_epochs=args.max_epochs or 1),
    )


if __name__ == "__main__":
    main()
