"""The table of data sources: what they have in common, and fingerprints that must not change."""

import json
import os
import pickle
import struct
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

import numpy
import pytest

from experiments.data import sources
from experiments.data.cache import cache_folder
from experiments.data.source import Source
from experiments.data.sources import SOURCES, read_source
from experiments.data.splits import held_split, open_data
from experiments.host.machine import Machine
from experiments.request import Request
from experiments.settings import Settings
from roadmap.errors import Problem
from steps.config import Config
from steps.roadmaps.load import load_roadmap as load
from tests.experiments.data.made import add

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True, kw_only=True)
class Flat(Source):
    """One colour per class, as a user could add it: `--data flat/CLASSES`."""

    colours: int

    choice = "flat/CLASSES"
    name = "flat"

    @classmethod
    def takes(cls, name):
        return name.startswith("flat/")

    @classmethod
    def read(cls, name, root):
        return cls(colours=int(name.removeprefix("flat/")))

    @property
    def fingerprint(self):
        return f"{self.colours:012x}"

    @property
    def classes(self):
        return self.colours

    @property
    def images(self):
        return 300

    def open(self, cache, progress):
        labels = numpy.arange(self.images) % self.classes
        arrays = numpy.broadcast_to(labels[:, None, None, None], (len(labels), 8, 8, 3))
        return {split: held_split(arrays.astype(numpy.uint8), labels) for split in ("train", "val")}


def test_a_source_from_outside_takes_one_class_and_one_entry(monkeypatch, tmp_path):
    monkeypatch.setattr(sources, "SOURCES", (*SOURCES, Flat))
    data = open_data(read_source("flat/7"))
    assert data.describe() == {"name": "flat", "classes": 7, "train": 300, "val": 300}
    assert data.train.image(6).getpixel((0, 0)) == (6, 6, 6)
    request = Request(settings=Settings(data="flat/7", runs=tmp_path), row="13", seed=0)
    assert request.identity.data == "000000000007" and request.spec.network.classes == 7
    with pytest.raises(Problem, match=r"data flat\\n does not exist; valid: .*, flat/CLASSES"):
        read_source("flat\n")


def test_fingerprints_stay_what_they_were(tmp_path):
    """Records name their data by these digits: a change would orphan all of them."""
    for split in ("train", "val"):
        for label, name in enumerate(("a", "b", "c d")):
            folder = tmp_path / "folder" / split / name
            (folder / "deep").mkdir(parents=True)
            for number in range(3):
                pixels = bytes([number * 10 + label + value for value in range(12)])
                (folder / f"deep/{number}.ppm").write_bytes(b"P6 2 2 255\n" + pixels)
                (folder / f"{number}.jpg").write_bytes(bytes(100 + number + label))
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        archive.add(tmp_path / "folder", "top")
    shards = tmp_path / "shards"
    shards.mkdir()
    for split, count in (("train", 6), ("validation", 3)):
        for number in range(count):
            add(shards / f"s-{split}.tar", f"n{number}.cls", str(number % 3).encode())
            add(shards / f"s-{split}.tar", f"n{number}.jpg", bytes(50 + number))
    splits = {split: {"filenames": [f"s-{split}.tar"]} for split in ("train", "validation")}
    (shards / "_info.json").write_text(json.dumps({"splits": splits}))
    raw = tmp_path / "mnist/MNIST/raw"
    raw.mkdir(parents=True)
    for split, count in (("train", 30), ("t10k", 7)):
        pixels = (numpy.arange(count * 784) % 251).astype(numpy.uint8).tobytes()
        labels = (numpy.arange(count) % 3).astype(numpy.uint8).tobytes()
        head = struct.pack(">4i", 2051, count, 28, 28)
        (raw / f"{split}-images-idx3-ubyte").write_bytes(head + pixels)
        (raw / f"{split}-labels-idx1-ubyte").write_bytes(struct.pack(">2i", 2049, count) + labels)
    given = {
        ("fractals", None): ("fractals", "da1f903d9d64", 20, 5000),
        (f"{tmp_path}/folder", None): ("folder", "482d8e8b48fe", 3, 18),
        (f"{tmp_path}/x.tar", None): ("x", "482d8e8b48fe", 3, 18),
        ("wds/x", shards): ("wds/x", "8583908af8eb", 3, 6),
        ("torch/mnist", tmp_path / "mnist"): ("torch/mnist", "c8b2222e8f09", 3, 30),
    }
    for (name, root), expected in given.items():
        source = read_source(name, root)
        assert (source.name, source.fingerprint, source.classes, source.images) == expected


def test_reading_needs_no_torch(images):
    program = f"""
import sys
from experiments.data.sources import read_source
for name in ("fractals", {str(images)!r}):
    read_source(name).fingerprint
assert not {{"torch", "timm", "PIL"}} & set(sys.modules)
"""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", program], check=True, env=environment)


def test_the_cache_needs_no_home_where_it_is_named(monkeypatch, tmp_path):
    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("ROADMAP_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("ROADMAP_CACHE")
    with pytest.raises(Problem, match="no home folder; set ROADMAP_CACHE"):
        cache_folder()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "roadmap"


def test_images_of_a_folder_need_no_cache(monkeypatch, images):
    monkeypatch.setattr(Path, "home", lambda: 1 / 0)
    for name in ("XDG_CACHE_HOME", "ROADMAP_CACHE"):
        monkeypatch.delenv(name, raising=False)
    assert len(open_data(read_source(str(images))).train) == 36


def test_settings_and_requests_travel_to_another_process_and_load_once(tmp_path, monkeypatch):
    settings = Settings(study="learning-rate", roadmap=None, runs=tmp_path)
    request = Request(settings=settings, row=settings.path.rows[0].number, seed=1)
    copy = pickle.loads(pickle.dumps(request))
    assert copy.identity == request.identity and copy.folder == request.folder
    loads = []
    monkeypatch.setattr(
        "steps.config.load_roadmap",
        lambda *given, **more: loads.append(given) or load(*given, **more),
    )
    config = Config(roadmap="tiny", overrides={"recipe.epochs": 3})
    assert config.roadmap["13"].spec.recipe.epochs == 3
    shared = Settings.of(config, data=None, data_root=None, runs=tmp_path)
    for row in ("05", "13"):
        run = Request(settings=shared, row=row, seed=0)
        assert run.spec.recipe.epochs == 3 and run.identity
    assert len(loads) == 1


def test_a_folder_of_runs_that_cannot_be_is_named_at_once(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "nothing")
    (tmp_path / "file").write_text("")
    (tmp_path / "closed").mkdir(mode=0o500)
    machine = Machine(threads=1, workers=0)
    cases = {"link/runs": "link is a link to nothing", "file/runs": "file is a file"}
    if os.geteuid():  # root may write everywhere
        cases["closed/runs"] = "closed cannot be written"
    for name, message in cases.items():
        request = Request(settings=Settings(runs=tmp_path / name), row="13", seed=0)
        with pytest.raises(Problem, match=message):
            request.check(machine)
    Request(settings=Settings(runs=tmp_path / "new/runs"), row="13", seed=0).check(machine)
