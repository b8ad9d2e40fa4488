"""List the members of a tar whose bytes can be read in place; refuse what would be misread."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from roadmap.errors import Problem, escaped

LABEL = b"V"  # the type of a member that only names the archive, by `tar --label`


def read_members(archive: Path, kind: str) -> list[tarfile.TarInfo]:
    """Return the files and links of an uncompressed tar. Raises Problem.

    `kind` names the archive in messages, for example "shard".
    """
    where = f"{kind} {escaped(str(archive))}"
    members: list[tarfile.TarInfo] = []
    try:
        with archive.open("rb") as file, tarfile.open(fileobj=file, mode="r:") as opened:
            for member in _checked(opened, os.fstat(file.fileno()).st_size, where):
                members.append(member)
            _check_end(file, opened, where)
            return members
    except (RecursionError, MemoryError, OverflowError):
        raise Problem(
            f"{where} is damaged: a header has an impossible size; pack it again"
        ) from None
    except ValueError:  # its text holds bytes of the content that tarfile took for a header
        after = f"after member {escaped(members[-1].name)}" if members else "of the first member"
        text = f"is damaged: the header {after} does not fit what follows it; pack it again"
        raise Problem(f"{where} {text}") from None
    except (tarfile.TarError, OSError) as error:
        text = f"is no plain tar ({escaped(str(error))}); a compressed one must be unpacked first"
        raise Problem(f"{where} {text}") from None


def _checked(opened: tarfile.TarFile, size: int, where: str) -> Iterator[tarfile.TarInfo]:
    """Yield files and links; raise Problem if one cannot be read in place."""
    for member in opened:
        name = escaped(member.name)
        if member.issparse():
            raise Problem(
                f"{where}: member {name} is stored as a sparse file; pack it without --sparse"
            )
        if not member.offset_data <= member.offset_data + member.size <= size:
            raise Problem(
                f"{where} is damaged: the header of member {name} says {member.size} bytes"
            )
        if member.isfile() or member.issym() or member.islnk():
            yield member
        elif not member.isdir() and member.type != LABEL:
            raise Problem(f"{where}: member {name} is no file, link or folder")


def _check_end(file: BinaryIO, opened: tarfile.TarFile, where: str) -> None:
    """Raise Problem if anything but zeros follows: tarfile takes a bad header for the end."""
    last = opened.getmembers()[-1:]
    file.seek(opened.offset)
    while block := file.read(1 << 20):
        if any(block):
            after = f" after member {escaped(last[0].name)}" if last else ""
            raise Problem(
                f"{where} is damaged: there is no valid header{after}, at byte {opened.offset}"
            )
