"""Images reconstructed tile by tile are what they are reconstructed whole."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_sample_image

from sklearn_sparsevae import VQVAE
from sklearn_sparsevae.training import inference

# Sites that the residual backbone sees on each side of one: five convolutions of 3 x 3
# in the encoder, and five in the decoder.
REACH = 10


@pytest.fixture(scope="module")
def photo():
    """One colour photo of 127 x 193 pixels, uint8."""
    return load_sample_image("china.jpg")[None, :381:3, :579:3]


@pytest.fixture(scope="module")
def untrained():
    """Before the first step every site is coded for itself."""
    X = np.random.RandomState(0).random_sample((20, 8, 8))
    return VQVAE(8, max_epochs=0, random_state=0).fit(X)


@settings(max_examples=20)
@given(st.tuples(*[st.integers(1, 100)] * 2), st.integers(1, 120), st.integers(0, 9))
def test_site_by_site_tiles_change_nothing(untrained, shape, tile, seed):
    X = np.random.RandomState(seed).random_sample((2, *shape))
    whole = untrained.reconstruct(X)
    tiled = untrained.reconstruct(X, tile=tile)
    assert tiled.dtype == np.float32 and tiled.shape == X.shape
    np.testing.assert_allclose(tiled, whole, atol=1e-5)


def test_pixels_that_see_no_border_are_the_same(photo, photos, tiny):
    tile, side = 64, 2
    model = tiny(n_downsamples=1, n_components=12, max_epochs=3, lr=0.01).fit(photos)
    whole, tiled = model.reconstruct(photo), model.reconstruct(photo, tile=tile)
    unseen = [np.ones(length, bool) for length in photo.shape[1:3]]
    reach = (REACH + 1) * side
    for flags in unseen:
        # Tiles share a quarter with the next, so that they start 48 pixels apart.
        for start in range(48, len(flags) - 16, 48):
            flags[start : start + reach] = False
            flags[start + 16 - reach : start + 16] = False  # the one before ends here
    same = np.outer(*unseen)
    assert 0.1 < same.mean() < 0.5
    np.testing.assert_allclose(tiled[0, same], whole[0, same], atol=1e-5)
    # Elsewhere the network meets less of its surroundings, which hardly shows.
    assert np.abs(tiled - whole).max() > 1e-5
    assert np.sqrt(np.mean((tiled - whole) ** 2)) < 0.02


@pytest.mark.parametrize("estimator", [VQVAE])
def test_a_tile_as_large_as_the_image_is_the_image(photo, photos, tiny):
    model = tiny().fit(photos)
    np.testing.assert_array_equal(
        model.reconstruct(photo, tile=1000), model.reconstruct(photo)
    )


@pytest.mark.parametrize("estimator", [VQVAE])
def test_the_network_sees_a_tile_at_a_time(photo, photos, tiny, monkeypatch):
    model = tiny().fit(photos)
    module, seen = model.net_.module_, []
    latents = module.latents

    def note(images):
        seen.append(tuple(images.shape[-2:]))
        return latents(images)

    monkeypatch.setattr(module, "latents", note)
    model.reconstruct(photo, tile=30)
    assert set(map(max, seen)) == {32}  # whole sites of 4 pixels
    assert len(seen) == 5 * 8


@pytest.mark.parametrize("estimator", [VQVAE])
def test_tiles_of_many_images_come_in_batches(photo, photos, tiny, monkeypatch):
    model = tiny().fit(photos)
    X = np.concatenate(
        [photo[:, :64, :80], photo[:, 60:124, 100:180], 255 - photo[:, 9:73, 7:87]]
    )
    expected = model.reconstruct(X, tile=32)
    monkeypatch.setattr(inference, "_BATCH_ENTRIES", 2 * 8 * 8 * 24)
    np.testing.assert_allclose(model.reconstruct(X, tile=32), expected, atol=1e-5)
    for image, together in zip(X, expected, strict=True):
        alone = model.reconstruct(image[None], tile=32)[0]
        np.testing.assert_allclose(alone, together, atol=1e-5)


@pytest.mark.parametrize("estimator", [VQVAE])
@pytest.mark.parametrize("layout", ["grey", "flat", "range", "vectors"])
def test_tiles_come_back_in_the_layout_of_the_input(photo, tiny, layout):
    X, params = photo[:, :64, :48, 0] / 255, {}
    if layout == "flat":
        X, params = X.reshape(1, -1), {"image_shape": (64, 48)}
    elif layout == "range":
        X, params = 2 * X - 1, {"value_range": (-1, 1)}
    elif layout == "vectors":
        X, params = X[0] * 7 - 3, {"backbone_params": None}
    model = tiny(max_epochs=0, **params).fit(X)
    np.testing.assert_allclose(
        model.reconstruct(X, tile=16), model.reconstruct(X), atol=1e-5
    )


@pytest.mark.parametrize("estimator", [VQVAE])
def test_tiles_of_photos_of_different_sizes(photo, photos, tiny):
    model = tiny().fit(photos)
    X = [photo[0, :40, :50], photo[0, 30:90, :33]]
    tiled = model.reconstruct(X, tile=16)
    for image, found in zip(X, tiled, strict=True):
        alone = model.reconstruct(image[None], tile=16)[0]
        np.testing.assert_array_equal(found, alone)
        assert np.abs(model.reconstruct(image[None])[0] - alone).max() > 1e-6


@pytest.mark.parametrize(("tile", "error"), [(0, ValueError), (32.0, TypeError)])
def test_a_tile_has_whole_pixels(untrained, tile, error):
    with pytest.raises(error, match="tile"):
        untrained.reconstruct(np.zeros((1, 8, 8)), tile=tile)
