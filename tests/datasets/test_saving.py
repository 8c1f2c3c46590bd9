"""Images go into files, and what the files that they came from say goes with them."""

import numpy as np
import pytest
import tifffile
from numpy.testing import assert_array_equal
from PIL import Image, PngImagePlugin

from sklearn_sparsevae.datasets import _tiff_writing, load_image_folder, save_images


def numbers(shape, dtype=np.uint16, seed=0):
    rng = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "f":
        return rng.random(shape).astype(dtype)
    return rng.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


OME = {
    "axes": "TYX",
    "PhysicalSizeX": 0.25,
    "PhysicalSizeXUnit": "µm",
    "Channel": {"Name": ["Grün"]},
}
IMAGEJ = {"spacing": 2.5, "unit": "um", "finterval": 0.5, "Info": "what else"}

# How files are written, whose images are read and saved like them.
TIFFS = {
    "plain": (numbers((5, 9, 8)), {"metadata": None}),
    "shaped": (numbers((5, 9, 8)), {"metadata": {"axes": "ZYX", "gain": 3}}),
    "contiguous": (numbers((5, 9, 8)), {"truncate": True}),
    "one": (numbers((9, 8), np.int16), {"description": "cells", "software": "scope"}),
    "floats": (numbers((3, 9, 8), np.float32), {"metadata": None}),
    "doubles, big-endian": (numbers((3, 9, 8), np.float64), {"byteorder": ">"}),
    "colour": (numbers((3, 9, 8, 3), np.uint8), {"photometric": "rgb"}),
    "planes of colour": (
        numbers((3, 9, 8)),
        {"photometric": "rgb", "planarconfig": "separate"},
    ),
    "packed": (numbers((4, 9, 8)), {"compression": "zlib", "predictor": True}),
    "tiles": (numbers((4, 40, 40)), {"tile": (16, 16)}),
    "BigTIFF": (numbers((4, 9, 8)), {"bigtiff": True}),
    "five channels": (
        numbers((2, 9, 8, 5), np.uint8),
        {"photometric": "minisblack", "planarconfig": "contig", "metadata": None},
    ),
    "ImageJ": (
        numbers((4, 2, 9, 8)),
        {"imagej": True, "metadata": {"axes": "ZCYX", **IMAGEJ}},
    ),
    "ImageJ colour": (
        numbers((2, 9, 8, 3), np.uint8),
        {
            "imagej": True,
            "photometric": "rgb",
            "metadata": {"axes": "TYXS", "Labels": ["a", "b"]},
        },
    ),
    "OME": (numbers((5, 9, 8)), {"ome": True, "metadata": OME}),
    "OME channels first": (
        numbers((2, 4, 9, 8)),
        {"ome": True, "metadata": {"axes": "CTYX"}, "byteorder": ">"},
    ),
    "OME colour": (
        numbers((3, 9, 8, 3), np.uint8),
        {"ome": True, "photometric": "rgb", "metadata": {"axes": "ZYXS"}},
    ),
}


def put(path, name):
    pixels, options = TIFFS[name]
    grey = {"datetime": "2026:11:26 10:00:00", "photometric": "minisblack"}
    options = {**grey, **options}
    tifffile.imwrite(path, pixels, resolution=(4, 3), resolutionunit=3, **options)
    return path


def said_by(path):
    """What tifffile says of a file besides how its pixels are stored."""
    with tifffile.TiffFile(path) as tif:
        page, series = tif.pages.first, tif.series[0]
        tags = {
            code: page.tags.valueof(code)
            for code in (270, 282, 283, 296, 305, 306, 50838, 50839, 259, 284, 262)
        }
        described = (tags[270] or "").replace(', "truncated": true', "")
        tags[270] = described  # now each page is
        axes = {series.axes.replace("Q", "I"), *map(str, series.shape)}
        return tags, sorted(axes), str(series.dtype), tif.byteorder, tif.is_bigtiff


@pytest.mark.parametrize("name", TIFFS)
def test_a_stack_is_read_again_as_it_was(tmp_path, name):
    (tmp_path / "in").mkdir()
    path = put(tmp_path / "in/a.tif", name)
    images = load_image_folder(path.parent).images
    saved = tmp_path / "a.tif"
    assert save_images(images, saved, like=path) == [saved]
    assert_array_equal(tifffile.imread(saved), tifffile.imread(path))
    assert said_by(saved) == said_by(path)
    assert [p.name for p in tmp_path.iterdir()] in (["in", "a.tif"], ["a.tif", "in"])


def test_what_the_writer_says_is_what_is_kept(tmp_path):
    put(tmp_path / "a.tif", "OME")
    images = load_image_folder(tmp_path, as_gray=True).images
    floats = [np.float32(image / 65535) for image in images]
    (saved,) = save_images(
        floats, tmp_path / "b.tif", like=tmp_path / "a.tif", dtype="float32"
    )
    with tifffile.TiffFile(saved) as tif:
        assert 'Type="float"' in tif.ome_metadata and "Grün" in tif.ome_metadata
        assert 'PhysicalSizeX="0.25"' in tif.ome_metadata
        assert tif.series[0].axes == "TYX" and tif.series[0].dtype == np.float32
    assert_array_equal(tifffile.imread(saved), np.stack(floats))


def test_pages_of_two_sizes_and_types_keep_their_places(tmp_path):
    pages = [
        numbers((4, 6), np.uint16, 0),
        numbers((5, 7), np.uint8, 1),
        numbers((4, 6), np.uint16, 2),
        numbers((5, 7), np.uint8, 3),
    ]
    path = tmp_path / "in/a.tif"
    path.parent.mkdir()
    with tifffile.TiffWriter(path) as tif:
        for i, page in enumerate(pages):
            about = {"description": f"number {i}", "metadata": None}
            tif.write(page, photometric="minisblack", **about)
    images = list(load_image_folder(path.parent).images)
    assert [image.dtype.itemsize for image in images] == [2, 2, 1, 1]
    save_images(images, tmp_path / "a.tif", like=path)
    with tifffile.TiffFile(tmp_path / "a.tif") as tif:
        for i, (page, expected) in enumerate(zip(tif.pages, pages, strict=True)):
            assert_array_equal(page.asarray(), expected)
            assert page.description == f"number {i}" and page.dtype == expected.dtype


def test_transparent_parts_are_white_and_opaque(tmp_path):
    (tmp_path / "in").mkdir()
    pixels = numbers((2, 4, 5, 4), np.uint8)
    rgba = {"photometric": "rgb", "extrasamples": ["unassalpha"]}
    tifffile.imwrite(tmp_path / "in/a.tif", pixels, metadata={"axes": "ZYXS"}, **rgba)
    before = load_image_folder(tmp_path / "in").images
    save_images(before, tmp_path / "a.tif", like=tmp_path / "in/a.tif")
    assert tifffile.imread(tmp_path / "a.tif").shape == (2, 4, 5, 4)
    assert (tifffile.imread(tmp_path / "a.tif")[..., 3] == 255).all()
    (tmp_path / "out").mkdir()
    (tmp_path / "a.tif").rename(tmp_path / "out/a.tif")
    for one, other in zip(before, load_image_folder(tmp_path / "out").images):
        assert_array_equal(one, other)


def test_a_stack_is_never_held_as_a_whole(tmp_path):
    """A block is asked for when the one before is in the file."""
    path = put(tmp_path / "a.tif", "ImageJ")
    pixels, _ = TIFFS["ImageJ"]
    sizes = []

    def blocks():
        for start in range(0, 4, 2):
            (aside,) = tmp_path.glob(".aside-*/*")
            sizes.append(aside.stat().st_size)
            yield np.moveaxis(pixels[start : start + 2], 1, -1)

    save_images(blocks(), tmp_path / "b.tif", like=path)
    assert sizes[1] >= sizes[0] + pixels[:2].nbytes
    assert_array_equal(tifffile.imread(tmp_path / "b.tif"), pixels)
    # Without an example nobody knows how many there will be.
    several = ([image] for image in numbers((3, 4, 5)))
    save_images(several, tmp_path / "c.tif")
    with tifffile.TiffFile(tmp_path / "c.tif") as tif:
        assert tif.is_bigtiff and len(tif.pages) == 3


def test_what_is_larger_than_4_gb_is_a_bigtiff(tmp_path, monkeypatch):
    path = put(tmp_path / "a.tif", "plain")
    images = load_image_folder(tmp_path, as_gray=True).images
    n_bytes = 5 * 9 * 8 * 2
    for most, is_big in [(n_bytes, False), (n_bytes - 1, True)]:
        monkeypatch.setattr(_tiff_writing, "_MOST_OF_A_TIFF", most)
        for like in (path, None):
            (saved,) = save_images(
                images, tmp_path / "b.tif", like=like, overwrite=True
            )
            with tifffile.TiffFile(saved) as tif:
                assert tif.is_bigtiff == is_big
            assert_array_equal(tifffile.imread(saved), TIFFS["plain"][0])


def test_channels_are_samples_unless_the_example_has_planes(tmp_path):
    for n_channels in (1, 2, 3, 4, 7):
        pixels = numbers((2, 5, 6, n_channels))
        (tmp_path / str(n_channels)).mkdir()
        (path,) = save_images(pixels, tmp_path / str(n_channels) / "a.tif")
        images = load_image_folder(path.parent).images
        expected = pixels if n_channels > 1 else np.repeat(pixels, 3, axis=-1)
        assert_array_equal(np.stack(list(images)), expected)


# ---- numbers ------------------------------------------------------------------------


def test_floats_span_the_dtype_rounded_and_clipped(tmp_path):
    values = np.float32([[-0.3, 0.0, 0.3, 0.4999, 1.0, 1.2]])
    for dtype, expected in [
        ("uint8", [0, 0, 77, 127, 255, 255]),
        ("uint16", [0, 0, 19661, 32761, 65535, 65535]),
    ]:
        (path,) = save_images([values], tmp_path / f"{dtype}.tif", dtype=dtype)
        assert_array_equal(tifffile.imread(path), [expected])
        assert tifffile.imread(path).dtype == dtype
    (path,) = save_images([values], tmp_path / "a.tif", dtype="uint64")
    assert tifffile.imread(path)[0, -1] > 2**64 - 2**12
    (path,) = save_images([values], tmp_path / "b.tif")  # floats are what they are
    assert_array_equal(tifffile.imread(path), values)
    (path,) = save_images([values], tmp_path / "b.png")
    assert_array_equal(np.asarray(Image.open(path)), [[0, 0, 77, 127, 255, 255]])


def test_a_range_is_written_as_it_is(tmp_path):
    values = np.float32([[-3, 0, 7.4, 4095, 5000]])
    bits = {"value_range": (0, 4095)}
    (path,) = save_images([values], tmp_path / "a.tif", dtype="uint16", **bits)
    assert_array_equal(tifffile.imread(path), [[0, 0, 7, 4095, 4095]])
    (path,) = save_images([values], tmp_path / "b.tif", **bits)
    assert_array_equal(tifffile.imread(path), values)
    with pytest.raises(ValueError, match="beyond uint8, which holds 0 to 255"):
        save_images([values], tmp_path / "c.tif", dtype="uint8", **bits)
    signed = numbers((2, 3, 4), np.int16)
    (path,) = save_images(signed, tmp_path / "d.tif")
    assert_array_equal(tifffile.imread(path), signed)
    eight = numbers((2, 3, 4), np.uint8)
    (path,) = save_images(eight, tmp_path / "e.tif", dtype="uint16")
    assert_array_equal(tifffile.imread(path), eight.astype(np.uint16) * 257)


# ---- PNG, JPEG, and folders ---------------------------------------------------------


def test_pictures_keep_what_their_files_say(tmp_path, photo):
    exif = Image.Exif()
    exif[274], exif[271] = 6, "scope"
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Title", "cat")
    said = {"dpi": (300, 300), "exif": exif, "icc_profile": b"profile"}
    for name, more in [("a.png", {"pnginfo": texts}), ("a.jpg", {"comment": b"cat"})]:
        path = tmp_path / name[2:] / name
        path.parent.mkdir()
        Image.fromarray(photo(6, 9)).save(path, **said, **more)
        turned = load_image_folder(path.parent).images[0]
        (saved,) = save_images([turned], tmp_path / name, like=path)
        with Image.open(saved) as image:
            image.load()
        assert image.size == (6, 9) and image.mode == "RGB"
        assert np.round(image.info["dpi"]).tolist() == [300, 300]
        assert image.info["icc_profile"] == b"profile"
        assert dict(image.getexif()) == {271: "scope"}
        assert image.info.get("Title", image.info.get("comment")) in ("cat", b"cat")
        assert np.abs(np.asarray(image) - turned.astype(int)).mean() < 30
        if name == "a.png":
            assert_array_equal(np.asarray(image), turned)


def test_a_folder_comes_back_with_names_types_and_stacks(tmp_path, photo):
    folder = tmp_path / "in"
    (folder / "cats").mkdir(parents=True)
    grey = numbers((6, 9), np.uint16)
    Image.fromarray(photo()).save(folder / "cats/a.png")
    Image.fromarray(grey).save(folder / "cats/deep.png")
    Image.fromarray(photo()[..., 0]).save(folder / "grey.png")
    Image.fromarray(photo()).save(folder / "old.bmp")
    tifffile.imwrite(folder / "z.tif", numbers((3, 4, 5)), photometric="minisblack")
    before = load_image_folder(folder)
    paths = save_images(
        before.images, tmp_path / "out", like=folder, names=before.names
    )
    relative = [path.relative_to(tmp_path / "out").as_posix() for path in paths]
    names = ["cats/a.png", "cats/deep.png", "grey.png", "old.png", "z.tif"]
    assert relative == names
    after = load_image_folder(tmp_path / "out")
    assert [name.replace("bmp", "png") for name in before.names] == after.names
    for one, other in zip(before.images, after.images, strict=True):
        assert one.dtype == other.dtype
        assert_array_equal(one, other)
    for path, mode in zip(paths, ["RGB", "I;16", "L"]):
        with Image.open(path) as image:
            assert image.mode == mode


# ---- what is refused ----------------------------------------------------------------

GREY = np.zeros((2, 6, 9), np.float32)


@pytest.mark.parametrize(
    ("images", "options", "error", "words"),
    [
        (GREY, {"like": "b.tif"}, FileNotFoundError, "b.tif"),
        (GREY, {"like": "five.tif"}, ValueError, "Got 2 images .* has 5; expected"),
        (iter([GREY]), {"like": "five.tif"}, ValueError, "Got 2 images for new.tif"),
        (iter([GREY] * 3), {"like": "five.tif"}, ValueError, "Got more images"),
        (GREY[:, :5], {"like": "two.tif"}, ValueError, r"\[0\] has 5 x 9 pixels, and"),
        (np.zeros((2, 6, 9, 4)), {"like": "two.tif"}, ValueError, "has 4 channels"),
        (GREY + 7, {"dtype": "uint8"}, ValueError, r"values in \[7, 7\]; expected flo"),
        (GREY * np.nan, {"dtype": "uint8"}, ValueError, "NaN or infinity"),
        (GREY, {"dtype": "int16"}, ValueError, "say what is black and"),
        (GREY, {"dtype": "text"}, TypeError, "dtype of files"),
        (GREY, {"dtype": bool}, TypeError, r"\(bool\)"),
        (GREY > 0, {}, TypeError, "save_masks"),
        (GREY, {"value_range": 4}, ValueError, "value_range=4"),
        (GREY, {"value_range": (1, 1)}, ValueError, "low < high"),
        (GREY, {"overwrite": 1}, TypeError, "overwrite=1"),
        (GREY, {"names": ["a.png"]}, ValueError, "Got 1 names for 2 images"),
        (GREY, {"names": ["a.png", "../b.png"]}, ValueError, "inside it"),
        (GREY, {"names": ["a.bmp", "a.png"]}, ValueError, "'a.bmp' and 'a.png'"),
        (GREY, {"names": ["a.tif[0]", "a.tif[2]"]}, ValueError, r"pages \[0, 2\]"),
        (GREY, {"names": ["a.png", 3]}, TypeError, "type int"),
        (GREY, {"path": "new.png"}, ValueError, "2 images for new.png"),
        (GREY, {"path": "new.gif"}, ValueError, "ends in .tif, .tiff, .png"),
        (GREY, {"path": "two.tif"}, FileExistsError, "overwrite=True"),
        (
            GREY,
            {"path": "two.tif", "like": "two.tif", "overwrite": True},
            FileExistsError,
            "like= itself",
        ),
        (GREY, {"path": "not/new.tif"}, FileNotFoundError, "Make it first"),
        (GREY[0], {}, ValueError, r"shape \(6, 9\)"),
        (np.zeros((6, 9, 3)), {}, ValueError, r"photo\[None\]"),
        ([], {}, ValueError, "no images"),
        (iter([]), {}, ValueError, "Got 0 images"),
        ("a.png", {}, TypeError, "type str"),
        (None, {}, TypeError, "NoneType"),
        ([np.zeros(3)], {}, ValueError, r"images\[0\] has shape \(3,\)"),
        (numbers((1, 6, 9, 3)), {"path": "new.png"}, ValueError, "PNG file cannot"),
        (numbers((1, 6, 9)), {"path": "new.jpg"}, ValueError, "JPEG file cannot hold"),
    ],
)
def test_bad_arguments_leave_no_file(tmp_path, images, options, error, words):
    for name, n_pages in [("two", 2), ("five", 5)]:
        stack = np.zeros((n_pages, 6, 9), np.uint16)
        tifffile.imwrite(tmp_path / f"{name}.tif", stack, photometric="minisblack")
    options = {"path": "new.tif", **options}
    if "names" in options:
        options["path"] = "folder"
    options["path"] = tmp_path / options["path"]
    if "like" in options:
        options["like"] = tmp_path / options["like"]
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(error, match=words):
        save_images(images, **options)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_colours_that_an_ome_file_describes_are_not_lost(tmp_path):
    path = put(tmp_path / "a.tif", "OME colour")
    images = load_image_folder(tmp_path, as_gray=True).images
    with pytest.raises(ValueError, match="are grey, and the OME file"):
        save_images(images, tmp_path / "b.tif", like=path)
    path = put(tmp_path / "a.tif", "colour")
    images = load_image_folder(tmp_path, as_gray=True).images
    save_images(images, tmp_path / "b.tif", like=path)
    assert_array_equal(tifffile.imread(tmp_path / "b.tif"), np.stack(list(images)))
