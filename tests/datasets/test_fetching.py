"""Public data sets, from small archives in the layout of the real ones."""

import functools
import hashlib
import http.server
import io
import multiprocessing
import os
import signal
import threading
import time
import zipfile

import joblib
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image
from scipy.io import savemat

from sklearn_sparsevae.datasets import (
    _bsds500,
    _cub,
    _download,
    _flowers,
    fetch_bsds500,
    fetch_cub,
    fetch_dut_omron,
    fetch_duts,
    fetch_isic2016,
    fetch_oxford_flowers,
)
from sklearn_sparsevae.datasets._lock import only_one

WITH_SUBSETS = [
    fetch_bsds500,
    fetch_cub,
    fetch_duts,
    fetch_isic2016,
    fetch_oxford_flowers,
]
FETCHERS = [*WITH_SUBSETS, fetch_dut_omron]


@pytest.fixture(autouse=True)
def no_checksums(monkeypatch):
    """Accept the archives of the tests in place of the real ones."""
    for module, names in [
        (_bsds500, ["_ARCHIVE"]),
        (_flowers, ["_IMAGES", "_MASKS", "_LABELS", "_SPLIT"]),
        (_cub, ["_IMAGES", "_MASKS", "_REDO_SPLIT"]),
    ]:
        for name in names:
            remote = _download.Remote(getattr(module, name).url, None)
            monkeypatch.setattr(module, name, remote)


def files_in(folder):
    """Names of the files in a folder but the one that is locked."""
    return sorted(path.name for path in folder.iterdir() if path.name != ".lock")


def _matlab(**variables):
    file = io.BytesIO()
    savemat(file, variables)
    return file.getvalue()


@pytest.fixture
def bsds500(tmp_path, write_tar, encode, photo):
    members = {"BSR/BSDS500/data/images/train/Thumbs.db": b"", "BSR/bench/a.jpg": b""}
    dtype = [("Segmentation", "O"), ("Boundaries", "O")]
    for seed, place in enumerate(["train/11", "train/2", "val/3", "test/4"]):
        image = photo(6, 9, seed)
        members[f"BSR/BSDS500/data/images/{place}.jpg"] = encode(image, "jpg")
        people = np.empty((1, 2), object)
        for person in range(2):
            labels = image[..., person].astype(np.uint16)
            people[0, person] = np.array([[(labels, labels > 0)]], dtype)
        content = _matlab(groundTruth=people)
        members[f"BSR/BSDS500/data/groundTruth/{place}.mat"] = content
    write_tar(tmp_path / "bsds500" / "BSR_bsds500.tgz", members)
    return functools.partial(fetch_bsds500, data_home=tmp_path)


def test_bsds500_pairs_photos_with_what_people_drew(bsds500, photo):
    photos = bsds500(subset="train")
    assert photos.names == ["11", "2"]
    for seed, (image, labels) in enumerate(zip(photos.images, photos.segmentations)):
        assert image.shape == (6, 9, 3) and labels.dtype == np.uint16
        assert_array_equal(labels, np.moveaxis(photo(6, 9, seed), 2, 0)[:2])
    assert bsds500(subset="test").names == ["4"]
    assert bsds500(subset="all").names == ["11", "2", "3", "4"]
    small = bsds500(subset="val", size=3, as_gray=True)
    assert small.images[0].shape == (3, 3)
    # The centre of every other pixel of the central square.
    square = photo(6, 9, 2)[:, 1:7]
    assert_array_equal(small.segmentations[0][1], square[1::2, 1::2, 1])


@pytest.fixture
def flowers(tmp_path, write_tar, encode, photo):
    folder = tmp_path / "oxford_flowers"
    blue = np.zeros((6, 9, 3), np.uint8) + np.array([0, 0, 254], np.uint8)
    blue[:, 3:5] = (200, 100, 50)
    photos = {f"jpg/image_{i:05d}.jpg": encode(photo(), "jpg") for i in range(1, 6)}
    # Without loss, although named as the real ones: what is tested is the rule.
    masks = {f"segmim/segmim_{i:05d}.jpg": encode(blue) for i in range(1, 6)}
    write_tar(folder / "102flowers.tgz", photos)
    write_tar(folder / "102segmentations.tgz", masks)
    split = _matlab(trnid=[[5, 2]], valid=[[1]], tstid=[[4, 3]])
    (folder / "setid.mat").write_bytes(split)
    labels = _matlab(labels=np.array([[10, 20, 30, 40, 50]], np.uint8))
    (folder / "imagelabels.mat").write_bytes(labels)
    return functools.partial(fetch_oxford_flowers, data_home=tmp_path)


def test_flowers_follow_the_split_and_keep_labels_with_photos(flowers):
    photos = flowers(subset="train")
    assert photos.names == ["image_00005", "image_00002"]
    assert photos.target.tolist() == [49, 19]
    assert photos.images.names == ["jpg/image_00005.jpg", "jpg/image_00002.jpg"]
    mask = photos.masks[0]
    assert mask.dtype == bool and mask.shape == photos.images[0].shape[:2]
    assert_array_equal(mask.any(axis=0), [0, 0, 0, 1, 1, 0, 0, 0, 0])
    assert flowers(subset="test").target.tolist() == [39, 29]
    assert len(flowers(subset="all").images) == 5


@pytest.fixture
def cub(tmp_path, write_tar, encode, photo):
    names = ["001.Auk/Auk_1", "001.Auk/Auk_2", "002.Crow/Crow_1"]
    rows = {
        "images": [f"{name}.jpg" for name in names],
        "train_test_split": ["1", "0", "1"],
        "image_class_labels": ["1", "1", "2"],
        "bounding_boxes": ["1.0 2.0 4.0 2.0", "0.0 0.0 2.0 2.0", "7.0 0.0 2.0 3.0"],
    }
    members = {
        f"./CUB_200_2011/{name}.txt": "".join(
            f"{i} {value}\n" for i, value in enumerate(values, 1)
        ).encode()
        for name, values in rows.items()
    }
    members["CUB_200_2011/classes.txt"] = b"1 001.Auk\n2 002.Crow\n"
    masks = {}
    for seed, name in enumerate(names):
        image = photo(6, 9, seed)
        members[f"CUB_200_2011/images/{name}.jpg"] = encode(image, "jpg")
        modes = ["L", "LA", "L"]  # as among the real masks
        mask = Image.fromarray(image[..., 0]).convert(modes[seed])
        masks[f"segmentations/{name}.png"] = encode(mask)
    folder = tmp_path / "cub"
    write_tar(folder / "CUB_200_2011.tgz", members)
    write_tar(folder / "segmentations.tgz", masks)
    (folder / "train_val_test_split.txt").write_text("1 0\n2 2\n3 2\n")
    return functools.partial(fetch_cub, data_home=tmp_path)


def test_cub_pairs_photos_masks_species_and_boxes(cub, photo):
    photos = cub(subset="all")
    assert photos.names == ["001.Auk/Auk_1", "001.Auk/Auk_2", "002.Crow/Crow_1"]
    assert photos.target.tolist() == [0, 0, 1]
    assert photos.target_names == ["001.Auk", "002.Crow"]
    assert photos.boxes.tolist() == [[2, 1, 2, 4], [0, 0, 2, 2], [0, 7, 3, 2]]
    for seed, mask in enumerate(photos.masks):
        assert_array_equal(mask, photo(6, 9, seed)[..., 0] > 127)
    assert cub(subset="train").names == [photos.names[0], photos.names[2]]
    assert cub(subset="test").names == [photos.names[1]]
    assert cub(subset="segmentation").names == photos.names[1:]


def test_cub_cuts_photos_and_masks_to_the_same_box(cub, photo):
    whole, cut = cub(subset="all"), cub(subset="all", crop_to_box=True)
    squares = [np.s_[1:5, 1:5], np.s_[0:2, 0:2], np.s_[0:3, 6:9]]
    for i, square in enumerate(squares):
        assert_array_equal(cut.masks[i], whole.masks[i][square])
        assert_array_equal(cut.images[i], whole.images[i][square])
    assert [image.shape for image in cut.images] == cut.images.shapes
    assert_array_equal(cut.masks[1:][1], whole.masks[2][squares[2]])
    assert cub(crop_to_box=True, size=8).masks[0].shape == (8, 8)


@pytest.fixture
def isic2016(tmp_path, write_zip, encode, photo):
    for part, ids in [("Training", (2, 1)), ("Test", (3,))]:
        stem = f"ISBI2016_ISIC_Part1_{part}_"
        photos = {
            f"{stem}Data/ISIC_000000{i}.jpg": encode(photo(6, 9, i), "jpg") for i in ids
        }
        masks = {
            f"{stem}GroundTruth/ISIC_000000{i}_Segmentation.png": encode(
                photo(6, 9, i)[..., 0]
            )
            for i in ids
        }
        write_zip(tmp_path / "isic2016" / f"{stem}Data.zip", photos)
        write_zip(tmp_path / "isic2016" / f"{stem}GroundTruth.zip", masks)
    return functools.partial(fetch_isic2016, data_home=tmp_path)


def test_isic2016_pairs_photos_with_lesions(isic2016, photo):
    photos = isic2016(subset="train")
    assert photos.names == ["ISIC_0000001", "ISIC_0000002"]
    assert photos.images.shapes == [(6, 9, 3)] * 2
    assert_array_equal(photos.masks[1], photo(6, 9, 2)[..., 0] > 127)
    assert isic2016(subset="test").names == ["ISIC_0000003"]


@pytest.mark.parametrize("name", ["duts", "dut_omron"])
def test_photos_find_their_masks(name, tmp_path, write_zip, encode, photo):
    photos = {f"A-Image/b{i}.jpg": encode(photo(6, 9, i), "jpg") for i in (2, 1)}
    masks = {f"A-Mask/b{i}.png": encode(photo(6, 9, i)[..., 0]) for i in (1, 2, 3)}
    if name == "duts":
        fetch = functools.partial(fetch_duts, subset="test", data_home=tmp_path)
        archives = {"DUTS-TE.zip": photos | masks}
    else:
        fetch = functools.partial(fetch_dut_omron, data_home=tmp_path)
        archives = dict(
            zip(
                ("DUT-OMRON-image.zip", "DUT-OMRON-gt-pixelwise.zip.zip"),
                (photos, masks),
            )
        )
    for archive, members in archives.items():
        write_zip(tmp_path / name / archive, members)
    found = fetch()
    assert found.names == ["b1", "b2"]
    assert found.images.shapes == [(6, 9, 3)] * 2
    assert_array_equal(found.masks[1], photo(6, 9, 2)[..., 0] > 127)
    last = list(archives)[-1]
    without = {n: c for n, c in archives[last].items() if n != "A-Mask/b2.png"}
    write_zip(tmp_path / name / last, without)
    with pytest.raises(ValueError, match="no mask of 'b2' [(]and 0 more[)]"):
        fetch()


def test_a_missing_mask_is_named(isic2016, tmp_path, write_zip):
    name = "ISBI2016_ISIC_Part1_Test_GroundTruth.zip"
    write_zip(tmp_path / "isic2016" / name, {"ISIC_0000003.png": b""})
    masks = isic2016(subset="test").masks
    with pytest.raises(ValueError, match=f"{name}: .*/ISIC_0000003_Seg.* is missing"):
        masks[0]


@pytest.mark.parametrize("fetch", FETCHERS)
def test_what_is_missing_is_named_when_downloads_are_forbidden(fetch, tmp_path):
    with pytest.raises(OSError, match=r"is missing and download_.* put there .*http"):
        fetch(data_home=tmp_path, download_if_missing=False)


@pytest.mark.parametrize("fetch", WITH_SUBSETS)
def test_unknown_subsets_are_refused(fetch, tmp_path):
    with pytest.raises(ValueError, match="Got subset='dev'; expected one of 'train'"):
        fetch(subset="dev", data_home=tmp_path)


def test_archives_are_repacked_once_with_nothing_left_over(bsds500, tmp_path):
    bsds500()
    assert files_in(tmp_path / "bsds500") == ["BSR_bsds500.zip"]
    assert len(bsds500(download_if_missing=False).images) == 2
    with zipfile.ZipFile(tmp_path / "bsds500" / "BSR_bsds500.zip") as archive:
        assert not [n for n in archive.namelist() if "bench" in n]


def test_half_an_archive_is_refused_and_leaves_nothing(bsds500, tmp_path):
    path = tmp_path / "bsds500" / "BSR_bsds500.tgz"
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match="BSR_bsds500.tgz cannot be read to its end"):
        bsds500()
    assert files_in(path.parent) == [path.name]


def test_a_file_with_another_checksum_is_refused_and_kept(tmp_path):
    path = tmp_path / "set" / "a.bin"
    path.parent.mkdir()
    path.write_bytes(b"content")
    shelf = _download.Shelf("set", tmp_path, download_if_missing=True)
    digest = hashlib.md5(b"content").hexdigest()
    assert shelf.file(_download.Remote("https://a/a.bin", f"md5:{digest}")) == path
    with pytest.raises(ValueError, match=f"a.bin has .* {digest}; expected 0[.]"):
        shelf.file(_download.Remote("https://a/a.bin", "md5:0"))
    assert path.read_bytes() == b"content"


@pytest.fixture
def server(tmp_path):
    """Return the address of a server of one file, on this machine, and who asked."""
    folder, asked = tmp_path / "server", []
    folder.mkdir()
    (folder / "a.bin").write_bytes(b"content")
    handler = type("Quiet", (http.server.SimpleHTTPRequestHandler,), {})
    handler.log_message = lambda self, *args: asked.append(self.path)
    bound = functools.partial(handler, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), bound) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}", asked
        running.shutdown()


def test_downloads_are_checked_before_they_are_kept(server, tmp_path):
    pytest.importorskip("pooch")
    shelf = _download.Shelf("set", tmp_path, download_if_missing=True)
    url = f"{server[0]}/a.bin"
    with pytest.raises(ValueError, match="does not match"):
        shelf.file(_download.Remote(url, f"sha256:{'0' * 64}"))
    assert not files_in(shelf.path)
    digest = hashlib.sha256(b"content").hexdigest()
    path = shelf.file(_download.Remote(url, f"sha256:{digest}"))
    assert path.read_bytes() == b"content"
    assert files_in(shelf.path) == ["a.bin"]


def test_threads_that_fetch_at_once_download_once(server, tmp_path):
    pytest.importorskip("pooch")
    address, asked = server
    shelf = _download.Shelf("set", tmp_path, download_if_missing=True)
    remote = _download.Remote(f"{address}/a.bin", None)
    paths = joblib.Parallel(4, prefer="threads")(
        [joblib.delayed(shelf.file)(remote)] * 4
    )
    assert [path.read_bytes() for path in paths] == [b"content"] * 4
    assert asked == ["/a.bin"]
    assert files_in(shelf.path) == ["a.bin"]


def run_at_once(work, n=4):
    """Exit codes of processes that do the same at the same time."""
    fork = multiprocessing.get_context("fork")
    processes = [fork.Process(target=work) for _ in range(n)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    return [process.exitcode for process in processes]


@pytest.mark.skipif(os.name != "posix", reason="no fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_processes_that_fetch_at_once_download_once(tmp_path, monkeypatch):
    def download(remote, folder):
        with open(tmp_path / "asked", "a") as log:
            log.write(remote.url)
        time.sleep(0.1)
        (folder / remote.filename).write_bytes(b"content")

    def work():
        path = shelf.file(_download.Remote("https://a/a.bin", None))
        assert path.read_bytes() == b"content"

    monkeypatch.setattr(_download, "_download", download)
    shelf = _download.Shelf("set", tmp_path, download_if_missing=True)
    assert run_at_once(work) == [0] * 4
    assert (tmp_path / "asked").read_text() == "https://a/a.bin"


def test_those_who_repack_at_once_do_it_once(bsds500, monkeypatch):
    calls, repack = [], _download._repack
    monkeypatch.setattr(
        _download, "_repack", lambda *args: calls.append(args) or repack(*args)
    )
    found = joblib.Parallel(4, prefer="threads")([joblib.delayed(bsds500)()] * 4)
    assert [photos.names for photos in found] == [["11", "2"]] * 4
    assert len(calls) == 1


@pytest.mark.skipif(os.name != "posix", reason="no fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_who_dies_while_fetching_blocks_nobody(tmp_path):
    lock = tmp_path / ".lock"

    def work():
        with only_one(lock):
            os.kill(os.getpid(), signal.SIGKILL)

    assert run_at_once(work, n=2) == [-signal.SIGKILL] * 2
    with only_one(lock):
        assert lock.exists()
