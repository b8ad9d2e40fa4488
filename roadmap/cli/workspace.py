"""What one command is asked for, resolved and loaded once for all of the command."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from roadmap.cli.console import say
from roadmap.errors import Problem

if TYPE_CHECKING:
    from analysis.measures import Measure
    from analysis.subject import Subject
    from experiments.settings import Settings
    from roadmap.record import Record, Records
    from roadmap.rows import Roadmap
    from steps.config import Config
    from steps.studies.study import Study

DEFAULT_RUNS = Path("runs")
MOST_RUNS = 100_000  # of one command


def check_count(rows: int, seeds: int) -> None:
    """Raise Problem if so many rows and seeds are more runs than one command may have."""
    if rows * seeds > MOST_RUNS:
        raise Problem(f"{rows:,} rows × {seeds:,} seeds are more than {MOST_RUNS:,} runs")


@dataclass(frozen=True)
class Workspace:
    """The values that the options of one command name. Each is loaded on first use, once."""

    options: argparse.Namespace
    arguments: Sequence[str] = ()  # the command line after `roadmap`, as it was typed

    def replaced(self, **options: object) -> Workspace:
        """Return a workspace with other options."""
        changed = argparse.Namespace(**{**vars(self.options), **options})
        return Workspace(changed, self.arguments)

    @cached_property
    def overrides(self) -> dict[str, Any]:
        """The fields given with --set, by dotted key."""
        from roadmap.strict_yaml import scalar

        overrides = {}
        for setting in self.options.overrides:
            key, equals, text = setting.partition("=")
            if not equals or not key:
                raise Problem(f"--set {setting!r} must be KEY=VALUE, as in recipe.epochs=3")
            if key in overrides:
                raise Problem(f"--set {key} is given twice")
            overrides[key] = scalar(text)
        return overrides

    @cached_property
    def config(self) -> Config:
        """The roadmap and the study by name, with the settings for both."""
        from steps.config import Config

        return Config(
            roadmap=self.options.roadmap,
            study=self.options.study,
            steps=self.options.steps,
            overrides=self.overrides,
        )

    @cached_property
    def study(self) -> Study | None:
        """The study that is named, if one is."""
        return self.config.study

    @cached_property
    def roadmap(self) -> Roadmap:
        """The variants of the study that is named, else the roadmap."""
        return self.config.roadmap if self.study is None else self.study.roadmap

    @cached_property
    def settings(self) -> Settings:
        """What all runs of this command share."""
        from experiments.settings import Settings

        return Settings.of(
            self.config,
            data=self.options.data,
            data_root=self.options.data_root,
            runs=self.options.runs,
        )

    @cached_property
    def known(self) -> Sequence[Record]:
        """Records that this command has read or made already."""
        return ()

    @cached_property
    def loaded(self) -> Records:
        """The records below the folder of runs, and messages about files that are not readable."""
        from roadmap.record import read_records

        return read_records(self.options.runs, self.known)

    @cached_property
    def records(self) -> Sequence[Record]:
        """The records, after a message for each file that is not readable."""
        if self.options.runs != DEFAULT_RUNS and not self.options.runs.is_dir():
            raise Problem(
                f"folder of runs {self.options.runs} does not exist; `roadmap run` makes it"
            )
        for message in self.loaded.broken:
            say(message)
        return self.loaded.records

    @cached_property
    def collected(self) -> list[Record]:
        """The records that were collected: they have no run folder, so no run can resume."""
        runs = self.options.runs
        return [
            record for record in self.loaded.records if not (runs / record.identity.run).is_dir()
        ]

    @cached_property
    def data(self) -> str | None:
        """The data set asked for: a name in the records, or the fingerprint of files."""
        if self.options.data is None or not Path(self.options.data).exists():
            return self.options.data
        from experiments.data.sources import read_source

        return read_source(self.options.data).fingerprint

    @cached_property
    def measure(self) -> Measure:
        """The measure by which runs are compared."""
        from analysis.measures import MEASURES, find_measure

        key = self.options.measure
        return find_measure(key, () if key in MEASURES else self.loaded.records)

    def forget_records(self, known: Sequence[Record] = ()) -> None:
        """Read the folder of runs again when records are next asked for, except those `known`."""
        vars(self)["known"] = known
        for name in ("loaded", "records", "collected"):
            vars(self).pop(name, None)

    def records_or_say_none(self) -> Sequence[Record]:
        """Return the records, after a message if there are none."""
        if not self.records:
            say(f"no finished runs in {self.options.runs}/ yet; train some with `roadmap run`")
        return self.records

    def subject(self, *, data: str | None = None, say_none: bool = True) -> Subject:
        """Return what figures and the report show: a roadmap or study with its runs on `data`.

        If no study is named, it shows the effects of the roadmap's own path.
        """
        from analysis.subject import Subject

        return Subject(
            roadmap=self.roadmap,
            study=self.study or self.config.load_study("path"),
            measure=self.measure,
            data=data or self.data,
            row=self.options.row,
            given_images=self.options.given_images,
            records=self.records_or_say_none() if say_none else self.records,
        )
