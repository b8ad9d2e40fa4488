"""A user's own images, `train/<class>/<image>` and `val/…`, in a directory or a tar of one.

They are listed and checked here without torch, so that an error in them is reported at once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from experiments.data.files import File, Files, Samples
from experiments.data.label_file import FORMS, KNOWN, find_label_file, read_label_file
from experiments.data.listing import ENDINGS, NAMES, SPLITS, Listing, list_directory
from experiments.data.prepared import MOST_NOTE_BYTES, NOTE, Prepared
from experiments.data.reading import PLAIN, Reading
from experiments.data.tar_listing import list_tar
from roadmap.errors import Problem, escaped

MOST_NAMES = 2_000  # of classes that a record keeps


@dataclass(frozen=True, kw_only=True)
class Folder(Files):
    """An image folder or a tar of one; `samples` are in the order of their names.

    `left_out` counts what lies in it and is not read: by split, what it is in words.
    """

    left_out: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    choice = "a directory or a .tar with train/ and val/"

    @classmethod
    def takes(cls, name: str) -> bool:
        """Return whether it is a path to a directory or a file."""
        path = Path(name)
        return path.is_dir() or path.is_file()

    @classmethod
    def read(cls, name: str, root: Path | None) -> Folder:
        """List the images; raises Problem naming what is missing or differs between the splits."""
        return cls.read_as(name, root, PLAIN)

    @classmethod
    def read_alone(cls, name: str, reading: Reading) -> Folder:
        """List images to evaluate on; without train/, those of val/ or of class folders alone."""
        path = Path(name)
        listing = (list_directory if path.is_dir() else list_tar)(path, class_folders=True)
        if "train" in listing.folders:
            return cls.read_as(name, None, reading)
        split = "val" if "val" in listing.folders else "train"
        classes = listing.classes.get(split, ())
        if len(classes) < 2:
            raise Problem(f"data {escaped(str(path))} needs at least two class folders")
        grouped = defaultdict(list)
        for file in listing.files:
            if file.name.startswith(f"{split}/"):
                own = replace(file, name=f"val/{file.name.partition('/')[2]}")
                grouped["val", _class(own)].append(own)
        return cls(
            name=path.resolve().name.removesuffix(".tar"),
            class_names=classes,
            samples={"train": (), "val": _samples(path, "val", classes, grouped)},
            exif=reading.exif,
            left_out=_left_out(listing),
        )

    @classmethod
    def read_as(cls, name: str, root: Path | None, reading: Reading) -> Folder:
        """List the images as `reading` says; raises Problem like `read`."""
        path, divided = Path(name), reading.val_fraction is not None
        lister = list_directory if path.is_dir() else list_tar
        listing = lister(path, class_folders=divided)
        facts: dict[str, Any] = {}
        if divided:
            facts["held_out"] = {"fraction": reading.val_fraction, "seed": reading.split_seed}
            listing = _divided(path, listing, reading)
        elif "train" in listing.folders and path.is_dir():
            listing = _with_labels(path, listing, reading)
        for split in SPLITS:
            if not divided and split not in listing.folders:
                raise _no_split(path, split, listing)
        if (folder := listing.folders.get("val", "val")) != "val":
            facts["val_folder"] = folder
        classes = {split: listing.classes.get(split, ()) for split in SPLITS}
        _check(path, classes, listing.folders)
        grouped = defaultdict(list)
        for file in listing.files:
            if file.name != NOTE:
                grouped[file.name.partition("/")[0], _class(file)].append(file)
        names = classes["train"]
        samples = {split: _samples(path, split, names, grouped) for split in SPLITS}
        if len(names) <= MOST_NAMES:
            facts["class_names"] = list(names)
        shown = path.resolve().name.removesuffix(".tar")
        note = next((file for file in listing.files if file.name == NOTE), None)
        return cls(
            name=shown,
            class_names=names,
            samples=samples,
            prepared=_read_note(note) if note else None,
            exif=reading.exif,
            facts=facts,
            left_out=_left_out(listing),
        )


def _left_out(listing: Listing) -> dict[str, dict[str, int]]:
    """Return what is not read: files of other endings, and images outside class folders."""
    left: dict[str, dict[str, int]] = {}
    for split, folder in (listing.folders or {"train": ""}).items():
        where = f"{folder}/" if folder else "the top folder"
        counts = dict(listing.ignored.get(split, {}))
        if loose := listing.loose.get(split):
            counts["images in no class folder"] = len(loose)
        if counts:
            left[where] = counts
    return left


def _divided(path: Path, listing: Listing, reading: Reading) -> Listing:
    """Hold out a part of each class of the training images."""
    if "val" in listing.folders and listing.folders["val"] != "test":
        raise Problem(
            f"data {escaped(str(path))} has {listing.folders['val']}/ already; leave out "
            "--val-fraction"
        )
    names = listing.classes.get("train", ())
    images: dict[str, list[File]] = {name: [] for name in names}
    others = [file for file in listing.files if file.name == NOTE]
    for file in listing.files:
        if file.name != NOTE and file.name.startswith("train/"):
            images[_class(file)].append(file)
    files = list(others)
    for name, those in images.items():
        if not those:
            raise _no_images(path / listing.folders.get("train", "") / name)
        held = reading.held_out(name, [file.name.removeprefix("train/") for file in those])
        for file in those:
            own = file.name.removeprefix("train/")
            files.append(replace(file, name=f"val/{own}") if own in held else file)
    classes = {"train": names, "val": names}
    folders = {"train": listing.folders["train"]} if listing.folders else {}
    return replace(listing, files=tuple(files), classes=classes, folders=folders)


def _with_labels(path: Path, listing: Listing, reading: Reading) -> Listing:
    """Sort validation images that lie in one folder into classes, by their label file."""
    loose = listing.loose.get("val", ())
    if "val" not in listing.folders or listing.classes.get("val") or not loose:
        if reading.val_labels is not None:
            raise Problem("--val-labels is for validation images that lie in one folder, val/")
        return listing
    if len(listing.classes.get("train", ())) < 2:
        return listing  # that is the first fault to name
    folder = path / listing.folders["val"]
    labels = reading.val_labels or find_label_file(path, folder)
    if labels is None:
        images = f"{len(loose):,} image{'s' * (len(loose) != 1)}"
        raise Problem(
            f"data {escaped(str(folder))} holds {images} in no class folder; give "
            f"--val-labels FILE ({FORMS}), or put one of {', '.join(KNOWN)} next to them"
        )
    names = {file.path.name: file for file in sorted(loose, key=lambda file: file.path.name)}
    found = read_label_file(labels, list(names), listing.classes.get("train", ()))
    sorted_in = [replace(names[name], name=f"val/{label}/{name}") for name, label in found.items()]
    return replace(
        listing,
        files=(*listing.files, *sorted_in),
        classes={**listing.classes, "val": tuple(sorted(set(found.values())))},
        loose={split: those for split, those in listing.loose.items() if split != "val"},
    )


def _read_note(note: File) -> Prepared:
    try:
        content = note.open(limit=MOST_NOTE_BYTES).read()
    except ValueError as fault:
        raise Problem(f"{note} cannot be read: {fault}") from None
    return Prepared.read(content, note)


def _class(file: File) -> str:
    return file.name.split("/", 2)[1]


def _no_split(root: Path, split: str, listing: Listing) -> Problem:
    """Return what is missing, with the folders that were found and what helps."""
    others = [f"{name}/" for group in NAMES[split] for name in group if name != split]
    text = (
        f"data {escaped(str(root))} has no {split}/ (nor {', '.join(others)}); it needs "
        "train/<class>/ and val/<class>/"
    )
    if split == "val" or not listing.folders:
        classes = "train/" if split == "val" else "class folders"
        text += f"; with {classes} alone, --val-fraction 0.2 holds out a fifth of each class"
    return Problem(text)


def _no_images(where: Path) -> Problem:
    return Problem(f"class folder {escaped(str(where))} has no images ({', '.join(ENDINGS)})")


def _check(root: Path, classes: Mapping[str, tuple[str, ...]], folders: Mapping[str, str]) -> None:
    """Raise Problem unless both splits have the same classes, at least two."""
    named = {split: folders.get(split, split) for split in SPLITS}
    for one, other in (SPLITS, SPLITS[::-1]):
        extra = sorted(set(classes[one]) - set(classes[other]))
        if extra:
            raise Problem(
                f"class folder {escaped(str(root / named[one] / extra[0]))} has no counterpart in "
                f"{escaped(str(root / named[other]))}; {named[other]} has: "
                f"{_shortened(classes[other])}; both need the same class folders"
            )
    if len(classes["train"]) < 2:
        where = root / folders.get("train", "")
        raise Problem(f"data {escaped(str(where))} needs at least two class folders")


def _samples(
    root: Path,
    split: str,
    classes: tuple[str, ...],
    grouped: dict[tuple[str, str], list[File]],
) -> Samples:
    samples: list[tuple[File, int]] = []
    for label, name in enumerate(classes):
        files = sorted(grouped[split, name], key=lambda file: PurePosixPath(file.name))
        if not files:
            raise _no_images(root / split / name)
        samples += [(file, label) for file in files]
    return tuple(samples)


def _shortened(names: Sequence[str]) -> str:
    more = f", … ({len(names)})" if len(names) > 10 else ""
    return ", ".join(map(escaped, names[:10])) + more or "none"
