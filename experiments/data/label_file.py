"""The classes of validation images that lie in one folder, as in ImageNet's own archive."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from roadmap.errors import Problem, escaped
from roadmap.files import read_text

# Looked for next to the images and in the folder above, if --val-labels names none.
KNOWN = (
    "LOC_val_solution.csv",
    "val.txt",
    "val_labels.txt",
    "imagenet_2012_validation_synset_labels.txt",
    "ILSVRC2012_validation_ground_truth.txt",
)
MOST_BYTES = 64_000_000
FORMS = "IMAGE CLASS per line (or with a comma), or one CLASS per line in the order of the images"


def find_label_file(root: Path, folder: Path) -> Path | None:
    """Return the first label file of a known name in `folder` or in `root`."""
    places = (place / name for place in (folder, root) for name in KNOWN)
    return next((path for path in places if path.is_file()), None)


def read_label_file(path: Path, images: Sequence[str], classes: Sequence[str]) -> dict[str, str]:
    """Return the class of each image by its file name. Raises Problem with the file and the line.

    A class is the name of a class folder of training images, or its number, from 0 in the order of
    their names.
    """
    try:
        lines = read_text(path, limit=MOST_BYTES).splitlines()
    except (OSError, ValueError) as fault:
        raise Problem(f"{escaped(str(path))} cannot be read: {escaped(str(fault))}") from None
    rows = [
        (number, re.split(r"[\s,]+", line.strip()))
        for number, line in enumerate(lines, 1)
        if line.strip() and not line.startswith("ImageId")
    ]
    if any(len(words) < 2 for _, words in rows):
        rows = _in_order(path, rows, images, classes)
    known, found = set(classes), dict[str, str]()
    by_stem = {PurePosixPath(name).stem: name for name in images}
    there = set(images)
    for number, (name, label, *_more) in rows:
        image = name if name in there else by_stem.get(name)
        if label not in known and label.isdecimal() and int(label) < len(classes):
            label = classes[int(label)]
        if label not in known:
            raise Problem(
                f"{escaped(str(path))}:{number}: {escaped(label)} is no class folder of the "
                f"training images and no number of 0 to {len(classes) - 1}"
            )
        if image is not None:
            found[image] = label
    missing = [name for name in images if name not in found]
    if missing:
        raise Problem(f"{escaped(str(path))} has no line for {escaped(missing[0])}; forms: {FORMS}")
    return found


def _in_order(
    path: Path,
    rows: Sequence[tuple[int, list[str]]],
    images: Sequence[str],
    classes: Sequence[str],
) -> list[tuple[int, list[str]]]:
    """Return the rows of a file that holds classes alone, each with its image."""
    where = escaped(str(path))
    if len(rows) != len(images):
        raise Problem(f"{where} has {len(rows)} lines for {len(images)} images; forms: {FORMS}")
    labels = [words[0] for _, words in rows]
    known = set(classes)
    numbers = [int(label) for label in labels if label not in known and label.isdecimal()]
    if numbers and max(numbers) == len(classes):
        raise Problem(
            f"{where} counts classes from 1, in an order of its own (ImageNet's devkit does); give "
            "a file with names of class folders, such as LOC_val_solution.csv"
        )
    pairs = zip(rows, images, labels, strict=True)
    return [(number, [image, label]) for (number, _), image, label in pairs]
