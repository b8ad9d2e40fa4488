"""What one command shows: a roadmap or study with its runs, selected once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from analysis.comparable import stands_beside_paper
from analysis.measures import TOP1, Measure
from analysis.selection import Selection, select, source_of
from analysis.tables.table import Table, tabulate
from analysis.verdicts.study import judge_study
from analysis.verdicts.verdict import Judged
from roadmap.record import Record
from roadmap.rows import Roadmap
from roadmap.spec import fingerprint
from roadmap.speed import NONE, Speeds
from roadmap.unfinished import Unfinished
from steps.roadmaps.load import load_roadmap
from steps.studies.load import load_study
from steps.studies.study import Study


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A roadmap, or the variants of a study as one, with its records and measure.

    `study` is the one whose effects are shown, by default the roadmap's own path. `data` is a data
    set's name or fingerprint. With `row`, the figure of blocks shows that row only. Verdicts hold
    for other validation images too, unless they are `given_images`. `ask_paper` shows the paper's
    numbers whatever the data are. `speeds` were measured by `roadmap speed`. `unfinished` runs have
    no record yet: tables and curves show them, marked, and nothing counts them.
    """

    roadmap: Roadmap
    study: Study
    records: Sequence[Record]
    data: str | None = None
    measure: Measure = TOP1
    row: str | None = None
    given_images: bool = False
    ask_paper: bool = False
    speeds: Speeds = NONE
    unfinished: Sequence[Unfinished] = ()

    def of_study(self, study: Study) -> Subject:
        """Return the subject of another study on the same records, data and measure."""
        return replace(self, roadmap=study.roadmap, study=study, row=None)

    @cached_property
    def path(self) -> Subject:
        """The subject of the path through the roadmap that the study varies."""
        return self.of_study(self.study.path)

    @cached_property
    def selection(self) -> Selection:
        """The runs of each row."""
        return select(self.roadmap, self.records, self.data, unfinished=self.unfinished)

    @cached_property
    def table(self) -> Table:
        """The table of the roadmap's runs."""
        return tabulate(
            self.roadmap,
            self.selection,
            measure=self.measure,
            paper=self.ask_paper,
            speeds=self.speeds,
        )

    @cached_property
    def judged(self) -> Judged:
        """The study's verdicts."""
        same = self.study.roadmap is self.roadmap
        runs = self.selection if same else self.records
        return judge_study(
            self.study,
            runs,
            self.data,
            measure=self.measure,
            given_images=self.given_images,
            paper=self.ask_paper,
        )

    @cached_property
    def specs(self) -> str:
        """The fingerprint of all rows, in words."""
        return f"specs {fingerprint([row.spec.fingerprint for row in self.fitted])}"

    @cached_property
    def runs(self) -> str:
        """The number of runs and their fingerprint."""
        return source_of(self.roadmap, self.selection)

    @property
    def is_path(self) -> bool:
        """Whether the study is a path, so that the paper's results can stand next to it."""
        return self.study.design == "path"

    @cached_property
    def paper(self) -> Study | None:
        """The path of the paper's own roadmap; None if its results cannot stand next to these."""
        shown = self.study.roadmap
        paper = shown.paper if self.is_path and self.measure.in_paper else None
        if paper is None or not self.beside_paper:
            return None
        own = shown.paper_path or replace(load_roadmap(paper.roadmap), paper=paper)
        return load_study("path", roadmap=own.name, read_roadmap=lambda name, steps: own)

    @cached_property
    def beside_paper(self) -> bool:
        """Whether the paper's numbers belong next to these runs."""
        return stands_beside_paper(self.roadmap, self.selection, asked=self.ask_paper)

    @property
    def fitted(self) -> Roadmap:
        """The roadmap with the number of classes of the data."""
        return self.selection.roadmap
