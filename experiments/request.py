"""What is asked for: one row, one seed, one data set, by name; and the run that this means.

A request is plain data that another process or another machine can be given. No torch here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path

from filelock import Timeout

from experiments.host.lock import lock_of
from experiments.host.machine import Machine
from experiments.loading.samplers import Share, check_batch
from experiments.settings import Plain, Settings
from experiments.tasks.packages import check_packages
from experiments.weights.fitting import check_frozen
from roadmap.edit import replace
from roadmap.errors import Problem
from roadmap.record import Identity, Label, Record, read_record
from roadmap.spec import Network, Reference, Spec


@dataclass(frozen=True, kw_only=True, eq=False)
class Request(Plain):
    """One run of one row; `row` may be `timm:NAME`, a timm model with the last row's recipe."""

    settings: Settings
    row: str
    seed: int

    @property
    def _model(self) -> str | None:
        """The name of the timm model, if it is one."""
        return self.row.removeprefix("timm:") if self.row.startswith("timm:") else None

    @cached_property
    def spec(self) -> Spec:
        """The spec to train."""
        if self._model is None:
            return self.settings.path[self.row].spec
        last = self.settings.path.rows[-1].spec
        network = Reference(
            timm=self._model, classes=last.network.classes, drop_path=last.network.drop_path
        )
        start = self.settings.start
        spec = replace(last, network=network, weights=None)
        return spec if start is None else start.started(spec)

    @cached_property
    def label(self) -> Label:
        """The names of the row."""
        path = self.settings.path
        if self._model is not None:
            names = {"row": self.row, "step": "reference", "title": self._model}
            return Label(roadmap=path.name, group="reference", **names)
        row = path[self.row]
        return Label(
            roadmap=path.name, row=row.number, step=row.step, title=row.title, group=row.group
        )

    @cached_property
    def identity(self) -> Identity:
        """The fingerprints and the seed, which tell this run from every other."""
        return Identity(
            spec=self.spec.fingerprint,
            network=self.spec.network_fingerprint,
            recipe=self.spec.recipe_fingerprint,
            data=self.settings.source.fingerprint,
            seed=self.seed,
        )

    @property
    def name(self) -> str:
        """The run in one line: `05 width seed 0`."""
        if self._model is not None:
            return f"timm {self._model} seed {self.seed}"
        return f"{self.label.row} {self.label.step} seed {self.seed}"

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return self.settings.runs / self.identity.run

    def check(self, machine: Machine) -> None:
        """Raise Problem for errors that can be seen before anything is opened or built."""
        self._check_tag()
        try:
            self.settings.source.check_task(self.spec.recipe.task)
        except Problem as problem:
            raise Problem(f"recipe of row {self.label.row} {problem}") from None
        check_packages(self.spec.recipe.task_name)
        if isinstance(self.spec.network, Network):
            check_frozen(self.spec.network, self.spec.recipe.freeze)
        share = Share(world=machine.world, accumulate=machine.accumulate)
        recipe = self.spec.recipe
        if machine.compile is True and recipe.task is not None:
            raise Problem("--compile is for classification: other networks see images of any size")
        groups = 2 if recipe.mixup_per == "step" else recipe.mixup_per
        check_batch(recipe.batch, self.settings.source.images, share, groups)
        if machine.decode == "gpu":
            self.settings.source.check_jpeg()
        runs = self.settings.runs
        for folder in (runs, *runs.parents):
            if folder.is_symlink() and not folder.exists():
                raise Problem(f"folder of runs {runs}: {folder} is a link to nothing")
            if folder.exists() and not folder.is_dir():
                raise Problem(f"folder of runs {runs}: {folder} is a file")
        paths = (runs.absolute(), *runs.absolute().parents)
        there = next(path for path in paths if path.exists())
        done = (self.folder / "record.json").exists()
        if not done and not os.access(there, os.W_OK | os.X_OK):
            raise Problem(f"folder of runs {runs}: {there} cannot be written")

    def _check_tag(self) -> None:
        """Raise Problem for a pretrained tag of timm's if the weights would be random."""
        model, dot, _ = (self._model or "").partition(".")
        if dot and self.spec.weights is None:
            raise Problem(
                f"{self.row} names pretrained weights, but training would start from random ones; "
                f"train timm:{model}, or add --weights {self.row}"
            )

    def finished(self) -> Record | None:
        """Return the run's record, if there is one."""
        path = self.folder / "record.json"
        if not path.exists():
            return None
        record = read_record(path)
        if record.identity != self.identity:
            other = f"{record.label.row} seed {record.identity.seed}"
            raise Problem(f"{path} is of another run: {other}")
        return record

    def check_free(self) -> None:
        """Raise Problem if the run is in progress."""
        if self.folder.exists():
            with self._held():
                pass

    def set_aside(self) -> None:
        """Rename the run folder to `<run>.aside-N`. Raises Problem if the run is in progress."""
        if self.folder.exists():
            number = next(n for n in count(1) if not self._aside(n).exists())
            with self._held():
                self.folder.rename(self._aside(number))

    @contextmanager
    def _held(self) -> Iterator[None]:
        try:
            with lock_of(self.folder).acquire(timeout=0):
                yield
        except Timeout:
            raise Problem(f"{self.name} is being trained; it cannot be started over") from None

    def _aside(self, number: int) -> Path:
        return self.folder.with_name(f"{self.folder.name}.aside-{number}")
