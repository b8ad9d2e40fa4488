"""What each step of a study is worth: differences with their intervals, and the verdicts in words.

A filled dot is a verdict (better, worse), a hollow one is undecided, a square says that no
difference is larger than the study's margin, which is the grey band.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analysis.cells import signed, span
from analysis.colours import colour
from analysis.figures.layout import (
    EDGE,
    GAP,
    LABELS,
    LETTER,
    Label,
    Lines,
    heading,
    inches,
    labelled,
    panel,
    sheet,
    stacked,
    type_of,
)
from analysis.figures.style import FAINT, GRID, INK, Drawing, applied
from analysis.table import sentences
from analysis.verdicts import ALPHA, Judged, Verdict

WORDS = 0.88  # inches to the right of a panel, for verdicts


def draw_effects(left: Judged, right: Judged | None = None, *, width: str = "two-column") -> Figure:
    """A study's effects, or those of two studies with the same steps side by side.

    Steps are the left one's; what the right one lacks is missing there. Raises Problem for another
    width.
    """
    lines = stacked([each.group for each in left.verdicts])
    sides = [left] if right is None else [left, _like(right, left)]
    with applied():
        figure = sheet(lines, width)
        labels = LABELS[width]
        room = (figure.get_figwidth() - EDGE - labels) / len(sides)
        for number, side in enumerate(sides):
            start = EDGE + labels + number * room
            wide = room - WORDS - GAP
            axes = panel(figure, start + GAP / 2, wide, lines, "difference, points of top-1")
            if number == 0:
                labelled(axes, lines, [_label(each) for each in left.verdicts], labels + GAP / 2)
            _effects(axes, side, lines)
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
        "Small dots: what the step added in each order sampled; *: that varies over orders by "
        "more than seeds explain."
        if judged.by_order
        else "",
        f"Recipe: {judged.recipe}." if judged.recipe else "",
        sentences(judged.notes),
    ]
    return " ".join(part for part in parts if part)


def effect_drawings(
    judged: Judged, *, paper: Judged | None = None, path: Judged | None = None
) -> list[Drawing]:
    """The effects of a study, and beside those of the paper and of the path, where given."""
    caption = _caption(judged)
    found = [
        Drawing(name="effects", caption=caption,
                draw=lambda width: draw_effects(judged, width=width))
    ]  # fmt: skip
    for name, other in (("paper", paper), ("path", path)):
        if other is not None:
            found.append(
                Drawing(
                    name=f"effects-beside-{name}",
                    caption=f"Left: {_caption(other)}\n\nRight: {caption}",
                    draw=partial(_beside, other, judged),
                    widths=("two-column",),
                )
            )
    return found


def _beside(left: Judged, right: Judged, _: str) -> Figure:
    return draw_effects(left, right)


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


def _effects(axes: Axes, judged: Judged, lines: Lines) -> None:
    low, high = _limits(judged)
    axes.set_xlim(low, high)
    axes.xaxis.set_major_locator(MaxNLocator(max(round(2.4 * inches(axes)), 3)))
    axes.axvspan(-judged.margin, judged.margin, color=GRID, alpha=0.6, linewidth=0, zorder=0)
    axes.axvline(0, color=INK, linewidth=0.7, zorder=1)
    known = [abs(each.difference) for each in judged.verdicts if each.difference is not None]
    decimals = 2 if max(known, default=0.0) < 9.995 else 1
    for y, verdict in zip(lines.rows, judged.verdicts, strict=True):
        _words(axes, y, verdict, decimals)
        if verdict.difference is not None:
            _orders(axes, y, verdict, judged.by_order.get(verdict.step, ()))
            _line(axes, y, verdict)


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


def _words(axes: Axes, y: float, verdict: Verdict, decimals: int) -> None:
    """The difference and the verdict, to the right of the panel."""
    wide, size = inches(axes), type_of(axes.figure)
    place = {"transform": axes.get_yaxis_transform(), "va": "center", "fontsize": size - 0.5}
    number = signed(verdict.difference, decimals)
    ink = INK if verdict.verdict in ("better", "worse") else FAINT
    axes.text(1 + 5.6 * LETTER * size / wide, y, number, color=ink, ha="right", **place)
    axes.text(1 + 6.3 * LETTER * size / wide, y, _short(verdict), color=ink, **place)


def _short(verdict: Verdict) -> str:
    """The verdict in a word or two; a star where it depends on the order."""
    star = " *" if verdict.order_p is not None and verdict.order_p < ALPHA else ""
    if verdict.verdict.startswith("no difference larger than "):
        return "within ±" + verdict.verdict.rpartition(" ")[2] + star
    return verdict.verdict.partition(":")[0] + star
