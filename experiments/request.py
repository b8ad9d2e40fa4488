"""What is asked for: one row, one seed, one data set, by name; and the run that this means.

A request is plain data that another process, or another machine, can be handed. No torch here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path

from filelock import FileLock, Timeout

from experiments.host.machine import Machine
from experiments.loading.samplers import Share, check_batch
from experiments.settings import Plain, Settings
from roadmap.edit import replace
from roadmap.errors import Problem
from roadmap.record import Identity, Label, Record, read_record
from roadmap.spec import Reference, Spec, fingerprint


@dataclass(frozen=True, kw_only=True, eq=False)
class Request(Plain):
    """One run of one row; `row` may be `timm:NAME`, a timm model under the last row's recipe."""

    settings: Settings
    row: str
    seed: int

    @cached_property
    def spec(self) -> Spec:
        """The spec to train."""
        if not self.row.startswith("timm:"):
            return self.settings.path[self.row].spec
        last = self.settings.path.rows[-1].spec
        network = Reference(
            timm=self.row.removeprefix("timm:"),
            classes=last.network.classes,
            drop_path=last.network.drop_path,
        )
        return replace(last, network=network)

    @cached_property
    def label(self) -> Label:
        """The row in words."""
        path = self.settings.path
        if self.row.startswith("timm:"):
            name = self.row.removeprefix("timm:")
            return Label(
                roadmap=path.name, row=self.row, step="reference", title=name, group="reference"
            )
        row = path[self.row]
        return Label(
            roadmap=path.name, row=row.number, step=row.step, title=row.title, group=row.group
        )

    @cached_property
    def identity(self) -> Identity:
        """What makes this run this run."""
        return Identity(
            spec=self.spec.fingerprint,
            network=fingerprint(self.spec.network),
            recipe=fingerprint(self.spec.recipe),
            data=self.settings.source.fingerprint,
            seed=self.seed,
        )

    @property
    def name(self) -> str:
        """The run in a line: `05 width seed 0`."""
        shown = self.label.title if self.row.startswith("timm:") else self.label.step
        number = "timm" if self.row.startswith("timm:") else self.label.row
        return f"{number} {shown} seed {self.seed}"

    @property
    def folder(self) -> Path:
        """Where the run lives."""
        return self.settings.runs / self.identity.run

    def check(self, machine: Machine) -> None:
        """Raise Problem for what can be seen to be wrong before anything is opened or built."""
        share = Share(world=machine.world, accumulate=machine.accumulate)
        check_batch(self.spec.recipe.batch, self.settings.source.images, share)
        runs = self.settings.runs
        for each in (runs, *runs.parents):
            if each.exists() and not each.is_dir():
                raise Problem(f"folder of runs {runs}: {each} is a file")

    def finished(self) -> Record | None:
        """The run's record, if there is one."""
        path = self.folder / "record.json"
        if not path.exists():
            return None
        found = read_record(path)
        if found.identity != self.identity:
            raise Problem(f"{path} is of another run: {found.label.row} seed {found.identity.seed}")
        return found

    def check_free(self) -> None:
        """Raise Problem where the run is being trained."""
        if self.folder.exists():
            with self._held():
                pass

    def set_aside(self) -> None:
        """Move what there is of the run beside it; a Problem where it is being trained."""
        if self.folder.exists():
            number = next(n for n in count(1) if not self._aside(n).exists())
            with self._held():
                self.folder.rename(self._aside(number))

    @contextmanager
    def _held(self) -> Iterator[None]:
        try:
            with FileLock(self.folder / "lock", timeout=0):
                yield
        except Timeout:
            raise Problem(f"{self.name} is being trained; it cannot be begun anew") from None

    def _aside(self, number: int) -> Path:
        return self.folder.with_name(f"{self.folder.name}.aside-{number}")
