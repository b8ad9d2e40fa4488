"""All figures by name, and which of them a report shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from analysis.figures.block import block_drawings
from analysis.figures.cost import cost_drawings
from analysis.figures.curves import curve_drawings
from analysis.figures.effects import effect_drawings
from analysis.figures.receptive_field import field_drawings
from analysis.figures.roadmap import roadmap_drawings
from analysis.figures.sheet.style import Drawing
from analysis.figures.strip import strip_drawing
from analysis.figures.trade_off import trade_off_drawings
from analysis.subject import Subject
from analysis.verdicts.paper import judge_paper
from analysis.verdicts.study import judge_study
from roadmap.errors import unknown
from steps.studies.load import load_study

OF_STEPS = ("leave_one_out", "one_at_a_time", "orders")  # designs that ask what each step is worth


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
    return curve_drawings(shown.fitted, shown.selection)


def _receptive_field(shown: Subject) -> list[Drawing]:
    return field_drawings(shown.fitted, shown.selection)


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
    measured = any(run.receptive_field for each in shown.selection.rows.values() for run in each)
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
