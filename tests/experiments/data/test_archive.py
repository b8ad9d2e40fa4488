"""Tars that would be misread are refused: sparse members, corrupted or lying headers."""

import io
import tarfile

import pytest

from experiments.data.archive import read_members
from experiments.data.folder import Folder
from experiments.data.shards import Shards
from experiments.data.sources import read_source
from roadmap.errors import Problem
from tests.experiments.data.made import write_shards


def packed(path, sizes=(700, 100, 1500)):
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as archive:
        for number, size in enumerate(sizes):
            member = tarfile.TarInfo(f"{number}.jpg")
            member.size = size
            archive.addfile(member, io.BytesIO(bytes([number + 1]) * size))
    return path


def checksummed(header):
    total = 8 * 32 + sum(header[:148]) + sum(header[156:512])
    return header[:148] + f"{total:06o}\0 ".encode() + header[156:512]


def with_header(path, number, change):
    """Change the header of one member; its checksum is right again afterwards."""
    with tarfile.open(path) as archive:
        start = archive.getmembers()[number].offset
    content = bytearray(path.read_bytes())
    header = bytearray(content[start : start + 512])
    change(header)
    content[start : start + 512] = checksummed(bytes(header))
    path.write_bytes(content)


def add_sparse(path, name, kind):
    """Add a file of 4 bytes, a hole, and 4 bytes, as one of GNU tar's three sparse formats."""
    stored = b"headtail"
    parts = [(0, 4), (4096, 4)]
    member = tarfile.TarInfo(name)
    with tarfile.open(path, "a", format=tarfile.PAX_FORMAT) as archive:
        if kind == "pax 1.0":
            listed = "2\n" + "".join(f"{offset}\n{size}\n" for offset, size in parts)
            stored = listed.encode().ljust(512, b"\0") + stored
            version = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}
            size = {"GNU.sparse.name": name, "GNU.sparse.realsize": "4100"}
            member.pax_headers = version | size
        elif kind == "pax 0.1":
            member.pax_headers = {"GNU.sparse.map": "0,4,4096,4", "GNU.sparse.size": "4100"}
        member.size = len(stored)
        archive.addfile(member, io.BytesIO(stored))
    if kind == "old GNU":

        def change(header):
            header[156:157] = b"S"
            header[386:482] = bytes(96)
            for index, (offset, size) in enumerate(parts):
                place = 386 + 24 * index
                header[place : place + 24] = f"{offset:011o}\0{size:011o}\0".encode()
            header[483:495] = f"{4100:011o}\0".encode()

        with_header(path, -1, change)


KINDS = ("pax 1.0", "pax 0.1", "old GNU")


@pytest.mark.parametrize("kind", KINDS)
def test_sparse_members_are_refused(tmp_path, kind):
    path = packed(tmp_path / "x.tar")
    add_sparse(path, "hole.jpg", kind)
    with pytest.raises(Problem, match=r"data .*x.tar: member hole.jpg is stored as a sparse file"):
        read_members(path, "data")


def test_sparse_members_are_refused_in_folders_and_shards(images, tmp_path):
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w") as archive:
        archive.add(images, "x")
    add_sparse(path, "x/train/a/hole.jpg", "pax 1.0")
    with pytest.raises(Problem, match="hole.jpg is stored as a sparse file"):
        Folder.read(str(path), None)
    root = write_shards(tmp_path / "shards")
    add_sparse(root / "set-train-0001.tar", "n99.jpg", "old GNU")
    with pytest.raises(Problem, match=r"set-train-0001.tar: member n99.jpg is stored as a sparse"):
        Shards.read("wds/x", root)


def size(text):
    def change(header):
        header[124:136] = text

    return change


@pytest.mark.parametrize(
    ("number", "text", "message"),
    [
        (1, b"00000000000\0", "no valid header after member 1.jpg"),  # smaller than it is
        (0, b"00000001000\0", "no valid header after member 0.jpg"),
        (1, b"00000003000\0", "no valid header after member 1.jpg"),  # into another's pixels
        (2, b"00077777777\0", "header of member 2.jpg says 16777215 bytes"),
        (1, b"\xff" * 11 + b"\x00", "header of member 1.jpg says -256 bytes"),
        (1, b"\xff" * 10 + b"\xf0\x00", "header of member 1.jpg says -4096 bytes"),
        (1, b"\x80" + b"\x7f" * 11, "header of member 1.jpg says"),
    ],
)
def test_a_header_that_lies_about_a_size_is_named(tmp_path, number, text, message):
    path = packed(tmp_path / "x.tar")
    with_header(path, number, size(text))
    with pytest.raises(Problem, match=message):
        read_members(path, "data")


@pytest.mark.parametrize(
    ("whole", "place"), [((700,), "after member 0.jpg"), ((), "of the first member")]
)
@pytest.mark.parametrize("content", [b"\xff\xd8\xff\xe0" * 200, b"JFIF\n" * 200])
def test_a_sparse_header_over_plain_data_is_called_inconsistent(tmp_path, whole, place, content):
    path = packed(tmp_path / "x.tar", whole)
    with tarfile.open(path, "a", format=tarfile.PAX_FORMAT) as archive:
        member = tarfile.TarInfo("plain.jpg")
        member.size = len(content)
        version = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}
        member.pax_headers = version | {"GNU.sparse.name": "x.jpg", "GNU.sparse.realsize": "9"}
        archive.addfile(member, io.BytesIO(content))
    with pytest.raises(Problem) as fault:
        read_members(path, "data")
    assert f"x.tar is damaged: the header {place} does not fit what follows" in str(fault.value)
    assert not any(word in str(fault.value) for word in ("unpack", "JFIF", "xff", "literal"))


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("harm", ["checksum", "zeros", "cut"])
def test_a_corrupted_header_does_not_end_the_archive_silently(tmp_path, number, harm):
    path = packed(tmp_path / "x.tar")
    with tarfile.open(path) as archive:
        start = archive.getmembers()[number].offset
    content = bytearray(path.read_bytes())
    if harm == "checksum":
        content[start + 3] ^= 1
    elif harm == "zeros":
        content[start : start + 512] = bytes(512)
    else:
        del content[start + 300 :]
    path.write_bytes(content)
    with pytest.raises(Problem, match=f"no valid header after member {number - 1}.jpg, at byte"):
        read_members(path, "data")


def test_whole_archives_of_every_format_are_read(tmp_path):
    for kind in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        path = tmp_path / f"{kind}.tar"
        with tarfile.open(path, "w", format=kind) as archive:
            for name in ("a.jpg", f"{'deep/' * 15}é.jpg"):
                member = tarfile.TarInfo(name)
                member.size = 600
                archive.addfile(member, io.BytesIO(b"x" * 600))
        assert [member.size for member in read_members(path, "data")] == [600, 600]
        path.write_bytes(path.read_bytes().rstrip(b"\0").ljust(4096, b"\0")[: 2**12])
    with pytest.raises(Problem, match="is no plain tar"):
        read_source(__file__)


@pytest.mark.parametrize("kind", [tarfile.FIFOTYPE, tarfile.CHRTYPE, b"M", b"Z"])
def test_a_member_that_is_no_file_is_not_left_out_silently(tmp_path, kind):
    path = packed(tmp_path / "a.tar")

    def change(header):
        header[156:157] = kind

    with_header(path, 1, change)
    with pytest.raises(Problem, match=r"member 1\.jpg is no file, link or folder"):
        read_members(path, "data")
    with_header(path, 1, lambda header: header.__setitem__(slice(156, 157), b"V"))
    assert [member.name for member in read_members(path, "data")] == ["0.jpg", "2.jpg"]
