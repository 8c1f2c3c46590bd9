"""The rows of the benchmark suite: one file for each job.

A row is a function ``measure()`` without arguments that returns a list of `Result`. It
runs in a process of its own, whose libraries all have the suite's number of threads. A
row that cannot run here raises `SkippedRow` and says why.
"""

import importlib

# In the order of the table. The first of a process is the name of its module.
ROWS = (
    "startup",
    "lista",
    "omp",
    "nearest",
    "csr",
    "training",
    "quality",
    "growth",
    "photos",
    "segmentation",
    "folder",
    "gpu",
)
# Those that take some seconds each: what continuous integration looks at.
QUICK_ROWS = ("startup", "nearest", "photos")


class SkippedRow(Exception):
    """A row that cannot run on this machine; the message says why."""


def measure(name):
    """Results of a row."""
    return importlib.import_module(f"rows.{name}").measure()
