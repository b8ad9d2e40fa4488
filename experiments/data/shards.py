"""WebDataset shards (timm's `wds/NAME`): tars that hold images next to their labels.

timm reads shards in order, through a package of its own. Here their members are listed once. Any
image can then be opened in place, like a file of a folder. A `_info.json` names the shards of each
split, as for timm; timm's own data sets on the Hugging Face Hub have one.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from experiments.data.archive import read_members
from experiments.data.files import File, Files, Samples
from roadmap.errors import Problem, escaped
from roadmap.files import read_text

INFO = ("_info.json", "info.json")
SPLITS = {"train": ("train",), "val": ("validation", "val", "test")}  # the first name that exists
IMAGES = ("jpg", "png", "webp")  # timm's input_key, in its order
LABEL = "cls"
MOST_INFO_BYTES = 64_000_000
MOST_LABEL_BYTES = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Shards(Files):
    """The images in shards, in the order of the shards; classes have no names, only numbers."""

    choice = "wds/… with --data-root (shards)"

    @classmethod
    def takes(cls, name: str) -> bool:
        """Return whether the name starts with `wds/`."""
        return name.lower().startswith("wds/")

    @classmethod
    def read(cls, name: str, root: Path | None) -> Shards:
        """List both splits of the shards in `root`; raises Problem that says what to do."""
        if root is None:
            raise Problem(f"data set {name} needs --data-root DIR, the folder with its {INFO[0]}")
        path = next((root / file for file in INFO if (root / file).is_file()), None)
        if path is None:
            raise Problem(
                f"data set {name}: {root} has no {INFO[0]}, which names the shards of each split; "
                "download it with its shards, or give a folder or a .tar with train/ and val/"
            )
        splits = _splits(path)
        samples: dict[str, Samples] = {}
        for split, names in SPLITS.items():
            own = next((own for own in names if own in splits), None)
            if own is None:
                has = escaped(", ".join(splits))
                raise Problem(f"{path} has no split {' or '.join(names)}; it has: {has}")
            samples[split] = tuple(_samples(path, split, splits[own]))
            if not samples[split]:
                raise Problem(f"{path}: split {own} has no images")
        classes = _count_classes(name, samples)
        return cls(name=name, class_names=tuple(map(str, range(classes))), samples=samples)


def _count_classes(name: str, samples: dict[str, Samples]) -> int:
    """Return the number of classes; raises Problem if labels of the two splits do not fit."""
    file, most = max(samples["train"], key=lambda sample: sample[1])
    classes = most + 1
    if classes < 2:
        raise Problem(f"data set {name} needs at least two classes; all labels are 0")
    if classes > len(samples["train"]):
        raise Problem(f"{file}: label {most}, but there are only {len(samples['train'])} images")
    for file, label in samples["val"]:
        if label >= classes:
            raise Problem(f"{file}: label {label}, but those of train are 0 to {classes - 1}")
    return classes


def _splits(path: Path) -> dict[str, dict[str, Any]]:
    try:
        content = read_text(path, limit=MOST_INFO_BYTES)
    except (OSError, ValueError) as fault:
        raise Problem(f"{path} cannot be read: {escaped(str(fault))}") from None
    try:
        splits = json.loads(content)["splits"]
        for split in splits.values():
            names = split["filenames"]
            if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
                raise TypeError
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        text = 'it must hold {"splits": {"train": {"filenames": ["….tar", …]}, …}}'
        raise Problem(f"{path} does not name shards: {text}") from None
    return splits


def _samples(info: Path, split: str, described: dict[str, Any]) -> Iterator[tuple[File, int]]:
    """Yield the split's images with their labels, in the order of the shards."""
    shards = described["filenames"]
    for shard in shards:
        path = info.parent / shard
        if shards.count(shard) > 1:
            raise Problem(f"{info} names {escaped(shard)} twice")
        if not path.is_file():
            raise Problem(
                f"{info} names {escaped(shard)}, which is not there; download it into {path.parent}"
            )
        for key, parts in _grouped(path):
            if not {LABEL, *IMAGES} & set(parts):  # no sample, for example a README
                continue
            where = escaped(f"{path}: {key}")
            label = _label(path, where, parts, described.get("alt_label", ""))
            if label is None:
                continue
            image = next((parts[ending] for ending in IMAGES if ending in parts), None)
            if image is None:
                raise Problem(f"{where} has no image ({', '.join(IMAGES)})")
            name = f"{split}/{label}/{PurePosixPath(shard).stem}/{image.name}"
            yield File(name, path, image.size, image.offset_data), label


def _grouped(shard: Path) -> Iterator[tuple[str, dict[str, tarfile.TarInfo]]]:
    """Yield the members of each sample by ending; the first dot of a name separates the two."""
    current: str | None = None
    parts: dict[str, tarfile.TarInfo] = {}
    for member in read_members(shard, "shard"):
        if not member.isfile() or _is_aside(member.name):
            continue
        folder, _, name = member.name.rpartition("/")
        stem, _, ending = name.partition(".")
        key = f"{folder}/{stem}" if folder else stem
        if current is not None and key != current and parts:
            yield current, parts
            parts = {}
        current = key
        if ending.lower() in parts:
            raise Problem(escaped(f"{shard}: {member.name} is in it twice"))
        parts[ending.lower()] = member
    if current is not None and parts:
        yield current, parts


def _is_aside(name: str) -> bool:
    """Return whether a member is hidden or a note of WebDataset's own."""
    last = name.rpartition("/")[2]
    return last.startswith(".") or (last.startswith("__") and last.endswith("__"))


def _label(
    shard: Path, where: str, parts: dict[str, tarfile.TarInfo], alternative: str
) -> int | None:
    """Return an image's label; None if the alternative label says that there is none (below 0).

    `where` names the sample in messages.
    """
    ending = "json" if alternative else LABEL
    if ending not in parts:
        key = where.rpartition(": ")[2]
        raise Problem(f"{where} has no label ({key}.{ending})")
    member = parts[ending]
    file = File(member.name, shard, member.size, member.offset_data)
    try:
        content = file.open(limit=MOST_LABEL_BYTES).read()
    except ValueError as fault:
        raise Problem(f"{where}.{ending} cannot be read: {fault}") from None
    try:
        label = int(json.loads(content)[alternative] if alternative else content)
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        what = f"{where}.{ending}" + (f", {escaped(str(alternative))}" if alternative else "")
        raise Problem(f"{what} is not a whole number") from None
    if label >= 0:
        return label
    if alternative:
        return None
    raise Problem(f"{where}.{ending} is {label}; labels are 0 or more")
