"""WebDataset shards."""

import json

import pytest
from timm.data import create_dataset

from experiments.data.check import broken_images
from experiments.data.shards import Shards
from experiments.data.sources import read_source
from experiments.data.splits import open_data
from roadmap.errors import Problem
from tests.experiments.data.made import add, add_both, write_shards

TRAIN, VAL = "set-train-0000.tar", "set-validation-0000.tar"


@pytest.mark.filterwarnings("ignore:Exception ignored in.*FileIO")  # webdataset leaves them open
@pytest.mark.parametrize("alternative", [False, True])
def test_shards_hold_what_timm_reads_from_them_and_any_image_can_be_opened(tmp_path, alternative):
    pytest.importorskip("webdataset")
    root = write_shards(tmp_path / "shards", alternative=alternative)
    source = read_source("wds/anything", root)
    assert source.classes == (4 if alternative else 3)
    data = open_data(source, tmp_path)
    for split, name in (("train", "train"), ("val", "validation")):
        theirs = list(create_dataset("wds/anything", root=str(root), split=name))
        ours = getattr(data, split)
        assert len(ours) == len(theirs) > 3
        for index in reversed(range(len(theirs))):
            image, label = theirs[index]
            assert ours.image(index).tobytes() == image.tobytes()
            assert ours.labels[index] == int(label)
    for ending, content in (("jpg", b"broken"), ("cls", b"9")):
        add(root / "set-train-0000.tar", f"more.{ending}", content)
    if not alternative:
        assert Shards.read("wds/x", root).fingerprint != source.fingerprint
        harmed = open_data(read_source("wds/other", root), tmp_path)
        (fault,) = broken_images(harmed, lambda done, total: None)
        assert "set-train-0000.tar: train/9/set-train-0000/more.jpg cannot be read" in fault


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda root: (root / "_info.json").write_text("[]"), "does not name shards"),
        (lambda root: (root / "set-train-0001.tar").unlink(), "names set-train-0001.tar, which is"),
        (lambda root: (root / "set-train-0001.tar").write_text("x"), "is no plain tar"),
        (lambda root: add(root / VAL, "odd.cls", b"1"), "odd has no image"),
        (lambda root: add(root / VAL, "odd.jpg", b"1"), r"odd has no label \(odd.cls\)"),
        (lambda root: add(root / VAL, "odd.cls", b"cat"), "odd.cls is not a whole number"),
        (lambda root: add(root / VAL, "odd.cls", b"-1"), "odd.cls is -1"),
        (lambda root: add_both(root / VAL, "odd", b"7"), "label 7, but those of train"),
        (lambda root: add(root / VAL, "n00029.cls", b"1"), "n00029.cls is in it twice"),
        (lambda root: add_both(root / TRAIN, "odd", b"300000000"), "300000000, but there are only"),
        (lambda root: rename(root, "set-train-0001", "set-train-0000", ""), "0000.tar twice"),
        (
            lambda root: (root / "_info.json").write_text(
                '{"splits": {"train": {"filenames": "a"}}}'
            ),
            "does not name shards",
        ),
        (lambda root: (root / "_info.json").write_text("[" * 100_000), "does not name shards"),
        (lambda root: rename(root, "validation", "dev"), "has no split validation or val or test"),
    ],
)
def test_shards_that_do_not_fit_are_named(harm, message, tmp_path):
    root = write_shards(tmp_path / "shards")
    harm(root)
    with pytest.raises(Problem, match=message):
        Shards.read("wds/x", root)
    with pytest.raises(Problem, match="needs --data-root"):
        Shards.read("wds/x", None)


def rename(root, split, other, behind='": {'):
    info = root / "_info.json"
    info.write_text(info.read_text().replace(f"{split}{behind}", f"{other}{behind}"))


def test_notes_in_shards_are_no_samples_and_endings_may_be_large(tmp_path):
    root = write_shards(tmp_path / "shards")
    before = Shards.read("wds/x", root)
    for name in ("README", "__meta__.json", "notes.md", ".hidden.cls"):
        add(root / VAL, name, b"{}")
    assert Shards.read("wds/x", root) == before
    add(root / VAL, "deep.er/LARGE.CLS", b" 1\n")
    add(root / VAL, "deep.er/LARGE.PNG", b"not opened here")
    more = Shards.read("wds/x", root).samples["val"]
    assert len(more) == 7 and more[-1][1] == 1
    assert more[-1][0].name == "val/1/set-validation-0000/deep.er/LARGE.PNG"


def test_shards_of_one_class_or_with_labels_that_are_no_number_are_named(tmp_path):
    root = write_shards(tmp_path / "shards", alternative=True)
    add(root / VAL, "odd.jpg", b"")
    add(root / VAL, "odd.json", b'{"real": Infinity}')
    with pytest.raises(Problem, match="odd.json, real is not a whole number"):
        Shards.read("wds/x", root)
    one = tmp_path / "one"
    one.mkdir()
    for split in ("train", "val"):
        for key in ("a", "b"):
            add_both(one / f"{split}.tar", key, b"0")
    splits = {split: {"filenames": [f"{split}.tar"]} for split in ("train", "val")}
    (one / "info.json").write_text(json.dumps({"splits": splits}))
    with pytest.raises(Problem, match="at least two classes"):
        Shards.read("wds/x", one)


def test_postscript_in_a_shard_is_refused(tmp_path):
    root = write_shards(tmp_path / "shards")
    add_both(root / TRAIN, "odd\n", b"1", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n")
    data = open_data(Shards.read("wds/x", root))
    (fault,) = broken_images(data, lambda done, total: None)
    assert r"odd\n.jpg cannot be read: its format is none of" in fault and fault.isprintable()
