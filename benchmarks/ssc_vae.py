"""Photos of BSDS500 through every bottleneck: SSC-VAE's Tables 1 and 3.

SC is ``SparseCodingVAE``, SC + In has its thresholds inferred for every site
(``threshold="vector"``), SSC has them refined by attention as well
(``threshold="structured"``); with ``--shrinkage soft`` in the paper's rollout instead
of the pursuit. All train on random crops of 100 training photos and are judged by one
crop of each of the 200 test photos, with one budget for all: the same crops, steps,
backbone and schedule.

How to read the tables:

* *PSNR* in dB is the mean over images clipped to [0, 1]; *SSIM* has a Gaussian window
  of 11 pixels. Each row is the mean over the seeds, with the standard deviation.
* *nnz* is the mean number of non-zeros of a site, the three channel means included.
* The lines below compare the policies at equal non-zeros: the PSNR of SC is
  interpolated over its own curve (several alphas) at the non-zeros of the other, seed
  by seed.
* *alike* is the correlation between the thresholds of two atoms, over the sites of the
  test crops, mean over pairs of atoms: Figure 1 has their maps, which look alike.
* LPIPS and FID are added where ``--vgg`` and ``--inception`` give weights.

``--preset grey`` and ``colour`` are small, for three seeds on a CPU: 128 atoms and
latents of about half that length (8x8 pixels in grey, 4x4 in colour), as in the paper,
whose ratio of the controller's width to the atoms they have as well; 160 crops of 8x8
sites.

``--preset paper`` is the paper's setting (vqgan backbone, 256x256 crops, 512 atoms of
256 numbers, 16 steps) and wants ``--device cuda``. Rows that the JSON of an earlier run
has are taken from there, so that an interrupted run goes on; ``--fresh`` forgets them.

``--cost`` times training steps of the three policies in turn instead.

With ``--sigma`` models are trained to take away noise, and judged by that.

Run ``python benchmarks/ssc_vae.py --data bsds500.zip``.
"""

import functools
import json
import pathlib
import time

import _bsds
import _common
import _record
import numpy as np
import torch
from threadpoolctl import threadpool_limits

from sklearn_sparsevae import metrics
from sklearn_sparsevae.datasets import random_crops
from sklearn_sparsevae.degrade import gaussian_noise

LUMINANCE = np.array([0.299, 0.587, 0.114])
SMALL_CROPS, SMALL_SITES = 160, 8  # crops to train on, and sites a side
SMALL = {
    "crop_size": None,
    "batch_size": 4,
    "max_epochs": 3,
    "n_components": 128,
    "bottleneck_params": {"threshold_width": 64},
}
PRESETS = {
    "grey": SMALL,
    "colour": SMALL | {"n_downsamples": 2},
    "cpu": {"crop_size": 64, "batch_size": 16, "max_epochs": 1},
    "paper": {
        "crop_size": 256,
        "batch_size": 16,
        "max_epochs": 200,
        "backbone": "vqgan",
        "latent_dim": 256,
    },
}
COMMON = {"n_components": 512, "n_downsamples": 3}
N_TRAIN = 100  # photos
N_NONZEROS = 10  # of DL-VAE
ALPHA = {"support": 0.03, "soft": 0.1}  # the estimator's defaults
COST_IMAGES, COST_ROUNDS, MAX_COST = 64, 15, 1.1
CURVES = {"SC": (0.7, 1.4), "SC + In": (1.4,), "SSC": (1.4,)}  # other alphas, of that
SMALL_CURVES = {"SC": (0.65,)}


def make_model(name, alpha, seed, args):
    """Estimator of a row; ``alpha`` is None where there is none."""
    options = COMMON | PRESETS[args.preset] | _common.epochs(args)
    options |= {"device": args.device, "random_state": seed}
    if args.sigma:
        options["degrade"] = functools.partial(gaussian_noise, sigma=args.sigma)
    if name == "DL":
        options["n_nonzero_coefs"] = N_NONZEROS
    if name in _bsds.POLICIES:
        options |= {"alpha": alpha, "shrinkage": args.shrinkage}
    return _bsds.METHODS[name](**options)


def settings(args):
    """All (name, alpha, seed) that are to be measured, what matters most first."""
    curves = SMALL_CURVES if is_small(args) else CURVES
    for seed in range(args.seeds):
        if not is_small(args):
            yield "VQ", None, seed
            yield "DL", None, seed
        for name in _bsds.POLICIES:
            yield name, ALPHA[args.shrinkage], seed
    for seed in range(args.seeds if not args.sigma else 0):
        for name, factors in curves.items():
            for factor in factors:
                yield name, round(factor * ALPHA[args.shrinkage], 4), seed


def is_small(args):
    """Whether the preset is one of the small ones, which compare thresholds alone."""
    return PRESETS[args.preset]["crop_size"] is None


def load_images(archive, args):
    """Photos, or crops of them, to train on, and test crops."""
    train = _bsds.load(archive, "train", args.n_train)
    test = _bsds.load(archive, "test", args.n_test)
    if not is_small(args):
        return train, _bsds.crops(test, PRESETS[args.preset]["crop_size"])
    n_downsamples = (COMMON | PRESETS[args.preset])["n_downsamples"]
    side = SMALL_SITES * 2**n_downsamples
    train = random_crops(train, side, SMALL_CROPS, _common.SEED)
    test = _bsds.crops(test, side)
    if args.preset == "grey":
        train, test = (np.rint(x @ LUMINANCE).astype(np.uint8) for x in (train, test))
    return train, test


def measure(name, alpha, seed, args, train, test):
    """Fit one model and judge it; a row of the table."""
    model = make_model(name, alpha, seed, args)
    cpu, _ = _common.timed_fit(model, train)
    given = test
    if args.sigma:
        given = gaussian_noise(test, sigma=args.sigma, random_state=_common.SEED)
    codes = model.transform(given)
    output = model.inverse_transform(codes)
    row = {
        "method": name,
        "alpha": alpha,
        "seed": seed,
        "latent_dim": model.components_.shape[1],
        "psnr": metrics.psnr(test, output),
        "ssim": metrics.ssim(test, output),
        "nonzeros": metrics.nonzeros_per_site(codes),
        "hoyer": metrics.hoyer(codes),
        "perplexity": metrics.usage_perplexity(codes),
        "cpu_minutes": cpu / 60,
    }
    if name in ("SC + In", "SSC"):
        row["alike"] = alike(model.thresholds(given))
    if args.vgg:
        row["lpips"] = metrics.lpips(test, output, network=args.vgg)
    if args.inception:
        row["fid"] = metrics.fid(test, output, network=args.inception).fid
    return row


def alike(thresholds):
    """Mean correlation over the sites between the thresholds of two atoms."""
    maps = thresholds.reshape(-1, thresholds.shape[-1]).T
    varying = maps[maps.std(1) > 1e-6 * maps.mean()]
    correlations = np.corrcoef(varying)
    return float(correlations[np.triu_indices(len(varying), 1)].mean())


def measure_all(args, train, test, content):
    """Measure what the JSON does not have yet, writing it after every row."""
    rows = content["rows"]
    done = {(row["method"], row["alpha"], row["seed"]) for row in rows}
    for setting in settings(args):
        if setting not in done:
            row = measure(*setting, args, train, test)
            print_row(row)
            rows.append(row)
            _common.write_json(args.json, content)
    return rows


def print_row(row):
    """Print a figure of one fit as it comes."""
    print(
        f"{row['method']:8s} alpha {row['alpha']} seed {row['seed']}: "
        f"{row['psnr']:.2f} dB at {row['nonzeros']:.2f}, {row['cpu_minutes']:.1f} min",
        flush=True,
    )


def print_table(rows):
    """Mean and standard deviation over the seeds, for every method and alpha."""
    columns = ["psnr", "ssim", "nonzeros", "hoyer", "perplexity", "cpu_minutes"]
    columns += [key for key in ("lpips", "fid") if key in rows[0]]
    print(f"\n{'method':8s} {'alpha':>6s}", *(f"{name:>17s}" for name in columns))
    for name, alpha in sorted({(r["method"], r["alpha"] or 0) for r in rows}):
        same = of_method(rows, name, alpha or None)
        cells = [np.array([row[key] for row in same]) for key in columns]
        print(
            f"{name:8s} {alpha:6.2f}",
            *(f"{cell.mean():9.3f} ({cell.std():5.3f})" for cell in cells),
        )


LABELS = {
    "SSC": '`SparseCodingVAE(threshold="structured")`, SSC',
    "SC + In": '`SparseCodingVAE(threshold="vector")`, SC + In',
    "SC": "`SparseCodingVAE`, SC",
    "DL": f"`DictionaryLearningVAE`, {N_NONZEROS} non-zeros",
    "VQ": "`VQVAE`",
}


def to_table(rows, shrinkage, seeds):
    """Every method over the seeds, policies at the default alpha."""
    columns = _record.columns(
        "nonzeros",
        psnr=("PSNR, dB", ".2f"),
        ssim=("SSIM", ".3f"),
        cpu_minutes=("CPU-minutes", ".1f"),
        best={"psnr": "max"},
    )
    columns = {k: columns[k] for k in ("psnr", "ssim", "nonzeros", "cpu_minutes")}
    more = _record.columns(
        lead=("over SC at equal non-zeros, dB", "+.2f"),
        alike=("correlation of thresholds", ".2f"),
    )
    for name, label in (("lpips", "LPIPS"), ("fid", "FID")):
        if name in rows[0]:
            columns |= _record.columns(**{name: (label, ".3f")}, best={name: "min"})
    made = []
    for name, label in LABELS.items():
        same = of_method(
            rows, name, ALPHA[shrinkage] if name in _bsds.POLICIES else None
        )
        if not same:
            continue
        own = {key: _record.spread([row[key] for row in same]) for key in columns}
        for key in own.keys() - {"psnr"}:  # the spread of PSNR says it all
            if isinstance(own[key], dict):
                own[key] = own[key]["mean"]
        leads = [lead(rows, name, seed) for seed in range(seeds)]
        if name in ("SC + In", "SSC") and np.isfinite(leads).all():
            own["lead"] = _record.spread(leads)
        if "alike" in same[0]:
            own["alike"] = _record.spread([row["alike"] for row in same])
        made.append(own | {"key": _record.key(name), "label": label})
    return _record.table("", columns | more, made)


def leads(rows, seeds):
    """Mean PSNR of the policies over SC's at equal non-zeros."""
    found = {
        f"lead_{_record.key(name)}": np.mean(
            [lead(rows, name, s) for s in range(seeds)]
        )
        for name in ("SC + In", "SSC")
    }
    return {name: value for name, value in found.items() if np.isfinite(value)}


def of_method(rows, name, alpha):
    """Rows of all seeds."""
    return [row for row in rows if row["method"] == name and row["alpha"] == alpha]


def compare(rows, seeds):
    """Print and return how the policies differ from SC at equal non-zeros."""
    goals, leads = [], {}
    print()
    for name in ("SC + In", "SSC"):
        leads[name] = np.array([lead(rows, name, seed) for seed in range(seeds)])
        mean, spread = leads[name].mean(), leads[name].std()
        text = f"{name} - SC at equal non-zeros: {mean:+.2f} dB (spread {spread:.2f})"
        goals.append(_common.verdict(f"{text} (goal: >= 0)", mean >= 0))
    further = (leads["SSC"] - leads["SC + In"]).mean()
    text = f"SSC - (SC + In) at equal non-zeros: {further:+.2f} dB (goal: >= 0)"
    goals.append(_common.verdict(text, further >= 0))
    if not of_method(rows, "VQ", None):
        return goals
    best_vq = max(row["psnr"] for row in of_method(rows, "VQ", None))
    worst = min(row["psnr"] for row in rows if row["method"] in _bsds.POLICIES)
    text = f"worst of SC, SC + In, SSC - best VQ: {worst - best_vq:+.2f} dB (goal: > 0)"
    goals.append(_common.verdict(text, worst > best_vq))
    return goals


def lead(rows, name, seed):
    """Mean PSNR over SC's at the non-zeros of another policy, within SC's curve."""
    own = sorted(
        (row["nonzeros"], row["psnr"])
        for row in rows
        if row["method"] == "SC" and row["seed"] == seed
    )
    nonzeros, psnr = np.transpose(own)
    others = [r for r in rows if r["method"] == name and r["seed"] == seed]
    leads = [r["psnr"] - np.interp(r["nonzeros"], nonzeros, psnr) for r in others]
    inside = [nonzeros[0] <= r["nonzeros"] <= nonzeros[-1] for r in others]
    return float(np.mean(np.array(leads)[inside])) if any(inside) else np.nan


def sparse_enough(rows, alpha):
    """Print and return whether a quarter of the latent's length is not exceeded."""
    at_default = [row for row in rows if row["alpha"] == alpha]
    most = max(row["nonzeros"] for row in at_default)
    bound = at_default[0]["latent_dim"] / 4
    text = f"non-zeros a site at alpha={alpha}: at most {most:.1f} (goal: <= {bound:g})"
    return _common.verdict(text, most <= bound)


def draw(rows, path):
    """Draw PSNR against non-zeros, a line for each policy and seed."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    ax = figure.subplots()
    for color, name in enumerate(_bsds.POLICIES):
        for seed in sorted({row["seed"] for row in rows}):
            curve = sorted(
                (row["nonzeros"], row["psnr"])
                for row in rows
                if row["method"] == name and row["seed"] == seed
            )
            label = name if seed == 0 else None
            ax.plot(*np.transpose(curve), "o-", color=f"C{color}", label=label)
    ax.set(xlabel="non-zeros a site", ylabel="PSNR (dB)", title=_bsds.TITLE)
    ax.legend()
    figure.savefig(path, dpi=120)
    print(f"written: {path}")


def step_cost(args, train):
    """Time epochs of the policies in turn, relative to SC's; what goes to JSON."""
    images = _bsds.crops(train[:COST_IMAGES], PRESETS[args.preset]["crop_size"])
    models = {
        name: make_model(name, ALPHA[args.shrinkage], 0, args).set_params(
            crop_size=None, max_epochs=0
        )
        for name in _bsds.POLICIES
    }
    for model in models.values():
        model.fit(images).partial_fit(images)
    ratios = {name: [] for name in models}
    for _ in range(COST_ROUNDS):
        seconds = {}
        for name, model in models.items():
            start = time.process_time()
            model.partial_fit(images)
            seconds[name] = time.process_time() - start
        for name in models:
            ratios[name].append(seconds[name] / seconds["SC"])
    cost = {name: float(np.median(values)) for name, values in ratios.items()}
    text = ", ".join(f"{name} {value:.3f}" for name, value in cost.items())
    goal = f"a training step: {text} (goal: <= {MAX_COST})"
    return {"cost": cost, "goals": [_common.verdict(goal, cost["SSC"] <= MAX_COST)]}


def parse():
    """Read the command line; also return the path of the archive."""
    options = _bsds.parser(__doc__.splitlines()[0], json_name=None)
    options.set_defaults(n_train=N_TRAIN)
    add = options.add_argument
    add("--preset", choices=PRESETS, default="cpu")
    add("--device", default="cpu", help="cpu or cuda")
    add("--seeds", type=_common.positive, default=3)
    add("--shrinkage", choices=ALPHA, default="support")
    add("--sigma", type=float, help="train and judge by Gaussian noise, of 255")
    add("--vgg", help="torchvision's weights of VGG16, for LPIPS")
    add("--inception", help="torch-fidelity's weights of Inception, for FID")
    add("--cost", action="store_true", help="time training steps, nothing else")
    add("--fresh", action="store_true", help="forget the rows of earlier runs")
    args = options.parse_args()
    name = "cost" if args.cost else args.preset
    args.name = f"ssc_vae_{name}_{args.shrinkage}"
    if args.sigma:
        args.name += f"_noise{args.sigma:g}"
    args.json = args.json or _common.RESULTS / f"{args.name}.json"
    return args, _bsds.find_archive(options, args.data)


def earlier(args, content):
    """Content of the JSON of an earlier run with the same settings, or this."""
    path = pathlib.Path(args.json)
    if args.fresh or not path.exists():
        return content
    found = json.loads(path.read_text())
    same = all(found.get(key) == content[key] for key in content if key != "rows")
    return found if same else content


def main():
    """Read the command line, run, write JSON and a picture."""
    args, archive = parse()
    torch.set_num_threads(args.threads)
    if args.cost:
        train = _bsds.load(archive, "train", args.n_train)
        with threadpool_limits(args.threads):
            content = step_cost(args, train)
        _common.write_json(args.json, content)
        rows = [
            {"key": _record.key(name), "label": LABELS[name], "cost": cost}
            for name, cost in content["cost"].items()
        ]
        columns = _record.columns(cost=("time of a step, over that of SC", ".2f"))
        settings = {"data": _bsds.TITLE, "shrinkage": args.shrinkage}
        tables = {"methods": _record.table("", columns, rows)}
        _record.record(args, args.name, tables=tables, settings=settings)
        return
    train, test = load_images(archive, args)
    what = "crops" if is_small(args) else "photos"
    print(f"{_bsds.TITLE}: {len(train)} training {what}, {len(test)} test crops")
    content = {
        "data": _bsds.TITLE,
        "n_train": len(train),
        "n_test": len(test),
        "preset": COMMON | PRESETS[args.preset] | _common.epochs(args),
        "shrinkage": args.shrinkage,
        **({"sigma": args.sigma} if args.sigma else {}),
        "rows": [],
    }
    content = earlier(args, content)
    with threadpool_limits(args.threads):
        rows = measure_all(args, train, test, content)
    print_table(rows)
    enough = sparse_enough(rows, ALPHA[args.shrinkage])
    content["goals"] = [*([] if args.sigma else compare(rows, args.seeds)), enough]
    _common.write_json(args.json, content)
    _record.record(
        args,
        args.name,
        tables={"methods": to_table(rows, args.shrinkage, args.seeds)},
        figures={} if args.sigma else leads(rows, args.seeds),
        settings={k: v for k, v in content.items() if k not in ("rows", "goals")},
        seeds=range(args.seeds),
    )
    draw(rows, pathlib.Path(args.json).with_suffix(".png"))


if __name__ == "__main__":
    main()
