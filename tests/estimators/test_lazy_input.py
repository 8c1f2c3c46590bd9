"""Photo sets larger than memory: memory maps and lazy sequences."""

import gc
import pickle
import tracemalloc
import weakref

import numpy as np
import pytest
from PIL import Image
from sklearn.base import clone

from sklearn_sparsevae import VQVAE
from sklearn_sparsevae.datasets import load_image_folder
from tests.histories import assert_same_history


class Reads:
    """A lazy sequence of one's own, which counts what is read and what is alive."""

    def __init__(self, photos, shapes=True):
        self.photos, self.indices = photos, []
        self.given, self.most_alive = [], 0
        if shapes:
            self.shapes = [photo.shape for photo in photos]

    def __len__(self):
        return len(self.photos)

    def __getitem__(self, index):
        photo = self.photos[index].copy()
        self.indices.append(index)
        self.given.append(weakref.ref(photo))
        self.most_alive = max(self.most_alive, self.n_alive)
        return photo

    @property
    def n_alive(self):
        """Photos given out that are still held, be it by a view."""
        self.given = [given for given in self.given if given() is not None]
        return len(self.given)

    def __reduce__(self):
        raise TypeError("a fitted model must not carry its images")


@pytest.fixture
def sizes(photos):
    """Twelve photos of different sizes."""
    return [p[: 16 - i % 3, : 12 + i % 5] for i, p in enumerate(photos)]


@pytest.fixture
def load(tmp_path):
    def write(photos):
        for i, photo in enumerate(photos):
            Image.fromarray(photo).save(tmp_path / f"{i:02}.png")
        return load_image_folder(tmp_path).images

    return write


def assert_same_model(model, expected, X):
    assert_same_history(model.history_, expected.history_)
    np.testing.assert_array_equal(model.components_, expected.components_)
    assert abs(model.transform(X) - expected.transform(X)).max() == 0


quickest = pytest.mark.parametrize("estimator", [VQVAE])


# ---- the same model -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("crop_size", "early_stopping"), [(None, False), (None, True), (8, False)]
)
def test_a_folder_trains_as_its_photos_do(
    tiny, photos, load, crop_size, early_stopping
):
    params = {"crop_size": crop_size, "early_stopping": early_stopping, "max_epochs": 2}
    params |= {"validation_fraction": 0.3, "batch_size": 4 if not crop_size else 256}
    model, expected = (tiny(**params).fit(X) for X in (load(photos), photos))
    assert_same_model(model, expected, photos)


def test_photos_of_different_sizes(tiny, photos, sizes, load):
    params = {"early_stopping": True, "batch_size": 256}
    model, expected = (tiny(**params).fit(X) for X in (load(sizes), sizes))
    assert_same_model(model, expected, photos)


@quickest
@pytest.mark.parametrize("shapes", [True, False])
@pytest.mark.parametrize("grey", [True, False])
@pytest.mark.parametrize("dtype", [np.uint8, np.float64])
def test_sequences_of_ones_own(tiny, photos, shapes, grey, dtype):
    X = photos[..., 0] if grey else photos
    X = X if dtype == np.uint8 else X / 255
    model, expected = tiny().fit(Reads(X, shapes)), tiny().fit(X)
    assert_same_model(model, expected, X)
    assert model.reconstruct(X).shape == X.shape


@quickest
def test_partial_fit(tiny, photos):
    model, expected = tiny(), tiny()
    for part in (photos[:6], photos[6:]):
        model.partial_fit(Reads(part))
        expected.partial_fit(part)
    assert_same_model(model, expected, photos)


@quickest
@pytest.mark.parametrize("wrap_X", [True, False])
@pytest.mark.parametrize("different", [True, False])
def test_lazy_targets(tiny, photos, sizes, wrap_X, different):
    X = sizes if different else photos
    y = [255 - photo for photo in X]
    params = {"batch_size": 256, "early_stopping": True, "target": "y"}
    model = tiny(**params).fit(Reads(X) if wrap_X else X, Reads(y))
    assert_same_model(model, tiny(**params).fit(X, y), photos)


@quickest
def test_a_lazy_y_that_is_no_target_is_not_read(tiny, photos):
    y = Reads(photos[..., 0] > 99, shapes=False)
    assert_same_model(tiny().fit(Reads(photos), y), tiny().fit(photos), photos)
    assert not y.indices
    with pytest.raises(ValueError, match=r"y holds images of shape \(12, 8, 16, 3\)"):
        tiny(target="y").fit(Reads(photos), Reads(photos[:, ::2]))


@quickest
def test_coding_a_lazy_sequence(tiny, photos):
    model, lazy = tiny().fit(photos), Reads(photos)
    codes = model.transform(photos)
    np.testing.assert_array_equal(model.transform(lazy).toarray(), codes.toarray())
    for tile in (None, 8):
        np.testing.assert_array_equal(
            model.reconstruct(lazy, tile=tile), model.reconstruct(photos, tile=tile)
        )
    assert model.score(lazy) == model.score(photos)
    model, y = tiny(target="y").fit(photos, photos), 255 - photos
    assert model.score(lazy, Reads(y)) == model.score(photos, y)


@quickest
def test_coding_a_lazy_sequence_of_different_sizes(tiny, photos, sizes):
    model, lazy = tiny().fit(photos), Reads(sizes)
    codes = model.transform(lazy)
    for photo, code, back in zip(sizes, codes, model.reconstruct(lazy), strict=True):
        expected = model.transform(photo[None])
        assert (
            code.grid_shape == expected.grid_shape and abs(code - expected).max() == 0
        )
        np.testing.assert_array_equal(back, model.reconstruct(photo[None])[0])
    assert model.score(lazy) == model.score(sizes)
    gc.collect()
    assert lazy.most_alive <= 2 and not lazy.n_alive


@quickest
def test_score_is_the_mean_over_images_whatever_a_batch(tiny, photos, monkeypatch):
    model = tiny().fit(photos)
    expected = np.mean([model.score(photo[None]) for photo in photos])
    monkeypatch.setattr("sklearn_sparsevae.training.inference._BATCH_ENTRIES", 5 * 384)
    lazy = Reads(photos)
    assert model.score(lazy) == pytest.approx(expected)
    assert lazy.most_alive <= 6


# ---- memory -------------------------------------------------------------------------


@quickest
@pytest.mark.parametrize("early_stopping", [False, True])
def test_crops_hold_one_photo_and_read_it_once_a_batch(tiny, sizes, early_stopping):
    lazy = Reads(sizes)
    params = {"max_epochs": 2, "batch_size": 256, "early_stopping": early_stopping}
    tiny(crop_size=8, **params).fit(lazy)
    gc.collect()
    assert lazy.most_alive <= 2 and not lazy.n_alive
    n_batches = 2 * (5 + early_stopping) + 1  # at most 1100 crops an epoch; the start
    assert len(lazy.indices) <= 1 + n_batches * 12


@quickest
def test_whole_photos_are_held_a_batch_at_a_time(tiny, photos, monkeypatch):
    monkeypatch.setattr("sklearn_sparsevae.training.reconstruction._N_START", 3)
    lazy = Reads(photos)
    tiny(max_epochs=3, batch_size=4).fit(lazy)
    assert lazy.most_alive <= 5  # a batch, and the one that told the dtype
    assert sorted(lazy.indices[4:]) == sorted(3 * [*range(12)])


@quickest
@pytest.mark.parametrize("keep", [True, False])
def test_a_fitted_model_carries_no_photos(tiny, photos, keep):
    lazy = Reads(photos)
    model = tiny(early_stopping=True, warm_start=keep).fit(lazy)
    copy = pickle.loads(pickle.dumps(model))  # Reads cannot be pickled
    np.testing.assert_array_equal(copy.reconstruct(photos), model.reconstruct(photos))
    gone = weakref.ref(lazy)
    del lazy
    gc.collect()
    assert gone() is None


@quickest
@pytest.mark.parametrize("dtype", [np.uint8, np.float16, np.float32, np.float64, ">f4"])
def test_a_memory_map_trains_without_a_copy_of_it(tiny, photos, tmp_path, dtype):
    X = np.tile(photos, (40, 8, 8, 1))
    X = X if dtype == np.uint8 else (X / 255).astype(dtype)
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    model = tiny(n_components=4, max_epochs=0, crop_size=8)
    model.fit(photos)  # imports and caches
    tracemalloc.start()
    model.fit(mapped)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < X.size / 2  # a mask of the pixels alone would take twice that
    components = model.components_
    np.testing.assert_array_equal(components, model.fit(X).components_)


# ---- errors -------------------------------------------------------------------------


@quickest
@pytest.mark.parametrize("shapes", [True, False])
def test_wrong_channels_are_named(tiny, photos, shapes):
    X = [*photos[:3], photos[3, ..., :1], *photos[4:]]
    message = r"X\[3\] has shape \(16, 16, 1\), X\[0\] \(16, 16, 3\).*same number of ch"
    with pytest.raises(ValueError, match=message):
        tiny().fit(Reads(X, shapes))


@quickest
@pytest.mark.parametrize("early_stopping", [False, True])
def test_bad_values_are_named_when_they_are_read(tiny, images, early_stopping):
    model = tiny(early_stopping=early_stopping)
    for bad, message in [(255, "has values in"), (np.nan, "contains NaN")]:
        X = [*images[:5], images[5] * bad, *images[6:]]
        with pytest.raises(ValueError, match=rf"X\[5\] {message}"):
            model.fit(Reads(X))
        with pytest.raises(ValueError, match=rf"y\[5\] {message}"):
            clone(model).set_params(target="y").fit(images, Reads(X))


@quickest
def test_what_is_read_must_be_what_was_promised(tiny, photos, images):
    lazy = Reads(photos)
    lazy.shapes[2] = (15, 16, 3)
    with pytest.raises(ValueError, match=r"X\[2\] has shape \(16, 16, 3\).*\(15, 16"):
        tiny(crop_size=8).fit(lazy)
    lazy.shapes = lazy.shapes[:-1]
    with pytest.raises(ValueError, match="11 entries for 12 photos"):
        tiny().fit(lazy)
    with pytest.raises(ValueError, match=r"X\[1\] has dtype uint8, but X\[0\] float32"):
        tiny().fit(Reads([images[0], *photos[1:]]))
    with pytest.raises(TypeError, match=r"X\[0\] has dtype int64; expected unsigned"):
        tiny().fit(Reads(photos.astype(np.int64)))
    with pytest.raises(ValueError, match=r"X\[0\] has shape \(3,\).*expected photos"):
        tiny().fit(Reads(photos[:, 0, 0]))
    with pytest.raises(ValueError, match="X has no photos; expected at least 1"):
        tiny().fit(Reads([]))


@quickest
def test_different_sizes_need_crops_to_train(tiny, sizes):
    with pytest.raises(ValueError, match="different sizes, which are trained on thro"):
        tiny(crop_size=None).fit(Reads(sizes))
    with pytest.raises(ValueError, match="crop_size=13 exceeds the 12 pixels"):
        tiny(crop_size=13).fit(Reads(sizes))


@quickest
def test_a_damaged_file_is_named(tiny, photos, load, tmp_path):
    lazy = load(photos)
    (tmp_path / "07.png").write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"07\.png"):
        tiny(crop_size=8).fit(lazy)
