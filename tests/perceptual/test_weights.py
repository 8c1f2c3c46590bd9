"""Files of weights: nothing but tensors is read, and a download is kept."""

import os
import pathlib
import urllib.error

import pytest
import torch

from sklearn_sparsevae.perceptual.weights import read_weights, weights_file

URL = "https://example.org/weights-0123abcd.pth"


class Intruder:
    """Runs a command when it is unpickled."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def test_weights_are_read(tmp_path):
    torch.save({"a": torch.arange(3)}, tmp_path / "w.pth")
    assert read_weights(tmp_path / "w.pth")["a"].tolist() == [0, 1, 2]


def test_what_is_in_a_file_does_not_run(tmp_path):
    traces = tmp_path / "traces"
    torch.save({"a": Intruder(f"touch {traces}")}, tmp_path / "w.pth")
    with pytest.raises(ValueError, match=r"w\.pth is no file of weights"):
        read_weights(tmp_path / "w.pth")
    assert not traces.exists()


def test_other_files_are_refused(tmp_path):
    torch.save(torch.zeros(2), tmp_path / "tensor.pth")
    with pytest.raises(
        ValueError, match=r"tensor\.pth holds a Tensor; expected a dict"
    ):
        read_weights(tmp_path / "tensor.pth")
    for content in (b"", b"no weights", b"PK\x03\x04"):
        (tmp_path / "text.pth").write_bytes(content)
        with pytest.raises(ValueError, match=r"text\.pth is no file of weights"):
            read_weights(tmp_path / "text.pth")
    with pytest.raises(FileNotFoundError):
        read_weights(tmp_path / "missing.pth")


def test_a_path_is_taken_as_it_is():
    assert weights_file("mine.pth", URL) == "mine.pth"


def test_a_download_is_checked_and_kept(tmp_path, monkeypatch):
    calls = []

    def download(url, file, hash_prefix):
        calls.append((url, hash_prefix))
        pathlib.Path(file).write_bytes(b"weights")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", download)
    files = {weights_file(None, URL) for _ in range(2)}
    assert [file.read_bytes() for file in files] == [b"weights"]
    assert calls == [(URL, "0123abcd")]


def test_no_download_says_what_to_do(tmp_path, monkeypatch):
    def fail(*args):
        raise urllib.error.URLError("no route")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", fail)
    with pytest.raises(OSError, match=f"{URL} .*no route.*give the path"):
        weights_file(None, URL)
