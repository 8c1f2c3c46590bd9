"""Batch orthogonal matching pursuit, at three sizes of the problem.

Random Gaussian signals and unit atoms. Ours is the compiled loop, which numba makes;
"tensors" is what runs where numba is not installed. scikit-learn codes 2048 of the
signals, as its time is linear in their number. spams selects atoms by the rule that is
called "ols" here. The limit is the product of signals and atoms alone, in chunks. What
has threads of its own runs in a process of its own.
"""

import os
import sys

import _common
import numpy as np

from rows._contenders import Apart, Here, installed, peak_growth, race
from rows._results import Check, Result, ratio

# latent_dim, atoms, non-zeros, signals; goals over scikit-learn without numba
SIZES = {
    (16, 512, 5, 65536): 60,
    (64, 256, 8, 16384): 35,
    (256, 512, 10, 16384): 25,
}
FEWER = 2048  # signals for scikit-learn
CHUNK = 1024  # signals in one product of the limit


def problem(latent_dim, n_atoms, n_signals):
    """Signals and unit atoms, one a row."""
    rng = np.random.default_rng(_common.SEED)
    signals = rng.standard_normal((n_signals, latent_dim), dtype=np.float32)
    atoms = rng.standard_normal((n_atoms, latent_dim), dtype=np.float32)
    return signals, atoms / np.linalg.norm(atoms, axis=1, keepdims=True)


def ours(selection, signals, atoms, n_nonzero):
    """Make ``batch_omp`` with a selection rule."""
    from sklearn_sparsevae.sparse import batch_omp

    batch_omp(signals[:64], atoms, n_nonzero, selection=selection)  # compiles
    return lambda: batch_omp(signals, atoms, n_nonzero, selection=selection)


def tensors(signals, atoms, n_nonzero):
    """Make ours as it is without numba."""
    sys.modules["numba"] = None
    return ours("omp", signals, atoms, n_nonzero)


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


def products(signals, atoms):
    """Make the product of signals and atoms alone, in chunks."""
    import torch

    signals, atoms = torch.from_numpy(signals), torch.from_numpy(atoms)
    out = torch.empty(CHUNK, len(atoms))

    def run():
        for chunk in signals.split(CHUNK):
            torch.mm(chunk, atoms.mT, out=out)

    return run


def measure_size(latent_dim, n_atoms, n_nonzero, n_signals):
    """Figures of all contenders at one size, by name."""
    signals, atoms = problem(latent_dim, n_atoms, n_signals)
    # Those apart first: they start while the others are made.
    contenders = {
        "scikit-learn": Apart(
            scikit_learn, signals[:FEWER], atoms, n_nonzero, amount=FEWER
        ),
        "tensors": Apart(tensors, signals, atoms, n_nonzero, amount=n_signals),
    }
    if installed("spams", "spams"):
        contenders["spams"] = Apart(spams, signals, atoms, n_nonzero, amount=n_signals)
    if installed("numba", "compiled OMP and OLS"):
        for rule in ("omp", "ols"):
            run = ours(rule, signals, atoms, n_nonzero)
            contenders[f"compiled {rule}"] = Here(run, n_signals)
    contenders["products"] = Here(products(signals, atoms), n_signals)
    return race(contenders)


def to_results(figures, size, goal):
    """Results of the ways to code that are ours."""
    name = "{} x {}, {} non-zeros".format(*size)
    peers = tuple(figures[n] for n in ("scikit-learn", "spams") if n in figures)
    return [
        Result(
            f"{job}, {name}",
            "signals/s",
            figures[own],
            peers,
            figures["products"],
            tuple(_checks(f"{job}, {name}", figures, own, goal)),
        )
        for own, job in JOBS.items()
        if own in figures
    ]


JOBS = {
    "compiled omp": "OMP",
    "compiled ols": "OLS",
    "tensors": "OMP without numba",
}


def _checks(job, figures, own, goal):
    """Goals of a way to code; OLS has none."""
    if own == "compiled omp" and "spams" in figures:
        over = ratio(figures[own], figures["spams"])
        yield Check(f"{job}, over spams", over, at_least=2)
    if own == "tensors":
        over = ratio(figures[own], figures["scikit-learn"])
        yield Check(f"{job}, over scikit-learn", over, at_least=goal)


def memory_check():
    """How memory, but for that of the codes, grows with the number of signals."""
    latent_dim, n_atoms, n_nonzero, n_signals = next(iter(SIZES))
    signals, atoms = problem(latent_dim, n_atoms, n_signals)
    parts = signals[: n_signals // 4], signals
    runs = [ours("omp", part, atoms, n_nonzero) for part in parts]
    fewer, more = map(peak_growth, runs)
    if fewer is None:
        return ()
    codes = 0.75 * n_signals * n_nonzero * (8 + 4) / 2**20  # of the further signals
    text = "OMP of 4 times as many signals, MiB more but for the codes"
    return (Check(text, more - fewer - codes, at_most=4),)


def measure():
    """Results of this row."""
    results = []
    for size, goal in SIZES.items():
        results += to_results(measure_size(*size), size, goal)
    last = results.pop()
    return [*results, last.with_checks(*memory_check())]
