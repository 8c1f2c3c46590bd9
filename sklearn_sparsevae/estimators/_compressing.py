"""What stands around range-coded tokens: who wrote them, how many, checksums."""

import dataclasses
import struct
import zlib

import numpy as np

from sklearn_sparsevae.training import decode_tokens, encode_tokens, net_arrays

_MAGIC, _VERSION = b"SVAC", 1
# Magic, version, images; CRC-32 of the prior, of the tokens, and of all these bytes.
_HEADER = struct.Struct("<4sBIIII")


def write_tokens(prior, tokens):
    """Bytes of the tokens of a fitted prior: a header of 21 bytes, and their code."""
    content = encode_tokens(prior.net_.module_, tokens, prior.device, prior.verbose)
    start = _MAGIC, _VERSION, len(tokens), _checksum_of(prior), _checksum(tokens)
    checksum = zlib.crc32(_HEADER.pack(*start, 0) + content)
    return _HEADER.pack(*start, checksum) + content


def read_tokens(prior, data):
    """Tokens that `write_tokens` has written with the same prior."""
    data = _as_bytes(data)
    if data[:4] != _MAGIC or len(data) < _HEADER.size:
        raise ValueError(
            f"Got data of {len(data)} bytes that do not begin as compressed codes do; "
            "expected what compress returned. Files of save_codes are read by "
            "load_codes."
        )
    *start, checksum = _HEADER.unpack_from(data)
    _, version, n_images, of_prior, of_tokens = start
    if version > _VERSION:
        raise ValueError(
            f"Got data in format {version} of compressed codes; expected {_VERSION}. "
            "Update sklearn-sparsevae to read them."
        )
    content = data[_HEADER.size :]
    damaged = zlib.crc32(_HEADER.pack(*start, 0) + content) != checksum
    if damaged or n_images == 0 or len(content) % 4:
        raise ValueError(
            "Got data that are damaged: their checksum is wrong; expected the bytes as "
            "compress returned them, all of them. Copy the file again."
        )
    if of_prior != _checksum_of(prior):
        raise ValueError(
            "Got data that another prior wrote; expected those of this one. Load the "
            "prior that wrote them: one that was fitted again has other weights."
        )
    module = prior.net_.module_
    try:
        tokens = decode_tokens(module, content, n_images, prior.device, prior.verbose)
        is_same = _checksum(tokens) == of_tokens
    except ValueError:
        is_same = False
    if not is_same:
        raise ValueError(
            "Got data that cannot be read here, although they are of this prior: "
            "probabilities come out differently than where they were compressed. "
            "Expected the same arithmetic: use the same device and version of torch."
        )
    return tokens


def _as_bytes(data):
    if not isinstance(data, bytes | bytearray | memoryview):
        raise TypeError(
            f"Got data of type {type(data).__name__}; expected bytes, as compress "
            "returns them. Read a file by pathlib.Path(path).read_bytes()."
        )
    return bytes(data)


def _checksum(tokens):
    return zlib.crc32(np.ascontiguousarray(tokens, "<i8"))


def _checksum_of(prior):
    """CRC-32 of all that decides how a prior reads: its space, levels and weights."""
    tokenizer = prior.tokenizer_
    space = np.hstack(dataclasses.astuple(tokenizer.space)).astype("<i8")
    arrays = {"space": space, "levels": tokenizer.levels, **net_arrays(prior.net_)}
    checksum = 0
    for name, array in sorted(arrays.items()):
        checksum = zlib.crc32(name.encode(), checksum)
        checksum = zlib.crc32(np.ascontiguousarray(array), checksum)
    return checksum
