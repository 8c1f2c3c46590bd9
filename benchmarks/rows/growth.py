"""How the cost of `fit` grows with the data: 500, 2,000 and 8,000 crops, one epoch.

Seconds and memory of one fit each, `DictionaryLearningVAE` with defaults. Before the
first step it learns a dictionary from a part of the data that does not grow for ever,
so that larger sets are cheaper by the image.
"""

import time

from rows._contenders import peak_growth
from rows._photos import crops
from rows._results import Check, Figure, Result
from sklearn_sparsevae import DictionaryLearningVAE

SIZES = (500, 2000, 8000)


def measure_size(images):
    """Measure one fit."""
    model, seconds = DictionaryLearningVAE(max_epochs=1, random_state=0), []

    def fit():
        start = time.perf_counter()
        model.fit(images)
        seconds.append(time.perf_counter() - start)

    memory = peak_growth(fit)
    ours = Figure("ours", seconds, len(images), memory)
    return Result(f"fit, {len(images)} crops, one epoch", "images/s", ours)


def measure():
    """Results of this row."""
    images = crops(32, SIZES[-1])
    results = [measure_size(images[:size]) for size in SIZES]
    first, last = results[0].ours, results[-1].ours
    text = "fit on 16 times the data, seconds for each image over those of the smallest"
    growth = Check(text, first.rate / last.rate, at_most=1.1)
    return [*results[:-1], results[-1].with_checks(growth)]
