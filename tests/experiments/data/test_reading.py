"""Folders of images in other layouts: class folders alone, other names, labels in a file, EXIF."""

import shutil
import tarfile
from collections import Counter

import numpy
import pytest
from PIL import Image

from experiments.data.folder import Folder
from experiments.data.reading import Reading
from experiments.data.sources import read_source
from experiments.data.splits import open_data
from roadmap.cli.main import main
from roadmap.errors import Problem

FIFTH = Reading(val_fraction=0.2)


@pytest.fixture
def classes(tmp_path):
    """Class folders without splits: 20 images of cats, 7 of dogs, and a file of notes."""
    root = tmp_path / "photos"
    for name, count in (("cat", 20), ("dog", 7)):
        (root / name).mkdir(parents=True)
        for number in range(count):
            Image.new("RGB", (9, 8), (number, len(name), 0)).save(root / name / f"{number}.png")
    (root / "cat" / "notes.txt").write_text("of cats")
    return root


def names(source, split):
    return [file.name.removeprefix(f"{split}/") for file, _ in source.samples[split]]


def test_a_fraction_of_each_class_is_held_out(classes):
    source = Folder.read_as(str(classes), None, FIFTH)
    assert Counter(label for _, label in source.samples["val"]) == {0: 4, 1: 1}
    both = [*names(source, "train"), *names(source, "val")]
    assert len(both) == len(set(both)) == 27
    assert source.details["held_out"] == {"fraction": 0.2, "seed": 0}
    data = open_data(source)
    for split in (data.train, data.val):
        pixels = [split.image(index).getpixel((0, 0))[1] for index in range(len(split))]
        assert pixels == [3] * len(pixels)
    again = Folder.read_as(str(classes), None, FIFTH)
    assert again.fingerprint == source.fingerprint
    other = Folder.read_as(str(classes), None, Reading(val_fraction=0.2, split_seed=1))
    assert other.fingerprint != source.fingerprint and names(other, "val") != names(source, "val")


def test_a_new_class_leaves_the_split_of_the_others(classes):
    before = Folder.read_as(str(classes), None, FIFTH)
    shutil.copytree(classes / "dog", classes / "ant")
    after = Folder.read_as(str(classes), None, FIFTH)
    assert [name for name in names(after, "val") if not name.startswith("ant")] == names(
        before, "val"
    )


def test_the_split_is_that_of_folders_laid_out_the_same(classes, tmp_path):
    source = Folder.read_as(str(classes), None, FIFTH)
    for samples in source.samples.values():
        for file, _ in samples:
            place = tmp_path / "laid" / file.name
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file.path, place)
    assert Folder.read(str(tmp_path / "laid"), None).fingerprint == source.fingerprint


@pytest.mark.parametrize("top", ["", "photos"])
def test_a_tar_of_class_folders_is_the_folder(classes, tmp_path, top):
    packed = tmp_path / "photos.tar"
    with tarfile.open(packed, "w") as archive:
        for name in ("cat", "dog"):
            archive.add(classes / name, f"{top}/{name}" if top else name)
    folder, tar = (Folder.read_as(str(path), None, FIFTH) for path in (classes, packed))
    assert tar.fingerprint == folder.fingerprint
    one, other = open_data(tar), open_data(folder)
    assert one.val.image(2).tobytes() == other.val.image(2).tobytes()
    file = tar.samples["val"][0][0]
    assert str(file).endswith(f"photos.tar: {file.member}") and not file.member.startswith("val/")


def test_a_class_may_be_called_train(classes):
    (classes / "dog").rename(classes / "train")
    assert Folder.read_as(str(classes), None, FIFTH).class_names == ("cat", "train")


def test_the_training_images_alone_can_be_divided(images, tmp_path):
    root = tmp_path / "set"
    shutil.copytree(images / "train", root / "train")
    (root / "test").mkdir()
    Image.new("RGB", (8, 8)).save(root / "test" / "unlabelled.png")
    with pytest.raises(Problem, match="--val-fraction 0.2 holds out a fifth of each class"):
        Folder.read(str(root), None)
    source = Folder.read_as(str(root), None, FIFTH)
    assert len(source.samples["train"]) + len(source.samples["val"]) == 36


def test_a_validation_folder_cannot_be_held_out_too(images):
    with pytest.raises(Problem, match="has val/ already; leave out --val-fraction"):
        Folder.read_as(str(images), None, FIFTH)


def test_a_class_of_one_image_cannot_be_divided(classes):
    for number in range(1, 7):
        (classes / "dog" / f"{number}.png").unlink()
    with pytest.raises(Problem, match="class dog has 1 image; --val-fraction needs two or more"):
        Folder.read_as(str(classes), None, FIFTH)


@pytest.mark.parametrize("name", ["valid", "validation", "test"])
@pytest.mark.parametrize("packed", [False, True])
def test_other_names_of_the_validation_folder(images, tmp_path, name, packed):
    root = tmp_path / "set"
    shutil.copytree(images, root)
    (root / "val").rename(root / name)
    path = root
    if packed:
        path = tmp_path / "set.tar"
        with tarfile.open(path, "w") as archive:
            archive.add(root, "set")
    source = read_source(str(path))
    assert source.fingerprint == read_source(str(images)).fingerprint
    assert source.details["val_folder"] == name


def test_two_names_of_one_split_are_refused_and_test_gives_way(images, tmp_path):
    root = tmp_path / "set"
    shutil.copytree(images, root)
    shutil.copytree(images / "val", root / "test")
    assert "val_folder" not in Folder.read(str(root), None).details
    shutil.copytree(images / "val", root / "valid")
    with pytest.raises(Problem, match="has val/ and valid/; keep one of them"):
        Folder.read(str(root), None)


FORMS = {
    "LOC_val_solution.csv": "ImageId,PredictionString\n0,b 1 2 3 4\n1,a 1 2 3 4 a 5 6\n2,b 1 1\n",
    "val.txt": "0.png 1\n1.png 0\n2.png 1\n",
    "val_labels.txt": "2.png,b\n0.png,b\n1.png,a\n",
    "imagenet_2012_validation_synset_labels.txt": "b\na\nb\n",
}


@pytest.fixture
def flat(images, tmp_path):
    """Classes a and b to train; three validation images in one folder."""
    root = tmp_path / "flat"
    for name in "ab":
        shutil.copytree(images / "train" / name, root / "train" / name)
    (root / "val").mkdir()
    for number in range(3):
        shutil.copy(images / "train/a/0.png", root / f"val/{number}.png")
    return root


@pytest.mark.parametrize("form", FORMS)
def test_flat_validation_images_get_their_labels_from_a_file(flat, form):
    (flat / form).write_text(FORMS[form])
    source = Folder.read(str(flat), None)
    assert names(source, "val") == ["a/1.png", "b/0.png", "b/2.png"]
    assert [label for _, label in source.samples["val"]] == [0, 1, 1]


def test_a_label_file_can_be_named(flat, tmp_path):
    (tmp_path / "mine.csv").write_text(FORMS["val_labels.txt"])
    with pytest.raises(Problem, match=r"3 images in no class folder; give --val-labels FILE"):
        Folder.read(str(flat), None)
    source = Folder.read_as(str(flat), None, Reading(val_labels=tmp_path / "mine.csv"))
    assert len(source.samples["val"]) == 3


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("0.png a\n1.png cat\n2.png b\n", r"val.txt:2: cat is no class folder of the training"),
        ("0.png a\n2.png b\n", "has no line for 1.png"),
        ("a\nb\n", "has 2 lines for 3 images"),
        ("1\n2\n2\n", "counts classes from 1, in an order of its own"),
    ],
)
def test_faults_of_a_label_file_are_named(flat, text, fault):
    (flat / "val.txt").write_text(text)
    with pytest.raises(Problem, match=fault):
        Folder.read(str(flat), None)


def test_a_prepared_copy_has_the_split(classes, tmp_path):
    out = str(tmp_path / "copy")
    how = ["--val-fraction", "0.2", "--workers", "1", "--out", out]
    assert main(["prepare-data", str(classes), *how]) == 0
    copy = Folder.read(out, None)
    source = Folder.read_as(str(classes), None, FIFTH)
    assert names(copy, "val") == [f"{name}.jpg" for name in names(source, "val")]
    assert copy.prepared is not None and copy.prepared.source == source.fingerprint


@pytest.fixture
def sideways(tmp_path):
    """Two classes of JPEG files of 16 × 8 pixels whose EXIF says: turn by 90 degrees."""
    root = tmp_path / "sideways"
    pixels = numpy.zeros((8, 16, 3), numpy.uint8)
    pixels[:, :8] = 255  # the left half is white; upright, it is the top
    exif = Image.Exif()
    exif[0x0112] = 6
    for split in ("train", "val"):
        for name in "ab":
            (root / split / name).mkdir(parents=True)
            Image.fromarray(pixels).save(root / split / name / "0.jpg", exif=exif, quality=95)
    return root


def test_exif_turns_images_and_makes_other_data(sideways, tmp_path):
    stored, upright = (
        Folder.read(str(sideways), None),
        Folder.read_as(str(sideways), None, Reading(exif=True)),
    )
    assert stored.fingerprint != upright.fingerprint
    assert upright.details == {"class_names": ["a", "b"], "exif": True}
    assert open_data(stored).train.image(0).size == (16, 8)
    turned = open_data(upright).train.image(0)
    assert turned.size == (8, 16)
    assert turned.getpixel((4, 2))[0] > 200 > 50 > turned.getpixel((4, 13))[0]
    with pytest.raises(Problem, match="leave out --exif or --decode gpu"):
        upright.check_jpeg()
    out = str(tmp_path / "copy")
    assert main(["prepare-data", str(sideways), "--exif", "--out", out, "--workers", "1"]) == 0
    assert open_data(Folder.read(out, None)).train.image(0).size == (8, 16)


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (["check-data", "fractals", "--exif"], "--exif is for a folder or a .tar of images"),
        (["table", "--val-fraction", "0.2"], "--val-fraction: --data names the folder"),
        (["run", "--split-seed", "1"], "--split-seed draws what --val-fraction holds out"),
        (["run", "--data", "x", "--val-fraction", "1"], "'1' is not a fraction between 0 and 1"),
    ],
)
def test_options_that_do_not_fit_are_refused(arguments, fault, capsys):
    try:
        code = main(arguments)
    except SystemExit as end:
        code = end.code
    assert code == 2 and fault in capsys.readouterr().err
