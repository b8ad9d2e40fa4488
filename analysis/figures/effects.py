"""What each step of a study is worth: differences with their intervals, and the verdicts in words.

A filled dot is a verdict (better, worse), a hollow one is undecided. A square says that no
difference is larger than the margin of the study, which is the grey band.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analysis.colours import colour
from analysis.figures.paper import PAPER
from analysis.figures.sheet.layout import (
    EDGE,
    GAP,
    LABELS,
    LETTER,
    Lines,
    heading,
    inches,
    panel,
    sheet,
    stacked,
    top_of,
    type_of,
)
from analysis.figures.sheet.row_labels import Label, labelled
from analysis.figures.sheet.style import FAINT, GRID, INK, Drawing, applied
from analysis.figures.sheet.text import length
from analysis.figures.sheet.units import difference_title
from analysis.figures.verdict_words import details, is_decided, short_verdict, summary
from analysis.subject import Subject
from analysis.tables.cells import signed
from analysis.verdicts.paper import judge_paper
from analysis.verdicts.verdict import Judged, Verdict

WORDS = 0.88  # inches to the right of a panel for verdicts, or more if they are longer
NUMBERS, BETWEEN = 5.6, 0.7  # letters of a difference, and from it to the verdict
OF_STEPS = ("leave_one_out", "one_at_a_time", "orders")  # designs that ask what a step is worth


@dataclass(frozen=True, kw_only=True)
class _Side:
    """One study in a figure: its verdicts, in words too, and its axis."""

    judged: Judged
    title: str
    words: tuple[str, ...]
    limits: tuple[float, float]
    decimals: int

    @classmethod
    def of(cls, judged: Judged, title: str, *, roomy: bool) -> _Side:
        differences = [abs(v.difference) for v in judged.verdicts if v.difference is not None]
        largest = max(differences, default=0.0)
        return cls(
            judged=judged,
            title=title,
            words=tuple(short_verdict(verdict, roomy=roomy) for verdict in judged.verdicts),
            limits=_limits(judged),
            decimals=3 if largest < 0.3 else 2 if largest < 9.995 else 1,
        )


def draw_effects(left: Judged, right: Judged | None = None, *, width: str = "two-column") -> Figure:
    """Draw the effects of a study, or of two with the same steps.

    The second is on the right, in one column below. The steps are those of the left one. On the
    same data both have the same axis. Raises Problem for an unknown width.
    """
    lines = stacked([verdict.group for verdict in left.verdicts])
    wide = width == "two-column"
    if right is None:
        sides = [_Side.of(left, left.title, roomy=wide)]
    else:
        pair = (left, _like(right, left))
        titles = _headings(pair)
        sides = [_Side.of(judged, title, roomy=False)
                 for judged, title in zip(pair, titles, strict=True)]  # fmt: skip
        if left.data == right.data:
            sides = _same_axis(sides)
    with applied():
        figure = sheet(lines, width, blocks=1 if wide else len(sides))
        across = len(sides) if wide else 1
        labels = EDGE + LABELS[width]
        room = (figure.get_figwidth() - labels) / across
        for place, side in enumerate(sides):
            start = labels + (place * room if wide else 0)
            block = 0 if wide else place
            axes = _panel(figure, side, lines, (start, room), sides, block)
            top = top_of(lines, figure, block)
            if place == 0 or not wide:
                marks = [_label(verdict) for verdict in side.judged.verdicts]
                labelled(axes, lines, marks, LABELS[width] + GAP / 2)
            if across == 1:
                heading(figure, side.title, EDGE, top=top)
            else:
                heading(figure, side.title, start, room - GAP, beside=sides[1 - place].title)
    return figure


def _panel(
    figure: Figure, side: _Side, lines: Lines, place: tuple[float, float],
    sides: Sequence[_Side], block: int,
) -> Axes:  # fmt: skip
    """Draw one study at a place (left, room) of its sheet, with as much room for words as all."""
    start, room = place
    words = [word for one in sides for word in one.words]
    wide = room - _words_room(words, type_of(figure)) - GAP
    title = difference_title(side.judged.measure)
    axes = panel(figure, start + GAP / 2, wide, lines, title, block=block)
    axes.set_xlim(side.limits)
    axes.xaxis.set_major_locator(MaxNLocator(max(round(2.4 * inches(axes)), 3)))
    judged = side.judged
    if judged.margin:
        axes.axvspan(-judged.margin, judged.margin, color=GRID, alpha=0.6, linewidth=0, zorder=0)
    axes.axvline(0, color=INK, linewidth=0.7, zorder=1)
    for y, verdict, text in zip(lines.rows, judged.verdicts, side.words, strict=True):
        _words(axes, y, verdict, text, side.decimals)
        if verdict.difference is not None:
            _orders(axes, y, verdict, judged.by_order.get(verdict.step, ()))
            _line(axes, y, verdict, verdict.difference)
    return axes


def _same_axis(sides: Sequence[_Side]) -> list[_Side]:
    lows, highs = zip(*(side.limits for side in sides), strict=True)
    decimals = min(side.decimals for side in sides)
    limits = (min(lows), max(highs))
    return [replace(side, limits=limits, decimals=decimals) for side in sides]


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


def _label(verdict: Verdict) -> Label:
    branch = verdict.step.partition("-")[2]
    return Label(
        number=f"-{branch}" if branch else "",
        title=verdict.title,
        missing=verdict.difference is None,
    )


def _limits(judged: Judged) -> tuple[float, float]:
    """Return an axis that holds differences and margin; wider intervals are cut."""
    differences = [v.difference for v in judged.verdicts if v.difference is not None]
    values = [-judged.margin, judged.margin, *differences]
    values += [worth for worths in judged.by_order.values() for worth in worths]
    reach = (max(values) - min(values)) or 1.0
    low = min([*values, *(v.low for v in judged.verdicts if v.low is not None)])
    high = max([*values, *(v.high for v in judged.verdicts if v.high is not None)])
    pad = 0.06 * reach
    return max(low, min(values) - 0.5 * reach) - pad, min(high, max(values) + 0.5 * reach) + pad


def _orders(axes: Axes, y: float, verdict: Verdict, worths: Sequence[float]) -> None:
    """Draw what the step added in each order as small dots below its line."""
    axes.plot(worths, [y + 0.28] * len(worths), "o", color=colour(verdict.group), markersize=2.2,
              markeredgewidth=0, alpha=0.55, zorder=2)  # fmt: skip


def _line(axes: Axes, y: float, verdict: Verdict, difference: float) -> None:
    fill, (start, stop) = colour(verdict.group), axes.get_xlim()
    if verdict.low is not None and verdict.high is not None:
        low, high = max(verdict.low, start), min(verdict.high, stop)
        axes.plot([low, high], [y, y], color=fill, linewidth=1.6, solid_capstyle="butt", zorder=3)
        for end, mark, cut in ((low, "<", low > verdict.low), (high, ">", high < verdict.high)):
            axes.plot(end, y, mark if cut else "|", color=fill, markersize=3.2 if cut else 4.5,
                      markeredgewidth=1.1, clip_on=False, zorder=3)  # fmt: skip
    axes.plot(difference, y, "s" if verdict.verdict.startswith("no ") else "o",
              markersize=4.2, markeredgewidth=1.1, markeredgecolor=fill,
              markerfacecolor=fill if is_decided(verdict) else "white", zorder=4)  # fmt: skip


def _words(axes: Axes, y: float, verdict: Verdict, text: str, decimals: int) -> None:
    """Write the difference and the verdict to the right of the panel."""
    wide, size = inches(axes), type_of(axes)
    place: dict[str, Any] = {
        "transform": axes.get_yaxis_transform(), "va": "center", "fontsize": size - 0.5,
        "color": INK if is_decided(verdict) else FAINT,
    }  # fmt: skip
    number = signed(verdict.difference, decimals)
    axes.text(1 + NUMBERS * LETTER * size / wide, y, number, ha="right", **place)
    axes.text(1 + (NUMBERS + BETWEEN) * LETTER * size / wide, y, text, **place)


def _words_room(words: Sequence[str], size: float) -> float:
    """Return inches for a number and the longest of these words."""
    longest = max((length(text, size - 0.5) for text in words), default=0.0)
    return max(WORDS, (NUMBERS + BETWEEN) * LETTER * size + longest)


def effect_drawings(subject: Subject) -> list[Drawing]:
    """Return the effects of a study, and beside those of the paper or of the path."""
    judged = subject.judged
    theirs = None
    if subject.paper is not None:
        theirs = judge_paper(subject.paper, subject.paper.base.name)
    if not _is_known(judged):
        return (
            []
            if theirs is None
            else [_alone(f"paper-effects-{subject.study.roadmap.paper}", theirs, PAPER)]
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
        name=name, summary=summary(judged), details=details(judged), source=source,
        draw=partial(draw_effects, judged),
    )  # fmt: skip


def _beside(name: str, other: Judged, judged: Judged) -> Drawing:
    """Return the drawing of a study's effects with those of another at their left."""
    return Drawing(
        name=f"effects-beside-{name}",
        summary=f"Left (above in one column): {summary(other)}\n\nRight (below): {summary(judged)}",
        details=f"\n\nLeft: {details(other)}\n\nRight: {details(judged)}",
        draw=partial(draw_effects, other, judged),
        compares=True,
    )


def _path(subject: Subject) -> Judged:
    """Return the path's verdicts on the steps that a study asks about."""
    study, judged = subject.study, subject.path.judged
    asked = {contrast.step for contrast in study.contrasts} | set(study.left_out)  # no branches
    same = tuple(verdict for verdict in judged.verdicts if verdict.step in asked)
    return replace(judged, verdicts=same)
