"""What a notebook shows of codes is what they hold, and quick for large ones."""

import base64
import io
import re
import sys
from html.parser import HTMLParser

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from sklearn_sparsevae.codes import SparseCodes
from sklearn_sparsevae.codes._html import maps_of, picture_of, size_of


class Cells(HTMLParser):
    """Reads a table, and checks that what is opened is closed."""

    def __init__(self, html):
        super().__init__()
        self.open, self.texts, self.image = [], [], None
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        if tag == "img":
            prefix, _, data = dict(attributes)["src"].partition(",")
            assert prefix == "data:image/png;base64"
            self.image = Image.open(io.BytesIO(base64.b64decode(data)))
        else:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, text):
        self.texts.append(text)

    @property
    def rows(self):
        names = ("images", "grid", "atoms", "non-zeros", "values", "dtype", "memory")
        return {n: self.texts[self.texts.index(n) + 1] for n in names}


def of_sites(values, grid_shape, n_atoms=8, **known):
    """Codes with the non-zeros of each site, on its first atoms."""
    counts = [len(v) for v in values]
    atoms = np.concatenate([np.arange(n) for n in counts])
    values = np.concatenate(values)
    known |= {"grid_shape": grid_shape, "n_atoms": n_atoms}
    return SparseCodes.from_sites(values, atoms, counts, **known)


def test_the_table_says_what_the_codes_hold(codes):
    shown = Cells(codes._repr_html_())
    n_sites = 6 * 3 * 4
    data = codes[:4].data
    assert shown.rows == {
        "images": "6 of 24 x 32 pixels",
        "grid": "3 x 4 sites",
        "atoms": "5, the first 2 for channel means",
        "non-zeros": f"{codes.nnz / n_sites:.4g} a site, {codes.nnz} in all",
        "values": f"{data.min():.4g} to {data.max():.4g} (first 4 images)",
        "dtype": "float32",
        "memory": size_of(codes),
    }
    assert "(first" not in Cells(codes[:3]._repr_html_()).rows["values"]


def test_memory_is_that_of_all_arrays(codes):
    arrays = (codes.data, codes.indices, codes.indptr, codes.thumbnails)
    size = sum(array.nbytes for array in arrays)
    assert size_of(codes) == f"{size / 1000:.3g} kB"
    assert f"memory='{size_of(codes)}'" in repr(codes)


@pytest.mark.parametrize(
    ("n_bytes", "words"),
    [(0, "0 B"), (999, "999 B"), (123_456, "123 kB"), (5 * 10**12, "5000 GB")],
)
def test_sizes_have_units(n_bytes, words):
    class Arrays:
        data, thumbnails = np.broadcast_to(np.int8(0), n_bytes), None
        indices = indptr = np.empty(0)

    assert size_of(Arrays) == words


def test_maps_show_how_many_non_zeros_a_site_has(codes):
    maps, name = maps_of(codes)
    assert name == "non-zeros of each site"
    dense = codes.toarray().reshape(6, 3, 4, 5)
    assert_array_equal(maps, (dense[..., 2:] != 0).sum(-1))


def test_where_all_sites_have_as_many_maps_show_their_norm():
    codes = of_sites([[3.0, -4.0], [1.0, 0.5], [0.1, 0.1], [6.0, 8.0]], (2, 2))
    maps, name = maps_of(codes)
    assert name == "norm of the code of each site"
    assert_allclose(maps[0], np.sqrt([[25, 1.25], [0.02, 100]]))


@pytest.mark.parametrize(("levels", "first"), [(1, ""), (2, "first ")])
def test_of_codes_that_count_maps_show_the_atom(levels, first):
    atoms = np.array([4, 2, 7, 2])
    every = np.stack([atoms, np.full(4, 7)], 1)[:, :levels]
    every[every[:, 0] == 7] = np.array([5, 7])[:levels]
    codes = SparseCodes.from_sites(
        np.ones(every.size), every.ravel(), [levels] * 4, grid_shape=(2, 2), n_atoms=8
    )
    maps, name = maps_of(codes)
    assert name == f"{first}atom of each site"
    assert_array_equal(maps[0], every[:, 0].reshape(2, 2))
    colors = np.asarray(picture_of(codes)[0].convert("RGB"))
    sites = colors[24::48, 24::48]  # amid the four squares of 48 pixels
    assert (sites[0, 1] == sites[1, 1]).all()
    assert len(np.unique(sites.reshape(-1, 3), axis=0)) == 3


def test_the_picture_has_a_square_for_every_site(codes):
    picture, caption = picture_of(codes)
    maps, _ = maps_of(codes[:4])
    assert caption == (
        f"Thumbnails, and below non-zeros of each site, {maps.min()} (dark) to "
        f"{maps.max()}, of 4 of 6 images"
    )
    side = 96 // 4
    pixels = np.asarray(picture).astype(int)
    assert pixels.shape == (2 * 3 * side + 4, 4 * (4 * side + 4) - 4, 4)
    below = pixels[3 * side + 4 :].sum(-1)
    for k in range(4):
        shown = below[:, k * (4 * side + 4) :][:, : 4 * side]
        squares = shown.reshape(3, side, 4, side)
        assert (squares == squares[:, :1, :, :1]).all()
        order = maps[k].ravel().argsort()
        assert (np.diff(squares[:, 0, :, 0].ravel()[order]) >= 0).all()
    thumbnail = pixels[: 3 * side : side, : 4 * side : side, :3]
    assert_array_equal(thumbnail, codes.thumbnails[0])


def test_only_the_first_images_are_looked_at(codes):
    many = codes[[*range(4), *[5] * 40]]
    few = Cells(many._repr_html_())
    later = many.indptr[4]
    many.data[later:] = np.nan
    many.indices[later:] = 0
    again = Cells(many._repr_html_())
    assert again.rows == few.rows
    assert_array_equal(np.asarray(again.image), np.asarray(few.image))


def test_large_images_are_shown_fewer_and_smaller():
    n_sites = 600 * 1000
    counts = np.ones(2 * n_sites, int)
    values = np.linspace(1, 2, 2 * n_sites, dtype=np.float32)
    codes = SparseCodes.from_sites(
        values, 0 * counts, counts, grid_shape=(600, 1000), n_atoms=3
    )
    picture, caption = picture_of(codes)
    assert picture.size == (256, 154) and caption.endswith("of 1 of 2 images")


def test_vectors_and_empty_codes_have_no_picture(codes):
    for none in (codes.sites(), codes[:0], 0 * codes):
        assert Cells(none._repr_html_()).image is None


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint16, np.float64])
def test_every_type_of_number_is_shown(codes, dtype):
    shown = Cells((5 * codes).astype(dtype)._repr_html_())
    assert shown.rows["dtype"] == np.dtype(dtype).name and shown.image is not None


def test_numbers_that_are_none_and_damaged_codes_are_shown_too():
    codes = of_sites([[3.0], [1.0], [2.0], [6.0]], (2, 2))
    codes.data[:] = np.nan
    assert Cells(codes._repr_html_()).rows["values"] == "nan to nan"
    codes.indptr[0] = 3
    assert "row pointer (indptr)" in "".join(Cells(codes._repr_html_()).texts)


def test_no_drawing_library_is_needed(codes, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert re.search("<img alt='Thumbnails, ", codes._repr_html_())
