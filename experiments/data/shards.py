"""WebDataset shards (timm's `wds/NAME`): tars of images, each beside its label, opened in place.

timm reads shards in order, through a package of its own. Here their members are listed once, so
that any image can be opened like a file of a folder: streamed, held, shuffled whole. A `_info.json`
names the shards of each split, as for timm (its own sets on the Hugging Face Hub have one).
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from experiments.data.folder import File, Folder, Samples
from roadmap.errors import Problem

INFO = ("_info.json", "info.json")
SPLITS = {"train": ("train",), "val": ("validation", "val", "test")}  # by whichever name it goes
IMAGES = ("jpg", "png", "webp")  # timm's input_key, in its order
LABEL = "cls"


def read_shards(name: str, root: Path | None) -> Folder:
    """Both splits of the shards in `root`; a Problem says what is missing and what to do."""
    if root is None:
        raise Problem(f"data set {name} needs --data-root DIR, the folder with its {INFO[0]}")
    path = next((root / each for each in INFO if (root / each).is_file()), None)
    if path is None:
        raise Problem(
            f"data set {name}: {root} has no {INFO[0]}, which names the shards of each split; "
            "download it with its shards, or give a folder or a .tar with train/ and val/"
        )
    splits = _splits(path)
    samples: dict[str, Samples] = {}
    for split, names in SPLITS.items():
        found = next((each for each in names if each in splits), None)
        if found is None:
            raise Problem(f"{path} has no split {' or '.join(names)}; it has: {', '.join(splits)}")
        samples[split] = tuple(_samples(path, split, splits[found]))
        if not samples[split]:
            raise Problem(f"{path}: split {found} has no images")
    last, most = max(samples["train"], key=lambda each: each[1])
    classes = most + 1
    if classes < 2:
        raise Problem(f"data set {name} needs at least two classes; all labels are 0")
    if classes > len(samples["train"]):
        raise Problem(f"{last}: label {most}, but there are only {len(samples['train'])} images")
    for file, label in samples["val"]:
        if label >= classes:
            raise Problem(f"{file}: label {label}, but those of train are 0 to {classes - 1}")
    return Folder(root=root, classes=tuple(map(str, range(classes))), samples=samples)


def _splits(path: Path) -> dict[str, dict[str, Any]]:
    try:
        splits = json.loads(path.read_text(encoding="utf-8"))["splits"]
        for split in splits.values():
            names = split["filenames"]
            if not isinstance(names, list) or not all(isinstance(each, str) for each in names):
                raise TypeError
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        text = 'it must hold {"splits": {"train": {"filenames": ["….tar", …]}, …}}'
        raise Problem(f"{path} does not name shards: {text}") from None
    return splits


def _samples(info: Path, split: str, described: dict[str, Any]) -> Iterator[tuple[File, int]]:
    """The split's images with their labels, in the order of the shards."""
    shards = described["filenames"]
    for shard in shards:
        path = info.parent / shard
        if shards.count(shard) > 1:
            raise Problem(f"{info} names {shard} twice")
        if not path.is_file():
            raise Problem(
                f"{info} names {shard}, which is not there; download it into {path.parent}"
            )
        for key, parts in _grouped(path):
            if not {LABEL, *IMAGES} & set(parts):  # such as a README
                continue
            label = _label(path, key, parts, described.get("alt_label", ""))
            if label is None:
                continue
            image = next((parts[each] for each in IMAGES if each in parts), None)
            if image is None:
                raise Problem(f"{path}: {key} has no image ({', '.join(IMAGES)})")
            name = f"{split}/{label}/{PurePosixPath(shard).stem}/{image.name}"
            yield File(name, path, image.size, image.offset_data), label


def _grouped(shard: Path) -> Iterator[tuple[str, dict[str, tarfile.TarInfo]]]:
    """The members of a shard by sample: what stands before and behind the first dot of its name."""
    current, parts = None, {}
    for member in _members(shard):
        folder, _, name = member.name.rpartition("/")
        stem, _, ending = name.partition(".")
        key = f"{folder}/{stem}" if folder else stem
        if key != current and parts:
            yield current, parts
            parts = {}
        current = key
        if ending.lower() in parts:
            raise Problem(f"{shard}: {member.name} is in it twice")
        parts[ending.lower()] = member
    if parts:
        yield current, parts


def _members(shard: Path) -> Iterable[tarfile.TarInfo]:
    try:
        with tarfile.open(shard, "r:") as opened:
            return [each for each in opened if each.isfile() and not _is_aside(each.name)]
    except (tarfile.TarError, OSError) as error:
        raise Problem(f"shard {shard} is no plain tar ({error})") from None


def _is_aside(name: str) -> bool:
    """Notes of WebDataset's own, and files that are hidden."""
    last = name.rpartition("/")[2]
    return last.startswith(".") or (last.startswith("__") and last.endswith("__"))


def _label(
    shard: Path, key: str, parts: dict[str, tarfile.TarInfo], alternative: str
) -> int | None:
    """The label beside an image; None where an alternative one says that it has none (below 0)."""
    beside = "json" if alternative else LABEL
    if beside not in parts:
        raise Problem(f"{shard}: {key} has no label ({key}.{beside})")
    member = parts[beside]
    content = File(member.name, shard, member.size, member.offset_data).open().read()
    try:
        label = int(json.loads(content)[alternative] if alternative else content)
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        what = f"{key}.{beside}" + (f", {alternative}" if alternative else "")
        raise Problem(f"{shard}: {what} is not a whole number") from None
    if label < 0:
        if alternative:
            return None
        raise Problem(f"{shard}: {key}.{beside} is {label}; labels are 0 or more")
    return label
