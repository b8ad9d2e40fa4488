"""Where `prepare-data` writes its images: a folder or a tar, whole or continued after a kill."""

from __future__ import annotations

import os
import tarfile
from abc import ABC, abstractmethod
from pathlib import Path

from roadmap.errors import Problem

BLOCK = tarfile.BLOCKSIZE
RECORD = tarfile.RECORDSIZE  # a tar's length is a multiple of it


class Copy(ABC):
    """Images that are written one after another; `names` lists the complete ones."""

    names: set[str]

    @abstractmethod
    def __init__(self, path: Path) -> None:
        """Continue the copy at `path`, or begin it."""

    @abstractmethod
    def put(self, name: str, content: bytes) -> None:
        """Add a file."""

    @abstractmethod
    def close(self) -> None:
        """End the copy."""


class FolderCopy(Copy):
    """A folder. A file gets its name once it is whole."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.partial = path.with_name("file.partial")
        path.mkdir(exist_ok=True)
        files = (Path(folder, name) for folder, _, names in os.walk(path) for name in names)
        self.names = {file.relative_to(path).as_posix() for file in files}

    def put(self, name: str, content: bytes) -> None:
        """Write a file."""
        place = self.path / name
        place.parent.mkdir(parents=True, exist_ok=True)
        self.partial.write_bytes(content)
        self.partial.replace(place)

    def close(self) -> None:
        """Do nothing: every file is whole."""


class TarCopy(Copy):
    """An uncompressed tar, the same bytes whenever and by whomever it is written."""

    def __init__(self, path: Path) -> None:
        self.names, end = _whole_members(path)
        self.file = path.open("r+b" if path.exists() else "xb")
        self.file.truncate(end)
        self.file.seek(end)

    def put(self, name: str, content: bytes) -> None:
        """Append a member."""
        member = tarfile.TarInfo(name)  # of no user and no time
        member.size = len(content)
        self.file.write(member.tobuf() + content + bytes(-len(content) % BLOCK))

    def close(self) -> None:
        """Write the end of the tar to the disk."""
        end = self.file.tell() + 2 * BLOCK
        self.file.write(bytes(2 * BLOCK + -end % RECORD))
        self.file.flush()
        os.fsync(self.file.fileno())
        self.file.close()


def _whole_members(path: Path) -> tuple[set[str], int]:
    """Return the names in a tar that may break off, and where its last whole member ends."""
    names, end = set[str](), 0
    if not path.exists():
        return names, end
    size = path.stat().st_size
    try:
        with tarfile.open(path, "r:") as archive:
            for member in archive:
                after = member.offset_data + member.size + -member.size % BLOCK
                if after > size:
                    break
                names.add(member.name)
                end = after
    except (tarfile.TarError, ValueError):  # it breaks off in a header
        pass
    return names, end


COPIES: dict[str, tuple[str, type[Copy]]] = {  # by the ending of --out
    "": ("images", FolderCopy),
    ".tar": ("images.tar", TarCopy),
}
COMPRESSED = (".gz", ".tgz", ".bz2", ".xz", ".zst", ".zip")


def copy_kind(out: Path) -> tuple[str, type[Copy]]:
    """Return a name for the unfinished copy, and its kind. Raises Problem for a compressed one."""
    if out.suffix.lower() in COMPRESSED:
        raise Problem(f"--out {out}: JPEG files cannot be compressed further; use .tar or a folder")
    return COPIES.get(out.suffix, COPIES[""])
