"""The built-in images: the same bytes everywhere, each a function of its own three numbers."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from experiments.data import fractal_drawing, fractals
from experiments.data.fractals import (
    VALIDATION_START,
    Fractals,
    ScatteredFractals,
    draw_category,
    load,
)

SMALL = Fractals(categories=3, train=4, val=2, size=32)
CHECKSUM = "e5f39d3921e5bf6acb28f54142081f9a8fc2d2ef8f48a1c80428ceea5db29c3e"
CHECKSUM_2 = "9a66f92e6cc77b53213df45b5a9bf5847a7550a70a4e7b4e0adbcc0da122eab6"
PROGRAM = """
import hashlib
from experiments.data.fractals import Fractals, draw_category
config = Fractals(categories=3, train=4, val=2, size=32)
drawn = b"".join(draw_category(config, category, 0, 4).tobytes() for category in range(3))
print(hashlib.sha256(drawn).hexdigest())
"""


def dispatched_features() -> list[str]:
    """The processor features which NumPy picks its loops by, and which this machine has."""
    try:
        from numpy._core import _multiarray_umath as umath
    except ImportError:  # NumPy 1
        from numpy.core import _multiarray_umath as umath
    return [name for name in umath.__cpu_dispatch__ if umath.__cpu_features__.get(name)]


def test_images_have_the_known_checksum():
    drawn = b"".join(draw_category(SMALL, category, 0, 4).tobytes() for category in range(3))
    assert hashlib.sha256(drawn).hexdigest() == CHECKSUM


def test_images_have_the_known_checksum_without_simd_dispatch():
    features = dispatched_features()
    if not features:
        pytest.skip("NumPy dispatches to no feature of this processor: nothing to turn off")
    root = Path(fractals.__file__).resolve().parents[2]
    disabled = {"NPY_DISABLE_CPU_FEATURES": " ".join(features), "PYTHONPATH": str(root)}
    ask = (
        "from numpy._core._multiarray_umath import __cpu_features__ as found\n"
        if int(np.__version__.split(".")[0]) >= 2
        else "from numpy.core._multiarray_umath import __cpu_features__ as found\n"
    ) + f"print(any(found[name] for name in {features!r}))\n"
    done = subprocess.run(
        [sys.executable, "-c", ask + PROGRAM],
        env={**os.environ, **disabled},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["False", CHECKSUM], done.stderr


def test_more_instances_leave_the_earlier_ones_unchanged():
    many = draw_category(SMALL, 1, 0, fractals.BLOCK + 3)
    assert np.array_equal(draw_category(SMALL, 1, 0, 2), many[:2])
    assert np.array_equal(draw_category(SMALL, 1, fractals.BLOCK - 1, 4), many[-4:])


def test_more_images_and_categories_leave_the_others_unchanged(tmp_path):
    less = load(SMALL, cache=tmp_path)
    more = load(Fractals(categories=4, train=5, val=3, size=32), cache=tmp_path)
    for split, small, large in (("train", 4, 5), ("val", 2, 3)):
        same = more[split][0].reshape(4, large, 32, 32, 3)[:3, :small]
        assert np.array_equal(less[split][0], same.reshape(-1, 32, 32, 3))


def test_seed_category_instance_and_split_each_make_another_image():
    images = [
        draw_category(Fractals(size=32, seed=seed), category, start, 1).tobytes()
        for seed in (0, 1)
        for category in (0, 1)
        for start in (0, 1, VALIDATION_START)
    ]
    assert len(set(images)) == len(images)


def test_systems_of_categories_differ_and_fill_the_frame():
    systems = [fractal_drawing.sample_system(0, category) for category in range(20)]
    assert len({system.tobytes() for system in systems}) == 20
    for category, system in enumerate(systems):
        draws = fractal_drawing.Draws([(0, category, 1, i) for i in range(4)])
        opacity, _ = fractal_drawing.draw_shapes(32, system, draws)
        shares = np.count_nonzero(opacity, axis=(1, 2)) / 32**2
        assert shares.min() > 0.03 and shares.max() < 0.75, (category, shares)


def test_mean_colours_do_not_tell_the_category():
    tiny = Fractals(size=16)
    drawn = [draw_category(tiny, category, 0, 60) for category in range(8)]
    means = np.array([images.mean(axis=(1, 2)) for images in drawn])
    colours = means - means.mean(axis=2, keepdims=True)  # the shape's size shows in the grey value
    between, within = colours.mean(axis=1).std(axis=0), colours.std(axis=1).mean(axis=0)
    assert np.all(between < 0.3 * within)  # chance alone gives about 1 / sqrt(60) = 0.13


def test_load_gives_labelled_images_of_both_splits(tmp_path):
    progress = []
    data = load(SMALL, cache=tmp_path, progress=lambda *counts: progress.append(counts))
    assert progress == [(1, 3), (2, 3), (3, 3)]
    for split, each, start in (("train", 4, 0), ("val", 2, VALIDATION_START)):
        images, labels = data[split]
        assert isinstance(images, np.memmap) and images.dtype == np.uint8
        assert images.shape == (3 * each, 32, 32, 3)
        assert labels.dtype == np.int64 and labels.tolist() == np.repeat(range(3), each).tolist()
        assert np.array_equal(images[labels == 2], draw_category(SMALL, 2, start, each))
    assert [path.name for path in tmp_path.iterdir()] == [f"fractals-{SMALL.fingerprint}"]


def test_second_load_draws_nothing(tmp_path, monkeypatch):
    first = load(SMALL, cache=tmp_path)
    monkeypatch.setattr(fractals, "draw_category", lambda *_: pytest.fail("drawn again"))
    second = load(SMALL, cache=tmp_path)
    assert np.array_equal(first["train"][0], second["train"][0])


def test_interrupted_making_is_not_taken_for_whole(tmp_path):
    def interrupt(done, total):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load(SMALL, cache=tmp_path, progress=interrupt)
    assert not any(tmp_path.iterdir())
    assert load(SMALL, cache=tmp_path)["train"][0][8:].any()


def test_killed_making_is_not_taken_for_whole(tmp_path):
    program = (
        "import os, pathlib, sys\n"
        "from experiments.data.fractals import Fractals, load\n"
        "config = Fractals(categories=3, train=4, val=2, size=32)\n"
        "load(config, cache=pathlib.Path(sys.argv[1]), progress=lambda *_: os._exit(9))\n"
    )
    root = Path(fractals.__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    command = [sys.executable, "-c", program, str(tmp_path)]
    assert subprocess.run(command, env=environment).returncode == 9
    left = [path.name for path in tmp_path.iterdir()]
    assert left and f"fractals-{SMALL.fingerprint}" not in left
    images, _ = load(SMALL, cache=tmp_path)["train"]
    assert np.array_equal(images[8:], draw_category(SMALL, 2, 0, 4))


def test_loser_of_a_race_uses_the_set_of_the_winner(tmp_path):
    def overtake(done, total):
        if done == total:
            load(SMALL, cache=tmp_path)

    data = load(SMALL, cache=tmp_path, progress=overtake)
    assert len(data["train"][0]) == 12
    assert [path.name for path in tmp_path.iterdir()] == [f"fractals-{SMALL.fingerprint}"]


def test_fingerprint_follows_every_field_and_the_version(monkeypatch):
    changes = ({}, {"categories": 9}, {"train": 9}, {"val": 9}, {"size": 9}, {"seed": 9})
    prints = {Fractals(**change).fingerprint for change in changes}
    monkeypatch.setattr(Fractals, "version", 3)
    prints.add(Fractals().fingerprint)
    assert len(prints) == 7 and all(len(digits) == 12 for digits in prints)


@pytest.mark.parametrize("change", [{"categories": 0}, {"size": 4}, {"seed": -1}, {"val": 0}])
def test_senseless_configurations_are_refused(change):
    with pytest.raises(ValueError, match="Fractals"):
        Fractals(**change)


def test_version_2_has_a_known_checksum_and_three_splits(tmp_path):
    small = ScatteredFractals(categories=3, train=4, val=2, select=2)
    drawn = b"".join(draw_category(small, category, 0, 4).tobytes() for category in range(3))
    assert hashlib.sha256(drawn).hexdigest() == CHECKSUM_2
    data = load(small, cache=tmp_path)
    assert {split: len(labels) for split, (_, labels) in data.items()} == {
        "train": 12,
        "val": 6,
        "select": 6,
    }
    images = {split: {image.tobytes() for image in images} for split, (images, _) in data.items()}
    assert len(set.union(*images.values())) == 24


def test_names_keep_their_fingerprints():
    assert (Fractals().fingerprint, ScatteredFractals().fingerprint) == (
        "da1f903d9d64",
        "fc1ec0a49c13",
    )
