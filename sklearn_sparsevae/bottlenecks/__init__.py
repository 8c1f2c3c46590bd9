"""The middle boxes: one file per compression bottleneck, base.py holds the contract."""

from sklearn_sparsevae.bottlenecks.base import Bottleneck
from sklearn_sparsevae.bottlenecks.lista import PENALTIES, THRESHOLDS, LearnedISTA

__all__ = ["PENALTIES", "THRESHOLDS", "Bottleneck", "LearnedISTA"]
