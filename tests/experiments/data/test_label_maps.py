"""Folders in the layouts of ADE20K and VOC."""

import os
import struct
import zlib
from functools import partial

import numpy
import pytest
from PIL import Image

from experiments.data.ade import AdeFolder
from experiments.data.check import without_broken
from experiments.data.images import BrokenImage
from experiments.data.scene import UNLABELLED
from experiments.data.sources import kind_of, read_source
from experiments.data.splits import ignore, open_data
from experiments.data.voc import VocFolder
from roadmap.cli.main import main
from roadmap.errors import Problem
from tests.experiments.data.annotated import (
    HEIGHT,
    WIDTH,
    steps,
    write_ade,
    write_image,
    write_map,
    write_voc,
)

U = UNLABELLED


def test_ade20k_has_unlabelled_pixels_and_classes_from_one(tmp_path):
    source = read_source(str(write_ade(tmp_path / "ADEChallengeData2016").parent))
    assert isinstance(source, AdeFolder) and source.tasks == ("segmentation",)
    assert source.names_for("segmentation") == ("wall", "sky", "door")
    assert (source.classes_for("segmentation"), source.images) == (3, 2)
    data = open_data(source)
    expected = numpy.resize([U, 0, 1, 2], WIDTH)
    assert data.train.objects is None and data.val.image(0).size == (WIDTH, HEIGHT)
    assert numpy.array_equal(data.val.label_map(1), numpy.repeat(expected[None], HEIGHT, axis=0))


def test_ade20k_without_names_has_150_classes(tmp_path):
    source = read_source(str(write_ade(tmp_path, names=())))
    assert source.classes == 150 and source.names_for("segmentation")[149] == "149"


def test_names_that_would_be_the_same_stay_whole(tmp_path):
    source = read_source(str(write_ade(tmp_path, names=("a, b", "a, c", "d"))))
    assert source.class_names == ("a, b", "a, c", "d")


@pytest.mark.parametrize("inner", [".", "VOCdevkit/VOC2012", "VOC2012"])
def test_voc_has_21_classes_with_the_background(tmp_path, inner):
    write_voc(tmp_path / inner)
    source = read_source(str(tmp_path))
    assert isinstance(source, VocFolder) and source.classes_for("segmentation") == 21
    names = source.names_for("segmentation")
    assert (names[0], names[1], names[20]) == ("background", "aeroplane", "tvmonitor")
    data = open_data(source)
    assert (len(data.train), len(data.val)) == (2, 1)
    expected = numpy.resize([0, 1, 20, U], WIDTH)
    assert numpy.array_equal(data.val.label_map(0), numpy.repeat(expected[None], HEIGHT, axis=0))


def test_two_years_of_voc_are_named(tmp_path):
    for year in ("VOC2007", "VOC2012"):
        write_voc(tmp_path / "VOCdevkit" / year)
    with pytest.raises(Problem, match="holds VOC2007, VOC2012; name one: --data .*VOC2012"):
        read_source(str(tmp_path))


def test_a_link_into_itself_is_no_image(tmp_path):
    root = write_ade(tmp_path)
    fingerprint = read_source(str(root)).fingerprint
    loop = root / "images/training/loop.jpg"
    loop.symlink_to(loop)
    assert AdeFolder.read(str(root), None).fingerprint == fingerprint
    image = root / "images/training/ADE_00000001.jpg"
    image.unlink()
    image.symlink_to(image)
    with pytest.raises(Problem, match=r"training: image ADE_00000001.\* of .* is missing"):
        AdeFolder.read(str(root), None)


def test_a_list_may_begin_with_a_byte_order_mark(tmp_path):
    root = write_voc(tmp_path)
    fingerprint = read_source(str(root)).fingerprint
    path = root / "ImageSets/Segmentation/train.txt"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert VocFolder.read(str(root), None).fingerprint == fingerprint


def remove(name):
    return lambda root: os.remove(root / name)


def rename(name, to):
    return lambda root: (root / name).rename(root / to)


def put(name, text):
    return lambda root: (root / name).write_text(text)


FAULTS = {
    "map": (write_ade, remove("annotations/training/ADE_00000001.png"),
        r"training: label map ADE_00000001.\* of .*images/training/ADE_00000001.jpg is missing"),
    "image": (write_ade, remove("images/validation/ADE_00000002.jpg"),
        r"validation: image ADE_00000002.\* of .*annotations/.*png is missing"),
    "folder": (write_ade, rename("annotations/validation", "annotations/other"),
        "has no annotations/validation; .*annotations holds other, training; it needs"),
    "two": (write_ade, lambda root: write_image(root / "images/training/ADE_00000001.png"),
        "differ in their ending only"),
    "two names": (write_ade, put("objectInfo3.txt", ""), "objectInfo150.txt and objectInfo3.txt"),
    "names": (write_ade, put("objectInfo150.txt", "Idx\tName\n1\ta\n3\tb\n"), "line 3 must be 2, "),
    "same name": (write_ade, put("objectInfo150.txt", "Idx\tName\n1\ta\n\n2\tb\n3\ta\n"),
        "objectInfo150.txt: line 5 has the name 'a' of line 2; each class needs its own"),
    "comma": (write_ade, put("objectInfo150.txt", "Idx\tName\n1\t,a\n2\tb\n"),
        "objectInfo150.txt: line 2: no name stands before the , or ; in ',a'"),
    "semicolon": (write_ade, put("objectInfo150.txt", "Idx\tName\n1\tb\n2\t;\n"), "3: no name"),
    "one name": (write_ade, put("objectInfo150.txt", "Idx\tName\n1\ta\n"), "has 1 names"),
    "voc map": (write_voc, remove("SegmentationClass/2007_000002.png"),
        r"train.txt:2: .*: label map 2007_000002.\* of .*JPEGImages/2007_000002.jpg is missing"),
    "voc image": (write_voc, remove("JPEGImages/2007_000003.jpg"),
        r"Segmentation/val.txt:1: .*JPEGImages: image 2007_000003.\* of .*.png is missing"),
    "voc maps": (write_voc, rename("SegmentationClass", "Annotations"), "has no SegmentationClass"),
    "voc list": (write_voc, remove("ImageSets/Segmentation/val.txt"), "holds train.txt; it needs"),
    "voc twice": (write_voc, put("ImageSets/Segmentation/val.txt", "2007_000003\n2007_000003\n"),
        "val.txt:2: image 2007_000003 is named twice"),
    "voc empty": (write_voc, put("ImageSets/Segmentation/val.txt", "\n"), "has no val images"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_each_missing_part_is_named(tmp_path, name):
    write, spoil, expected = FAULTS[name]
    spoil(write(tmp_path))
    with pytest.raises(Problem, match=expected):
        kind_of(str(tmp_path)).read(str(tmp_path), None)


def test_a_long_line_of_a_list_is_named_in_one_short_line(tmp_path, capsys):
    root = write_voc(tmp_path)
    (root / "ImageSets/Segmentation/val.txt").write_text("x\x1b" * 50_000 + "\n")
    assert main(["check-data", str(root)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 and all(line.isprintable() and len(line) < 1000 for line in lines)
    assert "….* is missing" in lines[0]


def too_large(path):
    write_map(path, steps([0, 4]))


def of_another_size(path):
    write_map(path, steps([0, 1])[:, :20])


def turned(path):
    exif = Image.Exif()
    exif[0x0112] = 8
    image = path.parents[2] / "images/training/ADE_00000002.jpg"
    Image.new("RGB", (HEIGHT, WIDTH)).save(image, exif=exif)


def in_colour(path):
    Image.new("RGB", (WIDTH, HEIGHT)).save(path)


def of_few_bits(path, *, depth, palette=False):
    """Write values 0, 1, 2 and 3 with 2 or 4 bits for each pixel."""
    path.parent.mkdir(parents=True, exist_ok=True)
    bits = numpy.unpackbits(steps([0, 1, 2, 3]).astype(numpy.uint8)[..., None], axis=-1)
    rows = numpy.packbits(bits[..., -depth:].reshape(HEIGHT, -1), axis=1)
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    kind = 3 if palette else 0
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", WIDTH, HEIGHT, depth, kind, 0, 0, 0))]
    chunks += [(b"PLTE", bytes(range(3 * 2**depth)))] if palette else []
    chunks += [(b"IDAT", zlib.compress(raw)), (b"IEND", b"")]
    content = b"\x89PNG\r\n\x1a\n"
    for name, data in chunks:
        content += struct.pack(">I", len(data)) + name + data
        content += struct.pack(">I", zlib.crc32(name + data))
    path.write_bytes(content)


def of_format(name):
    return lambda path: Image.fromarray(steps([0, 1]).astype(numpy.uint8)).save(path, name)


@pytest.mark.parametrize("depth", [2, 4])
def test_palettes_of_few_bits_keep_their_values(tmp_path, depth):
    root = write_ade(tmp_path)
    of_few_bits(root / "annotations/training/ADE_00000001.png", depth=depth, palette=True)
    found = open_data(read_source(str(root))).train.label_map(0)
    assert numpy.array_equal(found[0], numpy.resize([U, 0, 1, 2], WIDTH))


def damaged(path):
    path.write_bytes(path.read_bytes()[:60])


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (too_large, "600 pixels have value 4; classes are 1 to 3, 0 is unlabelled"),
        (of_another_size, "it has 20 × 30 pixels, its image has 40 × 30"),
        (turned, "40 × 30 pixels, its image has 30 × 40, as after the turn that its EXIF asks for"),
        (in_colour, "a label map has one byte for each pixel, grey or palette; it is RGB"),
        (partial(of_few_bits, depth=4), "a label map has one byte for each pixel.*; it is L;4"),
        (partial(of_few_bits, depth=2), "a label map has one byte for each pixel.*; it is L;2"),
        (of_format("JPEG"), "it is JPEG, not PNG"),
        (of_format("BMP"), "it is BMP, not PNG"),
        (of_format("TIFF"), "it is TIFF, not PNG"),
        (damaged, "cannot be read"),
    ],
)
def test_a_broken_label_map_is_named_and_can_be_skipped(tmp_path, capsys, spoil, expected):
    name = "annotations/training/ADE_00000002.png"
    spoil(write_ade(tmp_path) / name)
    data = open_data(read_source(str(tmp_path)))
    with pytest.raises(BrokenImage, match=f"{name} cannot be read: .*{expected}|{expected}"):
        data.train.label_map(1)
    kept, faults = without_broken(data, ignore)
    assert (len(kept.train), kept.skipped) == (1, 1) and name in faults[0]
    assert numpy.array_equal(kept.train.label_map(0), data.train.label_map(0))
    assert main(["check-data", str(tmp_path)]) == 1
    text = capsys.readouterr().out
    assert name in text and "1 cannot be opened" in text


def test_check_data_counts_pixels_of_classes(tmp_path, capsys):
    assert main(["check-data", str(write_voc(tmp_path))]) == 0
    text = capsys.readouterr().out
    assert "pixels in train, most common classes: " in text and "background 33.3 %" in text
    assert "unlabelled 25.0 %" in text
    assert "classes without a pixel in val: bicycle, bird, boat, bottle, bus, … (18)" in text


def test_fingerprints_cover_label_maps(tmp_path):
    first = read_source(str(write_ade(tmp_path / "a"))).fingerprint
    assert first == read_source(str(write_ade(tmp_path / "b"))).fingerprint
    root = write_ade(tmp_path / "c")
    with (root / "annotations/training/ADE_00000001.png").open("ab") as file:
        file.write(b"more")
    assert read_source(str(root)).fingerprint != first
