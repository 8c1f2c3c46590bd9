"""One model by two processes, beside one process with the same batches.

Crops of the sample photos. *Difference* is that of all weights and buffers, relative to
their norm, after 4 and after 16 steps; *control* that of two fits by one process whose
inputs differ in the last bit of their numbers once the model has started: what a change
of rounding does to this training. *PSNR* (dB) is that of a whole fit, on photos that it
did not see; *seconds* those of an epoch, of a process with one thread: what it
computes, and what passes on the clock.

Run ``python benchmarks/ranks.py``; it needs no data. Processes meet at a file and
exchange by gloo.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import _common
import _record
import numpy as np

N_RANKS = 2
BATCH_SIZE, N_TEST = 32, 64
STEPS = (4, 16)
MODELS = {
    "sparse": ("SparseCodingVAE", {}),
    "gradient": ("DictionaryLearningVAE", {}),
    "online": ("DictionaryLearningVAE", {"dictionary_update": "online"}),
    "codes": ("VQVAE", {}),
    "ema": ("VQVAE", {"codebook_update": "ema"}),
    "gaussian": ("GaussianVAE", {}),
    "spikes": ("SpikeSlabVAE", {}),
    "adversary": ("VQVAE", {"adversarial_weight": 0.5}),
}
N_COMPONENTS = {"gradient": 24, "online": 24, "gaussian": 32, "spikes": 192}  # or 64


def label(name):
    """Words for a row."""
    cls, params = MODELS[name]
    given = ", ".join(f"{key}={value!r}" for key, value in params.items())
    return _record.code(f"`{cls}`" + (f", {given}" if given else ""))


def make(name, max_epochs, **more):
    """Return a model of a row."""
    import sklearn_sparsevae

    cls, params = MODELS[name]
    return getattr(sklearn_sparsevae, cls)(
        N_COMPONENTS.get(name, 64),
        max_epochs=max_epochs,
        batch_size=BATCH_SIZE,
        random_state=_common.SEED,
        **params,
        **more,
    )


def crops(subset, n_crops, side):
    """Crops ``(n, side, side, 3)`` of the sample photos, as floats."""
    from sklearn_sparsevae.datasets import load_sample_photos, random_crops

    photos = load_sample_photos(subset=subset).images
    images = random_crops(photos, size=side, n_crops=n_crops, random_state=_common.SEED)
    return (images / 255).astype(np.float32)


def work(args, rank, folder):
    """Fit all rows, as one of the ranks or alone; leave what came out in a file."""
    import torch

    torch.set_num_threads(1)
    found, train = {}, crops("train", args.crops, args.side)
    test = crops("test", N_TEST, args.side)
    for name in args.rows:
        row = found[name] = {}
        if rank is None:
            same, shaken = (_trace(name, train, 1, how)[1] for how in (_same, _shaken))
            row["control"] = {n: _change(shaken[n], same[n]) for n in STEPS}
        model, row["steps"], row["cpu"] = _trace(name, train, args.epochs)
        row["seconds"] = float(np.median(model.history_["dur"]))
        row["weights"], row["psnr"] = _flat(model.net_.module_), model.score(test)
        if not rank:
            print(f"  {name}: {row['seconds']:.1f} s an epoch", flush=True)
    torch.save(found, Path(folder, f"{'alone' if rank is None else rank}.pt"))


def _trace(name, images, max_epochs, degrade=None):
    """Fit; return the model, weights after some steps, and CPU-seconds of an epoch."""
    from skorch.callbacks import Callback

    class Trace(Callback):
        n_steps, weights, seconds = 0, {}, []

        def on_epoch_begin(self, net, **kwargs):
            self.start = time.process_time()

        def on_batch_end(self, net, **kwargs):
            self.n_steps += 1
            if self.n_steps in STEPS:
                self.weights[self.n_steps] = _flat(net.module_)

        def on_epoch_end(self, net, **kwargs):
            self.seconds.append(time.process_time() - self.start)

    trace = Trace()
    model = make(name, max_epochs, degrade=degrade, callbacks=[trace]).fit(images)
    return model, trace.weights, float(np.median(trace.seconds))


def _same(images, random_state):
    return images


def _shaken(images, random_state):
    """Images whose last bits are others."""
    return np.nextafter(images, np.float32(0.5))


def _flat(module):
    """All weights and buffers as one vector."""
    import torch

    state = module.state_dict().values()
    return torch.cat([value.detach().double().flatten() for value in state])


def _change(found, expected):
    return float((found - expected).norm() / expected.norm())


def be_rank(args):
    """Join the group and work."""
    import torch

    torch.distributed.init_process_group(
        "gloo",
        init_method=f"file://{args.folder}/meeting",
        rank=args.rank,
        world_size=N_RANKS,
    )
    work(args, args.rank, args.folder)


def launch(args, folder):
    """Start the ranks, and wait for them."""
    options = ["--epochs", str(args.epochs), "--crops", str(args.crops)]
    options += ["--side", str(args.side), "--rows", *args.rows, "--folder", folder]
    command = [sys.executable, __file__, *options, "--rank"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    started = [
        subprocess.Popen([*command, str(rank)], env=environment)
        for rank in range(N_RANKS)
    ]
    if any(process.wait() for process in started):
        raise SystemExit("a rank failed")


def compare(name, alone, ranks):
    """Row of the table."""
    first, second = (found[name] for found in ranks)
    one, row = alone[name], {"label": label(name), "key": name}
    for n in STEPS:
        row[f"difference_{n}"] = _change(first["steps"][n], one["steps"][n])
        row[f"control_{n}"] = one["control"][n]
    row["same"] = "yes" if first["weights"].equal(second["weights"]) else "no"
    row["psnr_one"], row["psnr_two"] = one["psnr"], first["psnr"]
    row["seconds_one"], row["seconds_two"] = one["seconds"], first["seconds"]
    row["cpu_one"], row["cpu_two"] = one["cpu"], max(first["cpu"], second["cpu"])
    return row


def parse():
    """Read the command line."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = options.add_argument
    add("--epochs", type=_common.positive, default=1, help="of a whole fit")
    add("--crops", type=_common.positive, default=512, help="to train on")
    add("--side", type=_common.positive, default=32, help="of a crop, in pixels")
    add("--rows", nargs="+", choices=MODELS, default=[*MODELS], help="which models")
    add("--rank", type=int, help=argparse.SUPPRESS)
    add("--folder", help=argparse.SUPPRESS)
    _common.add_common(options, "ranks.json")
    return options.parse_args()


def main():
    """Fit alone and together, compare, print, write."""
    args = parse()
    if args.rank is not None:
        be_rank(args)
        return
    import torch

    with tempfile.TemporaryDirectory() as folder:
        print("one process", flush=True)
        work(args, None, folder)
        print("two processes", flush=True)
        launch(args, folder)
        files = [Path(folder, f"{name}.pt") for name in ("alone", 0, 1)]
        alone, *ranks = (torch.load(file, weights_only=False) for file in files)
    rows = [compare(name, alone, ranks) for name in args.rows]
    for row in rows:
        print(
            "{label:55} {difference_4:.0e} {difference_16:.0e} (control "
            "{control_4:.0e} {control_16:.0e})  {psnr_one:.2f} {psnr_two:.2f} dB  "
            "{seconds_one:.1f} {seconds_two:.1f} s  (CPU {cpu_one:.1f} {cpu_two:.1f}) "
            "same: {same}".format(**row)
        )
    goals = [
        _common.verdict(
            "weights after 4 steps differ by less than 1e-5",
            all(row["difference_4"] < 1e-5 for row in rows if row["key"] in _NAMED),
        ),
        _common.verdict(
            "PSNR of whole fits within 0.05 dB",
            all(abs(row["psnr_one"] - row["psnr_two"]) < 0.05 for row in rows),
        ),
        _common.verdict(
            "ranks end with the same model", all(row["same"] == "yes" for row in rows)
        ),
    ]
    _common.write_json(args.json, {"rows": rows, "goals": goals})
    columns = _record.columns(
        difference_4=("difference, 4 steps", ".0e"),
        control_4=("control", ".0e"),
        difference_16=("difference, 16 steps", ".0e"),
        control_16=("control", ".0e"),
        same=("ranks alike", ""),
    )
    fits = _record.columns(
        psnr_one=("PSNR, one process", ".2f"),
        psnr_two=("two", ".2f"),
        cpu_one=("CPU-seconds an epoch, one process", ".1f"),
        cpu_two=("each of two", ".1f"),
        seconds_one=("seconds on the clock, one", ".1f"),
        seconds_two=("two", ".1f"),
    )
    _record.record(
        args,
        "ranks",
        tables={
            "differences": _record.table("model", columns, rows),
            "fits": _record.table("model", fits, rows),
        },
        settings={
            "photos": "of scikit-learn and scikit-image",
            "crops": args.crops,
            "side": args.side,
            "epochs": args.epochs,
            "batch_size": BATCH_SIZE,
            "processes": N_RANKS,
        },
    )


# Estimators whose agreement is promised; those of others is recorded beside them.
_NAMED = ("sparse", "gradient", "online", "codes", "ema", "gaussian")


if __name__ == "__main__":
    main()
