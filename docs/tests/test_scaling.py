"""Searches on loky and Ray equal one in this process; the page's code for Ray runs."""

import contextlib
import os
import re

import joblib
import numpy as np
import pytest
import torch
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from docs.tests.test_howto import DOCS, blocks_of, run
from sklearn_sparsevae import DictionaryLearningVAE, KMeansSegmenter

PAGE = DOCS / "scaling.rst"


@contextlib.contextmanager
def ray_cluster():
    """Two processes of Ray."""
    os.environ.setdefault("RAY_AUTH_MODE", "disabled")
    ray = pytest.importorskip("ray")
    from ray.util.joblib import register_ray

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    register_ray()
    try:
        yield
    finally:
        ray.shutdown()


CLUSTERS = {"loky": contextlib.nullcontext, "ray": ray_cluster}


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).random((24, 8, 8)).astype(np.float32)


def search(images):
    encoder = DictionaryLearningVAE(8, n_downsamples=1, max_epochs=1, random_state=0)
    segmenter = KMeansSegmenter(n_init=1, random_state=0)
    pipe = Pipeline([("enc", encoder), ("seg", segmenter)])
    grid = {"enc__n_nonzero_coefs": [1, 3]}
    return GridSearchCV(pipe, grid, cv=2).fit(images, images > 0.5)


@pytest.mark.parametrize("backend", CLUSTERS)
@pytest.mark.filterwarnings("ignore::ResourceWarning:ray")
def test_a_search_in_processes_equals_one_here(backend, images):
    torch.set_num_threads(1)
    alone = search(images)
    inner = {"inner_max_num_threads": 1} if backend == "loky" else {}
    with CLUSTERS[backend](), joblib.parallel_config(backend, n_jobs=2, **inner):
        there = search(images)
        n_threads = joblib.Parallel()(
            joblib.delayed(torch.get_num_threads)() for _ in range(4)
        )
    for name in ("split0_test_score", "split1_test_score"):
        np.testing.assert_array_equal(there.cv_results_[name], alone.cv_results_[name])
    np.testing.assert_array_equal(there.predict(images), alone.predict(images))
    assert n_threads == [1] * 4


def test_the_page_s_code_for_ray_runs(images, monkeypatch):
    pytest.importorskip("ray")
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    text = re.sub(r"\.\. skip: Ray .*", "", PAGE.read_text(encoding="utf-8"))
    (block,) = (b for b in blocks_of(text) if "import ray" in b.code)
    encoder = DictionaryLearningVAE(8, n_downsamples=1, max_epochs=1, random_state=0)
    of_page = GridSearchCV(encoder, {"n_nonzero_coefs": [1, 3]}, cv=2)
    names = {"joblib": joblib, "search": of_page, "crops": images}
    run(block, "scaling.rst", names)
    assert of_page.best_score_ == of_page.fit(images).best_score_
