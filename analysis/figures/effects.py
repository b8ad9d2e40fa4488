"""What each step of a study is worth: differences with their intervals, and the verdicts in words.

A filled dot is a verdict (better, worse), a hollow one is undecided. A square says that no
difference is larger than the margin of the study, which is the grey band.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from analysis.figures.effects_panel import THICK, THIN, Side, effect_panel, with_same_axis
from analysis.figures.sheet.layout import EDGE, GAP, LABELS, heading, sheet, stacked, top_of
from analysis.figures.sheet.legend import dot, legend
from analysis.figures.sheet.row_labels import Label, labelled
from analysis.figures.sheet.style import FAINT, GRID, INK, Drawing, applied
from analysis.figures.verdict_words import details, summary
from analysis.subject import Subject
from analysis.tables.cells import span
from analysis.verdicts.paper import judge_paper
from analysis.verdicts.verdict import Judged, Verdict

OF_STEPS = ("leave_one_out", "one_at_a_time", "orders")  # designs that ask what a step is worth


def draw_effects(left: Judged, right: Judged | None = None, *, width: str = "two-column") -> Figure:
    """Draw the effects of a study, or of two with the same steps.

    The second is on the right, in one column below. The steps are those of the left one. On the
    same data both have the same axis. Raises Problem for an unknown width.
    """
    lines = stacked([verdict.group for verdict in left.verdicts])
    wide = width == "two-column"
    if right is None:
        sides = [Side.of(left, left.title.removeprefix("path: "), roomy=wide)]
    else:
        pair = (left, _like(right, left))
        titles = _headings(pair)
        sides = [
            Side.of(judged, title, roomy=False) for judged, title in zip(pair, titles, strict=True)
        ]
        if left.data == right.data:
            sides = with_same_axis(sides)
    with applied():
        figure = sheet(lines, width, blocks=1 if wide else len(sides))
        across = len(sides) if wide else 1
        labels = EDGE + LABELS[width]
        room = (figure.get_figwidth() - labels) / across
        for place, side in enumerate(sides):
            start = labels + (place * room if wide else 0)
            block = 0 if wide else place
            axes = effect_panel(figure, side, lines, (start, room), sides, block)
            top = top_of(lines, figure, block)
            if place == 0 or not wide:
                numbers = left.numbers
                marks = [_label(one, numbers.get(one.step, "")) for one in side.judged.verdicts]
                labelled(axes, lines, marks, LABELS[width] + GAP / 2)
            if place == 0:
                shown = [one.judged for one in sides]
                legend(figure, _marks(shown), EDGE, 0.23, columns=6 if wide else 3)
            if across == 1:
                heading(figure, side.title, EDGE, top=top)
            else:
                heading(figure, side.title, start, room - GAP, neighbour=sides[1 - place].title)
    return figure


def _headings(sides: Sequence[Judged]) -> list[str]:
    """Return the titles of two studies side by side: of one roadmap the questions alone."""
    asked, of = zip(*(side.title.rpartition(": ")[::2] for side in sides), strict=True)
    if len(set(of)) == 1 and all(asked):
        return [question.replace("_", " ") for question in asked]
    return [side.title.replace("path: ", "") for side in sides]


def _like(other: Judged, model: Judged) -> Judged:
    """Return the verdicts of `other` in the order of the steps of `model`."""
    known = {verdict.step: verdict for verdict in other.verdicts}
    missing = (
        Verdict(step=one.step, title=one.title, group=one.group, verdict="", n=0)
        for one in model.verdicts
    )
    return replace(other, verdicts=tuple(known.get(one.step, one) for one in missing))


def _label(verdict: Verdict, number: str) -> Label:
    return Label(number=number, title=verdict.title, missing=verdict.difference is None)


def _marks(sides: Sequence[Judged]) -> list[Line2D | Patch]:
    """Return what the marks and lines mean, without those that no side has."""
    verdicts = [verdict for judged in sides for verdict in judged.verdicts]
    marks: list[Line2D | Patch] = [
        dot("better, worse", fill=INK, edge=INK, size=4.2),
        dot("undecided", fill="white", edge=INK, size=4.2),
        Line2D([], [], color=INK, linewidth=THICK, label="95 %"),
        Line2D([], [], color=INK, linewidth=THIN, label="adjusted"),
    ]
    if any(verdict.verdict.startswith("no ") for verdict in verdicts):
        marks.insert(2, dot("no difference", fill="white", edge=INK, size=4.2, marker="s"))
    if any(judged.by_order for judged in sides):
        marks.append(dot("an order", fill=FAINT, edge=FAINT, size=2.2))
    if any(judged.margin for judged in sides):
        marks.append(Patch(color=GRID, alpha=0.6, label="margin"))
    return marks


def effect_drawings(subject: Subject) -> list[Drawing]:
    """Return the effects of a study, alone and next to those of the paper or of the path."""
    judged = subject.judged
    theirs, paper = None, subject.paper.base.paper if subject.paper else None
    if subject.paper is not None and paper is not None:
        theirs = judge_paper(subject.paper, paper)
    if not _is_known(judged):
        return (
            []
            if theirs is None or paper is None
            else [_alone(f"paper-effects-{paper.name}", theirs, paper.paper)]
        )
    drawings = [_alone("effects", judged)]
    if theirs is not None:
        drawings.append(_beside("paper", theirs, judged))
    elif subject.study.design in OF_STEPS and _is_known(path := _path(subject)):
        drawings.append(_beside("path", path, judged))
    return drawings


def _is_known(judged: Judged) -> bool:
    return any(verdict.difference is not None for verdict in judged.verdicts)


def _alone(name: str, judged: Judged, source: str = "") -> Drawing:
    return Drawing(
        name=name,
        summary=summary(judged),
        details=details(judged),
        source=source,
        draw=partial(draw_effects, judged),
    )


def _beside(name: str, other: Judged, judged: Judged) -> Drawing:
    """Return the drawing of a study's effects with those of another at their left."""
    return Drawing(
        name=f"effects-beside-{name}",
        summary=f"Left (above in one column): {summary(other)}\n\nRight (below): {summary(judged)}",
        details=f"\n\nLeft: {details(other)}\n\nRight: {details(judged)}",
        draw=partial(draw_effects, other, judged),
        compares=True,
    )


def comparison_drawing(judged: Judged, sources: Sequence[str]) -> Drawing:
    """Return the drawing of a comparison, as `compare`."""
    where = f" on {judged.data}" if judged.data else ""
    runs = span(verdict.n for verdict in judged.verdicts)
    summary = f"{judged.title}: {judged.measure.words}{where}, {judged.asks}. n = {runs}."
    return replace(_alone("compare", judged), summary=summary, source="; ".join(sources))


def transfer_drawings(sides: Sequence[Judged], sources: Sequence[str]) -> list[Drawing]:
    """Return the first side's effects next to those of each other side, as `compare`.

    Each side has the axis of its own measure. Of more than two sides, files have a number.
    `sources` has the fingerprint of each side's runs.
    """
    first, *others = sides
    return [
        replace(
            _beside("", first, other),
            name=f"compare-{place}" if len(others) > 1 else "compare",
            source=f"{sources[0]}; {sources[place]}",
        )
        for place, other in enumerate(others, 1)
    ]


def _path(subject: Subject) -> Judged:
    """Return the path's verdicts on the steps that a study asks about."""
    study, judged = subject.study, subject.path.judged
    asked = {contrast.step for contrast in study.contrasts} | set(study.left_out)  # no branches
    same = tuple(verdict for verdict in judged.verdicts if verdict.step in asked)
    return replace(judged, verdicts=same)
