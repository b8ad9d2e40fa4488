"""What one command is asked for, resolved and loaded once for all of the command."""

from __future__ import annotations

import argparse
import gc
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
    from experiments.data.reading import Reading
    from experiments.settings import Settings
    from experiments.weights.choice import Start
    from roadmap.record import Record, Records
    from roadmap.rows import Roadmap
    from roadmap.speed import Speeds
    from roadmap.tasks import TaskName
    from roadmap.unfinished import Unfinished
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
        if self.options.recipe is None:
            return overrides
        from roadmap.spec import to_dict
        from steps.recipes.load import load_recipe

        return {"recipe": to_dict(load_recipe(self.options.recipe)), **overrides}

    @cached_property
    def start(self) -> Start | None:
        """The weights to start from, if --weights names any."""
        options = self.options
        if options.weights is None:
            for option in ("use_ema", "if_nothing_fits"):
                if getattr(options, option):
                    raise Problem(f"--{option.replace('_', '-')} needs --weights")
            return None
        from experiments.weights.choice import Start

        scratch = options.if_nothing_fits == "scratch"
        runs = getattr(options, "runs", DEFAULT_RUNS)  # commands without runs have rows too
        return Start(options.weights, runs, options.use_ema, scratch)

    @property
    def roadmap_name(self) -> str | None:
        """The name given with --roadmap, with those of --scale and --task after it."""
        name, scale = self.options.roadmap, getattr(self.options, "scale", None)
        task = getattr(self.options, "task", None)
        if scale and name is None:
            raise Problem("--scale is for a roadmap: add --roadmap NAME")
        if scale is None and task is None:
            return name
        if name is None and self.options.study not in (None, "path"):
            raise Problem(f"--task {task} with a study needs its roadmap: add --roadmap NAME")
        from steps.roadmaps.names import full_name

        return full_name(name or "tiny", scale=scale, task=task)

    @cached_property
    def config(self) -> Config:
        """The roadmap and the study by name, with the settings for both."""
        from steps.config import Config

        return Config(
            roadmap=self.roadmap_name,
            study=self.options.study,
            steps=self.options.steps,
            overrides=self.overrides,
            start=self.start,
        )

    def check_classifies(self, what: str) -> None:
        """Raise Problem if the rows are trained for another task than classification."""
        task = self.config.roadmap.rows[-1].spec.recipe.task_name
        if task != "classification":
            raise Problem(f"{what} is for classification; these rows are for {task}")

    @cached_property
    def study(self) -> Study | None:
        """The study that is named, if one is."""
        return self.config.study

    @cached_property
    def roadmap(self) -> Roadmap:
        """The variants of the study that is named, else the roadmap."""
        made = self.config.roadmap if self.study is None else self.study.roadmap
        if made.choose is None and made.unused_choice is not None:
            say(f"choose: {made.unused_choice} has no effect in these rows; each is trained once")
        return made

    @cached_property
    def task(self) -> TaskName:
        """What the rows are trained for."""
        return self.roadmap.rows[-1].spec.recipe.task_name

    @cached_property
    def settings(self) -> Settings:
        """What all runs of this command share."""
        from experiments.settings import Settings

        return Settings.of(
            self.config,
            data=self.options.data,
            data_root=self.options.data_root,
            runs=self.options.runs,
            reading=self.reading,
        )

    @cached_property
    def reading(self) -> Reading:
        """How a folder of images is read."""
        from experiments.data.reading import Reading

        options = self.options
        if options.split_seed is not None and options.val_fraction is None:
            raise Problem("--split-seed draws what --val-fraction holds out: give both")
        return Reading(
            val_fraction=options.val_fraction,
            split_seed=options.split_seed or 0,
            val_labels=options.val_labels,
            exif=options.exif,
        )

    @cached_property
    def known(self) -> Sequence[Record]:
        """Records that this command has read or made already."""
        return ()

    @cached_property
    def loaded(self) -> Records:
        """The records below the folder of runs, and messages about files that are not readable."""
        from roadmap.record import read_records

        read = read_records(self.options.runs, self.known)
        gc.freeze()  # thousands of records stay until the end: no collection visits them again
        return read

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
    def unfinished(self) -> Sequence[Unfinished]:
        """The runs that have begun and have no record yet."""
        from roadmap.unfinished import read_unfinished

        return read_unfinished(
            self.options.runs, (record.identity.run for record in self.loaded.records)
        )

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
        name = self.options.data
        if name is None and self.reading.options:
            name = self.roadmap.data  # as in `run`
        if name is None or not Path(name).exists():
            if self.reading.options:
                raise Problem(f"{self.reading.options}: --data names the folder of images to read")
            return name
        from experiments.data.sources import read_source

        return read_source(name, None, self.reading).fingerprint

    @cached_property
    def measure(self) -> Measure:
        """The measure by which runs are compared: by default the main one of the rows' task."""
        from analysis.measures import MEASURES, find_measure

        key, task = self.options.measure, self.task
        known = key is None or (key in MEASURES and task in MEASURES[key].tasks)
        return find_measure(key, () if known else self.loaded.records, task)

    @cached_property
    def speeds(self) -> Speeds:
        """The speeds that were measured, after a message for each file that is not readable."""
        from roadmap.speed import Speeds, read_speeds

        speeds, broken = read_speeds(self.options.runs)
        for message in broken:
            say(message)
        return Speeds.of(speeds)

    def forget_records(self, known: Sequence[Record] = ()) -> None:
        """Read the folder of runs again when records are next asked for, except those `known`."""
        vars(self)["known"] = known
        for name in ("loaded", "records", "unfinished", "collected"):
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
            ask_paper=self.options.paper,
            speeds=self.speeds,
            unfinished=self.unfinished,
            records=(
                # Figures of specs alone and a command that has just trained ask for no message.
                self.records_or_say_none() if say_none else self.loaded.records
            ),
        )
