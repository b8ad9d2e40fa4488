"""The record of one row's speed: a JSON file of its own, made by `roadmap speed`.

It says how fast a network trains and answers on one machine, without loading images. It is apart
from the record of a run, whose images/s include whatever else the machine did.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Annotated, Any, Literal

import pydantic
from pydantic import Field

from roadmap.errors import Problem
from roadmap.files import put_text, read_text
from roadmap.record import Label, Provenance
from roadmap.spec import fingerprint, from_json
from roadmap.values import value

PREFIX = "speed-"  # of the files, in the folder of runs
MOST_BYTES = 10_000_000
Trials = Annotated[tuple[Annotated[float, Field(gt=0, lt=1e24)], ...], Field(min_length=1)]


@value(strict=False)
class Speed:
    """How fast one network is; each tuple has one number per round.

    `training` and `inference` are images/s at `batch`, `latency` is milliseconds for one image.
    The peaks are bytes of all tensors on the device: weights, images, gradients, activations.
    `load` is the number of other busy processes per core before the measurement, if known.
    """

    kind: Literal["speed"] = "speed"
    key: str
    label: Label
    image_size: int
    classes: int
    batch: int
    training: Trials
    inference: Trials
    latency: Trials
    training_bytes: int
    inference_bytes: int
    load: float | None = None
    provenance: Provenance

    @property
    def machine(self) -> tuple[object, ...]:
        """What two speeds must share to be compared."""
        made = self.provenance
        return (made.hardware, made.threads, made.precision, made.compiled, self.batch)

    @property
    def conditions(self) -> str:
        """The machine in words."""
        made = self.provenance
        compiled = ", compiled" if made.compiled else ""
        threads = f"{made.threads} thread{'s' * (made.threads != 1)}"
        return (
            f"{made.hardware}, {threads}, precision {made.precision}{compiled}, batch {self.batch}"
        )

    @property
    def file(self) -> str:
        """The name of its file: a second measurement on the same machine replaces the first."""
        row = "".join(sign if sign.isalnum() or sign in "-._" else "-" for sign in self.label.row)
        return f"{PREFIX}{row}-{fingerprint([self.key, *self.machine])}.json"


def speed_key(spec: Mapping[str, Any]) -> str:
    """Return the fingerprint of what of a spec, as plain data, decides the speed of its network."""
    recipe = spec["recipe"]
    size, optimizer = recipe.get("image_size"), recipe.get("optimizer")
    return fingerprint([spec["network"], size, optimizer, bool(recipe.get("ema"))])


@dataclass(frozen=True, kw_only=True)
class Speeds:
    """The speeds of one machine by key, and notes on those of other machines."""

    by_key: Mapping[str, Speed]
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, speeds: Iterable[Speed]) -> Speeds:
        """Take the machine on which most networks were measured; of two equals, the newer."""
        machines: dict[tuple[object, ...], list[Speed]] = {}
        for speed in speeds:
            machines.setdefault(speed.machine, []).append(speed)
        if not machines:
            return cls(by_key={})
        kept = max(machines.values(), key=lambda those: (len(those), max(map(_finished, those))))
        rounds = len(kept[0].training)
        times = f"median of {rounds} rounds" if rounds != 1 else "one round"
        notes = [f"speed: {times}, {kept[0].conditions}"]
        notes += [
            f"left out: {len(those)} speed{'s' * (len(those) != 1)} measured elsewhere "
            f"({those[0].conditions})"
            for those in machines.values()
            if those is not kept
        ]
        busy = [speed.label.row for speed in kept if (speed.load or 0) > 0.5]
        if busy:
            notes.append(f"other work shared the machine while these were timed: {', '.join(busy)}")
        return cls(by_key={speed.key: speed for speed in kept}, notes=tuple(notes))

    def training(self, spec: Mapping[str, Any]) -> float | None:
        """Return the training images/s of a spec's network, the median of its rounds, or None."""
        speed = self.by_key.get(speed_key(spec))
        return median(speed.training) if speed else None


NONE = Speeds(by_key={})


def _finished(speed: Speed) -> str:
    return speed.provenance.finished


def write_speed(speed: Speed, folder: Path) -> Path:
    """Write a speed into the folder of runs; return its file."""
    path = folder / speed.file
    text = pydantic.TypeAdapter(Speed).dump_json(speed, indent=2).decode()
    put_text(path, text + "\n")
    return path


def read_speeds(folder: Path) -> tuple[list[Speed], list[str]]:
    """Read all speeds in a folder and below it; return messages for files that are none too."""
    speeds, broken = [], []
    for path in sorted(folder.rglob(f"{PREFIX}*.json")):
        try:
            speeds.append(from_json(Speed, read_text(path, limit=MOST_BYTES)))
        except (OSError, ValueError, RecursionError) as error:
            broken.append(f"{path}: not readable as a speed: {error}")
        except Problem as problem:
            broken.append(f"{path}: not a speed: {problem}")
    return speeds, broken
