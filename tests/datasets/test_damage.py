"""Damaged, crafted and oversized files give a photo or an error that names them."""

import io
import struct
import subprocess
import zipfile
import zlib

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from sklearn_sparsevae.datasets import load_image_archive, load_image_folder
from tests.datasets.pngs import png_of

PIXELS = np.random.RandomState(0).randint(256, size=(12, 10, 3), dtype=np.uint8)


def encoded(format, **options):
    file, image = io.BytesIO(), Image.fromarray(PIXELS)
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(file, format, exif=exif, **options)
    return file.getvalue()


def tiff(pixels=PIXELS, **options):
    file = io.BytesIO()
    tifffile.imwrite(file, pixels, **options)
    return file.getvalue()


def zipped(method, content=None):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr("cats/a.png", content or encoded("png"))
        archive.writestr("cats/b.jpg", encoded("jpeg"))
    return file.getvalue()


STACK = np.moveaxis(PIXELS, -1, 0).astype(np.uint16)
METHODS = ["STORED", "DEFLATED", "BZIP2", "LZMA"]
FILES = {
    "a.jpg": encoded("jpeg"),
    "a.png": encoded("png"),
    "a.webp": encoded("webp"),
    "a.gif": encoded("gif"),
    "a.bmp": encoded("bmp"),
    "plain.tif": tiff(STACK, photometric="minisblack"),
    "zlib.tif": tiff(photometric="rgb", compression="zlib", predictor=True),
    "tiles.tif": tiff(photometric="rgb", tile=(16, 16), bigtiff=True),
    "ome.tif": tiff(STACK, ome=True, metadata={"axes": "CYX"}),
    "imagej.tif": tiff(STACK, imagej=True, metadata={"axes": "ZYX"}),
    "lzw.tif": encoded("tiff", compression="tiff_lzw"),
    "jpeg.tif": encoded("tiff", compression="jpeg"),
    **{f"{m}.zip": zipped(getattr(zipfile, f"ZIP_{m}")) for m in METHODS},
}


def read_all(path):
    """Photos of a file, whose shapes are what they are said to be."""
    load = load_image_archive if path.suffix == ".zip" else load_image_folder
    photos = load(path if path.suffix == ".zip" else path.parent)
    for i, image in enumerate(photos.images):
        assert photos.images[i : i + 1].shapes == [image.shape]
    return photos


flips = st.lists(
    st.tuples(st.floats(0, 1), st.integers(1, 255)), min_size=1, max_size=4
)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.filterwarnings("ignore")  # Pillow's, about what it reads all the same
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    max_examples=25,
    deadline=None,
)
@given(changes=flips, left=st.floats(0, 1) | st.just(1.0), heading=st.booleans())
def test_damage_is_a_photo_or_an_error_that_names_the_file(
    tmp_path, name, changes, left, heading
):
    content = bytearray(FILES[name])
    reach = min(len(content), 200) if heading else len(content)
    for place, value in changes:
        content[min(int(place * reach), reach - 1)] ^= value
    path = tmp_path / name
    path.write_bytes(content[: round(left * len(content))])
    try:
        read_all(path)
    except ValueError as error:
        assert type(error) is ValueError and name in str(error)


@pytest.mark.parametrize("name", FILES)
def test_undamaged_they_are_read(tmp_path, name):
    (tmp_path / name).write_bytes(FILES[name])
    assert len(read_all(tmp_path / name).images) >= 1


def test_only_photos_are_opened(tmp_path, monkeypatch):
    def start(*args, **kwargs):
        raise AssertionError("a program was started")

    monkeypatch.setattr(subprocess, "Popen", start)
    script = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n"
    fits = io.BytesIO()
    Image.new("L", (4, 4)).save(fits, "ppm")
    for suffix in ("png", "jpg", "tif"):
        for content in (script, fits.getvalue(), b"", b"BM", b"GIF8", b"RIFF"):
            path = tmp_path / f"cat.{suffix}"
            path.write_bytes(content)
            with pytest.raises(ValueError, match=f"cat.{suffix}"):
                load_image_folder(tmp_path).images[0]
            path.unlink()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.png", png_of(300, 400)),
        ("a.tif", tiff(np.zeros((300, 400), np.uint8), compression="zlib")),
        ("b.tif", tiff(np.zeros((2, 10, 600, 4), np.uint8).reshape(20, 600, 4))),
    ],
)
def test_bombs_are_refused_before_they_are_decoded(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    n_pixels = 120_000 if name.startswith("a") else 12_000
    images = load_image_folder(tmp_path, max_pixels=n_pixels - 1).images
    with pytest.raises(ValueError, match=f"{name}: .*max_pixels={n_pixels - 1}. Raise"):
        images[0]
    load_image_folder(tmp_path, max_pixels=n_pixels).images[0]
    with pytest.raises(ValueError, match="Got max_pixels=0"):
        load_image_folder(tmp_path, max_pixels=0)


def test_many_channels_count(tmp_path):
    pixels = np.zeros((10, 10, 40), np.uint8)
    cube = tiff(pixels, photometric="minisblack", planarconfig="contig")
    (tmp_path / "a.tif").write_bytes(cube)
    assert load_image_folder(tmp_path, max_pixels=1000).images[0].size == 4000
    with pytest.raises(ValueError, match="40 channel"):
        load_image_folder(tmp_path, max_pixels=999).images[0]


def test_a_strip_inflates_to_its_pixels_and_no_further(tmp_path):
    content = bytearray(tiff(np.zeros((8, 8), np.uint8), compression="zlib"))
    with tifffile.TiffFile(io.BytesIO(content)) as file:
        tags = file.pages[0].tags
        places = [tags[name].valueoffset for name in (273, 279)]
    bomb = zlib.compress(bytes(10**6), 9)
    for place, value in zip(places, (len(content), len(bomb))):
        content[place : place + 4] = struct.pack("<I", value)
    (tmp_path / "a.tif").write_bytes(content + bomb)
    with pytest.raises(ValueError, match="a.tif: a strip holds more than its pixels"):
        load_image_folder(tmp_path).images[0]


def test_pillows_own_limit_stands_in_nobodys_way(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    for name in ("a.jpg", "a.png", "zlib.tif", "a.bmp"):
        (tmp_path / name).write_bytes(FILES[name])
    assert len(list(load_image_folder(tmp_path, size=4).images)) == 4
    (tmp_path / "lzw.tif").write_bytes(FILES["lzw.tif"])
    with pytest.raises(ValueError, match="lzw.tif: Pillow, .*MAX_IMAGE_PIXELS = None"):
        list(load_image_folder(tmp_path).images)


@pytest.mark.parametrize("method", METHODS)
def test_members_above_a_size_are_refused(tmp_path, method):
    content = zipped(getattr(zipfile, f"ZIP_{method}"), png_of(100, 100) + bytes(9000))
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"a.zip: cats/a.png has \d+ bytes unpacked"):
        load_image_archive(path, max_pixels=1000).images[0]
    # What the archive says of the size is not believed.
    size = struct.pack("<I", 9000 + len(png_of(100, 100)))
    assert content.count(size) >= 2
    path.write_bytes(content.replace(size, struct.pack("<I", 50)))
    with pytest.raises(ValueError, match="a.zip: cats/a.png"):
        load_image_archive(path, max_pixels=1000).images[0]


def with_flag(content, place, value):
    """An archive of which all members have a value in their two headers."""
    content = bytearray(content)
    for start, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        at = content.find(start)
        while at >= 0:
            content[at + offset + place] = value
            at = content.find(start, at + 1)
    return bytes(content)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            with_flag(zipped(zipfile.ZIP_DEFLATED), 0, 1),
            "encrypted: unpack it with its",
        ),
        (with_flag(zipped(zipfile.ZIP_DEFLATED), 2, 9), "compression"),
        (with_flag(zipped(zipfile.ZIP_DEFLATED), 2, 14), "damaged"),
        (with_flag(zipped(zipfile.ZIP_DEFLATED), 2, 12), "damaged"),
        (with_flag(zipped(zipfile.ZIP_LZMA), 2, 8), "damaged"),
    ],
    ids=["encrypted", "unknown", "lzma", "bzip2", "deflate"],
)
def test_archives_that_python_cannot_unpack(tmp_path, content, words):
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"a.zip: cats/a.png .*{words}.* anew"):
        load_image_archive(path).images[0]


def test_a_garbled_directory_names_the_archive(tmp_path):
    content = zipped(zipfile.ZIP_STORED)
    path = tmp_path / "a.zip"
    path.write_bytes(content.replace(b"PK\1\2", b"PK\1\3"))
    with pytest.raises(ValueError, match="a.zip is damaged"):
        load_image_archive(path)
