"""Images of folders and zip files: what comes out, when, and what is refused."""

import pickle
import zipfile
from collections.abc import Sequence

import joblib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from PIL import Image

from sklearn_sparsevae.datasets import load_image_archive, load_image_folder
from sklearn_sparsevae.datasets._window import Window

LOADERS = ["folder", "archive"]


@pytest.fixture
def load(tmp_path, write_zip):
    """Return a function that loads members from a folder or a zip file."""

    def put(kind, members, **options):
        if kind == "archive":
            path = write_zip(tmp_path / "photos.zip", members)
            return load_image_archive(path, **options)
        for name, content in members.items():
            path = tmp_path / "photos" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return load_image_folder(tmp_path / "photos", **options)

    return put


@pytest.mark.parametrize("kind", LOADERS)
def test_photos_come_out_as_they_went_in_sorted_by_name(kind, load, encode, photo):
    pixels = [photo(5, 7, seed) for seed in range(3)]
    members = {f"{name}.png": encode(p) for name, p in zip("cab", pixels)}
    photos = load(kind, members)
    assert photos.names == ["a.png", "b.png", "c.png"]
    assert isinstance(photos.images, Sequence) and len(photos.images) == 3
    for image, expected in zip(photos.images, [pixels[1], pixels[2], pixels[0]]):
        assert image.dtype == np.uint8
        assert_array_equal(image, expected)
    assert "target" not in photos


@pytest.mark.parametrize("kind", LOADERS)
def test_folders_are_classes_and_other_files_are_left_out(kind, load, encode, photo):
    image = encode(photo())
    names = ["dogs/b/1.PNG", "cats/2.png", "cats/1.png"]
    others = ["cats/notes.txt", ".hidden/3.png", "cats/.4.png", "__MACOSX/cats/1.png"]
    photos = load(kind, dict.fromkeys(names + others, image))
    assert photos.names == sorted(names)
    assert photos.target_names == ["cats", "dogs"]
    assert photos.target.tolist() == [0, 0, 1]


def test_a_folder_of_an_archive_is_looked_at_alone(load, encode, photo):
    members = {"train/a.png": encode(photo()), "training/b.png": encode(photo())}
    photos = load("archive", members, folder="train")
    assert photos.names == ["a.png"]
    assert_array_equal(photos.images[0], photo())


@pytest.mark.parametrize("kind", LOADERS)
def test_nothing_is_read_before_it_is_asked_for(kind, load, encode, photo):
    members = {"a.png": encode(photo())[:50], "b.png": encode(photo()), "c.png": b"no"}
    photos = load(kind, members)
    assert_array_equal(photos.images[1], photo())
    assert_array_equal(photos.images[1:][0], photo())
    with pytest.raises(ValueError, match="a.png: no whole image .* Replace the file"):
        photos.images[0]
    with pytest.raises(ValueError, match="c.png: it is no photo in a format that is"):
        photos.images[2]


@given(
    st.tuples(st.integers(1, 40), st.integers(1, 40)), st.integers(1, 50), st.booleans()
)
def test_what_is_shown_is_a_central_square_inside_the_image(shape, size, resize):
    window = Window(size, resize)
    if size > min(shape) and not resize:
        with pytest.raises(ValueError, match=f"expected at least size={size}"):
            window.part(*shape, None)
        return
    top, left, height, width = window.part(*shape, None)
    assert height == width == (min(shape) if resize else size)
    for start, side in zip((top, left), shape):
        assert 0 <= start <= side - height
        assert abs(start - (side - height - start)) <= 1
    assert window.labels(np.zeros(shape), None).shape == (size, size)


def test_without_resize_the_centre_is_cut_from_the_photo(load, encode, photo):
    photos = load("folder", {"a.png": encode(photo(8, 11))}, size=4, resize=False)
    assert_array_equal(photos.images[0], photo(8, 11)[2:6, 3:7])


def test_with_resize_the_largest_square_is_scaled_smoothly(load, encode):
    # Of stripes one pixel wide, smoothing leaves grey; taking pixels leaves 0 or 255.
    stripes = np.zeros((32, 48, 3), np.uint8)
    stripes[:, ::2] = 255
    image = load("folder", {"a.png": encode(stripes)}, size=4).images[0]
    assert image.shape == (4, 4, 3)
    assert np.abs(image[:, 1:3].astype(int) - 127).max() <= 15


@pytest.mark.parametrize("kind", LOADERS)
def test_shapes_are_told_without_decoding(kind, load, encode, photo):
    sideways = Image.fromarray(photo(6, 9))
    exif = sideways.getexif()
    exif[0x0112] = 6
    members = {
        "a.jpg": encode(photo(6, 9), "jpg")[:-30],  # the pixels are not whole
        "b.jpg": encode(sideways, "jpg", exif=exif),
        "c.png": encode(sideways, exif=exif)[:-30],
    }
    photos = load(kind, members)
    assert photos.images.shapes == [(6, 9, 3), (9, 6, 3), (9, 6, 3)]
    assert photos.images[1].shape == (9, 6, 3)
    assert load(kind, members, size=4).images.shapes == [(4, 4, 3)] * 3
    assert load(kind, members, as_gray=True).images.shapes == [(6, 9), *[(9, 6)] * 2]
    with pytest.raises(ValueError, match="a.jpg: no whole image"):
        photos.images[0]


def test_photos_are_turned_upright(load, encode, photo):
    exif = Image.Exif()
    exif[0x0112] = 8  # turn left to see it upright
    photos = load("folder", {"a.png": encode(photo(), exif=exif)})
    assert_array_equal(photos.images[0], np.rot90(photo()))


def test_what_a_png_says_after_its_pixels_counts(load, encode, photo):
    exif = Image.Exif()
    exif[0x0112] = 8
    content = encode(photo(), exif=exif)
    start, end = content.index(b"eXIf") - 4, content.index(b"IDAT") - 4
    late = content[:start] + content[end:-12] + content[start:end] + content[-12:]
    photos = load("folder", {"a.png": late})
    assert photos.images.shapes == [(9, 6, 3)]
    assert_array_equal(photos.images[0], np.rot90(photo()))


def _palette():
    image = Image.new("P", (1, 1), 1)
    image.putpalette([0, 0, 0, 10, 20, 30])
    return image


@pytest.mark.parametrize(
    ("image", "color"),
    [
        (Image.new("L", (1, 1), 100), (100, 100, 100)),
        (Image.new("1", (1, 1), 1), (255, 255, 255)),
        (_palette(), (10, 20, 30)),
        (Image.new("RGBA", (1, 1), (10, 20, 30, 255)), (10, 20, 30)),
        (Image.new("RGBA", (1, 1), (10, 20, 30, 0)), (255, 255, 255)),
        (Image.new("LA", (1, 1), (0, 0)), (255, 255, 255)),
    ],
    ids=[
        "grey",
        "1 bit",
        "palette",
        "opaque",
        "clear",
        "grey clear",
    ],
)
def test_every_kind_of_8_bits_becomes_colour(load, encode, image, color):
    photos = load("folder", {"a.png": encode(image)})
    assert_array_equal(photos.images[0], [[color]])


def test_grey_photos_are_luma(load, encode, photo):
    image = load("folder", {"a.png": encode(photo())}, as_gray=True).images[0]
    luma = photo() @ [0.299, 0.587, 0.114]
    assert image.shape == luma.shape and np.abs(image - luma).max() <= 1


@pytest.mark.parametrize("kind", LOADERS)
def test_sequences_can_be_pickled_cut_and_sent_to_processes(kind, load, encode, photo):
    members = {f"{i}.png": encode(photo(seed=i)) for i in range(4)}
    images = load(kind, members).images
    images[0]  # opens the archive
    assert_array_equal(pickle.loads(pickle.dumps(images))[3], photo(seed=3))
    few = images[np.array([3, 1])]
    assert few.names == ["3.png", "1.png"] and len(images[1:]) == 3
    assert images[np.array([True, False, False, True])].names == ["0.png", "3.png"]
    assert_array_equal(few[-1], photo(seed=1))
    with pytest.raises(IndexError):
        images[4]
    sums = joblib.Parallel(2, prefer="threads")(
        joblib.delayed(lambda i: int(images[i].sum()))(i) for i in range(4)
    )
    assert sums == [int(photo(seed=i).sum()) for i in range(4)]
    assert_array_equal(np.stack(images), [photo(seed=i) for i in range(4)])


def test_damaged_archives_are_refused(tmp_path, write_zip, encode, photo):
    path = write_zip(tmp_path / "a.zip", {"a.png": encode(photo())})
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match="a.zip is no zip file .* cut short"):
        load_image_archive(path)
    garbled = bytearray(content)
    with zipfile.ZipFile(write_zip(path, {"a.png": encode(photo())})) as archive:
        start = archive.getinfo("a.png").header_offset + 30 + len("a.png")
    garbled[start + 20 : start + 40] = bytes(20)
    path.write_bytes(garbled)
    with pytest.raises(ValueError, match="a.zip: a.png is missing or damaged"):
        load_image_archive(path).images[0]


@pytest.mark.parametrize("load_images", [load_image_folder, load_image_archive])
def test_missing_paths_are_named(load_images, tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        load_images(tmp_path / "nowhere")


@pytest.mark.parametrize("kind", LOADERS)
def test_places_without_images_are_refused(kind, load):
    with pytest.raises(ValueError, match="photos.* holds no images; expected .*[.]png"):
        load(kind, {"notes.txt": b""})


def test_bad_sizes_are_refused(tmp_path, load, encode, photo):
    with pytest.raises(ValueError, match="Got size=0; expected a number of pixels"):
        load_image_folder(tmp_path, size=0)
    photos = load("folder", {"a.png": encode(photo(6, 9))}, size=7, resize=False)
    with pytest.raises(ValueError, match="a.png: 6 x 9 pixels; .* size=7"):
        photos.images[0]
