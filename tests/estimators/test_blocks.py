"""Results block by block, and into arrays that were there before."""

import h5py
import numpy as np
import pytest

from sklearn_sparsevae import VQVAE, ClosedLoopVAE, GaussianVAE
from sklearn_sparsevae.codes import concatenate_codes
from sklearn_sparsevae.segmentation import KMeansSegmenter, SpectralSegmenter

SEGMENTERS = [KMeansSegmenter, SpectralSegmenter]


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    """Five images of 16x16 pixels at once."""
    monkeypatch.setattr("sklearn_sparsevae.training.inference._BATCH_ENTRIES", 5 * 768)


@pytest.fixture
def sizes(photos):
    return [p[: 16 - i % 3, : 12 + i % 5] for i, p in enumerate(photos)]


quickest = pytest.mark.parametrize("estimator", [VQVAE])


def test_blocks_together_are_the_whole(tiny, photos):
    model = tiny(max_epochs=0).fit(photos)
    blocks = list(model.iter_transform(photos))
    expected = model.transform(photos)
    assert [len(b.indptr) - 1 if hasattr(b, "indptr") else len(b) for b in blocks] == [
        5,
        5,
        2,
    ]
    if hasattr(expected, "grid_shape"):
        together = concatenate_codes(blocks)
        assert together.image_shape == expected.image_shape
        np.testing.assert_array_equal(together.thumbnails, expected.thumbnails)
        together, expected = together.toarray(), expected.toarray()
    else:
        together = np.concatenate(blocks)
    np.testing.assert_array_equal(together, expected)
    back = list(model.iter_reconstruct(photos))
    np.testing.assert_array_equal(np.concatenate(back), model.reconstruct(photos))
    sizes = [len(b) for b in model.iter_reconstruct(photos, batch_size=7)]
    assert sizes == [7, 5]


@quickest
def test_photos_of_different_sizes_are_blocks_of_one(tiny, photos, sizes):
    model = tiny().fit(photos)
    pairs = zip(model.iter_transform(sizes), model.transform(sizes), strict=True)
    for block, codes in pairs:
        assert block.grid_shape == codes.grid_shape and abs(block - codes).max() == 0
    pairs = zip(model.iter_reconstruct(sizes), model.reconstruct(sizes), strict=True)
    for block, image in pairs:
        np.testing.assert_array_equal(block, image[None])


def test_conditions_and_the_closed_loop(photos):
    y = np.arange(12) % 3
    model = GaussianVAE(8, n_downsamples=2, max_epochs=0, random_state=0)
    model.fit(photos, condition=y)
    blocks = model.iter_transform(photos, condition=y)
    expected = model.transform(photos, condition=y)
    np.testing.assert_array_equal(np.concatenate(list(blocks)), expected)
    expected = model.reconstruct(photos, condition=y)
    blocks = model.iter_reconstruct(photos, condition=y)
    np.testing.assert_array_equal(np.concatenate(list(blocks)), expected)
    with pytest.raises(ValueError, match="needs one here: pass condition="):
        model.iter_transform(photos)
    X = photos[..., 0] / 255
    loop = ClosedLoopVAE((4,), latent_dim=6, max_epochs=0, random_state=0).fit(X)
    blocks = list(loop.iter_transform(X, batch_size=5))
    np.testing.assert_allclose(np.concatenate(blocks), loop.transform(X), atol=1e-6)


@quickest
def test_what_is_wrong_is_said_before_the_first_block(tiny, photos):
    model = tiny(max_epochs=0).fit(photos)
    for method in (model.iter_transform, model.iter_reconstruct):
        with pytest.raises(ValueError, match="channel"):
            method(photos[..., :1])
        with pytest.raises(ValueError, match="batch_size=0; expected at least 1"):
            method(photos, batch_size=0)


@quickest
@pytest.mark.parametrize("segmenter", SEGMENTERS)
@pytest.mark.parametrize("n_jobs", [None, 2])
def test_photos_to_masks_block_by_block(tiny, photos, sizes, segmenter, n_jobs):
    model = tiny(max_epochs=0, n_downsamples=1).fit(photos)
    codes = model.transform(photos)
    segmenter = segmenter(random_state=0, n_jobs=n_jobs).fit(codes)
    masks = segmenter.iter_predict(model.iter_transform(photos))
    expected = segmenter.predict(codes)
    np.testing.assert_array_equal(np.concatenate(list(masks)), expected)
    if n_jobs:
        return
    for mask, row in zip(segmenter.iter_predict(codes), expected, strict=True):
        np.testing.assert_array_equal(mask, row[None])
    each = segmenter.predict(model.transform(sizes))
    blocks = segmenter.iter_predict(model.iter_transform(sizes))
    for mask, alone in zip(blocks, each, strict=True):
        np.testing.assert_array_equal(mask, alone[None])


class Counted:
    """Photos without end, of which as few as possible are to be held."""

    shapes = [(16, 16, 3)] * 300

    def __init__(self):
        self.last = -1

    def __len__(self):
        return 300

    def __getitem__(self, index):
        self.last = max(self.last, index)
        return np.full((16, 16, 3), index % 251, np.uint8)


@quickest
def test_photos_are_read_as_masks_are_taken(tiny, photos):
    model = tiny(max_epochs=0).fit(photos)
    segmenter = KMeansSegmenter(resolution="grid").fit(model.transform(photos))
    lazy, done = Counted(), 0
    for masks in segmenter.iter_predict(model.iter_transform(lazy)):
        done += len(masks)
        assert lazy.last < done + 5 * 3  # three blocks ahead
    assert done == 300


# ---- out= ---------------------------------------------------------------------------


@quickest
@pytest.mark.parametrize("layout", ["channels", "grey", "flat", "vectors"])
@pytest.mark.parametrize("kind", ["memory map", "hdf5"])
def test_images_are_written_where_they_are_to_go(tiny, photos, tmp_path, layout, kind):
    kinds = {"channels": photos, "grey": photos[..., 0]}
    kinds |= {"flat": photos.reshape(12, -1), "vectors": photos[:, 0, :, 0] / 9}
    X, shape = kinds[layout], photos.shape[1:] if layout == "flat" else None
    model = tiny(image_shape=shape, max_epochs=0).fit(X)
    if kind == "hdf5":
        out = h5py.File(tmp_path / "X.h5", "w").create_dataset("X", X.shape, "f4")
    else:
        path = tmp_path / "X.npy"
        out = np.lib.format.open_memmap(path, "w+", np.float32, X.shape)
    assert model.reconstruct(X, out=out) is out
    expected = model.reconstruct(X)
    np.testing.assert_array_equal(out[...], expected)
    out[...] = 0
    assert model.inverse_transform(model.transform(X), out=out) is out
    np.testing.assert_array_equal(out[...], model.inverse_transform(model.transform(X)))
    if layout in ("channels", "grey"):
        tiles = model.reconstruct(X, tile=8)
        np.testing.assert_array_equal(model.reconstruct(X, tile=8, out=out), tiles)


@quickest
@pytest.mark.parametrize("segmenter", SEGMENTERS)
def test_label_maps_are_written_where_they_are_to_go(tiny, photos, segmenter):
    model = tiny(max_epochs=0).fit(photos)
    codes, out = model.transform(photos), np.empty((12, 16, 16), np.int32)
    segmenter = segmenter(random_state=0).fit(codes)
    assert segmenter.predict(codes, out=out) is out
    np.testing.assert_array_equal(out, segmenter.labels_)
    with pytest.raises(ValueError, match=r"expected .* \(12, 16, 16\) and dtype int32"):
        segmenter.predict(codes, out=out.astype(np.int64))
    with pytest.raises(ValueError, match="got a list of codes"):
        segmenter.predict([codes], out=out)
    scene = np.random.default_rng(0).random((30, 4))
    segmenter.fit(scene)
    with pytest.raises(ValueError, match="got a scene"):
        segmenter.predict(scene, out=np.empty(30, np.int32))


@quickest
def test_out_is_checked_first(tiny, photos, sizes):
    model = tiny(max_epochs=0).fit(photos)
    codes = model.transform(photos)
    for out in (np.ones(photos.shape), np.ones((11, 16, 16, 3), np.float32), "a.npy"):
        with pytest.raises(ValueError, match=r"open_memmap.*\(12, 16, 16, 3\)"):
            model.reconstruct(photos, out=out)
        with pytest.raises(ValueError, match=r"open_memmap.*\(12, 16, 16, 3\)"):
            model.inverse_transform(codes, out=out)
        assert isinstance(out, str) or out.all()
    with pytest.raises(ValueError, match="those of X differ"):
        model.reconstruct(sizes, out=np.empty(photos.shape, np.float32))
    with pytest.raises(ValueError, match="got a list of"):
        model.inverse_transform([codes], out=np.empty(photos.shape, np.float32))
