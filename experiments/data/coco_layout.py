"""Find the parts of a folder in COCO's layout: one annotation file and one folder each split."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from experiments.data.listing import NAMES, SPLITS
from experiments.data.scene_folder import listed
from roadmap.errors import Problem, escaped

FILE = re.compile(r"instances_(train|val)(.*)\.json")
YEAR = re.compile(r"(train|val)20\d\d")
NEEDED = (
    "it needs annotations/instances_train*.json and instances_val*.json, and folders train*/ and "
    "val*/ (also in images/) with the same ending"
)


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The root folder, the ending such as 2017, and both parts of each split."""

    root: Path
    year: str
    files: dict[str, Path]
    folders: dict[str, Path]


def is_coco(name: str) -> bool:
    """Return whether a path looks like a folder in COCO's layout, complete or not.

    A folder of class folders is none, even if other JSON files lie in its `annotations/`.
    """
    path = Path(name)
    if path.is_file():
        return FILE.fullmatch(path.name) is not None
    if not path.is_dir():
        return False
    there = _names(path / "annotations", "*.json")
    if any(map(FILE.fullmatch, there)):
        return True
    has_years = any(map(YEAR.fullmatch, [*_names(path, "*"), *_names(path / "images", "*")]))
    if not there and not has_years:
        return False
    training = [path / folder for folder in NAMES["train"][0]]
    return not any(inner.is_dir() for folder in training for inner in folder.glob("*"))


def find_parts(name: str) -> Parts:
    """Return the parts of the one data set in a folder. Raises Problem that lists what is there.

    If `name` is one of its annotation files, its year is taken.
    """
    path, only = Path(name), None
    if path.is_file():
        match = FILE.fullmatch(path.name)
        assert match is not None
        only, path = match[2], path.absolute().parent.parent
    files = _annotation_files(path)
    years = sorted(set(files["train"]) & set(files["val"]))
    if only is not None:
        years = [year for year in years if year == only]
    if not years:
        raise _missing_file(path, files, only)
    found = [parts for year in years if (parts := _parts(path, year, files)) is not None]
    if len(found) == 1:
        return found[0]
    if not found:
        raise _missing_folder(path, years)
    named = " and ".join(parts.year or "no year" for parts in found)
    raise Problem(
        f"data {escaped(name)} holds {named}; name the annotation file of one of them: "
        f"--data {escaped(str(found[-1].files['train']))}"
    )


def _annotation_files(root: Path) -> dict[str, dict[str, Path]]:
    """Return the annotation files of each split by year."""
    files: dict[str, dict[str, Path]] = {split: {} for split in SPLITS}
    for name in _names(root / "annotations", "*.json"):
        if match := FILE.fullmatch(name):
            files[match[1]][match[2]] = root / "annotations" / name
    return files


def _parts(root: Path, year: str, files: dict[str, dict[str, Path]]) -> Parts | None:
    """Return the parts of a year; None if a folder of images is missing."""
    folders = {}
    for split in SPLITS:
        names = dict.fromkeys((f"{split}{year}", split))
        places = [root / around / name for name in names for around in ("", "images")]
        there = [place for place in places if place.is_dir()]
        if not there:
            return None
        folders[split] = there[0]
    own = {split: files[split][year] for split in SPLITS}
    return Parts(root=root, year=year, files=own, folders=folders)


def _names(folder: Path, pattern: str) -> list[str]:
    return sorted(path.name for path in folder.glob(pattern)) if folder.is_dir() else []


def _missing_file(root: Path, files: dict[str, dict[str, Path]], only: str | None) -> Problem:
    missing = [
        f"instances_{split}{only or '*'}.json"
        for split in SPLITS
        if (only not in files[split] if only is not None else not files[split])
    ]
    what = " and ".join(missing) or "a pair of the same ending"
    where = root / "annotations"
    if not where.is_dir():
        there = listed(_names(root, "*"))
        return Problem(f"data {escaped(str(root))} has no annotations/ but {there}; {NEEDED}")
    there = listed(_names(where, "*"))
    return Problem(f"data {escaped(str(where))} lacks {what}; it holds {there}; {NEEDED}")


def _missing_folder(root: Path, years: list[str]) -> Problem:
    year = years[-1]
    folders = [
        f"{around}{name}/"
        for around in ("", "images/")
        for name in _names(root / around, "*")
        if (root / around / name).is_dir()
    ]
    return Problem(
        f"data {escaped(str(root))} has annotations for {listed([year or 'train and val'])} but "
        f"lacks train{year}/ or val{year}/; it holds {listed(folders)}; {NEEDED}"
    )
