"""Searches on a cluster, and blocks of Dask arrays, give what one process gives."""

import dask
import dask.array as da
import joblib
import numpy as np
import pytest
import torch
from dask.distributed import Client, LocalCluster
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from sklearn_sparsevae import (
    VQVAE,
    GaussianVAE,
    KMeansSegmenter,
)
from sklearn_sparsevae.codes import SparseCodes, concatenate_codes

SMALL = {"n_downsamples": 1, "max_epochs": 1, "random_state": 0}


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).random((24, 8, 8)).astype(np.float32)


@pytest.fixture(scope="module")
def blocks(images):
    return da.from_array(images, chunks=(9, -1, -1))


@pytest.fixture(scope="module")
def model(images):
    return VQVAE(8, **SMALL).fit(images)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Two processes of one thread each; a client is there while the module runs."""
    where = {"dashboard_address": None, "local_directory": tmp_path_factory.mktemp("d")}
    processes = {"processes": True, "n_workers": 2, "threads_per_worker": 1}
    with LocalCluster(**processes, **where) as cluster, Client(cluster) as client:
        yield client


@pytest.fixture
def one_thread():
    """Let torch sum in the order of one thread here, too."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def search(images):
    encoder = VQVAE(8, **SMALL)
    segmenter = KMeansSegmenter(n_init=1, random_state=0)
    pipe = Pipeline([("enc", encoder), ("seg", segmenter)])
    grid = {"enc__n_quantizers": [1, 2]}
    return GridSearchCV(pipe, grid, cv=2).fit(images, images > 0.5)


def test_a_search_on_a_cluster_equals_one_in_this_process(images, cluster, one_thread):
    alone = search(images)
    with joblib.parallel_config("dask"):
        there = search(images)
        n_threads = joblib.Parallel()(
            joblib.delayed(torch.get_num_threads)() for _ in range(4)
        )
    for name in ("split0_test_score", "split1_test_score"):
        np.testing.assert_array_equal(there.cv_results_[name], alone.cv_results_[name])
    assert there.best_params_ == alone.best_params_
    np.testing.assert_array_equal(there.predict(images), alone.predict(images))
    assert n_threads == [1] * 4


def codes_of(blocks, model):
    """Array of the codes of all blocks, whose meta is codes of no image."""
    first = model.transform(blocks[:1].compute())
    return blocks.map_blocks(
        model.transform,
        dtype=first.dtype,
        drop_axis=[1, 2],
        new_axis=1,
        chunks=(blocks.chunks[0], (first.shape[1],)),
        meta=first[:0],
    )


def test_blocks_become_codes_that_concatenate_with_their_grid(images, blocks, model):
    expected, codes = model.transform(images), codes_of(blocks, model)
    assert codes.shape == expected.shape and codes.dtype == expected.dtype
    parts = dask.compute(*codes.to_delayed().ravel(), scheduler="threads")
    assert all(isinstance(part, SparseCodes) for part in parts)
    joined = concatenate_codes(parts)
    assert joined.grid_shape == expected.grid_shape
    assert joined.image_shape == expected.image_shape
    np.testing.assert_array_equal(joined.toarray(), expected.toarray())
    np.testing.assert_array_equal(joined.thumbnails, expected.thumbnails)
    # Dask's own concatenation is SciPy's, which knows of no grid, and does not guess.
    whole = codes.compute(scheduler="sync")
    assert not hasattr(whole, "grid_shape")
    np.testing.assert_array_equal(whole.toarray(), expected.toarray())


def test_blocks_on_a_cluster_become_label_maps(images, blocks, model, cluster):
    segmenter = KMeansSegmenter(n_init=1, random_state=0).fit(model.transform(images))
    pipe, maps = Pipeline([("enc", model), ("seg", segmenter)]), np.empty((0, 0, 0))
    expected = pipe.predict(images)
    labels = blocks.map_blocks(pipe.predict, meta=maps.astype(np.int32))
    assert labels.dtype == expected.dtype
    np.testing.assert_array_equal(labels.compute(), expected)
    # In two steps: blocks of codes keep their grid on the way.
    labels = codes_of(blocks, model).map_blocks(
        segmenter.predict,
        new_axis=2,
        chunks=blocks.chunks,
        meta=maps.astype(np.int32),
    )
    np.testing.assert_array_equal(labels.compute(), expected)


@pytest.mark.parametrize("method", ["transform", "reconstruct"])
def test_blocks_of_dense_results_concatenate(method, images, blocks):
    model = GaussianVAE(4, **SMALL).fit(images)
    run = getattr(model, method)
    expected = run(images)
    shapes = {"meta": np.empty((0,) * expected.ndim, np.float32)}
    if method == "transform":
        columns = (expected.shape[1],)
        shapes |= {"drop_axis": 2, "chunks": (blocks.chunks[0], columns)}
    result = blocks.map_blocks(run, **shapes)
    assert result.shape == expected.shape
    np.testing.assert_array_equal(result.compute(scheduler="sync"), expected)


def test_blocks_train_one_after_another(images, blocks):
    alone, streamed = (VQVAE(8, **SMALL) for _ in range(2))
    for start in (0, 9, 18):
        alone.partial_fit(images[start : start + 9])
    for block in blocks.blocks:
        streamed.partial_fit(block.compute(scheduler="sync"))
    np.testing.assert_array_equal(streamed.components_, alone.components_)


def test_an_empty_block_is_refused_with_what_to_do(blocks, model):
    some = blocks[blocks.sum((1, 2)) > 1e9]
    with pytest.raises(ValueError, match="empty block .* rechunk .* meta= of the res"):
        some.map_blocks(model.transform, meta=np.empty((0, 0))).compute()
