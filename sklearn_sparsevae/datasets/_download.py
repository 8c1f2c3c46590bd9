"""Files of public data sets: fetched once, checked, and kept as zip files."""

import contextlib
import dataclasses
import gzip
import hashlib
import posixpath
import tarfile
import zipfile
import zlib
from pathlib import Path

from sklearn.datasets import get_data_home

from sklearn_sparsevae._files import written_aside
from sklearn_sparsevae.datasets._lock import only_one


@dataclasses.dataclass(frozen=True)
class Remote:
    """A file to fetch.

    Attributes
    ----------
    url : str
        Where it is; the last part names the file here.
    checksum : str or None
        ``"algorithm:digest"``; None where nobody publishes one.
    """

    url: str
    checksum: str | None

    @property
    def filename(self):
        """Name of the file here."""
        return posixpath.basename(self.url)


def check_subset(subset, subsets):
    """Raise unless a subset is one of those that there are."""
    if subset not in subsets:
        raise ValueError(
            f"Got subset={subset!r}; expected one of {', '.join(map(repr, subsets))}."
        )


class Shelf:
    """The folder that a data set is kept in.

    Parameters
    ----------
    name : str
        Of the folder.
    data_home : str, path-like or None
        Folder of all data sets; None stands for scikit-learn's.
    download_if_missing : bool
        Whether files may be fetched.
    """

    def __init__(self, name, data_home, download_if_missing):
        self.path = Path(get_data_home(data_home), name)
        self.download_if_missing = download_if_missing

    def file(self, remote):
        """Path of a file; what is there already is checked and never replaced."""
        path = self.path / remote.filename
        if not path.exists():
            with self._alone(path, remote):
                self._fetch(remote)
        _check(path, remote.checksum)
        return path

    def repacked(self, remote, below=""):
        """Path of a zip file with what a tar file holds below a folder.

        The tar file is read once from end to end, which is all that a compressed one is
        fit for, and removed. Readers never see half a zip file.
        """
        path = self.path / (remote.filename.split(".")[0] + ".zip")
        archive = self.path / remote.filename
        if path.exists():
            return path
        with self._alone(archive, remote):
            if not path.exists():
                self._fetch(remote)
                _check(archive, remote.checksum)
                _repack(archive, path, below)
                archive.unlink()
        return path

    def _fetch(self, remote):
        """Download a file unless another thread or process has, while we waited."""
        if not (self.path / remote.filename).exists():
            _download(remote, self.path)

    @contextlib.contextmanager
    def _alone(self, path, remote):
        """Have the folder for ourselves, to put a file there that is missing."""
        if not (path.exists() or self.download_if_missing):
            raise OSError(
                f"{path} is missing and download_if_missing is False. Allow the "
                f"download, or put there what {remote.url} gives."
            )
        self.path.mkdir(parents=True, exist_ok=True)
        with only_one(self.path / ".lock"):
            yield


def _download(remote, folder):
    try:
        import pooch
    except ImportError:
        raise ImportError(
            "To download data sets takes pooch: pip install sklearn-sparsevae[data]. "
            f"Or put what {remote.url} gives into {folder}."
        ) from None
    # pooch writes aside, checks, and renames.
    pooch.retrieve(remote.url, remote.checksum, fname=remote.filename, path=folder)


def _check(path, checksum):
    if checksum is None:
        return
    algorithm, expected = checksum.split(":")
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, algorithm).hexdigest()
    if digest != expected:
        raise ValueError(
            f"{path} has the {algorithm} checksum {digest}; expected {expected}. It "
            "is damaged or another file: remove it, and it is fetched again."
        )


def _repack(archive, target, below):
    with written_aside(target) as part:
        try:
            with tarfile.open(archive, "r|*") as tar, zipfile.ZipFile(part, "w") as out:
                for member in tar:
                    name = posixpath.normpath(member.name)
                    if member.isfile() and name.startswith(below):
                        content = tar.extractfile(member).read()
                        out.writestr(name.removeprefix(below), content)
        except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise ValueError(
                f"{archive} cannot be read to its end ({error}): remove it, and it is "
                "fetched again."
            ) from error
