"""Batch-OMP: against scikit-learn, against brute force, and at the edges."""

import importlib
import subprocess
import sys
import warnings

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given
from sklearn.linear_model import orthogonal_mp_gram

from sklearn_sparsevae.sparse import batch_omp

# The package's name for the module is that of the function.
module = importlib.import_module("sklearn_sparsevae.sparse.batch_omp")
PATHS = ["tensors", "compiled"]


@pytest.fixture(params=PATHS)
def path(request):
    """Run a test with each of the two inner loops."""
    if request.param == "compiled":
        pytest.importorskip("numba")
    with use(request.param):
        yield request.param


def use(path):
    patch = pytest.MonkeyPatch.context()
    monkeypatch = patch.__enter__()
    if path == "tensors":
        monkeypatch.setattr(module, "_compiled_code_rows", lambda: None)

    class Undo:
        def __enter__(self):
            return path

        def __exit__(self, *error):
            patch.__exit__(*error)

    return Undo()
