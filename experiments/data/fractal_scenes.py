"""The built-in scenes for detection and segmentation: fractal shapes on a cluttered background.

Each class is a random system, as in `fractals`; `fractal_scene_drawing` draws the images. They are
drawn on first use, in threads, and kept.
"""

from __future__ import annotations

import hashlib
from dataclasses import astuple, dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from experiments.data.cache import cache_folder, make_once
from experiments.data.drawn import Drawn, in_threads
from experiments.data.fractal_drawing import sample_system
from experiments.data.fractal_scene_drawing import FEWEST_PIXELS, OBJECTS, draw_scenes
from experiments.data.fractals import SELECTION_START, VALIDATION_START
from experiments.data.scene import Objects
from experiments.data.source import Progress
from roadmap.tasks import TaskName

if TYPE_CHECKING:
    from experiments.data.splits import Split

BLOCK = 20  # scenes drawn at once: bounds the memory of the working arrays
SCENES = 3  # in the keys of random streams: scenes share none with the images of `fractals`
FIRST_STRANGER, STRANGERS = 100, 4  # systems that are drawn and are no class
GROUND = "ground"
PARTS = ("images", "objects", "classes")


@dataclass(frozen=True, kw_only=True)
class FractalScenes(Drawn):
    """Classes, scenes of each split, pixels per side, seed."""

    systems: int = 8
    train: int = 1000
    val: int = 300
    select: int = 100
    size: int = 96
    seed: int = 0

    choice = "'fractal-scenes'"
    preparation = "drawing the scenes"
    name = "fractal-scenes"
    has_select = True
    tasks = ("detection", "segmentation")
    version: ClassVar[int] = 1  # part of the fingerprint: another one if any byte changes

    def __post_init__(self) -> None:
        if min(self.systems, self.train, self.val, self.select) < 1 or self.seed < 0:
            raise ValueError(f"no scenes, or a negative seed: {self}")
        if self.size < 64 or self.systems > FIRST_STRANGER:
            raise ValueError(f"below 64 pixels, or more than {FIRST_STRANGER} classes: {self}")
        if max(self.train, self.val, self.select) > VALIDATION_START:
            raise ValueError(f"at most {VALIDATION_START} scenes in a split: {self}")

    @property
    def fingerprint(self) -> str:
        """12 hexadecimal digits that differ if the scenes may differ."""
        parts = (self.name, self.version, FEWEST_PIXELS, *astuple(self))
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]

    @property
    def classes(self) -> int:
        """Number of systems that are objects."""
        return self.systems

    def classes_for(self, task: TaskName) -> int:
        """Return the number of classes; in segmentation the background is class 0."""
        return self.systems + (task == "segmentation")

    def names_for(self, task: TaskName) -> tuple[str, ...]:
        """Return the names of these classes: numbers, as the systems have no names."""
        ground = (GROUND,) if task == "segmentation" else ()
        return (*ground, *(f"system {number}" for number in range(self.systems)))

    @property
    def images(self) -> int:
        """Number of training scenes."""
        return self.train

    @property
    def splits(self) -> dict[str, tuple[int, int]]:
        """First scene and number of scenes of each split."""
        return {
            "train": (0, self.train),
            "val": (VALIDATION_START, self.val),
            "select": (SELECTION_START, self.select),
        }

    def open(self, cache: Path | None, progress: Progress) -> dict[str, Split]:
        """Return all splits; they are drawn on first use and kept in `cache`."""
        from experiments.data.splits import held_split

        opened = {}
        for split, parts in load(self, cache=cache or cache_folder(), progress=progress).items():
            images, objects, classes = parts
            opened[split] = replace(
                held_split(images, np.zeros(len(images), dtype=np.int64)),
                objects=partial(_objects, objects, classes),
                label_map=partial(_label_map, objects, classes),
            )
        return opened


def _objects(objects: np.ndarray, classes: np.ndarray, index: int) -> Objects:
    """Return the objects of one scene; each shows at least FEWEST_PIXELS."""
    labels = classes[index][classes[index] < 255].astype(np.int64)
    masks = objects[index] == np.arange(1, len(labels) + 1)[:, None, None]
    boxes = np.zeros((len(labels), 4), dtype=np.float32)
    for box, mask in zip(boxes, masks, strict=True):
        rows, columns = np.nonzero(mask.any(1))[0], np.nonzero(mask.any(0))[0]
        box[:] = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
    return Objects(
        boxes=boxes,
        labels=labels,
        masks=masks.astype(np.uint8),
        crowd=np.zeros(len(labels), dtype=bool),
        areas=masks.sum((1, 2)).astype(np.float32),
    )


def _label_map(objects: np.ndarray, classes: np.ndarray, index: int) -> np.ndarray:
    """Return uint8 (size, size): 0 for the background, class + 1 where an object is visible."""
    of_object = np.concatenate([[0], (classes[index] + 1) & 255]).astype(np.uint8)
    return of_object[objects[index]]


@lru_cache
def systems_of(seed: int, first: int, count: int) -> tuple[np.ndarray, ...]:
    """Return the systems of `count` categories from `first` on."""
    return tuple(sample_system(seed, category) for category in range(first, first + count))


def draw_block(config: FractalScenes, first: int, count: int) -> tuple[np.ndarray, ...]:
    """Draw scenes first…first+count-1; see `draw_scenes`."""
    classes = systems_of(config.seed, 0, config.systems)
    strangers = systems_of(config.seed, FIRST_STRANGER, STRANGERS)
    keys = [(config.seed, 0, SCENES, first + number) for number in range(count)]
    return draw_scenes(config.size, classes, strangers, keys)


def make(config: FractalScenes, folder: Path, progress: Progress | None) -> None:
    """Write all splits into this folder, without holding them all.

    Scenes are independent, so threads share the work.
    """
    files, blocks = {}, []
    for split, (start, count) in config.splits.items():
        square = (count, config.size, config.size)
        shapes = ((*square, 3), square, (count, OBJECTS))
        for part, shape in zip(PARTS, shapes, strict=True):
            path = folder / f"{split}-{part}.npy"
            files[split, part] = np.lib.format.open_memmap(
                path, mode="w+", dtype=np.uint8, shape=shape
            )
        blocks += [(split, start, place) for place in range(0, count, BLOCK)]

    def fill(split: str, start: int, place: int) -> None:
        count = min(BLOCK, config.splits[split][1] - place)
        for part, drawn in zip(PARTS, draw_block(config, start + place, count), strict=True):
            files[split, part][place : place + count] = drawn

    in_threads(fill, blocks, progress)
    for file in files.values():
        file.flush()


def load(
    config: FractalScenes, *, cache: Path, progress: Progress | None = None
) -> dict[str, tuple[np.ndarray, ...]]:
    """Return, by split, images, objects and classes as `draw_scenes` returns them.

    Images and objects are mapped from disk. They are drawn once; a folder with the final name is
    always complete. progress(done, total) counts blocks of scenes.
    """
    folder = make_once(
        Path(cache) / f"fractal-scenes-{config.fingerprint}",
        lambda unfinished: make(config, unfinished, progress),
    )
    return {
        split: tuple(np.load(folder / f"{split}-{part}.npy", mmap_mode="r") for part in PARTS)
        for split in config.splits
    }
