"""Arrays on disk or in blocks: h5py, zarr, dask, whatever is sliced as an array is."""

import uuid

import dask.array
import h5py
import numpy as np
import pytest
import zarr

from sklearn_sparsevae import VQVAE, ClosedLoopVAE
from sklearn_sparsevae.datasets import LazyView
from tests.estimators.test_lazy_input import assert_same_model


class Slices:
    """An array that only gives slices along its first axis, and says how large ones."""

    def __init__(self, array, chunk=None):
        self.array, self.asked = array, []
        self.shape, self.dtype, self.ndim = array.shape, array.dtype, array.ndim
        if chunk is not None:
            self.chunks = (chunk, *array.shape[1:])

    def __getitem__(self, index):
        if index is Ellipsis:  # of what is refused
            return self.array
        assert isinstance(index, slice) and index.step in (None, 1)
        self.asked.append(range(*index.indices(len(self.array))))
        return self.array[index].copy()


def in_hdf5(array, folder):
    file = h5py.File(folder / f"{uuid.uuid4()}.h5", "w")
    return file.create_dataset("X", data=array, chunks=(5, *array.shape[1:]))


def in_hdf5_in_one_piece(array, folder):
    return h5py.File(folder / f"{uuid.uuid4()}.h5", "w").create_dataset("X", data=array)


def in_zarr(array, folder):
    path, chunks = folder / f"{uuid.uuid4()}.zarr", (5, *array.shape[1:])
    return zarr.create_array(path, data=array, chunks=chunks)


def in_dask(array, folder):
    chunks = ((2, 7, len(array) - 9), *array.shape[1:])
    return dask.array.from_array(array, chunks)


def in_slices(array, folder):
    return Slices(array)


# Which estimator reads makes no difference.
pytestmark = pytest.mark.parametrize("estimator", [VQVAE])
KINDS = [in_hdf5, in_hdf5_in_one_piece, in_zarr, in_dask, in_slices]
every_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(autouse=True)
def few_crops(monkeypatch):
    monkeypatch.setattr("sklearn_sparsevae.training.batching._MIN_CROPS", 48)


@pytest.fixture
def store(tmp_path):
    return lambda kind, array: kind(array, tmp_path)


# ---- the same as the loaded array ---------------------------------------------------


@every_kind
@pytest.mark.parametrize("crop_size", [None, 8])
def test_every_method_gives_what_it_gives_for_the_array(
    tiny, photos, store, kind, crop_size
):
    params = {"crop_size": crop_size, "early_stopping": True, "batch_size": 16}
    params |= {"target": "y", "max_epochs": 1}
    y = 255 - photos
    X_stored, y_stored = store(kind, photos), store(kind, y)
    model = tiny(**params).fit(X_stored, y_stored)
    expected = tiny(**params).fit(photos, y)
    assert_same_model(model, expected, photos)
    codes = model.transform(X_stored)
    assert abs(codes - expected.transform(photos)).max() == 0
    for tile in (None, 8):
        np.testing.assert_array_equal(
            model.reconstruct(X_stored, tile=tile), model.reconstruct(photos, tile=tile)
        )
    assert model.score(X_stored, y_stored) == expected.score(photos, y)
    model.partial_fit(X_stored, y_stored)
    assert_same_model(model, expected.partial_fit(photos, y), photos)


@pytest.mark.parametrize("kind", [in_zarr, in_slices])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float64, ">f4"])
@pytest.mark.parametrize("layout", ["grey", "flat", "vectors"])
def test_layouts_and_dtypes(tiny, photos, store, kind, dtype, layout):
    kinds = {"grey": photos[..., 0], "flat": photos.reshape(12, -1)}
    X = kinds.get(layout, photos[:, 0, :, 0])
    X = X.astype(dtype) if np.dtype(dtype).kind == "u" else (X / 255).astype(dtype)
    shape = photos.shape[1:] if layout == "flat" else None
    model, expected = tiny(image_shape=shape), tiny(image_shape=shape)
    if layout == "vectors" and X.dtype.kind == "u":
        with pytest.warns(UserWarning, match="taken for 12 vectors"):
            model.fit(store(kind, X))
        with pytest.warns(UserWarning, match="taken for 12 vectors"):
            expected.fit(X)
    else:
        model.fit(store(kind, X)), expected.fit(X)
    assert model.layout_ == expected.layout_
    assert_same_model(model, expected, X)
    np.testing.assert_array_equal(
        model.reconstruct(store(kind, X)), expected.reconstruct(X)
    )


@pytest.mark.parametrize("kind", [in_hdf5, in_dask])
def test_the_range_of_the_data(tiny, photos, store, kind):
    X = photos.astype(np.int32) * 3 - 100
    model, expected = (tiny(value_range="data").fit(x) for x in (store(kind, X), X))
    assert model.value_range_ == expected.value_range_ == (X.min(), X.max())
    assert_same_model(model, expected, X)


def test_the_closed_loop(estimator, photos, store):
    X = photos / 255
    model = ClosedLoopVAE((4,), latent_dim=6, max_epochs=1, random_state=0)
    expected = model.fit(X).transform(X)
    codes = model.fit(store(in_zarr, X)).transform(store(in_zarr, X))
    np.testing.assert_array_equal(codes, expected)


def test_folds_of_a_view_read_images_only(tiny, photos, store):
    view = LazyView(store(in_hdf5, photos))
    assert view[2:4].shapes == [(16, 16, 3)] * 2
    assert_same_model(
        tiny().fit(view[[1, 5, 7]]), tiny().fit(photos[[1, 5, 7]]), photos
    )


# ---- memory -------------------------------------------------------------------------


@pytest.mark.parametrize("crop_size", [None, 8])
@pytest.mark.parametrize("method", ["fit", "transform", "score", "tiles"])
def test_no_read_is_longer_than_a_batch(tiny, photos, monkeypatch, method, crop_size):
    X = np.tile(photos, (10, 1, 1, 1))[:, :, :8]
    monkeypatch.setattr("sklearn_sparsevae.training.reconstruction._N_START", 3)
    monkeypatch.setattr("sklearn_sparsevae.training.inference._BATCH_ENTRIES", 5 * 384)
    model = tiny(crop_size=crop_size, batch_size=4, value_range="data")
    if method != "fit":
        model.fit(photos)
    monkeypatch.setattr("sklearn_sparsevae.images.sliced._MOST_BYTES", 6 * 384)
    X = Slices(X)
    if method == "tiles":
        model.reconstruct(X, tile=8)
    else:
        getattr(model, method)(X)
    assert max(map(len, X.asked)) <= 6
    assert {i for asked in X.asked for i in asked} == set(range(120))


def test_a_batch_reads_each_chunk_once(tiny, photos):
    from sklearn_sparsevae.images import InputSpec

    X = Slices(photos, chunk=4)
    images = InputSpec.of().open(X)
    X.asked.clear()
    batch = images[np.array([6, 11, 4, 0, 6])]
    np.testing.assert_array_equal(batch.items, photos[[6, 11, 4, 0, 6]])
    assert X.asked == [range(0, 1), range(4, 7), range(11, 12)]


def test_numbers_are_checked_when_they_are_read_first(tiny, images, monkeypatch):
    from sklearn_sparsevae.images import ValueRange

    checked, check = [], ValueRange.check

    def count(self, numbers, name):
        checked.append(len(numbers))
        check(self, numbers, name)

    monkeypatch.setattr(ValueRange, "check", count)
    tiny(max_epochs=3).fit(Slices(images))
    assert sum(checked) == len(images)


# ---- errors -------------------------------------------------------------------------


@every_kind
def test_bad_numbers_are_found_where_they_are_read(tiny, images, store, kind):
    for bad, message in [(255, "has values in"), (np.nan, "contains NaN")]:
        X = images.copy()
        X[5] *= bad
        with pytest.raises(ValueError, match=rf"X\[\d+:\d+\] {message}"):
            tiny().fit(store(kind, X))
        with pytest.raises(ValueError, match=rf"y\[\d+:\d+\] {message}"):
            tiny(target="y").fit(images, store(kind, X))
    rows = X.reshape(len(X), -1)
    with pytest.raises(ValueError, match="contains NaN"):
        tiny().fit(store(kind, rows))


@pytest.mark.parametrize(
    "bad",
    [
        lambda X: X[0],
        lambda X: X[..., None],
        lambda X: X[:0],
        lambda X: X.transpose(0, 3, 1, 2),
        lambda X: X.astype(np.int16),
        lambda X: X > 9,
        lambda X: X.astype(complex),
        lambda X: X[0, 0, 0],
        lambda X: X.reshape(len(X), -1)[:, :0],
    ],
)
def test_what_is_refused_is_refused_in_the_same_words(tiny, photos, bad):
    X = bad(photos)
    with pytest.raises((TypeError, ValueError)) as expected:
        tiny().fit(X)
    with pytest.raises(expected.type) as error:
        tiny().fit(Slices(X))
    assert str(error.value).replace("[0:1]", "") == str(expected.value)


def test_shapes_that_are_not_known_and_not_kept(tiny, photos):
    X = dask.array.from_array(photos)
    with pytest.raises(ValueError, match=r"X\.compute_chunk_sizes\(\)"):
        tiny().fit(X[X[:, 0, 0, 0] > 0])
    X = Slices(photos)
    X.array = photos[:9]
    with pytest.raises(ValueError, match=r"X\[\d+:12\] has shape \(\d, 16, 16, 3\)"):
        tiny().fit(X)
    X.array = np.ma.masked_equal(photos, photos[3, 0, 0, 0])
    with pytest.raises(ValueError, match="is a masked array"):
        tiny().fit(X)
