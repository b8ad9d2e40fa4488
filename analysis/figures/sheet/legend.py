"""Legends without a frame, and the dots in them."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.figures.sheet.layout import type_of


def dot(text: str, *, fill: str, edge: str, size: float = 6.0, marker: str = "o",
        edge_width: float = 1.0) -> Line2D:  # fmt: skip
    """Return a mark without a line, for a legend."""
    return Line2D(
        [], [], linestyle="", marker=marker, markersize=size, label=text, markerfacecolor=fill,
        markeredgecolor=edge, markeredgewidth=edge_width, color=edge,
    )  # fmt: skip


def legend(
    figure: Figure, handles: Sequence[Artist], left: float, top: float, *, columns: int
) -> None:
    """Write a legend whose place is given in inches from the top left corner of the sheet."""
    width, height = figure.get_size_inches()
    figure.legend(
        handles=handles, loc="upper left", bbox_to_anchor=(left / width, 1 - top / height),
        ncols=columns, frameon=False, fontsize=type_of(figure) - 0.5, handlelength=1.2,
        handletextpad=0.4, columnspacing=1.2, labelspacing=0.3, borderpad=0, borderaxespad=0,
    )  # fmt: skip
