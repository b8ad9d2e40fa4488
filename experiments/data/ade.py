"""ADE20K's layout: images/training, annotations/training, and the same for validation."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from experiments.data.faults import Faults
from experiments.data.files import File
from experiments.data.label_maps import LabelMaps, by_stem, missing, paired
from experiments.data.scene import MOST_CLASSES
from experiments.data.scene_folder import files_below
from roadmap.errors import Problem, escaped, quoted
from roadmap.files import read_text

ARCHIVE = "ADEChallengeData2016"  # the folder in the archive of the data set
FOLDERS = {"train": "training", "val": "validation"}
NAMES = "objectInfo*.txt"
CLASSES = 150  # without a file of names; a value above is a fault
NEEDS = (
    "it needs images/training, images/validation, annotations/training and annotations/validation"
)


@dataclass(frozen=True, kw_only=True)
class AdeFolder(LabelMaps):
    """A folder in ADE20K's layout: value 0 is unlabelled, value 1 is class 0.

    Class names are those of `objectInfo150.txt`. Without it there are 150 classes, as in ADE20K: a
    folder of other classes needs such a file, or each network would have 150.
    """

    choice = "a directory with images/training and annotations/training, as ADE20K's"
    first_class = 1
    unlabelled = 0

    @classmethod
    def root_of(cls, name: str) -> Path | None:
        """Return the folder with images/training or annotations/training."""
        for root in (Path(name), Path(name) / ARCHIVE):
            if any((root / place / "training").is_dir() for place in ("annotations", "images")):
                return root
        return None

    @classmethod
    def names_in(cls, root: Path) -> tuple[str, ...]:
        """Return the names in `objectInfo150.txt`, else numbers from 0 to 149."""
        files = sorted(root.glob(NAMES))
        if len(files) > 1:
            named = " and ".join(file.name for file in files)
            raise Problem(f"data {escaped(str(root))} has {named}; keep one of them")
        return _read_names(files[0]) if files else tuple(map(str, range(CLASSES)))

    @classmethod
    def find(cls, root: Path, split: str, faults: Faults) -> list[tuple[File, File]]:
        """Return the images of a split with their label maps."""
        inner = FOLDERS[split]
        missing(root, (f"images/{inner}", f"annotations/{inner}"), NEEDS)
        places = root / "images" / inner, root / "annotations" / inner
        images = by_stem(files_below(places[0], split), faults)
        maps = by_stem(files_below(places[1], split), faults, only=".png")
        wanted = dict.fromkeys(sorted({*images, *maps}), "")
        return paired(images, maps, wanted, places, faults)


def _read_names(path: Path) -> tuple[str, ...]:
    """Return the names in a table: a line with headings, then a number and a name in each line.

    Columns are separated by tabs. Of several names of a class the first one is kept, if that is
    unique. Raises Problem, also if two classes have the same name.
    """
    where = escaped(str(path))
    try:
        lines = read_text(path, limit=1_000_000).splitlines()
    except (OSError, ValueError) as fault:
        raise Problem(f"{where} cannot be read: {fault}") from None
    rows = [
        (place, [cell.strip() for cell in line.split("\t")])
        for place, line in enumerate(lines, 1)
        if line.strip()
    ]
    names: dict[str, int] = {}  # with the line of each
    for number, (place, row) in enumerate(rows[1:], 1):
        name = row[-1]
        if len(row) < 2 or row[0] != str(number) or not name:
            raise Problem(
                f"{where}: line {place} must be {number}, …, NAME, separated by tabs, after a line "
                "of headings"
            )
        if not _first(name):
            raise Problem(
                f"{where}: line {place}: no name stands before the , or ; in {quoted(name)}"
            )
        if name in names:
            raise Problem(
                f"{where}: line {place} has the name {quoted(name)} of line {names[name]}; each "
                "class needs its own"
            )
        names[name] = place
    if not 2 <= len(names) < MOST_CLASSES:
        raise Problem(f"{where} has {len(names)} names; valid: 2 to 254")
    short = [_first(name) for name in names]
    return tuple(short) if len(set(short)) == len(names) else tuple(names)


def _first(name: str) -> str:
    """Return the first of several names of a class."""
    return re.split("[,;]", name)[0].strip()
