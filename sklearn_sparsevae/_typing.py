"""Names for the types of public signatures.

What comes in is taken as widely as NumPy takes it. What comes out is one array where
images have one size and a list where they have not; ``| Any`` stands for that list, so
that the common case needs no check of which of the two it is.

Modules that use the longer ones begin with ``from __future__ import annotations``, or
quote them, so that ``help`` shows the name and not all that NumPy takes.
"""

from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray


class LazySequence(Protocol):
    """Photos that are read when they are asked for."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Any: ...


class Density(Protocol):
    """What knows how likely the codes of images are, as CodePrior does."""

    def score_samples(self, X: Any, /) -> NDArray[np.floating]: ...


# Images, vectors, or photos of different sizes in a list.
Images: TypeAlias = ArrayLike | Sequence[ArrayLike] | LazySequence
# Images that come out, float32, or a list of them.
ImagesOut: TypeAlias = NDArray[np.float32] | Any
# Codes of any estimator, sparse or dense; SciPy's matrices have no types yet.
Codes: TypeAlias = Any
# Label maps and masks: arrays, or lists of them where photos differ in size.
Labels: TypeAlias = ArrayLike | Sequence[ArrayLike]
LabelsOut: TypeAlias = NDArray[np.integer] | Any
# What is ignored, or used only where a parameter says so.
Unused: TypeAlias = Any
# A float, or an array of one number for each image with ``per_image=True``.
Score: TypeAlias = Any
RandomState: TypeAlias = int | np.random.RandomState | None
Grid: TypeAlias = tuple[int, int] | list[int]
