"""The panel of one study in a figure of effects: intervals, dots, and verdicts in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analysis.colours import colour
from analysis.figures.sheet.layout import GAP, LETTER, Lines, inches, panel, type_of
from analysis.figures.sheet.style import FAINT, GRID, INK
from analysis.figures.sheet.text import length
from analysis.figures.sheet.units import difference_title
from analysis.figures.verdict_words import is_decided, short_verdict
from analysis.tables.cells import signed
from analysis.verdicts.verdict import Judged, Verdict

WORDS = 0.88  # inches to the right of a panel for verdicts, or more if they are longer
THICK, THIN = 1.6, 0.6  # lines of the 95 % interval and of the adjusted one, in points
NUMBERS, BETWEEN = 5.6, 0.7  # letters of a difference, and from it to the verdict


@dataclass(frozen=True, kw_only=True)
class Side:
    """One study in a figure: its verdicts, in words too, and its axis."""

    judged: Judged
    title: str
    words: tuple[str, ...]
    limits: tuple[float, float]
    decimals: int

    @classmethod
    def of(cls, judged: Judged, title: str, *, roomy: bool) -> Side:
        """Return a study as a side; `roomy` if there is room for longer words."""
        differences = [abs(v.difference) for v in judged.verdicts if v.difference is not None]
        largest = max(differences, default=0.0)
        return cls(
            judged=judged,
            title=title,
            words=tuple(short_verdict(verdict, roomy=roomy) for verdict in judged.verdicts),
            limits=_limits(judged),
            decimals=3 if largest < 0.3 else 2 if largest < 9.995 else 1,
        )


def with_same_axis(sides: Sequence[Side]) -> list[Side]:
    """Return sides with one axis that holds all of them."""
    lows, highs = zip(*(side.limits for side in sides), strict=True)
    decimals = min(side.decimals for side in sides)
    limits = (min(lows), max(highs))
    return [replace(side, limits=limits, decimals=decimals) for side in sides]


def effect_panel(
    figure: Figure, side: Side, lines: Lines, place: tuple[float, float],
    sides: Sequence[Side], block: int,
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
    if verdict.adjusted_low is not None and verdict.adjusted_high is not None:
        ends = max(verdict.adjusted_low, start), min(verdict.adjusted_high, stop)
        axes.plot(ends, [y, y], color=fill, linewidth=THIN, solid_capstyle="butt", zorder=2.5)
    if verdict.low is not None and verdict.high is not None:
        low, high = max(verdict.low, start), min(verdict.high, stop)
        axes.plot([low, high], [y, y], color=fill, linewidth=THICK, solid_capstyle="butt", zorder=3)
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
        "transform": axes.get_yaxis_transform(),
        "va": "center",
        "fontsize": size - 0.5,
        "color": INK if is_decided(verdict) else FAINT,
    }
    number = signed(verdict.difference, decimals)
    axes.text(1 + NUMBERS * LETTER * size / wide, y, number, ha="right", **place)
    axes.text(1 + (NUMBERS + BETWEEN) * LETTER * size / wide, y, text, **place)


def _words_room(words: Sequence[str], size: float) -> float:
    """Return inches for a number and the longest of these words."""
    longest = max((length(text, size - 0.5) for text in words), default=0.0)
    return max(WORDS, (NUMBERS + BETWEEN) * LETTER * size + longest)
