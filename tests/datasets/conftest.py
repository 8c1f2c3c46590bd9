"""Images and archives to load, made on the spot."""

import io
import tarfile
import zipfile

import numpy as np
import pytest
from PIL import Image


def _encode(pixels, suffix="png", **options):
    """Content of an image file that holds an array, or a Pillow image."""
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    file = io.BytesIO()
    image.save(file, {"jpg": "jpeg"}.get(suffix, suffix), **options)
    return file.getvalue()


@pytest.fixture(scope="session")
def encode():
    return _encode


@pytest.fixture(scope="session")
def photo():
    """Return a function that makes a photo of some size, and of some seed."""

    def make(height=6, width=9, seed=0):
        shape = (height, width, 3)
        return np.random.RandomState(seed).randint(256, size=shape, dtype=np.uint8)

    return make


@pytest.fixture(scope="session")
def write_zip():
    def write(path, members):
        path.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        return path

    return write


@pytest.fixture(scope="session")
def write_tar():
    def write(path, members):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tarfile.open(path, "w:gz") as archive:
            for name, content in members.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
        return path

    return write
