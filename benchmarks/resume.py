"""Kill fits at random moments and see whether they resume to the same model.

A fit with ``checkpoint=`` runs in a process of its own, which is killed (SIGKILL) at a
moment that is uniform over the time of the fit, its start and the writing of states
included; every other one waits from that moment until a state is being written (*while
writing* counts those that met one). Then the same fit runs again, to its end. *Same
model* counts those whose weights and history are, bit for bit, those of a fit that
nobody interrupted. *Epochs lost* had begun and were trained again, at most: 1 is the
one under way.

A second table says what checkpoints cost: models at their default on the sample photos.

Run ``python benchmarks/resume.py``; it needs no data, and POSIX.
"""

import argparse
import contextlib
import os
import pathlib
import signal
import sys
import tempfile
import time

import _common
import _record
import numpy as np
import torch
from sklearn.base import clone
from skorch.callbacks import Callback

from sklearn_sparsevae import VQVAE, DictionaryLearningVAE, SparseCodingVAE
from sklearn_sparsevae.datasets import load_sample_photos, random_crops
from sklearn_sparsevae.training.checkpoints import FolderCheckpoints

SMALL = {"n_components": 64, "n_downsamples": 2, "max_epochs": 8, "random_state": 0}
MODELS = {
    "`SparseCodingVAE`": SparseCodingVAE(**SMALL),
    "`DictionaryLearningVAE`, online": DictionaryLearningVAE(
        **SMALL, dictionary_update="online"
    ),
    "`VQVAE`, adversarial": VQVAE(**SMALL, adversarial_weight=0.5),
}
DEFAULTS = (SparseCodingVAE, DictionaryLearningVAE, VQVAE)


def in_a_child(call):
    """Start a function in a forked process; return its number."""
    sys.stdout.flush()
    child = os.fork()
    if child:
        return child
    with contextlib.suppress(BaseException):
        call()
        os._exit(0)
    os._exit(1)


def outcome(model):
    """All numbers of a fitted model, and of its history but for the seconds."""
    weights = model.net_.module_.state_dict()
    history = {k: v for k, v in model.history_.items() if k != "dur"}
    return {k: v.numpy() for k, v in weights.items()} | history


def is_same(found, expected):
    """Whether two outcomes are, bit for bit."""
    return found.keys() == expected.keys() and all(
        np.array_equal(found[name], expected[name], equal_nan=True) for name in found
    )


class Count(Callback):
    """Notes every epoch that begins, in a file that outlives the process."""

    def __init__(self, path):
        self.path = path

    def on_epoch_begin(self, net, **kwargs):
        """Add a byte."""
        with open(self.path, "ab") as handle:
            handle.write(b"1")

    @property
    def n_epochs(self):
        """Epochs that began."""
        return self.path.stat().st_size if self.path.exists() else 0


def kill_one(model, X, seconds, expected, wait):
    """Kill a fit after so many seconds, resume it, and say what came out.

    ``wait`` are seconds to wait further for a state that is being written.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        kept = clone(model).set_params(checkpoint=folder / "fits")
        before, after = Count(folder / "before"), Count(folder / "after")
        child = in_a_child(lambda: kept.set_params(callbacks=[before]).fit(X))
        time.sleep(seconds)
        wait += time.monotonic()
        while time.monotonic() < wait and not is_writing(folder):
            time.sleep(0.0005)
        os.kill(child, signal.SIGKILL)
        killed = os.WIFSIGNALED(os.waitpid(child, 0)[1])
        writing = is_writing(folder)
        resumed = kept.set_params(callbacks=[after]).fit(X)
        return {
            "killed": killed,
            "writing": writing,
            "lost": before.n_epochs + after.n_epochs - resumed.n_epochs_,
            "same": is_same(outcome(resumed), expected),
        }


def is_writing(folder):
    """Whether a state is being written, or was when its process ended."""
    return any(folder.glob("fits/*/.aside-*/*.safetensors"))


def kills(name, model, X, n_kills, rng):
    """Row of a model: what came of so many kills."""
    expected = outcome(clone(model).fit(X))
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        clone(model).set_params(checkpoint=folder).fit(X)
        seconds = time.perf_counter() - start
    found = []
    while len(found) < n_kills:
        moment, wait = rng.uniform(0, seconds), seconds * (len(found) % 2)
        one = kill_one(model, X, moment, expected, wait)
        if one["killed"]:
            found.append(one)
    return {
        "label": name,
        "kills": len(found),
        "writing": sum(one["writing"] for one in found),
        "same": sum(one["same"] for one in found),
        "lost": max(one["lost"] for one in found),
    }


class Timed:
    """Adds up the seconds of a method, and the bytes that it leaves."""

    def __init__(self):
        self.seconds, self.sizes = [], []

    def __enter__(self):
        self.write = write = FolderCheckpoints.write

        def timed(kept, *args):
            start = time.perf_counter()
            write(kept, *args)
            self.seconds.append(time.perf_counter() - start)
            newest = max(kept.folder.glob("*.safetensors"), key=os.path.getmtime)
            self.sizes.append(newest.stat().st_size)

        FolderCheckpoints.write = timed
        return self

    def __exit__(self, *error):
        FolderCheckpoints.write = self.write


def cost(cls, photos):
    """Row of a model at its default: what a state takes, beside an epoch."""
    with tempfile.TemporaryDirectory() as folder, Timed() as timed:
        model = cls(checkpoint=folder, max_epochs=1, random_state=0).fit(photos)
    tensors = model.net_.module_.state_dict().values()
    weights = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
    return {
        "label": f"`{cls.__name__}`",
        "megabytes": timed.sizes[-1] / 1e6,
        "times": timed.sizes[-1] / weights,
        "write": 1e3 * timed.seconds[-1],
        "epoch": float(model.history_["dur"][0]),
    }


def main():
    """Kill, resume, measure, print, write."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--kills", type=_common.positive, default=17, help="a model")
    _common.add_common(options, "resume.json")
    args = options.parse_args()
    torch.set_num_threads(args.threads)
    photos = load_sample_photos(subset="train").images
    crops = random_crops(photos, size=16, n_crops=120, random_state=0)
    rng, rows = np.random.default_rng(_common.SEED), []
    print(f"{'':32}{'kills':>6}{'writing':>9}{'same':>6}{'lost':>6}")
    for name, model in MODELS.items():
        rows.append(kills(name, model, crops, args.kills, rng))
        line = "{label:32}{kills:6}{writing:9}{same:6}{lost:6}"
        print(line.format(**rows[-1]), flush=True)
    costs = []
    print(f"\n{'':32}{'MB':>6}{'x model':>9}{'ms':>6}{'epoch, s':>10}")
    for cls in DEFAULTS:
        costs.append(cost(cls, photos))
        line = "{label:32}{megabytes:6.1f}{times:9.1f}{write:6.0f}{epoch:10.1f}"
        print(line.format(**costs[-1]), flush=True)
    _common.write_json(args.json, {"kills": rows, "costs": costs})
    tables = {
        "killed": _record.table(
            "fit",
            _record.columns(
                kills=("kills", "d"),
                writing=("while writing", "d"),
                same=("same model", "d"),
                lost=("epochs lost, at most", "d"),
            ),
            rows,
        ),
        "cost": _record.table(
            "model at its default",
            _record.columns(
                megabytes=("a state, MB", ".1f"),
                times=("times the weights", ".1f"),
                write=("writing, ms", ".0f"),
                epoch=("an epoch, s", ".1f"),
            ),
            costs,
        ),
    }
    settings = {"max_epochs": SMALL["max_epochs"], "crops": len(crops)}
    figures = {
        "kills": sum(row["kills"] for row in rows),
        "same": sum(row["same"] for row in rows),
    }
    _record.record(args, "resume", tables=tables, settings=settings, figures=figures)


if __name__ == "__main__":
    main()
