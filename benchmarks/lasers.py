"""LASERS' tables on CIFAR-10 (JPEG): dictionary learning beside vector quantisation.

Every model codes 8x8 sites, patches of 4x4 pixels, and all that does not define the
task stays at its default, epochs included.

* Without an option: PSNR against the non-zeros S of a site (Table 5 of the paper), and
  against the number K of atoms or codes (Table 4, with S = 4 as there). ``--backbone
  light`` takes the paper's network, ``--tables`` one table alone, ``--seeds`` more fits
  of each row, which then is their mean.
* ``--headline``: ``DictionaryLearningVAE`` at S=5 after a short and a long fit, beside
  what it starts from and scikit-learn's dictionary at equal non-zeros.
* ``--ingredients``: the same model after few epochs without one ingredient at a time.

How to read the tables:

* *PSNR* in dB and *SSIM* are means over held-out test images, clipped to [0, 1]. The
  paper's PSNR, *paper*, is no peer: it was computed on training batches, pooled over
  the images of a batch, after 100 epochs of 50,000 images that were no JPEG files.
* *atoms* is the perplexity of the usage of the atoms over all the test images. (The
  paper's is another measure, near K for any small codes.)
* *bpp* is bits per pixel with coefficients of 8 bits; PSNR is measured without rounding
  them.
* *CPU min* is the process time of the fit.
* A row with 0 epochs is the model before its first step: a dictionary of patches of
  pixels, learned by online dictionary learning, and coded with the same rule (OMP or
  OLS) that it was learned with.
* *scikit-learn* is MiniBatchDictionaryLearning on the same patches, coded by OMP with
  coefficients of 10 bits, which cost nothing that shows.

Run ``python benchmarks/lasers.py --data cifar10_jpeg.zip``.
"""

import contextlib
import functools
from itertools import pairwise
from unittest import mock

import _cifar
import _classical
import _common
import _record
import torch
from skorch.callbacks import Freezer
from threadpoolctl import threadpool_limits

from sklearn_sparsevae import VQVAE, DictionaryLearningVAE, metrics
from sklearn_sparsevae.bottlenecks import DictionaryLearning

SIDE, N_ATOMS, N_NONZEROS = 4, 512, 5
TABLE_4_NONZEROS = 4
# PSNR as printed in the paper, by S, and by K of VQ-VAE and DL-VAE.
TABLE_5 = {2: 25.63, 4: 28.95, 5: 29.33, 8: 31.32, 10: 31.96}
TABLE_4 = {
    "VQ-VAE": {64: 22.53, 256: 23.59, 512: 22.36},
    "DL-VAE": {64: 26.79, 256: 28.03, 512: 28.95},
}
MIN_PERPLEXITY = {("VQ-VAE", N_ATOMS, 1): 400, ("DL-VAE", N_ATOMS, N_NONZEROS): 450}
HEADLINE_GOALS = ((37.0, 10.0), (38.5, 30.0))  # dB within CPU-minutes
LONG_EPOCHS = 20
INGREDIENT_IMAGES, INGREDIENT_EPOCHS = 5000, 3


# Models and rows ---------------------------------------------------------------------


def make_dl(**options):
    """DL-VAE as the task has it, all else at its default."""
    task = {"n_components": N_ATOMS, "n_nonzero_coefs": N_NONZEROS}
    return DictionaryLearningVAE(**_with_defaults(task | options))


def make_vq(**options):
    """VQ-VAE, likewise."""
    return VQVAE(**_with_defaults({"n_components": N_ATOMS} | options))


def _with_defaults(options):
    return {"n_downsamples": 2, "random_state": _common.SEED} | options


def fitted_row(name, model, train, test, paper=None):
    """Fit, code the test images, measure and print."""
    seconds, _ = _common.timed_fit(model, train)
    codes = model.transform(test)
    output = model.inverse_transform(codes)
    row = {
        "method": name,
        "K": model.n_components,
        "S": getattr(model, "n_nonzero_coefs", 1),
        "epochs": model.n_epochs_,
        "psnr": metrics.psnr(test, output),
        "ssim": metrics.ssim(test, output),
        "perplexity": metrics.usage_perplexity(codes),
        "bpp": metrics.bits_per_pixel(codes),
        "cpu_minutes": seconds / 60,
        "paper": paper,
    }
    print_row(row)
    return row


def print_head(title):
    """Print what stands above the rows."""
    columns = f"{'K':>4s} {'S':>3s} {'epochs':>6s} {'PSNR':>6s} {'SSIM':>6s}"
    columns += f" {'atoms':>6s} {'bpp':>6s} {'CPU min':>8s} {'paper':>6s}"
    print(f"\n{title}\n{'method':26s} {columns}", flush=True)


def print_row(row):
    """Print one row as soon as it is there; a dash for what it does not have."""
    print(
        f"{row['method']:26s} {row['K']:4d} {row['S']:3d} {row['epochs'] or '-':>6} "
        f"{row['psnr']:6.2f} {_number(row['ssim'], '6.3f')} "
        f"{_number(row['perplexity'], '6.0f')} {row['bpp']:6.2f} "
        f"{row['cpu_minutes']:8.2f} {_number(row['paper'], '6.2f')}",
        flush=True,
    )


def _number(value, form):
    return f"{'-':>6s}" if value is None else format(value, form)


# The paper's tables ------------------------------------------------------------------


class Tables:
    """Tables 5 and 4 with one backbone; a model that both have is fitted once."""

    def __init__(self, args, train, test):
        self.train, self.test, self.seeds = train, test, range(args.seeds)
        self.make = {
            name: functools.partial(
                make, backbone=args.backbone, **_common.epochs(args)
            )
            for name, make in (("VQ-VAE", make_vq), ("DL-VAE", make_dl))
        }
        self.fitted = {}

    def row(self, name, paper, **options):
        """One row, the mean over the seeds, measured now or before."""
        models = [self.make[name](**options, random_state=seed) for seed in self.seeds]
        key = name, models[0].n_components, getattr(models[0], "n_nonzero_coefs", 1)
        if key in self.fitted:
            self.fitted[key] |= {"paper": paper}
            print_row(self.fitted[key])
        else:
            rows = [
                fitted_row(name, model, self.train, self.test, paper)
                for model in models
            ]
            self.fitted[key] = mean_row(rows)
        return dict(self.fitted[key])

    def table_5(self):
        """PSNR against non-zeros."""
        print_head(f"Table 5, {_cifar.TITLE}: non-zeros S of a site")
        rows = [
            self.row("DL-VAE", paper, n_nonzero_coefs=s) for s, paper in TABLE_5.items()
        ]
        return rows, [rises("DL-VAE", "S", rows)]

    def table_4(self):
        """PSNR against the size of codebook and dictionary."""
        print_head(f"Table 4, {_cifar.TITLE}: size K of codebook or dictionary")
        rows, goals = [], []
        for name, printed in TABLE_4.items():
            fixed = {"n_nonzero_coefs": TABLE_4_NONZEROS} if name == "DL-VAE" else {}
            own = [
                self.row(name, paper, n_components=k, **fixed)
                for k, paper in printed.items()
            ]
            rows += own
            goals.append((name, "K", own))
        return rows, [rises(*goal) for goal in goals]


def mean_row(rows):
    """Row of all seeds; ``psnrs`` has theirs."""
    means = {
        key: sum(row[key] for row in rows) / len(rows)
        for key in ("psnr", "ssim", "perplexity", "bpp", "cpu_minutes")
    }
    return rows[0] | means | {"psnrs": [row["psnr"] for row in rows]}


def rises(name, key, rows):
    """Check that PSNR rises with S or K."""
    curve = ", ".join(f"{row['psnr']:.2f}" for row in rows)
    passed = all(a["psnr"] < b["psnr"] for a, b in pairwise(rows))
    return _common.verdict(f"{name}: PSNR rises with {key} ({curve})", passed)


def varied(row, bound):
    """Check the perplexity of a row."""
    what = f"{row['method']}, S={row['S']}: perplexity {row['perplexity']:.0f}"
    text = f"{what} of {row['K']} (goal: > {bound})"
    return _common.verdict(text, row["perplexity"] > bound)


def run_tables(args, train, test):
    """Measure the tables asked for; return what goes to JSON."""
    tables = Tables(args, train, test)
    measure = {5: tables.table_5, 4: tables.table_4}
    print(f"backbone: {args.backbone}")
    results, goals = {}, []
    for number in args.tables:
        results[f"table_{number}"], own = measure[number]()
        goals += own
    print()
    for key, bound in MIN_PERPLEXITY.items():
        if key in tables.fitted:
            goals.append(varied(tables.fitted[key], bound))
    return {"backbone": args.backbone, **results, "goals": goals}


# Headline ----------------------------------------------------------------------------


def sklearn_row(train, test, seconds):
    """scikit-learn's dictionary of patches, coded by its non-zeros with OMP."""
    with mock.patch.dict(_classical.N_NONZEROS, {SIDE: (N_NONZEROS,)}):
        point = _classical.sklearn_points(train, test, SIDE, seconds)[-1]
    row = {
        "method": "scikit-learn, omp",
        "K": N_ATOMS,
        "S": N_NONZEROS,
        "epochs": None,
        "psnr": point.psnr,
        "ssim": None,
        "perplexity": None,
        "bpp": point.bpp,
        "cpu_minutes": point.seconds / 60,
        "paper": None,
    }
    print_row(row)
    return row


def run_headline(args, train, test):
    """Fit short and long beside the peers; return what goes to JSON."""
    print_head(f"{_cifar.TITLE}, {N_NONZEROS} non-zeros a site")
    rows = [
        sklearn_row(train, test, args.sklearn_seconds),
        fitted_row("start, omp", make_dl(selection="omp", max_epochs=0), train, test),
        fitted_row("start, ols", make_dl(max_epochs=0), train, test),
        fitted_row(
            "DL-VAE", make_dl(**_common.epochs(args)), train, test, TABLE_5[N_NONZEROS]
        ),
        fitted_row("DL-VAE", make_dl(max_epochs=args.long_epochs), train, test),
    ]
    print()
    goals = [reaches(*goal, rows) for goal in HEADLINE_GOALS]
    return {"rows": rows, "goals": goals}


def reaches(psnr, minutes, rows):
    """Check that one of the fits is that good in that time."""
    in_time = [row["psnr"] for row in rows if row["cpu_minutes"] <= minutes]
    text = f"{max(in_time):.2f} dB within {minutes:g} CPU-minutes (goal: >= {psnr:g})"
    return _common.verdict(text, max(in_time) >= psnr)


# Ingredients -------------------------------------------------------------------------


def no_straight_through(self, latents, forward=DictionaryLearning.forward):
    """Forward of the bottleneck whose latents bring the encoder no gradient."""
    coded = forward(self, latents)
    return coded | {"latents": coded["latents"].detach()}


def frozen(*branches):
    """Options that keep branches at their start, where they add nothing."""
    return {"callbacks": [Freezer([f"backbone.{b}_branch.*" for b in branches])]}


# What `--ingredients` leaves out or replaces, one at a time: options of the estimator,
# and methods of the bottleneck that no option switches.
INGREDIENTS = {
    "default": ({}, {}),
    "atoms start at random": ({}, {"initialize": lambda self, rows, seed: None}),
    "no encoder branch": (frozen("encoder"), {}),
    "no decoder branch": (frozen("decoder"), {}),
    "neither branch": (frozen("encoder", "decoder"), {}),
    "no straight-through": ({}, {"forward": no_straight_through}),
    "no dead-atom reset": ({}, {"reset_dead_atoms": lambda self: {}}),
    'selection="omp"': ({"selection": "omp"}, {}),
    'dictionary_update="online"': ({"dictionary_update": "online"}, {}),
    "commitment_weight=0": ({"commitment_weight": 0}, {}),
    "commitment_weight=1": ({"commitment_weight": 1}, {}),
    "width=128": ({"backbone_params": {"width": 128}}, {}),
}


def run_ingredients(args, train, test):
    """Fit one small model for each ingredient; return what goes to JSON."""
    print_head(f"{_cifar.TITLE}, ingredients")
    rows = []
    for name, (options, methods) in INGREDIENTS.items():
        model = make_dl(**options, **_common.epochs(args, INGREDIENT_EPOCHS))
        with contextlib.ExitStack() as stack:
            for method, function in methods.items():
                replaced = mock.patch.object(DictionaryLearning, method, function)
                stack.enter_context(replaced)
            rows.append(fitted_row(name, model, train, test))
    return {"rows": rows}


# Tables ------------------------------------------------------------------------------

MEASURES = ("psnr", "ssim", "atoms", "cpu_minutes")
HEADLINE_LABELS = {
    "scikit-learn, omp": "scikit-learn: `MiniBatchDictionaryLearning` and OMP",
    "start, omp": "the same, learned and coded by OMP",
    "start, ols": "where it starts: a dictionary of pixels, learned and coded by OLS",
}


def to_tables(results):
    """Tables of what a run measured, whichever it was."""
    if "backbone" not in results:
        if "goals" in results:
            return {"models": _headline_table(results["rows"])}
        return {"ingredients": _ingredients_table(results["rows"])}
    made = {}
    if "table_5" in results:
        made["nonzeros"] = _table_5(results["table_5"])
    if "table_4" in results:
        made["atoms"] = _table_4(results["table_4"])
    return made


def _headline_table(rows):
    made = []
    for row in reversed(rows):
        name = row["method"]
        label = HEADLINE_LABELS.get(name, name)
        if name == "DL-VAE":
            name = f"{name}, {row['epochs']} epochs"
            label = f"`DictionaryLearningVAE`, {row['epochs']} epochs"
        own = {"key": _record.key(name), "label": label, "atoms": row["perplexity"]}
        made.append(row | own)
    return _record.table("", _record.columns(*MEASURES, best={"psnr": "max"}), made)


def _ingredients_table(rows):
    made = []
    for row in rows:
        name = row["method"]
        own = {"key": _record.key(name), "atoms": row["perplexity"]}
        made.append(row | own | {"label": _record.code(name)})
    columns = _record.columns("psnr", "atoms", cpu_minutes=("CPU-minutes", ".2f"))
    return _record.table("change", columns, made)


def _table_5(rows):
    columns = _record.columns(
        psnr=("`DictionaryLearningVAE`, PSNR, dB", ".1f"),
        atoms=(f"atoms in use, of {N_ATOMS}", ".0f"),
        paper=("LASERS prints", ".1f"),
    )
    made = []
    for row in rows:
        own = {"psnr": _record.spread(row["psnrs"]), "atoms": row["perplexity"]}
        made.append(row | own | {"label": str(row["S"])})
    return _record.table("non-zeros S a site", columns, made)


def _table_4(rows):
    columns = _record.columns(
        dl_psnr=("`DictionaryLearningVAE`, PSNR, dB", ".1f"),
        dl_atoms=("atoms in use", ".0f"),
        dl_paper=("LASERS prints", ".1f"),
        vq_psnr=("`VQVAE`, PSNR, dB", ".1f"),
        vq_codes=("codes in use", ".0f"),
        vq_paper=("LASERS prints", ".1f"),
    )
    made = {}
    for row in rows:
        name, used = {"VQ-VAE": ("vq", "codes"), "DL-VAE": ("dl", "atoms")}[
            row["method"]
        ]
        made.setdefault(row["K"], {"label": str(row["K"])}).update(
            {
                f"{name}_psnr": _record.spread(row["psnrs"]),
                f"{name}_{used}": row["perplexity"],
                f"{name}_paper": row["paper"],
            }
        )
    label = f"atoms or codes K, S = {TABLE_4_NONZEROS}"
    return _record.table(label, columns, list(made.values()))


# Command line ------------------------------------------------------------------------


def parse():
    """Read the command line; also return the path of the archive and what to run."""
    options = _cifar.parser(__doc__.splitlines()[0], n_train=None, json_name=None)
    add = options.add_argument
    add("--tables", type=int, nargs="+", choices=(5, 4), default=(5, 4))
    add("--backbone", choices=("residual", "light"), default="residual")
    add("--headline", action="store_true", help="one model, short and long, and peers")
    add("--ingredients", action="store_true", help="what each ingredient is worth")
    add("--long-epochs", type=_common.positive, default=LONG_EPOCHS)
    add("--seeds", type=_common.positive, default=1, help="fits of a row of the tables")
    add("--sklearn-seconds", type=float, default=45, help="scikit-learn's fit time")
    args = options.parse_args()
    if args.headline:
        name, run = "lasers_headline", run_headline
    elif args.ingredients:
        name, run = "lasers_ingredients", run_ingredients
    else:
        name, run = f"lasers_{args.backbone}", run_tables
    args.n_train = args.n_train or (INGREDIENT_IMAGES if args.ingredients else 10_000)
    args.name, args.json = name, args.json or _common.RESULTS / f"{name}.json"
    return args, _cifar.find_archive(options, args.data), run


def main():
    """Read the command line, run, write JSON."""
    args, archive, run = parse()
    torch.set_num_threads(args.threads)
    train = _cifar.load(archive, "train", args.n_train)
    test = _cifar.load(archive, "test", args.n_test)
    print(f"{_cifar.TITLE}: {len(train)} training and {len(test)} test images")
    with threadpool_limits(args.threads):
        results = run(args, train, test)
    settings = {"n_train": len(train), "n_test": len(test), "threads": args.threads}
    _common.write_json(args.json, {"data": _cifar.TITLE, **settings, **results})
    settings = _cifar.settings(train, test, **_common.epochs(args))
    tables = to_tables(results)
    _record.record(
        args, args.name, tables=tables, settings=settings, seeds=range(args.seeds)
    )


if __name__ == "__main__":
    main()
