"""Data in COCO's format: images, and their objects with boxes, classes and outlines."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy

from experiments.data.coco_file import Annotations, read_annotations
from experiments.data.coco_layout import find_parts, is_coco
from experiments.data.coco_shapes import check_installed
from experiments.data.faults import Faults
from experiments.data.listing import SPLITS
from experiments.data.scene import MOST_CLASSES
from experiments.data.scene_folder import GROUND, SceneFolder, files_below, listed
from experiments.data.source import Progress
from roadmap.errors import Problem, escaped
from roadmap.tasks import Detection, Task, TaskName, name_of

if TYPE_CHECKING:
    from experiments.data.splits import Split

MOST_NAMES = 2_000  # of classes that a record keeps


@dataclass(frozen=True, kw_only=True)
class CocoFolder(SceneFolder):
    """A folder in COCO's layout. `chosen` are the images of each split that are used, by index.

    Training images without any object are left out, as is usual with COCO.
    """

    annotations: dict[str, Annotations]
    chosen: dict[str, numpy.ndarray]

    choice = "a directory with annotations/instances_train*.json and _val*.json, as COCO's"
    tasks = ("detection", "segmentation")

    @classmethod
    def takes(cls, name: str) -> bool:
        """Return whether it is a directory in COCO's layout, or one of its annotation files."""
        return is_coco(name)

    @classmethod
    def look(cls, name: str) -> tuple[CocoFolder, Faults]:
        """Read both annotation files; see `SceneFolder.look`."""
        parts = find_parts(name)
        faults, found = Faults(), dict[str, Annotations]()
        for split in SPLITS:
            files = files_below(parts.folders[split], split)
            found[split], own = read_annotations(parts.files[split], parts.folders[split], files)
            faults.extend(own)
        _check_categories(found, parts.files)
        if any(annotations.shapes.any_there for annotations in found.values()):
            check_installed()
        chosen = {
            "train": found["train"].with_objects,
            "val": numpy.arange(len(found["val"].files)),
        }
        if not len(chosen["train"]) and not faults.texts:
            raise Problem(f"{escaped(str(parts.files['train']))}: no image has an object")
        without = len(found["train"].files) - len(chosen["train"])
        names = tuple(found["train"].categories.values())
        facts: dict[str, Any] = {"class_names": list(names)} if len(names) <= MOST_NAMES else {}
        facts |= {"without_objects": without} if without else {}
        empty = sum(annotations.empty for annotations in found.values())
        facts |= {"objects_without_area": empty} if empty else {}
        unseen = sum(annotations.unseen for annotations in found.values())
        facts |= {"objects_without_pixels": unseen} if unseen else {}
        source = cls(
            name=parts.root.resolve().name,
            class_names=names,
            samples={
                split: tuple((found[split].files[index], 0) for index in own)
                for split, own in chosen.items()
            },
            facts=facts,
            left_out=_left_out(found, without, parts.folders),
            annotated={split: own.sha256 for split, own in found.items()},
            annotations=found,
            chosen=chosen,
        )
        return source, faults

    @property
    def has_masks(self) -> bool:
        """Whether the objects have outlines, not boxes alone."""
        return not self._boxes_alone

    @property
    def _boxes_alone(self) -> str:
        """The first annotation file without an outline; empty if there is none."""
        files = (own.path for own in self.annotations.values() if not own.shapes.any_there)
        return next((escaped(str(path)) for path in files), "")

    @property
    def no_label_maps(self) -> str:
        """Why masks make no label map, whose pixels have one byte; empty if they do."""
        val = self.annotations["val"]
        if not len(val.ids):
            return f"{escaped(str(val.path))} has no objects"
        if self._boxes_alone:
            return f"the objects in {self._boxes_alone} have boxes alone"
        if self.classes_for("segmentation") > MOST_CLASSES:
            return (
                f"data {self.name!r} has {self.classes} classes and the background; a label map "
                f"has at most {MOST_CLASSES}"
            )
        train = self.annotations["train"]
        for number, name in train.categories.items():
            if name == GROUND:
                return (
                    f"{escaped(str(train.path))}: category {number} has the name of the "
                    f"background, {GROUND!r} (rename it in both files)"
                )
        return ""

    def classes_for(self, task: TaskName) -> int:
        """Return the number of classes; in segmentation the background is class 0."""
        return self.classes + (task == "segmentation")

    def check_task(self, task: Task | None) -> None:
        """Raise Problem, to follow "recipe of row 13", if the labels do not fit the task."""
        val = self.annotations["val"]
        detectable = len(val.with_objects) > 0
        if name_of(task) == "detection" and not detectable:
            raise Problem(
                f"is for detection; no image in {escaped(str(val.path))} has an object, so there "
                "is no average precision"
            )
        if isinstance(task, Detection):
            self._check_sides(task.longest)
        if isinstance(task, Detection) and task.has_masks and self._boxes_alone:
            raise Problem(
                f"detects masks; the objects in {self._boxes_alone} have boxes alone; "
                "add --set recipe.task.detection=faster_rcnn"
            )
        if name_of(task) == "segmentation" and (why := self.no_label_maps):
            hint = "; use --task detection" if detectable else ""
            raise Problem(f"is for segmentation; {why}{hint}")
        super().check_task(task)

    def _check_sides(self, longest: int) -> None:
        """Raise Problem for an image with a short side below one pixel once its long side fits."""
        for split, own in self.annotations.items():
            sides = numpy.sort(own.sizes[self.chosen[split]].astype(numpy.int64), axis=1)
            narrow = numpy.flatnonzero(sides[:, 0] * longest < sides[:, 1])
            if len(narrow):
                place = self.chosen[split][narrow[0]]
                width, height = own.sizes[place]
                raise Problem(
                    f"is for detection; image {own.files[place]} of {width} × {height} pixels is "
                    f"too narrow for a long side of {longest}; remove it from "
                    f"{escaped(str(own.path))}"
                )

    def open(self, cache: Path | None, progress: Progress) -> dict[str, Split]:
        """Return both splits; an image is read from its file each time that it is asked for."""
        from experiments.data.coco_reading import open_split

        opened = {
            split: open_split(self.annotations[split], self.samples[split], self.chosen[split])
            for split in SPLITS
        }
        if not self.no_label_maps:
            return opened
        return {split: replace(own, label_map=None) for split, own in opened.items()}


def _check_categories(found: dict[str, Annotations], files: dict[str, Path]) -> None:
    """Raise Problem unless both splits have the same class ids with the same names."""
    train, val = (set(found[split].categories.items()) for split in SPLITS)
    for one, extra in (("train", train - val), ("val", val - train)):
        if extra:
            number, name = min(extra)
            other = "val" if one == "train" else "train"
            raise Problem(
                f"{escaped(str(files[one]))}: category {number} ({escaped(name)}) is not in "
                f"{escaped(files[other].name)}, which has {listed(_pairs(found[other]))}; both "
                "need the same categories"
            )


def _pairs(annotations: Annotations) -> list[str]:
    return [f"{number} ({name})" for number, name in annotations.categories.items()]


def _left_out(
    found: dict[str, Annotations], without: int, folders: dict[str, Path]
) -> dict[str, dict[str, int]]:
    left: dict[str, dict[str, int]] = {}
    if without:
        left[f"{folders['train'].name}/"] = {"images without objects": without}
    for split, own in found.items():
        counts = {
            "objects of area 0": own.empty,
            "objects whose outline covers no pixel": own.unseen,
        }
        if some := {what: count for what, count in counts.items() if count}:
            left.setdefault(f"{folders[split].name}/", {}).update(some)
    return left
