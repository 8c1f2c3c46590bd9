"""Where files are: a folder, or a zip archive that is read in place."""

import contextlib
import io
import lzma
import os
import struct
import threading
import zipfile
import zlib
from pathlib import Path, PurePosixPath

# Half a gigabyte of RGBA: photos of 100 megapixels are opened, what claims more is not.
MAX_PIXELS = 2**27
_BYTES_A_PIXEL = 8  # four channels of 16 bits
_ENCRYPTED = 1  # a bit of the flags of a member
SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
# What zipfile raises at archives that are cut short, garbled, encrypted or packed in a
# way that it does not know.
_BROKEN = (
    *(KeyError, IndexError, zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error),
    *(lzma.LZMAError, RuntimeError, EOFError, struct.error, OSError, ValueError),
    *(OverflowError, MemoryError),
)


class Folder:
    """The files below a folder."""

    def __init__(self, path):
        self.path = Path(path)
        if not self.path.is_dir():
            raise FileNotFoundError(
                f"{self.path} is no folder; expected one that holds images."
            )

    def names(self):
        """Paths of the files, relative to the folder, sorted."""
        paths = (path for path in self.path.rglob("*") if path.is_file())
        return sorted(path.relative_to(self.path).as_posix() for path in paths)

    def open(self, name):
        """Open a file to read bytes of it, in any order."""
        return open(self.path / name, "rb")


class ZipArchive:
    """The members of a zip file, read in place.

    The file is opened anew in every process, so that archives can be pickled and forked
    processes do not move one another's position in the file. Threads of one process
    may read at once.

    Parameters
    ----------
    path : str or path-like
        The file.
    max_pixels : int
        Of the photos that are wanted; members of more than eight bytes for each of them
        are refused.
    """

    def __init__(self, path, max_pixels=MAX_PIXELS):
        self.path = Path(path)
        self.max_bytes = _BYTES_A_PIXEL * max_pixels
        self._opened = None
        if not self.path.exists():
            raise FileNotFoundError(f"There is no file {self.path}.")
        if not zipfile.is_zipfile(self.path):
            raise ValueError(
                f"{self.path} is no zip file that can be read; only zip files are read "
                "in place. Copy it anew if it is cut short; unpack other archives and "
                "use load_image_folder."
            )

    def names(self):
        """Names of the members that are files, sorted."""
        return sorted(n for n in self._archive()[0].namelist() if not n.endswith("/"))

    def read(self, name):
        """Content of a member, as bytes."""
        archive, lock = self._archive()
        with self._naming_damage(f"{self.path}: {name} is missing or damaged"):
            member = archive.getinfo(name)
            if member.flag_bits & _ENCRYPTED:
                raise RuntimeError("it is encrypted: unpack it with its password")
            size, content = member.file_size, b""
            if size <= self.max_bytes:
                with lock:  # zipfile counts who reads, and not for threads
                    file = archive.open(member)
                try:
                    # What the archive says of the size need not be true.
                    content = file.read(self.max_bytes + 1)
                finally:
                    with lock:
                        file.close()
        if max(size, len(content)) > self.max_bytes:
            raise ValueError(
                f"{self.path}: {name} has {size} bytes unpacked; expected at most "
                f"{self.max_bytes}, which is {_BYTES_A_PIXEL} for each of max_pixels. "
                "Raise max_pixels if you trust the archive, or unpack it and use "
                "load_image_folder."
            )
        return content

    def open(self, name):
        """Open a member to read bytes of it, in any order."""
        return io.BytesIO(self.read(name))

    def _archive(self):
        opened = self._opened
        if opened is None or opened[0] != os.getpid():
            with self._naming_damage(f"{self.path} is damaged"):
                archive = zipfile.ZipFile(self.path)
            opened = self._opened = os.getpid(), archive, threading.Lock()
        return opened[1:]

    @contextlib.contextmanager
    def _naming_damage(self, what):
        try:
            yield
        except _BROKEN as error:
            reason = str(error) or type(error).__name__
            raise ValueError(f"{what} ({reason}). Get the archive anew.") from error

    def __getstate__(self):
        return {**self.__dict__, "_opened": None}


def image_files(source, below=""):
    """Names of the images in a source whose names begin so; hidden ones left out."""
    files = [n for n in source.names() if n.startswith(below) and _is_image(n)]
    if not files:
        raise ValueError(
            f"{source.path} holds no images{' in ' + below if below else ''}; expected "
            f"files that end in {', '.join(SUFFIXES)}."
        )
    return files


def _is_image(name):
    path = PurePosixPath(name)
    hidden = any(part.startswith((".", "__MACOSX")) for part in path.parts)
    return path.suffix.lower() in SUFFIXES and not hidden
