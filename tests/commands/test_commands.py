"""The command line: files of IN become files of OUT; exit codes say how it went."""

import subprocess
import sys

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner
from numpy.testing import assert_array_equal
from PIL import Image

import sklearn_sparsevae
from sklearn_sparsevae import (
    CodePrior,
    DictionaryLearningVAE,
    KMeansSegmenter,
    load,
    save,
)
from sklearn_sparsevae.codes import load_codes
from sklearn_sparsevae.commands import _images, program
from sklearn_sparsevae.datasets import load_image_folder

SMALL = {"n_components": 12, "max_epochs": 1, "n_downsamples": 1, "random_state": 0}


class HalfAsBright:
    """Stands for a Denoiser: its result is known, and it counts what it does."""

    calls = []

    def __init__(self, method, value_range=None, **options):
        self.method, self.value_range = method, value_range

    def fit(self, images):
        return self

    def transform(self, images, sigma=None):
        self.calls.append((self.method, sigma, [np.shape(image) for image in images]))
        low, high = self.value_range or (0, 1)
        white = np.iinfo(images.dtype).max if images.dtype.kind == "u" else 1
        scale = white if self.value_range is None else 1
        return (images / scale / 2).astype(np.float32)


@pytest.fixture
def run(monkeypatch):
    """Return a function that runs a command: exit code, output, error output."""
    HalfAsBright.calls = []
    monkeypatch.setattr(sklearn_sparsevae, "Denoiser", HalfAsBright, raising=False)

    def run(*arguments):
        result = CliRunner().invoke(program, list(map(str, arguments)))
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.stdout, result.stderr

    return run


@pytest.fixture
def photos(tmp_path):
    """A folder of a photo, a grey one of 16 bits, a stack and a file that is none."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "in"
    (folder / "cats").mkdir(parents=True)
    Image.fromarray(rng.integers(256, size=(16, 20, 3), dtype=np.uint8)).save(
        folder / "cats/1.png", dpi=(300, 300)
    )
    deep = rng.integers(65536, size=(16, 16), dtype=np.uint16)
    Image.fromarray(deep).save(folder / "deep.png")
    stack = rng.integers(4096, size=(5, 16, 18)).astype(np.uint16)
    tifffile.imwrite(
        folder / "stack.tif", stack, imagej=True, metadata={"axes": "ZYX", "unit": "um"}
    )
    (folder / "text.png").write_text("none of an image")
    return folder


def contents(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in files(folder)}


def files(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_a_folder_is_restored_file_by_file(run, photos, tmp_path):
    before = contents(photos)
    code, out, err = run("denoise", photos, tmp_path / "out", "--sigma", 7)
    assert code == 1
    assert err.splitlines() == [
        f"error: text.png: it is no photo in a format that is opened: {_FORMATS}"
    ]
    assert out == "denoise: 3 done, 1 failed\n"
    assert contents(photos) == before
    assert list(contents(tmp_path / "out")) == ["cats/1.png", "deep.png", "stack.tif"]
    for name in ("cats/1.png", "deep.png"):
        with Image.open(photos / name) as one, Image.open(tmp_path / "out" / name) as b:
            assert one.mode == b.mode and one.info.get("dpi") == b.info.get("dpi")
            half = np.rint(np.float32(np.asarray(one) / 2)).astype(int)
            assert np.abs(np.asarray(b).astype(int) - half).max() <= 1
    with tifffile.TiffFile(tmp_path / "out/stack.tif") as tif:
        assert tif.series[0].axes == "ZYX" and tif.imagej_metadata["unit"] == "um"
        half = tifffile.imread(photos / "stack.tif") / 2
        assert tif.asarray().dtype == np.uint16
        assert np.abs(tif.asarray() - half).max() <= 1
    assert {call[:2] for call in HalfAsBright.calls} == {("patches", 7.0)}


_FORMATS = "JPEG, PNG, TIFF, WebP, BMP or GIF. Convert it, or leave it out."


def test_a_half_done_folder_is_gone_on_with(run, photos, tmp_path):
    (photos / "text.png").unlink()
    out = tmp_path / "out"
    run("denoise", photos / "deep.png", f"{out}/" if out.mkdir() is None else out)
    assert list(contents(out)) == ["deep.png"]
    before, HalfAsBright.calls = contents(out), []
    code, said, _ = run("denoise", photos, out)
    assert (code, len(HalfAsBright.calls)) == (0, 2)
    assert "2 done, 1 there already (--overwrite" in said
    assert contents(out)["deep.png"] == before["deep.png"]
    done = contents(out)
    (out / "deep.png").write_bytes(b"of another program")
    assert run("denoise", photos, out, "--quiet") == (0, "", "")
    assert contents(out)["deep.png"] == b"of another program"
    assert run("denoise", photos, out, "--overwrite")[:2] == (0, "denoise: 3 done\n")
    assert contents(out) == done


def test_numbers_of_a_range_of_their_own_are_kept(run, photos, tmp_path):
    stack = photos / "stack.tif"
    bits = ("--value-range", 0, 4095, "--sigma", "1,2.5")
    assert run("denoise", stack, tmp_path / "a.tif", *bits)[0] == 0
    half = np.rint(tifffile.imread(stack) / 2)
    assert_array_equal(tifffile.imread(tmp_path / "a.tif"), half)
    assert HalfAsBright.calls[0][1:] == ([1.0, 2.5], [(16, 18)] * 5)


def test_stacks_go_block_by_block(run, photos, tmp_path, monkeypatch):
    monkeypatch.setattr(_images, "_MOST_PIXELS", 2 * 16 * 18)
    assert run("denoise", photos / "stack.tif", tmp_path / "a.tif")[0] == 0
    assert [len(call[2]) for call in HalfAsBright.calls] == [2, 2, 1]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A file of a model of colours."""
    images = np.random.default_rng(0).random((6, 16, 16, 3), np.float32)
    path = tmp_path_factory.mktemp("model") / "a.model"
    save(DictionaryLearningVAE(n_nonzero_coefs=3, **SMALL).fit(images), path)
    return path


def test_codes_and_back(run, photos, tmp_path, model):
    (photos / "deep.png").unlink()
    (photos / "stack.tif").unlink()
    Image.fromarray(np.full((16, 16), 7, np.uint8)).save(photos / "grey.png")
    codes, back = tmp_path / "codes", tmp_path / "back"
    code, _, err = run("encode", photos, codes, "--model", model)
    assert code == 1 and err.startswith("error: text.png: ") and err.count("\n") == 1
    assert list(contents(codes)) == ["cats/1.png.codes", "grey.png.codes"]
    images = load_image_folder(photos / "cats").images
    loaded = load_codes(codes / "cats/1.png.codes")
    assert_array_equal(loaded.toarray(), load(model).transform(images).toarray())
    assert run("decode", codes, back, "--model", model)[0] == 0
    assert list(contents(back)) == ["cats/1.png", "grey.png"]
    restored = tmp_path / "restored"
    assert run("denoise", photos, restored, "--model", model, "-q")[0] == 1
    name = "cats/1.png"
    with Image.open(back / name) as one, Image.open(restored / name) as other:
        assert_array_equal(np.asarray(one), np.asarray(other))
    with Image.open(restored / "grey.png") as one:
        assert one.mode == "L"


def test_codes_in_few_bytes_and_back(run, photos, tmp_path, model):
    images = load_image_folder(photos / "cats").images
    found = load(model).transform(images)
    prior = CodePrior(n_bins=4, width=8, n_layers=1, max_epochs=0, early_stopping=False)
    save(prior.fit(found), tmp_path / "a.prior")
    options = ("--model", model, "--prior", tmp_path / "a.prior")
    code, out, err = run("encode", photos, tmp_path / "codes", *options)
    assert (code, out) == (1, "encode: 1 done, 3 failed\n")
    assert "deep.png: Got codes of a 8 by 8 grid; expected 8 by 10" in err
    written = contents(tmp_path / "codes")
    assert written == {"cats/1.png.codes": load(tmp_path / "a.prior").compress(found)}
    assert run("decode", tmp_path / "codes", tmp_path / "back", *options)[0] == 0
    decoded = load(model).inverse_transform(prior.decompress(*written.values()))
    with Image.open(tmp_path / "back/cats/1.png") as one:
        expected = np.rint(255 * np.clip(decoded[0], 0, 1))
        assert np.abs(np.asarray(one) - expected).max() <= 1
    code, _, err = run("decode", tmp_path / "codes", tmp_path / "x", "--model", model)
    assert code == 1 and err.startswith("error: cats/1.png.codes: ")
    code, _, err = run("encode", photos, tmp_path / "x", *options[:3], model)
    assert code == 2 and "which has no compress()" in err


def test_a_model_is_fitted_and_segments(run, photos, tmp_path):
    path, masks = tmp_path / "a.model", tmp_path / "masks"
    (photos / "deep.png").unlink()
    (photos / "cats/1.png").unlink()
    chosen = ("--estimator", "DictionaryLearningVAE", "--segmenter", "KMeansSegmenter")
    settings = [f"--set=enc__{name}={value}" for name, value in SMALL.items()]
    settings += ["--set=enc__n_nonzero_coefs=2", "--set=seg__n_clusters=3"]
    code, out, err = run("fit", photos, "-o", path, *chosen, *settings)
    assert code == 1 and err.startswith("error: text.png: ")
    assert out == f"fit: Pipeline of 5 images in {path}\n"
    model = load(path)
    assert model["seg"].n_clusters == 3 and model["enc"].max_epochs == 1
    assert run("fit", photos, "-o", path, *chosen, *settings)[0] == 2
    (photos / "text.png").unlink()
    assert run("segment", photos, masks, "--model", path)[0] == 0
    assert list(contents(masks)) == [f"stack[{i}].png" for i in range(5)]
    pairs = load_image_folder(photos, masks=masks)
    expected = model.predict(pairs.images)
    for mask, labels in zip(pairs.masks, expected, strict=True):
        assert_array_equal(mask, labels)
    before = contents(masks)
    (masks / "stack[2].png").unlink()
    assert run("segment", photos, masks, "--model", path)[0] == 0
    assert contents(masks) == before


def test_without_a_model_the_folder_is_what_is_fitted(run, photos, tmp_path):
    (photos / "deep.png").unlink()
    (photos / "stack.tif").unlink()
    settings = ["--set=enc__n_components=12", "--set=enc__max_epochs=1"]
    code, out, err = run("segment", photos, tmp_path / "out", *settings)
    assert code == 1 and err.count("error: ") == 1
    assert list(contents(tmp_path / "out")) == ["cats/1.png"]
    with Image.open(tmp_path / "out/cats/1.png") as mask:
        assert mask.size == (20, 16)
    assert run("segment", photos / "cats", tmp_path / "out/cats")[:2] == (
        0,
        "segment: 0 done, 1 there already (--overwrite writes them anew)\n",
    )


FIT = ["fit", "in", "--estimator", "VQVAE"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["denoise"], "Missing argument 'IN'"),
        (["denoise", "not", "out"], "'not' does not exist"),
        (["denoise", "in", "in"], "would hold the files of IN"),
        (["denoise", "in", "in/../in"], "would hold the files of IN"),
        (["denoise", "in/deep.png", "in/deep.png"], "never written over"),
        (["denoise", "in/deep.png", "in/"], "never written over"),
        (["denoise", "in", "in/deep.png"], "is a folder, and OUT"),
        (["denoise", "in", "out", "--sigma", "many"], "'many'; expected a number"),
        (["denoise", "in", "out", "--sigma", "-1"], "'-1'; expected a number"),
        (["denoise", "in", "out", "--gain", "high"], "30, or estimate"),
        (["denoise", "in", "out", "--model", "in/deep.png"], "deep.png is no"),
        (["denoise", "in", "out", "--model", "a.model", "--sigma", "5"], "no --sigma"),
        (["denoise", "empty", "out"], "holds no images"),
        (["segment", "in", "out", "--model", "a.model"], "has no predict()"),
        (["segment", "in/deep.png", "a.tif"], "expected a PNG file"),
        (["encode", "in", "out"], "Missing option '--model'"),
        (["decode", "in", "out", "--model", "a.model"], "end in .codes"),
        (
            ["fit", "in", "-o", "b.model", "--estimator", "VQVAE", "--set", "x"],
            "expected NAME=VALUE",
        ),
        (["fit", "in", "-o", "not/b.model", "--estimator", "VQVAE"], "Make it first"),
        (["fit", "in", "-o", "a.model", "--estimator", "VQVAE"], "see --overwrite"),
        ([*FIT, "-o", "b", "--set", "x=1"], "'x'"),
        (["info", "in/deep.png"], "error: in/deep.png"),
    ],
)
def test_wrong_commands_are_told_and_do_nothing(
    run, photos, tmp_path, model, monkeypatch, arguments, words
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.model").write_bytes(model.read_bytes())
    monkeypatch.setattr(HalfAsBright, "set_params", _no_parameter, raising=False)
    before = contents(tmp_path)
    code, _, err = run(*arguments)
    assert code == 2 and words in " ".join(err.split()), err
    assert "Traceback" not in err and contents(tmp_path) == before


def _no_parameter(self, **parameters):
    raise ValueError(f"Invalid parameter {list(parameters)}")


def test_results_of_one_name_and_colours_for_a_grey_model(run, photos, tmp_path):
    Image.new("RGB", (8, 8)).save(photos / "deep.bmp")
    code, _, err = run("denoise", photos, tmp_path / "out")
    assert code == 1
    assert "error: deep.png: its result is called as that of deep.bmp\n" in err
    grey = DictionaryLearningVAE(n_nonzero_coefs=3, **SMALL)
    grey.fit(np.random.default_rng(0).random((6, 16, 16), np.float32))
    save(grey, tmp_path / "grey.model")
    one = (photos / "cats", tmp_path / "grey", "--model", tmp_path / "grey.model")
    code, _, err = run("denoise", *one)
    assert code == 1 and "--as-gray makes it grey" in err
    assert run("denoise", *one, "--as-gray")[0] == 0
    with Image.open(tmp_path / "grey/1.png") as image:
        assert image.mode == "L"


def test_results_may_lie_in_the_folder_of_the_photos(run, photos):
    (photos / "text.png").unlink()
    assert run("denoise", photos, photos / "out")[0] == 0
    assert run("denoise", photos, photos / "out")[1].startswith("denoise: 0 done, 3 th")


def test_ctrl_c_leaves_whole_files_alone(run, photos, tmp_path, monkeypatch):
    transform = HalfAsBright.transform

    def stop(self, images, sigma=None):
        if len(self.calls) == 2:
            raise KeyboardInterrupt
        return transform(self, images, sigma)

    monkeypatch.setattr(HalfAsBright, "transform", stop)
    code, _, err = run("denoise", photos, tmp_path / "out")
    assert code == 130 and "interrupted: " in err
    assert list(contents(tmp_path / "out")) == ["cats/1.png", "deep.png"]


def test_help_has_examples_and_needs_no_torch(run):
    code, out, _ = run("--help")
    assert code == 0 and "sparsevae denoise noisy/ restored/ " in out
    for name in program.commands:
        assert run(name, "--help")[0] == 0
    said = (
        "import sys; from sklearn_sparsevae.__main__ import main; main(['--help']); "
        "sys.exit(bool({'torch', 'sklearn', 'scipy'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", said], check=True, capture_output=True)


def test_a_process_says_how_it_ended(photos, tmp_path):
    """With a model that takes codes and no images, and that starts without torch."""
    segmenter = KMeansSegmenter(2, random_state=0).fit(np.eye(4))
    save(segmenter, tmp_path / "a.model")
    command = [sys.executable, "-m", "sklearn_sparsevae", "segment", photos]
    command += [tmp_path / "out", "--model", tmp_path / "a.model"]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 1 and ended.stdout == "segment: 0 done, 4 failed\n"
    lines = ended.stderr.splitlines()
    assert [line[:13] for line in lines] == [
        "error: cats/1",
        "error: deep.p",
        "error: stack.",
        "error: text.p",
    ]


def test_a_denoiser_is_what_fit_fits(photos, tmp_path):
    """The real one, told and not told how strong the noise is."""
    path, small = tmp_path / "a.model", "n_batches=2 max_epochs=1 width=4 n_shifts=1"
    chosen = [f"--set={text}" for text in (*small.split(), "random_state=0")]

    def run(*arguments):
        return CliRunner().invoke(program, list(map(str, arguments))).exit_code

    (photos / "text.png").unlink()
    assert run("fit", photos / "cats", "-o", path, *chosen) == 0
    assert run("denoise", photos, tmp_path / "a", "--model", path) == 0
    told = ("--model", path, "--sigma", 25)
    assert run("denoise", photos, tmp_path / "b", *told) == 0
    told = (*told, "--gain", 2)
    assert run("denoise", photos, tmp_path / "c", *told) == 0
    model = load(path)
    for folder, sigma, gain in [("a", None, None), ("b", 25, None), ("c", 25, 2.0)]:
        model.set_params(gain=gain)
        before = load_image_folder(photos).images
        after = load_image_folder(tmp_path / folder).images
        for one, other in zip(before, after, strict=True):
            restored = model.transform(one[None], sigma=sigma)[0]
            white = np.iinfo(other.dtype).max
            assert one.dtype == other.dtype
            # Where the file is grey, the mean of what are three channels to the model.
            is_grey = (one == one[..., :1]).all()
            restored = restored.mean(axis=-1, keepdims=True) if is_grey else restored
            assert np.abs(other / white - restored).max() <= 0.51 / white + 1e-5
