"""List the images of a tar, under the same names as those of a directory."""

from __future__ import annotations

import posixpath
import tarfile
from collections.abc import Iterable
from pathlib import Path

from experiments.data.archive import read_members
from experiments.data.files import File
from experiments.data.listing import NAMES, Listing, is_hidden, is_image, sorted_out, split_folders
from experiments.data.prepared import NOTE
from roadmap.errors import Problem, escaped

Place = tuple[str, tuple[str, ...]]  # of a member: the folder around the set, its parts in the set
WORDS = {name for groups in NAMES.values() for names in groups for name in names}


def list_tar(archive: Path, *, class_folders: bool) -> Listing:
    """List a tar, which may hold all in one folder. Raises Problem for sets within sets.

    Without split folders, it is read as class folders if `class_folders` allows that.
    """
    # Of two members with one name the later counts, as if the tar were unpacked.
    members = {_inside(member.name): member for member in read_members(archive, "data")}
    places = _places(members)
    deep = [place for place in places.values() if len(place[1]) > 2 and not is_hidden(place[1])]
    folders = split_folders(archive, {parts[0] for _, parts in deep}.__contains__)
    splits = {folder: split for split, folder in folders.items()}
    tops = {top for top, parts in deep if parts[0] in splits}
    if len(tops) > 1:
        named = escaped(", ".join(f"{top or '.'}/" for top in sorted(tops)))
        raise Problem(
            f"data {escaped(str(archive))} holds train/ and val/ more than once: in {named}"
        )
    files = [
        File(NOTE, archive, members[name].size, members[name].offset_data)
        for name in members
        if name.split("/")[-1] == NOTE and name.count("/") <= 1
    ]
    names: dict[str, str] = {}
    if folders:
        for name, (top, parts) in places.items():
            if parts[0] in splits and {top} == tops and len(parts) > 1:
                names[name] = "/".join((splits[parts[0]], *parts[1:]))
    elif class_folders:
        names = _in_class_folders(members)
    for name, own in names.items():
        if not is_hidden(own.split("/")) and not own.endswith(f"/{NOTE}"):
            file = _target(archive, name, members)
            files.append(File(own, archive, file.size, file.offset_data, name))
    return sorted_out(files, folders)


def _places(members: Iterable[str]) -> dict[str, Place]:
    """Return where the members of split folders lie, at the top or within one folder."""
    places: dict[str, Place] = {}
    for name in members:
        parts = tuple(name.split("/"))
        if parts[0] in WORDS:
            places[name] = ("", parts)
        elif len(parts) > 1 and parts[1] in WORDS:
            places[name] = (parts[0], parts[1:])
    return places


def _in_class_folders(members: Iterable[str]) -> dict[str, str]:
    """Return the names of members of class folders, without a folder around all of them."""
    split = {name: name.split("/") for name in members}
    images = [parts for name, parts in split.items() if is_image(name) and not is_hidden(parts)]
    around = {parts[0] for parts in images}
    has_top = len(around) == 1 and all(len(parts) > 2 for parts in images)
    kept = {name: parts[1:] if has_top else parts for name, parts in split.items()}
    return {name: "/".join(("train", *parts)) for name, parts in kept.items() if parts}


def _inside(name: str, *, start: str = "") -> str:
    return posixpath.normpath(posixpath.join(start, name)).removeprefix("/")


def _target(archive: Path, name: str, members: dict[str, tarfile.TarInfo]) -> tarfile.TarInfo:
    """Return the file that a member is, through its links."""
    member, seen = members[name], {name}
    while member.islnk() or member.issym():
        start = posixpath.dirname(name) if member.issym() else ""
        name = _inside(member.linkname, start=start)
        if name not in members or name in seen:
            link = escaped(member.name)
            raise Problem(f"data {escaped(str(archive))}: member {link} is a link to nothing in it")
        member = members[name]
        seen.add(name)
    return member
