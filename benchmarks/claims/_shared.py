"""The way from scripts in this folder to what all benchmarks share."""

import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1]))
import _cifar  # noqa: F401, for the scripts
import _common  # noqa: F401
import _kept  # noqa: F401
import _record  # noqa: F401
