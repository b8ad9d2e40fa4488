"""The two panels of a roadmap figure: the measure, and cost as stems with a dot.

The measure is drawn as bars if its axis starts at zero, otherwise as dots, since the length of a
bar would say nothing. Cost always starts at zero.
"""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FormatStrFormatter, MaxNLocator

from analysis.colours import colour
from analysis.figures.bars import Bar, Bars
from analysis.figures.sheet.layout import LETTER, Lines, inches, type_of
from analysis.figures.sheet.style import FAINT, INK
from analysis.figures.sheet.text import short
from analysis.figures.sheet.units import axis_title
from analysis.tables.cells import accuracy, cost_decimals

BOX = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
NICE = [1, 2, 2.5, 5, 10]


def _limits(bars: Bars, panel: float, room: float) -> tuple[float, float]:
    """Return the ends of the axis; `room` of the panel's inches is for values."""
    if not bars.ends:
        return 0.0, 1.0
    low, high = min(low for low, _ in bars.ends), max(high for _, high in bars.ends)
    if bars.from_zero:
        return 0.0, (high or 1.0) * panel / (panel - room)
    span = (high - low) or abs(high) or 1.0
    start = low - 0.08 * span
    return start, start + (high - start) * panel / (panel - room)


def value_panel(axes: Axes, bars: Bars, lines: Lines, *, spread: bool) -> None:
    """Draw bars or dots with their values, and the line of the reference."""
    panel, size = inches(axes), type_of(axes)
    letters = 5.5 + (7 if spread and any(bar.std is not None for bar in bars.bars) else 0)
    start, stop = _limits(bars, panel, letters * LETTER * size)
    axes.set_xlim(start, stop)
    axes.set_xlabel(axis_title(bars.measure))
    ticks = MaxNLocator(max(round(2.4 * panel), 4), steps=NICE).tick_values(start, stop)
    most = 100.0 if bars.measure.unit == "%" else stop
    axes.xaxis.set_major_locator(FixedLocator([t for t in ticks if start <= t <= min(stop, most)]))
    axes.xaxis.set_major_formatter(FormatStrFormatter("%g"))
    pad = 0.05 * (stop - start) / panel
    for y, bar in zip(lines.rows, bars.bars, strict=True):
        if bar.value is None:
            text = f"diverged ({bar.diverged})" if bar.diverged else "–"
            axes.text(start + pad, y, text, fontsize=size - 0.5, color=FAINT, va="center",
                      style="italic" if bar.diverged else "normal")  # fmt: skip
            continue
        _mark(axes, y, bar, bar.value, bars.from_zero)
        text = accuracy(bar.value, bar.std if spread else None, decimals=bars.decimals)
        away = pad if bars.from_zero else 1.6 * pad
        axes.text(bar.value + (bar.std or 0) + away, y, text, fontsize=size - 0.5, va="center",
                  bbox=BOX, zorder=3)  # fmt: skip
    if bars.reference is not None:
        _reference(axes, *bars.reference, size)


def _mark(axes: Axes, y: float, bar: Bar, value: float, from_zero: bool) -> None:
    fill = colour(bar.group)
    inside = "white" if bar.branch else fill
    if from_zero:
        axes.barh(
            y, value, height=0.74, linewidth=0.6, edgecolor=fill, zorder=2,
            facecolor=inside, hatch="/////" if bar.branch else None,
        )  # fmt: skip
    else:
        axes.plot(value, y, "o", markersize=4.2, markeredgewidth=1.1, zorder=3.5,
                  markeredgecolor=fill, markerfacecolor=inside)  # fmt: skip
    if bar.std is None:
        return
    edges = [("white", 2.0), (INK, 0.8)] if from_zero else [(fill, 1.1)]  # visible on dark bars
    for ink, wide in edges:
        axes.errorbar(value, y, xerr=bar.std, color=ink, linewidth=wide, zorder=4 - (not from_zero),
                      capsize=1.6 + wide / 4, capthick=wide)  # fmt: skip


def _reference(axes: Axes, title: str, value: float, size: float) -> None:
    """Draw a dashed line at the value of the reference, named above."""
    axes.axvline(value, color=INK, linewidth=0.7, linestyle=(0, (4, 2.5)), zorder=2.5)
    low, high = axes.get_xlim()
    share = (value - low) / (high - low)
    name = short(title, int(max(share, 1 - share) * inches(axes) / (LETTER * (size - 1))))
    axes.annotate(name, (value, 0), xytext=(0, 2), textcoords="offset points", va="bottom",
                  ha="right" if share > 0.5 else "left", fontsize=size - 1)  # fmt: skip


def cost_panel(axes: Axes, bars: Bars, lines: Lines) -> None:
    """Draw a stem from zero to a dot for every row; hollow dots are side branches."""
    name, unit = bars.mac_unit
    axes.set_xlabel(name)
    costs = [1e9 / unit * bar.gmacs for bar in bars.bars if bar.gmacs is not None]
    panel, size, decimals = inches(axes), type_of(axes), cost_decimals(costs)
    letters = 0.06 + (len(f"{max(costs, default=1.0):.{decimals}f}") + 0.5) * LETTER * size
    stop = max(costs, default=1.0) / max(1 - letters / panel, 0.3)
    axes.set_xlim(0, stop)
    ticks = MaxNLocator(max(round(2.4 * panel), 3), steps=NICE).tick_values(0, stop)
    axes.xaxis.set_major_locator(FixedLocator([tick for tick in ticks if tick < 0.93 * stop]))
    axes.xaxis.set_major_formatter(FormatStrFormatter("%g"))
    for y, bar in zip(lines.rows, bars.bars, strict=True):
        if bar.gmacs is None:
            axes.text(0.04 / panel * stop, y, "–", fontsize=size - 0.5, color=FAINT, va="center")
            continue
        fill, macs = colour(bar.group), 1e9 / unit * bar.gmacs
        axes.plot([0, macs], [y, y], color=fill, linewidth=1.1, zorder=2)
        inside = "white" if bar.branch else fill
        axes.plot(macs, y, "o", markersize=3.6, markeredgewidth=1.0, zorder=4, clip_on=False,
                  markeredgecolor=fill, markerfacecolor=inside)  # fmt: skip
        axes.text(macs + 0.055 / panel * stop, y, f"{macs:.{decimals}f}", fontsize=size - 0.5,
                  va="center", zorder=3)  # fmt: skip
