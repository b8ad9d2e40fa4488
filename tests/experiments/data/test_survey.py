"""`check-data`: what it counts, finds in both splits, and advises."""

import shutil

import numpy
import pytest
from PIL import Image

from experiments.data.duplicates import matches, print_of
from roadmap.cli.main import main


def photo(seed, side=64):
    """A smooth picture, as a photograph has: no two seeds are alike."""
    coarse = numpy.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=numpy.uint8)
    return Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)


@pytest.fixture
def photos(tmp_path):
    """Two classes: 12 and 4 images to train, 4 each to validate; all differ."""
    root, seed = tmp_path / "photos", 0
    for split, counts in (("train", (12, 4)), ("val", (4, 4))):
        for name, count in zip(("cat", "dog"), counts, strict=True):
            (root / split / name).mkdir(parents=True)
            for number in range(count):
                photo(seed).save(root / split / name / f"{number}.png")
                seed += 1
    return root


def check(root, capsys, *more):
    code = main(["check-data", str(root), *more])
    return code, capsys.readouterr().out


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ROADMAP_CACHE", str(tmp_path / "cache"))


def test_a_clean_folder(photos, capsys):
    code, out = check(photos, capsys)
    assert code == 0 and "all can be opened" in out
    assert "images: 64 px wide, 64 px high" in out and "modes: RGB (24)" in out
    assert "class sizes in train: 4 (dog) to 12 (cat)" in out
    assert "class sizes in val: 4 each" in out
    assert "in both splits" not in out and "left out" not in out and "EXIF" not in out
    assert "→ 16 images from scratch: expect little; start from weights" in out
    assert "→ 8 validation images: an accuracy near 50 % is known to ±35 points" in out
    assert "the largest class has 3 times the images of the smallest" in out


def test_what_is_left_out_is_counted_by_ending(photos, capsys):
    (photos / "train/cat/a.jfif").write_bytes(b"")
    (photos / "train/cat/b.GIF").write_bytes(b"")
    (photos / "train/cat/notes").write_bytes(b"")
    (photos / "val/dog/.hidden.png").write_bytes(b"")
    photo(99).save(photos / "train/loose.png")
    _, out = check(photos, capsys)
    assert (
        "left out of train/: .gif (1), .jfif (1), images in no class folder (1), "
        "without an ending (1)" in out
    )
    assert "left out of val/" not in out and "rename them to .jpg" in out


def test_exact_and_near_duplicates_between_splits(photos, capsys):
    shutil.copy(photos / "train/cat/3.png", photos / "val/dog/copy.png")
    near = photo(5).resize((50, 50), Image.Resampling.LANCZOS)
    near.save(photos / "val/cat/smaller.jpg", quality=80)
    shutil.copy(photos / "train/cat/1.png", photos / "train/cat/again.png")  # within one split
    _, out = check(photos, capsys)
    assert "in both splits, the same pixels: 1 validation image\n" in out
    assert "train/cat/3.png and" in out and "val/dog/copy.png" in out
    assert "in both splits, nearly the same: 1 validation image\n" in out
    assert "train/cat/5.png and" in out and "smaller.jpg" in out
    assert "→ also in training: 2 of 10 validation images" in out


def test_different_pictures_and_flat_ones_do_not_match():
    train = [print_of(photo(seed)) for seed in range(200)]
    val = [print_of(photo(seed)) for seed in range(200, 300)]
    assert matches(train, val) == ([], [])
    flat = [print_of(Image.new("RGB", (32, 32), (grey,) * 3)) for grey in (10, 200)]
    assert matches(flat[:1], flat[1:]) == ([], [])
    assert matches(flat[:1], flat[:1]) == ([(0, 0)], [])
    assert matches([None], flat) == ([], [])


def test_near_is_found_after_compression_size_and_brightness():
    for seed in range(30):
        picture = photo(seed, side=200)
        brighter = picture.point(lambda value: min(255, value + 12))
        for other in (picture.resize((96, 96)), brighter):
            _, near = matches([print_of(picture)], [print_of(other)])
            assert near == [(0, 0)], seed


def test_orientation_is_counted_and_whether_it_is_applied(photos, capsys):
    exif = Image.Exif()
    exif[0x0112] = 6
    photo(50).save(photos / "train/cat/phone.jpg", exif=exif)
    _, out = check(photos, capsys)
    assert "EXIF: 1 image stored turned or mirrored; used as stored; --exif" in out
    _, out = check(photos, capsys, "--exif")
    assert "EXIF: 1 image stored turned or mirrored; turned upright (--exif)" in out


def test_twelve_bits_in_sixteen_and_other_modes(photos, capsys):
    values = numpy.random.default_rng(0).integers(0, 4096, (32, 32), dtype=numpy.uint16)
    Image.fromarray(values).save(photos / "train/cat/microscope.png")
    Image.fromarray(values * 16).save(photos / "train/cat/scaled.png")
    photo(1).convert("L").save(photos / "train/dog/grey.png")
    _, out = check(photos, capsys)
    assert "16 bits: 1 image with only 12 bits in use" in out
    assert "I;16 (2)" in out and "L (1)" in out and "32 to 64 px (median 64)" in out


def test_a_broken_image_still_fails_and_is_named(photos, capsys):
    (photos / "train/cat/0.png").write_bytes(b"no image")
    code, out = check(photos, capsys)
    assert code == 1 and "cat/0.png cannot be read" in out and "1 cannot be opened" in out


def test_held_out_images_are_compared_too(photos, capsys):
    shutil.rmtree(photos / "val")
    for name in ("cat", "dog"):
        (photos / "train" / name).rename(photos / name)
    (photos / "train").rmdir()
    for number in range(12):
        shutil.copy(photos / f"cat/{number}.png", photos / f"cat/{number}-again.png")
    _, out = check(photos, capsys, "--val-fraction", "0.2")
    assert "held out for validation: 0.2 of each class, seed 0" in out
    assert "in both splits, the same pixels" in out
