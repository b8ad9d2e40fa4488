"""Experiments/settings.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from experiments.data.sources import Source, read_source
from roadmap.errors import Problem
from roadmap.rows import Roadmap
from steps.roadmaps.load import load_roadmap
from steps.studies.load import load_study


class Plain:
    """Travels to another process as its declared fields alone: what is derived is derived there.

    A spec can hold functions of a user's steps file, which no other process could import.
    """

    def __getstate__(self) -> dict[str, Any]:
        return {each.name: getattr(self, each.name) for each in fields(self)}


@dataclass(frozen=True, kw_only=True, eq=False)
class Settings(Plain):
    """What all rows of one call share: roadmap, steps file, data, overrides, folder of runs.

    With a `study` rows are its variants, on its own roadmap where `roadmap` is None.
    `data_root` is where timm keeps the data sets that it knows by name.
    """

    roadmap: str | None = "tiny"
    study: str | None = None
    steps: Path | None = None
    data: str | None = None
    data_root: Path | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)
    runs: Path = Path("runs")

    @cached_property
    def source(self) -> Source:
        """The data set, checked."""
        return read_source(self._loaded.data if self.data is None else self.data, self.data_root)

    @cached_property
    def _loaded(self) -> Roadmap:
        if self.study is None:
            return load_roadmap(self.roadmap or "tiny", steps=self.steps)
        given = {"roadmap": self.roadmap, "steps": self.steps, "overrides": self.overrides}
        return load_study(self.study, **given).roadmap

    @cached_property
    def path(self) -> Roadmap:
        """The roadmap with the overrides and the data's class count in every spec."""
        if "network.classes" in self.overrides:
            raise Problem("network.classes comes from the data; it cannot be set")
        path = self._loaded
        if self.study is None:  # a study has them already
            path = path.overridden(self.overrides)
        return path.with_classes(self.source.classes)
