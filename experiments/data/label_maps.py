"""Folders in which each image has a label map, a PNG file of one byte for each pixel."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, ClassVar

from experiments.data.faults import Faults, brief
from experiments.data.files import File, content_of
from experiments.data.listing import SPLITS, is_image
from experiments.data.scene_folder import SceneFolder, listed
from experiments.data.source import Progress
from roadmap.errors import Problem, escaped

if TYPE_CHECKING:
    from experiments.data.splits import Split


@dataclass(frozen=True, kw_only=True)
class LabelMaps(SceneFolder):
    """Images with label maps; `maps` has the file of each image's map, by split.

    In the files, value `first_class` is class 0, and `unlabelled` marks pixels that count nowhere.
    """

    maps: dict[str, tuple[File, ...]]

    tasks = ("segmentation",)
    first_class: ClassVar[int]
    unlabelled: ClassVar[int]

    @classmethod
    @abstractmethod
    def find(cls, root: Path, split: str, faults: Faults) -> list[tuple[File, File]]:
        """Return the images of a split with their label maps."""

    @classmethod
    @abstractmethod
    def root_of(cls, name: str) -> Path | None:
        """Return the folder in which the layout begins; None if there is none."""

    @classmethod
    @abstractmethod
    def names_in(cls, root: Path) -> tuple[str, ...]:
        """Return the names of the classes. Raises Problem."""

    @classmethod
    def takes(cls, name: str) -> bool:
        """Return whether it is a directory in this layout, complete or not."""
        return Path(name).is_dir() and cls.root_of(name) is not None

    @classmethod
    def look(cls, name: str) -> tuple[LabelMaps, Faults]:
        """List images and label maps; see `SceneFolder.look`. Their pixels are checked later."""
        root, faults = cls.root_of(name), Faults()
        assert root is not None
        names = cls.names_in(root)
        pairs = {split: cls.find(root, split, faults) for split in SPLITS}
        for split, those in pairs.items():
            if not those and not faults.texts:
                raise Problem(f"data {escaped(str(root))} has no {split} images with label maps")
        source = cls(
            name=root.resolve().name,
            class_names=names,
            samples={
                split: tuple((image, 0) for image, _ in those) for split, those in pairs.items()
            },
            facts={"class_names": list(names)},
            annotated={
                split: [[label_map.name, content_of(label_map)] for _, label_map in those]
                for split, those in pairs.items()
            },
            maps={split: tuple(each for _, each in those) for split, those in pairs.items()},
        )
        return source, faults

    def open(self, cache: Path | None, progress: Progress) -> dict[str, Split]:
        """Return both splits; files are read each time that an image or its map is asked for."""
        from experiments.data.label_map_reading import Coding, open_split

        coding = Coding(self.classes, self.first_class, self.unlabelled)
        return {
            split: open_split(self.samples[split], self.maps[split], coding) for split in SPLITS
        }


def paired(
    images: Mapping[str, File],
    maps: Mapping[str, File],
    wanted: Mapping[str, str],
    places: tuple[Path, Path],
    faults: Faults,
) -> list[tuple[File, File]]:
    """Return image and label map of each wanted name without ending; note what is missing.

    `wanted` has the place that asks for a name, to begin a message.
    """
    pairs = []
    for name, asked in wanted.items():
        image, label_map = images.get(name), maps.get(name)
        for file, kind, place in zip(
            (image, label_map), ("image", "label map"), places, strict=True
        ):
            if file is None:
                other = label_map if file is image else image
                of = f" of {other.path}" if other is not None else ""
                text = f"{asked}{place}: {kind} {brief(name)}.*{of} is missing"
                faults.add(f"missing {kind}", escaped(text))
        if image is not None and label_map is not None:
            pairs.append((image, label_map))
    return pairs


def by_stem(files: Mapping[str, File], faults: Faults, *, only: str = "") -> dict[str, File]:
    """Return image files by their names without ending; `only` is the one ending that counts."""
    found: dict[str, File] = {}
    for name, file in files.items():
        path = PurePosixPath(name)
        if not is_image(name) or (only and path.suffix.lower() != only):
            continue
        stem = str(path.with_suffix(""))
        if stem in found:
            text = escaped(f"{found[stem].path} and {file.path} differ in their ending only")
            faults.add("two files of one name", text)
        found[stem] = file
    return found


def missing(root: Path, folders: Iterable[str], needs: str) -> None:
    """Raise Problem that lists what is there, if one of the folders does not exist."""
    for folder in folders:
        if not (root / folder).exists():
            place = root / folder
            while not place.is_dir():
                place = place.parent
            there = listed(sorted(path.name for path in place.iterdir()))
            raise Problem(
                f"data {escaped(str(root))} has no {folder}; {escaped(str(place))} holds {there}; "
                f"{needs}"
            )
