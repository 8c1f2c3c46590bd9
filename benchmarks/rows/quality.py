"""Seconds of training until held-out crops are reconstructed to a fixed PSNR.

Crops of 32x32 pixels with 4x4 pixels a site, defaults otherwise; `partial_fit` on 250
crops at a time, and after each the PSNR of crops of other photos, whose time does not
count. The time before the first step, in which the dictionary is learned, does. One run
each. The check is that bfloat16 ends where float32 does.
"""

import itertools
import time

import numpy as np

from rows._contenders import peak_growth
from rows._photos import crops
from rows._results import Check, Figure, Result
from sklearn_sparsevae import VQVAE, DictionaryLearningVAE, SparseCodingVAE

# Estimator, PSNR to reach in dB.
TARGETS = ((DictionaryLearningVAE, 38.5), (SparseCodingVAE, 43.6), (VQVAE, 25.0))
N_AT_ONCE, N_CALLS = 250, 24


def seconds_to_reach(model, target, train, test):
    """Seconds of training until the PSNR of ``test`` is reached."""
    passes = itertools.islice(itertools.cycle(np.split(train, 8)), N_CALLS)
    total = 0.0
    for some in passes:
        start = time.perf_counter()
        model.partial_fit(some)
        total += time.perf_counter() - start
        if model.score(test) >= target:
            return total
    raise RuntimeError(
        f"{type(model).__name__} has {model.score(test):.1f} dB after {N_CALLS} calls "
        f"of partial_fit, expected {target} dB: lower the target of the row."
    )


def measure_estimator(make, target, train, test):
    """Measure one estimator."""
    model, seconds = make(n_downsamples=2, random_state=0), []
    memory = peak_growth(
        lambda: seconds.append(seconds_to_reach(model, target, train, test))
    )
    job = f"{make.__name__} to {target} dB"
    return Result(job, "s", Figure("ours", seconds, memory_mib=memory))


def bf16_check(train, test):
    """How far the PSNR of bfloat16 is from that of float32 after the same training."""
    scores = [
        DictionaryLearningVAE(max_epochs=1, precision=precision, random_state=0)
        .fit(train[:1000])
        .score(test)
        for precision in ("float32", "bf16")
    ]
    text = "DictionaryLearningVAE, PSNR of float32 less that of bf16, dB"
    return Check(text, scores[0] - scores[1], at_most=0.1)


def measure():
    """Results of this row."""
    train, test = crops(32, 8 * N_AT_ONCE), crops(32, 200, "test")
    first, *others = (measure_estimator(*t, train, test) for t in TARGETS)
    return [first.with_checks(bf16_check(train, test)), *others]
