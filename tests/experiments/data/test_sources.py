"""Folders, tars, timm's data sets; batches, shares and evaluation, each image once."""

import io
import json
import shutil
import struct
import tarfile

import numpy
import pytest
from PIL import Image
from timm.data import create_dataset

from experiments.data.check import broken_images, fault_of
from experiments.data.folder import read_folder
from experiments.data.shards import read_shards
from experiments.data.sources import read_source
from experiments.data.splits import BrokenImage, Split, Statistics, open_data
from experiments.data.timm_data import whole_labels
from experiments.host.log import logged
from experiments.host.progress import said
from experiments.loading.views import Evaluated, Held
from roadmap.edit import replace
from roadmap.errors import Problem
from steps.recipes.load import load_recipe


def pictures(count, sizes=((40, 52), (64, 48), (37, 91))):
    """Images of several sizes: smooth shapes, noise, one flat."""
    generator = numpy.random.default_rng(0)
    found = []
    for number in range(count):
        height, width = sizes[number % len(sizes)]
        coarse = generator.integers(0, 256, (6, 6, 3), dtype=numpy.uint8)
        smooth = numpy.asarray(Image.fromarray(coarse).resize((width, height), Image.BICUBIC))
        noise = generator.integers(-20, 20, smooth.shape)
        found.append((smooth + noise).clip(0, 255).astype(numpy.uint8))
    found[0][:] = 77
    return found


def split_of(arrays):
    return Split(
        image=lambda index: Image.fromarray(arrays[index]),
        labels=numpy.arange(len(arrays)),
        arrays=arrays,
    )


def test_a_tar_is_the_folder_it_was_made_of(images, tmp_path):
    plain, nested = tmp_path / "plain.tar", tmp_path / "nested.tar"
    with tarfile.open(plain, "w") as archive:
        for split in ("train", "val"):
            archive.add(images / split, split)
    with tarfile.open(nested, "w") as archive:
        archive.add(images, "somewhere")
    folder = open_data(read_source(str(images)), tmp_path)
    for path in (plain, nested):
        source = read_source(str(path))
        assert source.fingerprint == folder.source.fingerprint
        opened = open_data(source, tmp_path)
        for index in (0, 20, 35):
            one, other = opened.train.image(index), folder.train.image(index)
            assert one.tobytes() == other.tobytes()
        assert (opened.val.labels == folder.val.labels).all()


def test_a_tar_with_links_and_replaced_members_is_still_the_folder(images, tmp_path):
    root = tmp_path / "linked"
    shutil.copytree(images, root)
    (root / "train/a/hard.png").hardlink_to(root / "train/a/0.png")
    (root / "train/b/soft.png").symlink_to("../a/1.png")
    (root / "train/b/._hidden.png").write_text("of another system")
    packed = tmp_path / "linked.tar"
    with tarfile.open(packed, "w") as archive:
        archive.add(root, "x")
        archive.add(root / "train/a/2.png", "x/train/a/2.png")
    folder, tar = read_source(str(root)), read_source(str(packed))
    assert folder.images == tar.images == 38
    assert folder.fingerprint == tar.fingerprint
    one, other = open_data(folder, tmp_path), open_data(tar, tmp_path)
    for index in range(38):
        assert one.train.image(index).tobytes() == other.train.image(index).tobytes()


def test_images_of_every_kind_are_opened_or_named(images, tmp_path):
    root = tmp_path / "kinds"
    shutil.copytree(images, root)
    deep = numpy.full((8, 8), 30000, dtype=numpy.uint16)
    Image.fromarray(deep).save(root / "train/a/deep.png")
    Image.new("1", (16000, 16000)).save(root / "train/b/bomb.png")
    Image.new("F", (8, 8)).save(root / "train/c/fractions.tif")
    Image.new("P", (8, 8)).save(root / "train/c/palette.png")
    faint = numpy.full((8, 8), 200, dtype=numpy.int32)  # of 32 bits: black if cut to 8
    Image.fromarray(faint).save(root / "train/c/wide.tif")
    data = open_data(read_source(str(root)), tmp_path)
    faults = [fault for i in range(len(data.train)) if (fault := fault_of(data.train, i))]
    named = ("bomb.png", "fractions.tif", "wide.tif")
    assert [name in fault for name, fault in zip(named, faults, strict=True)] == [True] * 3
    assert "save it with 8 or 16, unsigned" in faults[2]
    files = [file.name for file, _ in data.source.origin.samples["train"]]
    image = data.train.image(files.index("train/a/deep.png"))
    assert image.getpixel((0, 0)) == (117, 117, 117)


def test_a_tar_that_does_not_fit_is_named(images, tmp_path):
    packed = tmp_path / "packed.tar"
    with tarfile.open(packed, "w:gz") as archive:
        archive.add(images, "x")
    with pytest.raises(Problem, match="no plain tar"):
        read_source(str(packed))
    half = tmp_path / "half.tar"
    with tarfile.open(half, "w") as archive:
        archive.add(images / "train", "train")
    with pytest.raises(Problem, match="has no val/"):
        read_source(str(half))


def write_mnist(root, validated=3):
    """30 training and 7 validation images in MNIST's files, of 3 and of `validated` classes."""
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    generator = numpy.random.default_rng(0)
    for split, count, classes in (("train", 30, 3), ("t10k", 7, validated)):
        pixels = generator.integers(0, 256, (count, 28, 28), dtype=numpy.uint8)
        head = struct.pack(">4i", 2051, count, 28, 28)
        (raw / f"{split}-images-idx3-ubyte").write_bytes(head + pixels.tobytes())
        labels = (numpy.arange(count) % classes).astype(numpy.uint8)
        head = struct.pack(">2i", 2049, count)
        (raw / f"{split}-labels-idx1-ubyte").write_bytes(head + labels.tobytes())


def test_labels_that_training_does_not_know_are_named(tmp_path):
    write_mnist(tmp_path, validated=5)
    with pytest.raises(
        Problem, match=r"\(val\): label 4 of an image, but those of train are 0 to 2"
    ):
        read_source("torch/mnist", tmp_path)


@pytest.mark.parametrize("labels", [["a", "b"], [0.5, 1.0], [[0, 1], [1, 0]], [None], []])
def test_labels_that_are_not_one_whole_number_an_image_are_refused(labels):
    with pytest.raises(Problem, match="torch/x has no labels that are one whole number an image"):
        whole_labels(labels, "torch/x")


def test_a_data_set_of_torchvision(tmp_path):
    write_mnist(tmp_path)
    source = read_source("torch/mnist", tmp_path)
    assert (source.classes, source.images) == (3, 30)
    data = open_data(source, tmp_path)
    assert (len(data.val), data.train.image(0).mode) == (7, "RGB")
    assert data.train.labels[:4].tolist() == [0, 1, 2, 0]
    batch, labels = Held(data.hold().train, load_recipe("tiny-enhanced"), 0, Statistics())[
        [(0, 1), (0, 2)]
    ]
    assert batch.shape == (2, 3, 48, 48) and labels.tolist() == [1, 2]


def test_a_data_set_of_hugging_face(images, tmp_path):
    pytest.importorskip("datasets")
    source = read_source(f"hfds/{images}", tmp_path)
    assert (source.classes, source.images) == (3, 36)
    data = open_data(source, tmp_path)
    folder = open_data(read_source(str(images)), tmp_path)
    assert sorted(data.train.image(i).tobytes() for i in range(36)) == sorted(
        folder.train.image(i).tobytes() for i in range(36)
    )
    assert len(data.val) == 15


def test_a_broken_image_of_hugging_face_is_named(images, tmp_path):
    pytest.importorskip("datasets")
    root = tmp_path / "harmed"
    shutil.copytree(images, root)
    file = root / "train/a/3.png"
    file.write_bytes(file.read_bytes()[:200])
    data = open_data(read_source(f"hfds/{root}", tmp_path), tmp_path)
    (fault,) = broken_images(data, lambda done, total: None)
    assert f"of hfds/{root}, train cannot be read" in fault


def test_a_link_to_a_folder_around_it_is_named(images, tmp_path):
    root = tmp_path / "looped"
    shutil.copytree(images, root)
    (root / "train/a/again").symlink_to(root / "train")
    with pytest.raises(Problem, match="train/a/again is a link to a folder that it lies in"):
        read_folder(root)
    (root / "train/a/again").unlink()
    (root / "train/a/there").symlink_to(root / "train/b")
    (root / "train/b/back").symlink_to(root / "train/a")
    with pytest.raises(Problem, match="is a link to a folder that it lies in"):
        read_folder(root)
    (root / "train/b/back").unlink()
    (root / "train/a/there").unlink()
    (root / "train/a/more").symlink_to(root / "val/a")  # beside it, no loop
    (root / "train/b/.cache").symlink_to(root)  # hidden, so not looked into
    assert len(read_folder(root).samples["train"]) == 36 + 5


def test_a_tar_of_two_sets_is_refused(images, tmp_path):
    with tarfile.open(tmp_path / "two.tar", "w") as archive:
        for top in ("one", "two"):
            archive.add(images, top)
    with pytest.raises(Problem, match="more than once: in one/, two/"):
        read_folder(tmp_path / "two.tar")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("torch/nothing", "Unknown torchvision dataset nothing"),
        ("torch/image_folder", r"\(train\) is not in"),
        ("wds/nothing", "has no _info.json"),
        ("tfds/nothing", "pip install tensorflow"),
    ],
)
def test_a_missing_data_set_says_what_to_do(name, message, tmp_path):
    with pytest.raises(Problem, match=message) as found:
        read_source(name, tmp_path)
    assert name in str(found.value) and "\n" not in str(found.value)


TRAIN, VAL = "set-train-0000.tar", "set-validation-0000.tar"


def write_shards(root, *, alternative=False):
    """24 training images in two shards and 6 to validate in one, as WebDataset has them."""
    root.mkdir()
    arrays, splits, number = pictures(30), {}, 0
    for split, shards in (("train", (12, 12)), ("validation", (6,))):
        names = [f"set-{split}-{shard:04}.tar" for shard in range(len(shards))]
        described = {"name": split, "filenames": names, "shard_lengths": list(shards),
                     "num_samples": sum(shards)}  # fmt: skip
        splits[split] = described | ({"alt_label": "real"} if alternative else {})
        for name, count in zip(names, shards, strict=True):
            for index in range(number, number + count):
                key, ending = f"n{index:05}", ("jpg", "png", "webp")[index % 3]
                picture, kind = io.BytesIO(), {"jpg": "JPEG"}.get(ending, ending.upper())
                Image.fromarray(arrays[index]).save(picture, kind)
                real = -1 if index % 5 == 0 else index % 4
                add(root / name, f"{key}.cls", str(index % 3).encode())
                add(root / name, f"{key}.{ending}", picture.getvalue())
                add(root / name, f"{key}.json", json.dumps({"real": real}).encode())
            number += count
    (root / "_info.json").write_text(json.dumps({"splits": splits}))
    return root


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
        assert read_shards("wds/x", root).fingerprint != source.fingerprint
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
        read_shards("wds/x", root)
    with pytest.raises(Problem, match="needs --data-root"):
        read_shards("wds/x", None)


def add(shard, name, content):
    with tarfile.open(shard, "a") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))


def add_both(shard, key, label):
    add(shard, f"{key}.cls", label)
    add(shard, f"{key}.jpg", b"not opened here")


def rename(root, split, other, behind='": {'):
    info = root / "_info.json"
    info.write_text(info.read_text().replace(f"{split}{behind}", f"{other}{behind}"))


def test_notes_in_shards_are_no_samples_and_endings_may_be_large(tmp_path):
    root = write_shards(tmp_path / "shards")
    before = read_shards("wds/x", root)
    for name in ("README", "__meta__.json", "notes.md", ".hidden.cls"):
        add(root / VAL, name, b"{}")
    assert read_shards("wds/x", root) == before
    add(root / VAL, "deep.er/LARGE.CLS", b" 1\n")
    add(root / VAL, "deep.er/LARGE.PNG", b"not opened here")
    more = read_shards("wds/x", root).samples["val"]
    assert len(more) == 7 and more[-1][1] == 1
    assert more[-1][0].name == "val/1/set-validation-0000/deep.er/LARGE.PNG"


def test_shards_of_one_class_or_with_labels_that_are_no_number_are_named(tmp_path):
    root = write_shards(tmp_path / "shards", alternative=True)
    add(root / VAL, "odd.jpg", b"")
    add(root / VAL, "odd.json", b'{"real": Infinity}')
    with pytest.raises(Problem, match="odd.json, real is not a whole number"):
        read_shards("wds/x", root)
    one = tmp_path / "one"
    one.mkdir()
    for split in ("train", "val"):
        for key in ("a", "b"):
            add_both(one / f"{split}.tar", key, b"0")
    splits = {split: {"filenames": [f"{split}.tar"]} for split in ("train", "val")}
    (one / "info.json").write_text(json.dumps({"splits": splits}))
    with pytest.raises(Problem, match="at least two classes"):
        read_shards("wds/x", one)


def test_channel_statistics_are_those_of_all_pixels():
    arrays = pictures(9)
    flat = numpy.concatenate([each.reshape(-1, 3) for each in arrays]) / 255
    found = split_of(arrays).statistics()
    assert found.mean == pytest.approx(flat.mean(0), abs=1e-4)
    assert found.std == pytest.approx(flat.std(0), abs=1e-4)
    recipe = replace(load_recipe("imagenet-old"), image_size=40, evaluation_crop=1.0)
    views = Evaluated(split_of(arrays), recipe, found, hold=False)
    batch = views[list(range(9))][0]
    assert batch.mean((0, 2, 3)).abs().max() < 0.2 and abs(batch.std() - 1) < 0.2


def test_a_log_takes_names_of_files_that_are_no_text(tmp_path):
    """A broken image in such a file is named, not a second fault."""
    with (
        pytest.raises(BrokenImage, match="cannot be read"),
        logged(tmp_path / "log.txt", lambda event: None) as tell,
    ):
        tell(said("run", "left out: br\udcff.png"))
        raise BrokenImage("image br\udcff.png cannot be read")
    text = (tmp_path / "log.txt").read_text(encoding="utf-8")
    assert "left out: br\\udcff.png" in text and "cannot be read" in text
