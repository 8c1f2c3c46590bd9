"""Files that are whole or not there."""

import contextlib
import os
import tempfile
from pathlib import Path


@contextlib.contextmanager
def written_aside(path):
    """Yield a path beside ``path`` to write to, which takes its place at the end.

    So another program sees the old file or the new one, never a part, and a power cut
    leaves one of them. When writing raises, what was at ``path`` stays.

    Parameters
    ----------
    path : str or path-like
        Its folder must exist.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"There is no folder {path.parent} to write {path.name} to. Make it first."
        )
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".aside-") as folder:
        aside = Path(folder, path.name)
        yield aside
        _to_disk(aside)
        os.replace(aside, path)
    if os.name == "posix":
        _to_disk(path.parent)


def write_text(path, text):
    """Write a text aside, in place of what was there."""
    with written_aside(path) as aside:
        aside.write_text(text, encoding="utf-8")


def _to_disk(path):
    """Wait until the disk has a file, or the names of a folder."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
