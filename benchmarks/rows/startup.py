"""Import: what ``import sklearn_sparsevae`` costs beyond torch and scikit-learn.

Each start is a fresh interpreter, which imports torch and scikit-learn and then says
how long what follows took. The package waits with its parts until they are used, so the
second line asks for all of them; its peer is the import of the two libraries.
"""

import subprocess
import sys

from rows._contenders import N_ROUNDS
from rows._results import Check, Figure, Result

GOAL = 0.3  # seconds
PROGRAM = """
import time
times = [time.perf_counter()]
import torch, sklearn
times.append(time.perf_counter())
import sklearn_sparsevae
times.append(time.perf_counter())
for name in sklearn_sparsevae.__all__:
    getattr(sklearn_sparsevae, name)
times.append(time.perf_counter())
print(*times)
"""


def seconds():
    """Time one start: torch and scikit-learn, the package, all its names."""
    command = [sys.executable, "-c", PROGRAM]
    output = subprocess.run(command, check=True, capture_output=True, text=True)
    start, libraries, package, names = map(float, output.stdout.split())
    return libraries - start, package - libraries, names - libraries


def measure():
    """Results of this row."""
    seconds()  # from here on the files are in memory
    rounds = zip(*(seconds() for _ in range(N_ROUNDS)), strict=True)
    names = "torch, scikit-learn", "ours", "ours"
    figures = [Figure(n, list(t)) for n, t in zip(names, rounds, strict=True)]
    libraries, package, everything = figures
    return [
        _result("import", package),
        _result("import, all names", everything, libraries),
    ]


def _result(job, ours, *peers):
    text = f"{job}, seconds beyond torch and scikit-learn"
    check = Check(text, 1 / ours.rate, at_most=GOAL)
    return Result(job, "s", ours, peers, checks=(check,))
