"""The two panels of a roadmap figure: accuracy as bars, cost as stems with a dot.

Accuracy may start above zero, and then the axis says where and a white zigzag cuts through all
bars. Cost always starts at zero.
"""

from __future__ import annotations

from math import floor

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FormatStrFormatter, MaxNLocator

from analysis.colours import colour
from analysis.figures.bars import Bar, Bars
from analysis.figures.sheet.layout import LETTER, Lines, inches, short, type_of
from analysis.figures.sheet.style import FAINT, INK
from analysis.tables.cells import accuracy, cost_decimals

SHORTEST = 0.26  # the shortest bar, in inches, where the axis is cut
BOX = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
NICE = [1, 2, 2.5, 5, 10]


def _limits(bars: Bars, panel: float, room: float) -> tuple[float, float]:
    """The ends of the accuracy axis in percent; `room` of the panel's inches is for values.

    It starts at zero where the differences are to be seen from there, else so far below the lowest
    bar that this one still reaches beyond the cut.
    """
    known = [bar for bar in bars.bars if bar.top1 is not None]
    if len(known) < 2:  # no differences to show
        return 0.0, 110.0 * panel / (panel - room) if known else 110.0
    low = min(bar.top1 - (bar.std or 0) for bar in known)
    high = max(1.0, *(bar.top1 + (bar.std or 0) for bar in known))
    span = max(high - low, 0.5)
    shortest = SHORTEST / (panel - room)
    start = _below((high - span - shortest * high) / (1 - shortest), span)
    start = 0.0 if span > 0.4 * high else max(start, 0.0)
    return start, start + (high - start) * panel / (panel - room)


def _below(number: float, span: float) -> float:
    """The next round number below, in steps that suit the span."""
    step = next(step for step in (0.1, 0.2, 0.5, 1, 2, 5, 10, 100) if step >= span / 10)
    return floor(number / step) * step


def accuracy_panel(axes: Axes, bars: Bars, lines: Lines, spread: bool) -> None:
    """Bars with their values, the reference line, and the cut where the axis is cut."""
    panel, size = inches(axes), type_of(axes.figure)
    letters = 5.5 + (7 if spread and any(bar.std is not None for bar in bars.bars) else 0)
    start, stop = _limits(bars, panel, letters * LETTER * size)
    axes.set_xlim(start, stop)
    axes.set_xlabel("top-1, %" + (f" (axis starts at {start:.3g})" if start else ""))
    inch = (stop - start) / panel
    ticks = MaxNLocator(max(round(2.4 * panel), 6), steps=NICE).tick_values(start, stop)
    first = start + (0.2 * inch if start else 0)  # nothing in the cut
    axes.xaxis.set_major_locator(FixedLocator([t for t in ticks if first <= t <= min(stop, 100)]))
    pad = 0.035 * inch
    for y, bar in zip(lines.rows, bars.bars, strict=True):
        if bar.top1 is None:
            text = f"diverged ({bar.diverged})" if bar.diverged else "–"
            axes.text(first + pad, y, text, fontsize=size - 0.5, color=FAINT, va="center",
                      style="italic" if bar.diverged else "normal")  # fmt: skip
            continue
        _bar(axes, y, bar, start)
        text = accuracy(bar.top1, bar.std if spread else None, decimals=bars.decimals)
        axes.text(bar.top1 + (bar.std or 0) + pad, y, text, fontsize=size - 0.5, va="center",
                  bbox=BOX, zorder=3)  # fmt: skip
    _reference(axes, bars.reference, size)
    if start:
        _cut(axes, lines, start, stop, panel)


def _bar(axes: Axes, y: float, bar: Bar, start: float) -> None:
    fill = colour(bar.group)
    axes.barh(
        y, bar.top1 - start, left=start, height=0.74, linewidth=0.6, edgecolor=fill, zorder=2,
        facecolor="white" if bar.branch else fill, hatch="/////" if bar.branch else None,
    )  # fmt: skip
    if bar.std is not None:
        _whisker(axes, y, bar, colour="white", linewidth=2.0)  # to be seen on dark bars
        _whisker(axes, y, bar, colour=INK, linewidth=0.8)


def _whisker(axes: Axes, y: float, bar: Bar, colour: str, linewidth: float) -> None:
    axes.errorbar(bar.top1, y, xerr=bar.std, color=colour, linewidth=linewidth, zorder=4,
                  capsize=1.6 + linewidth / 4, capthick=linewidth)  # fmt: skip


def _reference(axes: Axes, bar: Bar | None, size: float) -> None:
    """A dashed line at the reference's accuracy, named above."""
    if bar is None:
        return
    axes.axvline(bar.top1, color=INK, linewidth=0.7, linestyle=(0, (4, 2.5)), zorder=2.5)
    low, high = axes.get_xlim()
    share = (bar.top1 - low) / (high - low)
    panel = inches(axes)
    name = short(bar.title, int(max(share, 1 - share) * panel / (LETTER * (size - 1))))
    axes.annotate(name, (bar.top1, 0), xytext=(0, 2), textcoords="offset points", va="bottom",
                  ha="right" if share > 0.5 else "left", fontsize=size - 1)  # fmt: skip


def _cut(axes: Axes, lines: Lines, start: float, stop: float, panel: float) -> None:
    """A white zigzag through bars and axis: what lies left of it is not to scale."""
    inch = (stop - start) / panel
    steps = int(lines.height * 2) + 2
    x = [start + (0.10 + 0.025 * (-1) ** step) * inch for step in range(steps)]
    y = [step * (lines.height + 0.5) / (steps - 1) for step in range(steps)]
    axes.plot(x, y, color="white", linewidth=2.2, clip_on=False, zorder=6)


def cost_panel(axes: Axes, bars: Bars, lines: Lines) -> None:
    """A stem from zero to a dot for every row; hollow dots are side branches."""
    costs = [bar.gmacs for bar in bars.bars if bar.gmacs is not None]
    panel, size = inches(axes), type_of(axes.figure)
    letters = 0.06 + (3 + cost_decimals(costs)) * LETTER * size
    stop = max(costs, default=1.0) / max(1 - letters / panel, 0.3)
    axes.set_xlim(0, stop)
    ticks = MaxNLocator(max(round(2.4 * panel), 3), steps=NICE).tick_values(0, stop)
    axes.xaxis.set_major_locator(FixedLocator([tick for tick in ticks if tick < 0.93 * stop]))
    axes.xaxis.set_major_formatter(FormatStrFormatter("%g"))
    for y, bar in zip(lines.rows, bars.bars, strict=True):
        if bar.gmacs is None:
            axes.text(0.04 / panel * stop, y, "–", fontsize=size - 0.5, color=FAINT, va="center")
            continue
        fill, inside = colour(bar.group), "white" if bar.branch else colour(bar.group)
        axes.plot([0, bar.gmacs], [y, y], color=fill, linewidth=1.1, zorder=2)
        axes.plot(bar.gmacs, y, "o", markersize=3.6, markeredgewidth=1.0, zorder=4,
                  markeredgecolor=fill, markerfacecolor=inside, clip_on=False)  # fmt: skip
        axes.text(bar.gmacs + 0.055 / panel * stop, y, f"{bar.gmacs:.{cost_decimals(costs)}f}",
                  fontsize=size - 0.5, va="center", zorder=3)  # fmt: skip
