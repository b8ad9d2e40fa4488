"""What a command works on: a roadmap or a study, a user's steps and settings, each loaded once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from roadmap.rows import Roadmap
from roadmap.spec import Recipe, Spec, from_dict
from steps.roadmaps.load import load_roadmap
from steps.studies.load import load_study
from steps.studies.study import Study

PLAIN = ("roadmap_name", "study_name", "steps", "overrides", "start")


class Start(Protocol):
    """Weights to start from."""

    def apply(self, roadmap: Roadmap) -> Roadmap:
        """Return the roadmap with the weights in its specs."""


class Config:
    """A roadmap and a study by name, with the settings that hold for both; loaded on first use.

    `roadmap` and `study` are names or YAML files, `steps` is a user's steps file, `overrides` are
    fields of every spec by dotted key, `start` are weights to start from. Only these travel to
    another process, which loads for itself: a spec can hold functions of a user's file, which
    cannot be pickled.
    """

    def __init__(
        self,
        *,
        roadmap: str | None = None,
        study: str | None = None,
        steps: Path | None = None,
        overrides: Mapping[str, Any] | None = None,
        start: Start | None = None,
    ) -> None:
        self.roadmap_name, self.study_name, self.steps = roadmap, study, steps
        self.start = start
        self.overrides = dict(overrides or {})
        self._roadmaps: dict[str, Roadmap] = {}
        self._studies: dict[str, Study] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {name: self.__dict__[name] for name in PLAIN} | {"_roadmaps": {}, "_studies": {}}

    @cached_property
    def roadmap(self) -> Roadmap:
        """The roadmap of that name, tiny by default, with the overrides and the weights."""
        return self._started(self.roadmap_as_read.overridden(self.overrides))

    @property
    def roadmap_as_read(self) -> Roadmap:
        """The same without the overrides."""
        return self._load_roadmap(self.roadmap_name or "tiny", self.steps)

    @property
    def study(self) -> Study | None:
        """The study of that name with the overrides; None if no study is named."""
        return None if self.study_name is None else self.load_study(self.study_name)

    def load_study(self, name: str) -> Study:
        """Return another study on the same roadmap, steps and overrides, loaded once."""
        if name not in self._studies:
            study = load_study(
                name,
                roadmap=self.roadmap_name,
                steps=self.steps,
                overrides=self.overrides,
                read_roadmap=self._load_roadmap,
            )
            self._studies[name] = replace(
                study, roadmap=self._started(study.roadmap), base=self._started(study.base)
            )
        return self._studies[name]

    def specs_as_read(self) -> list[Spec]:
        """Return the specs of the roadmap that is trained or varied, without the overrides."""
        if self.study is None:
            return [row.spec for row in self.roadmap_as_read]
        name = self.study.base.name
        loaded = [one for one in self._roadmaps.values() if one.name == name]
        return [row.spec for one in loaded for row in one]

    def _started(self, roadmap: Roadmap) -> Roadmap:
        return roadmap if self.start is None else self.start.apply(roadmap)

    def _load_roadmap(self, name: str, steps: Path | None) -> Roadmap:
        if name not in self._roadmaps:
            whole = self.overrides.get("recipe")
            recipe = None if whole is None else from_dict(Recipe, whole)
            self._roadmaps[name] = load_roadmap(name, steps=steps, recipe=recipe)
        return self._roadmaps[name]
