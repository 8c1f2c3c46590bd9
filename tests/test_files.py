"""Files that are whole or not there."""

import pytest

from sklearn_sparsevae._files import written_aside


def test_a_file_appears_when_it_is_whole(tmp_path):
    path = tmp_path / "numbers"
    with written_aside(path) as aside:
        aside.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_what_was_there_outlives_a_failure(tmp_path):
    path = tmp_path / "numbers"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), written_aside(path) as aside:
        aside.write_text("half")
        1 / 0  # noqa: B018
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no folder .*nowhere to write"):
        with written_aside(tmp_path / "nowhere" / "numbers"):
            pass
