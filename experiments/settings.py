"""What all runs of one command share: the roadmap, the data, the settings, the folder of runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.data.reading import PLAIN, Reading
from experiments.data.source import Source
from experiments.data.sources import read_source
from experiments.weights.choice import Start
from roadmap.errors import Problem
from roadmap.rows import Roadmap
from roadmap.tasks import TaskName
from steps.config import Config

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


class Plain:
    """A dataclass that travels to another process as its declared fields alone.

    The other process derives the rest itself. A spec can hold functions of a user's steps file,
    which cannot be pickled.
    """

    def __getstate__(self: DataclassInstance) -> dict[str, Any]:
        return {declared.name: getattr(self, declared.name) for declared in fields(self)}


@dataclass(frozen=True, kw_only=True, eq=False)
class Settings(Plain):
    """Names of what all runs share; `config`, `source` and `path` are loaded on first use.

    With a `study` the rows are its variants, on the study's own roadmap if `roadmap` is None.
    `data_root` is the folder in which timm keeps the data sets that it knows by name. `start` are
    the weights to start from; without it they are random. `reading` says how a folder of images is
    read.
    """

    roadmap: str | None = "tiny"
    study: str | None = None
    steps: Path | None = None
    data: str | None = None
    data_root: Path | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)
    runs: Path = Path("runs")
    start: Start | None = None
    reading: Reading = PLAIN

    @classmethod
    def of(
        cls,
        config: Config,
        *,
        data: str | None,
        data_root: Path | None,
        runs: Path,
        reading: Reading = PLAIN,
    ) -> Settings:
        """Return settings on a config that may be loaded already."""
        settings = cls(
            roadmap=config.roadmap_name,
            study=config.study_name,
            steps=config.steps,
            overrides=config.overrides,
            data=data,
            data_root=data_root,
            runs=runs,
            start=config.start if isinstance(config.start, Start) else None,
            reading=reading,
        )
        vars(settings)["config"] = config
        return settings

    @cached_property
    def config(self) -> Config:
        """The roadmap or study that the rows are of."""
        return Config(
            roadmap=self.roadmap,
            study=self.study,
            steps=self.steps,
            overrides=self.overrides,
            start=self.start,
        )

    @cached_property
    def source(self) -> Source:
        """The data set, checked: the one that is named, else the roadmap's own."""
        if self.data is not None:
            return read_source(self.data, self.data_root, self.reading)
        study = self.config.study
        rows = self.config.roadmap_as_read if study is None else study.roadmap
        return read_source(rows.data, self.data_root, self.reading)

    @cached_property
    def path(self) -> Roadmap:
        """The roadmap with the overrides and the class count of data and task in every spec."""
        if "network.classes" in self.overrides:
            raise Problem("network.classes comes from the data; it cannot be set")
        study = self.config.study
        rows = self.config.roadmap if study is None else study.roadmap
        return rows.with_classes(self.source.classes_for(_task_of(rows)))


def _task_of(roadmap: Roadmap) -> TaskName:
    """Return the task of all rows; raises Problem if they differ."""
    rows: dict[TaskName, str] = {}
    for row in roadmap:
        rows.setdefault(row.spec.recipe.task_name, row.number)
    if len(rows) > 1:
        each = ", ".join(f"row {number} is for {task}" for task, number in rows.items())
        raise Problem(f"all rows of a roadmap need the same task; in {roadmap.name} {each}")
    return next(iter(rows))
