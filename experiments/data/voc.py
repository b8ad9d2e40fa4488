"""PASCAL VOC's layout: JPEGImages, SegmentationClass, and lists in ImageSets/Segmentation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from experiments.data.faults import Faults, brief
from experiments.data.files import File
from experiments.data.label_maps import LabelMaps, by_stem, missing, paired
from experiments.data.scene_folder import files_below, listed
from roadmap.errors import Problem, escaped
from roadmap.files import read_text

IMAGES, MAPS, LISTS = "JPEGImages", "SegmentationClass", "ImageSets/Segmentation"
NEEDS = f"it needs {IMAGES}, {MAPS}, {LISTS}/train.txt and {LISTS}/val.txt"
CLASSES = (
    "background",
    *"aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse".split(),
    *"motorbike person pottedplant sheep sofa train tvmonitor".split(),
)


@dataclass(frozen=True, kw_only=True)
class VocFolder(LabelMaps):
    """A folder in VOC's layout: value 0 is the class background, 255 is unlabelled."""

    choice = "a directory with JPEGImages and SegmentationClass, as VOC's"
    first_class = 0
    unlabelled = 255

    @classmethod
    def root_of(cls, name: str) -> Path | None:
        """Return the folder with JPEGImages. Raises Problem if several years are there."""
        if _is_root(Path(name)):
            return Path(name)
        for pattern in ("VOC20*", "VOCdevkit/VOC20*"):
            roots = [root for root in sorted(Path(name).glob(pattern)) if _is_root(root)]
            if len(roots) > 1:
                years, last = listed([root.name for root in roots]), escaped(str(roots[-1]))
                raise Problem(f"data {escaped(name)} holds {years}; name one: --data {last}")
            if roots:
                return roots[0]
        return None

    @classmethod
    def names_in(cls, root: Path) -> tuple[str, ...]:
        """Return the names of the background and of VOC's 20 classes."""
        return CLASSES

    @classmethod
    def find(cls, root: Path, split: str, faults: Faults) -> list[tuple[File, File]]:
        """Return the images that a split's list names, with their label maps."""
        path = root / LISTS / f"{split}.txt"
        missing(root, (IMAGES, MAPS, f"{LISTS}/{split}.txt"), NEEDS)
        try:
            lines = read_text(path, limit=64_000_000).splitlines()
        except (OSError, ValueError) as fault:
            raise Problem(f"{escaped(str(path))} cannot be read: {fault}") from None
        wanted: dict[str, str] = {}  # with the place of each
        for number, line in enumerate(lines, 1):
            name = line.strip()
            if name in wanted:
                text = escaped(f"{path}:{number}: image {brief(name)} is named twice")
                faults.add("image named twice", text)
            elif name:
                wanted[name] = f"{path}:{number}: "
        images = by_stem(files_below(root / IMAGES, split), faults)
        maps = by_stem(files_below(root / MAPS, split), faults, only=".png")
        return paired(images, maps, wanted, (root / IMAGES, root / MAPS), faults)


def _is_root(root: Path) -> bool:
    others = (MAPS, "ImageSets", "Annotations")
    return (root / IMAGES).is_dir() and any((root / other).is_dir() for other in others)
