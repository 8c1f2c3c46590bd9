"""What README.md shows runs, with defaults that train for seconds."""

import numpy as np
import pytest

from sklearn_sparsevae import datasets
from sklearn_sparsevae.codes import SparseCodes
from sklearn_sparsevae.datasets import load_sample_photos
from tests.small_defaults import shrink_defaults
from tests.test_docs import code_blocks


@pytest.fixture
def small_photos(monkeypatch):
    """Let the sample photos be corners of them, still of different sizes."""
    sample = load_sample_photos()
    sides = range(32, 32 + len(sample.images))
    sample.images = [
        photo[100 : 100 + side, 100:132]
        for photo, side in zip(sample.images, sides, strict=True)
    ]
    monkeypatch.setattr(datasets, "load_sample_photos", lambda: sample)
    return sample.images


def test_snippets_of_the_readme_run_one_after_another(small_photos, monkeypatch):
    shrink_defaults(monkeypatch)
    names = {}
    for block in code_blocks("README.md", "python"):
        exec(compile(block, "README.md", "exec"), names)
    # What the text says of the results.
    shapes = [photo.shape for photo in small_photos]
    assert [mask.shape for mask in names["masks"]] == [shape[:2] for shape in shapes]
    assert all(isinstance(code, SparseCodes) for code in names["codes"])
    for images in (names["images"], names["restored"]):
        assert [image.shape for image in images] == shapes
    measured = set(names["search"].cv_results_)
    assert {"mean_test_psnr", "mean_test_nonzeros"} <= measured
    assert all(np.isfinite(names["search"].cv_results_["mean_test_psnr"]))
