"""What each step of a study is worth: differences with their intervals, and the verdicts in words.

A filled dot is a verdict (better, worse), a hollow one is undecided, a square says that no
difference is larger than the study's margin, which is the grey band.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import chain

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analysis.colours import colour
from analysis.figures.sheet.layout import (
    EDGE,
    GAP,
    LABELS,
    LETTER,
    Label,
    Lines,
    heading,
    inches,
    labelled,
    length,
    panel,
    sheet,
    stacked,
    type_of,
)
from analysis.figures.sheet.style import FAINT, GRID, INK, Drawing, applied
from analysis.notes import sentences
from analysis.tables.cells import signed, span
from analysis.verdicts.verdict import ALPHA, Judged, Verdict

WORDS = 0.88  # inches to the right of a panel for verdicts, or more where they are longer
NUMBERS, BETWEEN = 5.6, 0.7  # letters of a difference, and from it to the verdict


def draw_effects(left: Judged, right: Judged | None = None, *, width: str = "two-column") -> Figure:
    """A study's effects, or those of two studies with the same steps side by side.

    Steps are the left one's; what the right one lacks is missing there. On the same data both have
    the same axis. Raises Problem for another width.
    """
    lines = stacked([each.group for each in left.verdicts])
    sides = [left] if right is None else [left, _like(right, left)]
    limits, decimals = [_limits(side) for side in sides], [_decimals(side) for side in sides]
    if right is not None and left.data == right.data:
        lows, highs = zip(*limits, strict=True)
        limits, decimals = [(min(lows), max(highs))] * 2, [min(decimals)] * 2
    roomy = right is None and width == "two-column"
    words = [[_short(each, roomy) for each in side.verdicts] for side in sides]
    with applied():
        figure = sheet(lines, width)
        labels = LABELS[width]
        room = (figure.get_figwidth() - EDGE - labels) / len(sides)
        for number, side in enumerate(sides):
            start = EDGE + labels + number * room
            wide = room - _words_room([*chain(*words)], type_of(figure)) - GAP
            axes = panel(figure, start + GAP / 2, wide, lines, "difference, points of top-1")
            if number == 0:
                labelled(axes, lines, [_label(each) for each in left.verdicts], labels + GAP / 2)
            axes.set_xlim(limits[number])
            _effects(axes, side, lines, words[number], decimals[number])
            if len(sides) == 1:
                heading(figure, side.title, EDGE)
            else:
                titles = _headings(sides)
                heading(figure, titles[number], start, room - GAP, titles[1 - number])
        if not left.verdicts:
            figure.text(0.5, 0.5, "no steps", color=FAINT, ha="center")
    return figure


def _headings(sides: Sequence[Judged]) -> list[str]:
    """What two studies are called beside one another: of one roadmap what was asked, else which."""
    asked, of = zip(*(side.title.rpartition(": ")[::2] for side in sides), strict=True)
    if len(set(of)) == 1 and all(asked):
        return [each.replace("_", " ") for each in asked]
    return [side.title.replace("path: ", "") for side in sides]


def _caption(judged: Judged) -> str:
    """What the figure shows, with n, data and how it was judged."""
    over = "orders and seeds" if judged.by_order else "seeds (Welch)"
    parts = [
        f"{judged.title}: what each step adds to top-1 accuracy on {judged.data or 'no data yet'}.",
        f"n = {span(each.n for each in judged.verdicts if each.difference is not None)}.",
        f"Lines: 95 % intervals over {over}; an arrow where one goes on beyond the axis.",
        "Filled: better or worse at 5 % after Holm's adjustment; hollow: undecided; square: no "
        f"difference larger than {judged.margin:g} points, the grey band.",
        "Small dots: what the step added in each order sampled." if judged.by_order else "",
        _dependence(judged),
        f"Recipe: {judged.recipe}." if judged.recipe else "",
        sentences(judged.notes),
    ]
    return " ".join(part for part in parts if part)


def _dependence(judged: Judged) -> str:
    """The steps whose worth depends on the order, each with how much."""
    found = [f"{each.title} ±{each.order_std:.1f}" for each in judged.verdicts if _varies(each)]
    if not found:
        return ""
    return (
        '"varies" or *: that depends on the order, by more than seeds explain (standard deviation '
        f"over orders, in points): {', '.join(found)}."
    )


def effect_drawings(
    judged: Judged, *, paper: Judged | None = None, path: Judged | None = None
) -> list[Drawing]:
    """The effects of a study, and beside those of the paper and of the path, where given."""
    caption = _caption(judged)
    found = [Drawing(name="effects", caption=caption, draw=partial(draw_effects, judged))]
    for name, other in (("paper", paper), ("path", path)):
        if other is not None:
            found.append(
                Drawing(
                    name=f"effects-beside-{name}",
                    caption=f"Left: {_caption(other)}\n\nRight: {caption}",
                    draw=partial(draw_effects, other, judged),
                    widths=("two-column",),
                )
            )
    return found


def _like(other: Judged, model: Judged) -> Judged:
    """The verdicts of `other` in the order of `model`'s steps."""
    known = {each.step: each for each in other.verdicts}
    missing = (
        Verdict(step=each.step, title=each.title, group=each.group, verdict="", n=0)
        for each in model.verdicts
    )
    return replace(other, verdicts=tuple(known.get(each.step, each) for each in missing))


def _label(verdict: Verdict) -> Label:
    branch = verdict.step.partition("-")[2]
    return Label(
        number=f"-{branch}" if branch else "",
        title=verdict.title,
        missing=verdict.difference is None,
    )


def _effects(axes: Axes, judged: Judged, lines: Lines, words: Sequence[str], decimals: int) -> None:
    """Intervals, dots and words of one study, within limits that are set."""
    axes.xaxis.set_major_locator(MaxNLocator(max(round(2.4 * inches(axes)), 3)))
    axes.axvspan(-judged.margin, judged.margin, color=GRID, alpha=0.6, linewidth=0, zorder=0)
    axes.axvline(0, color=INK, linewidth=0.7, zorder=1)
    for y, verdict, text in zip(lines.rows, judged.verdicts, words, strict=True):
        _words(axes, y, verdict, text, decimals)
        if verdict.difference is not None:
            _orders(axes, y, verdict, judged.by_order.get(verdict.step, ()))
            _line(axes, y, verdict)


def _decimals(judged: Judged) -> int:
    known = [abs(each.difference) for each in judged.verdicts if each.difference is not None]
    return 2 if max(known, default=0.0) < 9.995 else 1


def _limits(judged: Judged) -> tuple[float, float]:
    """As far as the differences and the margin go and a bit more; wider intervals are cut."""
    known = [each for each in judged.verdicts if each.difference is not None]
    values = [-judged.margin, judged.margin, *(each.difference for each in known)]
    values += [worth for worths in judged.by_order.values() for worth in worths]
    reach = max(values) - min(values)
    low = min(*values, *(each.low for each in known if each.low is not None))
    high = max(*values, *(each.high for each in known if each.high is not None))
    pad = 0.06 * reach
    return max(low, min(values) - 0.5 * reach) - pad, min(high, max(values) + 0.5 * reach) + pad


def _orders(axes: Axes, y: float, verdict: Verdict, worths: Sequence[float]) -> None:
    """What the step added in each order, as small dots below its line."""
    axes.plot(worths, [y + 0.28] * len(worths), "o", color=colour(verdict.group), markersize=2.2,
              markeredgewidth=0, alpha=0.55, zorder=2)  # fmt: skip


def _line(axes: Axes, y: float, verdict: Verdict) -> None:
    fill, (start, stop) = colour(verdict.group), axes.get_xlim()
    if verdict.low is not None:
        low, high = max(verdict.low, start), min(verdict.high, stop)
        axes.plot([low, high], [y, y], color=fill, linewidth=1.6, solid_capstyle="butt", zorder=3)
        for end, mark, cut in ((low, "<", low > verdict.low), (high, ">", high < verdict.high)):
            axes.plot(end, y, mark if cut else "|", color=fill, markersize=3.2 if cut else 4.5,
                      markeredgewidth=1.1, clip_on=False, zorder=3)  # fmt: skip
    decided = verdict.verdict in ("better", "worse")
    axes.plot(verdict.difference, y, "s" if verdict.verdict.startswith("no ") else "o",
              markersize=4.2, markeredgewidth=1.1, markeredgecolor=fill,
              markerfacecolor=fill if decided else "white", zorder=4)  # fmt: skip


def _words(axes: Axes, y: float, verdict: Verdict, text: str, decimals: int) -> None:
    """The difference and the verdict, to the right of the panel."""
    wide, size = inches(axes), type_of(axes.figure)
    place = {"transform": axes.get_yaxis_transform(), "va": "center", "fontsize": size - 0.5}
    number = signed(verdict.difference, decimals)
    ink = INK if verdict.verdict in ("better", "worse") else FAINT
    axes.text(1 + NUMBERS * LETTER * size / wide, y, number, color=ink, ha="right", **place)
    axes.text(1 + (NUMBERS + BETWEEN) * LETTER * size / wide, y, text, color=ink, **place)


def _words_room(words: Sequence[str], size: float) -> float:
    """Inches for a number and the longest of these words."""
    longest = max((length(text, size - 0.5) for text in words), default=0.0)
    return max(WORDS, (NUMBERS + BETWEEN) * LETTER * size + longest)


def _varies(verdict: Verdict) -> bool:
    """Whether the step's worth depends on the order."""
    return verdict.order_p is not None and verdict.order_p < ALPHA


def _short(verdict: Verdict, roomy: bool) -> str:
    """The verdict in a word or two, and whether it depends on the order: with room, how much."""
    varies = (f", varies ±{verdict.order_std:.1f}" if roomy else " *") if _varies(verdict) else ""
    if verdict.verdict.startswith("no difference larger than "):
        return "within ±" + verdict.verdict.rpartition(" ")[2] + varies
    return verdict.verdict.partition(":")[0] + varies
