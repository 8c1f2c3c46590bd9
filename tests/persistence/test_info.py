"""``python -m sklearn_sparsevae info``: what a file says of itself."""

import functools
import subprocess
import sys

import numpy as np
import pytest

from sklearn_sparsevae import VQVAE, __version__, save
from sklearn_sparsevae import _container as container
from sklearn_sparsevae.__main__ import main
from sklearn_sparsevae.codes import save_codes
from sklearn_sparsevae.degrade import gaussian_noise
from tests.persistence.conftest import CASES, codes


def info(path, capsys):
    """Return the lines of the table as a dict, the first of each name."""
    assert main(["info", str(path)]) == 0
    lines = [
        (line[:22].strip(), line[22:]) for line in capsys.readouterr().out.splitlines()
    ]
    return dict(reversed(lines))


@pytest.mark.parametrize("name", list(CASES)[::3])
def test_a_model_says_what_it_is(fitted, capsys, name):
    case, path = fitted(name)
    said = info(path, capsys)
    assert said["estimator"] == type(case.model).__name__
    assert said["written with"].startswith(f"sklearn-sparsevae {__version__}, torch ")
    if getattr(case.model, "net_", None) is not None:
        n_epochs = case.model.n_epochs_
        assert said.get("last epoch", "epoch 0").split(",")[0] == f"epoch {n_epochs}"
        assert " numbers" in said["network"]


def test_parameters_that_are_not_defaults_are_listed(fitted, capsys):
    said = info(fitted("condition")[1], capsys)
    assert said["n_components"] == "12  (default 64)"
    assert said["backbone_params"] == "{'width': 4}  (default None)"
    assert said["fitted to"] == "images with 3 channel(s), 16x16"
    assert said["condition_classes_"] == "['a', 'b']"
    assert "lr" not in said


def test_steps_and_code_are_listed(fitted, capsys, tmp_path):
    said = info(fitted("Pipeline with others")[1], capsys)
    assert said["step a b__off"] == "passthrough"
    assert said["step a b__enc"] == "DictionaryLearningVAE"
    assert said["step last"].startswith("sklearn.linear_model._logistic.Logistic")
    model = VQVAE(degrade=functools.partial(gaussian_noise, sigma=7))
    save(model, tmp_path / "a")
    said = info(tmp_path / "a", capsys)
    assert said["to be given again"].startswith("degrade, which was functools.partial")
    assert "not fitted" in said


def test_codes_and_checkpoints_say_what_they_are(capsys, tmp_path):
    sparse = codes()[0]
    save_codes([sparse[:1], sparse[1:3]], tmp_path / "a")
    said = info(tmp_path / "a", capsys)
    assert said["codes"] == "of 3 images in a list of 2"
    assert said["grid_shape"] == "(4, 4)"
    assert said["n_atoms"] == "12, 0 of means"
    container.write(
        tmp_path / "a", "checkpoint", {"w": np.zeros(3)}, {"n_done": 3, "fit": "a\x1b["}
    )
    said = info(tmp_path / "a", capsys)
    assert said["kind"].startswith("checkpoint")
    assert (said["n_done"], said["fit"]) == ("3", "a?[")
    assert said["numbers"] == "1 tensors, 24 bytes"


def test_bad_files_are_told_in_one_line(fitted, capsys, tmp_path):
    raw = bytearray(fitted("VQVAE0")[1].read_bytes())
    raw[-5] ^= 1
    (tmp_path / "flipped").write_bytes(raw)
    (tmp_path / "text").write_text("a,b\n1,2\n" * 9)
    container.write(tmp_path / "other", "model", {}, {"model": {"class": "eval"}})
    for name in ("flipped", "text", "other", "absent", "."):
        assert main(["info", str(tmp_path / name)]) == 2
        said = capsys.readouterr()
        assert not said.out
        assert said.err.startswith("error: ") and said.err.count("\n") == 1


def test_it_is_a_command_of_the_package(fitted):
    command = [sys.executable, "-m", "sklearn_sparsevae", "info"]
    path = fitted("KMeansSegmenter of images")[1]
    found = subprocess.run([*command, path], capture_output=True, text=True, check=True)
    assert "KMeansSegmenter" in found.stdout
