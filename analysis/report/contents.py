"""What a report shows: a roadmap, its runs and their verdicts, and other studies."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from analysis.selection import named
from analysis.subject import Subject
from roadmap.errors import Problem
from roadmap.record import Record
from steps.studies.study import Study


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run that was used, under a readable name; `study` is empty for those of the path."""

    name: str
    study: str
    record: Record


@dataclass(frozen=True, kw_only=True)
class Contents:
    """A roadmap with its runs and the verdicts of its path, and other studies.

    `runs` are all that were used, by their identity. `broken` are messages about files that are not
    readable as records. `given` are the options with which a command takes the same data and
    settings. `goes_on` is False for collected records: they have no run folders, so no command can
    resume them.
    """

    subject: Subject
    studies: tuple[Subject, ...]
    runs: dict[str, Run]
    broken: tuple[str, ...] = ()
    given: tuple[str, ...] = ()
    goes_on: bool = True

    @property
    def has_runs(self) -> bool:
        """Whether any row has a finished run."""
        return any(row.n for row in self.subject.table.rows if row.group != "reference")

    @property
    def links(self) -> dict[str, str]:
        """Where on the page a row is, by its number and by its step."""
        rows = self.subject.roadmap
        steps = {row.step: f"#row-{row.number}" for row in rows if not row.is_branch}
        return steps | {row.number: f"#row-{row.number}" for row in rows}


def gather(
    subject: Subject,
    others: Sequence[Study],
    *,
    all_of_them: bool = False,
    broken: Sequence[str] = (),
    given: Sequence[str] = (),
    goes_on: bool = True,
) -> Contents:
    """Return the contents of a report on a roadmap, whose study is its path.

    Of the `others`, those are shown that have runs of their own on the same data, or all of them.
    Raises Problem if two have names that give the same file.
    """
    names = [slug(study.name) for study in others]
    for study, name in zip(others, names, strict=True):
        if names.count(name) > 1:
            raise Problem(f"two studies are called {study.name!r}: rename the file of one")
    runs = _runs(subject, "")
    shown = []
    for study in others:
        other = replace(subject.of_study(study), data=subject.selection.data)
        try:
            own = _runs(other, study.name)
        except Problem:  # no run of this study on this data
            if not all_of_them:
                continue
            own = {}
        if all_of_them or set(own) - set(runs):
            shown.append(other)
            runs |= {key: run for key, run in own.items() if key not in runs}
    return Contents(
        subject=subject, studies=tuple(shown), runs=runs, broken=tuple(broken), given=tuple(given),
        goes_on=goes_on,
    )  # fmt: skip


def _runs(subject: Subject, study: str) -> dict[str, Run]:
    return {
        record.identity.run: Run(name=name, study=study, record=record)
        for name, record in named(subject.roadmap, subject.selection).items()
    }


def slug(name: str) -> str:
    """Return a name with only letters, digits and hyphens, for files, links and LaTeX."""
    return re.sub(r"[^A-Za-z0-9-]+", "-", name)
