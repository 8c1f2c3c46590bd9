"""Label maps go into files that viewers show, and come back beside their photos."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_array_equal
from PIL import Image

from sklearn_sparsevae import DictionaryLearningVAE, KMeansSegmenter
from sklearn_sparsevae.datasets import (
    load_image_archive,
    load_image_folder,
    save_masks,
)


@pytest.fixture
def folder(tmp_path, encode, photo):
    """A folder of three photos of different sizes in two classes."""
    for seed, name in enumerate(["cats/1.jpg", "cats/2.png", "dogs/1.jpg"]):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(photo(6 + seed, 9, seed), name[-3:]))
    return tmp_path / "photos"


def maps_of(folder, n_labels=2, seed=0):
    rng = np.random.RandomState(seed)
    shapes = load_image_folder(folder).images.shapes
    return [rng.randint(n_labels, size=shape[:2]) for shape in shapes]


@pytest.mark.parametrize("n_labels", [1, 2, 5, 256, 3000])
def test_labels_come_back_beside_their_photos(folder, tmp_path, n_labels):
    labels = maps_of(folder, n_labels)
    labels[0].flat[:n_labels] = np.arange(n_labels)[-labels[0].size :]
    names = load_image_folder(folder).names
    paths = save_masks(tmp_path / "masks", names, labels)
    relative = [path.relative_to(tmp_path / "masks").as_posix() for path in paths]
    assert relative == ["cats/1.png", "cats/2.png", "dogs/1.png"]
    photos = load_image_folder(folder, masks=tmp_path / "masks")
    assert photos.names == names and photos.target_names == ["cats", "dogs"]
    for read, expected, path in zip(photos.masks, labels, paths, strict=True):
        assert read.dtype == (np.uint8 if n_labels <= 256 else np.uint16)
        assert_array_equal(read, expected)
        assert_array_equal(np.asarray(Image.open(path)), expected)
    assert_array_equal(photos.masks[1:][0], labels[1])


def test_two_classes_are_black_and_white_to_viewers(tmp_path):
    labels = np.eye(4, dtype=bool)
    (path,) = save_masks(tmp_path, ["a"], labels[None])
    assert_array_equal(np.asarray(Image.open(path).convert("L")), labels * 255)
    (path,) = save_masks(tmp_path, ["b"], np.arange(256).reshape(1, 16, 16))
    colours = np.asarray(Image.open(path).convert("RGB")).reshape(-1, 3)
    assert len(np.unique(colours, axis=0)) == 256 and not colours[0].any()


# The folder is only written to.
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(
    arrays(
        st.sampled_from([np.uint8, np.int64, np.uint16, bool]),
        st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(1, 5)),
        elements={"min_value": 0},
        fill=st.nothing(),
    ).map(lambda a: a % 65536 if a.dtype == np.int64 else a)
)
def test_all_labels_come_back(tmp_path, labels):
    names = [str(i) for i in range(len(labels))]
    for path, expected in zip(save_masks(tmp_path, names, labels), labels):
        assert_array_equal(np.asarray(Image.open(path)), expected)


def test_masks_are_cut_as_their_photos(folder, tmp_path, photo):
    # Labels that are the photo's first channel, scaled by taking the nearest pixel.
    labels = [photo(6 + seed, 9, seed)[..., 0] for seed in range(3)]
    save_masks(tmp_path / "masks", load_image_folder(folder).names, labels)
    cut = load_image_folder(folder, masks=tmp_path / "masks", size=4, resize=False)
    assert_array_equal(cut.masks[1], cut.images[1][..., 0])  # a PNG
    scaled = load_image_folder(folder, masks=tmp_path / "masks", size=3)
    assert [mask.shape for mask in scaled.masks] == [(3, 3)] * 3


def test_masks_are_y_of_segmenters(folder, tmp_path):
    save_masks(tmp_path / "masks", load_image_folder(folder).names, maps_of(folder))
    photos = load_image_folder(folder, masks=tmp_path / "masks", size=16)
    model = DictionaryLearningVAE(8, n_downsamples=2, max_epochs=0, random_state=0)
    codes = model.fit(photos.images, photos.masks).transform(photos.images)
    segmenter = KMeansSegmenter(2, random_state=0).fit(codes)
    score = segmenter.score(codes, photos.masks)
    assert score == segmenter.score(codes, np.stack(list(photos.masks))) > 0


def test_suffixes_tell_masks_of_one_folder(folder, tmp_path, write_zip):
    labels = maps_of(folder)
    stems = ["cats/1_mask", "cats/2_mask", "dogs/1_mask"]
    save_masks(folder, stems, labels)
    photos = load_image_folder(folder, masks=folder, mask_suffix="_mask")
    assert photos.names == ["cats/1.jpg", "cats/2.png", "dogs/1.jpg"]
    for read, expected in zip(photos.masks, labels, strict=True):
        assert_array_equal(read, expected)
    members = {p.relative_to(folder).as_posix(): p for p in sorted(folder.rglob("*.*"))}
    members = {f"set/{name}": path.read_bytes() for name, path in members.items()}
    path = write_zip(tmp_path / "a.zip", members)
    packed = load_image_archive(path, folder="set", masks="set", mask_suffix="_mask")
    assert packed.names == photos.names
    assert_array_equal(packed.masks[2], labels[2])


def test_a_folder_of_masks_below_holds_no_photos(folder):
    labels = maps_of(folder)
    save_masks(folder / "masks", load_image_folder(folder).names, labels)
    photos = load_image_folder(folder, masks=folder / "masks")
    assert len(photos.images) == len(photos.masks) == 3
    assert photos.target_names == ["cats", "dogs"]


def test_pages_of_a_stack_have_masks(tmp_path):
    import tifffile

    (tmp_path / "photos").mkdir()
    stack = np.arange(3 * 4 * 5, dtype=np.uint16).reshape(3, 4, 5)
    path = tmp_path / "photos" / "a.tif"
    tifffile.imwrite(path, stack, photometric="minisblack")
    names = load_image_folder(tmp_path / "photos").names
    paths = save_masks(tmp_path / "masks", names, stack % 7)
    assert [path.name for path in paths] == ["a[0].png", "a[1].png", "a[2].png"]
    photos = load_image_folder(tmp_path / "photos", masks=tmp_path / "masks")
    assert_array_equal(photos.masks[2], stack[2] % 7)
    # A stack of masks does as well.
    (tmp_path / "stacks").mkdir()
    tifffile.imwrite(tmp_path / "stacks" / "a.tif", stack, photometric="minisblack")
    photos = load_image_folder(tmp_path / "photos", masks=tmp_path / "stacks")
    assert_array_equal(photos.masks[2], stack[2])


def test_what_does_not_pair_is_named(folder, tmp_path, encode, photo):
    masks = tmp_path / "masks"
    save_masks(masks, ["cats/1", "dogs/9", "cats/2"], np.zeros((3, 4, 4), int))
    with pytest.raises(ValueError, match=r"dogs/1.jpg without a mask, dogs/9.png with"):
        load_image_folder(folder, masks=masks)
    with pytest.raises(ValueError, match="masks no masks; .* which is '_mask'"):
        load_image_folder(folder, masks=masks, mask_suffix="_mask")
    (masks / "cats" / "1.bmp").write_bytes(b"")
    with pytest.raises(ValueError, match=r"two masks .* cats/1.bmp and cats/1.png"):
        load_image_folder(folder, masks=masks)
    with pytest.raises(ValueError, match="holds no images besides its masks.*mask_suf"):
        load_image_folder(folder, masks=folder)


def test_masks_of_colours_and_floats_are_refused(folder, tmp_path, encode, photo):
    masks = tmp_path / "masks"
    save_masks(masks, load_image_folder(folder).names, maps_of(folder))
    (masks / "cats" / "1.png").write_bytes(encode(photo()))
    with pytest.raises(
        ValueError, match="cats/1.png: its pixels are colours; expected"
    ):
        load_image_folder(folder, masks=masks).masks[0]
    grey = np.dstack([photo()[..., 0]] * 3)  # as masks are saved, too
    (masks / "cats" / "1.png").write_bytes(encode(grey))
    read = load_image_folder(folder, masks=masks).masks[0]
    assert_array_equal(read, grey[..., 0])


@pytest.mark.parametrize(
    ("names", "labels", "error", "words"),
    [
        (["a"], np.zeros((2, 3, 3), int), ValueError, "1 names for 2 label maps"),
        (
            ["a", "a.jpg"],
            np.zeros((2, 3, 3), int),
            ValueError,
            "'a' and 'a.jpg', which",
        ),
        (["a", "a"], np.zeros((2, 3, 3), int), ValueError, "both give a.png"),
        (["../a"], np.zeros((1, 3, 3), int), ValueError, r"'../a'; .* without"),
        (["b/../../a"], np.zeros((1, 3, 3), int), ValueError, "inside it"),
        (["..\\a"], np.zeros((1, 3, 3), int), ValueError, "inside it"),
        (["C:\\a"], np.zeros((1, 3, 3), int), ValueError, "inside it"),
        (["/a"], np.zeros((1, 3, 3), int), ValueError, "inside it"),
        (["."], np.zeros((1, 3, 3), int), ValueError, "inside it"),
        ([""], np.zeros((1, 3, 3), int), ValueError, "inside it"),
        (["a\0"], np.zeros((1, 3, 3), int), ValueError, "inside it"),
        ([3], np.zeros((1, 3, 3), int), TypeError, "name of type int"),
        (["a", "b"], np.zeros((2, 3, 3)), TypeError, "type float64"),
        (["a"], [np.zeros((3, 3, 3), int)], ValueError, r"shape \(3, 3, 3\)"),
        (["a"], np.full((1, 3, 3), -1), ValueError, "from -1 to -1"),
        (["a"], np.full((1, 3, 3), 65536), ValueError, "to 65536; expected"),
        (["a"], None, TypeError, "labels of type NoneType"),
    ],
)
def test_bad_arguments_write_nothing(tmp_path, names, labels, error, words):
    with pytest.raises(error, match=words):
        save_masks(tmp_path / "masks", names, labels)
    assert not (tmp_path / "masks").exists()


def test_no_photo_is_overwritten(folder, tmp_path, photo):
    names, labels = load_image_folder(folder).names, maps_of(folder)
    before = (folder / "cats" / "2.png").read_bytes()
    with pytest.raises(FileExistsError, match="2.png is there already and no mask of"):
        save_masks(folder, names, labels)
    assert (folder / "cats" / "2.png").read_bytes() == before
    assert not (folder / "cats" / "1.png").exists()
    for seed in range(2):  # its own files are replaced
        other = maps_of(folder, seed=seed)
        paths = save_masks(tmp_path / "masks", names, other)
    assert_array_equal(np.asarray(Image.open(paths[1])), other[1])
    assert not list((tmp_path / "masks").rglob(".aside*"))


def test_a_link_leads_nowhere(tmp_path):
    (tmp_path / "masks").mkdir()
    (tmp_path / "masks" / "cats").symlink_to(tmp_path, target_is_directory=True)
    with pytest.raises(ValueError, match="which a link takes out of"):
        save_masks(tmp_path / "masks", ["cats/1"], np.zeros((1, 2, 2), int))
