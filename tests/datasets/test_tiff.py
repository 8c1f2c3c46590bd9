"""TIFF files: pages are photos, and no level is lost."""

import io
import pickle

import joblib
import numpy as np
import pytest
import tifffile
from numpy.testing import assert_array_equal
from PIL import Image

from sklearn_sparsevae.datasets import load_image_archive, load_image_folder


@pytest.fixture
def load(tmp_path):
    """Return a function that writes a file with tifffile and loads its folder."""

    def put(pixels, name="a.tif", options=(), **written):
        tifffile.imwrite(tmp_path / name, pixels, **written)
        return load_image_folder(tmp_path, **dict(options))

    return put


@pytest.fixture
def stack():
    """Ten pages of 12 bits."""
    rng = np.random.RandomState(0)
    return rng.randint(4096, size=(10, 6, 9)).astype(np.uint16)


GREY = {"as_gray": True}


def comment_of(stack):
    """Describe a stack as OME does."""
    file = io.BytesIO()
    tifffile.imwrite(file, stack, ome=True, metadata={"axes": "TYX"})
    file.seek(0)
    return tifffile.tiffcomment(file)


def check(photos, expected):
    """The photos are these, and say so before they are read."""
    assert photos.images.shapes == [pixels.shape for pixels in expected]
    for image, pixels in zip(photos.images, expected, strict=True):
        assert image.dtype == pixels.dtype
        assert_array_equal(image, pixels)


def test_pages_are_photos_with_names(load, stack):
    photos = load(stack, options=GREY)
    assert photos.names == [f"a.tif[{i}]" for i in range(10)]
    check(photos, stack)
    check(
        load_image_folder(photos.images.source.path),
        [np.dstack([p] * 3) for p in stack],
    )
    few = pickle.loads(pickle.dumps(photos.images[[7, 2]]))
    assert few.names == ["a.tif[7]", "a.tif[2]"]
    assert_array_equal(few[0], stack[7])


def test_a_page_is_read_alone(load, stack):
    path = load(stack, compression="zlib").images.source.path / "a.tif"
    with tifffile.TiffFile(path) as tif:
        start = tif.pages[4].dataoffsets[0]
    content = bytearray(path.read_bytes())
    content[start : start + 8] = bytes(8)
    path.write_bytes(content)
    images = load_image_folder(path.parent, as_gray=True).images
    assert_array_equal(images[5], stack[5])
    with pytest.raises(ValueError, match=r"a.tif\[4\]: no whole image"):
        images[4]


def test_one_page_goes_by_the_name_of_its_file(load, stack):
    assert load(stack[0]).names == ["a.tif"]


def test_pages_may_differ_in_size(tmp_path, stack):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(stack[0])
        file.write(stack[1, :4])
    check(load_image_folder(tmp_path, as_gray=True), [stack[0], stack[1, :4]])


def test_pages_of_an_archive_and_in_threads(tmp_path, write_zip, stack):
    file = io.BytesIO()
    tifffile.imwrite(file, stack, compression="zlib")
    path = write_zip(tmp_path / "a.zip", {"cells/a.tif": file.getvalue()})
    photos = load_image_archive(path, folder="cells", as_gray=True)
    assert photos.names[3] == "a.tif[3]"
    read = joblib.delayed(photos.images.__getitem__)
    pages = joblib.Parallel(4, prefer="threads")(read(i % 10) for i in range(40))
    assert_array_equal(pages, np.concatenate([stack] * 4))


@pytest.mark.parametrize("dtype", "b B h H i I q Q e f d".split())
def test_every_width_keeps_its_levels(load, stack, dtype):
    pixels = stack.astype(dtype)
    check(load(pixels, options=GREY), pixels)


@pytest.mark.parametrize(
    "written",
    [
        {"bigtiff": True},
        {"byteorder": ">"},
        {"tile": (16, 16)},
        {"compression": "zlib", "predictor": True},
        {"metadata": None},
        {"truncate": True},
        {"imagej": True, "metadata": {"axes": "ZYX"}},
        {"ome": True, "metadata": {"axes": "TYX"}},
    ],
    ids=str,
)
def test_however_it_is_written(load, stack, written):
    check(load(stack, options=GREY, **written), stack)


@pytest.mark.parametrize(
    ("kind", "axes", "shape"),
    [
        ("ome", "CYX", (2, 6, 9)),
        ("ome", "ZCYX", (5, 2, 6, 9)),
        ("ome", "CZYX", (2, 5, 6, 9)),
        ("imagej", "CYX", (2, 6, 9)),
        ("imagej", "ZCYX", (5, 2, 6, 9)),
    ],
)
def test_channels_come_last(load, stack, kind, axes, shape):
    pixels = stack[: np.prod(shape[:-2])].reshape(shape)
    photos = load(pixels, **{kind: True}, metadata={"axes": axes})
    pages = pixels[None] if axes == "CYX" else pixels
    channel = 0 if axes == "CZYX" else 1
    check(photos, np.moveaxis(pages, channel, -1).reshape(-1, 6, 9, 2))


def test_colours_in_planes_and_more_channels(load, stack):
    colours = stack[:3]
    photos = load(colours, photometric="rgb", planarconfig="separate")
    check(photos, [np.moveaxis(colours, 0, -1)])
    bands = np.moveaxis(stack[:5], 0, -1)
    plain = {"photometric": "minisblack", "planarconfig": "contig"}
    check(load(bands, **plain), [bands])
    small = load(bands, options={"size": 3}, **plain)
    assert small.images.shapes == [(3, 3, 5)] == [small.images[0].shape]
    with pytest.raises(
        ValueError, match="a.tif: it has 5 channels .* no grey is known"
    ):
        load(bands, options=GREY, **plain).images[0]


@pytest.mark.parametrize(
    ("pixels", "written", "words"),
    [
        (
            np.zeros((2, 3, 6, 9)),
            {"photometric": "minisblack"},
            "Q=2, Q=3, Y=6, X=9; expected pages, one",
        ),
        (
            np.zeros((2, 3, 6, 9)),
            {"ome": True, "metadata": {"axes": "TZYX"}},
            "T=2, Z=3, Y=6, X=9; .*reshape",
        ),
        (np.zeros((6, 9), complex), {}, "complex numbers; expected real"),
    ],
)
def test_what_is_no_photos_is_refused_with_its_axes(load, pixels, written, words):
    with pytest.raises(ValueError, match=f"a.tif: its .*{words}"):
        load(pixels, **written)


def test_white_may_be_0(load, stack):
    check(load(stack, options=GREY, photometric="miniswhite"), 65535 - stack)
    with pytest.raises(ValueError, match="what is white is not known of float32"):
        load(stack.astype("f"), photometric="miniswhite").images[0]


def test_transparent_parts_are_white(load, photo):
    colours = photo().astype(np.uint16) * 257
    opacity = np.zeros((6, 9, 1), np.uint16)
    opacity[2:] = 65535
    expected = colours.copy()
    expected[:2] = 65535
    check(load(np.dstack([colours, opacity]), photometric="rgb"), [expected])


@pytest.mark.parametrize("mode", ["1", "L", "P", "I;16", "F", "RGB", "CMYK"])
@pytest.mark.parametrize("compression", ["tiff_lzw", "packbits", "tiff_adobe_deflate"])
def test_pillow_reads_what_it_keeps_whole(tmp_path, stack, photo, mode, compression):
    image = Image.fromarray(photo())
    if mode in ("I;16", "F"):
        image = Image.fromarray(stack[0].astype({"F": "f"}.get(mode, np.uint16)))
    elif mode == "P":
        image = image.quantize(16)
    else:
        image = image.convert(mode)
    image.save(tmp_path / "a.tif", compression=compression)
    expected = np.asarray(image.convert("RGB"))
    if mode in ("I;16", "F"):
        expected = np.dstack([np.asarray(image)] * 3)
    check(load_image_folder(tmp_path), [expected])


def test_what_nobody_reads_names_who_would(tmp_path, stack):
    file = io.BytesIO()
    tifffile.imwrite(file, np.moveaxis(stack[:3], 0, -1), photometric="rgb")
    content = bytearray(file.getvalue())
    file.seek(0)
    with tifffile.TiffFile(file) as tif:
        place = tif.pages[0].tags["Compression"].valueoffset
    content[place] = 34925 % 256
    content[place + 1] = 34925 // 256
    (tmp_path / "a.tif").write_bytes(content)
    with pytest.raises(ValueError, match="a.tif: 16 bits .* LZMA .*pip install imagec"):
        load_image_folder(tmp_path)


@pytest.mark.parametrize("value", range(10))
@pytest.mark.parametrize("kind", ["tif", "jpg"])
def test_orientation_is_that_of_shapes_too(tmp_path, photo, encode, value, kind):
    # What Pillow makes of the same pixels in a PNG; 0 and 9 mean nothing.
    pixels = np.repeat(np.repeat(photo(2, 3), 8, axis=0), 8, axis=1)
    exif = Image.Exif()
    exif[0x0112] = value
    if kind == "jpg":
        content = encode(pixels, "jpg", exif=exif, quality=100, subsampling=0)
        (tmp_path / "a.jpg").write_bytes(content)
    else:
        tag = (0x0112, "H", 1, value, True)
        tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", extratags=[tag])
    turns = {
        2: lambda p: p[:, ::-1],
        3: lambda p: p[::-1, ::-1],
        4: lambda p: p[::-1],
        5: lambda p: p.swapaxes(0, 1),
        6: lambda p: np.rot90(p, -1),
        7: lambda p: p[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90,
    }
    expected = turns.get(value, lambda p: p)(pixels)
    images = load_image_folder(tmp_path).images
    assert images.shapes == [expected.shape] == [images[0].shape]
    assert np.abs(images[0].astype(int) - expected).max() <= (4 if kind == "jpg" else 0)


def test_sizes_and_grey_of_more_than_8_bits(load, photo):
    colours = photo(8, 12).astype(np.uint16) * 16
    grey = load(colours, options=GREY, photometric="rgb").images[0]
    assert grey.dtype == np.uint16
    assert np.abs(grey - colours @ [0.299, 0.587, 0.114]).max() <= 0.5
    # A ramp stays one, with more levels than 8 bits have.
    ramp = np.tile(np.arange(0, 4096, 4, dtype=np.uint16), (1024, 1))
    small = load(ramp, options={**GREY, "size": 512}).images[0]
    assert small.shape == (512, 512) and len(np.unique(small)) == 512
    assert np.abs(small[0] - (np.arange(512) * 8 + 2)).max() <= 2
    floats = load(colours / 4095, options={"size": 4}, photometric="rgb").images[0]
    assert floats.shape == (4, 4, 3) and floats.dtype == np.float64
    assert 0 <= floats.min() and floats.max() <= (colours / 4095).max()


def test_a_png_of_16_bits_keeps_its_levels(tmp_path, stack):
    Image.fromarray(stack[0]).save(tmp_path / "a.png")
    check(load_image_folder(tmp_path, as_gray=True), stack[:1])


def test_a_png_of_16_bits_a_colour_is_refused(tmp_path, encode, photo):
    content = bytearray(encode(photo()))
    content[24] = 16
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(ValueError, match="a.png: it is a PNG of 16 bits .* as TIFF"):
        load_image_folder(tmp_path).images[0]


def test_what_is_cut_off_is_missed(tmp_path, stack):
    file = io.BytesIO()
    tifffile.imwrite(file, stack[:3], metadata=None, photometric="minisblack")
    file.seek(0)
    with tifffile.TiffFile(file) as tif:
        end = tif.pages[2].offset
    content = file.getvalue()
    for length in (end, end + 30, len(content) - 20):
        (tmp_path / "a.tif").write_bytes(content[:length])
        with pytest.raises(ValueError, match="a.tif"):
            list(load_image_folder(tmp_path).images)
    with pytest.raises(
        ValueError, match="a.png: it is a TIFF of 3 photos.* Call it .tif"
    ):
        (tmp_path / "a.tif").rename(tmp_path / "a.png").write_bytes(content)
        list(load_image_folder(tmp_path).images)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('SizeT="10"', 'SizeT="900000000"', "describes 900000000 planes"),
        ('PlaneCount="10"', 'PlaneCount="900000000"', "describes 900000000 planes"),
        (
            "</OME>",
            '<ModuloAlongZ Start="0" End="1e12"/></OME>',
            "axis Z is two in one",
        ),
    ],
)
def test_a_description_is_not_believed(tmp_path, stack, old, new, words):
    said = comment_of(stack)
    assert old in said
    said = said.replace(old, new)
    tifffile.imwrite(tmp_path / "a.tif", stack, description=said, metadata=None)
    with pytest.raises(ValueError, match=f"a.tif: .*{words}"):
        load_image_folder(tmp_path)


def test_an_ome_file_opens_no_other(tmp_path, stack):
    said = comment_of(stack[:2])
    other = '<UUID FileName="../other.tif">urn:uuid:1</UUID></TiffData>'
    said = said.replace('PlaneCount="2"/>', f'PlaneCount="2">{other}')
    assert "other.tif" in said
    folder = tmp_path / "photos"
    folder.mkdir()
    tifffile.imwrite(folder / "a.tif", stack[:2], description=said, metadata=None)
    tifffile.imwrite(tmp_path / "other.tif", stack[2:4])
    check(load_image_folder(folder, as_gray=True), stack[:2])


@pytest.mark.parametrize("dtype", "H h I i Q q f d".split())
@pytest.mark.parametrize("top", [False, True])
def test_scaling_keeps_the_levels_of_wide_numbers(load, dtype, top):
    # Two levels at the ends of what the type holds, or next to one another at the top.
    high = 1.0 if dtype in "fd" else np.iinfo(dtype).max
    low = high - 1 if top and dtype not in "Qqfd" else 0
    pixels = np.full((16, 16), low, dtype)
    pixels[:, 8:] = high
    small = load(pixels, options={**GREY, "size": 4}).images[0]
    assert small.dtype == pixels.dtype
    assert pixels.min() <= small.min() and small.max() <= pixels.max()
    span = float(high) - float(low)
    for place in (0, -1):
        assert abs(float(small[0, place]) - float(pixels[0, place])) <= 0.1 * span
