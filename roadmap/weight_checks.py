"""What can be told of a weights file without torch: that it is there, and the shapes in it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from roadmap.errors import Problem, escaped

POINTER = b"version https://git-lfs.github.com/spec/"
MOST_HEADER = 100_000_000  # bytes, as in the safetensors library
Shapes = dict[str, tuple[int, ...]]


def check_weight_file(path: Path) -> None:
    """Raise Problem for a file that is absent, empty or a Git LFS pointer."""
    if not path.is_file():
        raise Problem(f"weights file {escaped(str(path))} does not exist")
    with path.open("rb") as file:
        start = file.read(len(POINTER))
    if not start:
        raise unreadable(path, "is empty")
    if start == POINTER:
        raise unreadable(path, "is a Git LFS pointer; `git lfs pull` fetches the weights")


def unreadable(path: Path, why: str) -> Problem:
    """Return the problem that a file holds no weights; `why` has `it` for its subject."""
    where = escaped(str(path))
    return Problem(f"weights file {where} is not readable as weights: it {escaped(why)}")


def file_fingerprint(path: Path) -> str:
    """Return 12 hexadecimal digits over the bytes of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:12]


def is_safetensors(path: Path) -> bool:
    """Return whether a file starts as safetensors do: 8 bytes of length, then JSON."""
    with path.open("rb") as file:
        return file.read(9)[8:] == b"{"


def safetensors_shapes(path: Path) -> Shapes:
    """Return the shapes in a safetensors file, from its header. Raises Problem if it is damaged."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = file.read(length) if length <= MOST_HEADER else b""
    try:
        entries = json.loads(header)
        entries.pop("__metadata__", None)
        shapes = {name: tuple(map(int, entry["shape"])) for name, entry in entries.items()}
        end = max((int(entry["data_offsets"][1]) for entry in entries.values()), default=0)
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError):
        raise unreadable(path, "is damaged: its header is no JSON of tensors") from None
    if 8 + length + end != (size := path.stat().st_size):
        raise unreadable(path, f"is damaged: it has {size:,} bytes, not {8 + length + end:,}")
    return shapes
