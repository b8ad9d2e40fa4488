"""The record of one finished run: a JSON file, and all that analysis sees of a run.

The identity of a run (spec, data, seed) is apart from its description (commit, hardware, times).
A run is found again by its identity, even if it was started as another row.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic
from pydantic import Field

from roadmap.errors import Problem, quoted
from roadmap.evaluation import Evaluation
from roadmap.files import put_text, read_text
from roadmap.receptive_field import ReceptiveField
from roadmap.spec import fingerprint, from_json, to_dict
from roadmap.tasks import MEASURE, TaskName, name_in
from roadmap.values import value

MOST_BYTES = 256_000_000  # of a record: a history can have a million epochs


@value(strict=False)
class Identity:
    """What tells a run from all others; fingerprints have 12 hexadecimal digits."""

    spec: str
    network: str
    recipe: str
    data: str
    seed: int

    @cached_property
    def run(self) -> str:
        """The name of the run's folder, made from the spec, the data and the seed."""
        return fingerprint([self.spec, self.data, self.seed])


@value(strict=False)
class Label:
    """The row that a run was started as: for people, not for finding the run."""

    roadmap: str
    row: str
    step: str
    title: str
    group: str


def _is_false(field: object) -> bool:
    return field is False


@value(strict=False)
class Provenance:
    """How, when and on which machine a run was made; times are UTC, ISO 8601.

    `devices` on each of `nodes` shared every optimizer step, each with `accumulate` micro-batches.
    `images` says how images were loaded. `cuda_graphs` says that a compiled network's steps were
    replayed as such; it is left out if not.
    """

    command: str
    started: str
    finished: str
    commit: str
    hardware: str
    threads: int
    workers: int | None = None
    devices: int = 1
    nodes: int = 1
    accumulate: int = 1
    precision: str = "32"
    compiled: bool = False
    cuda_graphs: Annotated[bool, Field(exclude_if=_is_false)] = False
    sync_batchnorm: bool = False
    images: str = ""
    versions: dict[str, str]


@value(strict=False)
class Asked:
    """What the command that started a run asked for.

    `data` is the text given with --data; `first_seeds` and `most_seeds` are those of --seeds and
    --max-seeds. A field is None if the option was not given. `derived` says that the record is an
    old one without these facts and that they come from its command; such facts are not written.
    """

    data: str | None = None
    until_decided: bool = False
    first_seeds: int | None = None
    most_seeds: int | None = None
    derived: bool = Field(default=False, exclude=True)

    @classmethod
    @lru_cache(maxsize=1024)
    def of_command(cls, command: str) -> Asked:
        """Derive the facts from the command line that an old record keeps."""
        words = [part for word in _split(command) for part in _option(word)]

        def after(option: str) -> str | None:
            return words[words.index(option) + 1] if option in words[:-1] else None

        def number(option: str) -> int | None:
            text = after(option) or ""
            return int(text) if text.isdecimal() and len(text) < 7 else None

        return cls(
            data=after("--data") or None,
            until_decided="--until-decided" in words,
            first_seeds=number("--seeds"),
            most_seeds=number("--max-seeds"),
            derived=True,
        )


@value(strict=False)
class StartWeights:
    """The weights that a run started from, instead of random ones.

    `source` names a file, a run or a tag; `fingerprint` is a hash of the content. `layout` says
    whose names the weights have, `taken` which of a file's weights were taken. `share` is the
    percentage of the network's parameters that were loaded; `new` are the others, and `unused`
    the weights that fit nothing.
    """

    source: str
    fingerprint: str
    layout: str
    taken: str = ""
    share: float
    new: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()


def _is_none(field: object) -> bool:
    return field is None


def _is_empty(field: dict[str, Evaluation]) -> bool:
    return not field


def _not_stored(asked: Asked | None) -> bool:
    return asked is None or asked.derived


def _split(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:  # a quote without its partner
        return command.split()


def _option(word: str) -> tuple[str, ...]:
    """Split `--data=DIR` into its two words."""
    name, equals, text = word.partition("=")
    return (name, text) if equals and name.startswith("--") else (word,)


@value(strict=False)
class Record:
    """One run. Accuracies are percentages of the last epoch, never of the best.

    `top1`, `top5` and `loss` are on the validation images. A run of another task than
    classification has no top1, top5 and correct: `metrics` and `evaluations` have its numbers.
    `images_per_second` counts training images, with augmentation and without validation. `correct`
    has one bit per validation image, 1 if the network was right: eight bits a byte, highest first,
    in base64. `metrics` holds any other numbers that were measured; `evaluations` describes those
    by `roadmap evaluate`, with the result of each image. `history` has one entry per epoch. A
    diverged run has no accuracy and no loss. `receptive_field` is that of the validated weights; it
    is None in older records and for timm's models. `asked` holds what the command of the run asked
    for. `weights` are those that the run started from; None stands for random ones.
    """

    identity: Identity
    label: Label
    status: Literal["finished", "diverged"]
    top1: float | None
    top5: float | None
    loss: float | None
    correct: str = ""
    metrics: dict[str, float] = Field(default_factory=dict)
    evaluations: Annotated[dict[str, Evaluation], Field(exclude_if=_is_empty)] = Field(
        default_factory=dict
    )
    receptive_field: Annotated[ReceptiveField | None, Field(exclude_if=_is_none)] = None
    macs: int
    params: int
    activations: int
    images_per_second: float
    wall_seconds: float
    data: dict[str, Any]
    spec: dict[str, Any]
    history: list[dict[str, float]]
    provenance: Provenance
    asked: Annotated[Asked | None, Field(exclude_if=_not_stored)] = None
    weights: Annotated[StartWeights | None, Field(exclude_if=_is_none)] = None

    @cached_property
    def task(self) -> TaskName:
        """The name of the task that the run was trained for."""
        return name_in(self.spec["recipe"])

    @cached_property
    def main(self) -> float | None:
        """The number by which runs of this task are compared; None if the run has none."""
        key = MEASURE[self.task]
        return self.top1 if key == "top1" else self.metrics.get(key)

    @cached_property
    def fingerprint(self) -> str:
        """12 hexadecimal digits that differ if any digit of the record differs."""
        return fingerprint(to_dict(self))


@dataclass(frozen=True)
class Records:
    """The records below a folder, and one message per file that could not be read."""

    records: tuple[Record, ...]
    broken: tuple[str, ...]


def write_record(record: Record, path: Path) -> None:
    """Write a record so that the file is whole or absent.

    Fields that an old record did not have are left out: an old record written again stays the same.
    """
    text = pydantic.TypeAdapter(Record).dump_json(record, indent=2).decode()
    put_text(path, text + "\n")


def read_record(path: Path) -> Record:
    """Read one record; a Problem names a file that is broken or not a record."""
    try:
        record = from_json(Record, read_text(path, limit=MOST_BYTES))
        _check(record)
        if record.asked is None:
            asked = Asked.of_command(record.provenance.command)
            record = dataclasses.replace(record, asked=asked)
        return record
    except (OSError, ValueError, RecursionError) as error:
        raise Problem(f"{path}: not readable as a record: {error}") from None
    except Problem as problem:
        raise Problem(f"{path}: not a record: {problem}") from None


def _check(record: Record) -> None:
    """Raise Problem if the open parts lack what analysis reads."""
    network, recipe = record.spec.get("network"), record.spec.get("recipe")
    if not isinstance(network, dict) or not isinstance(recipe, dict):
        raise Problem("spec must have a network and a recipe")
    classes = network.get("classes", 1000)
    if type(classes) is not int or not 1 <= classes <= 10**9:
        raise Problem(f"spec.network.classes is {quoted(classes)}")
    try:
        task = name_in(recipe)
    except ValueError as error:
        raise Problem(f"spec.recipe.{error}") from None
    if record.status == "finished" and record.main is None:
        where = "" if task == "classification" else "metrics."
        raise Problem(f"a finished run must have {where}{MEASURE[task]}")
    if record.top1 is not None and not 0 <= record.top1 <= 100:
        raise Problem(f"top1 {record.top1:g} must be 0 to 100")
    if not isinstance(epochs := recipe.get("epochs"), int) or not 1 <= epochs <= 10**6:
        raise Problem(f"spec.recipe.epochs is {quoted(epochs)}")
    skipped = record.data.get("skipped", 0)
    if type(skipped) is not int or skipped < 0:
        raise Problem(f"data.skipped must be a whole number of 0 or more, got {quoted(skipped)}")
    for name in record.evaluations:
        if name not in record.metrics:
            raise Problem(f"evaluations has {quoted(name)}, which metrics lacks")
    for key in ("macs", "params", "activations", "images_per_second", "wall_seconds"):
        if not 0 <= getattr(record, key) < 1e24:
            raise Problem(f"{key} is {getattr(record, key)}, not a number of 0 to 1e24")
    for key in ("classes", "train", "val"):
        if not isinstance(count := record.data.get(key), int) or count < 1:
            raise Problem(f"data.{key} must be a whole number of 1 or more, got {quoted(count)}")
    try:
        there = len(base64.b64decode(record.correct, validate=True))
    except ValueError:
        raise Problem("correct must be base64") from None
    if there and there != -(-record.data["val"] // 8):
        raise Problem(f"correct has {there} bytes for {record.data['val']} images")


def read_records(folder: Path, known: Iterable[Record] = ()) -> Records:
    """Read every record in a folder and below it, one per identity, in the order of their paths.

    JSON files of other programs, without any part of a record, are ignored. Those of runs whose
    records are `known` are not read again.
    """
    run_folders = {record.identity.run: record for record in known}
    records: dict[str, Record] = {}
    broken: list[str] = []
    for path in sorted(folder.rglob("*.json")):
        if ".aside-" in path.parent.name:  # moved aside when the run was restarted
            continue
        try:
            in_run = path.name == "record.json" and path.parent.parent == folder
            record = (in_run and run_folders.get(path.parent.name)) or read_record(path)
        except Problem as problem:
            if not _is_foreign(path):
                broken.append(str(problem))
            continue
        records.setdefault(record.identity.run, record)
    return Records(tuple(records.values()), tuple(broken))


def _is_foreign(path: Path) -> bool:
    """Return whether a file is JSON of another program."""
    try:
        data = json.loads(read_text(path, limit=MOST_BYTES))
    except (OSError, ValueError, RecursionError):
        return False
    return not isinstance(data, dict) or not {"identity", "spec"} & set(data)
