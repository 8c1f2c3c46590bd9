"""Speed and memory of orthogonal matching pursuit: signals coded in a second.

Random Gaussian signals and unit atoms, float32, at three sizes. Each method runs in a
process of its own, so that no two libraries share a pool of threads; the processes
take turns, round by round, and a figure is the median over the rounds.

How to read the table: the ratios are what counts, since all methods meet the same
machine at the same time. *GEMM* is the bare product of signals and atoms, which every
method has to compute: the floor. *MiB* is how far the peak memory rose over that after
import and input, in the first call. scikit-learn codes 2048 of the signals, as its time
is linear in their number. spams takes atoms by the rule that is called "ols" here.
"tensors" is what runs where numba is not installed.

Run ``python benchmarks/sparse_coding.py``. It needs no data.
"""

import argparse
import importlib.util
import multiprocessing
import os
import resource
import statistics
import sys
import time

import _common
import numpy as np

# latent_dim, atoms, non-zeros, signals
SIZES = [(16, 512, 5, 65536), (64, 256, 8, 16384), (256, 512, 10, 16384)]
FEWER = 2048  # signals for scikit-learn
CHUNK = 1024  # signals in one product of the floor


def problem(latent_dim, n_atoms, n_signals):
    """Signals and unit atoms, one a row."""
    rng = np.random.default_rng(_common.SEED)
    signals = rng.standard_normal((n_signals, latent_dim), dtype=np.float32)
    atoms = rng.standard_normal((n_atoms, latent_dim), dtype=np.float32)
    return signals, atoms / np.linalg.norm(atoms, axis=1, keepdims=True)


def ours(selection, compiled):
    """Make ``batch_omp`` with a selection rule, compiled or as without numba."""

    def make(signals, atoms, n_nonzero):
        if not compiled:
            sys.modules["numba"] = None
        from sklearn_sparsevae.sparse import batch_omp

        # Compile before memory is looked at.
        batch_omp(signals[:64], atoms, n_nonzero, selection=selection)
        return lambda: batch_omp(signals, atoms, n_nonzero, selection=selection)

    return make


def scikit_learn(signals, atoms, n_nonzero):
    """Make scikit-learn's, from signals to codes."""
    from sklearn.linear_model import orthogonal_mp_gram

    return lambda: orthogonal_mp_gram(
        atoms @ atoms.T, atoms @ signals.T, n_nonzero_coefs=n_nonzero
    )


def spams(signals, atoms, n_nonzero):
    """Make that of spams, with as many threads as it may use."""
    import spams

    signals, atoms = np.asfortranarray(signals.T), np.asfortranarray(atoms.T)
    threads = int(os.environ["OMP_NUM_THREADS"])
    return lambda: spams.omp(
        signals, atoms, L=n_nonzero, eps=0.0, lambda1=0.0, numThreads=threads
    )


def gemm(signals, atoms, n_nonzero):
    """Make the product of signals and atoms alone, in chunks."""
    import torch

    signals, atoms = torch.from_numpy(signals), torch.from_numpy(atoms)
    out = torch.empty(CHUNK, len(atoms))

    def product():
        for chunk in signals.split(CHUNK):
            torch.mm(chunk, atoms.mT, out=out)

    return product


# name: how to make it, the package it needs
METHODS = {
    "scikit-learn": (scikit_learn, "sklearn"),
    "spams": (spams, "spams"),
    "GEMM": (gemm, "torch"),
    "compiled, omp": (ours("omp", compiled=True), "numba"),
    "compiled, ols": (ours("ols", compiled=True), "numba"),
    "tensors, omp": (ours("omp", compiled=False), "torch"),
    "tensors, ols": (ours("ols", compiled=False), "torch"),
}


def serve(connection, name, size):
    """Run one method whenever asked; the first answer is the growth of memory."""
    latent_dim, n_atoms, n_nonzero, n_signals = size
    run = METHODS[name][0](*problem(latent_dim, n_atoms, n_signals), n_nonzero)
    before = peak_memory()
    run()
    connection.send(peak_memory() - before)
    while connection.recv():
        start = time.perf_counter()
        run()
        connection.send(time.perf_counter() - start)


def peak_memory():
    """Peak memory of this process in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2 ** (20 if sys.platform == "darwin" else 10)


def available():
    """Names of the methods that can run; says which cannot."""
    names = []
    for name, (_, package) in METHODS.items():
        if importlib.util.find_spec(package):
            names.append(name)
        else:
            print(f"skipped: {name}, {package} is not installed")
    return names


def measure(names, size, n_rounds):
    """One row for each method, with signals a second and growth of memory."""
    sizes = {name: size for name in names}
    sizes["scikit-learn"] = (*size[:3], FEWER)
    context = multiprocessing.get_context("spawn")
    connections, memory = {}, {}
    for name in names:
        connections[name], theirs = context.Pipe()
        arguments = (theirs, name, sizes[name])
        context.Process(target=serve, args=arguments, daemon=True).start()
        memory[name] = connections[name].recv()
    seconds = {name: [] for name in names}
    for _ in range(n_rounds):
        for name, connection in connections.items():
            connection.send(True)
            seconds[name].append(connection.recv())
    for connection in connections.values():
        connection.send(False)
    rates = {
        name: sizes[name][3] / statistics.median(times)
        for name, times in seconds.items()
    }
    return [
        {
            "method": name,
            "signals_per_second": rates[name],
            "memory_growth_mib": memory[name],
        }
        | {f"over {peer}": rates[name] / rates[peer] for peer in PEERS & rates.keys()}
        for name in names
    ]


PEERS = {"scikit-learn", "spams", "GEMM"}


def print_rows(rows, size):
    """Print the table of one size."""
    print("\nlatent_dim {}, {} atoms, {} non-zeros, {} signals".format(*size))
    print(
        f"{'':14s} {'signals/s':>10s} {'/ sklearn':>9s} {'/ spams':>8s} "
        f"{'/ GEMM':>7s} {'MiB':>5s}"
    )
    for row in rows:
        ratios = (row.get(f"over {p}", float("nan")) for p in sorted(PEERS))
        floor, sklearn, spams = ratios
        print(
            f"{row['method']:14s} {row['signals_per_second']:10,.0f} {sklearn:9.1f} "
            f"{spams:8.2f} {floor:7.3f} {row['memory_growth_mib']:5.0f}"
        )


def main():
    """Read the command line, run, write JSON."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = options.add_argument
    add("--threads", type=_common.positive, default=2, help="threads of every library")
    add("--rounds", type=_common.positive, default=9, help="runs of each method")
    add("--json", default=_common.RESULTS / "sparse_coding.json", help="where to write")
    args = options.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(args.threads)  # for the processes to come
    names = available()
    content = {"threads": args.threads, "rounds": args.rounds, "sizes": []}
    for size in SIZES:
        rows = measure(names, size, args.rounds)
        print_rows(rows, size)
        content["sizes"].append({"size": size, "rows": rows})
    _common.write_json(args.json, content)


if __name__ == "__main__":
    main()
