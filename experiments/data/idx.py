"""Read arrays from idx files, the format of MNIST: plain, or compressed with gzip."""

from __future__ import annotations

import gzip
import zlib
from math import prod
from pathlib import Path

import numpy

from roadmap.errors import Problem

OCTETS = 8  # the element type: unsigned bytes


def read_idx(path: Path) -> numpy.ndarray:
    """Return the array, uint8. Raises Problem if the file is damaged.

    The header is two zeros, the element type, the number of dimensions, and each of them as a
    big-endian 32-bit integer.
    """
    content = read_bytes(path)
    if len(content) < 4 or content[:3] != bytes([0, 0, OCTETS]):
        raise Problem(f"{path} is no idx file of unsigned bytes")
    start = 4 + 4 * content[3]
    shape = tuple(numpy.frombuffer(content[4:start], dtype=">u4").tolist())
    if len(content) != start + prod(shape) or len(shape) != content[3]:
        size = " × ".join(map(str, shape))
        raise Problem(f"{path} is damaged: its header says {size}, it has {len(content)} bytes")
    return numpy.frombuffer(content, dtype=numpy.uint8, offset=start).reshape(shape)


def read_bytes(path: Path) -> bytes:
    """Return the file's content, uncompressed. Raises Problem if it cannot be read."""
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    except (OSError, EOFError, zlib.error) as error:
        raise Problem(f"{path} cannot be read: {error}") from None
