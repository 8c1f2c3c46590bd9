"""Sparse autoencoders of a network's activations, beside SAELens' and overcomplete's.

*Models*: a small convolutional network learns the classes of CIFAR-10 (JPEG); the
activations are those of its last layer of maps, a vector of 128 numbers for each of the
64 places of an image. Every model has 16 atoms for each of these numbers and trains for
the same CPU-seconds, in a process of its own. Those of the peers get activations of
mean 0 and deviation 1, batches of the same size and the learning rate of ours, which
falls to zero in the last fifth: their own is meant for trainings a thousand times as
long. The error is the share of the variance of activations of held-out images that does
not come back; an atom is dead if none of the training activations has it.

*Pursuit*: `batch_omp` beside the matching pursuit of SAELens, on made-up activations
of 768 numbers whose variance falls with the number of the direction, 8,192 atoms,
32 non-zeros. Blocks are coded in turn; a rate is rows a second of CPU time. What a call
costs whatever the rows, the products of the atoms with one another, counts in it.

The peers are no part of this project: install them by ``pip install sae-lens
overcomplete``. Rows of peers that are not there are left out, and a line says so.

Run ``python benchmarks/sparse_autoencoders.py``.
"""

import argparse
import functools
import importlib.metadata
import json
import resource
import subprocess
import sys
import time

import _cifar
import _common
import _kept
import _record
import numpy as np
import torch
from rows._contenders import installed
from scipy.sparse import csr_array, vstack
from threadpoolctl import threadpool_limits
from torch import nn
from torch.nn import functional as F

from sklearn_sparsevae import DictionaryLearningVAE, SparseAutoencoder
from sklearn_sparsevae.sparse import batch_omp

# The network, and its activations.
N_CHANNELS, N_NETWORK_EPOCHS, NETWORK_LR = 128, 2, 0.01
N_ACTIVATIONS, N_HELD_OUT = 50_000, 5_000
# The models.
N_ATOMS, N_NONZERO, SECONDS, BATCH, LR = 16 * N_CHANNELS, 16, 20, 512, 0.003
ALPHA = 1.0  # of "jumprelu", which has no number of non-zeros
# The pursuit.
LENGTH, N_PURSUIT_ATOMS, N_PURSUIT_NONZERO = 768, 8192, 32
N_ROWS, BLOCK, PEER_BLOCK, DECAY = 16_384, 16_384, 512, 0.5


# ---- activations --------------------------------------------------------------------


def network():
    """Three layers of maps, and the classes of their means."""

    def maps(n_in, n_out):
        layer = nn.Conv2d(n_in, n_out, 3, padding=1, bias=False)
        return [layer, nn.BatchNorm2d(n_out), nn.ReLU()]

    features = nn.Sequential(
        *maps(3, 32),
        nn.MaxPool2d(2),
        *maps(32, 64),
        nn.MaxPool2d(2),
        *maps(64, N_CHANNELS),
    )
    return features, nn.Linear(N_CHANNELS, 10)


def tensors(images):
    """Images as the network takes them."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1


def trained_network(images, classes):
    """Train the network; returns what makes activations of images, and the classes."""
    torch.manual_seed(0)
    features, last = network()
    both = [*features.parameters(), *last.parameters()]
    optimizer = torch.optim.AdamW(both, weight_decay=0.01)
    n_steps = N_NETWORK_EPOCHS * (len(images) // 128)
    rate = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, NETWORK_LR, total_steps=n_steps
    )
    classes = torch.from_numpy(classes)
    for _ in range(N_NETWORK_EPOCHS):
        order = torch.randperm(len(images))
        for start in range(0, len(images) - 127, 128):
            batch = order[start : start + 128]
            x = tensors(images[batch.numpy()])
            x = x.flip(3) if torch.rand(()) < 0.5 else x
            loss = F.cross_entropy(last(features(x).mean((2, 3))), classes[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            rate.step()
    return features.eval(), last


@torch.no_grad()
def activations(features, images, n_rows):
    """Return some activations of images, before they are rectified."""
    before = features[:-1]
    blocks = [
        before(tensors(images[i : i + 500])).permute(0, 2, 3, 1).reshape(-1, N_CHANNELS)
        for i in range(0, len(images), 500)
    ]
    rows = torch.cat(blocks).numpy()
    chosen = np.random.RandomState(0).permutation(len(rows))[:n_rows]
    return rows[np.sort(chosen)]


def write_activations(args, archive, folder):
    """Write training and held-out activations to a folder; accuracy of the network."""
    images, classes = _cifar.load_with_classes(archive, "train", args.n_train)
    features, last = trained_network(images, classes)
    held_out, true = _cifar.load_with_classes(archive, "test", args.n_test)
    np.save(folder / "train.npy", activations(features, images, N_ACTIVATIONS))
    np.save(folder / "test.npy", activations(features, held_out, N_HELD_OUT))
    with torch.no_grad():
        said = [
            last(features(tensors(held_out[i : i + 500])).mean((2, 3))).argmax(1)
            for i in range(0, len(held_out), 500)
        ]
    return float(np.mean(torch.cat(said).numpy() == true))


# ---- models -------------------------------------------------------------------------


class Ours:
    """An estimator of ours; its epochs are as many as fit into the time.

    Or ``max_epochs``, if they are given.
    """

    def __init__(self, cls, max_epochs=None, **params):
        self.max_epochs = max_epochs
        self.make = functools.partial(
            cls,
            N_ATOMS,
            batch_size=BATCH,
            n_workers=0,
            device="cpu",
            random_state=0,
            **params,
        )

    def fit(self, X, seconds):
        """Train; returns how many activations were gone through, and CPU-seconds."""
        n_epochs = self.max_epochs
        if n_epochs is None:
            cost, few = [], X[: 10 * BATCH]
            self.make(max_epochs=1).fit(few)  # what only a first fit of a process does
            for n_epochs in (0, 1):
                start = time.process_time()
                self.make(max_epochs=n_epochs).fit(few)
                cost.append(time.process_time() - start)
            rate = len(few) / max(cost[1] - cost[0], 1e-3)
            n_rows = max(BATCH, rate * (seconds - cost[0]))
            n_epochs = max(1, round(n_rows / len(X)))
            X = X[: int(n_rows / n_epochs)]
        start = time.process_time()
        self.model = self.make(max_epochs=n_epochs).fit(X)
        return n_epochs * len(X), time.process_time() - start

    def codes(self, X):
        """Sparse codes."""
        return self.model.transform(X)

    def back(self, codes):
        """Activations of codes."""
        return self.model.inverse_transform(codes)


class Peer:
    """A torch module of a peer, trained by a plain loop until its time is over."""

    def __init__(self, loss, codes, back):
        self.loss, self.codes_of, self.back_of = loss, codes, back

    def fit(self, X, seconds):
        """Train; returns how many activations were gone through, and CPU-seconds."""
        self.mean, self.deviation = X.mean(0), (X - X.mean(0)).std()
        data = torch.from_numpy((X - self.mean) / self.deviation)
        optimizer = torch.optim.Adam(self.module.parameters(), LR)
        generator = torch.Generator().manual_seed(0)
        self.module.train()
        start, n_steps = time.process_time(), 0
        while (passed := (time.process_time() - start) / seconds) < 1:
            optimizer.param_groups[0]["lr"] = LR * min(1, 5 * (1 - passed))
            rows = torch.randint(len(data), (BATCH,), generator=generator)
            loss = self.loss(data[rows], n_steps)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(self.module.parameters(), 1.0)
            optimizer.step()
            n_steps += 1
        self.module.eval()
        return n_steps * BATCH, time.process_time() - start

    @torch.no_grad()
    def codes(self, X):
        """Sparse codes."""
        data = torch.from_numpy((X - self.mean) / self.deviation)
        return vstack(
            [csr_array(self.codes_of(part).numpy()) for part in data.split(2048)]
        )

    @torch.no_grad()
    def back(self, codes):
        """Activations of codes."""
        parts = [
            self.back_of(torch.from_numpy(codes[i : i + 2048].toarray())).numpy()
            for i in range(0, codes.shape[0], 2048)
        ]
        return self.mean + self.deviation * np.concatenate(parts)


def saelens(batch):
    """TopK of SAELens, or BatchTopK."""
    import sae_lens
    from sae_lens.saes.sae import TrainStepInput

    name = "BatchTopK" if batch else "TopK"
    config = getattr(sae_lens, f"{name}TrainingSAEConfig")(
        d_in=N_CHANNELS, d_sae=N_ATOMS, k=N_NONZERO
    )
    module = getattr(sae_lens, f"{name}TrainingSAE")(config)
    idle = torch.zeros(N_ATOMS, dtype=torch.int64)

    def loss(rows, n_steps):
        output = module.training_forward_pass(
            TrainStepInput(
                sae_in=rows,
                coefficients={},
                dead_neuron_mask=idle > 20,  # batches: as many rows as with ours
                n_training_steps=n_steps,
                is_logging_step=False,
            )
        )
        idle.add_(1)
        idle[(output.feature_acts.detach() > 0).any(0)] = 0
        return output.loss

    def codes(rows):
        if not batch:
            return module.encode(rows)
        responses = module.encode_with_hidden_pre(rows)[1]
        return responses * (responses > module.topk_threshold)

    peer = Peer(loss, codes, module.decode)
    peer.module = module
    return peer


def overcomplete(batch):
    """TopK of overcomplete, or BatchTopK."""
    from overcomplete.sae import BatchTopKSAE, TopKSAE
    from overcomplete.sae.losses import top_k_auxiliary_loss

    module = (
        BatchTopKSAE(N_CHANNELS, N_ATOMS, top_k=N_NONZERO * BATCH)
        if batch
        else TopKSAE(N_CHANNELS, N_ATOMS, top_k=N_NONZERO)
    )

    def loss(rows, n_steps):
        pre, codes, back = module(rows)
        return top_k_auxiliary_loss(rows, back, pre, codes, module.get_dictionary())

    peer = Peer(loss, lambda rows: module.encode(rows)[1], module.decode)
    peer.module = module
    return peer


def ours(sparsity):
    """`SparseAutoencoder` with one of its ways to keep few."""
    return Ours(
        SparseAutoencoder, sparsity=sparsity, n_nonzero_coefs=N_NONZERO, alpha=ALPHA
    )


def pursuit_sibling():
    """`DictionaryLearningVAE` as it starts, which takes longer than the others."""
    few = {"backbone": "identity", "n_nonzero_coefs": N_NONZERO, "selection": "omp"}
    return Ours(DictionaryLearningVAE, max_epochs=0, **few)


MODELS = {
    "SparseAutoencoder, topk": functools.partial(ours, "topk"),
    "SparseAutoencoder, batch_topk": functools.partial(ours, "batch_topk"),
    "SparseAutoencoder, jumprelu": functools.partial(ours, "jumprelu"),
    "DictionaryLearningVAE, its start": pursuit_sibling,
    "SAELens, TopK": functools.partial(saelens, False),
    "SAELens, BatchTopK": functools.partial(saelens, True),
    "overcomplete, TopK": functools.partial(overcomplete, False),
    "overcomplete, BatchTopK": functools.partial(overcomplete, True),
}


def measured_model(name, folder, seconds):
    """Row of a model, trained in this process."""
    torch.manual_seed(0)  # what peers start from
    X, held_out = (np.load(f"{folder}/{part}.npy") for part in ("train", "test"))
    model = MODELS[name]()
    n_rows, taken = model.fit(X, seconds)
    start = time.process_time()
    codes = model.codes(held_out)
    coding = time.process_time() - start
    left = np.square(held_out - model.back(codes)).sum()
    used = np.zeros(N_ATOMS, bool)
    for i in range(0, len(X), 10_000):
        used[model.codes(X[i : i + 10_000]).indices] = True
    return {
        "label": name,
        "error": 100 * float(left / np.square(held_out - held_out.mean(0)).sum()),
        "nonzeros": codes.count_nonzero() / len(held_out),
        "dead": 100 * float(1 - used.mean()),
        "trained": n_rows,
        "coded": len(held_out) / coding,
        "cpu_seconds": taken,
    }


# ---- pursuit ------------------------------------------------------------------------


def blocks(size):
    """Atoms, and a function that makes block after block of activations."""
    generator = torch.Generator().manual_seed(0)
    deviations = torch.arange(1, LENGTH + 1) ** -DECAY
    atoms = torch.randn(N_PURSUIT_ATOMS, LENGTH, generator=generator)
    atoms = F.normalize(atoms * deviations.sqrt(), dim=1)
    return atoms, lambda: torch.randn(size, LENGTH, generator=generator) * deviations


@torch.no_grad()
def measured_pursuit(name, n_rows):
    """Row of a way to code by pursuit, in this process."""
    theirs = name != "batch_omp"
    size = min(PEER_BLOCK if theirs else BLOCK, n_rows)
    atoms, make = blocks(size)
    if theirs:
        import sae_lens

        config = sae_lens.MatchingPursuitSAEConfig(
            d_in=LENGTH, d_sae=N_PURSUIT_ATOMS, max_iterations=N_PURSUIT_NONZERO
        )
        module = sae_lens.MatchingPursuitSAE(config)
        module.W_dec.copy_(atoms)
    else:
        batch_omp(make()[:8], atoms[:64], 2)  # compiles
    taken = left = whole = n_done = n_nonzero = 0
    while n_done < n_rows:
        rows = make()
        start = time.process_time()
        if theirs:
            dense = module.encode(rows)
        else:
            found, values = batch_omp(rows, atoms, N_PURSUIT_NONZERO)
        taken += time.process_time() - start
        if theirs:
            codes = csr_array(dense.numpy())
        else:
            ends = np.arange(0, found.numel() + 1, N_PURSUIT_NONZERO)
            parts = (values.flatten().numpy(), found.clamp(min=0).flatten().numpy())
            codes = csr_array((*parts, ends), shape=(size, N_PURSUIT_ATOMS))
        left += float(np.square(rows.numpy() - codes @ atoms.numpy()).sum())
        whole += float(rows.square().sum())
        n_nonzero += codes.count_nonzero()
        n_done += size
    return {
        "label": name,
        "rate": n_done / taken,
        "error": 100 * left / whole,
        "nonzeros": n_nonzero / n_done,
        "rows": n_done,
        "mib": peak_mib(),
    }


# ---- all ----------------------------------------------------------------------------


def peak_mib():
    """Peak memory of this process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def in_process(args, *task):
    """Row that another process measures."""
    options = ["--threads", str(args.threads), "--task", *map(str, task)]
    run = subprocess.run(
        [sys.executable, __file__, *options], capture_output=True, text=True
    )
    if run.returncode:
        raise SystemExit(run.stderr)
    row = json.loads(run.stdout.splitlines()[-1])
    print({k: v if isinstance(v, str) else round(v, 2) for k, v in row.items()})
    sys.stdout.flush()
    return row


def is_there(name):
    """Whether a row has no peer, or one that is installed; a line where it is not."""
    package = {"SAELens": "sae_lens", "overcomplete": "overcomplete"}.get(
        name.split(",")[0]
    )
    return package is None or installed(package, name)


def versions():
    """Versions of the peers that are there."""
    found = {}
    for name in ("sae-lens", "overcomplete"):
        key = f"{name.replace('-', '_')}_version"
        try:
            found[key] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[key] = "not installed"
    return found


def pursuit(args):
    """Measure and record what codes by pursuit cost."""
    n_rows = {"batch_omp": args.rows, "SAELens, matching pursuit": args.rows // 16}
    rows = [
        in_process(args, "pursuit", name, n)
        for name, n in n_rows.items()
        if is_there(name)
    ]
    columns = _record.columns(
        rate=("rows a CPU-second", ".0f"),
        error=("error, % of the variance", ".1f"),
        nonzeros=("non-zeros a row", ".1f"),
        rows=("rows", ".0f"),
        mib=("peak memory, MiB", ".0f"),
    )
    settings = {
        "n_components": N_PURSUIT_ATOMS,
        "length": LENGTH,
        "n_nonzero_coefs": N_PURSUIT_NONZERO,
        **versions(),
    }
    figures = {"times": rows[0]["rate"] / rows[1]["rate"]} if len(rows) == 2 else {}
    _record.record(
        args,
        "matching_pursuit",
        tables={"pursuit": _record.table("coder", columns, rows)},
        settings=settings,
        figures=figures,
    )
    return rows


def models(args, archive):
    """Measure and record the models; rows that an earlier run measured are kept."""
    folder = _common.RESULTS / "sparse_autoencoders"
    folder.mkdir(parents=True, exist_ok=True)
    of_data = [args.n_train, args.n_test, N_ACTIVATIONS, N_HELD_OUT, N_NETWORK_EPOCHS]
    accuracy = _kept.kept(
        "sparse_autoencoders",
        "activations",
        of_data,
        lambda: write_activations(args, archive, folder),
    )
    print(f"accuracy of the network: {100 * accuracy:.0f} %", flush=True)
    settings = {"seconds": args.seconds, "alpha": ALPHA, "lr": LR, **versions()}
    rows = [
        _kept.kept(
            "sparse_autoencoders",
            _record.key(name),
            [of_data, settings],
            functools.partial(in_process, args, "model", name, folder, args.seconds),
        )
        for name in MODELS
        if is_there(name)
    ]
    columns = _record.columns(
        "nonzeros",
        "cpu_seconds",
        error=("error, % of the variance", ".2f"),
        dead=("dead atoms, %", ".1f"),
        trained=("activations trained on", ".0f"),
        coded=("coded a second", ".0f"),
    )
    settings |= {
        "data": _cifar.TITLE,
        "n_train": args.n_train,
        "n_test": args.n_test,
        "n_components": N_ATOMS,
        "n_nonzero_coefs": N_NONZERO,
    }
    _record.record(
        args,
        "sparse_autoencoders",
        tables={"models": _record.table("model", columns, rows)},
        settings=settings,
        figures={"accuracy": 100 * accuracy},
        note="Rows of a run before were kept: cpu_seconds are those of the last run.",
    )
    return rows


def main():
    """Measure, print, write."""
    options = _cifar.parser(
        __doc__.splitlines()[0], n_train=5_000, json_name="sparse_autoencoders.json"
    )
    add = options.add_argument
    add("--part", choices=("pursuit", "models"), help="one of both alone")
    add("--seconds", type=float, default=SECONDS, help="CPU-seconds of a training")
    add("--rows", type=_common.positive, default=N_ROWS, help="rows of the pursuit")
    add("--task", nargs="+", help=argparse.SUPPRESS)
    args = options.parse_args()
    torch.set_num_threads(args.threads)
    if args.task:
        kind, name, *rest = args.task
        with threadpool_limits(args.threads):
            row = (
                measured_model(name, rest[0], float(rest[1]))
                if kind == "model"
                else measured_pursuit(name, int(rest[0]))
            )
        print(json.dumps(row, default=float))
        return
    measured = {}
    if args.part != "models":
        measured["pursuit"] = pursuit(args)
    if args.part != "pursuit":
        archive = _cifar.find_archive(options, args.data)
        measured["models"] = models(args, archive)
    _common.write_json(args.json, measured)


if __name__ == "__main__":
    main()
