"""What a report tells of: a roadmap, its runs and what was judged from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.selection import named
from analysis.subject import Subject
from roadmap.errors import Problem
from roadmap.record import Record
from roadmap.rows import Roadmap
from steps.studies.study import Study


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run that was used, under a readable name; `study` is empty for those of the path."""

    name: str
    study: str
    record: Record


@dataclass(frozen=True, kw_only=True)
class Contents:
    """A roadmap with its runs and its path's verdicts, and other studies.

    `runs` are all that were used, by what identifies them; `broken` says of files in the folder of
    runs that they are no records; `given` are the options that a command needs to go on with the
    same data and settings; with collected records, which are no folders of runs, none `goes_on`.
    """

    subject: Subject
    studies: tuple[Subject, ...]
    runs: dict[str, Run]
    broken: tuple[str, ...]
    given: str
    goes_on: bool

    @property
    def has_runs(self) -> bool:
        """Whether any row has a finished run."""
        return any(row.n for row in self.subject.table.rows if row.group != "reference")

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
    all_of_them: bool = False,
    broken: tuple[str, ...] = (),
    given: str = "",
    goes_on: bool = True,
) -> Contents:
    """The contents of a report on a roadmap and the study of its path.

    Of the `others` those are told of that have runs of their own on the same data, or all of them.
    Raises Problem where two have one name.
    """
    names = [study.name for study in others]
    for name in names:
        if names.count(name) > 1:
            raise Problem(f"two studies are called {name!r}: rename the file of one")
    subject = Subject(roadmap=roadmap, study=path, records=records, data=data)
    runs = _runs(roadmap, subject, "")
    told = []
    for study in others:
        other = Subject(
            roadmap=study.roadmap, study=study, records=records, data=subject.selection.data
        )
        try:
            found = _runs(study.roadmap, other, study.name)
        except Problem:  # no run of this study on this data
            if not all_of_them:
                continue
            found = {}
        if all_of_them or set(found) - set(runs):
            told.append(other)
            runs |= {key: run for key, run in found.items() if key not in runs}
    return Contents(
        subject=subject, studies=tuple(told), runs=runs, broken=tuple(broken), given=given,
        goes_on=goes_on,
    )  # fmt: skip


def _runs(roadmap: Roadmap, subject: Subject, study: str) -> dict[str, Run]:
    found = named(roadmap, subject.selection)
    return {
        record.identity.run: Run(name=name, study=study, record=record)
        for name, record in found.items()
    }
