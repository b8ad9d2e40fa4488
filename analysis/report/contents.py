"""What a report tells of: a roadmap, its runs and what was judged from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.figures.gallery import Subject
from analysis.selection import named
from roadmap.errors import Problem
from roadmap.record import Record
from steps.path import Roadmap
from steps.studies import Study


@dataclass(frozen=True, kw_only=True)
class Contents:
    """A roadmap with its runs and its path's verdicts, and the other studies that have verdicts.

    `runs` are all that were used, by readable name; `broken` says of files in the folder of runs
    that they are no records; `given` are the options that a command needs to go on with the same
    data and settings.
    """

    subject: Subject
    studies: tuple[Subject, ...]
    runs: dict[str, Record]
    broken: tuple[str, ...]
    given: str

    @property
    def has_runs(self) -> bool:
        """Whether any row has a finished run."""
        return any(row.n for row in self.subject.table.rows)

    @property
    def links(self) -> dict[str, str]:
        """Where on the page a row is, by its number and by its step."""
        rows = self.subject.roadmap
        found = {row.step: f"#row-{row.number}" for row in rows if not row.is_branch}
        return found | {row.number: f"#row-{row.number}" for row in rows}


def gather(
    roadmap: Roadmap,
    path: Study,
    others: Sequence[Study],
    records: Sequence[Record],
    *,
    data: str | None,
    broken: tuple[str, ...] = (),
    given: str = "",
) -> Contents:
    """The contents of a report on a roadmap and the study of its path.

    Of the `others` those are told of that have runs of their own on the same data.
    """
    subject = Subject(roadmap=roadmap, study=path, records=records, data=data)
    runs = named(roadmap, subject.chosen)
    told = []
    for study in others:
        other = Subject(
            roadmap=study.roadmap, study=study, records=records, data=subject.chosen.data
        )
        try:
            found = named(study.roadmap, other.chosen)
        except Problem:  # no run of this study on this data
            continue
        own = {name: run for name, run in found.items() if run not in runs.values()}
        if own:
            told.append(other)
            runs |= own
    return Contents(
        subject=subject, studies=tuple(told), runs=runs, broken=tuple(broken), given=given
    )
