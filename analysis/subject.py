"""A roadmap or study with its runs, selected once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from analysis.selection import Selection, named, select
from analysis.tables.table import Table, tabulate
from analysis.verdicts.study import judge_study
from analysis.verdicts.verdict import Judged
from roadmap.record import Record
from roadmap.rows import Roadmap
from roadmap.spec import fingerprint, to_dict
from steps.studies.study import Study


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What figures show: a roadmap, or the variants of a study as one, and its runs.

    `study` is the one whose effects are shown, by default the roadmap's own path; of `row` alone
    the block is drawn, where it is given.
    """

    roadmap: Roadmap
    study: Study
    records: Sequence[Record]
    data: str | None = None
    row: str | None = None

    @cached_property
    def table(self) -> Table:
        """The table of the roadmap's runs."""
        return tabulate(self.roadmap, self.records, data=self.data)

    @cached_property
    def chosen(self) -> Selection:
        """Which runs belong to which row."""
        return select(self.roadmap, self.records, self.data)

    @cached_property
    def judged(self) -> Judged:
        """The study's verdicts."""
        return judge_study(self.study, self.records, self.data)

    @cached_property
    def specs(self) -> str:
        """The fingerprint of all rows."""
        return f"specs {fingerprint([row.spec.fingerprint for row in self.fitted])}"

    @cached_property
    def runs(self) -> str:
        """The number and the fingerprint of the runs shown: another digit, another fingerprint."""
        found = named(self.roadmap, self.chosen).values()
        contents = sorted(fingerprint(to_dict(run)) for run in found)
        return f"{len(contents)} runs {fingerprint(contents)}"

    @property
    def is_path(self) -> bool:
        """Whether it is a roadmap, beside which the paper's may stand."""
        return self.study.design == "path"

    @cached_property
    def fitted(self) -> Roadmap:
        """The roadmap with the classes of the data."""
        classes = self.chosen.classes
        return self.roadmap if classes is None else self.roadmap.with_classes(classes)
