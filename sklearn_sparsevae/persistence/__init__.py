"""Models in files of numbers: nothing in them runs when they are loaded."""

from sklearn_sparsevae.persistence._describing import (
    describe_file as describe_file,  # not public: what `python -m` prints
)
from sklearn_sparsevae.persistence._saving import load, save

__all__ = ["load", "save"]
