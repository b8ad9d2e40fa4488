"""All figures by name, and which of them a report shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from analysis.figures.block import block_drawings
from analysis.figures.cost import cost_drawings
from analysis.figures.curves import curve_drawings
from analysis.figures.effects import effect_drawings
from analysis.figures.receptive_field import field_drawings
from analysis.figures.roadmap import roadmap_drawings
from analysis.figures.strip import strip_drawing
from analysis.figures.style import Drawing
from analysis.figures.trade_off import trade_off_drawings
from analysis.selection import Selection, named, select
from analysis.table import Table, tabulate
from analysis.verdicts import Judged, judge_paper, judge_study
from roadmap.errors import unknown
from roadmap.record import Record
from roadmap.spec import fingerprint, to_dict
from steps.path import Roadmap
from steps.studies import Study, load_study

OF_STEPS = ("leave_one_out", "one_at_a_time", "orders")  # designs that ask what each step is worth


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


def _roadmap(shown: Subject) -> list[Drawing]:
    return roadmap_drawings(shown.table, shown.roadmap.paper if shown.is_path else None)


def _block(shown: Subject) -> list[Drawing]:
    if shown.row is not None:
        return block_drawings([shown.fitted[shown.row]])
    return [strip_drawing(shown.fitted), *block_drawings(shown.fitted)]


def _effects(shown: Subject) -> list[Drawing]:
    study, paper = shown.study, shown.study.roadmap.paper
    if shown.is_path:
        theirs = judge_paper(load_study("path", roadmap=paper), paper) if paper else None
        return effect_drawings(shown.judged, paper=theirs)
    if study.design not in OF_STEPS:
        return effect_drawings(shown.judged)
    path = judge_study(study.path, shown.records, shown.data)
    asked = {each.step for each in study.contrasts} | set(study.left_out)  # no side branches
    same = tuple(each for each in path.verdicts if each.step in asked)
    known = any(each.difference is not None for each in same)
    return effect_drawings(shown.judged, path=replace(path, verdicts=same) if known else None)


def _trade_off(shown: Subject) -> list[Drawing]:
    return trade_off_drawings(shown.table, shown.roadmap.paper if shown.is_path else None)


def _cost(shown: Subject) -> list[Drawing]:
    return cost_drawings(shown.fitted)


def _curves(shown: Subject) -> list[Drawing]:
    return curve_drawings(shown.fitted, shown.chosen)


def _receptive_field(shown: Subject) -> list[Drawing]:
    return field_drawings(shown.fitted, shown.chosen)


_MAKERS: dict[str, Callable[[Subject], list[Drawing]]] = {
    "roadmap": _roadmap,
    "effects": _effects,
    "trade-off": _trade_off,
    "block": _block,
    "cost": _cost,
    "curves": _curves,
    "receptive-field": _receptive_field,
}
FIGURES = tuple(_MAKERS)
NEED_NO_RUNS = {"block", "cost"}


def nothing_to_show(shown: Subject) -> set[str]:
    """The figures that would be empty, for want of runs or of what runs have recorded."""
    runs = any(row.n for row in shown.table.rows)
    measured = any(run.receptive_field for each in shown.chosen.rows.values() for run in each)
    return ({"trade-off", "curves"} if not runs else set()) | (
        set() if measured else {"receptive-field"}
    )


def drawings(figure: str, shown: Subject) -> list[Drawing]:
    """The drawings of one of FIGURES; those of a study other than a path bear its name."""
    if figure not in _MAKERS:
        raise unknown("figure", figure, FIGURES)
    source = shown.specs if figure in NEED_NO_RUNS else f"{shown.specs}, {shown.runs}"
    suffix = "" if shown.is_path else f"-{shown.study.name}"
    return [
        replace(each, name=each.name + suffix, source=each.source or source)
        for each in _MAKERS[figure](shown)
    ]
